/* <config>/first-seen: lines "SHA256 ADDRESS", appended in one write each. */
#include "flow/first_seen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "flow/fetch_url.h"

static char *seen_file(void)
{
    char *config = file_config_dir(), *file = config ? file_join(config, "first-seen") : NULL;

    free(config);
    return file;
}

bool first_seen_find(const char *url, char sha256[HASH_HEX])
{
    char *file = seen_file(), *name = fetch_url_name(url), *text = NULL, *line, *end;
    bool found = false;

    if (file && name && !file_read(file, 64 << 20, &text, NULL, NULL)) {
        for (line = text; !found && (end = strchr(line, '\n')); line = end + 1) {
            *end = 0;
            if (end - line > HASH_HEX && line[HASH_HEX - 1] == ' ' &&
                (!strcmp(line + HASH_HEX, name) || !strcmp(line + HASH_HEX, url))) {
                snprintf(sha256, HASH_HEX, "%.64s", line);
                found = true;
            }
        }
    }
    free(text);
    free(name);
    free(file);
    return found;
}

/* A full disk may have left a part of a line. */
static bool begins_anew(int fd)
{
    char last = '\n';
    off_t end = lseek(fd, 0, SEEK_END);

    return end >= 0 && (!end || (pread(fd, &last, 1, end - 1) == 1 &&
                                 (last == '\n' || write(fd, "\n", 1) == 1)));
}

int first_seen_add(const char *url, const char *sha256, struct assay_err *err)
{
    char *config = file_config_dir(), *file = seen_file(), known[HASH_HEX];
    char *name = fetch_url_name(url), *line = name ? text_format("%s %s\n", sha256, name) : NULL;
    int fd = -1, rc = ASSAY_OK;

    if (!config || !file || !line)
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    else if (!first_seen_find(url, known) && !(rc = file_make_dirs(config, err))) {
        fd = open(file, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (fd < 0 || !begins_anew(fd) || write(fd, line, strlen(line)) != (ssize_t)strlen(line) ||
            fsync(fd))
            rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be written: %s", file, strerror(errno));
        if (fd >= 0)
            close(fd);
    }
    free(line);
    free(name);
    free(file);
    free(config);
    return rc;
}

/* What the writers of this room put into a file of synthetic weights; see net.h.
 *
 *   TorchScript   extra/assay.txt, before the weights: a line "synthetic true"
 *   GraphDef      the attribute _assay_synthetic of an input, a node at the beginning
 *   ONNX          the metadata assay.synthetic, at the end */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "net/net.h"

#define FRONT (8 << 20) /* more than a graph's text */
#define BACK  (1 << 16)
#define NEAR  400

struct mark {
    const char *before, *then; /* `then` within NEAR bytes behind `before` */
};
static const struct mark marks[] = {{"/extra/assay.txt", "synthetic true\n"},
                                    {"_assay_synthetic", "true"},
                                    {"assay.synthetic", "true"}};

static bool has_mark(const char *bytes, size_t len, const struct mark *m)
{
    const size_t n = strlen(m->before);
    const char *at = memmem(bytes, len, m->before, n);
    size_t left = at ? len - (size_t)(at + n - bytes) : 0;

    return at && memmem(at + n, left < NEAR ? left : NEAR, m->then, strlen(m->then));
}

static bool part_says(int fd, char *bytes, size_t most, off_t at)
{
    ssize_t got = pread(fd, bytes, most, at);

    for (size_t i = 0; got > 0 && i < sizeof(marks) / sizeof(marks[0]); i++)
        if (has_mark(bytes, (size_t)got, &marks[i]))
            return true;
    return false;
}

static bool file_says(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *bytes = malloc(FRONT);
    struct stat s;
    bool says = fd >= 0 && bytes && !fstat(fd, &s) && S_ISREG(s.st_mode) &&
                (part_says(fd, bytes, FRONT, 0) ||
                 (s.st_size > FRONT && part_says(fd, bytes, BACK, s.st_size - BACK)));

    if (fd >= 0)
        close(fd);
    free(bytes);
    return says;
}

bool net_says_synthetic(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *e;
    bool says = false;

    if (!dir)
        return file_says(path);
    while (!says && (e = readdir(dir))) {
        char *below = e->d_name[0] == '.' ? NULL : file_join(path, e->d_name);

        says = below && file_says(below);
        free(below);
    }
    closedir(dir);
    return says;
}

/* fuzz: links assay_transfer assay_base */
/* Any bytes as an archive: nothing appears outside the folder, every link in it ends in it, the
 * limits hold, and what is refused leaves nothing. */
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "flow/transfer/parts.h"

#define MAX_BYTES 200000
#define MAX_FILES 50

static char base[64], in[80];
static long long bytes, files;

/* Follows links as the system would, to what there is of the path. */
static void check_link(const char *path)
{
    char *end = realpath(path, NULL);

    if (end && strncmp(end, in, strlen(in)))
        abort();
    free(end);
}

static int check(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)type;
    if (!at->level)
        return 0;
    files++;
    if (S_ISLNK(st->st_mode))
        check_link(path);
    else if (S_ISREG(st->st_mode))
        bytes += st->st_nlink > 1 ? 0 : st->st_size;
    else if (!S_ISDIR(st->st_mode))
        abort();
    if (st->st_mode & 07000)
        abort();
    return 0;
}

static int count(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)path, (void)st, (void)type;
    files += at->level > 0;
    return 0;
}

/* The archive as a file; a tar's headers get right check sums, without which nothing is read. */
static int as_file(const uint8_t *data, size_t size)
{
    int fd = memfd_create("archive", MFD_CLOEXEC);
    uint8_t *copy = malloc(size + 1);

    if (fd < 0 || !copy)
        abort();
    memcpy(copy, data, size);
    for (uint8_t *h = copy; h + 512 <= copy + size; h += 512) {
        unsigned sum = 0;

        if (memcmp(h + 257, "ustar", 5))
            continue;
        memset(h + 148, ' ', 8);
        for (int i = 0; i < 512; i++)
            sum += h[i];
        snprintf((char *)h + 148, 8, "%06o", sum);
    }
    if (write(fd, copy, size) != (ssize_t)size)
        abort();
    free(copy);
    return fd;
}

static void begin(void)
{
    if (base[0])
        return;
    snprintf(base, sizeof(base), "%s/assay-fuzz-XXXXXX",
             access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    if (!mkdtemp(base))
        abort();
    snprintf(in, sizeof(in), "%s/in", base);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct unpack_limits limits = {.max_bytes = MAX_BYTES, .max_files = MAX_FILES};
    struct assay_err err = {0};
    char path[64];
    int fd = as_file(data, size), rc;

    begin();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    rc = transfer_unpack(path, in, &limits, &err);
    if (rc && (!err.text[0] || file_exists(in)))
        abort();
    bytes = files = 0;
    if (!rc && nftw(in, check, 16, FTW_PHYS))
        abort();
    if (bytes > MAX_BYTES || files > MAX_FILES)
        abort();
    files = 0;
    file_remove_tree(in, NULL);
    nftw(base, count, 16, FTW_PHYS);
    if (files) /* beside the folder */
        abort();
    close(fd);
    rmdir(base);
    base[0] = 0;
    return 0;
}

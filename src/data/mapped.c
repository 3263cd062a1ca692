/* mmap of a file; see mapped.h. */
#include "data/mapped.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int mapped_open(const char *path, struct mapped *m, struct assay_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = ASSAY_OK;
    struct stat st;
    void *data;

    memset(m, 0, sizeof(*m));
    if (fd < 0 || fstat(fd, &st) < 0)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be read: %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode) || !st.st_size)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: is %s", path,
                        S_ISREG(st.st_mode) ? "empty" : "no file");
    else if ((data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0)) == MAP_FAILED)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be mapped: %s", path, strerror(errno));
    else
        *m = (struct mapped){data, (size_t)st.st_size, strdup(path)};
    if (fd >= 0)
        close(fd);
    if (!rc && !m->path) {
        mapped_close(m);
        rc = assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", path);
    }
    return rc;
}

void mapped_close(struct mapped *m)
{
    if (m->data)
        munmap((void *)m->data, m->bytes);
    free(m->path);
    memset(m, 0, sizeof(*m));
}

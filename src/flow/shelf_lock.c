/* The shelf's locks: a file a key, held with flock, so that they end with their process.
 *
 * The file is removed by its last holder.  Who waited for it may then hold a lock on a file without
 * a name, so after each lock the name must still lead to the same file; otherwise it begins anew.
 */
#include "flow/shelf_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LONGEST_NAP_NS 50000000

static void lock_path(const char *dir, const char *key, char out[SHELF_PATH])
{
    snprintf(out, SHELF_PATH, "%s/locks/%s.lock", dir, key);
}

static bool still_named(int fd, const char *path)
{
    struct stat mine, there;

    return fstat(fd, &mine) == 0 && stat(path, &there) == 0 && mine.st_ino == there.st_ino &&
           mine.st_dev == there.st_dev;
}

/* One try: ASSAY_EAGAIN when another holds it, or has just removed the file. */
static int try_lock(const char *path, int how, int *lock, struct assay_err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);

    if (fd < 0)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be opened: %s", path, strerror(errno));
    if (flock(fd, how | LOCK_NB) < 0) {
        int why = errno;

        close(fd);
        if (why == EWOULDBLOCK || why == EINTR)
            return ASSAY_EAGAIN;
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: cannot be locked: %s (a file system without locks?)", path,
                          strerror(why));
    }
    if (!still_named(fd, path)) {
        close(fd);
        return ASSAY_EAGAIN;
    }
    *lock = fd;
    return ASSAY_OK;
}

int shelf_lock_take(const char *dir, const char *key, enum shelf_lock_kind kind, bool wait,
                    const volatile int *stop, int *lock, struct assay_err *err)
{
    struct timespec nap = {0, 1000000};
    char path[SHELF_PATH];
    int rc;

    *lock = -1;
    lock_path(dir, key, path);
    while ((rc = try_lock(path, kind == SHELF_LOCK_ALONE ? LOCK_EX : LOCK_SH, lock, err)) ==
           ASSAY_EAGAIN) {
        if (!wait)
            return assay_fail(err, ASSAY_EAGAIN, "%.12s: in use by another process", key);
        if (stop && *stop)
            return assay_fail(err, ASSAY_ESTOP, "interrupted");
        nanosleep(&nap, NULL);
        if (nap.tv_nsec < LONGEST_NAP_NS)
            nap.tv_nsec *= 2;
    }
    return rc;
}

bool shelf_is_busy(const struct shelf *s, const char *key)
{
    int lock, rc = shelf_lock_take(s->dir, key, SHELF_LOCK_SHARED, false, NULL, &lock, NULL);

    shelf_lock_drop(s->dir, key, lock);
    return rc == ASSAY_EAGAIN;
}

void shelf_lock_drop(const char *dir, const char *key, int lock)
{
    char path[SHELF_PATH];

    if (lock < 0)
        return;
    lock_path(dir, key, path);
    if (flock(lock, LOCK_EX | LOCK_NB) == 0 && still_named(lock, path))
        unlink(path);
    close(lock);
}

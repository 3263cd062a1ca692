/* Whole files, folders, and the places of an installation. */
#include "base/file.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/text.h"

int file_read(const char *path, size_t max, char **data, size_t *len, struct assay_err *err)
{
    struct stat st;
    char *buf = NULL;
    size_t have = 0, cap;
    ssize_t n;
    int fd, rc = ASSAY_EFAIL;

    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be opened: %s", path, strerror(errno));
    if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode)) {
        assay_fail(err, ASSAY_EFAIL, "%s: is a folder, a file is wanted", path);
        goto out;
    }
    cap = st.st_size > 0 && (size_t)st.st_size <= max ? (size_t)st.st_size + 1 : 4096;
    for (;;) {
        char *bigger = realloc(buf, cap + 1);

        if (!bigger) {
            assay_fail(err, ASSAY_EFAIL, "%s: not enough memory to read it", path);
            goto out;
        }
        buf = bigger;
        n = read(fd, buf + have, cap - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            assay_fail(err, ASSAY_EFAIL, "%s: cannot be read: %s", path, strerror(errno));
            goto out;
        }
        if (n == 0)
            break;
        have += (size_t)n;
        if (have > max) {
            assay_fail(err, ASSAY_EFAIL, "%s: is larger than the %zu bytes allowed here", path,
                       max);
            goto out;
        }
        if (have == cap)
            cap *= 2;
    }
    buf[have] = 0;
    *data = buf;
    if (len)
        *len = have;
    buf = NULL;
    rc = ASSAY_OK;
out:
    free(buf);
    close(fd);
    return rc;
}

/* A file without a name where the file system has such a thing: a killed writer then leaves nothing
 * behind. */
static int open_nameless(const char *path)
{
    char dir[1100];
    const char *slash = strrchr(path, '/');

    snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path + 1) : 1, slash ? path : ".");
    return open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
}

static int open_named(struct file_whole *w)
{
    int fd = -1;

    for (int i = 0; i < 100 && fd < 0; i++) {
        snprintf(w->temp, sizeof(w->temp), "%s.tmp.%ld.%d", w->path, (long)getpid(), i);
        fd = open(w->temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    return fd;
}

/* What is no plain file is written to as it is: a rename would put a file in the place of a device.
 * So is one that is standard output or error already, by way of /dev/stdout. */
static int open_direct(const char *path, const struct stat *st)
{
    struct stat own;

    for (int fd = 1; fd <= 2; fd++)
        if (!fstat(fd, &own) && own.st_dev == st->st_dev && own.st_ino == st->st_ino) {
            fflush(fd == 1 ? stdout : stderr);
            return fcntl(fd, F_DUPFD_CLOEXEC, 3);
        }
    if (S_ISREG(st->st_mode))
        return -1;
    return open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
}

/* Where the file is that a link leads to, so that the link stays one. */
static int follow(struct file_whole *w, const char *path, struct assay_err *err)
{
    char *full = realpath(path, NULL);
    size_t n = full ? strlen(full) : 0;

    if (n && n < sizeof(w->path))
        memcpy(w->path, full, n + 1);
    free(full);
    if (!n)
        return assay_fail(err, ASSAY_EFAIL, "%s: is a link to what is not there", path);
    if (n >= sizeof(w->path))
        return assay_fail(err, ASSAY_EFAIL, "%s: the path is too long", path);
    return ASSAY_OK;
}

int file_whole_begin(struct file_whole *w, const char *path, struct assay_err *err)
{
    struct stat st, link;
    bool there = stat(path, &st) == 0;

    w->fd = -1;
    w->temp[0] = 0;
    w->mode = 0;
    if (snprintf(w->path, sizeof(w->path), "%s", path) >= (int)sizeof(w->path))
        return assay_fail(err, ASSAY_EFAIL, "%s: the path is too long", path);
    if (there && S_ISDIR(st.st_mode))
        return assay_fail(err, ASSAY_EFAIL, "%s: is a folder, a file is wanted", path);
    w->direct = there && ((w->fd = open_direct(path, &st)) >= 0 || !S_ISREG(st.st_mode));
    if (!w->direct) {
        w->mode = there ? st.st_mode & 0777 : 0;
        if (!lstat(path, &link) && S_ISLNK(link.st_mode) && follow(w, path, err))
            return ASSAY_EFAIL;
        w->fd = open_nameless(w->path);
        if (w->fd < 0)
            w->fd = open_named(w);
    }
    if (w->fd < 0)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be written: %s", path, strerror(errno));
    return ASSAY_OK;
}

int file_whole_write(struct file_whole *w, const void *data, size_t len, struct assay_err *err)
{
    const char *p = data;
    ssize_t n;

    while (len) {
        n = write(w->fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return assay_fail(err, ASSAY_EFAIL, "%s: cannot be written: %s", w->path,
                              strerror(errno));
        p += n;
        len -= (size_t)n;
    }
    return ASSAY_OK;
}

/* Gives the nameless file a name beside its place, so that it can be renamed over an old one. */
static int name_temp(struct file_whole *w)
{
    char self[64];
    int i, rc = -1;

    snprintf(self, sizeof(self), "/proc/self/fd/%d", w->fd);
    for (i = 0; i < 100 && rc; i++) {
        snprintf(w->temp, sizeof(w->temp), "%s.tmp.%ld.%d", w->path, (long)getpid(), i);
        rc = linkat(AT_FDCWD, self, AT_FDCWD, w->temp, AT_SYMLINK_FOLLOW);
        if (rc && errno != EEXIST)
            break;
    }
    if (rc)
        w->temp[0] = 0;
    return rc;
}

/* A device or a pipe has nothing to sync, and may say only now what it did not take. */
static int close_direct(struct file_whole *w, struct assay_err *err)
{
    int failed = close(w->fd);

    w->fd = -1;
    if (failed)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be written: %s", w->path, strerror(errno));
    return ASSAY_OK;
}

int file_whole_commit(struct file_whole *w, struct assay_err *err)
{
    int rc = ASSAY_OK;

    if (w->direct)
        return close_direct(w, err);
    if ((w->mode && fchmod(w->fd, w->mode) < 0) || fsync(w->fd) < 0)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be written: %s", w->path, strerror(errno));
    if (!rc && ((!w->temp[0] && name_temp(w) < 0) || rename(w->temp, w->path) < 0))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be put in place: %s", w->path,
                        strerror(errno));
    if (rc) {
        file_whole_abandon(w);
        return rc;
    }
    close(w->fd); /* synced: nothing left that could fail */
    w->fd = -1;
    return ASSAY_OK;
}

void file_whole_abandon(struct file_whole *w)
{
    if (w->fd < 0)
        return;
    close(w->fd);
    if (w->temp[0])
        unlink(w->temp);
    w->fd = -1;
}

int file_write_whole(const char *path, const void *data, size_t len, struct assay_err *err)
{
    struct file_whole w;
    int rc = file_whole_begin(&w, path, err);

    if (!rc)
        rc = file_whole_write(&w, data, len, err);
    if (!rc)
        rc = file_whole_commit(&w, err);
    file_whole_abandon(&w);
    return rc;
}

int file_make_dirs(const char *path, struct assay_err *err)
{
    char part[PATH_MAX];
    size_t i, n = strlen(path);

    if (!n || n >= sizeof(part))
        return assay_fail(err, ASSAY_EFAIL, "'%s': not a usable folder name", path);
    for (i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != 0)
            continue;
        memcpy(part, path, i);
        part[i] = 0;
        if (mkdir(part, 0777) < 0 && errno != EEXIST)
            return assay_fail(err, ASSAY_EFAIL, "%s: the folder cannot be made: %s", part,
                              strerror(errno));
    }
    if (!file_is_dir(path))
        return assay_fail(err, ASSAY_EFAIL, "%s: is there, but is no folder", path);
    return ASSAY_OK;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

int file_remove_tree(const char *path, struct assay_err *err)
{
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) < 0 && errno != ENOENT)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be removed: %s", path, strerror(errno));
    return ASSAY_OK;
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool file_is_dir(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int64_t file_size(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

double file_disk_free(const char *folder)
{
    char *path = strdup(folder), *slash;
    struct statvfs fs;
    int rc = -1;

    while (path && (rc = statvfs(*path ? path : "/", &fs)) && (slash = strrchr(path, '/')))
        *slash = 0;
    free(path);
    return rc ? -1 : (double)fs.f_bavail * (double)fs.f_frsize;
}

char *file_join(const char *dir, const char *name)
{
    size_t n = strlen(dir);

    return text_format("%s%s%s", dir, n && dir[n - 1] != '/' ? "/" : "", name);
}

char *file_absolute(const char *path)
{
    char *full = realpath(path, NULL), *cwd;

    if (full)
        return full;
    if (path[0] == '/')
        return strdup(path);
    cwd = getcwd(NULL, 0);
    full = cwd ? file_join(cwd, path) : NULL;
    free(cwd);
    return full;
}

/* HOME, else what the user database says (cron and systemd set no HOME); NULL: neither does. */
static char *home_dir(void)
{
    const char *home = getenv("HOME");
    struct passwd row, *who = NULL;
    char buf[16384]; /* getpwuid's own is any thread's */

    if (home && *home)
        return strdup(home);
    getpwuid_r(geteuid(), &row, buf, sizeof(buf), &who);
    return who && who->pw_dir && who->pw_dir[0] == '/' ? strdup(who->pw_dir) : NULL;
}

char *file_expand_home(const char *path)
{
    bool tilde = path[0] == '~' && (!path[1] || path[1] == '/');
    char *home = tilde ? home_dir() : NULL;
    char *full = home ? text_format("%s%s", home, path + 1) : strdup(path);

    free(home);
    return full;
}

bool file_leaves_folder(const char *name)
{
    const char *p;

    if (name[0] == '/')
        return true;
    for (p = name; (p = strstr(p, "..")); p += 2)
        if ((p == name || p[-1] == '/') && (p[2] == '/' || !p[2]))
            return true;
    return false;
}

const char *file_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static char *user_dir(const char *own, const char *xdg, const char *below_home)
{
    const char *dir = getenv(own);
    char *home, *path;

    if (dir && *dir)
        return strdup(dir);
    dir = getenv(xdg);
    if (dir && *dir)
        return file_join(dir, "assay");
    /* Without a home: a place that nobody can make, which says why.  In a folder of all users,
     * anybody could lie settings and plugins there beforehand. */
    home = home_dir();
    path = home ? text_format("%s/%s/assay", home, below_home)
                : text_format("/dev/null/set-HOME-or-%s/assay", own);
    free(home);
    return path;
}

char *file_cache_dir(void)
{
    return user_dir("ASSAY_CACHE", "XDG_CACHE_HOME", ".cache");
}

char *file_store_dir(void)
{
    return user_dir("ASSAY_STORE", "XDG_DATA_HOME", ".local/share");
}

char *file_store_at(const char *given)
{
    return given ? file_absolute(given) : file_store_dir();
}

char *file_config_dir(void)
{
    return user_dir("ASSAY_CONFIG", "XDG_CONFIG_HOME", ".config");
}

/* The file that this code is in: the library's, or the executable's. */
static bool own_file(char path[PATH_MAX])
{
    ssize_t n;
    Dl_info info;
    char *whole;

    if (dladdr((void *)(uintptr_t)&file_prefix, &info) && info.dli_fname &&
        strstr(file_base(info.dli_fname), ".so") && (whole = realpath(info.dli_fname, NULL))) {
        snprintf(path, PATH_MAX, "%s", whole);
        free(whole);
        return true;
    }
    n = readlink("/proc/self/exe", path, PATH_MAX - 1);
    path[n < 0 ? 0 : n] = 0;
    return n >= 0;
}

/* The last place of any of these parts: the tree itself may live below a folder called bin. */
static char *last_part(char *path)
{
    static const char *const parts[] = {"/libexec/assay/", "/bin/", "/lib/"};
    char *last = NULL, *p;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        for (p = strstr(path, parts[i]); p; p = strstr(p + 1, parts[i]))
            last = !last || p > last ? p : last;
    return last;
}

char *file_prefix(void)
{
    const char *own = getenv("ASSAY_PREFIX");
    char path[PATH_MAX], *cut;

    if (own && *own)
        return file_absolute(own);
    if (!own_file(path))
        return strdup("/usr/local");
    cut = last_part(path);
    if (!cut)
        cut = strrchr(path, '/');
    if (cut)
        *cut = 0;
    return strdup(path);
}

char *file_prefix_join(const char *below)
{
    char *prefix = file_prefix(), *path = prefix ? file_join(prefix, below) : NULL;

    free(prefix);
    return path;
}

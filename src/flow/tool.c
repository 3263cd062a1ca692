/* posix_spawn and a pipe; see tool.h. */
#include "flow/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/spawn.h"
#include "base/text.h"

#define TICK_MS     100
#define PATIENCE_NS 2000000000
#define READS       8 /* in a row: more than a pipe holds, 64 KiB */

static bool is_program(const char *file)
{
    struct stat st;

    return !stat(file, &st) && S_ISREG(st.st_mode) && !access(file, X_OK);
}

char *tool_find(const char *name, const char *path)
{
    size_t n;

    if (strchr(name, '/'))
        return is_program(name) ? strdup(name) : NULL;
    for (; *name && path && *path; path += n + (path[n] == ':')) {
        char *file;

        n = strcspn(path, ":");
        if (!n || path[0] != '/')
            continue;
        file = text_format("%.*s/%s", (int)n, path, name);
        if (file && is_program(file))
            return file;
        free(file);
    }
    return NULL;
}

static int spawn(const struct tool *t, const char *file, int out, pid_t *pid, struct assay_err *err)
{
    posix_spawn_file_actions_t files;
    int rc;

    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out, STDERR_FILENO);
    if (t->to)
        posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, t->to, O_WRONLY | O_CREAT | O_TRUNC,
                                         0644);
    else
        posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    posix_spawn_file_actions_addchdir_np(&files, t->dir);
    rc = spawn_group(pid, file, &files, t->argv, t->env);
    posix_spawn_file_actions_destroy(&files);
    return rc ? assay_fail(err, ASSAY_EFAIL, "%s cannot be started in %s: %s", file, t->dir,
                           strerror(rc))
              : ASSAY_OK;
}

/* What there is to read now, or a part of it: some print without end.  false: the other end is
 * closed. */
static bool read_some(const struct tool *t, int fd)
{
    char buf[16384];
    ssize_t n = 1;

    for (int i = 0; i < READS && n > 0; i++)
        if ((n = read(fd, buf, sizeof(buf))) > 0 && t->said)
            t->said(t->ctx, buf, (size_t)n);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

enum ending { BY_ITSELF, STOPPED, LATE };

/* Until the program has ended: its helpers that still hold the pipe do not count. */
static int attend(const struct tool *t, pid_t pid, int fd, enum ending *how)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int64_t began = clock_ns(), asked = 0;
    int status = 0;
    pid_t ended;

    *how = BY_ITSELF;
    while ((ended = waitpid(pid, &status, WNOHANG)) == 0 || (ended < 0 && errno == EINTR)) {
        poll(&p, 1, TICK_MS);
        if (p.fd >= 0 && !read_some(t, fd))
            p.fd = -1; /* closed: poll is a pause from here on */
        if (!asked && t->stop && *t->stop)
            *how = STOPPED;
        if (!asked && t->limit_s > 0 && (double)(clock_ns() - began) > t->limit_s * 1e9)
            *how = LATE;
        if (!asked && *how != BY_ITSELF) {
            asked = clock_ns();
            kill(-pid, SIGTERM);
        }
        if (asked && clock_ns() - asked > PATIENCE_NS)
            kill(-pid, SIGKILL);
    }
    kill(-pid, SIGKILL);
    read_some(t, fd);
    return ended < 0 ? SIGKILL : status;
}

static int how_it_ended(const struct tool *t, int status, enum ending how, struct assay_err *err)
{
    const char *name = file_base(t->argv[0]);

    if (t->exit_code && how == BY_ITSELF && WIFEXITED(status))
        *t->exit_code = WEXITSTATUS(status);
    if (how == STOPPED)
        return assay_fail(err, ASSAY_ESTOP, "interrupted");
    if (how == LATE)
        return assay_fail(err, ASSAY_EFAIL, "%s took longer than %.0f s", name, t->limit_s);
    if (WIFSIGNALED(status))
        return assay_fail(err, ASSAY_EFAIL, "%s crashed: %s", name, strsignal(WTERMSIG(status)));
    if (WEXITSTATUS(status))
        return assay_fail(err, ASSAY_EFAIL, "%s ended with exit code %d", name,
                          WEXITSTATUS(status));
    return ASSAY_OK;
}

/* A name with '/' that is not absolute is of the folder in which it runs: "./configure". */
static char *find_for(const struct tool *t)
{
    char *path, *file;

    if (t->argv[0][0] == '/' || !strchr(t->argv[0], '/'))
        return tool_find(t->argv[0], t->path);
    path = file_join(t->dir, t->argv[0]);
    file = path ? tool_find(path, NULL) : NULL;
    free(path);
    return file;
}

int tool_run(const struct tool *t, struct assay_err *err)
{
    char *file = find_for(t);
    int ends[2] = {-1, -1}, rc, status;
    struct spawn_guard guard = {-1, -1};
    enum ending how;
    pid_t pid = -1;

    if (t->exit_code)
        *t->exit_code = -1;
    if (!file)
        rc = assay_fail(
            err, ASSAY_EFAIL,
            "the program '%.200s' is not here%s%.200s; install it, or name it by its path",
            t->argv[0], strchr(t->argv[0], '/') ? "" : ": looked in ",
            strchr(t->argv[0], '/') ? "" : t->path);
    else if (pipe2(ends, O_CLOEXEC) || fcntl(ends[0], F_SETFL, O_NONBLOCK))
        rc = assay_fail(err, ASSAY_EFAIL, "%s cannot be started: %s", file, strerror(errno));
    else
        rc = spawn(t, file, ends[1], &pid, err);
    if (ends[1] >= 0)
        close(ends[1]);
    if (!rc && t->guarded)
        spawn_guard_begin(&guard, pid);
    if (!rc) {
        status = attend(t, pid, ends[0], &how);
        spawn_guard_end(&guard);
        rc = how_it_ended(t, status, how, err);
    }
    if (ends[0] >= 0)
        close(ends[0]);
    free(file);
    return rc;
}

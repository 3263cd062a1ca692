/* Asking in a child process; see ask.h. */
#include "base/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/spawn.h"

extern char **environ;

int ask_keep_descriptor(int fd)
{
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 3), nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

    if (nowhere >= 0) {
        dup2(nowhere, fd);
        close(nowhere);
    }
    return own;
}

int ask_begin(struct ask *a, const char *const *argv, int seconds, const char *what,
              struct assay_err *err)
{
    char *exe = file_prefix_join("libexec/assay/assay-child");
    posix_spawn_file_actions_t actions;
    int ends[2] = {-1, -1}, rc = exe ? 0 : ENOMEM;

    if (!rc && pipe2(ends, O_CLOEXEC) < 0)
        rc = errno;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    if (!rc)
        rc = spawn_group(&a->pid, exe, &actions, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (ends[1] >= 0)
        close(ends[1]);
    if (rc) {
        rc = assay_fail(err, ASSAY_EFAIL, "%s cannot be started: %s: %s", what, exe ? exe : "",
                        strerror(rc));
        if (ends[0] >= 0)
            close(ends[0]);
    }
    a->from = ends[0];
    a->seconds = seconds;
    a->until_ns = clock_ns() + seconds * INT64_C(1000000000);
    snprintf(a->what, sizeof(a->what), "%s", what);
    free(exe);
    return rc;
}

/* True: no more comes. */
static bool read_piece(int fd, struct text *answer)
{
    char piece[4096];
    ssize_t n = read(fd, piece, sizeof(piece));

    if (n > 0)
        text_addn(answer, piece, (size_t)n);
    return n == 0 || (n < 0 && errno != EINTR);
}

/* Until the child has ended, whatever of it still holds the other end; false when that takes too
 * long. */
static bool read_answer(const struct ask *a, struct text *answer)
{
    struct pollfd p[2] = {{.fd = a->from, .events = POLLIN},
                          {.fd = (int)syscall(SYS_pidfd_open, a->pid, 0), .events = POLLIN}};
    bool ended = false;
    int64_t left;

    while (!ended) {
        left = (a->until_ns - clock_ns()) / 1000000;
        if (poll(p, 2, left > 0 ? (int)left : 0) <= 0 && left > 0)
            continue;                   /* a signal, or the clock says it */
        if (left <= 0 && !p[1].revents) /* late, and still there */
            break;
        if (p[0].revents && !(p[1].revents && answer->cut)) {
            if (!read_piece(a->from, answer))
                continue;
            p[0].fd = -1;
            ended = p[1].fd < 0; /* before Linux 5.3 its end of the pipe has to tell */
        } else {                 /* nothing of it is left in the pipe */
            ended = p[1].revents;
        }
    }
    if (p[1].fd >= 0)
        close(p[1].fd);
    return ended;
}

int ask_end(struct ask *a, struct text *answer, struct assay_err *err)
{
    bool ended = read_answer(a, answer);
    siginfo_t info;
    int status = 0;

    if (ended) /* its number, which is the group's, stays its own until waitpid */
        while (waitid(P_PID, (id_t)a->pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
            ;
    kill(-a->pid, SIGKILL);
    while (waitpid(a->pid, &status, 0) < 0 && errno == EINTR)
        ;
    close(a->from);
    if (!ended)
        return assay_fail(err, ASSAY_EFAIL, "%s did not end within %d s", a->what, a->seconds);
    if (WIFSIGNALED(status))
        return assay_fail(err, ASSAY_EFAIL, "%s crashed: %s (signal %d)", a->what,
                          strsignal(WTERMSIG(status)), WTERMSIG(status));
    return ASSAY_OK;
}

int ask_child(const char *const *argv, int seconds, const char *what, struct text *answer,
              struct assay_err *err)
{
    struct ask a;
    int rc = ask_begin(&a, argv, seconds, what, err);

    return rc ? rc : ask_end(&a, answer, err);
}

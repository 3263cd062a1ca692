/* Asking in a child process; see ask.h. */
#include "engine/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

extern char **environ;

int engine_keep_descriptor(int fd)
{
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 3), nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

    if (nowhere >= 0) {
        dup2(nowhere, fd);
        close(nowhere);
    }
    return own;
}

static int spawn_child(const char *const *argv, const char *what, int *from, pid_t *pid,
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
        rc = posix_spawn(pid, exe, &actions, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (ends[1] >= 0)
        close(ends[1]);
    if (rc) {
        assay_fail(err, ASSAY_EFAIL, "%s cannot be started: %s: %s", what, exe ? exe : "",
                   strerror(rc));
        if (ends[0] >= 0)
            close(ends[0]);
    }
    *from = ends[0];
    free(exe);
    return rc ? ASSAY_EFAIL : ASSAY_OK;
}

/* Everything until the other end closes; false when that takes too long. */
static bool read_answer(int fd, int seconds, struct text *answer)
{
    int64_t end = clock_ns() + seconds * INT64_C(1000000000), left;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char piece[4096];
    ssize_t n;

    for (;;) {
        left = (end - clock_ns()) / 1000000;
        if (left <= 0 || poll(&p, 1, (int)left) == 0)
            return false;
        n = read(fd, piece, sizeof(piece));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return true;
        text_addn(answer, piece, (size_t)n);
    }
}

int engine_ask_child(const char *const *argv, int seconds, const char *what, struct text *answer,
                     struct assay_err *err)
{
    pid_t pid;
    bool whole;
    int from, status = 0, rc = spawn_child(argv, what, &from, &pid, err);

    if (rc)
        return rc;
    whole = read_answer(from, seconds, answer);
    if (!whole)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    close(from);
    if (!whole)
        return assay_fail(err, ASSAY_EFAIL, "%s did not end within %d s", what, seconds);
    if (WIFSIGNALED(status))
        return assay_fail(err, ASSAY_EFAIL, "%s crashed: %s (signal %d)", what,
                          strsignal(WTERMSIG(status)), WTERMSIG(status));
    return ASSAY_OK;
}

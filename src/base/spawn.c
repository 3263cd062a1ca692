/* posix_spawn's attributes, and the guard of a group; see spawn.h.
 *
 * Linux ends a process with its parent when it asks for that itself (PR_SET_PDEATHSIG), which
 * programs of others do not, and tells nothing to their children.  So the guard waits on a socket
 * of which only this process has the other end: "." means that all is well, an end without it that
 * this process has died. */
#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

int spawn_group(pid_t *pid, const char *file, const posix_spawn_file_actions_t *files,
                char *const *argv, char *const *env)
{
    posix_spawnattr_t attr;
    sigset_t none, all;
    int rc;

    posix_spawnattr_init(&attr);
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                        POSIX_SPAWN_SETSIGDEF);
    rc = posix_spawn(pid, file, files, &attr, argv, env);
    posix_spawnattr_destroy(&attr);
    return rc;
}

void spawn_guard_begin(struct spawn_guard *g, pid_t group)
{
    char *exe = file_prefix_join("libexec/assay/assay-child"), text[16], *env[] = {NULL};
    char *argv[] = {exe, (char *)"guard", text, NULL};
    posix_spawn_file_actions_t files;
    int ends[2];

    *g = (struct spawn_guard){-1, -1};
    if (!exe || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) {
        free(exe);
        return;
    }
    snprintf(text, sizeof(text), "%d", (int)group);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, ends[0], STDIN_FILENO);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (spawn_group(&g->pid, exe, &files, argv, env))
        g->pid = -1;
    g->line = ends[1];
    posix_spawn_file_actions_destroy(&files);
    close(ends[0]);
    free(exe);
}

void spawn_guard_end(struct spawn_guard *g)
{
    if (g->line < 0)
        return;
    send(g->line, ".", 1, MSG_NOSIGNAL);
    close(g->line);
    while (g->pid > 0 && waitpid(g->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    *g = (struct spawn_guard){-1, -1};
}

void spawn_guard_here(const char *group)
{
    pid_t pid = (pid_t)strtol(group, NULL, 10);
    ssize_t n;
    char c;

#ifdef SYS_close_range
    syscall(SYS_close_range, 3, ~0U, 0); /* locks of others are not to be held by it */
#endif
    while ((n = read(STDIN_FILENO, &c, 1)) < 0 && errno == EINTR)
        ;
    if (!n && pid > 1)
        kill(-pid, SIGKILL);
}

/* posix_spawn's attributes; see spawn.h. */
#include "base/spawn.h"

#include <signal.h>

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

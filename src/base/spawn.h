/* A program as a process group of its own, so that a Ctrl-C at the terminal reaches this program
 * alone and the whole group can be ended at once. */
#ifndef BASE_SPAWN_H
#define BASE_SPAWN_H

#include <spawn.h>
#include <sys/types.h>

/* No signal is blocked or ignored in it.  files may be NULL.  0, or an errno. */
int spawn_group(pid_t *pid, const char *file, const posix_spawn_file_actions_t *files,
                char *const *argv, char *const *env);

#endif

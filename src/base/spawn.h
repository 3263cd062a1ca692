/* A program as a process group of its own, so that a Ctrl-C at the terminal reaches this program
 * alone and the whole group can be ended at once. */
#ifndef BASE_SPAWN_H
#define BASE_SPAWN_H

#include <spawn.h>
#include <sys/types.h>

/* No signal is blocked or ignored in it.  files may be NULL.  0, or an errno. */
int spawn_group(pid_t *pid, const char *file, const posix_spawn_file_actions_t *files,
                char *const *argv, char *const *env);

/* A process that ends a group when this one has died before it could: killed, out of memory. */
struct spawn_guard {
    pid_t pid; /* -1: there is none */
    int line;
};

/* Where none can be started the group is only not guarded. */
void spawn_guard_begin(struct spawn_guard *g, pid_t group);
void spawn_guard_end(struct spawn_guard *g);
/* What that process does, `assay-child guard GROUP`. */
void spawn_guard_here(const char *group);

#endif

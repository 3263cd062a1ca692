/* Inside of the engine room: asking an engine something in a child process, which may crash, hang
 * or print as it likes. */
#ifndef ENGINE_ASK_H
#define ENGINE_ASK_H

#include "assay/types.h"
#include "base/text.h"

/* Starts <prefix>/libexec/assay/assay-child by posix_spawn (never a fork that goes on: some
 * engines' libraries hang in it) and collects what it writes on its standard output until it ends,
 * at most `seconds`.  `what` begins the words of an error: "engine x: its probe".  argv ends with
 * NULL. */
int engine_ask_child(const char *const *argv, int seconds, const char *what, struct text *answer,
                     struct assay_err *err);
/* The child's side: gives a descriptor of its own for the answer; what the engine's libraries print
 * on fd goes nowhere from then on. */
int engine_keep_descriptor(int fd);

#endif

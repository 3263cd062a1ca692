/* Asking something in a child process, which may crash, hang or print as it likes. */
#ifndef BASE_ASK_H
#define BASE_ASK_H

#include <sys/types.h>

#include "assay/types.h"
#include "base/text.h"

/* A question that is out.  By value: begin, then end in any case where begin was good. */
struct ask {
    pid_t pid;
    int from; /* what the child writes on its standard output */
    int seconds;
    int64_t until_ns;
    char what[200];
};

/* Starts <prefix>/libexec/assay/assay-child by posix_spawn (never a fork that goes on: some
 * engines' libraries hang in it), in a process group of its own, for at most `seconds`.  `what`
 * begins the words of an error: "engine x: its probe".  argv ends with NULL.  Several may be out at
 * once: each has its own time. */
int ask_begin(struct ask *a, const char *const *argv, int seconds, const char *what,
              struct assay_err *err);
/* Waits for the child, and ends what it has left behind; answer: what it wrote until it ended. */
int ask_end(struct ask *a, struct text *answer, struct assay_err *err);
/* Both. */
int ask_child(const char *const *argv, int seconds, const char *what, struct text *answer,
              struct assay_err *err);
/* The child's side: gives a descriptor of its own for the answer; what libraries print on fd goes
 * nowhere from then on. */
int ask_keep_descriptor(int fd);

#endif

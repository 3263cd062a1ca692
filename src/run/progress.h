/* The progress line on stderr: a line that is rewritten at a terminal, a line a phase elsewhere,
 * JSON lines for programs. */
#ifndef RUN_PROGRESS_H
#define RUN_PROGRESS_H

#include "run/shared.h"

enum progress_style { PROGRESS_NONE, PROGRESS_LINE, PROGRESS_PLAIN, PROGRESS_JSON };

struct progress {
    int style;
    int phase;        /* shown last */
    int64_t since_ns; /* of the phase shown last: a new trial is a new phase */
    int64_t last_ns;
    uint64_t last_completed;
    bool open; /* the cursor stands behind an unfinished line */
};

void progress_begin(struct progress *p, const char *how); /* auto|plain|json|none */
/* Cheap; shows at most once a second. */
void progress_show(struct progress *p, const struct run_shared *s);
void progress_end(struct progress *p);

/* One line of what a command of several runs does, as --progress (NULL: auto) wants it: the text as
 * it is, a JSON object, or nothing.  phase: "explore"; seconds since it began. */
void progress_line(const char *how, const char *phase, double seconds, const char *text);

#endif

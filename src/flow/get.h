/* A plan of recipes carried out as a user sees it: progress on stderr, and signals that end it. */
#ifndef FLOW_GET_H
#define FLOW_GET_H

#include "flow/make.h"

/* progress: "none", "json", "plain" or else a line on a terminal.  jobs: as of make_options.  While
 * it goes on SIGINT, SIGTERM and SIGHUP end it with ASSAY_ESTOP; their handlers are put back.  One
 * at a time in a process.  failure: to be released in any case. */
int get_carry_out(struct plan *p, const char *progress, int jobs, struct make_failure *failure,
                  struct assay_err *err);
/* From now on SIGINT, SIGTERM and SIGHUP set the flag that is returned, and programs' ends can be
 * waited for; until it is called with false. */
const volatile int *get_listen(bool begin);
/* What was asked for, and where it is now: {"got": […]}. */
json_t *get_json(const struct plan *p);

#endif

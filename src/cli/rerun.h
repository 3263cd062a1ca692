/* What `compare` and `reproduce` share: records as they are named, and runs made again. */
#ifndef CLI_RERUN_H
#define CLI_RERUN_H

#include "cli/cli.h"
#include "report/compare.h"

/* A record that is at hand; released with rerun_release. */
struct rerun {
    json_t *record;
    char *dir;
};

/* An id, a folder or a file.  Returns an exit code; prints its error. */
int rerun_open(const struct cli_input *in, const char *name, struct rerun *out);
/* Runs the record's set-up once more, saying `what` on stderr before.  Returns an exit code, and
 * prints why a run did not come to its end. */
int rerun_run(const struct cli_input *in, const json_t *record, const char *what,
              struct rerun *out);
void rerun_release(struct rerun *a);
struct compare_run rerun_as_run(const struct rerun *a);

#endif

/* What `compare` and `reproduce` share: records as they are named, and runs made again. */
#ifndef CLI_AGAIN_H
#define CLI_AGAIN_H

#include "cli/cli.h"
#include "report/compare.h"

/* A record that is at hand; released with again_release. */
struct again {
    json_t *record;
    char *dir;
};

/* An id, a folder or a file.  Returns an exit code; prints its error. */
int again_open(const struct cli_input *in, const char *name, struct again *out);
/* Runs the record's set-up once more, saying `what` on stderr before.  Returns an exit code, and
 * prints why a run did not come to its end. */
int again_run(const struct cli_input *in, const json_t *record, const char *what,
              struct again *out);
void again_release(struct again *a);
struct compare_run again_as_run(const struct again *a);

#endif

/* LoadGen's logs that were made elsewhere, as records of a store.
 *
 * A folder with mlperf_log_detail.txt in it is one run; any other is looked through for such
 * folders, so that a whole submission tree can be given.  Links to folders are not followed.  Each
 * run is judged from its log, by the round of its LoadGen.  What no log says (engine, model,
 * machine, whether anything is synthetic) is declared by the caller or by the files of a submission
 * tree, or unknown.  */
#ifndef SUBMIT_LOGS_H
#define SUBMIT_LOGS_H

#include <jansson.h>

#include "assay/types.h"

/* Each NULL: not given. */
struct submit_logs_ask {
    const char *benchmark; /* ours, or a round's; default: what the folders' names say */
    const char *round;     /* of load/rounds.h; default: the one of the log's LoadGen */
    const char *engine, *model;
    bool dry;           /* "imported" would be, without an id, and nothing is */
    const char *system; /* a file of facts: YAML `name: value`, or MLPerf's description (JSON) */
    /* Of a caller who ran it himself: members that stand in the record in the place of those that
     * the log gives (of "dataset" beside them), and what the record says that it came from. */
    const json_t *known;
    const char *origin;
};

/* *result: {"folder", "imported": [{"id", "folder", "benchmark", "scenario", "mode", "verdict"}],
 * "duplicates": [{"id", "folder"}], "failed": [{"folder", "error"}]}, for json_decref; also with an
 * error that came while runs were taken (the store cannot be written); NULL: none was.  What
 * failed is no error of the call; a folder without any log is ASSAY_EUSAGE.  A run whose detail log
 * the store has, by its SHA-256, is a duplicate.  No thread but the caller's. */
int submit_take_logs(const char *store, const char *folder, const struct submit_logs_ask *ask,
                     json_t **result, struct assay_err *err);

#endif

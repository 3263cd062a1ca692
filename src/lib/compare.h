/* Runs compared, and made again to be compared: what joins the rooms run and report, for the
 * library's calls and the command line alike. */
#ifndef LIB_COMPARE_H
#define LIB_COMPARE_H

#include <jansson.h>

#include "load/settings.h"
#include "run/again.h"

#define LIB_REPEATS_MAX 100

/* What runs are made with: the store, the cache, how progress is shown, the tag; and the command
 * that goes into their records. */
struct lib_runner {
    const struct settings *own;
    int argc;
    char **argv;
};

struct lib_compare_ask {
    const char *a, *b;        /* as record_open takes them */
    const char *const *rules; /* as rule_parse takes them; NULL-terminated; may be NULL */
    size_t repeats;           /* 0: the two runs as they are; else further ones of each */
};
/* *result: as compare_records gives it, with "changed" where runs were made again: texts of what of
 * the set-ups is not as it was. */
int lib_compare(const struct lib_compare_ask *ask, const struct lib_runner *with, json_t **result,
                struct assay_err *err);

/* What a comparison with repeats would run: {"runs": [{"side": "A", "id", "command": [words]}, …],
 * "order": ["A", "B", "B", "A", …], "get", "steps" (run_wants)}; without repeats the order is
 * empty. Touches nothing. */
int lib_compare_plan(const struct lib_compare_ask *ask, const struct settings *own, json_t **plan,
                     struct assay_err *err);

/* Opens a record whose run is to be made again, and finds what is not as it was: *changed is what
 * differ_records gives, each with "stops": it makes another run of it.  Both are the caller's, also
 * after an error. */
int lib_reproduce_look(const char *name, const struct settings *own, struct again_made *original,
                       json_t **changed, struct assay_err *err);
/* How many of them stop. */
size_t lib_reproduce_stops(const json_t *changed);
/* Makes n runs and compares them with the record.  *result: {"answer", "comparison", "changed"}. */
int lib_reproduce(const struct again_made *original, const json_t *changed, size_t n,
                  const struct lib_runner *with, json_t **result, struct assay_err *err);
#define LIB_SAME    "same"
#define LIB_DIFFERS "differs"
#define LIB_UNSURE  "cannot tell"

#endif

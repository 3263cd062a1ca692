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

/* A record whose run is to be made again, and what stands between it and that. */
struct lib_again {
    struct again_made original;
    json_t *changed; /* not as it was: as differ_records has it; with "stops": it is another run */
    json_t *missing; /* not to be had: texts */
    json_t *get;     /* requests for what recipes have to get first */
    json_t *command; /* the words of `assay run …` that it would be */
};
/* Opens the record and looks.  To be released in any case. */
int lib_reproduce_look(const char *name, const struct settings *own, struct lib_again *again,
                       struct assay_err *err);
/* Looks once more: something was got. */
int lib_reproduce_look_again(struct lib_again *again, const struct settings *own,
                             struct assay_err *err);
void lib_reproduce_release(struct lib_again *again);
/* How many of what changed stop. */
size_t lib_reproduce_stops(const struct lib_again *again);
/* Makes n runs and compares them with the record.  *result: {"answer", "comparison", "changed"}. */
int lib_reproduce(const struct lib_again *again, size_t n, const struct lib_runner *with,
                  json_t **result, struct assay_err *err);
#define LIB_SAME    "same"
#define LIB_DIFFERS "differs"
#define LIB_UNSURE  "cannot tell"

#endif

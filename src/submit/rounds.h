/* What each round of MLPerf inference wants of a submission: tables, from the rules and the
 * official checker's own numbers.
 *
 * A new round is a row of submit_rounds, a bit, and the rows of its models; no code learns of it.
 * The seeds of a round stand in load/rounds.c. */
#ifndef SUBMIT_ROUNDS_H
#define SUBMIT_ROUNDS_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#include "load/settings.h"

enum { SUBMIT_V51 = 1, SUBMIT_V60 = 2, SUBMIT_V61 = 4 };
enum submit_category { SUBMIT_DATACENTER = 1, SUBMIT_EDGE = 2 }; /* bits: a system may be both */

/* Scenarios as bits, 1 << enum settings_scenario; Interactive is a Server run with a folder of its
 * own. */
#define SUBMIT_INTERACTIVE    SCENARIO_COUNT
#define SUBMIT_SCENARIO_COUNT (SCENARIO_COUNT + 1)
extern const char *const submit_scenario_names[]; /* ends with NULL */

struct submit_round {
    const char *name;
    unsigned bit;
    const char *source;      /* folder of the code: "src" */
    bool in_results;         /* measurements and compliance tests lie in the results' folders */
    const char *loadgens[8]; /* the versions with this round's seeds; ends with NULL */
    const char *checker;     /* version of the recipe mlperf-inference whose checker judges it */
};
extern const struct submit_round submit_rounds[]; /* newest first; ends with a row without name */
const struct submit_round *submit_round_find(const char *name); /* NULL: unknown */
/* The round whose LoadGen has this qsl_rng_seed; NULL: none of the table. */
const struct submit_round *submit_round_by_seed(uint64_t qsl_rng_seed);

#define SUBMIT_METRICS 6
struct submit_metric {
    const char *name;   /* of accuracy.c's table; NULL ends the list */
    double least, most; /* most 0: no upper limit */
};

/* Compliance tests as bits. */
#define SUBMIT_TEST(n) (1u << (n))
#define SUBMIT_TESTS   10 /* numbers are below */

struct submit_model {
    const char *name;    /* the folder's */
    unsigned rounds;     /* bits */
    const char *assay;   /* our benchmark; NULL: we do not run it */
    const char *loadgen; /* the model's rules: of our benchmark's models, those with them */
    unsigned datacenter, edge, both; /* the scenarios that a closed result needs; 0: not allowed */
    unsigned optional;               /* of datacenter and both: one of them is wanted too */
    uint64_t performance_samples, dataset;
    uint64_t accuracy_samples; /* 0: dataset */
    uint64_t offline_samples;  /* the least of an Offline query */
    double server_ms;          /* 0: no bound for a whole response */
    bool equal_issue;
    unsigned tests;
    uint64_t test01_target; /* accuracy_log_sampling_target of TEST01; 0: not known here */
    struct submit_metric metrics[SUBMIT_METRICS];
};
/* By the folder's name, also where it is another name of the model ("resnet50"), or holds one as
 * the official checker guesses ("efficientnet-lite0-int8"); NULL: unknown in this round. */
const struct submit_model *submit_model_find(const struct submit_round *round, const char *name);
/* Our benchmark's models in this round, the easiest target first; the number'th, or NULL. */
const struct submit_model *submit_model_of(const struct submit_round *round, const char *assay,
                                           size_t number);
/* Of the latency that counts, as a fraction. */
double submit_percentile(const struct submit_model *m, int scenario);
/* Scenarios that must be there, for a set of categories. */
unsigned submit_required(const struct submit_model *m, unsigned category);

#define SUBMIT_TEST01_SEED      720381539243781796u
#define SUBMIT_TEST04_INDEX     3
#define SUBMIT_MIN_DURATION_MS  600000
#define SUBMIT_MAX_ACCURACY_LOG (10 * 1024)
#define SUBMIT_STREAM_SAMPLES   8 /* of a MultiStream query */

#endif

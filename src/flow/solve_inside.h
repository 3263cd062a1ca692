/* Between the parts of the resolver: the search (solve.c) and what is demanded of each recipe
 * (solve_demands.c). */
#ifndef FLOW_SOLVE_INSIDE_H
#define FLOW_SOLVE_INSIDE_H

#include "flow/solve.h"

#define MAX_NEEDS  1024
#define MAX_STEPS  20000
#define MAX_ROUNDS 32
#define MAX_CHAIN  400

struct need {
    const json_t *words;
    const char *range, *as;
    json_t *with; /* input -> value, filled */
    int parent;   /* the choice that needs it; -1: the user */
    int choice;   /* what answers it */
    bool use;
};

struct choice {
    const struct recipe *recipe;
    json_t *options, *body, *inputs;
    size_t need; /* by which it came in */
};

struct solver {
    struct catalog *catalog;
    struct need *needs;
    struct choice *choices;
    size_t need_count, choice_count, steps;
    json_t *seeds; /* recipe -> {"options": {group: [option, chain]}, "inputs": the same} */
    json_t *sets;
    struct assay_err first; /* the first thing that did not go */
};

/* Keeps the first thing that did not go; false, for `return solver_note(…)`. */
bool solver_note(struct solver *s, int code, const char *fmt, ...) ASSAY_PRINTF(3, 4);
/* "tool > library": the recipes from the user's request to a choice. */
void solver_chain_to(const struct solver *s, int choice, char out[MAX_CHAIN]);
/* The same to a need, with what is needed at the end. */
void solver_chain_of(const struct solver *s, const struct need *n, const char *name,
                     char out[MAX_CHAIN]);

/* All that is demanded of a choice (-1: none yet): by the seeds, by the needs answered by it so
 * far, and by one more need.  options and inputs: key -> [value, chain]. */
bool solver_gather(struct solver *s, const struct recipe *r, int choice, const struct need *more,
                   json_t *options, json_t *inputs);
/* key -> value of key -> [value, chain]. */
json_t *solver_values(const json_t *demands);
/* Defaults and demanded values, with their types. */
bool solver_inputs(struct solver *s, const json_t *body, const json_t *demanded, json_t *out);
/* A new need at the end; NULL: there are too many. */
struct need *solver_need(struct solver *s);
/* The needs of a choice. */
bool solver_add_needs(struct solver *s, int choice);

#endif

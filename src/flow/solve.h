/* From a request to the recipes that answer it: versions, variations and inputs that agree.
 *
 * In one answer a name stands for one version of a recipe with one set of options and inputs.  The
 * highest version that every dependent will take is chosen, with backtracking; an option that one
 * dependent asks for holds for those who leave it open.  A conflict is told with the two chains of
 * recipes that lead to it. */
#ifndef FLOW_SOLVE_H
#define FLOW_SOLVE_H

#include "flow/catalog.h"

struct solved_need {
    size_t to; /* index of what answers it */
    char as[RECIPE_WORD_MAX + 1];
    bool use;
};

/* One recipe of the answer. */
struct solved {
    const struct recipe *recipe;
    json_t *options; /* group -> option, complete */
    json_t *body;    /* with the options merged in */
    json_t *inputs;  /* name -> typed value; inputs without a value are missing */
    json_t *ranges;  /* [{"range", "chain"}] of those who need it */
    char *chain;     /* "tool > library": how it came in first */
    struct solved_need *needs;
    size_t need_count;
};

struct solution {
    struct solved *all; /* the first one is what was asked for */
    size_t count;
};

/* sets: [{"recipe": text or null, "name", "value", "used": bool}]: values for inputs; those that
 * find their place are marked used. */
int solve(struct catalog *c, const char *request, json_t *sets, struct solution *out,
          struct assay_err *err);
void solution_release(struct solution *s);

#endif

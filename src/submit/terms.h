/* What a round asks of one log, from the tables of rounds.h, in the form in which load/verdict.h
 * judges: for logs whose job is not known here. */
#ifndef SUBMIT_TERMS_H
#define SUBMIT_TERMS_H

#include "load/verdict.h"
#include "submit/rounds.h"

struct submit_terms {
    const char *round;                /* one of load/rounds.h */
    const struct submit_model *model; /* NULL: not of this round, then what holds for all */
    int scenario;                     /* that the log must show */
    bool accuracy;                    /* an accuracy run */
    bool interactive;                 /* a Server run with a bound of its own */
    bool closed;                      /* all rules hold */
    double min_duration_ms;
};

/* What the round's LoadGen has built in; what no table knows is the log's own. */
void submit_terms_official(const struct submit_terms *t, const struct detail *d,
                           struct load_official *o);
/* Samples of the data set that the run must have had. */
uint64_t submit_terms_samples(const struct submit_terms *t, const struct detail *d);
/* The verdict as a result of the round; a lower latency bound than the round's is fine.  v as in
 * verdict_judge. */
int submit_terms_judge(const struct submit_terms *t, const struct detail *d, struct verdict *v,
                       struct assay_err *err);

#endif

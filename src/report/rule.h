/* What a comparison must not find: `p99>+3%`, `throughput<-5%`, `p99>15ms`.
 *
 *   FIGURE>+N%   FIGURE<-N%     B against A
 *   FIGURE>VALUE FIGURE<VALUE   B alone; a latency with its unit (ns, us, ms, s), a throughput with
 *                               or without /s, an accuracy in its own unit
 *
 * A rule is broken when the whole interval lies beyond: noise breaks none.  Where the end that
 * would have to lie beyond is not bounded, the rule cannot be judged. */
#ifndef REPORT_RULE_H
#define REPORT_RULE_H

#include "report/spread.h"

struct rule {
    char text[64];
    int figure;
    bool above;    /* '>' */
    bool relative; /* limit is the ratio's distance from 1, else ns, per second or accuracy */
    double limit;
};

/* A usage error says what is wrong with it, and how it is written. */
int rule_parse(const char *text, struct rule *out, struct assay_err *err);
/* pairs: of all figures.  A figure that is not known there is a usage error. */
int rule_check(const struct rule *r, const struct spread_pair pairs[FIGURE_COUNT],
               struct assay_err *err);
bool rule_broken(const struct rule *r, const struct spread_pair pairs[FIGURE_COUNT]);
/* Whether "not broken" says anything. */
bool rule_judged(const struct rule *r, const struct spread_pair pairs[FIGURE_COUNT]);

#endif

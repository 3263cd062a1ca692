/* Inside of the submit room: what the plan's two files share. */
#ifndef SUBMIT_PLANNING_H
#define SUBMIT_PLANNING_H

#include "submit/plan.h"

/* A record's scenario as enum settings_scenario; -1: none that is known. */
int plan_scenario(const json_t *record);
/* What a record is, by what LoadGen logged, not by what the run was meant to be. */
int plan_classify(const json_t *record, enum submit_kind *kind, int *test, struct assay_err *err);

#endif

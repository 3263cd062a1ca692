/* What a submission needs, and which records it is made of.
 *
 * A plan has one slot for each run that the round wants of each benchmark (performance, accuracy,
 * compliance tests), filled with the record of that run or empty.  The caller runs what is empty,
 * by the settings that the plan makes from the records that are there, and then has the tree built.
 * One plan is of one system: one machine, engine and device. */
#ifndef SUBMIT_PLAN_H
#define SUBMIT_PLAN_H

#include <jansson.h>

#include "base/text.h"
#include "load/settings.h"
#include "submit/rounds.h"

struct submit_request {
    const char *division, *category, *round, *submitter;
    bool rehearsal;          /* synthetic and short runs are taken; the tree says so */
    int64_t min_duration_ms; /* of runs made for a rehearsal; 0: as the records' */
};

enum submit_kind { SUBMIT_PERFORMANCE, SUBMIT_ACCURACY, SUBMIT_COMPLIANCE };

struct submit_slot {
    const char *benchmark; /* ours */
    const struct submit_model *model;
    int scenario;
    enum submit_kind kind;
    int test;       /* of SUBMIT_COMPLIANCE */
    json_t *record; /* NULL: to be run */
};

struct submit_plan {
    struct submit_request ask;
    const struct submit_round *round;
    unsigned category;
    bool closed, network;
    json_t *records; /* all that were given or taken, in order */
    struct submit_slot *slots;
    size_t count;
};

/* records: array of record.json trees with "folder".  Refuses, with the record's id and the reason,
 * what cannot be submitted: failed or invalid runs, synthetic ones, other rounds, other systems. */
int submit_plan_create(const struct submit_request *ask, const json_t *records,
                       struct submit_plan *p, struct assay_err *err);
void submit_plan_release(struct submit_plan *p);

/* "resnet50 Offline TEST01" */
void submit_slot_name(const struct submit_slot *slot, char *out, size_t size);
/* The settings of the run that a slot is for; its audit.config is written into `folder` (NULL: only
 * named).  The caller releases. */
int submit_slot_settings(const struct submit_plan *p, const struct submit_slot *slot,
                         const char *folder, struct settings *s, struct assay_err *err);
/* The same of a slot that has its record, with what that run found for itself or tuning had found.
 */
int submit_record_settings(const struct submit_plan *p, const struct submit_slot *slot,
                           struct settings *s, struct assay_err *err);
/* Settings as a command for people. */
void submit_settings_command(const struct settings *s, struct text *out);
/* Whether a compliance test's figure fits the performance run's; anything else fits.  words: how
 * far it is from it. */
bool submit_slot_fits(const struct submit_plan *p, const struct submit_slot *slot,
                      const json_t *record, char *words, size_t size);
/* Puts a record into its slot after the same checks. */
int submit_slot_take(struct submit_plan *p, struct submit_slot *slot, json_t *record,
                     struct assay_err *err);

#endif

/* Inside of the submit room: one run's logs on their way to a record; see logs.h. */
#ifndef SUBMIT_LOG_RUN_H
#define SUBMIT_LOG_RUN_H

#include <jansson.h>

#include "load/detail.h"
#include "submit/logs.h"
#include "submit/rounds.h"

/* What a run's folder says by where it lies:
 *   … / DIVISION / SUBMITTER / results / SYSTEM / BENCHMARK / SCENARIO / …
 * of which only BENCHMARK / SCENARIO, or a benchmark's name alone, must be there. */
struct log_place {
    char benchmark[128];                   /* the folder's name; "": none is one */
    int scenario;                          /* by submit_scenario_names; -1: none */
    bool open;                             /* of the open division: not all rules hold */
    json_t *system, *measurements;         /* what lies beside; NULL: nothing that can be read */
    char *system_path, *measurements_path; /* NULL with them */
};
void log_place_find(const char *dir, struct log_place *p);
void log_place_release(struct log_place *p);

/* A benchmark's name, ours or of any round's folders: our own name for it (the round's where we
 * have none), which lives as long as `name`; NULL: unknown.  guess: names that only hold one are
 * taken too. */
const char *log_benchmark(const char *name, bool guess);

/* The record of one run, but for what record_commit adds. */
int log_record(const struct submit_logs_ask *ask, const char *dir, const struct detail *d,
               json_t **record, struct assay_err *err);

#endif

/* The matrix: benchmark x engine x device x precision x scenario x mode; what the store knows of
 * each combination, and runs that fill what it does not know.
 *
 * A cell (record/cell.h) is known when there is a record of its key with the engine's present
 * version, in the same profile, on data of the same kind (synthetic or not), made of what the files
 * still are (run/evidence.h).  So a matrix that was interrupted goes on where it was, and a new
 * version of an engine is tried anew.  Of a version that was asked for and is not here, also what
 * other machines' records say is shown. */
#ifndef RUN_MATRIX_H
#define RUN_MATRIX_H

#include <jansson.h>

#include "load/settings.h"

enum matrix_again { AGAIN_NO = 0, AGAIN_FAILED, AGAIN_ALL };

struct matrix_ask {
    const struct settings *base; /* of every run; its benchmark, engine … do not count */
    /* {"benchmarks": ["bert"], "engines", "devices", "precisions", "scenarios", "modes"}.  An axis
     * that is missing has everything: what is installed or can be had, cpu and cuda:0, the
     * precisions that the model's manifest names, the benchmark's official scenarios, performance
     * in each and accuracy in one. */
    const json_t *axes;
    /* {benchmark: {setting: value}}: of that benchmark's runs, and below its "engines" {engine:
     * {setting: value}}: of those on one engine; NULL: none */
    const json_t *own;
    enum matrix_again again;
    /* What matrix_plan's `first` names is got before the runs.  Then engines that the axes name
     * wait for their library, where a recipe has it: their cells are planned without it, as if none
     * was run yet.  False: such cells are not tested, as those of engines that nobody named. */
    bool get;
    /* matrix_plan adds what recipes would get before the cells' runs, as run_wants; NULL: nobody
     * wants to know. */
    json_t *first;
};

/* The cells, in order of the axes; those that a run would tell something about have "run": true.
 * Every cell has "works_with" (cell_ranges) when any version of its engine was seen to work.
 * Touches nothing.  The caller json_decref()s *cells. */
int matrix_plan(const struct matrix_ask *ask, json_t **cells, struct assay_err *err);
/* The cells of all records in the store, also those of other machines, newest first; several of one
 * key and version stand one after another.  Null engines are left out, but when named. */
int matrix_everything(const struct matrix_ask *ask, json_t **cells, struct assay_err *err);
/* The same of the records in exports (cell_list_exports in record/cell.h); `ask` only for its axes.
 * The caller json_decref()s *cells and *files. */
int matrix_exports(const struct matrix_ask *ask, const char *const *paths, json_t **cells,
                   json_t **files, struct assay_err *err);
/* The words of `assay run …` for a cell; a new reference. */
int matrix_command(const struct matrix_ask *ask, const json_t *cell, json_t **words,
                   struct assay_err *err);
/* What `assay matrix --dry-run` tells of cells from matrix_plan with `get` and `first`:
 * {"commands": [of those that would be run], "out": [{"state", "engine", "reason", "cells"}: how
 * many cannot be, each reason once for an engine], "get", "steps"}.  A new reference. */
int matrix_dry(const struct matrix_ask *ask, const json_t *cells, json_t **plan,
               struct assay_err *err);
/* Runs a cell and enters what came of it.  Fails with ASSAY_ESTOP when the user interrupted, and
 * then the cell is as it was; whatever else goes wrong is the cell's own result. */
int matrix_run(const struct matrix_ask *ask, json_t *cell, struct assay_err *err);

#endif

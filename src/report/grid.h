/* Cells sorted into the grid that all forms of the matrix show.  Private to this room.
 *
 * A grid is a list of benchmarks (with their models), each with rows, one a setup (system, engine,
 * version, device, precision), each with one cell a column (a scenario, or accuracy).  Cells of
 * this machine alone have no system. */
#ifndef REPORT_GRID_H
#define REPORT_GRID_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "report/view.h"

/* The columns, in the order in which they are shown. */
#define GRID_COLUMNS 6
extern const char *const grid_columns[GRID_COLUMNS];

/* {"benchmarks": [{"benchmark", "model", "rows": [{"system", "engine", "engine_version",
 * "device", "precision", "cells": {column: cell}}]}], "setups": [{"system", "engine",
 * "engine_version", "device", "precision"}]}; a new reference. */
json_t *grid_make(const json_t *cells);
/* The grid of a report's runs, each cell with the "anchor" of its run and the versions that worked;
 * systems only where they differ.  A new reference; NULL: it would have a single row and column. */
json_t *grid_of_views(const struct view *views, size_t n);
/* Whether any row of a benchmark has this column. */
bool grid_has_column(const json_t *benchmark, const char *column);
/* Its name in a table of all: "dlrm", or "dlrm (my-model)" where several models of it are there. */
void grid_benchmark(const json_t *benchmarks, const json_t *benchmark, char out[200]);
/* The row of a setup; NULL: none. */
const json_t *grid_row(const json_t *benchmark, const json_t *setup);
/* When nothing in a row was tried, for one reason, that reason; else NULL. */
const char *grid_one_reason(const json_t *row);

enum grid_state { GRID_OK, GRID_FAILED, GRID_UNKNOWN, GRID_NONE };
enum grid_state grid_state(const json_t *cell);
extern const char *const grid_marks[]; /* by state */

/* What stands beside a cell's mark: " (3 records, contradictory)", " (2 records of different
 * kinds)", " (synthetic)", " (imported)"; "" for one run here on real weights and samples. */
#define GRID_OTHERS 120
void grid_others(const json_t *cell, char out[GRID_OTHERS]);
/* A row in a few words: "✓ 5", "✗ 1 of 5", "not tested". */
enum grid_state grid_summary(const json_t *row, char out[32]);
/* A cell's figure: "24.1 /s", "41.2 ms", "76.5 %", "" where there is none. */
void grid_figure(const json_t *cell, char out[64]);
/* The beginning of the record's id; "" where there is none, or one that is no id. */
void grid_id(const json_t *cell, char out[9]);
/* "x86_64, Debian 12 onnxruntime 1.32.0 cpu fp32" with `between` between the parts. */
#define GRID_SETUP 360
void grid_setup(const json_t *row, const char *between, char *out, size_t size);
/* The versions that were seen to work, of a row: "1.32.0", or by columns where those differ;
 * "" when none was. */
void grid_versions(const json_t *row, char *out, size_t size);
/* The tables of a grid; heading: "##" or "###", of each benchmark. */
void grid_markdown(const json_t *grid, const char *heading, FILE *out);

#endif

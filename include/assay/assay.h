/* The library, for programs: what `assay` does on the command line, as calls.  The user's door.
 *
 *     cc program.c $(pkg-config --cflags --libs assay)
 *
 * Whatever has structure goes over this border as JSON text, in the schemas of the command line's
 * --json, so that a program needs no header of Assay's besides, and a newer library only adds
 * members. A text that a function gives is the caller's: assay_free().  NUL-terminated UTF-8.
 *
 * Settings are "name=value" with the names of `assay settings` ("benchmark=resnet50",
 * "scenario=Offline"), in an array that ends with NULL.  What is not given has the user file's
 * value
 * (~/.config/assay/config.yaml), else the default.
 *
 * Errors: 0, or a negative assay_code and err->text in one line; texts are then not set.
 * Threads: assay_run, assay_matrix and assay_explore start processes and watch signals (SIGINT,
 * SIGTERM and SIGHUP end the run, and their handlers are put back): call one at a time.  All others
 * may be called from several threads at once. */
#ifndef ASSAY_ASSAY_H
#define ASSAY_ASSAY_H

#include "assay/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ASSAY_API __attribute__((visibility("default")))
#else
#define ASSAY_API
#endif

/* "0.1.0"; lives for ever. */
ASSAY_API const char *assay_version(void);
ASSAY_API void assay_free(char *text); /* NULL is fine */

/* What a run would do (assay.plan/1).  Touches nothing. */
ASSAY_API int assay_plan(const char *const *settings, char **plan, struct assay_err *err);

/* One measured run; blocks until it is over.  *record (assay.record/1) is there also for a run that
 * failed or was interrupted: its "status" is then "error" or "interrupted".  A verdict of INVALID
 * is no error of the call.  Progress goes to stderr as the setting `progress` says; none is
 * "progress=none". */
ASSAY_API int assay_run(const char *const *settings, char **record, struct assay_err *err);

/* The records of a store (NULL: the user's), newest first: {"results": [{"id", "benchmark", …}]}.
 */
ASSAY_API int assay_records(const char *store, char **records, struct assay_err *err);
/* One of them: an id, the beginning of one, or "last". */
ASSAY_API int assay_record(const char *store, const char *id, char **record, struct assay_err *err);
/* A record, or a matrix, as people read it.  form: "text"; of a matrix also "markdown" or "html".
 */
ASSAY_API int assay_render(const char *json, const char *form, char **text, struct assay_err *err);

/* The matrix of what works: {"cells": […]}.  axes: "benchmarks=bert,resnet50", "engines=…",
 * "devices=…", "precisions=…", "scenarios=…", "modes=…", NULL-terminated, or NULL for all; settings
 * are those of every run.  run: first run the cells that nothing is known of. */
ASSAY_API int assay_matrix(const char *const *axes, const char *const *settings, bool run,
                           char **matrix, struct assay_err *err);

/* The names of what can be used here: {"engines": […]}, {"benchmarks": […]}. */
ASSAY_API int assay_engines(char **engines, struct assay_err *err);
ASSAY_API int assay_benchmarks(char **benchmarks, struct assay_err *err);

#ifdef __cplusplus
}
#endif
#endif

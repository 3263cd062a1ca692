/* LoadGen's detail log as data, and LoadGen's accuracy log. */
#ifndef LOAD_DETAIL_H
#define LOAD_DETAIL_H

#include <jansson.h>

#include "assay/benchmark.h"

/* All `:::MLLOG` lines: {key: value} (the last of each key), plus "errors" and "warnings" (arrays
 * of texts) under their own members.  Strict: the first line must be an MLLOG line and every such
 * line valid JSON; else an error with file:line. */
struct detail {
    json_t *values;
    json_t *errors;
    json_t *warnings;
};
int detail_read(const char *path, struct detail *d, struct assay_err *err);
int detail_parse(const char *text, size_t len, const char *name, struct detail *d,
                 struct assay_err *err);
void detail_release(struct detail *d);
double detail_real(const struct detail *d, const char *key, double otherwise);
const char *detail_text(const struct detail *d, const char *key, const char *otherwise);
/* A whole number of all 64 bits (values of more than 18 digits are kept as texts); false: there is
 * none. */
bool detail_u64(const struct detail *d, const char *key, uint64_t *out);
/* Milliseconds of power_begin, power_end: "MM-DD-YYYY HH:MM:SS.mmm"; NaN: no such text. */
double detail_time_ms(const struct detail *d, const char *key);
/* What a record keeps of the log: results, early stopping and effective settings.  The caller
 * json_decref()s. */
json_t *detail_results(const struct detail *d);

/* mlperf_log_accuracy.json: entries point into memory owned by the struct. */
struct accuracy_log {
    struct assay_log_entry *entries;
    uint64_t n;
    uint8_t *bytes;
};
int accuracy_log_read(const char *path, struct accuracy_log *log, struct assay_err *err);
int accuracy_log_parse(const char *text, size_t len, const char *name, struct accuracy_log *log,
                       struct assay_err *err);
void accuracy_log_release(struct accuracy_log *log);

#endif

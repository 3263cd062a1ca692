/* What the pages say of a run, found in its record once, for HTML, Markdown and CSV alike.
 *
 * Records come from files that anybody may have edited: what is missing or of another kind is taken
 * as not there, and a text may hold anything but a zero byte; who prints it escapes it.  Private to
 * this room. */
#ifndef REPORT_VIEW_H
#define REPORT_VIEW_H

#include <jansson.h>
#include <stdio.h>

#include "assay/types.h"

/* Texts point into the record. */
struct view {
    const json_t *record;
    char anchor[24]; /* "r" and the id's digits, or a number: fit for an HTML id */
    const char *id, *created, *benchmark, *model, *engine, *version, *device, *precision;
    const char *scenario, *mode, *profile, *tag, *metric, *unit;
    const char *word;      /* of the verdict; "ERROR" and "INTERRUPTED" stand above it */
    const char *foreign;   /* the file that it was imported from; NULL: made here */
    char shape[80];        /* "1 lane x 2 threads, batch 8"; "": not known */
    bool shaped;           /* another run differs in that, and not in its setup */
    bool good;             /* valid by its verdict */
    bool weights, samples; /* are synthetic */
    bool unsure;           /* whether they are is not known */
    bool has_value, less_is_better;
    double value;
    double bound_ns;   /* Server's latency bound; 0: none */
    double each;       /* samples of a MultiStream query; 0: another scenario */
    double percentile; /* what the metric or the bound is about, as a fraction; 0: none */
    size_t machine;    /* index of its machine among those of the report */
};

/* `records` is an array of records; *views is malloc'ed, one a record.  *machines gets the
 * steady facts of the distinct machines; the caller json_decref()s it. */
int view_all(const json_t *records, struct view **views, json_t **machines, struct assay_err *err);

/* Whether their headlines are of the same kind: the larger or smaller is the better.  Bounds that
 * the quick profile made for itself are taken as one within 5 %. */
bool view_comparable(const struct view *a, const struct view *b);
/* "resnet50, Server: throughput within 15 ms" */
void view_headline(const struct view *v, char *out, size_t size);
/* "weights and samples", "weights", "samples" or NULL. */
const char *view_synthetic(const struct view *v);
/* The headline with its unit, or "" (out then is empty, too). */
const char *view_value(const struct view *v, char out[64]);
const char *view_accuracy(const struct view *v, char out[64]);
/* "0.12 J a sample, 72 W, 4321 J of package-0, package-1", with what is missing; or "unknown: …";
 * or "" where the record has nothing of it. */
const char *view_energy(const struct view *v, char *out, size_t size);
/* The first of it alone; "" where it is unknown.  Whether any of the runs has it. */
const char *view_energy_per_sample(const struct view *v, char out[64]);
bool view_any_energy(const struct view *views, size_t n);
/* Of performance.latency_ns; "" when it is not there. */
const char *view_latency(const struct view *v, const char *key, char out[64]);
/* "resnet50-synthetic, onnxruntime 1.2, cpu, fp32": what tells runs of one benchmark apart; with
 * the shape where it takes that. */
void view_setup(const struct view *v, char *out, size_t size);
/* The command as a POSIX shell reads it, in one line; "" when there is none.  free() it. */
char *view_command(const struct view *v);
/* A fact's or setting's value for a reader: objects as "name: value; …", bytes in GiB too. */
void view_fact(const char *name, const json_t *value, char *out, size_t size);

/* The percentiles that pages show, in order; ends with NULL. */
extern const char *const view_percentiles[];
/* The stages that pages show, in a run's order: key in "stages", and the reader's word. */
struct view_stage {
    const char *key, *name, *what;
};
extern const struct view_stage view_stages[];                /* ends with a row without key */
double view_stage_ns(const struct view *v, const char *key); /* never negative */
double view_stages_sum(const struct view *v);

#endif

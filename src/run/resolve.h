/* Resolving: from settings to everything that a run needs to know, without touching anything. */
#ifndef RUN_RESOLVE_H
#define RUN_RESOLVE_H

#include "assay/benchmark.h"
#include "assay/engine.h"
#include "data/manifest.h"
#include "load/bridge.h"
#include "load/settings.h"
#include "run/supply.h"

/* What the benchmark says that a run would take; all zero: not known, or not looked at. */
struct resolved_look {
    uint64_t samples;
    double loaded_bytes; /* of one sample, on average */
    double cached_bytes; /* of all of them, pre-processed, on the disk; 0: not known */
    double model_bytes;  /* 0: the model's file tells */
};

struct resolved {
    struct settings s; /* with the profile's values, where LoadGen is here */
    const struct assay_benchmark *benchmark;
    char benchmark_file[1024];
    const struct assay_engine *engine;
    char engine_file[1024];
    char *runtime; /* the folder of the engine's library by a recipe, which may be got first; NULL:
                      the library is the set-up's, or the system's */
    struct manifest manifest;
    char *model_path;   /* NULL: the engine needs none; of a net: where it is or will be written */
    const char *format; /* of model_path */
    char *precision;
    const char *net_precision;      /* what a net is written in; NULL: it is no net */
    bool write_net;                 /* model_path is not there yet */
    double model_download;          /* bytes, of a model that its recipe would get; 0: it is here */
    int64_t dataset_images;         /* of a data set that its recipe would get; 0: not known */
    json_t *get;                    /* what recipes would get first: [{"request", "steps"}] */
    json_t *probe;                  /* engine_probe_json of the engine's library; NULL: not asked */
    json_t *lock;                   /* what they are, as plan_lock gives it */
    const char *loadgen_model;      /* the manifest's, or the benchmark's */
    const struct load_round *round; /* its LoadGen is the run's */
    char *load_file;                /* which may be got first; NULL: not known where */
    const struct load_bridge *load; /* NULL: it is to be got first */
    struct load_official official;  /* all zero then, and s is without the profile's values */
    struct resolved_look look;      /* after resolve_check */
    char *cache;
    char *store;
    struct supply_hold model_hold, dataset_hold, engine_hold,
        load_hold; /* so that nobody prunes them meanwhile */
};

/* Also checks what can be checked early: the scenario is one of the benchmark's, the engine's
 * options parse, the engine reads one of the model's formats, the data set's folder is there. */
int resolve(const struct settings *s, struct resolved *r, struct assay_err *err);
/* The same, but goes on after a fault: `faults`, an array, gets a text for each, and what hangs on
 * something that is not there is not tried.  Returns the first one's code; benchmark,
 * engine, precision, model_path and load stay NULL where they, or what they hang on, are not to be
 * had.  To be released in any case. */
int resolve_all(const struct settings *s, struct resolved *r, json_t *faults,
                struct assay_err *err);
void resolve_release(struct resolved *r);
/* The run begins: what it takes from the shelf is used now. */
void resolve_use(const struct resolved *r);
/* Whether the benchmark takes the manifest and the data set's list: opens it, takes a look and
 * closes it again. */
int resolve_check(struct resolved *r, struct assay_err *err);
/* The most samples of a batch that is tried where nobody has set it. */
uint32_t resolve_most_batch(const struct resolved *r);
/* Whether the engine's library is to be got first. */
bool resolve_waits(const struct resolved *r);
/* assay.plan/1, after resolve_check; "missing": what the run would fail for (preflight.h). */
json_t *resolve_plan(const struct resolved *r);

#endif

/* The settings as plain data, apart from their table (settings.h): the bridge to a LoadGen is also
 * built where Assay is installed, by a recipe, from this and few more headers, so this one needs no
 * library and is C11 and C++17 clean. */
#ifndef LOAD_SETTINGS_VALUES_H
#define LOAD_SETTINGS_VALUES_H

#include <stdint.h>

enum settings_scenario { SINGLE_STREAM = 0, MULTI_STREAM, SERVER, OFFLINE, SCENARIO_COUNT };
enum settings_mode {
    MODE_PERFORMANCE = 0,
    MODE_ACCURACY,
    MODE_SUBMISSION,
    MODE_FIND_PEAK,
    MODE_COUNT
};
enum settings_pin { PIN_AUTO = 0, PIN_OFF, PIN_CORES };
enum settings_loadgen { LOADGEN_AUTO = 0, LOADGEN_RECIPE };

struct settings {
    /* What is measured. */
    char *benchmark;
    char *model;   /* manifest name, manifest file, or model file; NULL: the benchmark's default */
    char *sizes;   /* "name=N,name=N": of the model's net, instead of the manifest's */
    char *dataset; /* folder; NULL: synthetic */
    char *engine;  /* name, or path of a .so */
    char *device;
    char *precision; /* NULL: the model's own */
    int64_t scenario, mode;
    char *profile; /* "quick" or "official:<round>" */
    char *round;   /* picks the LoadGen version; NULL: the newest */
    /* How. */
    int64_t lanes, threads, batch; /* 0: found by itself */
    double batch_wait_ms;
    int64_t pin;            /* enum settings_pin */
    char *engine_options;   /* "name=value,name=value" */
    int64_t count;          /* use only the first samples; 0: all */
    int64_t data_threads;   /* 0: all cores */
    int64_t seed;           /* of synthetic samples and weights */
    double warmup_s;        /* the least time that each lane is warmed up */
    double stall_timeout_s; /* 0: found by itself from the warm-up */
    double time_limit_s;    /* a timed part that would take longer is not begun; 0: no limit */
    double peak_precision;  /* relative, of find-peak */
    double peak_trial_s;    /* the length of a trial; 0: found by itself */
    int64_t tune, tuned;    /* search now; use what was found */
    double tune_s;          /* how long a search may take */
    /* Where to and how shown. */
    char *store; /* folder of records */
    char *cache;
    char *user_conf, *audit_config;
    char *progress; /* auto|plain|json|none */
    char *tag;      /* free text kept in the record */
    int64_t json, dry_run;
    /* LoadGen's own, with LoadGen's names and units (ms where it has ms). */
    int64_t min_duration_ms, max_duration_ms, min_query_count, max_query_count;
    double target_qps;        /* Server: arrival rate; Offline: expected rate; 0: found by itself */
    double target_latency_ms; /* Server: the bound; Single-/MultiStream: expected latency, 0: by
                                 itself */
    double target_latency_percentile; /* 0.99, not 99 */
    int64_t samples_per_query;
    int64_t coalesce_queries, max_async_queries, server_issue_threads;
    int64_t performance_sample_count, accuracy_sample_count; /* overrides; 0: official */
    int64_t sample_concatenate_permutation;
    int64_t print_timestamps, performance_issue_unique, performance_issue_same,
        performance_issue_same_index;
    uint64_t accuracy_log_rng_seed;
    double accuracy_log_probability;
    int64_t accuracy_log_sampling_target;
    /* Behind what a bridge reads, so that those which are built stay good. */
    int64_t loadgen; /* enum settings_loadgen */
    /* Which origin each row's value has, by row number. */
    unsigned char origin[96];
};

#endif

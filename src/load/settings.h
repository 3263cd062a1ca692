/* The settings table: one row a setting; command line, user file, job file, --help, completion,
 * docs page and the record's "settings" block all read the same rows.
 *
 * struct settings is plain data.  Text values are owned by the struct (settings_release frees
 * them). Precedence is the caller's order of settings_set calls guarded by origin: a value is
 * replaced only by one whose origin is the same or higher. */
#ifndef LOAD_SETTINGS_H
#define LOAD_SETTINGS_H

#include <jansson.h>

#include "assay/types.h"

enum settings_origin {
    SETTINGS_DEFAULT = 0,
    SETTINGS_OFFICIAL,  /* LoadGen's built-in configuration for this benchmark and scenario */
    SETTINGS_PROFILE,   /* what the profile says */
    SETTINGS_TUNED,     /* found by --tune, now or earlier on this machine */
    SETTINGS_MEASURED,  /* found by warm-up, calibration or peak search */
    SETTINGS_USER_FILE, /* ~/.config/assay/config.yaml */
    SETTINGS_JOB,       /* assay run --job FILE */
    SETTINGS_USER_CONF, /* LoadGen's user.conf, by --user-conf */
    SETTINGS_CLI
};
const char *settings_origin_name(int origin);

enum settings_scenario { SINGLE_STREAM = 0, MULTI_STREAM, SERVER, OFFLINE, SCENARIO_COUNT };
enum settings_mode {
    MODE_PERFORMANCE = 0,
    MODE_ACCURACY,
    MODE_SUBMISSION,
    MODE_FIND_PEAK,
    MODE_COUNT
};
extern const char *const settings_scenario_names[]; /* "SingleStream", … NULL */
extern const char *const settings_mode_names[];     /* "performance", … NULL */
enum settings_pin { PIN_AUTO = 0, PIN_OFF, PIN_CORES };

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
    /* Which origin each row's value has, by row number. */
    unsigned char origin[96];
};

/* Row kinds; TEXT rows hold char *, INT/BOOL/CHOICE int64_t, U64 uint64_t, REAL double. */
enum settings_type {
    SETTINGS_TEXT,
    SETTINGS_BOOL,
    SETTINGS_INT,
    SETTINGS_U64,
    SETTINGS_REAL,
    SETTINGS_CHOICE
};
enum settings_group { GROUP_WHAT, GROUP_HOW, GROUP_OUTPUT, GROUP_LOADGEN, GROUP_COUNT };
extern const char *const settings_group_names[];

struct settings_row {
    const char
        *name;   /* "min-duration-ms": --min-duration-ms, and the key in files ('_' reads as '-') */
    char letter; /* short option or 0 */
    int type;
    size_t offset;
    const char *initial;        /* as text; NULL: none */
    double min, max;            /* both 0: no limit */
    const char *const *choices; /* CHOICE */
    const char *argument;       /* "DIR", "N", "MS" … for help; NULL for BOOL */
    const char *help;
    int group;
    const char *conf_key; /* the key in user.conf ("min_duration"), NULL: none */
    /* TEXT: what is allowed instead, or NULL when the value is fine.  NULL: any text is. */
    const char *(*allowed)(const char *value);
};
const struct settings_row *settings_rows(size_t *count);
const struct settings_row *
settings_find(const char *name); /* NULL: none; for did-you-mean use text_nearest */

int settings_init(struct settings *s, struct assay_err *err); /* defaults */
void settings_release(struct settings *s);
/* `to` is overwritten without being released; on failure it holds nothing. */
int settings_copy(struct settings *to, const struct settings *from, struct assay_err *err);

/* Parses, checks the limits and stores.  `where` names the source in errors ("--lanes",
 * "job.yaml"). An unknown name is an error with did-you-mean.  A lower origin than the present one
 * is silently kept out. */
int settings_set(struct settings *s, const char *name, const char *value, int origin,
                 const char *where, struct assay_err *err);
/* For values found by the program; same guard. */
int settings_set_real(struct settings *s, const char *name, double value, int origin,
                      struct assay_err *err);
int settings_origin_of(const struct settings *s, const char *name);
/* The value stays and its origin becomes this one, which may be lower: so that what is found can
 * take its place.  The name is one of the table's. */
void settings_set_origin(struct settings *s, const char *name, int origin);

/* Adds one "name=value" to engine-options: what a repeated --option gives.  The first one of a
 * higher origin starts a new list, so the command line replaces a file's options only as a whole.
 */
int settings_add_option(struct settings *s, const char *assignment, int origin, const char *where,
                        struct assay_err *err);

/* A mapping of names to values, as it stands in a user file or a job file (YAML); engine-options
 * and sizes may be mappings too. */
int settings_set_tree(struct settings *s, const json_t *mapping, int origin, const char *where,
                      struct assay_err *err);
int settings_read_file(struct settings *s, const char *path, int origin, struct assay_err *err);

/* The value as text into out; "" for an unset text. */
void settings_text(const struct settings *s, const struct settings_row *row, char *out,
                   size_t size);
/* {name: {"value": …, "origin": "…"}, …}: the record's block (NULL: out of memory), and back:
 * from_json overwrites s like settings_init and takes value and origin as they stand; a missing row
 * keeps its default. */
json_t *settings_to_json(const struct settings *s);
int settings_from_json(struct settings *s, const json_t *tree, struct assay_err *err);

#endif

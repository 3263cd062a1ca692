/* The settings table.
 *
 * Idea: a setting is one row; everything that handles settings (parsing, limits, files, JSON, help)
 * is a loop over the rows, so a new setting is one new line here and one new member in the header.
 * The value's place in struct settings is row->offset and its C type follows row->type. */
#include "load/settings.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "load/rounds.h"

const char *const settings_scenario_names[] = {"SingleStream", "MultiStream", "Server", "Offline",
                                               NULL};
const char *const settings_mode_names[] = {"performance", "accuracy", "submission", "find-peak",
                                           NULL};
const char *const settings_group_names[] = {"What is measured", "How it is measured",
                                            "Where results go", "LoadGen"};
static const char *const pin_names[] = {"auto", "off", "cores", NULL};
static const char *const loadgen_names[] = {"auto", "recipe", NULL};
static const char *const progress_names[] = {"auto", "plain", "json", "none", NULL};
static const char *const origin_names[] = {"default",      "official",       "profile", "tuned",
                                           "measured",     "user file",      "job",     "user.conf",
                                           "command line", "given and tuned"};

static const char *allowed_profile(const char *value);
static const char *allowed_options(const char *value);

/* Largest integer that limits, kept as double, can state exactly. */
#define MANY       9007199254740991.0
#define AT(member) offsetof(struct settings, member)
#define TEXT(name, letter, member, initial, argument, group, help)                                 \
    {                                                                                              \
        name, letter, SETTINGS_TEXT, AT(member), initial, 0, 0, NULL, argument, help, group, NULL, \
            NULL                                                                                   \
    }
#define CHECKED(name, member, initial, argument, group, check, help)                               \
    {                                                                                              \
        name, 0, SETTINGS_TEXT, AT(member), initial, 0, 0, NULL, argument, help, group, NULL,      \
            check                                                                                  \
    }
#define CHOICE(name, letter, type, member, initial, choices, group, help)                          \
    {                                                                                              \
        name, letter, type, AT(member), initial, 0, 0, choices, "NAME", help, group, NULL, NULL    \
    }
#define BOOL(name, member, group, conf, help)                                                      \
    {                                                                                              \
        name, 0, SETTINGS_BOOL, AT(member), "false", 0, 0, NULL, NULL, help, group, conf, NULL     \
    }
#define INT(name, letter, member, initial, min, max, argument, group, conf, help)                  \
    {                                                                                              \
        name, letter, SETTINGS_INT, AT(member), initial, min, max, NULL, argument, help, group,    \
            conf, NULL                                                                             \
    }
#define REAL(name, member, initial, min, max, argument, group, conf, help)                         \
    {                                                                                              \
        name, 0, SETTINGS_REAL, AT(member), initial, min, max, NULL, argument, help, group, conf,  \
            NULL                                                                                   \
    }

/* clang-format off */
static const struct settings_row rows[] = {
    TEXT("benchmark", 0, benchmark, NULL, "NAME", GROUP_WHAT,
         "benchmark to run: resnet50, …; 'assay benchmarks' lists them"),
    TEXT("model", 'm', model, NULL, "NAME|FILE", GROUP_WHAT,
         "name or file of a manifest; default: the benchmark's own"),
    CHECKED("sizes", sizes, NULL, "NAME=N", GROUP_WHAT, allowed_options,
            "sizes of the model's synthetic net, of those that its manifest has: rows=N of DLRM's tables"),
    TEXT("dataset", 'd', dataset, NULL, "DIR", GROUP_WHAT,
         "folder of the data set, or the name of its recipe; default: synthetic samples"),
    TEXT("engine", 'e', engine, "onnxruntime", "NAME|FILE", GROUP_WHAT,
         "what executes the model; NAME@VERSION: with that library, by its recipe; 'assay engines' lists them"),
    TEXT("device", 0, device, "cpu", "NAME", GROUP_WHAT, "where it executes: cpu, cuda:0, …"),
    TEXT("precision", 0, precision, NULL, "NAME", GROUP_WHAT, "fp32, fp16, int8, …; default: the model's own"),
    CHOICE("scenario", 's', SETTINGS_CHOICE, scenario, "Offline", settings_scenario_names, GROUP_WHAT,
           "SingleStream, MultiStream, Server or Offline"),
    CHOICE("mode", 0, SETTINGS_CHOICE, mode, "performance", settings_mode_names, GROUP_WHAT,
           "performance, accuracy, submission (both in one run) or find-peak (Server)"),
    CHECKED("profile", profile, "quick", "NAME", GROUP_WHAT, allowed_profile,
            "quick (about a minute) or official:ROUND (that round's durations, counts and seeds)"),
    CHECKED("round", round, NULL, "ROUND", GROUP_WHAT, load_round_allowed,
               "MLPerf round whose LoadGen is used; default: the newest"),
    CHOICE("loadgen", 0, SETTINGS_CHOICE, loadgen, "auto", loadgen_names, GROUP_WHAT,
           "whose build of LoadGen: the recipe's, or auto: the set-up's where it has one"),

    INT("lanes", 'l', lanes, "0", 0, 1024, "N", GROUP_HOW, NULL, "parallel lanes of the engine; 0: one"),
    INT("threads", 't', threads, "0", 0, 4096, "N", GROUP_HOW, NULL, "compute threads of each lane; 0: the CPUs shared out, on a GPU one"),
    INT("batch", 'b', batch, "0", 0, 65536, "N", GROUP_HOW, NULL, "most samples of one batch; 0: Offline finds it, MultiStream takes the query, else one"),
    REAL("batch-wait-ms", batch_wait_ms, "0", 0, 60000, "MS", GROUP_HOW, NULL,
         "how long a batch may wait to be filled in Server"),
    CHOICE("pin", 0, SETTINGS_CHOICE, pin, "auto", pin_names, GROUP_HOW,
           "processors of its own for each lane: cores, off, or auto: on machines with several NUMA nodes"),
    CHECKED("engine-options", engine_options, NULL, "A=B,C=D", GROUP_HOW, allowed_options,
            "options of the engine; 'assay engines NAME' lists them"),
    INT("count", 0, count, "0", 0, MANY, "N", GROUP_HOW, NULL, "use only the first N samples of the data set; 0: all"),
    INT("data-threads", 0, data_threads, "0", 0, 4096, "N", GROUP_HOW, NULL, "threads for pre-processing; 0: all cores"),
    INT("seed", 0, seed, "1", 0, MANY, "N", GROUP_HOW, NULL, "seed of synthetic samples and weights"),
    REAL("warmup-s", warmup_s, "1", 0, 86400, "S", GROUP_HOW, NULL, "least time for which each lane is warmed up"),
    REAL("stall-timeout-s", stall_timeout_s, "0", 0, 1e7, "S", GROUP_HOW, NULL,
         "end a run without progress after this time; 0: half an hour; 2 minutes where opening a model uses no CPU; 20 times the longest latency where a response is lost"),
    REAL("time-limit-s", time_limit_s, "0", 0, 1e9, "S", GROUP_HOW, NULL,
         "do not begin a timed part that would take longer, by the warm-up's rate; 0: no limit"),
    REAL("peak-precision", peak_precision, "0.01", 0.0001, 0.5, "R", GROUP_HOW, NULL, "relative precision of find-peak"),
    REAL("peak-trial-s", peak_trial_s, "0", 0, 86400, "S", GROUP_HOW, NULL,
         "length of one trial of find-peak; 0: found by itself"),
    BOOL("tune", tune, GROUP_HOW, NULL, "first search the fastest lanes, threads, batch and engine options, and keep them"),
    REAL("tune-s", tune_s, "80", 1, 89, "S", GROUP_HOW, NULL, "most time that the search takes"),
    {"tuned", 0, SETTINGS_BOOL, AT(tuned), "true", 0, 0, NULL, NULL,
     "use what an earlier --tune found for this machine, model and engine", GROUP_HOW, NULL, NULL},

    TEXT("store", 0, store, NULL, "DIR", GROUP_OUTPUT, "folder of all records"),
    TEXT("cache", 0, cache, NULL, "DIR", GROUP_OUTPUT, "folder of downloads and pre-processed samples"),
    TEXT("user-conf", 0, user_conf, NULL, "FILE", GROUP_OUTPUT, "read LoadGen settings from this user.conf"),
    TEXT("audit-config", 0, audit_config, NULL, "FILE", GROUP_OUTPUT, "give LoadGen this audit.config"),
    CHOICE("progress", 0, SETTINGS_TEXT, progress, "auto", progress_names, GROUP_OUTPUT,
           "progress on stderr: auto, plain, json or none"),
    TEXT("tag", 0, tag, NULL, "TEXT", GROUP_OUTPUT, "free text kept in the record"),
    BOOL("json", json, GROUP_OUTPUT, NULL, "print one JSON object instead of text"),
    BOOL("dry-run", dry_run, GROUP_OUTPUT, NULL, "print the resolved plan and do nothing"),

    INT("min-duration-ms", 0, min_duration_ms, "0", 0, 1e12, "MS", GROUP_LOADGEN, "min_duration",
        "least duration of the run; default: the profile's"),
    INT("max-duration-ms", 0, max_duration_ms, "0", 0, 1e12, "MS", GROUP_LOADGEN, "max_duration",
        "most duration (not Offline); 0: no limit"),
    INT("min-query-count", 0, min_query_count, "0", 0, MANY, "N", GROUP_LOADGEN, "min_query_count",
        "least queries (Offline: samples); default: the profile's"),
    INT("max-query-count", 0, max_query_count, "0", 0, MANY, "N", GROUP_LOADGEN, "max_query_count",
        "most queries (not Offline); 0: no limit"),
    REAL("target-qps", target_qps, "0", 0, 1e12, "QPS", GROUP_LOADGEN, "target_qps",
         "Server: arrival rate; Offline: expected rate; 0: found by itself"),
    REAL("target-latency-ms", target_latency_ms, "0", 0, 1e9, "MS", GROUP_LOADGEN, "target_latency",
         "Server: the bound (default: official); SingleStream, MultiStream: expected latency, 0: found by itself"),
    REAL("target-latency-percentile", target_latency_percentile, "0", 0, 0.99999, "P", GROUP_LOADGEN,
         "target_latency_percentile", "as a fraction: 0.99, not 99; default: official"),
    INT("samples-per-query", 0, samples_per_query, "0", 0, 1e6, "N", GROUP_LOADGEN, "samples_per_query",
        "MultiStream: samples of one query; default: official"),
    BOOL("coalesce-queries", coalesce_queries, GROUP_LOADGEN, "coalesce_queries",
         "Server: LoadGen may issue waiting queries together"),
    INT("max-async-queries", 0, max_async_queries, "0", 0, 2147483647, "N", GROUP_LOADGEN, "max_async_queries",
        "Server: end the run when more queries are outstanding; 0: no limit"),
    INT("server-issue-threads", 0, server_issue_threads, "0", 0, 1024, "N", GROUP_LOADGEN, NULL,
        "Server: threads that issue; 0: LoadGen's own"),
    INT("performance-sample-count", 0, performance_sample_count, "0", 0, MANY, "N", GROUP_LOADGEN,
        "performance_sample_count_override", "samples in memory during a performance run; 0: official"),
    INT("accuracy-sample-count", 0, accuracy_sample_count, "0", 0, MANY, "N", GROUP_LOADGEN,
        "accuracy_sample_count_override", "samples of an accuracy run; 0: all"),
    BOOL("sample-concatenate-permutation", sample_concatenate_permutation, GROUP_LOADGEN,
         "sample_concatenate_permutation", "issue every sample equally often; default: official"),
    BOOL("print-timestamps", print_timestamps, GROUP_LOADGEN, "print_timestamps", "LoadGen's timestamps in its log"),
    BOOL("performance-issue-unique", performance_issue_unique, GROUP_LOADGEN, "performance_issue_unique",
         "audit: every sample once"),
    BOOL("performance-issue-same", performance_issue_same, GROUP_LOADGEN, "performance_issue_same",
         "audit: one sample again and again"),
    INT("performance-issue-same-index", 0, performance_issue_same_index, "0", 0, MANY, "N", GROUP_LOADGEN,
        "performance_issue_same_index", "audit: index of that one sample"),
    {"accuracy-log-rng-seed", 0, SETTINGS_U64, AT(accuracy_log_rng_seed), "0", 0, 0, NULL, "N",
     "audit: seed of the choice of logged responses", GROUP_LOADGEN, "accuracy_log_rng_seed", NULL},
    REAL("accuracy-log-probability", accuracy_log_probability, "0", 0, 1, "P", GROUP_LOADGEN, NULL,
         "share of responses that a performance run logs"),
    INT("accuracy-log-sampling-target", 0, accuracy_log_sampling_target, "0", 0, MANY, "N", GROUP_LOADGEN,
        "accuracy_log_sampling_target", "audit: how many responses a performance run logs"),
};
/* clang-format on */
#define ROWS (sizeof(rows) / sizeof(rows[0]))
_Static_assert(ROWS <= sizeof(((struct settings *)0)->origin), "settings.origin is too short");

const struct settings_row *settings_rows(size_t *count)
{
    if (count)
        *count = ROWS;
    return rows;
}

const char *settings_origin_name(int origin)
{
    return origin >= 0 && origin <= SETTINGS_GIVEN_TUNED ? origin_names[origin] : "unknown";
}

/* '_' reads as '-', so that files may use either. */
static bool name_equal(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
        if ((*a == '_' ? '-' : *a) != *b)
            return false;
    return *a == *b;
}

const struct settings_row *settings_find(const char *name)
{
    size_t i;

    for (i = 0; i < ROWS; i++)
        if (name_equal(name, rows[i].name))
            return &rows[i];
    return NULL;
}

static void *place(const struct settings *s, const struct settings_row *row)
{
    return (char *)(uintptr_t)s + row->offset;
}

static unsigned char *origin_of(struct settings *s, const struct settings_row *row)
{
    return &s->origin[row - rows];
}

int settings_origin_of(const struct settings *s, const char *name)
{
    const struct settings_row *row = settings_find(name);

    return row ? s->origin[row - rows] : SETTINGS_DEFAULT;
}

void settings_set_origin(struct settings *s, const char *name, int origin)
{
    *origin_of(s, settings_find(name)) = (unsigned char)origin;
}

/* A parsed value before it is stored. */
union value {
    const char *text; /* not ours */
    int64_t i;
    uint64_t u;
    double real;
};

static const char *allowed_profile(const char *value)
{
    if (!strcmp(value, "quick"))
        return NULL;
    if (!strncmp(value, "official:", 9))
        return load_round_allowed(value + 9);
    return "quick or official:ROUND";
}

static const char *allowed_options(const char *value)
{
    const char *comma, *equal;

    for (;; value = comma + 1) {
        comma = strchrnul(value, ',');
        equal = memchr(value, '=', (size_t)(comma - value));
        if (!equal || equal == value)
            return "name=value,name=value";
        if (!*comma)
            return NULL;
    }
}

/* "--lanes" or "job.yaml: lanes": where the user finds what is wrong. */
static int fail_value(const struct settings_row *row, const char *where, const char *value,
                      const char *what, struct assay_err *err)
{
    bool option = where[0] == '-';

    return assay_fail(err, ASSAY_EUSAGE, "%s%s%s: '%.80s' %s", where, option ? "" : ": ",
                      option ? "" : row->name, value, what);
}

static int fail_number(const struct settings_row *row, const char *where, const char *value,
                       struct assay_err *err)
{
    const char *kind = row->type == SETTINGS_REAL ? "number" : "whole number";
    char what[160];

    if (row->min == 0 && row->max == 0)
        snprintf(what, sizeof(what), "is not a %s", kind);
    else
        snprintf(what, sizeof(what), "is not a %s from %.16g to %.16g", kind, row->min, row->max);
    return fail_value(row, where, value, what, err);
}

static bool in_limits(const struct settings_row *row, double value)
{
    return (row->min == 0 && row->max == 0) || (value >= row->min && value <= row->max);
}

static int parse_number(const struct settings_row *row, const char *value, const char *where,
                        union value *out, struct assay_err *err)
{
    char *end = NULL;
    bool good;

    errno = 0;
    if (row->type == SETTINGS_REAL) {
        out->real = strtod(value, &end);
        good = isfinite(out->real) && !strpbrk(value, "xX") && in_limits(row, out->real);
    } else if (row->type == SETTINGS_U64) {
        out->u = strtoull(value, &end, 10);
        good = !errno && value[0] != '-';
    } else {
        out->i = strtoll(value, &end, 10);
        good = !errno && in_limits(row, (double)out->i);
    }
    if (!good || end == value || *end)
        return fail_number(row, where, value, err);
    return 0;
}

static int parse_bool(const struct settings_row *row, const char *value, const char *where,
                      union value *out, struct assay_err *err)
{
    static const char *const words[] = {"false", "true", "off", "on", "no", "yes", "0", "1"};
    size_t i;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!strcasecmp(value, words[i])) {
            out->i = i & 1;
            return 0;
        }
    }
    return fail_value(row, where, value, "is not true or false", err);
}

#define CHOICES_MAX 8
#define CHOICE_LEN  32

/* The choice that was meant, whatever the case of the letters; NULL: none is near. */
static const char *nearest_choice(const struct settings_row *row, const char *value)
{
    char lower[CHOICES_MAX + 1][CHOICE_LEN];
    const char *names[CHOICES_MAX], *found;
    size_t i, j, n;

    for (n = 0; row->choices[n] && n < CHOICES_MAX; n++)
        ;
    for (i = 0; i <= n; i++) {
        snprintf(lower[i], CHOICE_LEN, "%s", i < n ? row->choices[i] : value);
        for (j = 0; lower[i][j]; j++)
            if (lower[i][j] >= 'A' && lower[i][j] <= 'Z')
                lower[i][j] = (char)(lower[i][j] - 'A' + 'a');
        if (i < n)
            names[i] = lower[i];
    }
    found = text_nearest(lower[n], names, n, sizeof(names[0]));
    for (i = 0; i < n; i++)
        if (found == names[i])
            return row->choices[i];
    return NULL;
}

/* Sets *index to the choice's number. */
static int parse_choice(const struct settings_row *row, const char *value, const char *where,
                        int64_t *index, struct assay_err *err)
{
    char list[160] = "", what[256];
    const char *near;
    size_t len = 0;

    for (*index = 0; row->choices[*index]; ++*index) {
        if (!strcasecmp(value, row->choices[*index]))
            return 0;
        len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", len ? ", " : "",
                                row->choices[*index]);
    }
    near = nearest_choice(row, value);
    if (near)
        snprintf(what, sizeof(what), "is not known, did you mean %s? (allowed: %s)", near, list);
    else
        snprintf(what, sizeof(what), "is not known (allowed: %s)", list);
    return fail_value(row, where, value, what, err);
}

static int parse_text(const struct settings_row *row, const char *value, const char *where,
                      union value *out, struct assay_err *err)
{
    const char *allowed;
    char what[256];
    int64_t index;
    int rc;

    out->text = NULL;
    if (row->choices) {
        rc = parse_choice(row, value, where, &index, err);
        if (rc)
            return rc;
        value = row->choices[index];
    }
    if (!*value) {
        if (row->initial)
            return fail_value(row, where, value, "is empty; give a value", err);
        return 0; /* back to none */
    }
    allowed = row->allowed ? row->allowed(value) : NULL;
    if (allowed) {
        snprintf(what, sizeof(what), "is not known (allowed: %s)", allowed);
        return fail_value(row, where, value, what, err);
    }
    out->text = value;
    return 0;
}

static int parse_value(const struct settings_row *row, const char *value, const char *where,
                       union value *out, struct assay_err *err)
{
    switch (row->type) {
    case SETTINGS_TEXT:
        return parse_text(row, value, where, out, err);
    case SETTINGS_BOOL:
        return parse_bool(row, value, where, out, err);
    case SETTINGS_CHOICE:
        return parse_choice(row, value, where, &out->i, err);
    default:
        return parse_number(row, value, where, out, err);
    }
}

static char *copy_text(const struct settings_row *row, const char *text)
{
    bool path = row->argument && (strstr(row->argument, "DIR") || strstr(row->argument, "FILE"));

    return path ? file_expand_home(text) : strdup(text);
}

/* Keeps a copy of a text; a value that the origin keeps out is dropped. */
static int store_value(struct settings *s, const struct settings_row *row, union value value,
                       int origin, struct assay_err *err)
{
    void *at = place(s, row);
    char *copy = NULL;

    if (origin < *origin_of(s, row))
        return ASSAY_OK;
    if (row->type == SETTINGS_TEXT && value.text && !(copy = copy_text(row, value.text)))
        return assay_fail(err, ASSAY_EFAIL, "%s: out of memory", row->name);
    *origin_of(s, row) = (unsigned char)origin;
    switch (row->type) {
    case SETTINGS_TEXT:
        free(*(char **)at);
        *(char **)at = copy;
        break;
    case SETTINGS_U64:
        *(uint64_t *)at = value.u;
        break;
    case SETTINGS_REAL:
        *(double *)at = value.real;
        break;
    default:
        *(int64_t *)at = value.i;
    }
    return ASSAY_OK;
}

static const struct settings_row *find_or_fail(const char *name, const char *where,
                                               struct assay_err *err)
{
    const struct settings_row *row = settings_find(name);
    const char *near;

    if (row)
        return row;
    near = text_nearest(name, &rows[0].name, ROWS, sizeof(rows[0]));
    assay_fail(err, ASSAY_EUSAGE, "%s: there is no setting '%.80s'%s%s%s", where, name,
               near ? ", did you mean " : "; 'assay settings' lists them", near ? near : "",
               near ? "?" : "");
    return NULL;
}

int settings_set(struct settings *s, const char *name, const char *value, int origin,
                 const char *where, struct assay_err *err)
{
    const struct settings_row *row = find_or_fail(name, where, err);
    union value parsed;
    int rc;

    if (!row)
        return ASSAY_EUSAGE;
    rc = parse_value(row, value, where, &parsed, err);
    return rc ? rc : store_value(s, row, parsed, origin, err);
}

int settings_set_real(struct settings *s, const char *name, double value, int origin,
                      struct assay_err *err)
{
    const struct settings_row *row = find_or_fail(name, "internal", err);
    union value v;

    if (!row)
        return ASSAY_EUSAGE;
    if (row->type == SETTINGS_TEXT || !isfinite(value) || !in_limits(row, value) ||
        (row->type != SETTINGS_REAL && fabs(value) > MANY))
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: the value %g, found by the program, is not allowed", row->name,
                          value);
    if (row->type == SETTINGS_REAL)
        v.real = value;
    else if (row->type == SETTINGS_U64)
        v.u = (uint64_t)llround(value);
    else
        v.i = llround(value);
    return store_value(s, row, v, origin, err);
}

int settings_add_option(struct settings *s, const char *assignment, int origin, const char *where,
                        struct assay_err *err)
{
    char *joined = NULL;
    int rc;

    if (s->engine_options && settings_origin_of(s, "engine-options") == origin) {
        joined = text_format("%s,%s", s->engine_options, assignment);
        if (!joined)
            return assay_fail(err, ASSAY_EFAIL, "%s: out of memory", where);
    }
    rc = settings_set(s, "engine-options", joined ? joined : assignment, origin, where, err);
    free(joined);
    return rc;
}

int settings_init(struct settings *s, struct assay_err *err)
{
    union value v;
    size_t i;
    int rc;

    memset(s, 0, sizeof(*s));
    for (i = 0; i < ROWS; i++) {
        if (!rows[i].initial)
            continue;
        rc = parse_value(&rows[i], rows[i].initial, "default", &v, err);
        if (!rc)
            rc = store_value(s, &rows[i], v, SETTINGS_DEFAULT, err);
        if (rc) {
            settings_release(s);
            return rc;
        }
    }
    return 0;
}

void settings_release(struct settings *s)
{
    size_t i;

    for (i = 0; i < ROWS; i++)
        if (rows[i].type == SETTINGS_TEXT)
            free(*(char **)place(s, &rows[i]));
    memset(s, 0, sizeof(*s));
}

int settings_copy(struct settings *to, const struct settings *from, struct assay_err *err)
{
    const char *text;
    bool failed = false;
    char **copy;
    size_t i;

    *to = *from;
    for (i = 0; i < ROWS; i++) {
        if (rows[i].type != SETTINGS_TEXT)
            continue;
        text = *(char **)place(from, &rows[i]);
        copy = place(to, &rows[i]);
        *copy = text ? strdup(text) : NULL;
        failed |= text && !*copy;
    }
    if (failed) {
        settings_release(to);
        return assay_fail(err, ASSAY_EFAIL, "settings: out of memory");
    }
    return 0;
}

/* Shortest form that reads back as the same number. */
static void real_text(double value, char *out, size_t size)
{
    int digits;

    for (digits = 6; digits <= 17; digits++) {
        snprintf(out, size, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            return;
    }
}

void settings_text(const struct settings *s, const struct settings_row *row, char *out, size_t size)
{
    const void *at = place(s, row);
    const char *text;

    switch (row->type) {
    case SETTINGS_TEXT:
        text = *(char *const *)at;
        snprintf(out, size, "%s", text ? text : "");
        break;
    case SETTINGS_BOOL:
        snprintf(out, size, "%s", *(const int64_t *)at ? "true" : "false");
        break;
    case SETTINGS_CHOICE:
        snprintf(out, size, "%s", row->choices[*(const int64_t *)at]);
        break;
    case SETTINGS_U64:
        snprintf(out, size, "%llu", (unsigned long long)*(const uint64_t *)at);
        break;
    case SETTINGS_REAL:
        real_text(*(const double *)at, out, size);
        break;
    default:
        snprintf(out, size, "%lld", (long long)*(const int64_t *)at);
    }
}

/* U64 is text in JSON where it does not fit JSON libraries' signed integers. */
static json_t *value_to_json(const struct settings *s, const struct settings_row *row)
{
    const void *at = place(s, row);
    char text[64];

    switch (row->type) {
    case SETTINGS_TEXT:
        return *(char *const *)at ? json_string(*(char *const *)at) : json_null();
    case SETTINGS_BOOL:
        return json_boolean(*(const int64_t *)at);
    case SETTINGS_REAL:
        return json_real(*(const double *)at);
    case SETTINGS_INT:
        return json_integer(*(const int64_t *)at);
    case SETTINGS_U64:
        if (*(const uint64_t *)at <= INT64_MAX)
            return json_integer((json_int_t) * (const uint64_t *)at);
        break;
    }
    settings_text(s, row, text, sizeof(text));
    return json_string(text);
}

json_t *settings_to_json(const struct settings *s)
{
    json_t *tree = json_object(), *entry;
    size_t i;

    for (i = 0; tree && i < ROWS; i++) {
        entry = json_pack("{s:o, s:s}", "value", value_to_json(s, &rows[i]), "origin",
                          settings_origin_name(s->origin[i]));
        if (json_object_set_new(tree, rows[i].name, entry)) {
            json_decref(tree);
            tree = NULL;
        }
    }
    return tree;
}

/* "a=b,c=d" of a mapping of scalars; NULL: it holds something else. */
static char *mapping_text(const json_t *mapping);

/* A scalar as the user would write it, malloc'ed; NULL: it is none (or memory is out). */
static char *scalar_text(const json_t *value)
{
    char text[64];

    if (json_is_string(value))
        return strdup(json_string_value(value));
    if (json_is_object(value))
        return mapping_text(value);
    if (json_is_boolean(value))
        return strdup(json_is_true(value) ? "true" : "false");
    if (json_is_integer(value))
        return text_format("%lld", (long long)json_integer_value(value));
    if (!json_is_real(value))
        return NULL;
    real_text(json_real_value(value), text, sizeof(text));
    return strdup(text);
}

static char *mapping_text(const json_t *mapping)
{
    struct text list;
    const char *key;
    char *value;
    json_t *v;

    text_init(&list, 65536);
    json_object_foreach((json_t *)(uintptr_t)mapping, key, v)
    {
        value = json_is_object(v) ? NULL : scalar_text(v);
        if (!value) {
            text_release(&list);
            return NULL;
        }
        text_addf(&list, "%s%s=%s", list.len ? "," : "", key, value);
        free(value);
    }
    return text_take(&list);
}

/* One member of a settings file or of a record's block. */
static int set_from_json(struct settings *s, const char *name, const json_t *value, int origin,
                         const char *where, struct assay_err *err)
{
    const struct settings_row *row = find_or_fail(name, where, err);
    char *text = NULL;
    int rc;

    if (!row)
        return ASSAY_EUSAGE;
    if (json_is_null(value))
        return assay_fail(err, ASSAY_EUSAGE,
                          "%s: %s: has no value; where the word null is meant, put it in quotes: "
                          "\"null\"",
                          where, row->name);
    if (!json_is_object(value) || row->offset == AT(engine_options) || row->offset == AT(sizes))
        text = scalar_text(value);
    if (!text)
        return assay_fail(err, ASSAY_EUSAGE, "%s: %s: give one value (a text or a number)", where,
                          row->name);
    rc = settings_set(s, name, text, origin, where, err);
    free(text);
    return rc;
}

int settings_set_tree(struct settings *s, const json_t *mapping, int origin, const char *where,
                      struct assay_err *err)
{
    const char *name;
    json_t *value;
    int rc = ASSAY_OK;

    if (json_is_null(mapping)) /* an empty file */
        return ASSAY_OK;
    if (!json_is_object(mapping))
        return assay_fail(err, ASSAY_EUSAGE, "%s: must be lines of 'name: value'", where);
    json_object_foreach((json_t *)(uintptr_t)mapping, name, value)
    {
        rc = set_from_json(s, name, value, origin, where, err);
        if (rc)
            break;
    }
    return rc;
}

int settings_read_file(struct settings *s, const char *path, int origin, struct assay_err *err)
{
    json_t *tree = NULL;
    int rc = tree_read_yaml(path, &tree, err);

    if (!rc)
        rc = settings_set_tree(s, tree, origin, path, err);
    json_decref(tree);
    return rc;
}

static int origin_number(const char *name)
{
    int i;

    for (i = 0; name && i <= SETTINGS_GIVEN_TUNED; i++)
        if (!strcmp(name, origin_names[i]))
            return i;
    return -1;
}

int settings_from_json(struct settings *s, const json_t *tree, struct assay_err *err)
{
    const struct settings_row *row;
    json_t *entry, *value;
    const char *name;
    int rc, origin;

    rc = settings_init(s, err);
    if (rc)
        return rc;
    json_object_foreach((json_t *)(uintptr_t)tree, name, entry)
    {
        value = json_object_get(entry, "value");
        origin = origin_number(tree_text(entry, "origin", NULL));
        row = find_or_fail(name, "settings", err);
        if (!row || !value || origin < 0) {
            rc = row ? assay_fail(err, ASSAY_EUSAGE, "settings: %s: value or origin is missing",
                                  name)
                     : ASSAY_EUSAGE;
            break;
        }
        if (json_is_null(value) && row->type == SETTINGS_TEXT)
            rc = store_value(s, row, (union value){.text = NULL}, origin, err);
        else
            rc = set_from_json(s, name, value, origin, "settings", err);
        if (rc)
            break;
    }
    if (rc)
        settings_release(s);
    return rc;
}

/* ---- a record's ---- */

static bool is_file_name(const struct settings_row *row, const char *text)
{
    const char *end = strrchr(text, '.');

    if (!strcmp(row->name, "model"))
        return end && (!strcmp(end, ".yaml") || !strcmp(end, ".yml"));
    return strcmp(row->name, "engine") || strchr(text, '/');
}

/* The value, if it is a relative path and something lies there from `cwd`, as that. */
static int from_there(struct settings *s, const char *name, const char *cwd, struct assay_err *err)
{
    const struct settings_row *row = settings_find(name);
    char text[4096], *path;
    int rc = ASSAY_OK;

    settings_text(s, row, text, sizeof(text));
    if (!*text || strchr("/~", *text) || !is_file_name(row, text))
        return ASSAY_OK;
    path = file_join(cwd, strncmp(text, "./", 2) ? text : text + 2);
    if (!path)
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    else if (file_exists(path))
        rc = settings_set(s, name, path, settings_origin_of(s, name), "record", err);
    free(path);
    return rc;
}

int settings_of_record(struct settings *s, const json_t *record, struct assay_err *err)
{
    static const char *const names[] = {"dataset", "model", "engine", "audit-config"};
    const char *cwd = tree_text(record, "cwd", NULL);
    char *here = file_absolute(".");
    int rc = settings_from_json(s, json_object_get(record, "settings"), err);

    if (!rc && cwd && here && strcmp(cwd, here) != 0) {
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !rc; i++)
            rc = from_there(s, names[i], cwd, err);
        if (rc)
            settings_release(s);
    }
    free(here);
    return rc;
}

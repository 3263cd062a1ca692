/* Idea: LoadGen's own reader forgives everything and says nothing, so a typing error costs a day of
 * wrong runs. Here each line is checked as LoadGen would read it; whatever it would drop, cut or
 * read as something else is an error.  Keys and their limits are those of the settings table
 * (conf_key); what user.conf knows besides is one table of refusals below. */
#include "load/conf.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define MAX_BYTES (1u << 20)
#define MAX_TOKEN 128

enum unit { PLAIN, PERCENT, FLAG };

/* Where and how LoadGen reads a key that is not the same for all scenarios or has its own unit. */
static const struct key_rule {
    const char *conf_key;
    unsigned scenarios; /* bits; 0: all */
    enum unit unit;
} key_rules[] = {
    {"target_latency", 1u << SINGLE_STREAM | 1u << MULTI_STREAM | 1u << SERVER, PLAIN},
    {"target_latency_percentile", 1u << SINGLE_STREAM | 1u << MULTI_STREAM | 1u << SERVER, PERCENT},
    {"samples_per_query", 1u << MULTI_STREAM, PLAIN},
    {"target_qps", 1u << SERVER | 1u << OFFLINE, PLAIN},
    {"coalesce_queries", 1u << SERVER, FLAG},
    {"max_async_queries", 1u << SERVER, PLAIN},
    {"sample_concatenate_permutation", 0, FLAG},
    {"print_timestamps", 0, FLAG},
    {"performance_issue_unique", 0, FLAG},
    {"performance_issue_same", 0, FLAG},
};

static const struct refusal {
    const char *conf_key, *why;
} refusals[] = {
    {"qsl_rng_seed", "LoadGen takes seeds from its built-in configuration only; remove the line"},
    {"sample_index_rng_seed",
     "LoadGen takes seeds from its built-in configuration only; remove the line"},
    {"schedule_rng_seed",
     "LoadGen takes seeds from its built-in configuration only; remove the line"},
    {"test05", "TEST05 is gone since v5.0; remove the line"},
    {"test05_qsl_rng_seed", "TEST05 is gone since v5.0; remove the line"},
    {"test05_sample_index_rng_seed", "TEST05 is gone since v5.0; remove the line"},
    {"test05_schedule_rng_seed", "TEST05 is gone since v5.0; remove the line"},
    {"accuracy_log_probability", "LoadGen ignores it here; use --accuracy-log-probability"},
    {"mode", "use --mode"},
    {"target_duration", "LoadGen has no such key any more; use min_duration"},
    {"use_token_latencies", "token latencies are not measured; remove the line"},
    {"ttft_latency", "token latencies are not measured; remove the line"},
    {"tpot_latency", "token latencies are not measured; remove the line"},
    {"infer_token_latencies", "token latencies are not measured; remove the line"},
    {"token_latency_scaling_factor", "token latencies are not measured; remove the line"},
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define MAX_ROWS 96

/* The value that holds so far for each row; rank as LoadGen searches, 0: none. */
struct found {
    int rank;
    size_t line;
    char value[MAX_TOKEN];
};

struct reader {
    const char *name, *model;
    int scenario;
    size_t line;
    struct found found[MAX_ROWS];
    struct assay_err *err;
};

static int fail(const struct reader *r, const char *fmt, ...) ASSAY_PRINTF(2, 3);
static int fail(const struct reader *r, const char *fmt, ...)
{
    char text[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return assay_fail(r->err, ASSAY_EUSAGE, "%s:%zu: %s", r->name, r->line, text);
}

static const struct key_rule *rule_of(const char *conf_key)
{
    static const struct key_rule all = {NULL, 0, PLAIN};
    size_t i;

    for (i = 0; i < COUNT(key_rules); i++)
        if (!strcmp(key_rules[i].conf_key, conf_key))
            return &key_rules[i];
    return &all;
}

static bool applies(const struct key_rule *rule, int scenario)
{
    return !rule->scenarios || rule->scenarios & 1u << scenario;
}

/* The row of a key; NULL after the error was set. */
static const struct settings_row *row_of(const struct reader *r, const char *key)
{
    const char *names[MAX_ROWS], *near;
    const struct settings_row *rows;
    size_t i, n, known = 0;

    for (i = 0; i < COUNT(refusals); i++) {
        if (!strcmp(key, refusals[i].conf_key)) {
            fail(r, "%s: %s", key, refusals[i].why);
            return NULL;
        }
    }
    rows = settings_rows(&n);
    for (i = 0; i < n; i++) {
        if (!rows[i].conf_key)
            continue;
        if (!strcmp(key, rows[i].conf_key))
            return &rows[i];
        names[known++] = rows[i].conf_key;
    }
    near = text_nearest(key, names, known, sizeof(names[0]));
    fail(r, "LoadGen knows no key '%s'%s%s%s", key, near ? ", did you mean " : "", near ? near : "",
         near ? "?" : "");
    return NULL;
}

/* Number of the scenario, -1 for '*', -2 after the error was set. */
static int scenario_of(const struct reader *r, const char *name)
{
    const char *near;
    int i;

    if (!strcmp(name, "*"))
        return -1;
    for (i = 0; i < SCENARIO_COUNT; i++)
        if (!strcmp(name, settings_scenario_names[i]))
            return i;
    near = text_nearest(name, settings_scenario_names, SCENARIO_COUNT, sizeof(char *));
    fail(r, "'%s' is no scenario%s%s%s (allowed: SingleStream, MultiStream, Server, Offline, *)",
         name, near ? ", did you mean " : "", near ? near : "", near ? "?" : "");
    return -2;
}

/* Submission folders have other names than LoadGen's configuration; with those a line never
 * applies. */
static int check_model(const struct reader *r, const char *model)
{
    size_t len = strlen(model);
    const char *end = len > 5 && !strcmp(model + len - 5, "-99.9") ? model + len - 5
                      : len > 3 && !strcmp(model + len - 3, "-99") ? model + len - 3
                                                                   : NULL;

    if (!len)
        return fail(r, "the model before the first '.' is missing; write a name or *");
    if (!strcmp(model, "resnet"))
        return fail(r, "LoadGen's name of model 'resnet' is resnet50");
    if (end)
        return fail(r, "LoadGen's name of model '%s' is %.*s", model, (int)(end - model), model);
    return 0;
}

static bool all_digits(const char *s)
{
    return *s && s[strspn(s, "0123456789")] == 0;
}

static int check_integer(const struct reader *r, const char *key, const char *value)
{
    if (!all_digits(value))
        return fail(r, "%s: '%s' is not a whole number (LoadGen would cut it)", key, value);
    if (value[0] == '0' && value[1])
        return fail(r, "%s: '%s' would be read as octal; write it without the leading 0", key,
                    value);
    return 0;
}

/* Checks the value as LoadGen reads it for this key; writes it as the settings table takes it. */
static int convert(const struct reader *r, const struct settings_row *row, int scenario,
                   const char *value, char out[MAX_TOKEN])
{
    const char *key = row->conf_key;
    enum unit unit = rule_of(key)->unit;
    char *end;
    double real;
    int rc = 0;

    real = strtod(value, &end);
    if (*end || end == value || !isfinite(real) || strpbrk(value, "xX"))
        return fail(r, "%s: '%s' is not a decimal number", key, value);
    snprintf(out, MAX_TOKEN, "%s", value);
    if (unit == FLAG && strcmp(value, "0") && strcmp(value, "1"))
        return fail(r, "%s: '%s' is not 0 or 1", key, value);
    if (row->type == SETTINGS_INT || row->type == SETTINGS_U64)
        rc = check_integer(r, key, value);
    if (unit == PERCENT) {
        if (!(real > 1 && real < 100))
            return fail(r, "%s: '%s' is not in percent (99, not 0.99)", key, value);
        snprintf(out, MAX_TOKEN, "%.15g", real / 100);
    }
    if (!strcmp(key, "target_latency") &&
        (scenario == SERVER || (scenario < 0 && r->scenario == SERVER))) {
        if (!all_digits(value))
            return fail(r,
                        "%s: LoadGen reads only whole milliseconds for Server, not '%s'; use "
                        "--target-latency-ms",
                        key, value);
        rc = check_integer(r, key, value);
    }
    return rc;
}

/* Keeps the value if it applies to this run and nothing more exact was seen; a later line wins a
 * tie. */
static void keep(struct reader *r, const struct settings_row *row, const char *model, int scenario,
                 const char *value)
{
    bool exact_model = !strcmp(model, r->model);
    struct found *f = &r->found[row - settings_rows(NULL)];
    int rank;

    if ((!exact_model && strcmp(model, "*")) || (scenario >= 0 && scenario != r->scenario) ||
        !applies(rule_of(row->conf_key), r->scenario))
        return;
    rank = 1 + (exact_model ? 1 : 0) + (scenario >= 0 ? 2 : 0);
    if (rank < f->rank)
        return;
    f->rank = rank;
    f->line = r->line;
    snprintf(f->value, sizeof(f->value), "%s", value);
}

/* Splits model.Scenario.key from the right, because a model's name may hold dots. */
static int read_setting(struct reader *r, char *path, const char *value)
{
    const struct settings_row *row;
    char *key = strrchr(path, '.'), *scenario_name = NULL, converted[MAX_TOKEN];
    int scenario, rc;

    if (key) {
        *key++ = 0;
        scenario_name = strrchr(path, '.');
    }
    if (!scenario_name)
        return fail(r, "write model.Scenario.key = value");
    *scenario_name++ = 0;
    rc = check_model(r, path);
    if (rc)
        return rc;
    scenario = scenario_of(r, scenario_name);
    row = scenario > -2 ? row_of(r, key) : NULL;
    if (!row)
        return ASSAY_EUSAGE;
    if (scenario >= 0 && !applies(rule_of(key), scenario))
        return fail(r, "LoadGen ignores %s for %s; remove the line", key, scenario_name);
    rc = convert(r, row, scenario, value, converted);
    if (!rc)
        keep(r, row, path, scenario, converted);
    return rc;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Splits into at most max tokens; the count, or -1 when one is too long. */
static int split(const char *line, size_t len, char tokens[][MAX_TOKEN], int max)
{
    size_t i = 0, start;
    int n = 0;

    while (n < max) {
        while (i < len && is_space(line[i]))
            i++;
        start = i;
        while (i < len && !is_space(line[i]))
            i++;
        if (i == start)
            break;
        if (i - start >= MAX_TOKEN)
            return -1;
        memcpy(tokens[n], line + start, i - start);
        tokens[n++][i - start] = 0;
    }
    return n;
}

static int read_line(struct reader *r, const char *line, size_t len)
{
    char t[4][MAX_TOKEN];
    int n;

    if (memchr(line, 0, len))
        return fail(r, "holds a NUL byte: this is no text file");
    n = split(line, len, t, 4);
    if (n < 0)
        return fail(r, "a word is longer than %d characters", MAX_TOKEN - 1);
    if (n == 0 || t[0][0] == '#')
        return 0;
    if (strchr(t[0], '=') || (n > 1 && t[1][0] == '=' && t[1][1]))
        return fail(r, "write spaces around '=' (LoadGen ignores 'key=value' without a word)");
    if (n < 3 || strcmp(t[1], "="))
        return fail(r, "write model.Scenario.key = value");
    if (n > 3 && t[3][0] == '#')
        return fail(
            r, "a comment behind a value makes LoadGen drop the whole file; give it its own line");
    if (n > 3)
        return fail(r, "more than one value; write model.Scenario.key = value");
    return read_setting(r, t[0], t[2]);
}

static int store(struct reader *r, struct settings *s)
{
    const struct settings_row *rows;
    char where[300];
    size_t i, n;
    int rc = 0;

    rows = settings_rows(&n);
    for (i = 0; i < n && !rc; i++) {
        if (!r->found[i].rank)
            continue;
        snprintf(where, sizeof(where), "%s:%zu", r->name, r->found[i].line);
        rc = settings_set(s, rows[i].name, r->found[i].value, SETTINGS_USER_CONF, where, r->err);
    }
    return rc;
}

int conf_parse(const char *text, size_t len, const char *name, const char *loadgen_model,
               int scenario, struct settings *s, struct assay_err *err)
{
    struct reader r = {.name = name, .model = loadgen_model, .scenario = scenario, .err = err};
    const char *line, *next, *end = text + len;
    int rc = 0;

    for (line = text; line < end && !rc; line = next + 1) {
        next = memchr(line, '\n', (size_t)(end - line));
        if (!next)
            next = end;
        r.line++;
        rc = read_line(&r, line, (size_t)(next - line));
    }
    return rc ? rc : store(&r, s);
}

int conf_read(const char *path, const char *loadgen_model, int scenario, struct settings *s,
              struct assay_err *err)
{
    char *text = NULL;
    size_t len;
    int rc = file_read(path, MAX_BYTES, &text, &len, err);

    if (!rc)
        rc = conf_parse(text, len, path, loadgen_model, scenario, s, err);
    free(text);
    return rc;
}

/* The value in user.conf's unit; false: it cannot be said there. */
static bool conf_value(const struct settings *s, const struct settings_row *row, char out[64])
{
    enum unit unit = rule_of(row->conf_key)->unit;

    settings_text(s, row, out, 64);
    if (unit == FLAG)
        snprintf(out, 64, "%d", !strcmp(out, "true"));
    if (unit == PERCENT)
        snprintf(out, 64, "%.15g", s->target_latency_percentile * 100);
    if (!strcmp(row->conf_key, "target_latency") && s->scenario == SERVER) {
        if (s->target_latency_ms != floor(s->target_latency_ms))
            return false;
        snprintf(out, 64, "%.0f", s->target_latency_ms);
    }
    return true;
}

void conf_write(const struct settings *s, const char *loadgen_model, struct text *out)
{
    const char *scenario = settings_scenario_names[s->scenario];
    const struct settings_row *rows;
    char value[64];
    size_t i, n;

    rows = settings_rows(&n);
    for (i = 0; i < n; i++) {
        /* What is LoadGen's own default needs no line, and must have none in a closed submission.
         */
        if (!rows[i].conf_key || s->origin[i] <= SETTINGS_OFFICIAL ||
            !applies(rule_of(rows[i].conf_key), (int)s->scenario))
            continue;
        if (conf_value(s, &rows[i], value))
            text_addf(out, "%s.%s.%s = %s\n", loadgen_model, scenario, rows[i].conf_key, value);
        else
            text_addf(out, "# a latency bound of %s ms needs --%s: LoadGen reads whole ones only\n",
                      value, rows[i].name);
    }
}

/* An engine's options: from "a=b,c=d" to one value for each row of its table.
 *
 * Every row gets a value: the user's, else the row's own default.  The same reader reads both, so a
 * default that its own row forbids is found when the engine is loaded. */
#include "engine/host.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

static int read_bool(const char *text, struct assay_value *v)
{
    static const char *const no[] = {"false", "off", "no", "0"};
    static const char *const yes[] = {"true", "on", "yes", "1"};

    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        if (strcasecmp(text, no[i]) != 0 && strcasecmp(text, yes[i]) != 0)
            continue;
        v->i = strcasecmp(text, yes[i]) == 0;
        return 0;
    }
    return -1;
}

static bool within(const struct assay_option *o, double x)
{
    return (o->min == 0 && o->max == 0) || (x >= o->min && x <= o->max);
}

static int read_int(const struct assay_option *o, const char *text, struct assay_value *v)
{
    char *end;
    long long x;

    errno = 0;
    x = strtoll(text, &end, 10);
    if (errno || end == text || *end || !within(o, (double)x))
        return -1;
    v->i = x;
    v->f = (double)x;
    return 0;
}

static int read_real(const struct assay_option *o, const char *text, struct assay_value *v)
{
    char *end;
    double x = strtod(text, &end);

    if (end == text || *end || !isfinite(x) || !within(o, x))
        return -1;
    v->f = x;
    return 0;
}

static int read_choice(const struct assay_option *o, const char *text, struct assay_value *v)
{
    for (int i = 0; o->choices[i]; i++) {
        if (strcmp(text, o->choices[i]) != 0)
            continue;
        v->i = i;
        v->s = o->choices[i];
        return 0;
    }
    return -1;
}

static int read_value(const struct assay_option *o, const char *text, struct assay_value *v)
{
    memset(v, 0, sizeof(*v));
    switch (o->type) {
    case ASSAY_OPTION_BOOL:
        return read_bool(text, v);
    case ASSAY_OPTION_INT:
        return read_int(o, text, v);
    case ASSAY_OPTION_REAL:
        return read_real(o, text, v);
    case ASSAY_OPTION_CHOICE:
        return read_choice(o, text, v);
    default:
        v->s = text;
        return 0;
    }
}

/* What the row takes, in words. */
static void describe_wanted(const struct assay_option *o, char *out, size_t cap)
{
    struct text t;

    text_init(&t, cap - 1);
    if (o->type == ASSAY_OPTION_BOOL)
        text_add(&t, "on or off");
    else if (o->type == ASSAY_OPTION_CHOICE)
        for (int i = 0; o->choices[i]; i++)
            text_addf(&t, "%s%s", i ? (o->choices[i + 1] ? ", " : " or ") : "", o->choices[i]);
    else
        text_addf(&t, "a %snumber", o->type == ASSAY_OPTION_INT ? "whole " : "");
    if (o->type != ASSAY_OPTION_BOOL && o->type != ASSAY_OPTION_CHOICE && (o->min || o->max))
        text_addf(&t, " from %g to %g", o->min, o->max);
    snprintf(out, cap, "%s", t.s);
    text_release(&t);
}

static int bad_value(const struct assay_engine *table, const struct assay_option *o,
                     const char *text, struct assay_err *err)
{
    char wanted[160];

    describe_wanted(o, wanted, sizeof(wanted));
    return assay_fail(err, ASSAY_EUSAGE, "engine option %s=%s: '%s' wants %s", o->name, text,
                      table->name, wanted);
}

static uint32_t count_rows(const struct assay_engine *table)
{
    uint32_t n = 0;

    while (table->options && table->options[n].name)
        n++;
    return n;
}

static int unknown_option(const struct assay_engine *table, const char *name, struct assay_err *err)
{
    uint32_t n = count_rows(table);
    const char *near =
        n ? text_nearest(name, &table->options[0].name, n, sizeof(struct assay_option)) : NULL;

    if (near)
        return assay_fail(err, ASSAY_EUSAGE,
                          "engine option '%s': '%s' has no such option; did you mean '%s'?", name,
                          table->name, near);
    return assay_fail(err, ASSAY_EUSAGE,
                      "engine option '%s': '%s' has no such option; `assay engines %s` lists them",
                      name, table->name, table->name);
}

/* Reads the user's "a=b,c=d" over the defaults; text is cut into pieces in place. */
static int read_pairs(const struct assay_engine *table, char *text, struct assay_value *v,
                      struct assay_err *err)
{
    uint32_t n = count_rows(table), i;
    char *rest = NULL, *pair, *value;

    for (pair = strtok_r(text, ",", &rest); pair; pair = strtok_r(NULL, ",", &rest)) {
        value = strchr(pair, '=');
        if (!value)
            return assay_fail(err, ASSAY_EUSAGE, "engine option '%s': write it as NAME=VALUE",
                              pair);
        *value++ = 0;
        for (i = 0; i < n && strcmp(table->options[i].name, pair) != 0; i++)
            ;
        if (i == n)
            return unknown_option(table, pair, err);
        if (read_value(&table->options[i], value, &v[i]))
            return bad_value(table, &table->options[i], value, err);
    }
    return ASSAY_OK;
}

int engine_parse_options(const struct assay_engine *table, const char *text,
                         struct assay_value **values, uint32_t *count, char **storage,
                         struct assay_err *err)
{
    uint32_t n = count_rows(table);
    struct assay_value *v = calloc(n + 1, sizeof(*v));
    char *copy = strdup(text ? text : "");
    int rc = ASSAY_OK;

    if (!v || !copy) {
        rc = assay_fail(err, ASSAY_EFAIL, "engine options: not enough memory");
        goto out;
    }
    for (uint32_t i = 0; i < n && !rc; i++)
        if (read_value(&table->options[i], table->options[i].initial, &v[i]))
            rc = bad_value(table, &table->options[i], table->options[i].initial, err);
    if (!rc)
        rc = read_pairs(table, copy, v, err);
    if (!rc && values) {
        *values = v;
        *count = n;
        *storage = copy;
        return ASSAY_OK;
    }
out:
    free(v);
    free(copy);
    return rc;
}

/* What an exploration is asked for, from the words that a user writes. */
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "load/settings.h"
#include "run/exploring.h"

#define BUDGET_S 900
#define SHORT_S  2

const char *const exploring_words[] = {"models", "engines", "devices", "precisions",
                                       "lanes",  "threads", "batches", "constraint",
                                       "budget", "short",   NULL};

void exploring_ask_init(struct exploring_ask *ask, const struct settings *base)
{
    *ask = (struct exploring_ask){.base = base, .budget_s = BUDGET_S, .short_s = SHORT_S};
    ask->search.accuracy = base->dataset != NULL; /* of made-up samples it says nothing */
}

void exploring_ask_release(struct exploring_ask *ask)
{
    json_decref(ask->models);
    json_decref(ask->engines);
    json_decref(ask->devices);
    json_decref(ask->precisions);
    ask->models = ask->engines = ask->devices = ask->precisions = NULL;
}

static void set_list(json_t **list, const char *text)
{
    json_decref(*list);
    *list = list_split(text);
}

/* "1,2,4" as numbers. */
static int set_numbers(const char *name, const char *text, uint32_t values[], size_t *n,
                       struct assay_err *err)
{
    char *end;

    for (*n = 0; *text; text = end + (*end == ',')) {
        unsigned long v = strtoul(text, &end, 10);

        if (end == text || (*end && *end != ',') || !v || v > 65536 || *n == EXPLORE_VALUES_MAX)
            return assay_fail(err, ASSAY_EUSAGE,
                              "--%s wants numbers from 1 to 65536, at most %d: 1,2,4", name,
                              EXPLORE_VALUES_MAX);
        values[(*n)++] = (uint32_t)v;
    }
    return ASSAY_OK;
}

/* "90s", "15m", "2h", or seconds. */
static int set_seconds(const char *name, const char *text, double *out, struct assay_err *err)
{
    char *end;

    *out = strtod(text, &end);
    if (end != text && (!strcmp(end, "m") || !strcmp(end, "h")))
        *out *= *end == 'm' ? 60 : 3600;
    else if (end == text || (*end && strcmp(end, "s")))
        *out = 0;
    if (*out > 0 && *out < 1e7)
        return ASSAY_OK;
    return assay_fail(err, ASSAY_EUSAGE, "--%s wants a time: 90s, 15m, 2h", name);
}

static int add_constraints(struct explore_ask *a, const char *text, struct assay_err *err)
{
    json_t *list = list_split(text), *item;
    size_t i;
    int rc = ASSAY_OK;

    json_array_foreach(list, i, item)
    {
        if (rc)
            continue;
        if (a->constraint_count == FRONT_CONSTRAINTS_MAX)
            rc = assay_fail(err, ASSAY_EUSAGE, "--constraint: at most %d", FRONT_CONSTRAINTS_MAX);
        else
            rc = front_parse(json_string_value(item), &a->constraints[a->constraint_count], err);
        if (!rc && !strcmp(a->constraints[a->constraint_count++].figure, "accuracy"))
            a->accuracy = true;
    }
    json_decref(list);
    return rc;
}

int exploring_read(struct exploring_ask *ask, const char *name, const char *text,
                   struct assay_err *err)
{
    const struct {
        const char *name;
        json_t **list;
    } lists[] = {{"models", &ask->models},
                 {"engines", &ask->engines},
                 {"devices", &ask->devices},
                 {"precisions", &ask->precisions}};
    struct explore_ask *a = &ask->search;

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        if (!strcmp(lists[i].name, name))
            return set_list(lists[i].list, text), ASSAY_OK;
    if (!strcmp(name, "lanes"))
        return set_numbers(name, text, a->lanes, &a->lane_count, err);
    if (!strcmp(name, "threads"))
        return set_numbers(name, text, a->threads, &a->thread_count, err);
    if (!strcmp(name, "batches"))
        return set_numbers(name, text, a->batches, &a->batch_count, err);
    if (!strcmp(name, "constraint"))
        return add_constraints(a, text, err);
    if (!strcmp(name, "budget"))
        return set_seconds(name, text, &ask->budget_s, err);
    if (!strcmp(name, "short"))
        return set_seconds(name, text, &ask->short_s, err);
    return assay_fail(err, ASSAY_EUSAGE,
                      "'%.40s' is no part of an exploration: models engines devices precisions "
                      "lanes threads batches constraint budget short",
                      name);
}

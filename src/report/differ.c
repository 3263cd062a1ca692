/* Two records side by side: one row of a table a member, and loops over settings and facts. */
#include "report/differ.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"
#include "base/tree.h"
#include "record/record.h"
#include "report/format.h"

static const struct {
    const char *part, *member, *kind;
} members[] = {
    {"model", "name", "set-up"},
    {"model", "format", "set-up"},
    {"model", "precision", "set-up"},
    {"model", "sha256", "set-up"},
    {"model", "manifest", "set-up"},
    {"dataset", "name", "set-up"},
    {"dataset", "hash", "set-up"},
    {"dataset", "samples", "set-up"},
    {"dataset", "performance_samples", "set-up"},
    {"dataset", "preprocess", "set-up"},
    {"engine", "name", "set-up"},
    {"engine", "device", "set-up"},
    {"engine", "precision", "set-up"},
    {"engine", "lanes", "set-up"},
    {"engine", "threads", "set-up"},
    {"engine", "batch", "set-up"},
    {"engine", "version", "software"},
    {"engine", "library_sha256", "software"},
    {"engine", "plugin_sha256", "software"},
    {"loadgen", "version", "software"},
    {"loadgen", "sha256", "software"},
    {"assay", "version", "software"},
    {"assay", "sha256", "software"},
    {"assay", "benchmark_sha256", "software"},
    {"engine", "device_name", "machine"},
};

/* Settings that say where things lie or what is shown, and those that members above tell better. */
static const char *const not_compared[] = {
    "store",   "cache",   "progress",       "tag",       "json",
    "dry-run", "tune",    "tuned",          "tune-s",    "data-threads",
    "model",   "dataset", "engine",         "device",    "lanes",
    "threads", "batch",   "engine-options", "user-conf", "audit-config",
    "loadgen", NULL};

static void add(json_t *list, const char *what, const char *kind, const json_t *a, const json_t *b)
{
    bool none_a = !a || json_is_null(a), none_b = !b || json_is_null(b);

    if ((none_a && none_b) || (!none_a && !none_b && json_equal(a, b)))
        return;
    json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o}", "what", what, "kind", kind, "a",
                                          none_a ? json_null() : json_deep_copy(a), "b",
                                          none_b ? json_null() : json_deep_copy(b)));
}

/* Numbers that are equal as numbers: a round trip through JSON may turn 1.0 into 1. */
static bool same_number(const json_t *a, const json_t *b)
{
    return json_is_number(a) && json_is_number(b) && json_number_value(a) == json_number_value(b);
}

#define DEPTH 6 /* deeper than any manifest is */

/* Member by member, so that what changed is seen. */
static void add_members(json_t *list, const char *what, const char *kind, const json_t *a,
                        const json_t *b, int depth)
{
    const json_t *all[] = {a, b}, *x, *y;
    const char *name;
    char member[200];
    json_t *value;

    for (int side = 0; side < 2; side++)
        json_object_foreach((json_t *)(uintptr_t)all[side], name, value)
        {
            x = json_object_get(a, name);
            y = json_object_get(b, name);
            if ((side && x) || same_number(x, y))
                continue;
            snprintf(member, sizeof(member), "%.120s.%.60s", what, name);
            if (depth < DEPTH && json_is_object(x) && json_is_object(y))
                add_members(list, member, kind, x, y, depth + 1);
            else
                add(list, member, kind, x, y);
        }
}

static void add_manifests(json_t *list, const char *what, const char *kind, const json_t *a,
                          const json_t *b)
{
    json_t *x = record_manifest_content(a), *y = record_manifest_content(b);

    if (x && y)
        add_members(list, what, kind, x, y, 0);
    else
        add(list, what, kind, x, y);
    json_decref(x);
    json_decref(y);
}

/* LoadGen's log has six digits of a number. */
static bool is_logged(const json_t *row, const json_t *x, const json_t *y)
{
    double a = json_number_value(x), b = json_number_value(y);

    return json_is_number(x) && json_is_number(y) && !strcmp(tree_text(row, "origin", ""), "log") &&
           fabs(a - b) <= 1e-5 * fabs(b);
}

static bool is_compared(const char *name)
{
    for (const char *const *n = not_compared; *n; n++)
        if (!strcmp(name, *n))
            return false;
    return true;
}

static bool is_found(const json_t *row)
{
    return !strcmp(tree_text(row, "origin", ""), "measured");
}

static void add_settings(json_t *list, const json_t *a, const json_t *b)
{
    const char *name;
    char what[80];
    json_t *row;

    json_object_foreach((json_t *)(uintptr_t)a, name, row)
    {
        const json_t *other = json_object_get(b, name);
        const json_t *x = json_object_get(row, "value"), *y = json_object_get(other, "value");

        /* One that only one of the two Assays knows says nothing about the run. */
        if (!other || !is_compared(name) || (is_found(row) && is_found(other)) ||
            same_number(x, y) || is_logged(row, x, y) || is_logged(other, x, y))
            continue;
        snprintf(what, sizeof(what), "settings.%s", name);
        add(list, what, "set-up", x, y);
    }
}

static bool is_unknown(const json_t *fact)
{
    return !fact || !strcmp(tree_text(fact, "from", ""), "unknown");
}

static void add_facts(json_t *list, const json_t *a, const json_t *b)
{
    const char *name;
    char what[80];
    json_t *fact;

    json_object_foreach((json_t *)(uintptr_t)a, name, fact)
    {
        if (is_unknown(fact) || is_unknown(json_object_get(b, name)) ||
            !strcmp(name, "load_average") ||
            same_number(json_object_get(fact, "value"),
                        json_object_get(json_object_get(b, name), "value")))
            continue;
        snprintf(what, sizeof(what), "system.%s", name);
        add(list, what, "machine", json_object_get(fact, "value"),
            json_object_get(json_object_get(b, name), "value"));
    }
}

/* What a record of LoadGen's logs alone does not know is no difference. */
static void drop_unknown(json_t *list)
{
    for (size_t i = json_array_size(list); i-- > 0;) {
        const json_t *d = json_array_get(list, i);

        if (json_is_null(json_object_get(d, "a")) || json_is_null(json_object_get(d, "b")))
            json_array_remove(list, i);
    }
}

json_t *differ_records(const json_t *a, const json_t *b)
{
    json_t *list = json_array();
    const char *kind = members[0].kind;
    char what[80];
    size_t i;

    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        const char *part = members[i].part, *member = members[i].member;
        const json_t *x = json_object_get(json_object_get(a, part), member);
        const json_t *y = json_object_get(json_object_get(b, part), member);

        if (strcmp(kind, members[i].kind) && !strcmp(kind, "set-up")) { /* settings are its last */
            add_settings(list, json_object_get(a, "settings"), json_object_get(b, "settings"));
            add_members(list, "engine.options", kind,
                        json_object_get(json_object_get(a, "engine"), "options"),
                        json_object_get(json_object_get(b, "engine"), "options"), DEPTH);
        }
        kind = members[i].kind;
        snprintf(what, sizeof(what), "%s.%s", part, member);
        (strcmp(member, "manifest") ? add : add_manifests)(list, what, kind, x, y);
    }
    add_facts(list, json_object_get(a, "system"), json_object_get(b, "system"));
    if (json_object_get(a, "logs") || json_object_get(b, "logs"))
        drop_unknown(list);
    return list;
}

bool differ_same_machine(const json_t *a, const json_t *b)
{
    static const char *const facts[] = {"processor", "threads", "memory_bytes"};
    bool known = false; /* nothing known of either is no reason to take them for one */
    size_t i;

    for (i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        const json_t *x = json_object_get(json_object_get(a, "system"), facts[i]);
        const json_t *y = json_object_get(json_object_get(b, "system"), facts[i]);

        if (!x || !y || !json_equal(json_object_get(x, "value"), json_object_get(y, "value")))
            return false;
        known = known || !json_is_null(json_object_get(x, "value"));
    }
    return known;
}

/* From a few characters before the place where they differ, where what comes before fills a side.
 */
static void cut(const char *text, size_t same, char side[DIFFER_SIDE])
{
    size_t from = strlen(text) >= DIFFER_COLUMNS && same > DIFFER_COLUMNS / 3
                      ? same - DIFFER_COLUMNS / 3
                      : 0,
           to;

    while (from && ((unsigned char)text[from] & 0xc0) == 0x80)
        from--;
    text += from;
    to = strlen(text) > DIFFER_COLUMNS ? DIFFER_COLUMNS : strlen(text);
    while (to && text[to] && ((unsigned char)text[to] & 0xc0) == 0x80)
        to--;
    snprintf(side, DIFFER_SIDE, "%s%.*s%s", from ? "…" : "", (int)to, text, text[to] ? "…" : "");
    format_clean(side);
}

void differ_sides(const json_t *difference, char a[DIFFER_SIDE], char b[DIFFER_SIDE])
{
    const json_t *x = json_object_get(difference, "a"), *y = json_object_get(difference, "b");
    char left[4096], right[4096];
    size_t same = 0;

    format_json(left, sizeof(left), x);
    format_json(right, sizeof(right), y);
    while (left[same] && left[same] == right[same])
        same++;
    cut(left, same, a);
    cut(right, same, b);
}

/* Records as cells of the matrix: see cell.h.
 *
 * A record is a file that anybody may have edited: a member of another kind is taken as missing. */
#include "record/cell.h"

#include <stdlib.h>
#include <string.h>

#include "base/tree.h"
#include "record/record.h"

const char *const cell_key[] = {"benchmark", "model",    "engine", "device",
                                "precision", "scenario", "mode",   NULL};

static const char *setting_text(const json_t *record, const char *name)
{
    return tree_text(json_object_get(json_object_get(record, "settings"), name), "value", NULL);
}

/* What was asked for: an engine may execute another precision, and say it. */
static const char *asked_precision(const json_t *record)
{
    const json_t *manifest = json_object_get(json_object_get(record, "model"), "manifest");
    const char *asked = setting_text(record, "precision");

    return asked
               ? asked
               : tree_text(manifest, "precision",
                           record_is_of_logs(record)
                               ? tree_text(json_object_get(record, "model"), "precision", "unknown")
                               : "fp32");
}

const char *cell_executed(const json_t *record, const char *asked)
{
    const char *executed = tree_text(json_object_get(record, "engine"), "precision", "none");

    return strcmp(executed, "none") && strcmp(executed, asked) ? executed : NULL;
}

static void set(json_t *cell, const char *key, const char *text)
{
    if (text)
        json_object_set_new(cell, key, json_string(text));
}

static void set_state(json_t *cell, const char *state, const char *reason)
{
    set(cell, "state", state);
    set(cell, "reason", reason);
}

/* The reason of an INVALID run, or of an accuracy that is too low; NULL: all is well. */
static const char *shortfall(const json_t *record, char text[160])
{
    const json_t *verdict = json_object_get(record, "verdict"),
                 *accuracy = json_object_get(record, "accuracy");

    if (!tree_bool(verdict, "valid", false))
        return json_string_value(json_array_get(json_object_get(verdict, "reasons"), 0))
                   ? json_string_value(json_array_get(json_object_get(verdict, "reasons"), 0))
                   : "INVALID";
    if (tree_bool(accuracy, "passed", true))
        return NULL;
    snprintf(text, 160, "%s %.5g is below the target of %.5g %s",
             tree_text(accuracy, "metric", "accuracy"), tree_real(accuracy, "value", 0),
             tree_real(accuracy, "target", 0), tree_text(accuracy, "unit", ""));
    return text;
}

static void judge(json_t *cell, const json_t *record)
{
    const json_t *error = json_object_get(record, "error"),
                 *engine = json_object_get(record, "engine");
    int64_t code = tree_int(error, "code", 0);
    const char *why = tree_text(error, "text", "failed without a word"),
               *executed = cell_executed(record, tree_text(cell, "precision", ""));
    char text[160];

    if (!strcmp(tree_text(record, "status", ""), "error")) {
        if (code == ASSAY_ELACK || code == ASSAY_EUSAGE ||
            tree_bool(json_object_get(record, "time"), "over", false))
            set_state(cell, CELL_UNKNOWN, why);
        else if (code == ASSAY_EUNSUPPORTED)
            set_state(cell, CELL_NONE, why);
        else
            set_state(cell, CELL_FAILED, why);
        return;
    }
    if (executed) {
        snprintf(text, sizeof(text), "%.40s executed %.20s",
                 tree_text(engine, "name", "the engine"), executed);
        set_state(cell, CELL_NONE, text);
        return;
    }
    why = shortfall(record, text);
    set_state(cell, why ? CELL_FAILED : CELL_OK, why);
}

/* The machine in a few words. */
static void set_machine(json_t *cell, const json_t *record)
{
    const json_t *system = json_object_get(record, "system");
    const char *cpu = tree_text(json_object_get(system, "processor"), "value", NULL);
    int64_t cpus = tree_int(json_object_get(system, "threads"), "value", 0);
    double bytes = tree_real(json_object_get(system, "memory_bytes"), "value", 0);

    if (cpu)
        json_object_set_new(
            cell, "machine",
            json_sprintf("%s, %lld CPUs, %.0f GiB", cpu, (long long)cpus, bytes / (1 << 30)));
}

static const char *fact_text(const json_t *record, const char *name, const char *unknown)
{
    const json_t *fact = json_object_get(json_object_get(record, "system"), name);
    const char *text = tree_text(fact, "value", "");

    return *text ? text : unknown;
}

/* The first card of a machine's list that CUDA may run on, which names several of a kind several
 * times and a screen's chip, too. */
static void card_name(const json_t *record, char out[64])
{
    const char *list = fact_text(record, "gpu_models", "unknown GPU");
    size_t len = strcspn(list, ",");

    while (list[len] && (!strncmp(list, "AMD ", 4) || !strncmp(list, "Intel ", 6))) {
        list += len + 1 + (list[len + 1] == ' ');
        len = strcspn(list, ",");
    }
    snprintf(out, 64, "%.*s", len < 60 ? (int)len : 60, list);
}

/* What tells setups of different machines apart. */
static void set_system(json_t *cell, const json_t *record)
{
    bool card = !strncmp(tree_text(cell, "device", ""), "cuda", 4);
    char name[64] = "", text[240];

    if (card)
        card_name(record, name);
    snprintf(text, sizeof(text), "%s%s%.40s, %.80s", name, card ? ", " : "",
             fact_text(record, "architecture", "unknown architecture"),
             fact_text(record, "operating_system", "unknown OS"));
    json_object_set_new(cell, "system", tree_string(text));
}

/* Copies members as they are. */
static void take(json_t *cell, const json_t *from, const char *const *names)
{
    for (; *names; names++)
        if (json_object_get(from, *names) && !json_is_null(json_object_get(from, *names)))
            json_object_set(cell, *names, json_object_get(from, *names));
}

static void set_figures(json_t *cell, const json_t *record)
{
    static const char *const frame[] = {"id", "created", "profile", "command", NULL};
    static const char *const figure[] = {"metric", "value", "unit", NULL};
    const json_t *accuracy = json_object_get(record, "accuracy"),
                 *synthetic = json_object_get(record, "synthetic");

    take(cell, record, frame);
    take(cell, json_object_get(record, "performance"), figure);
    set(cell, "verdict", tree_text(json_object_get(record, "verdict"), "word", NULL));
    if (json_is_object(accuracy)) {
        json_object_set_new(cell, "accuracy", json_object());
        take(json_object_get(cell, "accuracy"), accuracy, figure);
    }
    json_object_set_new(cell, "synthetic",
                        tree_bool(synthetic, "weights", false) ||
                                tree_bool(synthetic, "samples", false)
                            ? json_true()
                        : record_is_of_logs(record) ? json_null()
                                                    : json_false());
    if (tree_bool(json_object_get(record, "time"), "over", false))
        json_object_set_new(cell, "limit_s",
                            json_real(tree_real(json_object_get(record, "time"), "limit_s", 0)));
    if (json_object_get(record, "foreign"))
        json_object_set_new(cell, "foreign", json_true());
    set(cell, "assay", tree_text(json_object_get(record, "assay"), "version", NULL));
    set_machine(cell, record);
    set_system(cell, record);
}

json_t *cell_of_record(const json_t *record)
{
    const json_t *engine = json_object_get(record, "engine");
    const char *device = setting_text(record, "device"), *status = tree_text(record, "status", "");
    json_t *cell;

    if (strcmp(status, "done") && strcmp(status, "error"))
        return NULL;
    cell = json_object();
    set(cell, "benchmark", tree_text(record, "benchmark", "?"));
    set(cell, "model", tree_text(json_object_get(record, "model"), "name", "?"));
    set(cell, "engine", tree_text(engine, "name", "?"));
    set(cell, "engine_version", tree_text(engine, "version", ""));
    set(cell, "device", device ? device : tree_text(engine, "device", "cpu"));
    set(cell, "precision", asked_precision(record));
    set(cell, "scenario", tree_text(record, "scenario", "?"));
    set(cell, "mode", tree_text(record, "mode", "?"));
    judge(cell, record);
    set_figures(cell, record);
    return cell;
}

int cell_list(const char *store, json_t **cells, struct assay_err *err)
{
    json_t *rows = NULL, *row, *record, *cell;
    char path[1200];
    size_t i;
    int rc = record_list(store, &rows, err);

    if (rc)
        return rc;
    *cells = json_array();
    json_array_foreach(rows, i, row)
    {
        snprintf(path, sizeof(path), "%s/runs/%s/record.json", store, tree_text(row, "id", ""));
        if (tree_read_json(path, &record, NULL)) /* it was removed just now */
            continue;
        if ((cell = cell_of_record(record)))
            json_array_append_new(*cells, cell);
        json_decref(record);
    }
    json_decref(rows);
    return ASSAY_OK;
}

bool cell_same(const json_t *a, const json_t *b)
{
    for (const char *const *k = cell_key; *k; k++)
        if (strcmp(tree_text(a, *k, ""), tree_text(b, *k, "")))
            return false;
    return true;
}

/* ---- versions ---- */

/* Numbers in a version are compared as numbers: 1.9 comes before 1.21. */
static int compare_versions(const char *a, const char *b)
{
    while (*a || *b) {
        char *ea, *eb;
        unsigned long long na = strtoull(a, &ea, 10), nb = strtoull(b, &eb, 10);

        if (ea == a || eb == b || *a == '-' || *b == '-') { /* not both are numbers */
            if (*a != *b)
                return (unsigned char)*a - (unsigned char)*b;
            a++;
            b++;
        } else {
            if (na != nb)
                return na < nb ? -1 : 1;
            a = ea;
            b = eb;
        }
    }
    return 0;
}

/* *place: where it is, or belongs. */
static bool has_version(const json_t *list, const char *version, size_t *place)
{
    int order = -1;

    for (*place = 0; *place < json_array_size(list); ++*place) {
        order = compare_versions(tree_text(json_array_get(list, *place), "version", ""), version);
        if (order >= 0)
            break;
    }
    return order == 0;
}

json_t *cell_versions(const json_t *a, const json_t *cells)
{
    const char *system = tree_text(a, "system", NULL);
    json_t *list = json_array();
    const json_t *c;
    size_t i, place;

    json_array_foreach(cells, i, c)
    {
        const char *version = tree_text(c, "engine_version", ""),
                   *state = tree_text(c, "state", "");
        bool says = (!strcmp(state, CELL_OK) || !strcmp(state, CELL_FAILED)) &&
                    (!system || !strcmp(system, tree_text(c, "system", "")));

        if (*version && says && cell_same(a, c) && !has_version(list, version, &place))
            json_array_insert_new(list, place,
                                  json_pack("{s:s, s:s, s:s}", "version", version, "state", state,
                                            "id", tree_text(c, "id", "")));
    }
    return list;
}

void cell_ranges(const json_t *versions, char *out, size_t size)
{
    size_t n = json_array_size(versions), i, from, len = 0;

    out[0] = 0;
    for (i = 0; i < n; i = from + 1) {
        const char *first, *last = NULL;

        for (from = i; from < n; from++) {
            const json_t *v = json_array_get(versions, from);

            if (strcmp(tree_text(v, "state", ""), CELL_OK))
                break;
            last = tree_text(v, "version", "");
        }
        if (!last || len >= size)
            continue;
        first = tree_text(json_array_get(versions, i), "version", "");
        len += (size_t)snprintf(out + len, size - len, "%s%s%s%s", len ? ", " : "", first,
                                first == last ? "" : " to ", first == last ? "" : last);
    }
}

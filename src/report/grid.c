/* Cells as a grid: see grid.h. */
#include "report/grid.h"

#include <stdio.h>
#include <string.h>

#include "base/tree.h"
#include "record/cell.h"
#include "report/format.h"

const char *const grid_columns[GRID_COLUMNS] = {"SingleStream", "MultiStream", "Server",
                                                "Server peak",  "Offline",     "Accuracy"};
const char *const grid_marks[] = {"✓", "✗", "·", "–"};

static const char *const setup_key[] = {"system", "engine",    "engine_version",
                                        "device", "precision", NULL};
static const char *const benchmark_key[] = {"benchmark", "model", NULL};

/* NULL: no column shows it (a submission's two parts are runs of their own in a matrix). */
static const char *column_of(const json_t *cell)
{
    const char *mode = tree_text(cell, "mode", ""), *scenario = tree_text(cell, "scenario", "");

    if (!strcmp(mode, "accuracy"))
        return "Accuracy";
    if (!strcmp(mode, "find-peak"))
        return "Server peak";
    for (size_t i = 0; i < GRID_COLUMNS; i++)
        if (!strcmp(grid_columns[i], scenario))
            return grid_columns[i];
    return NULL;
}

static bool same(const json_t *a, const json_t *b, const char *const *key)
{
    for (; *key; key++)
        if (strcmp(tree_text(a, *key, ""), tree_text(b, *key, "")))
            return false;
    return true;
}

/* The item of the list with this key, made with what `more` names when there is none. */
static json_t *place(json_t *list, const json_t *cell, const char *const *key, const char *more,
                     json_t *empty)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (same(item, cell, key)) {
            json_decref(empty);
            return item;
        }
    }
    item = json_object();
    for (; *key; key++)
        json_object_set_new(item, *key, json_string(tree_text(cell, *key, "")));
    if (more)
        json_object_set_new(item, more, empty);
    json_array_append_new(list, item);
    return item;
}

/* Figures of different profiles, or of synthetic data, real ones and such as nobody knows, are of
 * different runs. */
static bool same_kind(const json_t *a, const json_t *b)
{
    return !strcmp(tree_text(a, "profile", ""), tree_text(b, "profile", "")) &&
           tree_bool(a, "synthetic", false) == tree_bool(b, "synthetic", false) &&
           json_is_null(json_object_get(a, "synthetic")) ==
               json_is_null(json_object_get(b, "synthetic"));
}

/* The first cell of a place that was run stands for it; the others, older or of other machines, are
 * in its "others", and "contradicts" says that one of its kind that was tried ended otherwise,
 * "mixed" that one is of another kind. */
static void enter(json_t *row, const char *column, const json_t *cell)
{
    json_t *first = json_object_get(row, column), *others;

    if (!first) {
        json_object_set_new(row, column, json_copy((json_t *)(uintptr_t)cell));
        return;
    }
    others = json_object_get(first, "others");
    others = json_is_array(others) ? json_incref(others) : json_array();
    if (grid_state(first) > GRID_FAILED && grid_state(cell) <= GRID_FAILED) {
        json_object_del(first, "others"); /* a run that was made says more than one that was not */
        json_array_insert(others, 0, first);
        first = json_copy((json_t *)(uintptr_t)cell);
        json_object_set_new(row, column, first);
    } else {
        json_array_append(others, (json_t *)(uintptr_t)cell);
    }
    json_object_set_new(first, "others", others);
    if (!same_kind(first, cell))
        json_object_set_new(first, "mixed", json_true());
    else if (grid_state(first) + grid_state(cell) == GRID_OK + GRID_FAILED)
        json_object_set_new(first, "contradicts", json_true());
}

json_t *grid_make(const json_t *cells)
{
    json_t *benchmarks = json_array(), *setups = json_array(), *cell, *benchmark, *row;
    const char *column;
    size_t i;

    json_array_foreach(cells, i, cell)
    {
        if (!json_is_object(cell) || !(column = column_of(cell)))
            continue;
        benchmark = place(benchmarks, cell, benchmark_key, "rows", json_array());
        row = place(json_object_get(benchmark, "rows"), cell, setup_key, "cells", json_object());
        enter(json_object_get(row, "cells"), column, cell);
        place(setups, cell, setup_key, NULL, NULL);
    }
    return json_pack("{s:o, s:o}", "benchmarks", benchmarks, "setups", setups);
}

/* What all have in common need not be said. */
static void drop_one_system(json_t *cells)
{
    const char *first = tree_text(json_array_get(cells, 0), "system", "");
    bool differ = false;
    json_t *cell;
    size_t i;

    json_array_foreach(cells, i, cell)
    {
        differ = differ || strcmp(tree_text(cell, "system", ""), first);
    }
    json_array_foreach(differ ? NULL : cells, i, cell)
    {
        json_object_del(cell, "system");
    }
}

json_t *grid_of_views(const struct view *views, size_t n)
{
    json_t *cells = json_array(), *cell, *grid, *versions;
    char ranges[256];
    size_t i;

    for (i = 0; i < n; i++) {
        if (!(cell = cell_of_record(views[i].record)))
            continue;
        json_object_set_new(cell, "anchor", json_string(views[i].anchor));
        json_array_append_new(cells, cell);
    }
    drop_one_system(cells);
    json_array_foreach(cells, i, cell)
    {
        versions = cell_versions(cell, cells);
        cell_ranges(versions, ranges, sizeof(ranges));
        if (*ranges)
            json_object_set_new(cell, "works_with", tree_string(ranges));
        json_decref(versions);
    }
    grid = grid_make(cells);
    json_decref(cells);
    if (json_array_size(json_object_get(grid, "setups")) > 1 ||
        json_array_size(json_object_get(grid, "benchmarks")) > 1)
        return grid;
    json_decref(grid);
    return NULL;
}

static const json_t *cell_at(const json_t *row, const char *column)
{
    return json_object_get(json_object_get(row, "cells"), column);
}

bool grid_has_column(const json_t *benchmark, const char *column)
{
    const json_t *row;
    size_t i;

    json_array_foreach(json_object_get(benchmark, "rows"), i, row)
    {
        if (cell_at(row, column))
            return true;
    }
    return false;
}

void grid_benchmark(const json_t *benchmarks, const json_t *benchmark, char out[200])
{
    const char *name = tree_text(benchmark, "benchmark", "?");
    const json_t *b;
    size_t i, n = 0;

    json_array_foreach(benchmarks, i, b) n += !strcmp(tree_text(b, "benchmark", "?"), name);
    snprintf(out, 200, "%.90s%s%.90s%s", name, n > 1 ? " (" : "",
             n > 1 ? tree_text(benchmark, "model", "?") : "", n > 1 ? ")" : "");
    format_clean(out);
}

const json_t *grid_row(const json_t *benchmark, const json_t *setup)
{
    const json_t *row;
    size_t i;

    json_array_foreach(json_object_get(benchmark, "rows"), i, row)
    {
        if (same(row, setup, setup_key))
            return row;
    }
    return NULL;
}

enum grid_state grid_state(const json_t *cell)
{
    const char *state = tree_text(cell, "state", "");

    return !strcmp(state, CELL_OK)       ? GRID_OK
           : !strcmp(state, CELL_FAILED) ? GRID_FAILED
           : !strcmp(state, CELL_NONE)   ? GRID_NONE
                                         : GRID_UNKNOWN;
}

const char *grid_one_reason(const json_t *row)
{
    const char *reason = NULL, *own;

    for (size_t i = 0; i < GRID_COLUMNS; i++) {
        const json_t *cell = cell_at(row, grid_columns[i]);

        if (!cell)
            continue;
        own = tree_text(cell, "reason", "");
        if (grid_state(cell) < GRID_UNKNOWN || (reason && strcmp(reason, own)))
            return NULL;
        reason = own;
    }
    return reason && *reason ? reason : NULL;
}

enum grid_state grid_summary(const json_t *row, char out[32])
{
    int n[4] = {0}, contradictions = 0;

    for (size_t i = 0; i < GRID_COLUMNS; i++)
        if (cell_at(row, grid_columns[i])) {
            n[grid_state(cell_at(row, grid_columns[i]))]++;
            contradictions += tree_bool(cell_at(row, grid_columns[i]), "contradicts", false);
        }
    if (contradictions) {
        snprintf(out, 32, "✓✗ %d contradicted", contradictions);
        return GRID_FAILED;
    }
    if (n[GRID_FAILED]) {
        snprintf(out, 32, "✗ %d of %d", n[GRID_FAILED], n[GRID_OK] + n[GRID_FAILED]);
        return GRID_FAILED;
    }
    if (n[GRID_OK]) {
        if (n[GRID_UNKNOWN])
            snprintf(out, 32, "✓ %d of %d", n[GRID_OK], n[GRID_OK] + n[GRID_UNKNOWN]);
        else
            snprintf(out, 32, "✓ %d", n[GRID_OK]);
        return GRID_OK;
    }
    snprintf(out, 32, "%s", n[GRID_UNKNOWN] ? "not tested" : "–");
    return n[GRID_UNKNOWN] ? GRID_UNKNOWN : GRID_NONE;
}

void grid_figure(const json_t *cell, char out[64])
{
    const json_t *from =
        strcmp(tree_text(cell, "mode", ""), "accuracy") ? cell : json_object_get(cell, "accuracy");
    const char *unit = tree_text(from, "unit", "");

    out[0] = 0;
    if (json_is_number(json_object_get(from, "value")))
        format_value(out, tree_real(from, "value", 0), strcmp(unit, "samples/s") ? unit : "/s");
    format_clean(out);
}

/* A model's own name may say it already. */
static bool to_be_marked(const json_t *cell)
{
    return tree_bool(cell, "synthetic", false) &&
           !strstr(tree_text(cell, "model", ""), "-synthetic");
}

void grid_others(const json_t *cell, char out[GRID_OTHERS])
{
    size_t n = json_array_size(json_object_get(cell, "others")), len;
    char records[40] = "";

    if (n)
        snprintf(records, sizeof(records), ", %zu records", n + 1);
    snprintf(out, GRID_OTHERS, "%s%s%s%s%s", records,
             tree_bool(cell, "mixed", false) ? " of different kinds" : "",
             tree_bool(cell, "contradicts", false) ? ", contradictory" : "",
             to_be_marked(cell) ? ", synthetic" : "",
             tree_bool(cell, "foreign", false) ? ", imported" : "");
    len = strlen(out);
    if (!len)
        return;
    out[0] = ' '; /* in the place of the first comma */
    out[1] = '(';
    memcpy(out + len, ")", 2);
}

void grid_id(const json_t *cell, char out[9])
{
    snprintf(out, 9, "%.8s", tree_text(cell, "id", ""));
    if (strspn(out, "0123456789abcdef") != strlen(out))
        out[0] = 0;
}

void grid_setup(const json_t *row, const char *between, char *out, size_t size)
{
    const char *version = tree_text(row, "engine_version", ""),
               *system = tree_text(row, "system", "");

    snprintf(out, size, "%.180s%s%.40s%s%.40s%s%.20s%s%.20s", system, *system ? between : "",
             tree_text(row, "engine", "?"), *version ? " " : "", version, between,
             tree_text(row, "device", "?"), between, tree_text(row, "precision", "?"));
    format_clean(out);
}

void grid_versions(const json_t *row, char *out, size_t size)
{
    const char *first = NULL, *own;
    bool differ = false;
    size_t len = 0;

    out[0] = 0;
    for (size_t i = 0; i < GRID_COLUMNS; i++) {
        own = tree_text(cell_at(row, grid_columns[i]), "works_with", NULL);
        differ = differ || (own && first && strcmp(own, first));
        first = first ? first : own;
    }
    if (first && !differ)
        snprintf(out, size, "%s", first);
    for (size_t i = 0; differ && i < GRID_COLUMNS && len < size; i++)
        if ((own = tree_text(cell_at(row, grid_columns[i]), "works_with", NULL)))
            len += (size_t)snprintf(out + len, size - len, "%s%s: %s", len ? "; " : "",
                                    grid_columns[i], own);
    format_clean(out);
}

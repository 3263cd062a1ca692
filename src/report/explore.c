/* The table of an exploration: see explore.h. */
#include "report/explore.h"

#include <string.h>

#include "base/tree.h"
#include "record/front.h"
#include "report/format.h"

#define CELL 64

enum {
    MARK,
    SETUP,
    LANES,
    THREADS,
    BATCH,
    RATE,
    LATENCY,
    ACCURACY,
    MEMORY,
    ENERGY,
    RUN,
    ID,
    COLUMNS
};
static const char *const titles[COLUMNS] = {"",       "SETUP",  "LANES",   "THREADS",
                                            "BATCH",  "RATE",   "LATENCY", "ACCURACY",
                                            "MEMORY", "ENERGY", "RUN",     "ID"};

static void number(char *out, const json_t *p, const char *key)
{
    if (tree_int(p, key, 0))
        snprintf(out, CELL, "%lld", (long long)tree_int(p, key, 0));
}

static void figure(char *out, const json_t *p, const char *key, double factor, const char *unit)
{
    char text[64];

    if (!json_is_number(json_object_get(p, key)))
        return;
    format_value(text, tree_real(p, key, 0) * factor, unit);
    snprintf(out, CELL, "%s", text);
}

static void fill(char cell[COLUMNS][CELL], const json_t *p)
{
    memset(cell, 0, sizeof(char[COLUMNS][CELL]));
    snprintf(cell[MARK], CELL, "%s", tree_bool(p, "front", false) ? "*" : "");
    snprintf(cell[SETUP], CELL, "%.20s %.8s%s%.20s", tree_text(p, "engine", "?"),
             tree_text(p, "precision", "?"),
             strcmp(tree_text(p, "device", "cpu"), "cpu") ? " " : "",
             strcmp(tree_text(p, "device", "cpu"), "cpu") ? tree_text(p, "device", "") : "");
    number(cell[LANES], p, "lanes");
    number(cell[THREADS], p, "threads");
    number(cell[BATCH], p, "batch");
    figure(cell[RATE], p, "throughput", 1, "/s");
    figure(cell[LATENCY], p, "latency_ms", 1e6, "ns");
    if (json_is_number(json_object_get(p, "accuracy")))
        snprintf(cell[ACCURACY], CELL, "%.5g", tree_real(p, "accuracy", 0));
    figure(cell[MEMORY], p, "memory_bytes", 1e-6, "MB");
    figure(cell[ENERGY], p, "energy_j", 1, "J");
    snprintf(cell[RUN], CELL, "%s", tree_bool(p, "full", false) ? "full" : "short");
    snprintf(cell[ID], CELL, "%.8s", tree_text(p, "id", ""));
    for (int c = 0; c < COLUMNS; c++)
        format_clean(cell[c]);
}

static void print_row(const char cell[COLUMNS][CELL], const size_t width[COLUMNS], FILE *out)
{
    for (int c = 0; c < COLUMNS; c++) {
        size_t n = format_columns(cell[c]);
        int gap = (int)(width[c] > n ? width[c] - n : 0);
        bool right = c >= LANES && c <= ENERGY;

        if (!width[c] && c)
            continue;
        fprintf(out, "%s%*s%s%*s", c ? "  " : "", right ? gap : 0, "", cell[c],
                right || c == ID ? 0 : gap, "");
    }
    fputc('\n', out);
}

/* What the energy is of, and where it is none of the front's figures. */
static void say_energy(const json_t *points, FILE *out)
{
    const char *of = NULL;
    const json_t *p;
    size_t i;

    json_array_foreach(points, i, p)
    {
        if (!of && json_is_number(json_object_get(p, "energy_j")))
            of = tree_text(p, "energy_of", "?");
    }
    if (of)
        fprintf(out, "\nEnergy of a sample (%.40s)%s\n", of,
                front_has_energy(points)
                    ? ""
                    : "; not every point has the same, so the front is without it");
}

/* Points that are out, with the reason, below the others. */
static void print_out(const json_t *points, FILE *out)
{
    char cell[COLUMNS][CELL], reason[300];
    const json_t *p;
    bool first = true;
    size_t i;

    json_array_foreach(points, i, p)
    {
        if (!tree_bool(p, "out", false))
            continue;
        fill(cell, p);
        snprintf(reason, sizeof(reason), "%s", tree_text(p, "reason", ""));
        format_clean(reason);
        fprintf(out, "%s  %s: %s%s%s\n", first ? "\nOut\n" : "", cell[SETUP], reason,
                *cell[ID] ? "  " : "", cell[ID]);
        first = false;
    }
}

int report_explore(const json_t *points, FILE *out)
{
    char cell[COLUMNS][CELL];
    size_t width[COLUMNS] = {0}, i;
    const json_t *p;

    json_array_foreach(points, i, p)
    {
        fill(cell, p);
        for (int c = 0; c < COLUMNS && !tree_bool(p, "out", false); c++)
            if (format_columns(cell[c]) > width[c])
                width[c] = format_columns(cell[c]);
    }
    width[MARK] = 1;
    for (int c = 0; c < COLUMNS; c++) {
        snprintf(cell[c], CELL, "%s", titles[c]);
        if (width[c] && strlen(titles[c]) > width[c])
            width[c] = strlen(titles[c]);
    }
    print_row(cell, width, out);
    json_array_foreach(points, i, p)
    {
        if (tree_bool(p, "out", false))
            continue;
        fill(cell, p);
        print_row(cell, width, out);
    }
    say_energy(points, out);
    print_out(points, out);
    return fflush(out) || ferror(out) ? ASSAY_EFAIL : ASSAY_OK;
}

/* Many runs as a table: one line a run, at most 100 columns.
 *
 * Columns are as wide as their widest cell; one that is empty in all rows is left out; when the
 * line is too long the gaps shrink first, and then the elastic columns, the widest first, their
 * cells cut with '~'. */
#include <stdlib.h>
#include <string.h>

#include "base/tree.h"
#include "report/format.h"
#include "report/text.h"

#define WIDTH 100
#define LEAST 6 /* an elastic column is not cut below this */
#define CELL  80

enum { ID, CREATED, MODEL, ENGINE, SCENARIO, RESULT, ACCURACY, VERDICT, SYNTHETIC, TAG, COLUMNS };
static const struct column {
    const char *title;
    bool elastic, right;
} columns[COLUMNS] = {{"ID", false, false},       {"CREATED", false, false},
                      {"MODEL", true, false},     {"ENGINE", true, false},
                      {"SCENARIO", false, false}, {"RESULT", false, true},
                      {"ACCURACY", false, true},  {"VERDICT", false, false},
                      {"DATA", false, false},     {"TAG", true, false}};

struct table {
    char (*cells)[COLUMNS][CELL];
    size_t rows, width[COLUMNS];
};

static void fill_row(char cell[COLUMNS][CELL], const json_t *row)
{
    const char *model = tree_text(row, "model", tree_text(row, "benchmark", ""));
    const char *device = tree_text(row, "device", "cpu"), *unit = tree_text(row, "unit", "");
    bool synthetic = tree_bool(row, "synthetic", false);
    char value[64];
    int c;

    memset(cell, 0, sizeof(char[COLUMNS][CELL]));
    snprintf(cell[ID], CELL, "%.8s", tree_text(row, "id", "?"));
    snprintf(cell[CREATED], CELL, "%.16s", tree_text(row, "created", ""));
    if (strlen(cell[CREATED]) > 10)
        cell[CREATED][10] = ' '; /* the T between date and time */
    snprintf(cell[MODEL], CELL, "%.60s", model);
    snprintf(cell[ENGINE], CELL, "%.40s%s%.30s", tree_text(row, "engine", ""),
             strcmp(device, "cpu") ? " " : "", strcmp(device, "cpu") ? device : "");
    snprintf(cell[SCENARIO], CELL, "%.14s", tree_text(row, "scenario", ""));
    if (json_is_number(json_object_get(row, "value"))) {
        format_value(value, tree_real(row, "value", 0), strcmp(unit, "samples/s") ? unit : "/s");
        snprintf(cell[RESULT], CELL, "%.24s", value);
    }
    if (json_is_number(json_object_get(row, "accuracy")))
        snprintf(cell[ACCURACY], CELL, "%.5g%s", tree_real(row, "accuracy", 0),
                 tree_real(row, "accuracy", 0) < tree_real(row, "target", 0) ? " low" : "");
    snprintf(cell[VERDICT], CELL, "%.12s", tree_text(row, "verdict", "-"));
    snprintf(cell[SYNTHETIC], CELL, "%s%s", synthetic ? "SYNTH" : "",
             !tree_text(row, "origin", NULL) ? ""
             : synthetic                     ? " imported"
                                             : "imported");
    snprintf(cell[TAG], CELL, "%.60s", tree_text(row, "tag", ""));
    for (c = 0; c < COLUMNS; c++)
        format_clean(cell[c]);
}

static size_t total(const struct table *t, size_t gap)
{
    size_t sum = 0;
    int c, n = 0;

    for (c = 0; c < COLUMNS; c++)
        if (t->width[c]) {
            sum += t->width[c];
            n++;
        }
    return n ? sum + gap * (size_t)(n - 1) : 0;
}

/* Returns the gap. */
static size_t fit(struct table *t)
{
    size_t r, w, gap;
    int c, widest;

    for (c = 0; c < COLUMNS; c++) {
        for (r = 0; r < t->rows; r++)
            if ((w = format_columns(t->cells[r][c])) > t->width[c])
                t->width[c] = w;
        if (t->width[c] && t->width[c] < strlen(columns[c].title))
            t->width[c] = strlen(columns[c].title);
    }
    gap = total(t, 2) <= WIDTH ? 2 : 1;
    while (total(t, gap) > WIDTH) {
        widest = -1;
        for (c = 0; c < COLUMNS; c++)
            if (columns[c].elastic && t->width[c] > LEAST &&
                (widest < 0 || t->width[c] > t->width[widest]))
                widest = c;
        if (widest < 0)
            break;
        t->width[widest]--;
    }
    return gap;
}

/* Cuts at a character's start. */
static void cut(char *s, size_t columns_wanted)
{
    size_t n = 0;

    if (format_columns(s) <= columns_wanted)
        return;
    for (; *s; s++)
        if (((unsigned char)*s & 0xc0) != 0x80 && ++n == columns_wanted) {
            s[0] = '~';
            s[1] = 0;
            return;
        }
}

static void put_cell(struct text *line, const char *s, size_t width, bool right)
{
    size_t pad = width - format_columns(s);

    text_addf(line, "%*s%s%*s", right ? (int)pad : 0, "", s, right ? 0 : (int)pad, "");
}

static void put_row(FILE *out, const struct table *t, size_t gap, char (*cells)[CELL])
{
    struct text line;
    bool first = true;
    char title[CELL];
    int c;

    text_init(&line, 4096);
    for (c = 0; c < COLUMNS; c++) {
        if (!t->width[c])
            continue;
        if (!first)
            text_addf(&line, "%*s", (int)gap, "");
        first = false;
        snprintf(title, sizeof(title), "%s", cells ? cells[c] : columns[c].title);
        cut(title, t->width[c]);
        put_cell(&line, title, t->width[c], columns[c].right);
    }
    while (line.len && line.s[line.len - 1] == ' ')
        line.s[--line.len] = 0;
    fprintf(out, "%s\n", line.s ? line.s : "");
    text_release(&line);
}

int report_table(const json_t *rows, FILE *out)
{
    struct table t = {NULL, json_array_size(rows), {0}};
    size_t r, gap;

    if (!t.rows) {
        fputs("No records yet; `assay run` makes the first.\n", out);
        return fflush(out) || ferror(out) ? ASSAY_EFAIL : ASSAY_OK;
    }
    t.cells = calloc(t.rows, sizeof(*t.cells));
    if (!t.cells)
        return ASSAY_EFAIL;
    for (r = 0; r < t.rows; r++)
        fill_row(t.cells[r], json_array_get(rows, r));
    gap = fit(&t);
    put_row(out, &t, gap, NULL);
    for (r = 0; r < t.rows; r++)
        put_row(out, &t, gap, t.cells[r]);
    free(t.cells);
    return fflush(out) || ferror(out) ? ASSAY_EFAIL : ASSAY_OK;
}

/* The matrix for a terminal: one table a benchmark, and below it the reasons by number. */
#include <stdlib.h>

#include "base/text.h"
#include "base/tree.h"
#include "report/format.h"
#include "report/grid.h"
#include "report/matrix.h"

#define SETUP_CELL GRID_SETUP
#define CELL       180
#define LINE       400

struct notes {
    struct text text;
    int count;
};

/* What went wrong, or is not known, at the foot: its number. */
static int add_note(struct notes *n, const json_t *cell, const char *setup, const char *column)
{
    char line[LINE * 2 + SETUP_CELL], id[9];

    grid_id(cell, id);
    n->count++;
    snprintf(line, sizeof(line), "  [%d] %s, %s: %.*s%s%s%s", n->count, setup, column, LINE,
             tree_text(cell, "reason", "?"), *id ? "  (assay results show " : "", id,
             *id ? ")" : "");
    format_clean(line);
    text_addf(&n->text, "%s\n", line);
    return n->count;
}

static void fill_cell(char out[CELL], const json_t *cell, struct notes *notes, const char *setup,
                      const char *column)
{
    enum grid_state state = grid_state(cell);
    char figure[64], others[GRID_OTHERS];

    out[0] = 0;
    if (!cell)
        return;
    grid_figure(cell, figure);
    grid_others(cell, others);
    if (state == GRID_OK)
        snprintf(out, CELL, "%s %.30s%s", grid_marks[state], figure, others);
    else if (state == GRID_NONE)
        snprintf(out, CELL, "%s%s", grid_marks[state], others);
    else
        snprintf(out, CELL, "%s [%d]%s", grid_marks[state], add_note(notes, cell, setup, column),
                 others);
}

static void pad(struct text *line, const char *s, size_t width)
{
    size_t n = format_columns(s);

    text_addf(line, "%s%*s", s, n < width ? (int)(width - n) + 2 : 2, "");
}

/* Without what was padded at its end. */
static void put_line(struct text *line, FILE *out)
{
    while (line->len && line->s[line->len - 1] == ' ')
        line->s[--line->len] = 0;
    fprintf(out, "%s\n", line->s ? line->s : "");
    text_clear(line);
}

struct block {
    const json_t *rows;
    char (*setups)[SETUP_CELL];
    char (*cells)[GRID_COLUMNS][CELL];
    size_t width[GRID_COLUMNS + 1];
};

static void wider(size_t *width, const char *s)
{
    if (format_columns(s) > *width)
        *width = format_columns(s);
}

static void fill_block(struct block *b, const json_t *benchmark, struct notes *notes)
{
    const json_t *row;
    size_t r, c;

    json_array_foreach(b->rows, r, row)
    {
        grid_setup(row, "  ", b->setups[r], SETUP_CELL);
        wider(&b->width[GRID_COLUMNS], b->setups[r]);
        for (c = 0; c < GRID_COLUMNS; c++) {
            const json_t *cell = json_object_get(json_object_get(row, "cells"), grid_columns[c]);

            if (!grid_one_reason(row))
                fill_cell(b->cells[r][c], cell, notes, b->setups[r], grid_columns[c]);
            wider(&b->width[c], b->cells[r][c]);
        }
    }
    for (c = 0; c < GRID_COLUMNS; c++)
        if (grid_has_column(benchmark, grid_columns[c]))
            wider(&b->width[c], grid_columns[c]);
}

static void print_row(const struct block *b, size_t r, const json_t *row, FILE *out)
{
    const json_t *cells = json_object_get(row, "cells");
    const char *reason = grid_one_reason(row);
    struct text line;
    char words[LINE];
    size_t c;

    text_init(&line, 4096);
    text_add(&line, "  ");
    pad(&line, b->setups[r], b->width[GRID_COLUMNS]);
    for (c = 0; c < GRID_COLUMNS && !reason; c++)
        if (b->width[c])
            pad(&line, b->cells[r][c], b->width[c]);
    if (reason) {
        snprintf(words, sizeof(words), "%s: %s",
                 tree_text(json_object_iter_value(json_object_iter((json_t *)(uintptr_t)cells)),
                           "state", ""),
                 reason);
        format_clean(words);
        text_add(&line, words);
    }
    put_line(&line, out);
    text_release(&line);
}

static void print_block(const struct block *b, FILE *out)
{
    const json_t *row;
    struct text line;
    size_t r, c;

    text_init(&line, 4096);
    pad(&line, "  setup", b->width[GRID_COLUMNS] + 2);
    for (c = 0; c < GRID_COLUMNS; c++)
        if (b->width[c])
            pad(&line, grid_columns[c], b->width[c]);
    put_line(&line, out);
    text_release(&line);
    json_array_foreach(b->rows, r, row) print_row(b, r, row, out);
}

static int print_benchmark(const json_t *benchmark, FILE *out)
{
    struct block b = {.rows = json_object_get(benchmark, "rows")};
    size_t n = json_array_size(b.rows);
    struct notes notes = {.count = 0};
    char title[200];

    b.setups = calloc(n, sizeof(*b.setups));
    b.cells = calloc(n, sizeof(*b.cells));
    if (!b.setups || !b.cells) {
        free(b.setups);
        free(b.cells);
        return ASSAY_EFAIL;
    }
    text_init(&notes.text, 1 << 20);
    fill_block(&b, benchmark, &notes);
    snprintf(title, sizeof(title), "%.80s (%.80s)", tree_text(benchmark, "benchmark", "?"),
             tree_text(benchmark, "model", "?"));
    format_clean(title);
    fprintf(out, "%s\n", title);
    print_block(&b, out);
    if (notes.count)
        fputs(notes.text.s, out);
    text_release(&notes.text);
    free(b.setups);
    free(b.cells);
    return ASSAY_OK;
}

int report_matrix_text(const json_t *cells, FILE *out)
{
    json_t *grid = grid_make(cells), *benchmark;
    size_t i;
    int rc = ASSAY_OK;

    json_array_foreach(json_object_get(grid, "benchmarks"), i, benchmark)
    {
        if (i)
            fputc('\n', out);
        if (!rc)
            rc = print_benchmark(benchmark, out);
    }
    json_decref(grid);
    return rc || fflush(out) || ferror(out) ? ASSAY_EFAIL : ASSAY_OK;
}

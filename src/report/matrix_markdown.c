/* The matrix in Markdown, as a page in a repository shows it. */
#include <string.h>

#include "base/tree.h"
#include "report/escape.h"
#include "report/format.h"
#include "report/grid.h"
#include "report/matrix.h"

static void rule(FILE *out, size_t columns)
{
    fputs("\n|", out);
    while (columns--)
        fputs("---|", out);
    fputc('\n', out);
}

static void overview(const json_t *grid, FILE *out)
{
    const json_t *benchmarks = json_object_get(grid, "benchmarks"), *b, *setup;
    char name[GRID_SETUP], summary[32];
    size_t i, s;

    fputs("| setup |", out);
    json_array_foreach(benchmarks, i, b)
    {
        fputc(' ', out);
        grid_benchmark(benchmarks, b, name);
        escape_markdown(out, name);
        fputs(" |", out);
    }
    rule(out, json_array_size(benchmarks) + 1);
    json_array_foreach(json_object_get(grid, "setups"), s, setup)
    {
        grid_setup(setup, ", ", name, sizeof(name));
        fputs("| ", out);
        escape_markdown(out, name);
        fputs(" |", out);
        json_array_foreach(benchmarks, i, b)
        {
            const json_t *row = grid_row(b, setup);

            if (row)
                grid_summary(row, summary);
            fprintf(out, " %s |", row ? summary : "");
        }
        fputc('\n', out);
    }
}

static void put_cell(const json_t *cell, FILE *out)
{
    enum grid_state state = grid_state(cell);
    char figure[64], id[9], others[GRID_OTHERS];

    grid_figure(cell, figure);
    grid_id(cell, id);
    grid_others(cell, others);
    if (!cell) {
        fputs(" |", out);
    } else if (state == GRID_OK) {
        fprintf(out, " %s ", grid_marks[state]);
        escape_markdown(out, figure);
        fprintf(out, " `%s`%s |", id, others);
    } else if (state == GRID_NONE) {
        fprintf(out, " %s%s |", grid_marks[state], others);
    } else {
        fprintf(out, " %s ", state == GRID_FAILED ? grid_marks[state] : "not tested:");
        escape_markdown(out, tree_text(cell, "reason", ""));
        if (*id)
            fprintf(out, " `%s`", id);
        fprintf(out, "%s |", others);
    }
}

/* A row of which nothing was tried says why once. */
static void put_row(const json_t *benchmark, const json_t *row, FILE *out)
{
    const char *reason = grid_one_reason(row);
    char name[GRID_SETUP];
    bool said = false, none = grid_summary(row, name) == GRID_NONE;

    grid_setup(row, ", ", name, sizeof(name));
    fputs("| ", out);
    escape_markdown(out, name);
    fputs(" |", out);
    for (size_t c = 0; c < GRID_COLUMNS; c++) {
        if (!grid_has_column(benchmark, grid_columns[c]))
            continue;
        if (!reason) {
            put_cell(json_object_get(json_object_get(row, "cells"), grid_columns[c]), out);
            continue;
        }
        fputc(' ', out);
        if (!said) {
            fputs(none ? "not applicable: " : "not tested: ", out);
            escape_markdown(out, reason);
        }
        said = true;
        fputs(" |", out);
    }
    grid_versions(row, name, sizeof(name));
    fputc(' ', out);
    escape_markdown(out, name);
    fputs(" |\n", out);
}

/* heading: "##", or what is one below it. */
static void put_benchmark(const json_t *benchmark, const char *heading, FILE *out)
{
    const json_t *row;
    size_t i, columns = 2;

    fprintf(out, "\n%s ", heading);
    escape_markdown(out, tree_text(benchmark, "benchmark", "?"));
    fputs("\nModel: ", out);
    escape_markdown(out, tree_text(benchmark, "model", "?"));
    fputs("\n\n| setup |", out);
    for (size_t c = 0; c < GRID_COLUMNS; c++) {
        if (!grid_has_column(benchmark, grid_columns[c]))
            continue;
        fprintf(out, " %s |", grid_columns[c]);
        columns++;
    }
    fputs(" versions seen to work |", out);
    rule(out, columns);
    json_array_foreach(json_object_get(benchmark, "rows"), i, row) put_row(benchmark, row, out);
}

void grid_markdown(const json_t *grid, const char *heading, FILE *out)
{
    const json_t *benchmark;
    size_t i;

    overview(grid, out);
    json_array_foreach(json_object_get(grid, "benchmarks"), i, benchmark)
        put_benchmark(benchmark, heading, out);
}

int report_matrix_markdown(const json_t *cells, FILE *out)
{
    json_t *grid = grid_make(cells);

    grid_markdown(grid, "##", out);
    json_decref(grid);
    return fflush(out) || ferror(out) ? ASSAY_EFAIL : ASSAY_OK;
}

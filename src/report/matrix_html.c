/* The matrix as one HTML page that needs nothing else: no script, no font, no picture is fetched.
 * Every cell opens to its figure, its reason, its record and the command that repeats it. */
#include <string.h>

#include "base/text.h"
#include "base/tree.h"
#include "report/escape.h"
#include "report/format.h"
#include "report/grid.h"
#include "report/html.h"
#include "report/matrix.h"

static const char table[] =
    "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"matrix\">"
    "<table class=\"matrix\"><thead><tr><th scope=\"col\">setup</th>";
static const char *const classes[] = {"good", "bad", "dim", "dim"};

static void overview(const json_t *grid, FILE *out)
{
    const json_t *benchmarks = json_object_get(grid, "benchmarks"), *b, *setup;
    char name[GRID_SETUP], summary[32] = "";
    size_t i, s;

    fputs(table, out);
    json_array_foreach(benchmarks, i, b)
    {
        fputs("<th scope=\"col\">", out);
        grid_benchmark(benchmarks, b, name);
        escape_html(out, name);
        fputs("</th>", out);
    }
    fputs("</tr></thead><tbody>\n", out);
    json_array_foreach(json_object_get(grid, "setups"), s, setup)
    {
        grid_setup(setup, ", ", name, sizeof(name));
        fputs("<tr><th scope=\"row\">", out);
        escape_html(out, name);
        fputs("</th>", out);
        json_array_foreach(benchmarks, i, b)
        {
            const json_t *row = grid_row(b, setup);
            enum grid_state state = row ? grid_summary(row, summary) : GRID_NONE;

            fprintf(out, "<td class=\"%s\">%s</td>", classes[state], row ? summary : "");
        }
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div>\n", out);
}

static void put_command(const json_t *cell, FILE *out)
{
    struct text line;

    text_init(&line, 1 << 14);
    format_command(&line, json_object_get(cell, "command"));
    if (line.len && !line.cut) { /* half a command is worse than none */
        fputs("<br><code>", out);
        escape_html_whole(out, line.s);
        fputs("</code>", out);
    }
    text_release(&line);
}

static void put_line(const char *label, const char *text, FILE *out)
{
    if (!text || !*text)
        return;
    fprintf(out, "<br><span class=\"dim\">%s</span> ", label);
    escape_html(out, text);
}

static void put_details(const json_t *cell, FILE *out)
{
    escape_html(out, tree_text(cell, "reason", tree_text(cell, "verdict", "")));
    if (tree_bool(cell, "synthetic", false))
        fputs("<br>synthetic weights or samples", out);
    put_line("profile", tree_text(cell, "profile", NULL), out);
    put_line("record", tree_text(cell, "id", NULL), out);
    put_line("made", tree_text(cell, "created", NULL), out);
    put_line("machine", tree_text(cell, "machine", NULL), out);
    if (tree_bool(cell, "foreign", false))
        put_line("origin", "imported", out);
    put_line("from", tree_text(cell, "file", NULL), out);
    put_line("worked with versions", tree_text(cell, "works_with", NULL), out);
    put_command(cell, out);
}

static void put_cell(const json_t *cell, FILE *out)
{
    enum grid_state state = grid_state(cell);
    char figure[64], others[GRID_OTHERS];
    const json_t *other;
    size_t i;

    if (!cell) {
        fputs("<td></td>", out);
        return;
    }
    grid_figure(cell, figure);
    grid_others(cell, others);
    fprintf(out, "<td class=\"%s\"><details><summary>%s ", classes[state],
            state == GRID_UNKNOWN ? "not tested" : grid_marks[state]);
    if (state == GRID_OK)
        escape_html(out, figure);
    fprintf(out, "%s</summary>", others);
    put_details(cell, out);
    json_array_foreach(json_object_get(cell, "others"), i, other)
    {
        grid_figure(other, figure);
        fprintf(out, "<hr>%s ", grid_marks[grid_state(other)]);
        escape_html(out, grid_state(other) == GRID_OK ? figure : "");
        fputs("<br>", out);
        put_details(other, out);
    }
    fputs("</details></td>", out);
}

static void put_benchmark(const json_t *benchmark, FILE *out)
{
    const json_t *row;
    char name[GRID_SETUP];
    size_t i, c;

    fputs("<section><h2>", out);
    escape_html(out, tree_text(benchmark, "benchmark", "?"));
    fputs(" <span class=\"dim\">", out);
    escape_html(out, tree_text(benchmark, "model", "?"));
    fputs("</span></h2>\n", out);
    fputs(table, out);
    for (c = 0; c < GRID_COLUMNS; c++)
        if (grid_has_column(benchmark, grid_columns[c]))
            fprintf(out, "<th scope=\"col\">%s</th>", grid_columns[c]);
    fputs("</tr></thead><tbody>\n", out);
    json_array_foreach(json_object_get(benchmark, "rows"), i, row)
    {
        grid_setup(row, ", ", name, sizeof(name));
        fputs("<tr><th scope=\"row\">", out);
        escape_html(out, name);
        fputs("</th>", out);
        for (c = 0; c < GRID_COLUMNS; c++)
            if (grid_has_column(benchmark, grid_columns[c]))
                put_cell(json_object_get(json_object_get(row, "cells"), grid_columns[c]), out);
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div></section>\n", out);
}

int report_matrix_html(const json_t *cells, FILE *out)
{
    json_t *grid = grid_make(cells), *benchmark;
    size_t i;

    html_begin(out);
    fputs("Assay: what works", out);
    html_body(out);
    fputs("<header><h1>What works</h1></header>\n<main>\n", out);
    overview(grid, out);
    json_array_foreach(json_object_get(grid, "benchmarks"), i, benchmark)
        put_benchmark(benchmark, out);
    fputs("</main>\n</body>\n</html>\n", out);
    json_decref(grid);
    return fflush(out) || ferror(out) ? ASSAY_EFAIL : ASSAY_OK;
}

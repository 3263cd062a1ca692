/* The matrix as one HTML page that needs nothing else: no script, no font, no picture is fetched.
 * Every cell opens to its figure, its reason, its record and the command that repeats it. */
#include <string.h>

#include "base/text.h"
#include "base/tree.h"
#include "report/escape.h"
#include "report/format.h"
#include "report/grid.h"
#include "report/matrix.h"

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
    "'unsafe-inline'\">\n"
    "<title>Assay: what works</title>\n<style>\n"
    ":root{color-scheme:light dark;--ok:#0a6b2e;--bad:#a8201a;--dim:#5c6370;--line:#c9ced6}\n"
    "@media(prefers-color-scheme:dark){:root{--ok:#5fd38a;--bad:#ff8a80;--dim:#a0a8b4;--line:#"
    "444b57}}"
    "\nbody{font:16px/1.5 system-ui,sans-serif;max-width:76rem;margin:2rem auto;padding:0 1rem}\n"
    ".wide{overflow-x:auto}table{border-collapse:collapse;width:100%}\n"
    "th,td{border-bottom:1px solid var(--line);padding:.4rem .6rem;text-align:left;"
    "vertical-align:top}\nth[scope=row]{white-space:nowrap;font-weight:600}\n"
    ".ok{color:var(--ok)}.failed{color:var(--bad)}.unknown,.none,small{color:var(--dim)}\n"
    "summary{cursor:pointer}code{font-size:.85em;overflow-wrap:anywhere}\n"
    "@media print{details>*{display:block}.wide{overflow:visible}}\n"
    "</style></head><body>\n<h1>What works</h1>\n";

static const char *const classes[] = {"ok", "failed", "unknown", "none"};

static void overview(const json_t *grid, FILE *out)
{
    const json_t *benchmarks = json_object_get(grid, "benchmarks"), *b, *setup;
    char name[200], summary[32] = "";
    size_t i, s;

    fputs("<div class=\"wide\"><table><thead><tr><th scope=\"col\">setup</th>", out);
    json_array_foreach(benchmarks, i, b)
    {
        fputs("<th scope=\"col\">", out);
        escape_html(out, tree_text(b, "benchmark", "?"));
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
    fprintf(out, "<br><small>%s</small> ", label);
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
    char name[200];
    size_t i, c;

    fputs("<h2>", out);
    escape_html(out, tree_text(benchmark, "benchmark", "?"));
    fputs(" <small>", out);
    escape_html(out, tree_text(benchmark, "model", "?"));
    fputs("</small></h2>\n<div class=\"wide\"><table><thead><tr><th scope=\"col\">setup</th>", out);
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
    fputs("</tbody></table></div>\n", out);
}

int report_matrix_html(const json_t *cells, FILE *out)
{
    json_t *grid = grid_make(cells), *benchmark;
    size_t i;

    fputs(head, out);
    overview(grid, out);
    json_array_foreach(json_object_get(grid, "benchmarks"), i, benchmark)
        put_benchmark(benchmark, out);
    fputs("</body></html>\n", out);
    json_decref(grid);
    return fflush(out) || ferror(out) ? ASSAY_EFAIL : ASSAY_OK;
}

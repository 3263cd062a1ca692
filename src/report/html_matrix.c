/* The matrix in the HTML report: setups against benchmarks, each line of a cell a link to its run.
 *
 * A report of one setup of one benchmark says it without. */
#include "report/html.h"

#include <string.h>

#include "base/tree.h"
#include "report/escape.h"
#include "report/format.h"
#include "report/grid.h"

static void link_to(FILE *out, const json_t *cell, const char *text)
{
    fputs("<a href=\"#", out);
    escape_html(out, tree_text(cell, "anchor", ""));
    fputs("\">", out);
    escape_html(out, text);
    fputs("</a>", out);
}

/* Worked, failed, or neither: a sign and a colour. */
static void sign(FILE *out, const json_t *cell)
{
    static const char *const classes[] = {"v good", "v bad", "dim", "dim"};

    fprintf(out, "<span class=\"%s\">%s</span> ", classes[grid_state(cell)],
            grid_marks[grid_state(cell)]);
}

static void line(FILE *out, const json_t *cell, const char *column)
{
    const json_t *others = json_object_get(cell, "others"), *other;
    char figure[64], note[GRID_OTHERS], reason[120], id[9];
    size_t i;

    grid_figure(cell, figure);
    grid_others(cell, note);
    snprintf(reason, sizeof(reason), "%s",
             grid_state(cell) == GRID_OK ? figure : tree_text(cell, "reason", ""));
    format_clean(reason);
    fputs("<div>", out);
    sign(out, cell);
    link_to(out, cell, column);
    fputs(" ", out);
    escape_html(out, reason);
    escape_html(out, note);
    json_array_foreach(others, i, other)
    {
        grid_id(other, id);
        fputs(i ? ", " : ": also ", out);
        sign(out, other);
        link_to(out, other, *id ? id : tree_text(other, "anchor", ""));
    }
    fputs("</div>", out);
}

static void cell(FILE *out, const json_t *row)
{
    const char *version = tree_text(row, "engine_version", "");
    char versions[300];

    fputs("<td>", out);
    for (size_t c = 0; row && c < GRID_COLUMNS; c++) {
        const json_t *one = json_object_get(json_object_get(row, "cells"), grid_columns[c]);

        if (one)
            line(out, one, grid_columns[c]);
    }
    grid_versions(row, versions, sizeof(versions));
    if (*versions && strcmp(versions, version)) {
        fputs("<div class=\"dim\">seen to work: ", out);
        escape_html(out, versions);
        fputs("</div>", out);
    }
    fputs("</td>", out);
}

void html_matrix(FILE *out, const struct view *views, size_t n)
{
    json_t *grid = grid_of_views(views, n), *benchmarks, *b, *setup;
    char name[GRID_SETUP];
    size_t i, s;

    if (!grid)
        return;
    benchmarks = json_object_get(grid, "benchmarks");
    fputs("<section><h2>What works</h2><div class=\"wide\" tabindex=\"0\" role=\"region\" "
          "aria-label=\"matrix\"><table class=\"matrix\"><thead><tr><th scope=\"col\">setup</th>",
          out);
    json_array_foreach(benchmarks, i, b)
    {
        fputs("<th scope=\"col\">", out);
        escape_htmlf(out, "%s, %s", tree_text(b, "benchmark", "?"), tree_text(b, "model", "?"));
        fputs("</th>", out);
    }
    fputs("</tr></thead><tbody>\n", out);
    json_array_foreach(json_object_get(grid, "setups"), s, setup)
    {
        grid_setup(setup, ", ", name, sizeof(name));
        fputs("<tr><th scope=\"row\">", out);
        escape_html(out, name);
        fputs("</th>", out);
        json_array_foreach(benchmarks, i, b) cell(out, grid_row(b, setup));
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div></section>\n", out);
    json_decref(grid);
}

/* Tables on the terminal, and lists of texts. */
#include "cli/cli.h"

#include <string.h>

/* Columns that a text takes: characters, not bytes. */
static int width(const char *s)
{
    int n = 0;

    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

void cli_table_init(struct cli_table *t, const char *const *heading)
{
    t->columns = 0;
    t->wrap = false;
    t->rows = json_array();
    while (heading[t->columns] && t->columns < CLI_MAX_COLUMNS)
        t->columns++;
    cli_table_row(t, heading);
}

void cli_table_row(struct cli_table *t, const char *const *cells)
{
    json_t *row = json_array();

    for (int i = 0; i < t->columns; i++)
        json_array_append_new(row, json_string(cells[i] ? cells[i] : ""));
    json_array_append_new(t->rows, row);
}

static const char *cell(const json_t *row, int column)
{
    const char *s = json_string_value(json_array_get(row, (size_t)column));

    return s ? s : ""; /* no memory, or no UTF-8 */
}

/* widths: 0: an empty column. */
static void print_row(const json_t *row, const int *widths, int columns, FILE *out)
{
    int pad = 0;

    for (int c = 0; c < columns; c++) {
        if (!widths[c])
            continue;
        if (*cell(row, c)) { /* no blanks at the end of a line */
            fprintf(out, "%*s%s", pad, "", cell(row, c));
            pad = -width(cell(row, c));
        }
        pad += widths[c] + 2;
    }
    fputc('\n', out);
}

/* In its column where there is room, else close behind the one before, else below. */
static void print_wrapped(const json_t *row, const int *widths, int columns, FILE *out)
{
    int at = 0, column = 0, len;

    for (int c = 0; c < columns; c++) {
        if (!widths[c])
            continue;
        if ((len = width(cell(row, c)))) {
            if (at && column + len <= CLI_COLUMNS) {
                fprintf(out, "%*s%s", column - at, "", cell(row, c));
                at = column + len;
            } else if (at && at + 2 + len <= CLI_COLUMNS) {
                fprintf(out, "  %s", cell(row, c));
                at += 2 + len;
            } else if (c) {
                fputs(at ? "\n" : "", out);
                cli_wrap(out, 0, 4, cell(row, c));
                at = 0;
            } else {
                at = fprintf(out, "%s", cell(row, c));
            }
        }
        column += widths[c] + 2;
    }
    fputs(at ? "\n" : "", out);
}

void cli_table_print(struct cli_table *t, FILE *out)
{
    int widths[CLI_MAX_COLUMNS] = {0}, last = 0;
    const json_t *row;
    size_t i;

    json_array_foreach(t->rows, i, row)
    {
        for (int c = 0; c < t->columns && i > 0; c++)
            widths[c] = width(cell(row, c)) > widths[c] ? width(cell(row, c)) : widths[c];
    }
    for (int c = 0; c < t->columns; c++) {
        int head = width(cell(json_array_get(t->rows, 0), c));

        last = widths[c] ? c : last;
        widths[c] = widths[c] && widths[c] < head ? head : widths[c];
    }
    if (json_array_size(t->rows) == 1)
        fprintf(stderr, "There is none.\n");
    json_array_foreach(json_array_size(t->rows) > 1 ? t->rows : NULL, i,
                       row)(t->wrap ? print_wrapped : print_row)(row, widths, last + 1, out);
    json_decref(t->rows);
    t->rows = NULL;
}

void cli_join(const json_t *array, char *out, size_t size)
{
    const json_t *item;
    size_t i, n = 0;

    out[0] = 0;
    json_array_foreach(array, i, item)
    {
        n += (size_t)snprintf(out + n, size - n, "%s%s", i ? ", " : "",
                              json_is_string(item) ? json_string_value(item) : "?");
        if (n >= size)
            return;
    }
}

json_t *cli_strings(const char *const *list)
{
    json_t *array = json_array();

    for (; list && *list; list++)
        json_array_append_new(array, json_string(*list));
    return array;
}

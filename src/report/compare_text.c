/* A comparison as plain text: the table, the verdict, what differs, what must be known. */
#include <math.h>
#include <string.h>

#include "base/tree.h"
#include "report/compare.h"
#include "report/differ.h"
#include "report/format.h"

static void say_side(const char *name, const json_t *s, FILE *out)
{
    char line[300];
    size_t n = json_array_size(json_object_get(s, "runs"));

    snprintf(line, sizeof(line), "%s  %.8s  %.16s  %.60s on %.40s  %s", name,
             tree_text(s, "id", "?"), tree_text(s, "created", "?"), tree_text(s, "model", "?"),
             tree_text(s, "engine", "?"), tree_text(s, "verdict", "?"));
    format_clean(line);
    fputs(line, out);
    if (n > 1)
        fprintf(out, "  %zu runs", n);
    fputc('\n', out);
}

static void end_text(const json_t *end, char out[16])
{
    double v = json_number_value(end);

    if (json_is_number(end))
        snprintf(out, 16, v < 100 ? "%.4f" : "%.3g", v);
    else
        snprintf(out, 16, "?");
}

/* "0.9981 .. 1.0280"; an end that is not bounded is a question mark. */
static void interval_text(const json_t *ends, char out[40])
{
    char a[16], b[16];

    end_text(json_array_get(ends, 0), a);
    end_text(json_array_get(ends, 1), b);
    snprintf(out, 40, "%s .. %s", a, b);
}

static void say_figure(const json_t *f, FILE *out)
{
    const char *unit = tree_text(f, "unit", "");
    char a[64], b[64], ends[40];

    format_value(a, tree_real(f, "a", NAN), strcmp(unit, "samples/s") ? unit : "/s");
    format_value(b, tree_real(f, "b", NAN), strcmp(unit, "samples/s") ? unit : "/s");
    format_clean(a);
    format_clean(b);
    interval_text(json_object_get(f, "interval"), ends);
    fprintf(out, "%-10s  %12s  %12s  %7.4f  %-18s  %s\n", tree_text(f, "figure", "?"), a, b,
            tree_real(f, "ratio", NAN), ends, tree_text(f, "verdict", "?"));
}

static void say_differences(const json_t *list, FILE *out)
{
    char a[DIFFER_SIDE], b[DIFFER_SIDE], line[400];
    const char *kind = "";
    const json_t *d;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)list, i, d)
    {
        if (strcmp(kind, tree_text(d, "kind", "")) != 0) {
            kind = tree_text(d, "kind", "");
            fprintf(out, "%sDiffers in the %s\n", i ? "" : "\n", kind);
        }
        differ_sides(d, a, b);
        snprintf(line, sizeof(line), "  %-28s  %s -> %s", tree_text(d, "what", "?"), a, b);
        format_clean(line);
        fprintf(out, "%s\n", line);
    }
}

static void say_rules(const json_t *list, FILE *out)
{
    const json_t *r;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)list, i, r)
    {
        fprintf(out, "%s%s: %s\n", i ? "" : "\n", tree_text(r, "rule", "?"),
                tree_bool(r, "broken", false)  ? "BROKEN, the whole interval lies beyond"
                : tree_bool(r, "judged", true) ? "not seen"
                                               : "cannot be judged, the interval is not bounded");
    }
}

static void say_notes(const json_t *list, FILE *out)
{
    char line[600];
    const json_t *n;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)list, i, n)
    {
        snprintf(line, sizeof(line), "note: %s", json_string_value(n) ? json_string_value(n) : "");
        format_clean(line);
        fprintf(out, "%s%s\n", i ? "" : "\n", line);
    }
}

int compare_text(const json_t *c, FILE *out)
{
    const json_t *f;
    char title[200];
    size_t i;

    snprintf(title, sizeof(title), "%.90s, %.90s", tree_text(c, "benchmark", "?"),
             tree_text(c, "scenario", "?"));
    format_clean(title);
    fprintf(out, "%s\n", title);
    say_side("A", json_object_get(c, "a"), out);
    say_side("B", json_object_get(c, "b"), out);
    fprintf(out, "\n%-10s  %12s  %12s  %7s  %-18s\n", "FIGURE", "A", "B", "B / A", "INTERVAL");
    json_array_foreach(json_object_get(c, "figures"), i, f) say_figure(f, out);
    if (!json_array_size(json_object_get(c, "figures")))
        fputs("none: a run of a few samples has none that can be compared\n", out);
    fprintf(out, "\nB %s%s.\n", !strncmp(tree_text(c, "verdict", ""), "cannot", 6) ? "" : "is ",
            !strncmp(tree_text(c, "verdict", ""), "cannot", 6)   ? "and A cannot be told apart"
            : !strcmp(tree_text(c, "verdict", ""), COMPARE_SAME) ? "the same as A within noise"
                                                                 : tree_text(c, "verdict", "?"));
    fprintf(out, "Intervals hold together with %g %% confidence (%s).\n",
            100 * tree_real(c, "level", 0), tree_text(c, "method", "?"));
    say_rules(json_object_get(c, "rules"), out);
    say_differences(json_object_get(c, "differences"), out);
    say_notes(json_object_get(c, "notes"), out);
    return fflush(out) || ferror(out) ? ASSAY_EFAIL : ASSAY_OK;
}

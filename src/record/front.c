/* Pareto fronts and constraints: see front.h. */
#include "record/front.h"

#include <stdlib.h>
#include <string.h>

#include "base/tree.h"

static const struct figure {
    const char *name, *word, *other; /* in a point; in a constraint */
    bool more;                       /* is better */
} figures[] = {{"throughput", "throughput", "qps", true},
               {"latency_ms", "latency", "p99", false},
               {"accuracy", "accuracy", "score", true},
               {"memory_bytes", "memory", "rss", false},
               {"energy_j", "energy", "joules", false}};
#define FIGURES (sizeof(figures) / sizeof(figures[0]))

#define ENERGY (FIGURES - 1) /* the last */

static bool dominates(const json_t *a, const json_t *b, size_t count)
{
    bool better = false;

    for (size_t i = 0; i < count; i++) {
        const json_t *x = json_object_get(a, figures[i].name),
                     *y = json_object_get(b, figures[i].name);
        double d;

        if (!json_is_number(x) || !json_is_number(y))
            continue;
        d = json_number_value(x) - json_number_value(y);
        if (!figures[i].more)
            d = -d;
        if (d < 0)
            return false;
        better = better || d > 0;
    }
    return better;
}

bool front_dominates(const json_t *a, const json_t *b)
{
    return dominates(a, b, FIGURES);
}

/* "processors and card" on a card means the same as "processors" without one: all that was used. */
static bool has_processors(const json_t *point)
{
    return !strncmp(tree_text(point, "energy_of", "processors"), "processors", 10);
}

bool front_has_energy(const json_t *points)
{
    const json_t *p, *first = NULL;
    size_t i;

    json_array_foreach(points, i, p)
    {
        if (tree_bool(p, "out", false))
            continue;
        first = first ? first : p;
        if (!json_is_number(json_object_get(p, figures[ENERGY].name)) ||
            has_processors(p) != has_processors(first))
            return false;
    }
    return first != NULL;
}

void front_mark(json_t *points)
{
    size_t count = front_has_energy(points) ? FIGURES : ENERGY;
    json_t *a, *b;
    size_t i, k;

    json_array_foreach(points, i, a)
    {
        bool front = !tree_bool(a, "out", false);

        json_array_foreach(points, k, b)
        {
            if (front && k != i && !tree_bool(b, "out", false) && dominates(b, a, count))
                front = false;
        }
        json_object_set_new(a, "front", json_boolean(front));
    }
}

/* ---- constraints ---- */

static const struct {
    const char *figure, *unit;
    double factor;
} units[] = {{"latency_ms", "us", 1e-3},       {"latency_ms", "ms", 1},
             {"latency_ms", "s", 1e3},         {"memory_bytes", "MB", 1e6},
             {"memory_bytes", "GB", 1e9},      {"memory_bytes", "MiB", 1 << 20},
             {"memory_bytes", "GiB", 1 << 30}, {"energy_j", "J", 1},
             {"energy_j", "mJ", 1e-3},         {"throughput", "/s", 1}};

/* 0: no such unit of this figure. */
static double unit_factor(const char *figure, const char *unit)
{
    if (!*unit)
        return 1;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (!strcmp(units[i].figure, figure) && !strcmp(units[i].unit, unit))
            return units[i].factor;
    return 0;
}

static const char *figure_of(const char *word, size_t len)
{
    for (size_t i = 0; i < FIGURES; i++)
        if ((strlen(figures[i].word) == len && !strncmp(figures[i].word, word, len)) ||
            (strlen(figures[i].other) == len && !strncmp(figures[i].other, word, len)))
            return figures[i].name;
    return NULL;
}

int front_parse(const char *text, struct front_constraint *c, struct assay_err *err)
{
    size_t word = strcspn(text, "<>= ");
    const char *op = text + word, *number;
    double factor;
    char *end;

    memset(c, 0, sizeof(*c));
    c->figure = figure_of(text, word);
    if (!c->figure || (strncmp(op, ">=", 2) && strncmp(op, "<=", 2)))
        goto bad;
    c->least = *op == '>';
    number = op + 2;
    c->value = strtod(number, &end);
    if (end == number || !(c->value >= 0 && c->value < 1e300))
        goto bad;
    c->relative = !strcmp(end, "%") && !strcmp(c->figure, "accuracy");
    factor = c->relative ? 0.01 : unit_factor(c->figure, end);
    if (!(factor > 0))
        goto bad;
    c->value *= factor;
    return ASSAY_OK;
bad:
    return assay_fail(err, ASSAY_EUSAGE,
                      "'%s' is no constraint; give one like accuracy>=99%% (of the reference), "
                      "accuracy>=75.5, latency<=15ms, throughput>=100, memory<=4GB or energy<=2J",
                      text);
}

const char *front_breaks(const struct front_constraint *c, const json_t *point, double reference,
                         char out[120])
{
    const json_t *v = json_object_get(point, c->figure);
    double limit = c->relative ? c->value * reference : c->value, value;

    if (!json_is_number(v)) {
        snprintf(out, 120, "its %s is not known", c->figure);
        return out;
    }
    if (c->relative && !(reference > 0)) {
        snprintf(out, 120, "there is no accuracy of fp32 that its own could be held against");
        return out;
    }
    value = json_number_value(v);
    if (c->least ? value >= limit : value <= limit)
        return NULL;
    snprintf(out, 120, "%s %.6g is %s %.6g", c->figure, value, c->least ? "below" : "over", limit);
    return out;
}

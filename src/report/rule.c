/* Rules that a comparison can break; see rule.h. */
#include "report/rule.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define HOW "write for example 'p99>+3%%', 'throughput<-5%%' or 'p99>15ms'" /* in formats */

static const char *skip_blanks(const char *s)
{
    return s + strspn(s, " \t");
}

/* The word in front, as one of the figures; -1: it is none. */
static int parse_figure(const char *text, size_t n, struct assay_err *err)
{
    const char *near;
    char word[32];
    int f;

    if (n >= sizeof(word))
        n = sizeof(word) - 1;
    memcpy(word, text, n);
    word[n] = 0;
    for (f = 0; f < FIGURE_COUNT; f++)
        if (!strcmp(word, figure_names[f]))
            return f;
    near = text_nearest(word, figure_names, FIGURE_COUNT, sizeof(figure_names[0]));
    assay_fail(err, ASSAY_EUSAGE,
               "--fail-if '%.60s': there is no figure '%s'%s%s; throughput, mean, p50, p90, p95, "
               "p97, p99, p99.9, accuracy and energy are",
               text, word, near ? ", did you mean " : "", near ? near : "");
    return -1;
}

/* What one of the unit is in ns, per second, accuracy or J; 0: it does not fit the figure. */
static double unit_of(int figure, const char *unit)
{
    static const struct {
        const char *name;
        double ns;
    } times[] = {{"ns", 1}, {"us", 1e3}, {"µs", 1e3}, {"ms", 1e6}, {"s", 1e9}};
    size_t i;

    if (figure == FIGURE_ACCURACY)
        return !*unit;
    if (figure == FIGURE_ENERGY)
        return !*unit || !strcmp(unit, "J") ? 1 : !strcmp(unit, "mJ") ? 1e-3 : 0;
    if (figure == FIGURE_THROUGHPUT)
        return !*unit || !strcmp(unit, "/s") || !strcmp(unit, "samples/s") || !strcmp(unit, "qps");
    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        if (!strcmp(unit, times[i].name))
            return times[i].ns;
    return 0;
}

static int parse_limit(struct rule *r, const char *text, struct assay_err *err)
{
    bool sign = *text == '+' || *text == '-';
    char unit[16] = "", *end;
    double times;
    size_t n;

    /* strtod alone would take "inf", "nan" and hexadecimals. */
    if (!isdigit((unsigned char)text[sign]) || text[sign + 1] == 'x' || text[sign + 1] == 'X')
        return assay_fail(err, ASSAY_EUSAGE,
                          "--fail-if '%s': no number where the limit is due; " HOW, r->text);
    r->limit = strtod(text, &end);
    end = (char *)skip_blanks(end);
    for (n = strlen(end); n && (end[n - 1] == ' ' || end[n - 1] == '\t'); n--)
        ;
    snprintf(unit, sizeof(unit), "%.*s", n < sizeof(unit) ? (int)n : (int)sizeof(unit) - 1, end);
    r->relative = !strcmp(unit, "%");
    if (r->relative && !sign && !r->above)
        return assay_fail(err, ASSAY_EUSAGE,
                          "--fail-if '%s': with '<' a percentage wants its sign: %s<-5%% is 5 %% "
                          "less",
                          r->text, figure_names[r->figure]);
    times = r->relative ? 0.01 : sign ? 0 : unit_of(r->figure, unit);
    if (times == 0)
        return assay_fail(err, ASSAY_EUSAGE, "--fail-if '%s': '%s' is no unit of %s%s; " HOW,
                          r->text, end, figure_names[r->figure],
                          sign ? " behind a sign, only % is" : "");
    r->limit *= times;
    if (!isfinite(r->limit) || (r->relative && r->limit <= -1))
        return assay_fail(err, ASSAY_EUSAGE, "--fail-if '%s': no figure can go there", r->text);
    return ASSAY_OK;
}

int rule_parse(const char *text, struct rule *out, struct assay_err *err)
{
    const char *at = skip_blanks(text);
    size_t n = strcspn(at, "<> \t");

    memset(out, 0, sizeof(*out));
    if (snprintf(out->text, sizeof(out->text), "%s", text) >= (int)sizeof(out->text))
        return assay_fail(err, ASSAY_EUSAGE, "--fail-if '%.40s…': is too long; " HOW, text);
    out->figure = parse_figure(at, n, err);
    if (out->figure < 0)
        return ASSAY_EUSAGE;
    at = skip_blanks(at + n);
    if (*at != '<' && *at != '>')
        return assay_fail(err, ASSAY_EUSAGE, "--fail-if '%s': no '<' or '>' behind %s; " HOW, text,
                          figure_names[out->figure]);
    out->above = *at == '>';
    return parse_limit(out, skip_blanks(at + 1), err);
}

int rule_check(const struct rule *r, const struct spread_pair pairs[FIGURE_COUNT],
               struct assay_err *err)
{
    if (pairs[r->figure].known)
        return ASSAY_OK;
    return assay_fail(err, ASSAY_EUSAGE,
                      "--fail-if '%s': these runs have no %s to compare; see the table without it",
                      r->text, figure_names[r->figure]);
}

/* The end of the interval that must lie beyond the limit; not finite, or 0 below: it is not known.
 */
static double end_of(const struct rule *r, const struct spread_pair pairs[FIGURE_COUNT])
{
    const struct spread_pair *p = &pairs[r->figure];
    const struct spread *s = r->relative ? &p->ratio : &p->b;

    if (!p->known)
        return NAN;
    if (s->low <= 0 && !isfinite(s->high) && (r->relative ? p->ratio_exact : p->b_exact))
        return s->value;
    if (r->above)
        return s->low > 0 ? s->low : NAN;
    return isfinite(s->high) ? s->high : NAN;
}

bool rule_judged(const struct rule *r, const struct spread_pair pairs[FIGURE_COUNT])
{
    return !isnan(end_of(r, pairs));
}

bool rule_broken(const struct rule *r, const struct spread_pair pairs[FIGURE_COUNT])
{
    double limit = r->relative ? 1 + r->limit : r->limit, end = end_of(r, pairs);

    return r->above ? end > limit : end < limit; /* NaN is neither */
}

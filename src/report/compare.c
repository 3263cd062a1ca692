/* From records to figures, intervals and words; see compare.h.
 *
 * What a scenario's latencies are good for:
 *   SingleStream  latencies of queries; queries follow each other, so their sum is the time
 *   MultiStream   a query is done with its last sample: the latency of a query is the largest of
 *                 its samples', which lie side by side in latency.bin
 *   Server        latencies of queries, which say something only at the same load; throughput is
 *                 compared only where it was searched for, with the precision of the search
 *   Offline       all samples are issued at the start, so a latency is a point in time: sorted, the
 *                 distances between them are the pieces of time of the throughput */
#include "report/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/tree.h"
#include "record/energy.h"
#include "record/record.h"
#include "report/compare_accuracy.h"
#include "report/differ.h"
#include "report/weather.h"

#define SEARCHED_COARSE 0.05 /* at best, of a Server run that found its load by itself */
#define SAME_LOAD       1e-3 /* loads that differ by less are one */

static const char *scenario_of(const json_t *record)
{
    return tree_text(record, "scenario", "");
}

static const json_t *setting(const json_t *record, const char *name)
{
    return json_object_get(json_object_get(json_object_get(record, "settings"), name), "value");
}

/* ---- whether two records can be compared ---- */

static int check_one(const char *name, const json_t *r, struct assay_err *err)
{
    const json_t *perf = json_object_get(r, "performance"), *acc = json_object_get(r, "accuracy");
    const char *id = tree_text(r, "id", "?");

    if (strcmp(tree_text(r, "status", ""), "done") != 0)
        return assay_fail(
            err, ASSAY_EFAIL,
            "%s: the run %s did not come to its end (%s): there is nothing to compare", name, id,
            tree_text(r, "status", "no status"));
    if (!json_is_object(perf) && !json_is_number(json_object_get(acc, "value")))
        return assay_fail(err, ASSAY_EFAIL, "%s: the run %s has no figures to compare", name, id);
    return ASSAY_OK;
}

static bool has_figures_of_time(const json_t *r)
{
    return json_is_object(json_object_get(r, "performance"));
}

/* Which figures a record will give, without its latencies: enough to refuse a rule early. */
static bool has_figure(const json_t *r, int figure)
{
    bool perf = has_figures_of_time(r);

    if (figure == FIGURE_ACCURACY)
        return json_is_number(json_object_get(json_object_get(r, "accuracy"), "value"));
    if (figure == FIGURE_ENERGY)
        return isfinite(energy_per_sample(r));
    if (!strcmp(scenario_of(r), "Offline"))
        return perf && figure == FIGURE_THROUGHPUT;
    if (figure == FIGURE_THROUGHPUT && !strcmp(scenario_of(r), "Server"))
        return json_array_size(json_object_get(r, "trials")) > 0;
    return perf;
}

int compare_check(const json_t *a, const json_t *b, const struct rule *rules, size_t count,
                  struct assay_err *err)
{
    static const char *const same[] = {"benchmark", "scenario"};
    struct spread_pair pairs[FIGURE_COUNT] = {0};
    int rc = check_one("A", a, err);

    if (!rc)
        rc = check_one("B", b, err);
    for (size_t i = 0; !rc && i < 2; i++)
        if (strcmp(tree_text(a, same[i], ""), tree_text(b, same[i], "")) != 0)
            rc = assay_fail(err, ASSAY_EUSAGE,
                            "A is %s and B is %s: figures of different %ss say nothing about each "
                            "other",
                            tree_text(a, same[i], "?"), tree_text(b, same[i], "?"), same[i]);
    for (int f = 0; f < FIGURE_COUNT; f++)
        pairs[f].known = has_figure(a, f) && has_figure(b, f);
    for (size_t i = 0; !rc && i < count; i++)
        rc = rule_check(&rules[i], pairs, err);
    return rc;
}

/* ---- a run's numbers ---- */

/* The latencies of those samples that came back, and what is made of them. */
struct numbers {
    int64_t *all, *piece;
    struct spread_input in;
};

static int by_value(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static uint64_t drop_holes(int64_t *v, uint64_t n)
{
    uint64_t kept = 0;

    for (uint64_t i = 0; i < n; i++)
        if (v[i] > 0)
            v[kept++] = v[i];
    return kept;
}

static void offline(struct numbers *x, uint64_t n)
{
    qsort(x->all, (size_t)n, sizeof(*x->all), by_value);
    for (uint64_t i = n; i-- > 1;)
        x->all[i] -= x->all[i - 1];
    x->in = (struct spread_input){.piece = x->all, .pieces = n, .each = 1};
}

/* LoadGen's own time between two queries of SingleStream. */
static double gap_ns(const json_t *record)
{
    const json_t *d = json_object_get(json_object_get(record, "performance"), "detail");
    double with = tree_real(d, "result_qps_with_loadgen_overhead", 0);
    double without = tree_real(d, "result_qps_without_loadgen_overhead", 0);

    return with > 0 && without > with ? 1e9 / with - 1e9 / without : 0;
}

static void single_stream(struct numbers *x, uint64_t n, const json_t *record)
{
    x->in = (struct spread_input){.latency = x->all,
                                  .n = n,
                                  .piece = x->all,
                                  .pieces = n,
                                  .each = 1,
                                  .gap_ns = gap_ns(record)};
}

/* In place: the largest of each query. */
static void multi_stream(struct numbers *x, uint64_t n, const json_t *record)
{
    int64_t each = json_integer_value(setting(record, "samples-per-query"));
    uint64_t queries, q, i, size = each > 0 ? (uint64_t)each : 1;

    queries = n / size;
    for (q = 0; q < queries; q++) {
        int64_t most = 0;

        for (i = 0; i < size; i++)
            if (x->all[q * size + i] > most)
                most = x->all[q * size + i];
        x->all[q] = most;
    }
    x->in = (struct spread_input){
        .latency = x->all, .n = queries, .piece = x->all, .pieces = queries, .each = (double)size};
}

/* The least load of the list that is above this one, and did not hold; INFINITY: none. */
static double failed_above(const json_t *list, double load)
{
    double least = INFINITY, qps;
    const json_t *one;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)list, i, one)
    {
        qps = tree_real(one, "qps", 0);
        if (!tree_bool(one, "valid", false) && qps > load * (1 + SAME_LOAD))
            least = fmin(least, qps);
    }
    return least;
}

/* How far the load that would just hold may be from the one that was run, as a part of it. */
static double search_precision(const json_t *record)
{
    double load = json_number_value(setting(record, "target-qps"));
    double above = fmin(failed_above(json_object_get(record, "trials"), load),
                        failed_above(json_object_get(record, "attempts"), load));

    if (!strcmp(tree_text(record, "mode", ""), "find-peak"))
        return json_number_value(setting(record, "peak-precision"));
    return load > 0 && isfinite(above) ? fmax(log(above / load), SEARCHED_COARSE) : SEARCHED_COARSE;
}

static void server(struct numbers *x, uint64_t n, const json_t *record)
{
    x->in = (struct spread_input){.latency = x->all, .n = n};
    if (!has_figure(record, FIGURE_THROUGHPUT))
        return;
    x->in.throughput = tree_real(json_object_get(record, "performance"), "value", 0);
    x->in.precision = search_precision(record);
}

/* *run becomes NULL where the latencies are not at hand. */
static int read_run(const struct compare_run *from, struct spread_run **run, struct assay_err *err)
{
    const char *scenario = scenario_of(from->record);
    struct numbers x = {0};
    uint64_t n = 0;
    int rc = has_figures_of_time(from->record)
                 ? record_latencies(from->dir, from->record, &x.all, &n, err)
                 : ASSAY_OK;

    *run = NULL;
    if (!rc && (n = n ? drop_holes(x.all, n) : 0)) {
        if (!strcmp(scenario, "Offline"))
            offline(&x, n);
        else if (!strcmp(scenario, "SingleStream"))
            single_stream(&x, n, from->record);
        else if (!strcmp(scenario, "MultiStream"))
            multi_stream(&x, n, from->record);
        else
            server(&x, n, from->record);
        rc = spread_run_create(&x.in, run, err);
    }
    free(x.all);
    return rc;
}

/* What record.json alone says: the values without their spread. */
static void summary_values(const json_t *record, double value[FIGURE_COUNT])
{
    const json_t *perf = json_object_get(record, "performance");
    const json_t *latency = json_object_get(perf, "latency_ns"),
                 *d = json_object_get(perf, "detail");
    bool multi = !strcmp(scenario_of(record), "MultiStream");
    char key[80];
    int f;

    for (f = FIGURE_MEAN; f <= FIGURE_P999; f++) {
        snprintf(key, sizeof(key), "result_%.2f_percentile_per_query_latency_ns",
                 f == FIGURE_MEAN ? 0 : strtod(figure_names[f] + 1, NULL));
        if (has_figure(record, f)) /* latency_ns is of samples */
            value[f] = multi ? tree_real(d, key, NAN) : tree_real(latency, figure_names[f], NAN);
    }
    if (!has_figure(record, FIGURE_THROUGHPUT))
        return;
    if (!strcmp(scenario_of(record), "SingleStream"))
        value[FIGURE_THROUGHPUT] = 1e9 / (value[FIGURE_MEAN] + gap_ns(record));
    else if (!multi)
        value[FIGURE_THROUGHPUT] = tree_real(perf, "value", NAN);
}

struct loaded {
    struct spread_side side;
    struct spread_run **runs;
};

static int load_side(const struct compare_side *from, struct loaded *out, struct assay_err *err)
{
    bool whole = from->count > 0;
    int rc = ASSAY_OK;

    memset(out, 0, sizeof(*out));
    out->runs = calloc(from->count + 1, sizeof(struct spread_run *));
    if (!out->runs)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory to compare");
    for (size_t i = 0; i < from->count && !rc; i++) {
        rc = read_run(&from->runs[i], &out->runs[i], err);
        whole = whole && out->runs[i];
    }
    out->side.runs = out->runs;
    out->side.count = whole ? from->count : 0;
    for (int f = 0; f < FIGURE_COUNT; f++)
        out->side.value[f] = NAN;
    if (!whole)
        summary_values(from->of.record, out->side.value);
    return rc;
}

static void unload_side(const struct compare_side *from, struct loaded *l)
{
    for (size_t i = 0; l->runs && i < from->count; i++)
        spread_run_destroy(l->runs[i]);
    free(l->runs);
}

/* ---- energy ---- */

/* Of a side's runs, as logarithms: their mean, and the sum of squares about it. */
static double energies(const struct compare_side *side, double *squares)
{
    double mean = 0, each;

    for (size_t i = 0; i < side->count; i++)
        mean += log(energy_per_sample(side->runs[i].record)) / (double)side->count;
    for (size_t i = 0; i < side->count; i++) {
        each = log(energy_per_sample(side->runs[i].record)) - mean;
        *squares += each * each;
    }
    return mean;
}

static struct spread energy_around(double log_value, double reach)
{
    double value = exp(log_value);

    return isfinite(reach) ? (struct spread){value, value * exp(-reach), value * exp(reach)}
                           : (struct spread){value, 0, INFINITY};
}

static bool all_comparable(const struct compare_side *a, const struct compare_side *b)
{
    for (size_t i = 0; i < a->count * b->count; i++)
        if (!energy_comparable(a->runs[i / b->count].record, b->runs[i % b->count].record))
            return false;
    return a->count && b->count;
}

/* A run has one energy, so only runs made again say how far it can be trusted: Student's t of the
 * logarithms, with what both sides' runs vary by.  With one run a side it is not bounded. */
static void pair_energy(const struct compare_side *a, const struct compare_side *b,
                        struct spread_pair *p, json_t *notes)
{
    double na = (double)a->count, nb = (double)b->count, squares = 0, x, y, t = INFINITY;
    size_t dof = a->count + b->count - 2;

    p->known = all_comparable(a, b);
    if (!p->known) {
        if (has_figure(a->of.record, FIGURE_ENERGY) && has_figure(b->of.record, FIGURE_ENERGY))
            json_array_append_new(notes,
                                  json_string("energy is not compared: not of the same parts of "
                                              "the machine in every run"));
        return;
    }
    x = energies(a, &squares);
    y = energies(b, &squares);
    if (a->count > 1 && b->count > 1)
        t = spread_quantile(1 - (1 - SPREAD_LEVEL) / FIGURE_COUNT, (unsigned)dof) *
            sqrt(squares / (double)dof);
    else
        json_array_append_new(notes, json_string("a run has one energy: only --repeats gives its "
                                                 "ratio an interval"));
    p->a = energy_around(x, t / sqrt(na));
    p->b = energy_around(y, t / sqrt(nb));
    p->ratio = energy_around(y - x, t * sqrt(1 / na + 1 / nb));
}

/* ---- words ---- */

static const char *word_of(int figure, const struct spread *ratio)
{
    double margin = figure == FIGURE_ACCURACY ? COMPARE_ACCURACY_MARGIN : COMPARE_MARGIN;

    if (figure >= FIGURE_ACCURACY && (ratio->low > 1 || ratio->high < 1))
        return (ratio->low > 1) == figure_more_is_better(figure) ? COMPARE_BETTER : COMPARE_WORSE;
    if (ratio->low > 1 || ratio->high < 1)
        return (ratio->low > 1) == figure_more_is_better(figure) ? COMPARE_FASTER : COMPARE_SLOWER;
    /* Half its width: a true difference of the margin would have left 1 outside, as a rule. */
    return ratio->high <= ratio->low * (1 + margin) * (1 + margin) ? COMPARE_SAME : COMPARE_UNSURE;
}

/* The figure that the scenario is judged by. */
static int headline(const json_t *record)
{
    double percent = 100 * json_number_value(setting(record, "target-latency-percentile"));

    if (!json_is_object(json_object_get(record, "performance")))
        return FIGURE_ACCURACY;
    if (!strcmp(scenario_of(record), "Offline") ||
        (!strcmp(scenario_of(record), "Server") && has_figure(record, FIGURE_THROUGHPUT)))
        return FIGURE_THROUGHPUT;
    for (int f = FIGURE_P50; f <= FIGURE_P999; f++)
        if (fabs(strtod(figure_names[f] + 1, NULL) - percent) < 1e-6)
            return f;
    return FIGURE_P99;
}

/* All figures together: any that is told apart tells the runs apart, those of time before the
 * accuracy; else the headline decides. */
static const char *verdict_of(const struct spread_pair pairs[FIGURE_COUNT], int chief)
{
    const struct spread_pair *accuracy = &pairs[FIGURE_ACCURACY];
    bool faster = false, slower = false;

    for (int f = 0; f <= FIGURE_P999; f++) {
        const char *word = pairs[f].known ? word_of(f, &pairs[f].ratio) : "";

        faster = faster || !strcmp(word, COMPARE_FASTER);
        slower = slower || !strcmp(word, COMPARE_SLOWER);
    }
    if (faster || slower)
        return faster && slower ? COMPARE_MIXED : faster ? COMPARE_FASTER : COMPARE_SLOWER;
    if (accuracy->known && (accuracy->ratio.low > 1 || accuracy->ratio.high < 1))
        return word_of(FIGURE_ACCURACY, &accuracy->ratio);
    return pairs[chief].known ? word_of(chief, &pairs[chief].ratio) : COMPARE_UNSURE;
}

/* ---- the result ---- */

static const char *unit_of(const json_t *record, int figure)
{
    if (figure == FIGURE_ACCURACY)
        return tree_text(json_object_get(record, "accuracy"), "unit", "");
    return figure == FIGURE_THROUGHPUT ? "samples/s" : figure == FIGURE_ENERGY ? "J" : "ns";
}

/* JSON has no infinity: an end that is not bounded is null. */
static json_t *ends(const struct spread *s)
{
    return json_pack("[o, o]", s->low > 0 ? json_real(s->low) : json_null(),
                     isfinite(s->high) ? json_real(s->high) : json_null());
}

static json_t *figures_json(const json_t *record, const struct spread_pair pairs[FIGURE_COUNT])
{
    json_t *list = json_array();

    for (int f = 0; f < FIGURE_COUNT; f++) {
        const struct spread_pair *p = &pairs[f];

        if (p->known)
            json_array_append_new(
                list, json_pack("{s:s, s:s, s:s, s:f, s:f, s:f, s:o, s:o, s:o, s:s}", "figure",
                                figure_names[f], "unit", unit_of(record, f), "better",
                                figure_more_is_better(f) ? "more" : "less", "a", p->a.value, "b",
                                p->b.value, "ratio", p->ratio.value, "a_interval", ends(&p->a),
                                "b_interval", ends(&p->b), "interval", ends(&p->ratio), "verdict",
                                word_of(f, &p->ratio)));
    }
    return list;
}

static json_t *side_json(const struct compare_side *s)
{
    const json_t *r = s->of.record;
    json_t *ids = json_array();

    for (size_t i = 0; i < s->count; i++)
        json_array_append(ids, json_object_get(s->runs[i].record, "id"));
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "id", tree_text(r, "id", "?"),
                     "created", tree_text(r, "created", "?"), "engine",
                     tree_text(json_object_get(r, "engine"), "name", "?"), "model",
                     tree_text(json_object_get(r, "model"), "name", "?"), "verdict",
                     tree_text(json_object_get(r, "verdict"), "word", "?"), "folder", s->of.dir,
                     "runs", ids);
}

static json_t *rules_json(const struct rule *rules, size_t n,
                          const struct spread_pair pairs[FIGURE_COUNT], int *broken, int *unjudged)
{
    json_t *list = json_array();

    for (*broken = *unjudged = 0; n--; rules++) {
        bool is = rule_broken(rules, pairs), judged = rule_judged(rules, pairs);

        *broken += is;
        *unjudged += !judged;
        json_array_append_new(list, json_pack("{s:s, s:b, s:b}", "rule", rules->text, "broken",
                                              (int)is, "judged", (int)judged));
    }
    return list;
}

/* Of runs that have figures of time at all. */
static void note_sides(const struct loaded *a, const struct loaded *b, json_t *notes)
{
    const char *text =
        !a->side.count && !b->side.count ? "neither side's latencies are at hand (`assay export "
                                           "--latencies` takes them along): nothing tells "
                                           "how far the figures can be trusted"
        : !a->side.count ? "A's latencies are not at hand (`assay export --latencies` takes them "
                           "along): its spread is taken to be B's"
        : !b->side.count ? "B's latencies are not at hand (`assay export --latencies` takes them "
                           "along): its spread is taken to be A's"
                         : NULL;

    if (text)
        json_array_append_new(notes, json_string(text));
}

/* Of the runs that the figures are of. */
static void note_verdicts(const char *name, const struct compare_side *s, json_t *notes)
{
    const char *word = "INVALID";
    size_t invalid = 0;

    for (size_t i = 0; i < s->count; i++) {
        const json_t *verdict = json_object_get(s->runs[i].record, "verdict");

        if (!json_is_false(json_object_get(verdict, "valid")))
            continue;
        word = tree_text(verdict, "word", "INVALID");
        invalid++;
    }
    if (invalid && s->count == 1)
        json_array_append_new(notes, json_sprintf("%s's verdict is %s", name, word));
    else if (invalid)
        json_array_append_new(
            notes, json_sprintf("%zu of %zu runs of %s are %s", invalid, s->count, name, word));
}

/* Between A and B's runs: the mean of what each may have had, throttled where any was. */
static struct weather weather_of(const struct compare_side *a, const struct compare_side *b)
{
    struct weather sum = {.slow = 0, .quick = 0};
    double n = (double)(a->count * b->count);

    for (size_t i = 0; i < a->count * b->count; i++) {
        struct weather w =
            weather_between(a->runs[i / b->count].record, b->runs[i % b->count].record);

        sum.known = sum.known || w.known;
        sum.slow += w.slow / n;
        sum.quick += w.quick / n;
        sum.more += w.more / n;
        sum.a_throttled = sum.a_throttled || w.a_throttled;
        sum.b_throttled = sum.b_throttled || w.b_throttled;
    }
    return sum;
}

/* Where a side has one run, what the machine did meanwhile is allowed for.  Interleaved runs show
 * it themselves. */
static void allow_for_machine(const struct compare_side *a, const struct compare_side *b,
                              struct spread_pair pairs[FIGURE_COUNT], json_t *notes)
{
    struct weather w;

    if ((a->count > 1 && b->count > 1) || !differ_same_machine(a->of.record, b->of.record) ||
        !has_figures_of_time(a->of.record) || !has_figures_of_time(b->of.record))
        return;
    w = weather_of(a, b);
    for (int f = 0; f <= FIGURE_P999; f++)
        if (pairs[f].known)
            weather_widen(&w, f, &pairs[f].ratio);
    weather_notes(&w, a->of.record, b->of.record, notes);
}

/* Latencies at different loads say nothing of what is compared. */
static void allow_for_load(const json_t *a, const json_t *b, struct spread_pair pairs[FIGURE_COUNT],
                           json_t *notes)
{
    double x = json_number_value(setting(a, "target-qps")),
           y = json_number_value(setting(b, "target-qps"));

    if (strcmp(scenario_of(a), "Server") || !(x > 0 && y > 0) || fabs(log(y / x)) < SAME_LOAD)
        return;
    for (int f = FIGURE_MEAN; f <= FIGURE_P999; f++) {
        pairs[f].ratio.low = 0;
        pairs[f].ratio.high = INFINITY;
    }
    json_array_append_new(notes,
                          json_sprintf("A had %.4g queries/s and B %.4g: latencies at different "
                                       "loads tell nothing apart; run both with the same "
                                       "--target-qps",
                                       x, y));
}

static json_t *method_json(const json_t *record, size_t a, size_t b)
{
    if (!has_figures_of_time(record))
        return json_string("counts of samples");
    if (a > 1 && b > 1)
        return json_sprintf("bootstrap over %zu and %zu interleaved runs", a, b);
    if (a > 1 || b > 1)
        return json_sprintf("block bootstrap of %zu and %zu runs", a, b);
    return json_string("block bootstrap of one run each");
}

int compare_records(const struct compare_side *a, const struct compare_side *b,
                    const struct rule *rules, size_t rule_count, json_t **out,
                    struct assay_err *err)
{
    struct spread_pair pairs[FIGURE_COUNT];
    struct loaded x = {0}, y = {0};
    json_t *notes = json_array(), *broken_rules;
    int broken, unjudged, chief, rc = load_side(a, &x, err);

    if (!rc)
        rc = load_side(b, &y, err);
    if (!rc)
        rc = spread_pair(&x.side, &y.side, pairs, err);
    if (rc)
        goto out;
    compare_accuracy(a, b, &pairs[FIGURE_ACCURACY]);
    note_verdicts("A", a, notes);
    note_verdicts("B", b, notes);
    if (has_figures_of_time(a->of.record) && has_figures_of_time(b->of.record))
        note_sides(&x, &y, notes);
    allow_for_machine(a, b, pairs, notes);
    allow_for_load(a->of.record, b->of.record, pairs, notes);
    pair_energy(a, b, &pairs[FIGURE_ENERGY], notes);
    for (size_t i = 0; !rc && i < rule_count; i++) /* too few latencies for a percentile, … */
        rc = rule_check(&rules[i], pairs, err);
    if (rc)
        goto out;
    chief = headline(a->of.record);
    broken_rules = rules_json(rules, rule_count, pairs, &broken, &unjudged);
    *out = json_pack("{s:s, s:s, s:f, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:O}",
                     "benchmark", tree_text(a->of.record, "benchmark", "?"), "scenario",
                     scenario_of(a->of.record), "level", SPREAD_LEVEL, "method",
                     method_json(a->of.record, a->count, b->count), "headline", figure_names[chief],
                     "verdict", verdict_of(pairs, chief), "a", side_json(a), "b", side_json(b),
                     "figures", figures_json(a->of.record, pairs), "differences",
                     differ_records(a->of.record, b->of.record), "rules", broken_rules, "broken",
                     broken, "unjudged", unjudged, "notes", notes);
    if (!*out)
        rc = assay_fail(err, ASSAY_EFAIL, "the comparison cannot be put together (not UTF-8?)");
out:
    unload_side(a, &x);
    unload_side(b, &y);
    json_decref(notes);
    return rc;
}

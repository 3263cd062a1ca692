/* Comparisons of records that are made here: what each scenario's latencies are taken for, what the
 * machine may have done, what differs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/tree.h"
#include "report/compare.h"
#include "report/differ.h"

#define N 8000

static char root[] = "/tmp/assay-compare-XXXXXX";
static uint64_t random_state;

static double uniform(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (double)(random_state >> 11) * 0x1p-53 + 0x1p-54;
}

struct made {
    char *dir;
    json_t *record;
};

static json_t *fact(const char *value)
{
    return json_pack("{s:s, s:s, s:s}", "value", value, "from", "detected", "source", "test");
}

static json_t *looked(double compute_ns, double memory_ns)
{
    return json_pack("{s:f, s:f}", "compute_ns", compute_ns, "memory_ns", memory_ns);
}

static json_t *probe(double compute_ns)
{
    return looked(compute_ns, 3e6);
}

/* A finished run with these latencies. */
static struct made make(const char *name, const char *scenario, const int64_t *v, size_t n)
{
    struct made m;
    char hex[HASH_HEX], *path;

    m.dir = text_format("%s/%s", root, name);
    path = file_join(m.dir, "latency.bin");
    assert_int_equal(file_make_dirs(m.dir, NULL), 0);
    assert_int_equal(file_write_whole(path, v, n * sizeof(*v), NULL), 0);
    hash_bytes(v, n * sizeof(*v), hex);
    free(path);
    m.record = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:{s:f, s:{s:f, s:f}}, s:{s:s, s:b}, "
        "s:{s:{s:i, s:s}, s:{s:f, s:s}, s:{s:f, s:s}}, s:{s:s, s:s}, s:{s:o, s:o, s:o, s:o}, "
        "s:{s:{s:i, s:o, s:o}}, s:{s:{s:i, s:s}}}",
        "schema", "assay.record/1", "id", name, "created", "2026-01-01T00:00:00Z", "status", "done",
        "benchmark", "resnet50", "scenario", scenario, "mode", "performance", "performance",
        "value", 1.0, "latency_ns", "mean", 1e6, "p90", 2e6, "verdict", "word", "QUICK-VALID",
        "valid", 1, "settings", "samples-per-query", "value", 4, "origin", "official",
        "target-latency-percentile", "value", 0.9, "origin", "official", "target-qps", "value", 7.0,
        "origin", "measured", "engine", "name", "null", "version", "1", "system", "processor",
        fact("P"), "threads", fact("2"), "memory_bytes", fact("1"), "load_average", fact("0.1"),
        "conditions", "probe", "revision", 1, "before", probe(5e6), "after", probe(5e6), "files",
        "latency.bin", "bytes", (int)(n * sizeof(*v)), "sha256", hex);
    assert_non_null(m.record);
    return m;
}

static void release(struct made *m)
{
    json_decref(m->record);
    free(m->dir);
}

/* long_one: of so many latencies one is three times as long; 0: none. */
static struct made stream_with(const char *name, double scale, int long_one)
{
    int64_t v[N];

    random_state = (uint64_t)(name[0] * 7919);
    for (int i = 0; i < N; i++)
        v[i] = (int64_t)((0.8 + 0.4 * uniform()) * 1e6 * scale *
                         (long_one && i % long_one == 0 ? 3 : 1));
    return make(name, "SingleStream", v, N);
}

static struct made stream(const char *name, double scale)
{
    return stream_with(name, scale, 0);
}

static json_t *compare(const struct made *a, const struct made *b, int want)
{
    struct compare_run x = {a->record, a->dir}, y = {b->record, b->dir};
    struct compare_side sa = {x, &x, 1}, sb = {y, &y, 1};
    struct assay_err err = {0};
    json_t *out = NULL;

    if (compare_records(&sa, &sb, NULL, 0, &out, &err) != want)
        fail_msg("%d: %s", err.code, err.text);
    return out;
}

static const json_t *figure(const json_t *result, const char *name)
{
    const json_t *f;
    size_t i;

    json_array_foreach(json_object_get(result, "figures"), i, f)
    {
        if (!strcmp(tree_text(f, "figure", ""), name))
            return f;
    }
    return NULL;
}

static const char *verdict(const json_t *result)
{
    return tree_text(result, "verdict", "");
}

static void streams(void **state)
{
    struct made a = stream("a", 1), b = stream("b", 1), c = stream("c", 1.05);
    json_t *same = compare(&a, &b, 0), *slower = compare(&a, &c, 0), *faster = compare(&c, &a, 0);

    (void)state;
    assert_string_equal(verdict(same), COMPARE_SAME);
    assert_string_equal(verdict(slower), COMPARE_SLOWER);
    assert_string_equal(verdict(faster), COMPARE_FASTER);
    assert_string_equal(tree_text(slower, "headline", ""), "p90");
    assert_true(fabs(tree_real(figure(slower, "p90"), "ratio", 0) - 1.05) < 0.005);
    assert_true(fabs(tree_real(figure(slower, "throughput"), "ratio", 0) - 1 / 1.05) < 0.005);
    assert_true(fabs(tree_real(figure(same, "throughput"), "a", 0) - 1000) < 5);
    json_decref(same);
    json_decref(slower);
    json_decref(faster);
    release(&a);
    release(&b);
    release(&c);
}

/* Offline's latencies are points in time, in any order: 1,000 samples/s in batches of 8. */
static struct made offline(const char *name, double scale)
{
    int64_t v[N], at = 0;

    random_state = 77 + (uint64_t)name[0];
    for (int i = 0; i < N; i++) {
        at += i % 8 ? 0 : (int64_t)((0.9 + 0.2 * uniform()) * 8e6 * scale);
        v[(i * 7) % N] = at; /* 7 and N have no common factor */
    }
    return make(name, "Offline", v, N);
}

static void offline_is_throughput(void **state)
{
    struct made a = offline("d", 1), b = offline("e", 1.04);
    json_t *out = compare(&a, &b, 0);
    const json_t *f = figure(out, "throughput");

    (void)state;
    assert_int_equal(json_array_size(json_object_get(out, "figures")), 1);
    assert_true(fabs(tree_real(f, "a", 0) - 1000) < 10);
    assert_true(fabs(tree_real(f, "ratio", 0) - 1 / 1.04) < 0.005);
    assert_string_equal(verdict(out), COMPARE_SLOWER);
    json_decref(out);
    release(&a);
    release(&b);
}

static struct made server(const char *name, double scale, double qps)
{
    int64_t v[N];
    struct made m;

    random_state = 11 + (uint64_t)name[0];
    for (int i = 0; i < N; i++)
        v[i] = (int64_t)((0.8 + 0.4 * uniform()) * 1e6 * scale);
    m = make(name, "Server", v, N);
    json_object_set_new(json_object_get(json_object_get(m.record, "settings"), "target-qps"),
                        "value", json_real(qps));
    json_object_set_new(json_object_get(m.record, "performance"), "value", json_real(qps));
    return m;
}

/* At another load latencies are others, whatever the set-up; at the same they tell. */
static void loads_of_a_server(void **state)
{
    struct made a = server("7", 1, 1000), b = server("8", 1.2, 1040), c = server("9", 1.2, 1000);
    json_t *out = compare(&a, &b, 0);
    char *notes;

    (void)state;
    assert_string_equal(verdict(out), COMPARE_UNSURE);
    notes = json_dumps(json_object_get(out, "notes"), 0);
    assert_non_null(strstr(notes, "A had 1000 queries/s and B 1040"));
    free(notes);
    json_decref(out);
    out = compare(&a, &c, 0);
    assert_string_equal(verdict(out), COMPARE_SLOWER);
    json_decref(out);
    release(&a);
    release(&b);
    release(&c);
}

/* A search that went back far knows the peak no better than that. */
static void search_that_went_back(void **state)
{
    struct made a = server("A", 1, 1000), b = server("B", 1, 800);
    json_t *out;

    (void)state;
    json_object_set_new(a.record, "trials", json_pack("[{s:f, s:b}]", "qps", 1050.0, "valid", 0));
    json_object_set_new(b.record, "trials", json_pack("[{s:f, s:b}]", "qps", 1050.0, "valid", 0));
    out = compare(&a, &b, 0);
    assert_string_equal(tree_text(figure(out, "throughput"), "verdict", ""), COMPARE_UNSURE);
    json_decref(out);
    json_object_set_new(b.record, "trials", json_pack("[{s:f, s:b}]", "qps", 840.0, "valid", 0));
    out = compare(&a, &b, 0);
    assert_string_equal(tree_text(figure(out, "throughput"), "verdict", ""), COMPARE_SLOWER);
    json_decref(out);
    release(&a);
    release(&b);
}

/* Queries of 4: the slowest sample is what counts. */
static void queries_of_samples(void **state)
{
    int64_t v[N];
    struct made a;
    json_t *out;

    (void)state;
    for (int i = 0; i < N; i++)
        v[i] = i % 4 == 2 ? 4000000 : 1000000 + i;
    a = make("f", "MultiStream", v, N);
    out = compare(&a, &a, 0);
    assert_true(tree_real(figure(out, "p50"), "a", 0) == 4e6);
    assert_true(fabs(tree_real(figure(out, "throughput"), "a", 0) - 1000) < 0.1);
    json_decref(out);
    release(&a);
}

/* record.json alone: its values, and the other's spread. */
static void without_latencies(void **state)
{
    struct made a = stream("g", 1), b = stream("h", 1);
    char *path = file_join(a.dir, "latency.bin");
    json_t *out;

    (void)state;
    assert_int_equal(remove(path), 0);
    out = compare(&a, &b, 0);
    assert_true(tree_real(figure(out, "p90"), "a", 0) == 2e6);
    assert_true(tree_real(figure(out, "p90"), "ratio", 0) < 0.6);
    assert_string_equal(verdict(out), COMPARE_FASTER);
    assert_null(figure(out, "p99")); /* the summary here has none */
    json_decref(out);
    free(path);
    release(&a);
    release(&b);
}

static void damaged_latencies(void **state)
{
    struct made a = stream("i", 1);
    char *path = file_join(a.dir, "latency.bin");

    (void)state;
    assert_int_equal(file_write_whole(path, "12345678", 8, NULL), 0);
    compare(&a, &a, ASSAY_EFAIL);
    free(path);
    release(&a);
}

static void refused(void **state)
{
    struct made a = stream("j", 1), b = offline("k", 1);
    struct assay_err err = {0};
    struct rule r;

    (void)state;
    assert_int_equal(compare_check(a.record, b.record, NULL, 0, &err), ASSAY_EUSAGE);
    assert_non_null(strstr(err.text, "different scenarios"));
    assert_int_equal(rule_parse("p99>+3%", &r, NULL), 0);
    assert_int_equal(compare_check(a.record, a.record, &r, 1, &err), 0);
    assert_int_equal(compare_check(b.record, b.record, &r, 1, &err), ASSAY_EUSAGE);
    json_object_set_new(a.record, "status", json_string("error"));
    assert_int_equal(compare_check(b.record, a.record, NULL, 0, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "B: the run j"));
    release(&a);
    release(&b);
}

/* A machine that was 8 % slower explains a run that is 5 % slower, one that was so for a moment
 * does not; on another machine, that is what is compared. */
static void the_machine_did_it(void **state)
{
    struct made a = stream("l", 1), b = stream("m", 1.05);
    json_t *looks = json_object_get(json_object_get(b.record, "conditions"), "probe"), *out;

    (void)state;
    json_object_set_new(looks, "after", probe(5.4e6));
    out = compare(&a, &b, 0);
    assert_string_equal(verdict(out), COMPARE_SLOWER);
    json_decref(out);
    json_object_set_new(looks, "before", probe(5.4e6));
    out = compare(&a, &b, 0);
    assert_string_equal(verdict(out), COMPARE_UNSURE);
    assert_true(json_array_size(json_object_get(out, "notes")) > 0);
    json_decref(out);
    json_object_set_new(json_object_get(b.record, "system"), "processor", fact("Q"));
    out = compare(&a, &b, 0);
    assert_string_equal(verdict(out), COMPARE_SLOWER);
    json_decref(out);
    release(&a);
    release(&b);
}

/* Memory that was 20 % slower while B ran may explain 5 %; where it wanders by 20 % between two
 * looks of one run, a look says nothing.  So too the clock. */
static void looks_wander(void **state)
{
    struct made a = stream("3", 1), b = stream("4", 1.05);
    json_t *of_a = json_object_get(json_object_get(a.record, "conditions"), "probe"),
           *of_b = json_object_get(json_object_get(b.record, "conditions"), "probe"), *out;

    (void)state;
    json_object_set_new(of_b, "before", looked(5e6, 3.6e6));
    json_object_set_new(of_b, "after", looked(5e6, 3.7e6));
    out = compare(&a, &b, 0);
    assert_string_equal(verdict(out), COMPARE_UNSURE);
    json_decref(out);
    json_object_set_new(of_a, "after", looked(5e6, 3.6e6));
    out = compare(&a, &b, 0);
    assert_string_equal(verdict(out), COMPARE_SLOWER);
    json_decref(out);
    json_object_set_new(of_b, "before", looked(5.5e6, 3.6e6));
    json_object_set_new(of_b, "after", looked(5.5e6, 3.6e6));
    out = compare(&a, &b, 0);
    assert_string_equal(verdict(out), COMPARE_UNSURE);
    json_decref(out);
    json_object_set_new(of_a, "after", looked(5.5e6, 3.6e6));
    out = compare(&a, &b, 0);
    assert_string_equal(verdict(out), COMPARE_SLOWER);
    json_decref(out);
    release(&a);
    release(&b);
}

/* A run that waits nine tenths of its time cannot be 5 % slower by a clock that is 8 % slower. */
static void it_only_waited(void **state)
{
    struct made a = stream("5", 1), b = stream("6", 1.05);
    json_t *looks = json_object_get(json_object_get(b.record, "conditions"), "probe"), *out;
    json_t *cpu = json_pack("{s:f, s:f, s:f, s:f}", "seconds", 10.0, "busy_s", 10.0, "own_s", 10.0,
                            "steal_s", 0.0);

    (void)state;
    json_object_set_new(looks, "before", probe(5.4e6));
    json_object_set_new(looks, "after", probe(5.4e6));
    json_object_set(json_object_get(a.record, "conditions"), "cpu", cpu);
    json_object_set_new(json_object_get(b.record, "conditions"), "cpu", cpu);
    out = compare(&a, &b, 0);
    assert_string_equal(verdict(out), COMPARE_UNSURE);
    json_decref(out);
    json_object_set_new(cpu, "own_s", json_real(1.0));
    json_object_set_new(cpu, "busy_s", json_real(1.0));
    out = compare(&a, &b, 0);
    assert_string_equal(verdict(out), COMPARE_SLOWER);
    json_decref(out);
    release(&a);
    release(&b);
}

/* Others used half a processor of two more while B ran: B's 5 % may be theirs. */
static void others_did_it(void **state)
{
    struct made a = stream("1", 1), b = stream("2", 1.05), far = stream("0", 3);
    json_t *cpu = json_pack("{s:f, s:f, s:f, s:f}", "seconds", 10.0, "busy_s", 9.0, "own_s", 4.0,
                            "steal_s", 0.0),
           *out, *threads = json_pack("{s:i}", "value", 2);

    (void)state;
    json_object_set(json_object_get(a.record, "system"), "threads", threads);
    json_object_set_new(json_object_get(b.record, "system"), "threads", threads);
    json_object_set_new(json_object_get(b.record, "conditions"), "cpu", cpu);
    out = compare(&a, &b, 0);
    assert_string_equal(verdict(out), COMPARE_UNSURE);
    json_decref(out);
    /* Three times as long is more than a fourth of the machine, but who knows what it was. */
    json_object_set(json_object_get(far.record, "system"), "threads", threads);
    json_object_set(json_object_get(far.record, "conditions"), "cpu", cpu);
    out = compare(&a, &far, 0);
    assert_string_equal(verdict(out), COMPARE_UNSURE);
    json_decref(out);
    out = compare(&far, &a, 0);
    assert_string_equal(verdict(out), COMPARE_UNSURE);
    json_decref(out);
    json_object_set_new(cpu, "own_s", json_real(8.7));
    out = compare(&a, &b, 0);
    assert_string_equal(verdict(out), COMPARE_SLOWER);
    json_decref(out);
    release(&a);
    release(&b);
    release(&far);
}

/* One latency of 80 in B is three times as long.  That is found; but not where others had 4 % of
 * the processors while B ran, and none while A did: theirs may be the longest 4 %, not the rest. */
static void others_touch_the_tail(void **state)
{
    struct made a = stream("7", 1), b = stream_with("8", 1, 80), c = stream_with("9", 1.05, 80);
    json_t *cpu = json_pack("{s:f, s:f, s:f, s:f}", "seconds", 10.0, "busy_s", 4.8, "own_s", 4.0,
                            "steal_s", 0.0),
           *out, *threads = json_pack("{s:i}", "value", 2);

    (void)state;
    out = compare(&a, &b, 0);
    assert_string_equal(tree_text(figure(out, "p99"), "verdict", ""), COMPARE_SLOWER);
    json_decref(out);
    json_object_set(json_object_get(a.record, "system"), "threads", threads);
    json_object_set(json_object_get(b.record, "system"), "threads", threads);
    json_object_set_new(json_object_get(c.record, "system"), "threads", threads);
    json_object_set(json_object_get(b.record, "conditions"), "cpu", cpu);
    json_object_set_new(json_object_get(c.record, "conditions"), "cpu", cpu);
    out = compare(&a, &b, 0);
    assert_string_equal(tree_text(figure(out, "p99"), "verdict", ""), COMPARE_UNSURE);
    assert_string_not_equal(verdict(out), COMPARE_SLOWER);
    json_decref(out);
    out = compare(&b, &a, 0);
    assert_string_not_equal(verdict(out), COMPARE_FASTER);
    json_decref(out);
    out = compare(&a, &c, 0);
    assert_string_equal(tree_text(figure(out, "p90"), "verdict", ""), COMPARE_SLOWER);
    assert_string_equal(verdict(out), COMPARE_SLOWER);
    json_decref(out);
    release(&a);
    release(&b);
    release(&c);
}

static void throttled(void **state)
{
    struct made a = stream("n", 1), b = stream("o", 1.05);
    json_t *out;

    (void)state;
    json_object_set_new(json_object_get(b.record, "conditions"), "throttled",
                        json_pack("{s:f}", "thermal", 3.0));
    out = compare(&a, &b, 0);
    assert_string_equal(verdict(out), COMPARE_UNSURE);
    json_decref(out);
    out = compare(&b, &a, 0);
    assert_string_equal(verdict(out), COMPARE_UNSURE);
    json_decref(out);
    release(&a);
    release(&b);
}

static struct made scored(const char *name, double value, int good, int total, const char *data)
{
    struct made m = stream(name, 1);

    json_object_set_new(m.record, "performance", json_null());
    json_object_set_new(m.record, "accuracy",
                        json_pack("{s:s, s:f, s:s, s:i, s:i}", "metric", "top1", "value", value,
                                  "unit", "%", "good", good, "total", total));
    json_object_set_new(m.record, "dataset", json_pack("{s:s}", "hash", data));
    return m;
}

static struct made judged(const char *name, int good, const char *data)
{
    return scored(name, good * 0.5, good, 200, data);
}

/* The run's log: of 200 samples those from `first` on, `good` many, are answered rightly. */
static void answer(struct made *m, int good, int first)
{
    char *path = file_join(m->dir, "mlperf_log_accuracy.json"), hex[HASH_HEX];
    struct text t;

    text_init(&t, 1u << 16);
    for (int i = 0; i < 200; i++)
        text_addf(&t, "%s{ \"seq_id\" : %d, \"qsl_idx\" : %d, \"data\" : \"%s\" }\n", i ? "," : "[",
                  i, i, (i - first + 200) % 200 < good ? "01" : "00");
    text_add(&t, "]\n");
    assert_int_equal(file_write_whole(path, t.s, t.len, NULL), 0);
    hash_bytes(t.s, t.len, hex);
    json_object_set_new(json_object_get(m->record, "files"), "mlperf_log_accuracy.json",
                        json_pack("{s:s}", "sha256", hex));
    text_release(&t);
    free(path);
}

/* On the same samples 8 more wrong answers are worse, where all others are as they were; when most
 * answers are others, when nothing tells, and on other samples they may be chance. */
static void accuracies(void **state)
{
    struct made a = judged("r", 170, "d"), other[] = {a,
                                                      judged("s", 162, "d"),
                                                      judged("t", 162, "e"),
                                                      judged("u", 163, "d"),
                                                      judged("w", 162, "d"),
                                                      judged("x", 162, "d"),
                                                      judged("y", 0, "d")};
    static const char *const word[] = {COMPARE_SAME,   COMPARE_WORSE,  COMPARE_UNSURE,
                                       COMPARE_UNSURE, COMPARE_UNSURE, COMPARE_UNSURE,
                                       COMPARE_WORSE};

    (void)state;
    answer(&a, 170, 0);
    answer(&other[1], 162, 0);
    answer(&other[3], 163, 0);
    answer(&other[4], 162, 90);
    for (int i = 0; i < 7; i++) {
        json_t *out = compare(&a, &other[i], 0);

        assert_string_equal(verdict(out), word[i]);
        assert_int_equal(json_array_size(json_object_get(out, "figures")), 1);
        assert_true(fabs(tree_real(figure(out, "accuracy"), "a", 0) - 85) < 1e-9);
        json_decref(out);
    }
    for (int i = 0; i < 7; i++) /* the first is a itself */
        release(&other[i]);
}

/* F1 is no share of the exact matches, which the record counts too: their number says nothing of
 * its noise.  A rule takes the value as it is, over the same samples. */
static void not_counted(void **state)
{
    struct made a = scored("z", 90.874, 8800, 10833, "d"), b = scored("b", 90.87, 8800, 10833, "d"),
                c = scored("c", 85, 8800, 10833, "e");
    struct compare_run x = {a.record, a.dir}, y = {b.record, b.dir}, z = {c.record, c.dir};
    struct compare_side sa = {x, &x, 1}, sb = {y, &y, 1}, sc = {z, &z, 1};
    struct rule rules[3];
    json_t *out = compare(&a, &b, 0), *list;

    (void)state;
    assert_string_equal(verdict(out), COMPARE_UNSURE);
    json_decref(out);
    assert_int_equal(rule_parse("accuracy<-1%", &rules[0], NULL), 0);
    assert_int_equal(rule_parse("accuracy<-0.001%", &rules[1], NULL), 0);
    assert_int_equal(rule_parse("accuracy<90", &rules[2], NULL), 0);
    assert_int_equal(compare_records(&sa, &sb, rules, 3, &out, NULL), 0);
    list = json_object_get(out, "rules");
    assert_int_equal(tree_int(out, "unjudged", -1), 0);
    assert_int_equal(tree_int(out, "broken", -1), 1);
    assert_true(tree_bool(json_array_get(list, 1), "broken", false));
    json_decref(out);
    assert_int_equal(compare_records(&sa, &sc, rules, 3, &out, NULL), 0);
    assert_int_equal(tree_int(out, "unjudged", -1), 2); /* other samples */
    assert_int_equal(tree_int(out, "broken", -1), 1);
    json_decref(out);
    release(&a);
    release(&b);
    release(&c);
}

static bool has_note(const json_t *result, const char *text);

/* The figures, and what is said of the verdict, are of the runs, not of what they repeat. */
static void runs_made_again(void **state)
{
    struct made of = judged("a", 100, "d"),
                m[3] = {judged("e", 170, "d"), judged("f", 171, "d"), judged("g", 172, "d")};
    struct compare_run x[3];
    struct compare_side sa = {{of.record, of.dir}, x, 3};
    json_t *out = NULL;

    (void)state;
    for (int i = 0; i < 3; i++)
        x[i] = (struct compare_run){m[i].record, m[i].dir};
    json_object_set_new(json_object_get(m[1].record, "verdict"), "valid", json_false());
    json_object_set_new(json_object_get(m[1].record, "verdict"), "word", json_string("INVALID"));
    assert_int_equal(compare_records(&sa, &sa, NULL, 0, &out, NULL), 0);
    assert_float_equal(tree_real(figure(out, "accuracy"), "a", 0), 85.5, 1e-9);
    assert_true(has_note(out, "1 of 3 runs of A are INVALID"));
    json_decref(out);
    release(&of);
    for (int i = 0; i < 3; i++)
        release(&m[i]);
}

/* A record against three runs: what one run cannot show stays, the noise within runs shrinks. */
static void one_against_many(void **state)
{
    struct made a = stream("v", 1), m[3] = {stream("w", 1), stream("x", 1), stream("y", 1)};
    struct compare_run x = {a.record, a.dir}, y[3];
    struct compare_side sa = {x, &x, 1}, sb = {x, y, 3};
    json_t *out = NULL;
    double width;

    (void)state;
    for (int i = 0; i < 3; i++)
        y[i] = (struct compare_run){m[i].record, m[i].dir};
    assert_int_equal(compare_records(&sa, &sb, NULL, 0, &out, NULL), 0);
    assert_string_equal(verdict(out), COMPARE_SAME);
    width = json_number_value(json_array_get(json_object_get(figure(out, "p50"), "interval"), 1)) -
            json_number_value(json_array_get(json_object_get(figure(out, "p50"), "interval"), 0));
    assert_true(width > 0.04 && width < 0.07); /* 2 x 3.5 x 0.6 % x sqrt(4 / 3), and a little */
    json_decref(out);
    release(&a);
    for (int i = 0; i < 3; i++)
        release(&m[i]);
}

static bool lists(const json_t *differences, const char *what, const char *kind)
{
    const json_t *d;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)differences, i, d)
    {
        if (!strcmp(tree_text(d, "what", ""), what))
            return !strcmp(tree_text(d, "kind", ""), kind);
    }
    return false;
}

static void differences(void **state)
{
    struct made a = stream("p", 1), b = stream("q", 1);
    json_t *settings = json_object_get(b.record, "settings"), *list;

    (void)state;
    list = differ_records(a.record, b.record);
    assert_int_equal(json_array_size(list), 0);
    json_decref(list);
    json_object_set_new(json_object_get(settings, "target-qps"), "value", json_real(8));
    json_object_set_new(json_object_get(settings, "samples-per-query"), "value", json_integer(8));
    json_object_set_new(json_object_get(b.record, "engine"), "version", json_string("2"));
    json_object_set_new(json_object_get(b.record, "system"), "threads", fact("4"));
    json_object_set_new(json_object_get(b.record, "system"), "load_average", fact("9"));
    list = differ_records(a.record, b.record);
    assert_int_equal(json_array_size(list), 3); /* what was measured, and the load, are none */
    assert_true(lists(list, "settings.samples-per-query", "set-up"));
    assert_true(lists(list, "engine.version", "software"));
    assert_true(lists(list, "system.threads", "machine"));
    json_decref(list);
    release(&a);
    release(&b);
}

static json_t *manifest(double mean, const char *name, const char *file)
{
    return json_pack("{s:s, s:{s:f, s:{s:i}}, s:{s:s}}", "name", name, "input", "mean", mean,
                     "deep", "x", 1, "files", "onnx", file);
}

/* A manifest by its members, but for where the files are; of long texts where they differ. */
static void differences_are_shown(void **state)
{
    struct made a = stream("p", 1), b = stream("q", 1);
    json_t *list;
    char x[DIFFER_SIDE], y[DIFFER_SIDE];

    (void)state;
    json_object_set_new(a.record, "model", json_pack("{s:o}", "manifest", manifest(127, "m", "a")));
    json_object_set_new(b.record, "model", json_pack("{s:o}", "manifest", manifest(120, "m", "b")));
    list = differ_records(a.record, b.record);
    assert_int_equal(json_array_size(list), 1);
    assert_true(lists(list, "model.manifest.input.mean", "set-up"));
    differ_sides(json_array_get(list, 0), x, y);
    assert_string_equal(x, "127");
    assert_string_equal(y, "120");
    json_object_set_new(json_array_get(list, 0), "a",
                        json_string("the same for so long that nobody sees the end, ä 1"));
    json_object_set_new(json_array_get(list, 0), "b",
                        json_string("the same for so long that nobody sees the end, ä 22"));
    differ_sides(json_array_get(list, 0), x, y);
    assert_string_equal(x, "…the end, ä 1");
    assert_string_equal(y, "…the end, ä 22");
    json_decref(list);
    release(&a);
    release(&b);
}

static void put_energy(struct made *m, double joules, const char *kind, bool complete)
{
    json_object_set_new(m->record, "energy",
                        json_pack("{s:s, s:b, s:f, s:[{s:s}]}", "from", "detected", "complete",
                                  (int)complete, "joules_per_sample", joules, "sources", "kind",
                                  kind));
}

static bool has_note(const json_t *result, const char *text)
{
    const json_t *note;
    size_t i;

    json_array_foreach(json_object_get(result, "notes"), i, note)
    {
        if (strstr(json_string_value(note), text))
            return true;
    }
    return false;
}

/* A ratio without an interval; only where both are of the same parts. */
static void energies(void **state)
{
    struct made a = stream("ea", 1), b = stream("eb", 1);
    json_t *out;

    (void)state;
    out = compare(&a, &b, 0);
    assert_null(figure(out, "energy"));
    json_decref(out);
    put_energy(&a, 0.5, "rapl", true);
    put_energy(&b, 1.5, "rapl", true);
    out = compare(&a, &b, 0);
    assert_float_equal(tree_real(figure(out, "energy"), "ratio", 0), 3, 1e-9);
    assert_string_equal(tree_text(figure(out, "energy"), "verdict", ""), COMPARE_UNSURE);
    assert_string_equal(tree_text(figure(out, "energy"), "better", ""), "less");
    assert_true(
        json_is_null(json_array_get(json_object_get(figure(out, "energy"), "interval"), 0)));
    assert_string_equal(verdict(out), COMPARE_SAME); /* it says nothing about time */
    assert_true(has_note(out, "only --repeats"));
    json_decref(out);
    put_energy(&b, 1.5, "nvml", false);
    out = compare(&a, &b, 0);
    assert_null(figure(out, "energy"));
    assert_true(has_note(out, "energy is not compared"));
    json_decref(out);
    release(&a);
    release(&b);
}

/* Runs made again: 3 % of noise, a difference of 20 % that is seen and of 1 % that is not. */
static void energies_of_repeats(void **state)
{
    static const double noise[] = {0.97, 1.03, 1, 0.99, 1.01};
    struct made a[5], b[5];
    struct compare_run x[5], y[5];
    struct compare_side sa = {.runs = x, .count = 5}, sb = {.runs = y, .count = 5};
    struct assay_err err = {0};
    json_t *out = NULL;
    const json_t *f, *ends;

    (void)state;
    for (int more = 0; more < 2; more++) {
        for (int i = 0; i < 5; i++) {
            char name[] = {'r', (char)('a' + i), 0}, other[] = {'s', (char)('a' + i), 0};

            a[i] = stream(name, 1);
            b[i] = stream(other, 1);
            put_energy(&a[i], 2 * noise[i], "rapl", true);
            put_energy(&b[i], 2 * noise[4 - i] * (more ? 1.2 : 1.01), "rapl", true);
            x[i] = (struct compare_run){a[i].record, a[i].dir};
            y[i] = (struct compare_run){b[i].record, b[i].dir};
        }
        sa.of = x[0];
        sb.of = y[0];
        assert_int_equal(compare_records(&sa, &sb, NULL, 0, &out, &err), 0);
        f = figure(out, "energy");
        ends = json_object_get(f, "interval");
        assert_float_equal(tree_real(f, "ratio", 0), more ? 1.2 : 1.01, 1e-6);
        /* t(0.999, 8 dof) 5.041 x pooled sd 0.02239 x sqrt(2 / 5) = 0.0714 */
        assert_float_equal(log(json_number_value(json_array_get(ends, 1)) /
                               json_number_value(json_array_get(ends, 0))),
                           2 * 0.0714, 0.003);
        assert_string_equal(tree_text(f, "verdict", ""), more ? COMPARE_WORSE : COMPARE_UNSURE);
        json_decref(out);
        for (int i = 0; i < 5; i++) {
            release(&a[i]);
            release(&b[i]);
        }
    }
}

static int make_root(void **state)
{
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    return file_remove_tree(root, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(streams),
                                       cmocka_unit_test(offline_is_throughput),
                                       cmocka_unit_test(queries_of_samples),
                                       cmocka_unit_test(without_latencies),
                                       cmocka_unit_test(damaged_latencies),
                                       cmocka_unit_test(refused),
                                       cmocka_unit_test(the_machine_did_it),
                                       cmocka_unit_test(looks_wander),
                                       cmocka_unit_test(loads_of_a_server),
                                       cmocka_unit_test(search_that_went_back),
                                       cmocka_unit_test(it_only_waited),
                                       cmocka_unit_test(others_touch_the_tail),
                                       cmocka_unit_test(throttled),
                                       cmocka_unit_test(others_did_it),
                                       cmocka_unit_test(accuracies),
                                       cmocka_unit_test(not_counted),
                                       cmocka_unit_test(runs_made_again),
                                       cmocka_unit_test(one_against_many),
                                       cmocka_unit_test(differences),
                                       cmocka_unit_test(differences_are_shown),
                                       cmocka_unit_test(energies),
                                       cmocka_unit_test(energies_of_repeats)};

    return cmocka_run_group_tests(tests, make_root, remove_root);
}

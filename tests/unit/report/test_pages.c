/* HTML, Markdown and CSV: golden pages in tests/golden/report/pages (<name>.json, an array of
 * records, gives <name>.html, .md and .csv), and what no record may do to a page.
 *
 * Where a record names a latency.bin, one of that size is made here, from the record's place in the
 * file.  A case is added by dropping a .json there and running this once with
 * ASSAY_WRITE_GOLDEN=1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <glob.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/tree.h"
#include "report/pages.h"
#include "report/series.h"

#define PAGES ASSAY_SOURCE "/tests/golden/report/pages/"

typedef int (*page_writer)(const json_t *, FILE *, struct assay_err *);

static const struct {
    const char *end;
    page_writer write;
} forms[] = {{"html", report_html}, {"md", report_markdown}, {"csv", report_csv}};

static char folder[] = "/tmp/assay-pages-XXXXXX";

static int setup(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return file_remove_tree(folder, NULL);
}

static char *render(page_writer write, const json_t *records)
{
    struct assay_err err = {0};
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (write(records, out, &err))
        fail_msg("%s", err.text);
    fclose(out);
    assert_int_equal(strlen(text), len);
    return text;
}

/* A run that is slow at first, and has a slow sample now and then. */
static void make_latencies(int64_t *ns, size_t n, uint64_t seed)
{
    uint64_t x = seed * 2654435761u + 1;

    for (size_t i = 0; i < n; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        ns[i] = 4000000 + (int64_t)((x >> 40) % 4000000) + (i < n / 20 ? 3000000 : 0);
        if ((x >> 33) % 97 == 0)
            ns[i] += (int64_t)((x >> 20) % 14000000);
    }
}

/* Makes <folder>/<k>/latency.bin as the record names it, and tells the record. */
static void give_latencies(json_t *record, size_t k)
{
    json_t *named = json_object_get(json_object_get(record, "files"), "latency.bin");
    size_t n = (size_t)tree_int(named, "bytes", 0) / 8;
    int64_t *ns = calloc(n ? n : 1, sizeof(*ns));
    char dir[200], path[240], hex[HASH_HEX];

    snprintf(dir, sizeof(dir), "%s/%zu", folder, k);
    snprintf(path, sizeof(path), "%s/latency.bin", dir);
    make_latencies(ns, n, k + 1);
    /* Offline: the time until each was done */
    for (size_t i = 1; i < n && !strcmp(tree_text(record, "scenario", ""), "Offline"); i++)
        ns[i] = ns[i - 1] + ns[i] / 2;
    assert_int_equal(file_make_dirs(dir, NULL), 0);
    assert_int_equal(file_write_whole(path, ns, n * 8, NULL), 0);
    hash_bytes(ns, n * 8, hex);
    json_object_set_new(named, "sha256", json_string(hex));
    json_object_set_new(record, "folder", json_string(dir));
    free(ns);
}

static json_t *load(const char *path)
{
    json_t *records = json_load_file(path, 0, NULL), *r;
    size_t i;

    assert_true(json_is_array(records));
    json_array_foreach(records, i, r)
    {
        if (json_object_get(json_object_get(r, "files"), "latency.bin"))
            give_latencies(r, i);
    }
    return records;
}

static void golden(void **state)
{
    struct assay_err err = {0};
    char path[1024], *text, *want;
    json_t *records;
    glob_t found;
    size_t i, f, len;

    (void)state;
    assert_int_equal(glob(PAGES "*.json", 0, NULL, &found), 0);
    for (i = 0; i < found.gl_pathc; i++) {
        records = load(found.gl_pathv[i]);
        for (f = 0; f < 3; f++) {
            text = render(forms[f].write, records);
            snprintf(path, sizeof(path), "%.*s%s", (int)strlen(found.gl_pathv[i]) - 4,
                     found.gl_pathv[i], forms[f].end);
            if (getenv("ASSAY_WRITE_GOLDEN"))
                assert_int_equal(file_write_whole(path, text, strlen(text), &err), 0);
            assert_int_equal(file_read(path, 4 << 20, &want, &len, &err), 0);
            if (strcmp(text, want))
                fail_msg("%s differs from what is made now", path);
            free(want);
            free(text);
        }
        json_decref(records);
    }
    globfree(&found);
}

/* ---- hostile records ---- */

/* Every tag of a page, and no other text in angle brackets: what a record holds never makes one. */
static void check_tags(const char *html)
{
    static const char *const known[] = {
        "!DOCTYPE", "html", "head", "meta",  "link",   "title", "style",   "body",       "header",
        "main",     "h1",   "h2",   "h3",    "p",      "span",  "strong",  "ul",         "li",
        "section",  "div",  "a",    "table", "thead",  "tbody", "tr",      "th",         "td",
        "caption",  "dl",   "dt",   "dd",    "pre",    "code",  "figure",  "figcaption", "svg",
        "desc",     "g",    "path", "text",  "circle", "rect",  "polyline"};
    const char *p, *name;
    size_t n, i;

    for (p = strchr(html, '<'); p; p = strchr(p + 1, '<')) {
        name = p + 1 + (p[1] == '/');
        n = strcspn(name, " >\n");
        for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            if (strlen(known[i]) == n && !strncmp(known[i], name, n))
                break;
        if (i == sizeof(known) / sizeof(known[0]))
            fail_msg("a tag that is not ours: %.60s", p);
        assert_null(memmem(p, strcspn(p, ">"), " on", 3)); /* onload= … */
    }
}

static void check_text(const char *page)
{
    const unsigned char *p;

    for (p = (const unsigned char *)page; *p; p++)
        if ((*p < 0x20 && *p != '\n' && *p != '\r') || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0))
            fail_msg("a control character: %02x in %.40s", *p, (const char *)p);
    assert_null(strstr(page, "\xe2\x80\xae")); /* right-to-left override */
    assert_null(strstr(page, "nan"));
    assert_null(strstr(page, "-inf"));
}

/* Markdown lets markup through, except between fences. */
static void check_fenced(const char *text)
{
    size_t fence = 0, ticks;

    for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
        ticks = strspn(text, "`");
        if (ticks >= 3 && (!fence || ticks >= fence))
            fence = fence ? 0 : ticks;
        else if (!fence && memchr(text, '<', strcspn(text, "\n")))
            fail_msg("markup: %.80s", text);
        else if (!fence && memmem(text, strcspn(text, "\n"), "[a]", 3))
            fail_msg("a link: %.80s", text);
    }
    assert_int_equal(fence, 0);
}

static void hostile_records_stay_text(void **state)
{
    json_t *records = load(PAGES "hostile.json");
    char *text;

    (void)state;
    text = render(report_html, records);
    check_tags(text);
    check_text(text);
    assert_null(strstr(text, "javascript:b\""));
    free(text);
    text = render(report_markdown, records);
    check_text(text);
    check_fenced(text);
    free(text);
    text = render(report_csv, records);
    check_text(text);
    assert_null(strstr(text, ",-2+"));
    assert_null(strstr(text, "\n="));
    free(text);
    json_decref(records);
}

/* Every member of a record is taken away, and replaced by each other kind of value, in turn. */
static void mangle(json_t *records, json_t *object)
{
    json_t *keys = json_array(), *old;
    const char *key;
    size_t i, k, f;

    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it))
        json_array_append_new(keys, json_string(json_object_iter_key(it)));
    for (i = 0; i < json_array_size(keys); i++) {
        key = json_string_value(json_array_get(keys, i));
        old = json_incref(json_object_get(object, key));
        for (k = 0; k < 6; k++) {
            json_object_set_new(object, key,
                                k == 0   ? json_null()
                                : k == 1 ? json_string("\033[31m\xc2\x9b <x")
                                : k == 2 ? json_real(-1e300)
                                : k == 3 ? json_pack("[n, s, {}]", "x")
                                : k == 4 ? json_pack("{s: n, s: s}", "x", "value", "y")
                                         : json_integer(INT64_MAX));
            if (k == 5 && i % 2)
                json_object_del(object, key);
            for (f = 0; f < 3; f++) {
                char *text = render(forms[f].write, records);

                check_text(text);
                if (!f)
                    check_tags(text);
                free(text);
            }
        }
        json_object_set(object, key, old);
        if (json_is_object(old))
            mangle(records, old);
        json_decref(old);
    }
    json_decref(keys);
}

static void mangled_records_are_shown(void **state)
{
    json_t *records = load(PAGES "one.json"), *other = json_deep_copy(json_array_get(records, 0));

    (void)state;
    json_object_set_new(other, "benchmark", json_string("bert")); /* so that there is a matrix */
    json_array_append_new(records, other);
    mangle(records, json_array_get(records, 0));
    json_decref(records);
}

/* A latency.bin that is not the run's is not drawn, and the page says so. */
static void changed_latencies_are_not_drawn(void **state)
{
    json_t *records = load(PAGES "one.json");
    char *text = render(report_html, records), path[300];
    FILE *f;

    (void)state;
    assert_non_null(strstr(text, "Latency distribution</title>"));
    free(text);
    snprintf(path, sizeof(path), "%s/latency.bin",
             tree_text(json_array_get(records, 0), "folder", ""));
    f = fopen(path, "r+");
    fputc(0x7f, f);
    fclose(f);
    text = render(report_html, records);
    assert_null(strstr(text, "Latency distribution</title>"));
    assert_non_null(strstr(text, "No charts: latency.bin is not the file"));
    free(text);
    json_decref(records);
}

/* The front of tests/golden/report/pages/front.json, worked out by hand: 76.456 at 41.2, 76.45 at
 * 64.9, 75.91 at 131 and 75.2 at 142.5 stand; 76.44 at 30.1 is beaten; huge figures and synthetic
 * runs are no points.  The first has its accuracy from the second. */
static void front_is_what_nothing_beats(void **state)
{
    static const char *const stands[] = {"f000000000000001", "f000000000000004", "f000000000000003",
                                         "f000000000000005"};
    json_t *records = load(PAGES "front.json");
    char *text = render(report_html, records), link[64];
    const char *section = strstr(text, "Speed and accuracy"), *at = section;
    size_t i, n = 0;

    (void)state;
    assert_non_null(section);
    for (i = 0; i < 4; i++) { /* the most accurate first */
        at = strstr(at, "&#10003; front");
        assert_non_null(at);
        snprintf(link, sizeof(link), "href=\"#r%s\"", stands[i]);
        assert_true(strstr(at, link) && strstr(at, link) < strstr(at, "</tr>"));
        at++;
    }
    assert_null(strstr(at, "&#10003; front"));
    for (at = section; (at = strstr(at, "<tr><td>beaten")); at++)
        n++;
    assert_int_equal(n, 1);
    for (n = 0, at = section; (at = strstr(at, "<circle")); at++)
        n++;
    assert_int_equal(n, 5);
    free(text);
    json_decref(records);
}

/* Two setups or two benchmarks make a matrix, whose cells are links; one of each makes none. */
static void matrix_links_to_its_runs(void **state)
{
    json_t *records = load(PAGES "front.json"), *r;
    char *text = render(report_html, records), link[64];
    const char *section = strstr(text, "<h2>What works</h2>"), *end, *at;
    size_t i;

    (void)state;
    assert_non_null(section);
    end = strstr(section, "</section>");
    json_array_foreach(records, i, r)
    {
        snprintf(link, sizeof(link), "href=\"#r%s\"", tree_text(r, "id", ""));
        at = strstr(section, link);
        assert_true(at && at < end);
    }
    free(text);
    while (json_array_size(records) > 2) /* one engine's performance and accuracy */
        json_array_remove(records, 2);
    text = render(report_html, records);
    assert_null(strstr(text, "What works"));
    free(text);
    json_decref(records);
}

/* MultiStream's headline is of queries, its latencies are of samples: the page says so. */
static void multistream_says_what_is_drawn(void **state)
{
    json_t *records = load(PAGES "one.json");
    char *text;

    (void)state;
    json_object_set_new(json_array_get(records, 0), "scenario", json_string("MultiStream"));
    text = render(report_html, records);
    assert_non_null(strstr(text, "a query takes as long as its slowest"));
    assert_null(strstr(text, "bound 15 ms"));
    free(text);
    json_decref(records);
}

/* ---- thinning ---- */

static void percentiles_are_near(void **state)
{
    static const double ps[] = {0, .01, .5, .9, .99, .999, .9999};
    const size_t n = 20000;
    int64_t *ns = malloc(n * sizeof(*ns));
    struct series *s = malloc(sizeof(*s));
    size_t i;

    (void)state;
    for (i = 0; i < n; i++) /* sorted, over seven powers of ten */
        ns[i] = (int64_t)pow(10, 2 + 7.0 * (double)i / (double)n);
    assert_true(series_make(ns, n, SERIES_ORDER, 1, 100, 60, s));
    for (i = 0; i < sizeof(ps) / sizeof(ps[0]); i++) {
        double want = (double)ns[(size_t)floor((double)n * ps[i])];

        assert_true(fabs(series_percentile(s, ps[i]) / want - 1) < 0.004);
    }
    free(ns);
    free(s);
}

/* However many samples a part has, its slowest and its fastest are kept. */
static void thinning_keeps_outliers(void **state)
{
    const size_t n = 100000;
    int64_t *ns = malloc(n * sizeof(*ns));
    struct series *s = malloc(sizeof(*s));
    size_t i;

    (void)state;
    for (i = 0; i < n; i++)
        ns[i] = 1000;
    ns[50500] = 9000;
    ns[50600] = 10;
    ns[7] = 0;
    assert_true(series_make(ns, n, SERIES_ORDER, 1, 100, 60, s));
    assert_int_equal(s->completed, n - 1);
    assert_true(s->part[50].most == 9000 && s->part[50].least == 10);
    assert_true(s->part[51].most == 1000 && s->part[49].least == 1000);
    assert_int_equal(s->part[0].samples, 999);
    /* streams: the slow query takes its time */
    assert_true(series_make(ns, 100, SERIES_TIME, 1, 10, 0, s));
    assert_true(fabs(s->seconds - 99e-6) < 1e-12);
    /* four samples a query: a query is as long as its slowest */
    ns[3] = 5000;
    assert_true(series_make(ns, 8, SERIES_TIME, 4, 10, 0, s));
    assert_true(fabs(s->seconds - 6e-6) < 1e-12);
    free(ns);
    free(s);
}

static void nothing_to_thin(void **state)
{
    int64_t ns[4] = {0, -5, 0, INT64_MIN};
    struct series *s = malloc(sizeof(*s));

    (void)state;
    assert_false(series_make(ns, 4, SERIES_TIME, 1, 10, 0, s));
    assert_false(series_make(ns, 0, SERIES_COMPLETED, 1, 10, 0, s));
    ns[0] = INT64_MAX;
    assert_true(series_make(ns, 4, SERIES_COMPLETED, 0, 1000, 0, s));
    assert_int_equal(s->completed, 1);
    free(s);
}

static void full_device(void **state)
{
    struct assay_err err;
    json_t *records = load(PAGES "several.json");

    (void)state;
    for (size_t f = 0; f < 3; f++) {
        FILE *out = fopen("/dev/full", "w");

        assert_int_equal(forms[f].write(records, out, &err), ASSAY_EFAIL);
        fclose(out);
    }
    json_decref(records);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),
        cmocka_unit_test(hostile_records_stay_text),
        cmocka_unit_test(mangled_records_are_shown),
        cmocka_unit_test(changed_latencies_are_not_drawn),
        cmocka_unit_test(front_is_what_nothing_beats),
        cmocka_unit_test(matrix_links_to_its_runs),
        cmocka_unit_test(multistream_says_what_is_drawn),
        cmocka_unit_test(percentiles_are_near),
        cmocka_unit_test(thinning_keeps_outliers),
        cmocka_unit_test(nothing_to_thin),
        cmocka_unit_test(full_device),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}

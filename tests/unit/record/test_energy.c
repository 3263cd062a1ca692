/* test: serial
 * The meter of energy, on made trees of /sys and a library that plays NVIDIA's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "record/energy_source.h"

static char root[] = "/tmp/assay-energy-XXXXXX";
static char *nvml;

/* ---- trees ---- */

static char *path_of(const char *zone, const char *file)
{
    return text_format("%s/sys/class/powercap/%s%s%s", root, zone, *file ? "/" : "", file);
}

static void put(const char *zone, const char *file, const char *text)
{
    char *dir = path_of(zone, ""), *path = path_of(zone, file);

    assert_int_equal(file_make_dirs(dir, NULL), 0);
    assert_int_equal(file_write_whole(path, text, strlen(text), NULL), 0);
    free(dir);
    free(path);
}

static void put_counter(const char *zone, uint64_t uj)
{
    char text[40];

    snprintf(text, sizeof(text), "%llu\n", (unsigned long long)uj);
    put(zone, "energy_uj", text);
}

static void put_zone(const char *zone, const char *name, uint64_t uj, const char *range)
{
    put(zone, "name", name);
    put_counter(zone, uj);
    if (range)
        put(zone, "max_energy_range_uj", range);
}

static int new_tree(void **state)
{
    char *dir = text_format("%s/sys", root);

    (void)state;
    unsetenv("FAKE_NVML");
    unsetenv("CUDA_VISIBLE_DEVICES");
    unsetenv("CUDA_DEVICE_ORDER");
    assert_int_equal(file_remove_tree(dir, NULL), 0);
    free(dir);
    return 0;
}

/* ---- the packages ---- */

static struct energy_source sources[8];

static size_t open_rapl(void)
{
    memset(sources, 0, sizeof(sources));
    return energy_rapl_open(root, sources, 8);
}

static void close_rapl(size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (sources[i].close)
            sources[i].close(&sources[i]);
}

static void no_rapl(void **state)
{
    size_t n = open_rapl();

    (void)state;
    assert_int_equal(n, 1);
    assert_null(sources[0].look);
    assert_non_null(strstr(sources[0].reason, "no RAPL: there is no /sys/class/powercap"));
    put("intel-rapl", "enabled", "1\n");
    n = open_rapl();
    assert_int_equal(n, 1);
    assert_string_equal(sources[0].reason,
                        "no RAPL: /sys/class/powercap shows no package of a processor");
}

/* Two packages as Intel's servers show them: with parts, the board, and the same once more. */
static void packages_once(void **state)
{
    size_t n;

    (void)state;
    put("intel-rapl", "enabled", "1\n");
    put_zone("intel-rapl:1", "package-1\n", 5000000, "262143328850\n");
    put_zone("intel-rapl:0", "package-0\n", 1000000, "262143328850\n");
    put_zone("intel-rapl:0:0", "core\n", 77, "262143328850\n");
    put_zone("intel-rapl:0:1", "dram\n", 77, "262143328850\n");
    put_zone("intel-rapl:0:2", "package-9\n", 77, "262143328850\n"); /* a part, whatever its name */
    put_zone("intel-rapl:2", "psys\n", 77, "262143328850\n");
    put_zone("intel-rapl-mmio:0", "package-0\n", 77, "262143328850\n");
    n = open_rapl();
    assert_int_equal(n, 2);
    assert_string_equal(sources[0].name, "package-0");
    assert_string_equal(sources[0].source, "/sys/class/powercap/intel-rapl:0/energy_uj");
    assert_string_equal(sources[1].name, "package-1");
    assert_float_equal(sources[0].every_s, 10, 1e-9); /* of 13 s at 10 kW and half a wrap */
    for (size_t i = 0; i < n; i++)
        assert_true(sources[i].look(&sources[i], -1));
    put_counter("intel-rapl:0", 3500000);
    put_counter("intel-rapl:1", 5250000);
    for (size_t i = 0; i < n; i++)
        assert_true(sources[i].look(&sources[i], 1));
    assert_float_equal(sources[0].joules, 2.5, 1e-9);
    assert_float_equal(sources[1].joules, 0.25, 1e-9);
    close_rapl(n);
}

/* AMD's zones come by the same driver, on some kernels a die each. */
static void amd(void **state)
{
    size_t n;

    (void)state;
    put_zone("intel-rapl:0", "package-0-die-0\n", 1, "65532610987\n");
    put_zone("intel-rapl:0:0", "core\n", 1, "65532610987\n");
    put_zone("intel-rapl:1", "package-0-die-1\n", 1, "65532610987\n");
    put_zone("intel-rapl:1:0", "core\n", 1, "65532610987\n");
    n = open_rapl();
    assert_int_equal(n, 2);
    assert_string_equal(sources[1].name, "package-0-die-1");
    assert_float_equal(sources[1].every_s, 65532.610987 / 20000, 1e-6);
    close_rapl(n);
}

/* The second way counts where the first cannot be read. */
static void mmio_in_need(void **state)
{
    char *path = path_of("intel-rapl:0", "energy_uj");

    (void)state;
    put_zone("intel-rapl:0", "package-0\n", 1, "1000\n");
    put_zone("intel-rapl-mmio:0", "package-0\n", 1, "1000\n");
    unlink(path);
    assert_int_equal(open_rapl(), 1);
    assert_string_equal(sources[0].source, "/sys/class/powercap/intel-rapl-mmio:0/energy_uj");
    close_rapl(1);
    free(path);
}

static void wraps(void **state)
{
    struct energy_source *s = &sources[0];

    (void)state;
    put_zone("intel-rapl:0", "package-0\n", 9000000, "10000000\n");
    assert_int_equal(open_rapl(), 1);
    assert_float_equal(s->every_s, 0.1, 1e-9);
    assert_true(s->look(s, -1));
    put_counter("intel-rapl:0", 1500000);
    assert_true(s->look(s, 1));
    assert_float_equal(s->joules, 2.5, 1e-9);
    put_counter("intel-rapl:0", 1000000); /* nearly all the way round */
    assert_true(s->look(s, 1));
    assert_float_equal(s->joules, 12, 1e-9);
    close_rapl(1);
}

static void no_sense(void **state)
{
    struct energy_source *s = &sources[0];
    char *path = path_of("intel-rapl:0", "energy_uj");

    (void)state;
    put_zone("intel-rapl:0", "package-0\n", 9000000, NULL);
    assert_int_equal(open_rapl(), 1);
    assert_true(s->look(s, -1));
    put_counter("intel-rapl:0", 8000000);
    assert_false(s->look(s, 1));
    assert_non_null(strstr(s->reason, "went back, and its range is not known"));
    assert_true(s->look(s, -1));
    put_counter("intel-rapl:0", 8000000 + 20000000000);
    assert_false(s->look(s, 1)); /* 20 kW */
    assert_non_null(strstr(s->reason, "jumped by 2e+04 J in 1 s"));
    put("intel-rapl:0", "energy_uj", "-3\n");
    assert_false(s->look(s, 1));
    assert_non_null(strstr(s->reason, "is no number"));
    unlink(path);
    assert_false(s->look(s, 1));
    assert_non_null(strstr(s->reason, "cannot be read: No such file"));
    close_rapl(1);
    free(path);
}

/* As most systems are set up. */
static void root_only(void **state)
{
    char *path = path_of("intel-rapl:0", "energy_uj");
    bool was_root = geteuid() == 0;

    (void)state;
    put_zone("intel-rapl:0", "package-0\n", 1, "1000\n");
    assert_int_equal(chmod(root, 0755), 0);
    assert_int_equal(chmod(path, 0), 0);
    if (was_root)
        assert_int_equal(seteuid(65534), 0);
    assert_int_equal(open_rapl(), 1);
    if (was_root)
        assert_int_equal(seteuid(0), 0);
    assert_null(sources[0].look);
    assert_string_equal(sources[0].reason,
                        "/sys/class/powercap/intel-rapl:0/energy_uj: only root may read it");
    free(path);
}

/* ---- the meter ---- */

static struct energy *open_meter(const char *device)
{
    struct energy_ask ask = {.root = root, .device = device, .nvml = nvml, .cuda = nvml};
    struct energy *e = energy_open(&ask);

    assert_non_null(e);
    return e;
}

static void nap(double seconds)
{
    usleep((useconds_t)(seconds * 1e6));
}

static const json_t *source_at(const json_t *energy, size_t i)
{
    return json_array_get(json_object_get(energy, "sources"), i);
}

static json_t *finish(struct energy *e, uint64_t samples)
{
    json_t *out;

    energy_mark(e);
    out = energy_json(e);
    energy_put_samples(out, samples);
    energy_close(e);
    return out;
}

static void a_run(void **state)
{
    json_t *out, *record;
    struct energy *e;

    (void)state;
    put_zone("intel-rapl:0", "package-0\n", 1000000, "262143328850\n");
    put_zone("intel-rapl:1", "package-1\n", 1000000, "262143328850\n");
    e = open_meter("cpu");
    put_counter("intel-rapl:0", 5000000); /* before it begins */
    energy_begin(e);
    put_counter("intel-rapl:0", 8000000);
    put_counter("intel-rapl:1", 1500000);
    nap(0.02);
    energy_mark(e);
    put_counter("intel-rapl:0", 9000000); /* behind the mark */
    out = energy_json(e);
    energy_close(e);
    energy_put_samples(out, 10);
    record = json_pack("{s:o}", "energy", out);
    assert_string_equal(tree_text(out, "from", ""), "detected");
    assert_true(tree_bool(out, "complete", false));
    assert_float_equal(tree_real(out, "joules", 0), 3.5, 1e-9);
    assert_float_equal(tree_real(out, "joules_per_sample", 0), 0.35, 1e-9);
    assert_true(tree_real(out, "seconds", 0) >= 0.02);
    assert_float_equal(tree_real(out, "watts", 0) * tree_real(out, "seconds", 0), 3.5, 1e-6);
    assert_float_equal(tree_real(source_at(out, 1), "joules", 0), 0.5, 1e-9);
    assert_null(json_object_get(out, "reason"));
    assert_float_equal(energy_per_sample(record), 0.35, 1e-9);
    assert_string_equal(energy_covers(out), "processors");
    json_decref(record);
}

/* No wrap is missed while nobody asks: the thread looks. */
static void wraps_are_seen_meanwhile(void **state)
{
    struct energy *e;
    json_t *out;

    (void)state;
    put_zone("intel-rapl:0", "package-0\n", 100000, "1000000\n");
    e = open_meter("cpu");
    energy_begin(e);
    for (int i = 0; i < 3; i++) { /* 0.6 J, then 0.4 J past the end of 1 J */
        put_counter("intel-rapl:0", i % 2 ? 700000 : 100000);
        nap(0.4);
    }
    out = finish(e, 1);
    assert_float_equal(tree_real(out, "joules", 0), 1, 1e-9);
    json_decref(out);
}

/* One package that fails makes the sum unknown, whatever the others say. */
static void one_fails(void **state)
{
    char *path = path_of("intel-rapl:1", "energy_uj");
    struct energy *e;
    json_t *out;

    (void)state;
    put_zone("intel-rapl:0", "package-0\n", 1000000, "262143328850\n");
    put_zone("intel-rapl:1", "package-1\n", 1000000, "262143328850\n");
    e = open_meter("cpu");
    energy_begin(e);
    put_counter("intel-rapl:0", 2000000);
    unlink(path);
    out = finish(e, 1);
    assert_string_equal(tree_text(out, "from", ""), "unknown");
    assert_true(json_is_null(json_object_get(out, "joules")));
    assert_true(json_is_null(json_object_get(out, "watts")));
    assert_true(json_is_null(json_object_get(out, "joules_per_sample")));
    assert_non_null(strstr(tree_text(out, "reason", ""), "intel-rapl:1/energy_uj: cannot be read"));
    assert_string_equal(tree_text(source_at(out, 0), "from", ""), "detected");
    assert_string_equal(tree_text(source_at(out, 1), "from", ""), "unknown");
    assert_string_equal(energy_covers(out), "");
    json_decref(out);
    free(path);
}

static void stands_still(void **state)
{
    struct energy *e;
    json_t *out;

    (void)state;
    put_zone("intel-rapl:0", "package-0\n", 0, "262143328850\n");
    e = open_meter("cpu");
    energy_begin(e);
    nap(0.01);
    out = finish(e, 1);
    assert_string_equal(tree_text(out, "from", ""), "unknown");
    assert_non_null(strstr(tree_text(out, "reason", ""), "its counter did not move in "));
    json_decref(out);
}

/* A failure of one part is forgotten when the next begins. */
static void begins_anew(void **state)
{
    struct energy *e;
    json_t *out;

    (void)state;
    put_zone("intel-rapl:0", "package-0\n", 5, NULL);
    e = open_meter("cpu");
    energy_begin(e);
    put_counter("intel-rapl:0", 3000005);
    energy_mark(e);
    put_counter("intel-rapl:0", 2);
    energy_mark(e);
    out = energy_json(e);
    assert_string_equal(tree_text(out, "from", ""), "unknown");
    json_decref(out);
    energy_begin(e);
    out = energy_json(e);
    assert_string_equal(tree_text(out, "reason", ""), "nothing was measured");
    json_decref(out);
    put_counter("intel-rapl:0", 1000002);
    out = finish(e, 0);
    assert_float_equal(tree_real(out, "joules", 0), 1, 1e-9);
    assert_true(json_is_null(json_object_get(out, "joules_per_sample")));
    json_decref(out);
}

static void elsewhere(void **state)
{
    struct energy_ask ask = {.root = root, .device = "cpu", .remote = true};
    struct energy *e;
    json_t *out;

    (void)state;
    put_zone("intel-rapl:0", "package-0\n", 5, NULL);
    e = energy_open(&ask);
    energy_begin(e);
    put_counter("intel-rapl:0", 9);
    out = finish(e, 1);
    assert_string_equal(tree_text(out, "from", ""), "unknown");
    assert_string_equal(tree_text(out, "reason", ""),
                        "the energy of another machine cannot be read here");
    json_decref(out);
    e = open_meter("gpu:1");
    energy_begin(e);
    out = finish(e, 1);
    assert_string_equal(tree_text(out, "from", ""), "unknown");
    assert_string_equal(tree_text(source_at(out, 1), "name", ""), "gpu:1");
    json_decref(out);
    energy_begin(NULL);
    energy_mark(NULL);
    energy_close(NULL);
    assert_null(energy_json(NULL));
}

/* ---- cards ---- */

static json_t *card_run(const char *device, double seconds)
{
    struct energy *e = open_meter(device);

    energy_begin(e);
    nap(seconds);
    return finish(e, 100);
}

/* The fake card's watts times the meter's own seconds. */
static void check_watts(const json_t *energy, double watts)
{
    const json_t *card = source_at(energy, json_array_size(json_object_get(energy, "sources")) - 1);

    if (fabs(tree_real(card, "watts", 0) - watts) > 0.1 * watts)
        fail_msg("%g W, not %g: %s", tree_real(card, "watts", 0), watts,
                 tree_text(card, "reason", ""));
}

static void a_card(void **state)
{
    json_t *out = card_run("cuda:0", 0.1);

    (void)state;
    check_watts(out, 100);
    assert_string_equal(tree_text(out, "from", ""), "detected");
    assert_false(tree_bool(out, "complete", true)); /* no packages in this tree */
    assert_non_null(strstr(tree_text(out, "reason", ""), "without the processors: no RAPL"));
    assert_string_equal(energy_covers(out), "card");
    assert_string_equal(
        tree_text(source_at(out, 1), "source", ""),
        "NVML, energy counter of Fake One at 00000000:01:00.0, found by its bus address");
    json_decref(out);
}

static void a_card_and_packages(void **state)
{
    struct energy *e;
    json_t *out;

    (void)state;
    put_zone("intel-rapl:0", "package-0\n", 0, "262143328850\n");
    e = open_meter("cuda");
    energy_begin(e);
    put_counter("intel-rapl:0", 2000000);
    nap(0.1);
    out = finish(e, 1);
    assert_true(tree_bool(out, "complete", false));
    assert_string_equal(energy_covers(out), "processors and card");
    assert_float_equal(tree_real(out, "joules", 0), 2 + tree_real(source_at(out, 1), "joules", NAN),
                       1e-9);
    json_decref(out);
}

static void power_is_integrated(void **state)
{
    json_t *out;

    (void)state;
    setenv("FAKE_NVML", "no-counter", 1);
    out = card_run("cuda:0", 0.35);
    check_watts(out, 100);
    assert_true(tree_real(out, "joules", 0) >= 35);
    assert_non_null(strstr(tree_text(source_at(out, 1), "source", ""), "NVML, power of Fake One"));
    json_decref(out);
}

static void which_card(void **state)
{
    static const struct {
        const char *fake, *visible, *order, *device;
        double watts; /* 0: unknown */
        const char *text;
    } cases[] = {
        {"two", NULL, NULL, "cuda:0", 200, "by its bus address"}, /* CUDA's order */
        {"two", NULL, NULL, "cuda:1", 100, "by its bus address"},
        {"two,no-cuda", NULL, NULL, "cuda:0", 0, "which of 2 cards is cuda:0 cannot be told"},
        {"two,no-cuda", NULL, "PCI_BUS_ID", "cuda:1", 200, "by CUDA's variables"},
        {"two,no-cuda", "1,0", "PCI_BUS_ID", "cuda:1", 100, "by CUDA's variables"},
        {"two,no-cuda", "GPU-2222", NULL, "cuda", 200, "by CUDA's variables"},
        {"two,no-cuda", "GPU-", NULL, "cuda:0", 0, "no one card has the UUID GPU-"},
        {"two,no-cuda", "GPU-1", NULL, "cuda:1", 0, "CUDA_VISIBLE_DEVICES has no card for cuda:1"},
        {"two,no-cuda", "MIG-7", NULL, "cuda:0", 0, "NVML shows no card 'MIG-7'"},
        {"two,no-cuda", "5", "PCI_BUS_ID", "cuda:0", 0, "NVML shows no card '5'"},
        {"no-cuda", NULL, NULL, "cuda:0", 100, "by CUDA's variables"},
        {"mig", NULL, NULL, "cuda:0", 0, "is a slice (MIG)"},
        {"stuck", NULL, NULL, "cuda:0", 0, "its counter did not move"},
        {"back", NULL, NULL, "cuda:0", 0, "went back"},
        {"refused", NULL, NULL, "cuda:0", 0, "neither its energy nor its power"},
        {"no-counter,no-power", NULL, NULL, "cuda:0", 0, "neither its energy nor its power"},
        {"broken", NULL, NULL, "cuda:0", 0, "no NVML: it does not start (NVML error 9)"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *out;
        const char *text;

        new_tree(NULL);
        setenv("FAKE_NVML", cases[i].fake, 1);
        if (cases[i].visible)
            setenv("CUDA_VISIBLE_DEVICES", cases[i].visible, 1);
        if (cases[i].order)
            setenv("CUDA_DEVICE_ORDER", cases[i].order, 1);
        out = card_run(cases[i].device, 0.05);
        text = tree_text(source_at(out, 1), cases[i].watts > 0 ? "source" : "reason", "");
        if (!strstr(text, cases[i].text))
            fail_msg("case %zu: '%s'", i, text);
        if (cases[i].watts > 0)
            check_watts(out, cases[i].watts);
        else
            assert_string_equal(tree_text(out, "from", ""), "unknown");
        json_decref(out);
    }
}

static void no_library(void **state)
{
    struct energy_ask ask = {.root = root, .device = "cuda:0", .nvml = "/nowhere/libnvml.so"};
    struct energy *e = energy_open(&ask);
    json_t *out;

    (void)state;
    energy_begin(e);
    out = finish(e, 1);
    assert_string_equal(tree_text(out, "from", ""), "unknown");
    assert_string_equal(tree_text(out, "reason", ""),
                        "no NVML: /nowhere/libnvml.so cannot be loaded; NVIDIA's driver brings it");
    json_decref(out);
}

/* ---- records ---- */

static json_t *record_of(const char *from, bool complete, const char *kind)
{
    return json_pack("{s:{s:s, s:b, s:f, s:[{s:s}]}}", "energy", "from", from, "complete",
                     (int)complete, "joules_per_sample", 2.0, "sources", "kind", kind);
}

static void of_records(void **state)
{
    json_t *cpu = record_of("detected", true, "rapl"), *both = record_of("detected", true, "nvml"),
           *card = record_of("detected", false, "nvml"), *none = record_of("unknown", true, "rapl"),
           *old = json_object();

    (void)state;
    assert_true(energy_comparable(cpu, both));
    assert_true(energy_comparable(card, card));
    assert_false(energy_comparable(cpu, card));
    assert_false(energy_comparable(cpu, none));
    assert_false(energy_comparable(old, cpu));
    assert_true(isnan(energy_per_sample(none)));
    assert_true(isnan(energy_per_sample(old)));
    assert_null(energy_of(old));
    json_decref(cpu);
    json_decref(both);
    json_decref(card);
    json_decref(none);
    json_decref(old);
}

#define TEST(f) cmocka_unit_test_setup(f, new_tree)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_rapl),
        TEST(packages_once),
        TEST(amd),
        TEST(mmio_in_need),
        TEST(wraps),
        TEST(no_sense),
        TEST(root_only),
        TEST(a_run),
        TEST(wraps_are_seen_meanwhile),
        TEST(one_fails),
        TEST(stands_still),
        TEST(begins_anew),
        TEST(elsewhere),
        TEST(a_card),
        TEST(a_card_and_packages),
        TEST(power_is_integrated),
        TEST(which_card),
        TEST(no_library),
        TEST(of_records),
    };
    int failed;

    assert_non_null(mkdtemp(root));
    nvml = file_prefix_join("tests/engines/nvml/libnvidia-ml.so.1");
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    file_remove_tree(root, NULL);
    free(nvml);
    return failed;
}

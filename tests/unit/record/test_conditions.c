/* The machine around a run, on a tree whose counters move between the two looks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/tree.h"
#include "record/conditions.h"

static char root[] = "/tmp/assay-conditions-XXXXXX";

static void put(const char *name, const char *text)
{
    char path[300], *slash;

    snprintf(path, sizeof(path), "%s/%s", root, name);
    slash = strrchr(path, '/');
    *slash = 0;
    assert_int_equal(file_make_dirs(path, NULL), 0);
    *slash = '/';
    assert_int_equal(file_write_whole(path, text, strlen(text), NULL), 0);
}

static const json_t *at(const json_t *tree, const char *part)
{
    return json_object_get(tree, part);
}

static void counters(void **state)
{
    long tick = sysconf(_SC_CLK_TCK);
    struct conditions *c;
    char text[200];
    json_t *out;

    (void)state;
    put("proc/stat", "cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 1 2 3\n");
    put("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "2000000\n");
    put("sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq", "3000000\n");
    put("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "5\n");
    put("sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count", "1\n");
    put("sys/fs/cgroup/cpu.stat", "usage_usec 9\nnr_periods 1\nnr_throttled 2\nthrottled_usec 0\n");
    setenv("ASSAY_SYSROOT", root, 1);
    c = conditions_begin();
    snprintf(text, sizeof(text), "cpu  %ld 0 %ld 900 900 0 0 %ld 7 7\n", 3 * tick, tick, 2 * tick);
    put("proc/stat", text);
    put("sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq", "1000000\n");
    put("sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count", "4\n");
    put("sys/fs/cgroup/cpu.stat", "nr_throttled 9\nthrottled_usec 1500000\n");
    out = conditions_end(c);
    assert_true(tree_real(at(out, "cpu"), "busy_s", 0) == 4);
    assert_true(tree_real(at(out, "cpu"), "steal_s", 0) == 2);
    assert_true(tree_real(at(out, "cpu"), "own_s", -1) >= 0);
    assert_true(tree_real(at(out, "cpu"), "seconds", 0) > 0);
    assert_true(tree_real(at(out, "throttled"), "thermal", 0) == 3);
    assert_true(tree_real(at(out, "throttled"), "quota", 0) == 7);
    assert_true(fabs(tree_real(at(out, "throttled"), "quota_s", 0) - 1.5) < 1e-9);
    assert_true(tree_real(at(out, "frequency_mhz"), "max", 0) == 2500);
    assert_true(tree_real(at(out, "frequency_mhz"), "min", 0) == 1500);
    json_decref(out);
}

/* What is not there is null, and nothing is made up. */
static void nothing_to_read(void **state)
{
    struct conditions *c;
    json_t *out;

    (void)state;
    setenv("ASSAY_SYSROOT", "/tmp/assay-no-such-folder", 1);
    c = conditions_begin();
    out = conditions_end(c);
    assert_true(json_is_null(at(out, "frequency_mhz")));
    assert_true(json_is_null(at(at(out, "cpu"), "busy_s")));
    assert_true(json_is_null(at(at(out, "cpu"), "steal_s")));
    assert_true(json_is_null(at(at(out, "throttled"), "thermal")));
    assert_true(json_is_null(at(at(out, "throttled"), "quota")));
    json_decref(out);
    assert_null(conditions_end(NULL));
}

/* The kernel does its work: some nanoseconds for each of its steps, and about the same twice. */
static void the_kernel_is_timed(void **state)
{
    json_t *out = conditions_end(conditions_begin());
    const json_t *probe = at(out, "probe");

    (void)state;
    for (int i = 0; i < 2; i++) {
        const json_t *t = at(probe, i ? "after" : "before");

        assert_true(tree_real(t, "compute_ns", 0) > 5e5);
        assert_true(tree_real(t, "memory_ns", 0) > 1e5);
    }
    assert_int_equal(tree_int(probe, "revision", 0), 1);
    json_decref(out);
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

/* What a run's own report says of it: nothing of a quiet machine, or of what is not known. */
static void notes(void **state)
{
    json_t *list = json_array(), *noisy, *quiet;

    (void)state;
    quiet = json_pack("{s:{s:f, s:f, s:f, s:f}, s:{s:n, s:i}}", "cpu", "seconds", 5.0, "busy_s",
                      2.5, "own_s", 2.1, "steal_s", 0.0, "throttled", "thermal", "quota", 0);
    conditions_notes(quiet, "it", 0.2, 2, list);
    conditions_notes(NULL, "it", 0.2, 2, list);
    assert_int_equal(json_array_size(list), 0);
    noisy = json_pack("{s:{s:f, s:f, s:f, s:f}, s:{s:i, s:n}}", "cpu", "seconds", 5.25, "busy_s",
                      10.5, "own_s", 2.1, "steal_s", 0.5, "throttled", "thermal", 3, "quota");
    assert_float_equal(conditions_others(noisy), 1.6, 1e-9);
    conditions_notes(noisy, "it", 0.2, 2, list);
    assert_int_equal(json_array_size(list), 3);
    assert_string_equal(json_string_value(json_array_get(list, 0)),
                        "while it ran, 4.5 % of the processors' work went to other virtual "
                        "machines (steal)");
    assert_string_equal(json_string_value(json_array_get(list, 1)),
                        "while it ran, other programs used 1.60 of 2 processors");
    assert_string_equal(json_string_value(json_array_get(list, 2)),
                        "while it ran, a processor lowered its clock for heat 3 times");
    json_decref(list);
    json_decref(noisy);
    json_decref(quiet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counters),
                                       cmocka_unit_test(nothing_to_read), cmocka_unit_test(notes),
                                       cmocka_unit_test(the_kernel_is_timed)};

    return cmocka_run_group_tests(tests, make_root, remove_root);
}

/* Server with several issuing threads: the only run of its process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "load/detail.h"
#include "load/profile.h"
#include "load/rounds.h"

static const struct load_bridge *bridge;
static atomic_uint_fast64_t issued;

static void sut_issue(void *ctx, const struct load_sample *samples, size_t n)
{
    struct load_response r = {.data = (uintptr_t) "", .size = 1};
    size_t i;

    (void)ctx;
    for (i = 0; i < n; i++) {
        r.id = samples[i].id;
        bridge->complete(&r, 1);
    }
    atomic_fetch_add(&issued, n);
}

static void sut_flush(void *ctx)
{
    (void)ctx;
}

static void sut_load(void *ctx, const size_t *index, size_t n)
{
    (void)ctx;
    (void)index;
    (void)n;
}

static void two_threads_once(void **state)
{
    char dir[] = "/tmp/assay-threads-XXXXXX", *path;
    struct load_sut sut = {NULL, "sut", "qsl", 10, 10, sut_issue, sut_flush, sut_load, sut_load};
    struct load_official official;
    struct assay_err err = {0};
    struct settings s;
    struct detail d;

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(load_open(&load_rounds[0], NULL, &bridge, &err), 0);
    settings_init(&s, &err);
    s.scenario = SERVER;
    bridge->official("resnet50", SERVER, &official, NULL, &err);
    settings_set(&s, "min-duration-ms", "200", SETTINGS_CLI, "-", &err);
    settings_set(&s, "target-qps", "5000", SETTINGS_CLI, "-", &err);
    settings_set(&s, "server-issue-threads", "2", SETTINGS_CLI, "-", &err);
    assert_int_equal(profile_apply(&s, &official, &err), 0);
    if (bridge->run(&s, "resnet50", &sut, dir, NULL, &err))
        fail_msg("%s", err.text);
    path = file_join(dir, "mlperf_log_detail.txt");
    assert_int_equal(detail_read(path, &d, &err), 0);
    assert_true(detail_real(&d, "requested_server_num_issue_query_threads", 0) == 2);
    assert_string_equal(detail_text(&d, "result_validity", ""), "VALID");
    assert_int_equal(json_array_size(d.errors), 0);
    assert_true(detail_real(&d, "result_query_count", 0) == (double)issued);
    detail_release(&d);
    free(path);

    s.server_issue_threads = 0;
    assert_int_equal(bridge->run(&s, "resnet50", &sut, dir, NULL, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "must be the only one of its process"));
    settings_release(&s);
    file_remove_tree(dir, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(two_threads_once)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

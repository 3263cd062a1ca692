/* What is decided where the user has left it open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "run/resolve.h"

static uint32_t most(uint64_t caps, char *device)
{
    struct assay_engine engine = {.caps = caps};
    struct resolved r = {.engine = &engine, .s.device = device};

    return resolve_most_batch(&r);
}

static void test_most_batch(void **state)
{
    (void)state;
    assert_int_equal(most(0, "cpu"), 32);
    assert_int_equal(most(0, "cuda"), 256);
    assert_int_equal(most(0, "cuda:1"), 256);
    assert_int_equal(most(ASSAY_CAP_ANY_MODEL, "cpu"), 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_most_batch)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Versions: their order, and what is in a range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "flow/version.h"

static void order(void **state)
{
    static const char *const sorted[] = {"0.9",
                                         "1.0-alpha",
                                         "1.0-rc1",
                                         "1.0-rc2",
                                         "1.0",
                                         "1.0.1",
                                         "1.2.3",
                                         "1.2.10",
                                         "1.10",
                                         "2",
                                         "2.0.1",
                                         "10",
                                         "2026.1",
                                         "99999999999999999999999",
                                         "100000000000000000000000"};
    const size_t n = sizeof(sorted) / sizeof(sorted[0]);

    (void)state;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            int d = version_compare(sorted[i], sorted[j]);

            if ((d > 0) - (d < 0) != (i > j) - (i < j))
                fail_msg("%s and %s: %d", sorted[i], sorted[j], d);
        }
    assert_int_equal(0, version_compare("1.2", "1.2.0"));
    assert_int_equal(0, version_compare("1.02", "1.2"));
    assert_int_equal(0, version_compare("", "0"));
}

static void ranges(void **state)
{
    (void)state;
    assert_true(version_in("1.5", ">=1.2 <2"));
    assert_false(version_in("2.0", ">=1.2 <2"));
    assert_false(version_in("1.1.9", ">=1.2, <2"));
    assert_true(version_in("1.2", ">= 1.2"));
    assert_true(version_in("1.2.7", "1.2"));
    assert_false(version_in("1.20", "1.2"));
    assert_true(version_in("1.2.0", "==1.2"));
    assert_false(version_in("1.2.1", "=1.2"));
    assert_false(version_in("1.3", "!=1.3"));
    assert_true(version_in("2.0", ">2.0-rc1 <=2"));
    assert_true(version_in("anything", ""));
    assert_true(version_in("", ""));
    assert_false(version_in("", ">=0"));
}

static void refused(void **state)
{
    static const char *const bad[] = {">=", "1.2 >", "$(rm)", "a b;c", "==1 <"};
    struct assay_err err;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(ASSAY_EUSAGE, version_range_check(bad[i], "x", &err));
    assert_int_equal(ASSAY_OK, version_range_check(" >= 1.2 ,<2", "x", &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(order), cmocka_unit_test(ranges),
                                       cmocka_unit_test(refused)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

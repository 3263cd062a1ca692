/* Rules of --fail-if: what is taken, what is refused, and when one is broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "report/rule.h"

static void good(const char *text, int figure, bool above, bool relative, double limit)
{
    struct assay_err err = {0};
    struct rule r;

    if (rule_parse(text, &r, &err))
        fail_msg("%s: %s", text, err.text);
    assert_int_equal(r.figure, figure);
    assert_int_equal(r.above, above);
    assert_int_equal(r.relative, relative);
    if (fabs(r.limit - limit) > 1e-9 * fabs(limit))
        fail_msg("%s: %g", text, r.limit);
}

static void bad(const char *text, const char *says)
{
    struct assay_err err = {0};
    struct rule r;

    if (!rule_parse(text, &r, &err))
        fail_msg("'%s' was taken", text);
    assert_int_equal(err.code, ASSAY_EUSAGE);
    if (!strstr(err.text, says))
        fail_msg("'%s': %s", text, err.text);
}

static void taken(void **state)
{
    (void)state;
    good("p99>+3%", FIGURE_P99, true, true, 0.03);
    good("p99 > 3 %", FIGURE_P99, true, true, 0.03);
    good("p99.9>-0.5%", FIGURE_P999, true, true, -0.005);
    good(" throughput < -5% ", FIGURE_THROUGHPUT, false, true, -0.05);
    good("p99>15ms", FIGURE_P99, true, false, 15e6);
    good("mean<1.5e2 us", FIGURE_MEAN, false, false, 150e3);
    good("p50>2s", FIGURE_P50, true, false, 2e9);
    good("throughput<100", FIGURE_THROUGHPUT, false, false, 100);
    good("throughput<100.5/s", FIGURE_THROUGHPUT, false, false, 100.5);
    good("energy>+5%", FIGURE_ENERGY, true, true, 0.05);
    good("energy>2J", FIGURE_ENERGY, true, false, 2);
    good("energy>2.5 mJ", FIGURE_ENERGY, true, false, 2.5e-3);
    good("accuracy<76.4", FIGURE_ACCURACY, false, false, 76.4);
}

static void refused(void **state)
{
    (void)state;
    bad("", "no figure ''");
    bad("p98>3%", "did you mean p9");
    bad("p99", "no '<' or '>'");
    bad("p99>", "no number");
    bad("p99>fast", "no number");
    bad("energy>2ms", "no unit of energy");
    bad("energy>2W", "no unit of energy");
    bad("p99>nan%", "no number");
    bad("p99>0x10ms", "no number");
    bad("p99>15", "is no unit of p99");
    bad("p99>15 hours", "is no unit of p99");
    bad("p99>+15ms", "behind a sign");
    bad("throughput<5%", "wants its sign");
    bad("throughput<5ms", "is no unit of throughput");
    bad("p99<-100%", "no figure can go there");
    bad("p99>1e999%", "no figure can go there");
    bad("p99>3%%", "is no unit");
    bad("p99>+3% or throughput<-5% or anything else that somebody may want", "too long");
}

static void rule_of(const char *text, double low, double high, struct rule *r,
                    struct spread_pair pairs[FIGURE_COUNT])
{
    memset(pairs, 0, FIGURE_COUNT * sizeof(*pairs));
    assert_int_equal(rule_parse(text, r, NULL), 0);
    pairs[r->figure] = (struct spread_pair){
        .known = true, .b = {.low = low, .high = high}, .ratio = {.low = low, .high = high}};
    assert_int_equal(rule_check(r, pairs, NULL), 0);
}

static bool broken(const char *text, double low, double high)
{
    struct spread_pair pairs[FIGURE_COUNT];
    struct rule r;

    rule_of(text, low, high, &r, pairs);
    return rule_broken(&r, pairs);
}

static bool judged_at(const char *text, double low, double high)
{
    struct spread_pair pairs[FIGURE_COUNT];
    struct rule r;

    rule_of(text, low, high, &r, pairs);
    return rule_judged(&r, pairs);
}

/* Only an interval that lies wholly beyond breaks a rule. */
static void judged(void **state)
{
    struct spread_pair none[FIGURE_COUNT];
    struct rule r;

    (void)state;
    assert_true(broken("p99>+3%", 1.031, 1.2));
    assert_false(broken("p99>+3%", 1.029, 1.2));
    assert_true(broken("throughput<-5%", 0, 0.949));
    assert_false(broken("throughput<-5%", 0.9, 0.951));
    assert_true(broken("p99>15ms", 15.1e6, INFINITY));
    assert_false(broken("p99>15ms", 14.9e6, INFINITY));
    assert_false(judged_at("p99>+3%", 0, 1.2));
    assert_true(judged_at("p99>+3%", 0.5, INFINITY));
    assert_false(judged_at("accuracy<70", 60, INFINITY));
    assert_true(judged_at("accuracy<70", 0, 80));
    memset(none, 0, sizeof(none));
    assert_int_equal(rule_parse("p99>+3%", &r, NULL), 0);
    assert_int_equal(rule_check(&r, none, NULL), ASSAY_EUSAGE);
    assert_false(rule_broken(&r, none));
    assert_false(rule_judged(&r, none));
    assert_int_equal(rule_parse("accuracy<-1%", &r, NULL), 0);
    none[FIGURE_ACCURACY] =
        (struct spread_pair){.known = true, .ratio = {0.98, 0, INFINITY}, .b_exact = true};
    assert_false(rule_judged(&r, none));
    none[FIGURE_ACCURACY].ratio_exact = true;
    assert_true(rule_judged(&r, none) && rule_broken(&r, none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(taken), cmocka_unit_test(refused),
                                       cmocka_unit_test(judged)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

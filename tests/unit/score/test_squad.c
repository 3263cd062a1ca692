/* SQuAD's spans, alignment, F1 and exact match on cases whose results are known by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "score/squad.h"

static void answers_are_normalised(void **state)
{
    static const char *const cases[][2] = {
        {"The  Cat, a dog & an Owl!", "cat dog owl"},
        {"", ""},
        {"the", ""},
        {"A.N.", ""}, /* punctuation goes first, and leaves an article */
        {"theatre an1 1a", "theatre an1 1a"},
        {"a\xe2\x80\x94the x\xe2\x80\x94y", "\xe2\x80\x94 x\xe2\x80\x94y"}, /* dashes stay */
        {"caf\xc3\xa9 a\xc3\xa9 the\xcc\x81", "caf\xc3\xa9 a\xc3\xa9 \xcc\x81"},
        {"x\xc2\xa0y\xe3\x80\x80z", "x y z"},
        {"\xc3\x84\xce\xa3 \xce\x91\xce\xa3", "\xc3\xa4\xcf\x82 \xce\xb1\xcf\x82"},
        {"\xe2\x80\x9cquoted\xe2\x80\x9d", "\xe2\x80\x9cquoted\xe2\x80\x9d"},
    };
    struct text out;
    size_t i;

    (void)state;
    text_init(&out, 1 << 20);
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        text_clear(&out);
        squad_normalise(cases[i][0], &out);
        assert_string_equal(out.s, cases[i][1]);
    }
    text_release(&out);
}

static void check_score(const char *answer, const char *truth, double exact, double f1)
{
    struct squad_tally t = {0};
    struct assay_err err;

    assert_int_equal(squad_tally_add(&t, answer, &truth, 1, &err), 0);
    assert_true(t.exact == exact);
    if (fabs(t.f1 - f1) > 1e-15)
        fail_msg("'%s' for '%s': F1 %.17g, not %.17g", answer, truth, t.f1, f1);
}

static void one_answer_is_scored(void **state)
{
    (void)state;
    check_score("The cat", "cat", 1, 1);
    check_score("cat", "dog", 0, 0);
    check_score("", "cat", 0, 0);
    check_score("", "", 1, 0); /* nothing in common, and yet equal: as the official script */
    check_score("the", "", 1, 0);
    check_score("cat cat dog", "cat dog dog", 0, 2.0 / 3); /* a multiset: cat, dog */
    check_score("a b c", "b", 0, 2.0 / 3);
}

static void the_best_truth_counts_and_the_line_is_pythons(void **state)
{
    static const char *const truths[] = {"dog", "big cat", "cat"};
    struct assay_score s = {.size = sizeof(s)};
    struct squad_tally t = {0};
    struct assay_err err;

    (void)state;
    squad_tally_add(&t, "cat", truths, 3, &err);
    squad_tally_score(&t, &s);
    assert_string_equal(s.line, "{\"exact_match\": 100.0, \"f1\": 100.0}");
    squad_tally_add(&t, "big", truths, 3, &err);
    squad_tally_add(&t, "none", truths, 3, &err);
    squad_tally_score(&t, &s);
    assert_string_equal(s.line, "{\"exact_match\": 33.333333333333336, \"f1\": 55.55555555555555}");
    assert_string_equal(s.metric, "f1");
    assert_int_equal(s.total, 3);
    assert_int_equal(s.good, 1);
}

/* ---- spans ---- */

struct window {
    double start[SQUAD_POSITIONS], end[SQUAD_POSITIONS];
    uint8_t may[SQUAD_POSITIONS];
};

/* Positions from..to-1 are of the paragraph; every logit is `all`. */
static struct window window_of(uint32_t from, uint32_t to, double all)
{
    struct window w;
    uint32_t i;

    for (i = 0; i < SQUAD_POSITIONS; i++) {
        w.start[i] = w.end[i] = all;
        w.may[i] = i >= from && i < to ? SQUAD_MAY_START | SQUAD_MAY_END : 0;
    }
    return w;
}

static struct squad_span best_of(const struct window *w)
{
    struct squad_span best = SQUAD_SPAN_NONE;

    squad_span_add(&best, 7, w->start, w->end, w->may);
    return best;
}

static void spans_obey_the_rules(void **state)
{
    struct window w = window_of(10, 100, 0);
    struct squad_span best;

    (void)state;
    w.start[20] = 5;
    w.end[25] = 4;
    best = best_of(&w);
    assert_true(best.found && best.feature == 7 && best.score == 9);
    assert_int_equal(best.start, 20);
    assert_int_equal(best.end, 25);
    w.end[50] = 9; /* 31 tokens: one too long */
    assert_int_equal(best_of(&w).end, 25);
    w.end[49] = 8;
    assert_int_equal(best_of(&w).end, 49);
    w.may[20] = SQUAD_MAY_END; /* another window's own: 50 has no start near but a plain 0 */
    w.start[30] = 1;
    assert_int_equal(best_of(&w).start, 30);
    assert_int_equal(best_of(&w).end, 50);
    w.may[50] = 0;
    assert_int_equal(best_of(&w).end, 49);
}

/* Of equal logits only the first 20 places are looked at, and those may all be of the question. */
static void ties_go_to_the_lower_place(void **state)
{
    struct window w = window_of(10, 100, 1), other = window_of(10, 100, 1);
    struct squad_span best = best_of(&w);

    (void)state;
    assert_int_equal(best.start, 10);
    assert_int_equal(best.end, 10);
    squad_span_add(&best, 8, other.start, other.end, other.may);
    assert_int_equal(best.feature, 7); /* the earlier window of equals */
    other.start[40] = 1.5;
    squad_span_add(&best, 8, other.start, other.end, other.may);
    assert_int_equal(best.feature, 7); /* no end near 40 is among the 20 */
    other.end[40] = 1.5;
    squad_span_add(&best, 8, other.start, other.end, other.may);
    assert_int_equal(best.feature, 8);
    w = window_of(19, 100, 1);
    assert_int_equal(best_of(&w).start, 19);
    w = window_of(20, 100, 1);
    assert_false(best_of(&w).found);
}

/* ---- alignment ---- */

static void answers_are_aligned(void **state)
{
    static const char *const cases[][4] = {
        /* pieces, original, words, what comes */
        {"steve smith", "Steve Smith's", "steve smith ' s", "Steve Smith"},
        {"smith", "(Smith)", "( smith )", "Smith"},
        {"cafe", "Caf\xc3\xa9,", "cafe ,", "Caf\xc3\xa9"},
        {"6 1", "6\xc2\xbd x", "6\xc2\xbd x", "6\xc2\xbd x"},            /* not found */
        {"[UNK]", "\xe0\xa4\x95 x", "\xe0\xa4\x95 x", "\xe0\xa4\x95 x"}, /* not found */
        {"ab",
         "ab\x01"
         "c",
         "abc d", "ab"}, /* 4 characters each, so taken to be the same */
        {"", "abc", "abc", "abc"},
        {"b", "a b", "a b c", "a b"}, /* lengths differ */
    };
    struct text out;
    size_t i;

    (void)state;
    text_init(&out, 1 << 20);
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        text_clear(&out);
        squad_align(cases[i][0], cases[i][1], cases[i][2], &out);
        assert_string_equal(out.s, cases[i][3]);
    }
    text_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_normalised),
        cmocka_unit_test(one_answer_is_scored),
        cmocka_unit_test(the_best_truth_counts_and_the_line_is_pythons),
        cmocka_unit_test(spans_obey_the_rules),
        cmocka_unit_test(ties_go_to_the_lower_place),
        cmocka_unit_test(answers_are_aligned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Answers that agree, and each way in which they do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "engine/answers.h"

#define SAMPLES 3
#define CLASSES 4

/* Range 1: from 0 to 1.  The leads are 0.9, 0.0005 and 0.3. */
static const double scores[SAMPLES * CLASSES] = {1, 0,    0.1, 0,    0.5, 0.4995,
                                                 0, 0.25, 0,   0.25, 0,   0.55};

struct pair {
    double scores[2][SAMPLES * CLASSES];
    int64_t top[2][SAMPLES];
    struct answers a, b;
};

static void make(struct pair *p)
{
    static const int64_t top[SAMPLES] = {0, 0, 3};

    for (int i = 0; i < 2; i++) {
        memcpy(p->scores[i], scores, sizeof(scores));
        memcpy(p->top[i], top, sizeof(top));
    }
    p->a = (struct answers){"fp32", SAMPLES, CLASSES, p->scores[0], p->top[0]};
    p->b = (struct answers){"fp32", SAMPLES, CLASSES, p->scores[1], p->top[1]};
}

static void says(const struct pair *p, const char *words)
{
    struct answers_gap gap;
    struct assay_err err = {0};

    assert_true(answers_compare(&p->a, &p->b, 1e-3, 2e-3, &gap, &err) < 0);
    if (!strstr(err.text, words))
        fail_msg("'%s' is not in: %s", words, err.text);
}

static void agreement_is_measured(void **state)
{
    struct answers_gap gap;
    struct assay_err err = {0};
    struct pair p;

    (void)state;
    make(&p);
    p.scores[0][6] = 0.0009;
    p.top[0][1] = 1; /* within the margin: either will do */
    if (answers_compare(&p.a, &p.b, 1e-3, 2e-3, &gap, &err))
        fail_msg("%s", err.text);
    assert_true(fabs(gap.largest - 0.0009) < 1e-12);
    assert_int_equal(gap.leading, 2);
    assert_int_equal(gap.classes, 2);
}

static void disagreement_is_found(void **state)
{
    struct pair p;

    (void)state;
    make(&p);
    p.scores[0][6] = 0.0011;
    says(&p, "largest difference 0.0011 of the range, above 0.001");
    make(&p);
    p.top[0][2] = 1;
    says(&p, "sample 2: class 1 where the other has 3");
    make(&p);
    p.scores[0][5] = NAN;
    says(&p, "sample 1: a score is not finite");
    make(&p);
    p.scores[1][5] = INFINITY;
    says(&p, "sample 1: a score is not finite");
    make(&p);
    p.a.samples = 2;
    says(&p, "2 x 4 scores where the other has 3 x 4");
    make(&p);
    memset(p.scores[1], 0, sizeof(p.scores[1]));
    says(&p, "are the same");
}

/* Parts of the range, whatever the scores' unit. */
static void differences_are_parts_of_the_range(void **state)
{
    struct answers_gap gap;
    struct assay_err err = {0};
    struct pair p;

    (void)state;
    make(&p);
    for (size_t i = 0; i < SAMPLES * CLASSES; i++) {
        p.scores[0][i] = 100 * p.scores[0][i] - 50;
        p.scores[1][i] = 100 * p.scores[1][i] - 50;
    }
    p.scores[0][2] += 0.09;
    assert_int_equal(answers_compare(&p.a, &p.b, 1e-3, 2e-3, &gap, &err), 0);
    assert_true(fabs(gap.largest - 0.0009) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(agreement_is_measured),
                                       cmocka_unit_test(disagreement_is_found),
                                       cmocka_unit_test(differences_are_parts_of_the_range)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

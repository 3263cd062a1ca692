/* The compliance tests of one result.
 *
 * The official checker believes the text files that the tests' scripts wrote.  Here the logs are
 * asked too: whether the test's settings were in use, and whether its figure fits the performance
 * run's. */
#include "submit/judge.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "submit/accuracy.h"
#include "submit/tests.h"

/* Whether a text holds the words, or has them as a whole line. */
static bool says(const char *text, const char *words, bool line)
{
    size_t n = strlen(words);

    for (const char *at = text; (at = strstr(at, words)); at += n) {
        const char *from = at, *to = at + n + strspn(at + n, " \t\r");

        while (from > text && (from[-1] == ' ' || from[-1] == '\t'))
            from--;
        if (!line || ((from == text || from[-1] == '\n') && (*to == '\n' || !*to)))
            return true;
    }
    return false;
}

/* What a test's own script must have written. */
static const struct {
    int test;
    const char *file;
    const char *words[3];
    bool line;
} verdict_files[] = {
    {1, "verify_performance.txt", {"TEST PASS"}, false},
    {4, "verify_performance.txt", {"TEST PASS"}, false},
    {6, "verify_accuracy.txt", {"EOS check pass: True", "Sample length check pass: True"}, true},
    {7, "verify_accuracy.txt", {"TEST PASS"}, false},
    {8, "verify_accuracy.txt", {"TEST PASS"}, true},
    {9, "verify_output_len.txt", {"TEST PASS"}, false},
};

static void check_verdict_file(struct judge *j, const char *dir, size_t row, const char *mend)
{
    char where[JUDGE_PATH], *text;

    judge_join(where, dir, verdict_files[row].file);
    if (!judge_file(j, dir, verdict_files[row].file, true, mend))
        return;
    text = judge_text(j, where);
    for (size_t i = 0; i < 3 && verdict_files[row].words[i]; i++)
        if (!text || !says(text, verdict_files[row].words[i], verdict_files[row].line))
            judge_add(j, RULE_TEST_FAILED, where, mend, "does not say \"%s\"",
                      verdict_files[row].words[i]);
    free(text);
}

/* TEST01 without equal responses: the accuracy over the same samples must agree. */
static bool figure_of(struct judge *j, const struct place *p, const char *dir, const char *name,
                      struct submit_accuracy *a)
{
    char where[JUDGE_PATH], *text;

    judge_join(where, dir, name);
    text = judge_text(j, where);
    if (!text)
        judge_add(j, RULE_TEST_FAILED, where, "make it as the test's page says",
                  "%s is missing, and the responses were not the same", name);
    submit_accuracy_parse(text ? text : "", text ? strlen(text) : 0, p->model->metrics, a);
    free(text);
    return text != NULL;
}

static void check_close(struct judge *j, const struct place *p, const char *dir)
{
    double allowed = strstr(p->model->name, "99.9") ? 0.1 : 1, percent;
    struct submit_accuracy a, b;

    if (!figure_of(j, p, dir, "baseline_accuracy.txt", &a) ||
        !figure_of(j, p, dir, "compliance_accuracy.txt", &b))
        return;
    for (size_t i = 0; i < SUBMIT_METRICS && p->model->metrics[i].name; i++) {
        const char *name = p->model->metrics[i].name;

        if (!strcmp(name, "FID_SCORE"))
            allowed = 2;
        percent =
            a.seen[i] && b.seen[i] && b.least[i] > 0 ? 100 * (a.least[i] / b.least[i] - 1) : 1e9;
        if (percent > allowed || percent < -allowed)
            judge_add(j, RULE_TEST_FAILED, dir, "find out why the two runs answer differently",
                      "%s of the test and of the baseline differ by more than %g %%", name,
                      allowed);
    }
}

static void check_test01(struct judge *j, const struct place *p, const char *dir, const char *mend)
{
    char where[JUDGE_PATH], log[JUDGE_PATH], *text;
    bool same;

    judge_join(where, dir, "verify_accuracy.txt");
    judge_join(log, dir, "accuracy");
    if (judge_file(j, log, "mlperf_log_accuracy.json", false, mend)) {
        char json[JUDGE_PATH];

        judge_join(json, log, "mlperf_log_accuracy.json");
        judge_cut_log(j, json, NULL, true, mend);
    }
    if (!judge_file(j, dir, "verify_accuracy.txt", true, mend))
        return;
    text = judge_text(j, where);
    same = text && says(text, "TEST PASS", true);
    free(text);
    if (!same)
        check_close(j, p, log);
}

/* The run of TEST01 or TEST04. */
static void check_test_run(struct judge *j, const struct place *p, const char *dir, int test,
                           const struct detail *reference, const char *mend)
{
    char run[JUDGE_PATH], where[JUDGE_PATH], words[300];
    struct detail d = {0};
    json_t *names, *name;
    size_t i;

    judge_join(run, dir, "performance/run_1");
    names = judge_list(j, run, false);
    json_array_foreach(names, i, name)
    {
        const char *s = json_string_value(name);

        if (strcmp(s, "mlperf_log_summary.txt") && strcmp(s, "mlperf_log_detail.txt") &&
            strcmp(s, "mlperf_log_accuracy.json") && strcmp(s, "mlperf_log_trace.json") &&
            strcmp(s, "results.json"))
            judge_add(j, RULE_LAYOUT, run, "remove it", "%s does not belong there", s);
    }
    json_decref(names);
    if (!judge_run(j, p, run, JUDGE_PERFORMANCE, test, &d))
        return;
    judge_join(where, run, "mlperf_log_detail.txt");
    if (!submit_test_applied(p->model, test, &d, words, sizeof(words)))
        judge_add(j, RULE_TEST_SETTINGS, where, mend, "%s", words);
    if (reference && !submit_test_compare(test, reference, &d, words, sizeof(words)))
        judge_add(j, RULE_TEST_SCORE, where, mend, "%s", words);
    detail_release(&d);
}

static void check_test(struct judge *j, const struct place *p, int test,
                       const struct detail *reference)
{
    char dir[JUDGE_PATH], name[16], mend[300];

    snprintf(name, sizeof(name), "TEST%02d", test);
    judge_mend_run(j, p, name, mend);
    judge_join(dir, p->tests, name);
    if (!judge_there(j, dir)) {
        judge_add(j, RULE_TEST, dir, mend, "%s is missing", name);
        return;
    }
    for (size_t i = 0; i < sizeof(verdict_files) / sizeof(verdict_files[0]); i++)
        if (verdict_files[i].test == test)
            check_verdict_file(j, dir, i, mend);
    if (test == 1)
        check_test01(j, p, dir, mend);
    if (test == 1 || test == 4)
        check_test_run(j, p, dir, test, reference, mend);
    else
        judge_note(j, "%s: of %s only its own verdict was looked at", p->model->name, name);
}

void judge_tests(struct judge *j, const struct place *p, const struct detail *reference)
{
    if (!p->closed || !p->model)
        return;
    for (int test = 1; test < SUBMIT_TESTS; test++)
        if (p->model->tests & SUBMIT_TEST(test))
            check_test(j, p, test, reference);
}

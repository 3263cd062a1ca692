/* The folders of compliance tests: their logs, and our verdict of each in the files that the
 * official checker reads. */
#include <stdlib.h>
#include <string.h>

#include "base/tree.h"
#include "submit/building.h"
#include "submit/tests.h"

static const struct submit_slot *slot_of(const struct build *b, const struct submit_slot *like,
                                         enum submit_kind kind)
{
    for (size_t i = 0; i < b->p->count; i++) {
        const struct submit_slot *s = &b->p->slots[i];

        if (s->kind == kind && s->scenario == like->scenario &&
            !strcmp(s->benchmark, like->benchmark))
            return s;
    }
    return NULL;
}

static int read_detail(const struct build *b, const json_t *record, struct detail *d)
{
    char path[2048];

    snprintf(path, sizeof(path), "%s/mlperf_log_detail.txt", tree_text(record, "folder", ""));
    return detail_read(path, d, b->err);
}

/* verify_performance.txt: our own words, and the line that the official checker looks for. */
static int write_comparison(const struct build *b, const struct submit_slot *slot, const char *dir)
{
    const struct submit_slot *run = slot_of(b, slot, SUBMIT_PERFORMANCE);
    struct detail reference = {0}, d = {0};
    struct text t;
    char words[300];
    int rc;
    bool pass;

    if (!run || !run->record)
        return ASSAY_OK; /* the check says what is missing */
    rc = read_detail(b, run->record, &reference);
    if (!rc)
        rc = read_detail(b, slot->record, &d);
    if (!rc) {
        pass = submit_test_compare(slot->test, &reference, &d, words, sizeof(words));
        text_init(&t, 2048);
        text_addf(&t, "Assay %s compared record %s (TEST%02d) with record %s:\n%s\nTEST %s\n",
                  ASSAY_VERSION, tree_text(slot->record, "id", "?"), slot->test,
                  tree_text(run->record, "id", "?"), words, pass ? "PASS" : "FAIL");
        rc = build_text(b, dir, "verify_performance.txt", &t);
        text_release(&t);
    }
    detail_release(&reference);
    detail_release(&d);
    return rc;
}

static int read_log(const struct build *b, const json_t *record, struct accuracy_log *log)
{
    char *data = NULL;
    size_t len;
    int rc = build_read(b, record, "mlperf_log_accuracy.json", &data, &len);

    if (!rc)
        rc = accuracy_log_parse(data, len, "mlperf_log_accuracy.json", log, b->err);
    free(data);
    return rc;
}

/* The accuracy of `log` over the samples that `other` has too. */
static int write_common(const struct build *b, const struct submit_slot *slot,
                        const struct accuracy_log *log, const struct accuracy_log *other,
                        const char *dir, const char *name)
{
    struct accuracy_log common;
    char line[256] = "";
    struct text t;
    int rc = submit_test01_common(log, other, &common, b->err);

    if (rc)
        return rc;
    rc = b->scorer->score(b->scorer->ctx, slot, &common, line, b->err);
    accuracy_log_release(&common);
    if (rc)
        return rc;
    text_init(&t, 1024);
    text_addf(&t, "%s\n", line);
    rc = build_text(b, dir, name, &t);
    text_release(&t);
    return rc;
}

/* Where responses depend on the company a sample is batched with, equal accuracy is enough. */
static int write_accuracies(const struct build *b, const struct submit_slot *slot,
                            const struct accuracy_log *reference, const struct accuracy_log *test,
                            const char *dir)
{
    char part[2200];
    int rc;

    if (!b->scorer)
        return ASSAY_OK;
    snprintf(part, sizeof(part), "%s/accuracy", dir);
    rc = write_common(b, slot, reference, test, part, "baseline_accuracy.txt");
    return rc ? rc : write_common(b, slot, test, reference, part, "compliance_accuracy.txt");
}

static int write_responses(const struct build *b, const struct submit_slot *slot, const char *dir)
{
    const struct submit_slot *run = slot_of(b, slot, SUBMIT_ACCURACY);
    struct accuracy_log reference = {0}, log = {0};
    struct submit_responses r;
    struct text t;
    int rc;

    if (!run || !run->record)
        return ASSAY_OK;
    rc = read_log(b, run->record, &reference);
    if (!rc)
        rc = read_log(b, slot->record, &log);
    if (!rc)
        rc = submit_test01_compare(&reference, &log, &r, b->err);
    if (!rc) {
        text_init(&t, 2048);
        text_addf(&t,
                  "Assay %s compared the responses of record %s (TEST01) with those of record %s "
                  "(accuracy), all bytes:\nresponses of the test: %llu\nresponses of the accuracy "
                  "run: %llu\nthe same: %llu\ndifferent: %llu\nnot in the accuracy run: "
                  "%llu\nTEST %s\n",
                  ASSAY_VERSION, tree_text(slot->record, "id", "?"),
                  tree_text(run->record, "id", "?"), (unsigned long long)r.test,
                  (unsigned long long)r.reference, (unsigned long long)r.same,
                  (unsigned long long)r.different, (unsigned long long)r.missing,
                  r.same && !r.different && !r.missing ? "PASS" : "FAIL");
        rc = build_text(b, dir, "verify_accuracy.txt", &t);
        text_release(&t);
        if (!rc && r.different)
            rc = write_accuracies(b, slot, &reference, &log, dir);
    }
    accuracy_log_release(&reference);
    accuracy_log_release(&log);
    return rc;
}

int build_test(const struct build *b, const struct submit_slot *slot)
{
    char dir[2048], test[2100], part[2200];
    int rc;

    build_place(b, b->p->round->in_results ? "results" : "compliance", slot, dir);
    snprintf(test, sizeof(test), "%s/TEST%02d", dir, slot->test);
    snprintf(part, sizeof(part), "%s/performance/run_1", test);
    rc = build_logs(b, slot->record, part);
    if (!rc)
        rc = write_comparison(b, slot, test);
    if (rc || slot->test != 1)
        return rc;
    rc = write_responses(b, slot, test);
    snprintf(part, sizeof(part), "%s/accuracy", test);
    return rc ? rc : build_cut_log(b, slot->record, part, NULL);
}

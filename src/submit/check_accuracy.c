/* The accuracy of one result: its run, the figure in accuracy.txt, and the shortened log. */
#include "submit/judge.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "submit/accuracy.h"

static bool is_hash(const char *text)
{
    size_t n = strlen(text);

    for (size_t i = 0; i < n; i++)
        if (!isxdigit((unsigned char)text[i]))
            return false;
    return n == 64;
}

/* A whole log is one that LoadGen wrote, and its hash can be compared. */
static void check_whole(struct judge *j, const char *where, const char *full, const char *hash,
                        const char *mend)
{
    struct accuracy_log log = {0};
    struct assay_err err = {0};
    char hex[HASH_HEX];
    const char *text;

    if (accuracy_log_read(full, &log, &err)) {
        text = strstr(err.text, full);
        judge_add(j, RULE_ACCURACY_LOG, where, mend, "line %s",
                  text ? text + strlen(full) + 1 : err.text);
    } else if (!log.n) {
        judge_add(j, RULE_ACCURACY_LOG, where, mend, "holds no response at all");
    }
    accuracy_log_release(&log);
    if (hash && is_hash(hash) && !hash_file(full, hex, NULL) && strcasecmp(hex, hash))
        judge_add_as(j, RULE_HASH, false, where,
                     "write the hash of this file, or put the right file there",
                     "its hash is %.16s…, accuracy.txt says %.16s…", hex, hash);
}

/* The line of dots that stands where the middle was; some write it with a carriage return. */
static bool is_cut(const char *text, size_t len)
{
    return memmem(text, len, "\n...\n", 5) || memmem(text, len, "\n...\r\n", 6);
}

void judge_cut_log(struct judge *j, const char *where, const char *hash, bool must_be_cut,
                   const char *mend)
{
    char full[2 * JUDGE_PATH], *text = NULL;
    int64_t size;
    size_t len;

    judge_full(j, where, full);
    size = file_size(full);
    if (size > SUBMIT_MAX_ACCURACY_LOG) {
        if (must_be_cut)
            judge_add(j, RULE_UNTRUNCATED, where, "assay submit shortens it",
                      "is %lld bytes long: it is not truncated", (long long)size);
        return;
    }
    if (size < 0 || file_read(full, SUBMIT_MAX_ACCURACY_LOG, &text, &len, NULL))
        return; /* missing: said elsewhere */
    if (!is_cut(text, len)) {
        check_whole(j, where, full, hash, mend);
    } else {
        while (len && isspace((unsigned char)text[len - 1]))
            len--;
        if (text[0] != '[' || !len || text[len - 1] != ']')
            judge_add(j, RULE_ACCURACY_LOG, where, mend,
                      "was shortened from a log without its %s: that run died",
                      text[0] != '[' ? "beginning" : "end");
    }
    free(text);
}

static void check_text(struct judge *j, const struct place *p, const char *dir,
                       struct submit_accuracy *a)
{
    static const struct submit_metric none[SUBMIT_METRICS];
    const struct submit_metric *metrics = p->model ? p->model->metrics : none;
    char where[JUDGE_PATH], why[200], mend[300], *text;

    judge_join(where, dir, "accuracy.txt");
    judge_mend_run(j, p, "accuracy", mend);
    text = judge_text(j, where);
    submit_accuracy_parse(text ? text : "", text ? strlen(text) : 0, metrics, a);
    free(text);
    if (!text)
        return;
    if (!a->hash[0])
        judge_add(j, RULE_HASH, where, "assay submit writes it; or add a line hash=SHA-256",
                  "has no line hash=…");
    else if (!is_hash(a->hash))
        judge_add_as(j, RULE_HASH, false, where, "write the SHA-256 of the whole log",
                     "'%.40s' is no SHA-256", a->hash);
    if (p->closed && !submit_accuracy_reached(metrics, a, why, sizeof(why)))
        judge_add(j, strncmp(why, "no line", 7) ? RULE_ACCURACY : RULE_ACCURACY_TEXT, where, mend,
                  "%s", why);
}

void judge_accuracy(struct judge *j, const struct place *p)
{
    char dir[JUDGE_PATH], where[JUDGE_PATH], mend[300];
    struct submit_accuracy a;
    struct detail d = {0};

    judge_join(dir, p->results, "accuracy");
    judge_mend_run(j, p, "accuracy", mend);
    if (!judge_there(j, dir)) {
        judge_add(j, RULE_LOG, dir, mend, "there is no accuracy run");
        return;
    }
    if (judge_run(j, p, dir, JUDGE_ACCURACY, 0, &d))
        detail_release(&d);
    judge_file(j, dir, "accuracy.txt", true, mend);
    judge_file(j, dir, "mlperf_log_accuracy.json", true, mend);
    check_text(j, p, dir, &a);
    judge_join(where, dir, "mlperf_log_accuracy.json");
    judge_cut_log(j, where, a.hash[0] ? a.hash : NULL, true, mend);
}

/* Findings, and the small reading that all checks of a tree do.  Everything here works on paths
 * below the tree's root, so a finding names what its reader sees. */
#include "submit/judge.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/tree.h"

#define MAX_TEXT     (1u << 20)
#define MAX_NAMES    4096 /* of one folder */
#define MAX_FINDINGS 2000 /* of a tree: no reader wants more, and a hostile one must end */

/* clang-format off */
const struct judge_rule_row judge_rules[RULE_COUNT_OF_RULES] = {
    [RULE_LAYOUT] = {"layout", "results are looked for at division/submitter/results/system/benchmark/scenario only", true},
    [RULE_LINK] = {"link", "a link does not travel with the tree; reviewers get nothing or something else", false},
    [RULE_SIZE] = {"size", "files above 50 MiB cannot be put into the submission repository", false},
    [RULE_MODEL] = {"model", "the round does not have this benchmark, so the result cannot be classed", true},
    [RULE_SCENARIO] = {"scenario", "each benchmark of a category needs all its scenarios", true},
    [RULE_SYSTEM_FILE] = {"system-file", "each system with results is described in systems/", true},
    [RULE_SYSTEM_FIELD] = {"system-field", "the field is required in the system's description", true},
    [RULE_SYSTEM_VALUE] = {"system-value", "the value contradicts the rules or the place of the file", true},
    [RULE_NO_RESULTS] = {"no-results", "a system without results is no part of a submission", false},
    [RULE_SOURCE] = {"source", "the code that was measured belongs to the submission", true},
    [RULE_FILE] = {"file", "the file is required, and must hold something", true},
    [RULE_MEASUREMENTS] = {"measurements", "the field is required in the description of the run", true},
    [RULE_USER_CONF] = {"user-conf", "LoadGen would drop or misread this, so the file does not say what was run", false},
    [RULE_LOG] = {"log", "without LoadGen's log there is no result", true},
    [RULE_LOG_SCENARIO] = {"log-scenario", "the run was made in another scenario than its folder says", true},
    [RULE_MODE] = {"mode", "the run was made in another mode than its folder says", false},
    [RULE_SEED] = {"seed", "the round's seeds decide which samples come when; other seeds are another test", true},
    [RULE_LOADGEN] = {"loadgen", "a round is run with its own LoadGen, unmodified", false},
    [RULE_DURATION] = {"duration", "a result needs at least the round's duration", true},
    [RULE_TOO_SHORT] = {"too-short", "the setting alone is not enough: the run must have lasted so long", false},
    [RULE_COUNT] = {"count", "a result needs at least this many queries or samples", true},
    [RULE_LATENCY] = {"latency", "the latency bound and percentile are the benchmark's", true},
    [RULE_EARLY_STOPPING] = {"early-stopping", "too few queries to believe the percentile with 99 % confidence", true},
    [RULE_VALIDITY] = {"validity", "LoadGen itself says that this run is no result", false},
    [RULE_ERRORS] = {"errors", "LoadGen logged errors during the run", false},
    [RULE_SAMPLES] = {"samples", "fewer samples in memory make the run easier than the others'", true},
    [RULE_EQUAL_ISSUE] = {"equal-issue", "samples of this benchmark differ in size and must be issued equally often", false},
    [RULE_AUDIT] = {"audit", "audit settings change what is issued or logged: this is no performance result", false},
    [RULE_RUN] = {"run", "the run does not keep the round's rules", true},
    [RULE_ACCURACY] = {"accuracy", "a closed result must reach the benchmark's accuracy target", true},
    [RULE_ACCURACY_TEXT] = {"accuracy-text", "the official checker looks for the accuracy script's line in accuracy.txt", true},
    [RULE_HASH] = {"hash", "the hash ties the shortened log to the whole one that the submitter keeps", true},
    [RULE_UNTRUNCATED] = {"untruncated", "accuracy logs are shortened to 10 KiB, with the hash of the whole in accuracy.txt", true},
    [RULE_ACCURACY_LOG] = {"accuracy-log", "the accuracy log is not LoadGen's, or is damaged", false},
    [RULE_DATASET] = {"dataset", "accuracy is measured on the whole data set", true},
    [RULE_NETWORK] = {"network", "the network division alone has systems behind a network", true},
    [RULE_TEST] = {"test", "closed results need this compliance test", true},
    [RULE_TEST_FAILED] = {"test-failed", "the compliance test did not pass", true},
    [RULE_TEST_SETTINGS] = {"test-settings", "the log shows that the test's own settings were not in use", false},
    [RULE_TEST_SCORE] = {"test-score", "the test's figure must agree with that of the performance run", false},
    [RULE_REHEARSAL] = {"rehearsal", "a rehearsal shows that everything is in its place; it is no submission", false},
};
/* clang-format on */

static void add(struct judge *j, enum judge_rule rule, bool official, const char *where,
                const char *mend, const char *fmt, va_list ap)
{
    const struct judge_rule_row *row = &judge_rules[rule];
    char what[700];
    json_t *one;

    vsnprintf(what, sizeof(what), fmt, ap);
    if (json_array_size(j->findings) >= MAX_FINDINGS) {
        j->omitted++;
        return;
    }
    one = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}", "rule", row->id, "where", where, "what", what,
                    "why", row->why, "mend", mend, "official", (int)official);
    if (!one) /* a name or value is not UTF-8: JSON cannot hold it */
        one = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}", "rule", row->id, "where", "", "what",
                        "something whose name is not UTF-8", "why", row->why, "mend",
                        "rename it, or remove it", "official", (int)official);
    if (json_array_append_new(j->findings, one))
        j->failed = true;
}

void judge_add(struct judge *j, enum judge_rule rule, const char *where, const char *mend,
               const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add(j, rule, judge_rules[rule].official, where, mend, fmt, ap);
    va_end(ap);
}

void judge_add_as(struct judge *j, enum judge_rule rule, bool official, const char *where,
                  const char *mend, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add(j, rule, official, where, mend, fmt, ap);
    va_end(ap);
}

void judge_note(struct judge *j, const char *fmt, ...)
{
    char text[700];
    va_list ap;
    size_t i;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    for (i = 0; i < json_array_size(j->notes); i++)
        if (!strcmp(json_string_value(json_array_get(j->notes, i)), text))
            return;
    if (i < MAX_FINDINGS)
        json_array_append_new(j->notes, json_string(text));
}

void judge_join(char out[JUDGE_PATH], const char *dir, const char *name)
{
    char copy[JUDGE_PATH]; /* dir may be out */

    snprintf(copy, sizeof(copy), "%s", dir);
    if (snprintf(out, JUDGE_PATH, "%s%s%s", copy, *copy ? "/" : "", name) >= JUDGE_PATH)
        out[0] = 0;
}

void judge_full(const struct judge *j, const char *where, char out[2 * JUDGE_PATH])
{
    if (snprintf(out, 2 * JUDGE_PATH, "%s/%s", j->root, where) >= 2 * JUDGE_PATH)
        out[0] = 0;
}

bool judge_there(const struct judge *j, const char *where)
{
    char full[2 * JUDGE_PATH];

    judge_full(j, where, full);
    return file_exists(full);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(json_string_value(*(json_t *const *)a), json_string_value(*(json_t *const *)b));
}

static json_t *sorted(json_t *names)
{
    size_t n = json_array_size(names), i;
    json_t **list = calloc(n + 1, sizeof(json_t *)), *out = json_array();

    for (i = 0; list && i < n; i++)
        list[i] = json_array_get(names, i);
    if (list)
        qsort(list, n, sizeof(json_t *), by_name);
    for (i = 0; list && i < n; i++)
        json_array_append(out, list[i]);
    free(list);
    json_decref(names);
    return out;
}

/* Whether the entry is of the kind that is listed; a link is looked through. */
static bool is_kind(const char *dir, const char *name, bool folders)
{
    char *path = file_join(dir, name);
    struct stat st;
    bool yes =
        path && stat(path, &st) == 0 && (folders ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode));

    free(path);
    return yes;
}

json_t *judge_list(struct judge *j, const char *where, bool folders)
{
    json_t *names = json_array(), *name;
    char full[2 * JUDGE_PATH];
    struct dirent *e;
    DIR *d;

    judge_full(j, where, full);
    d = opendir(full);
    while (d && (e = readdir(d)) && json_array_size(names) < MAX_NAMES) {
        if (e->d_name[0] == '.' || !is_kind(full, e->d_name, folders))
            continue;
        name = json_string(e->d_name);
        if (name)
            json_array_append_new(names, name);
        else
            judge_add(j, RULE_LAYOUT, where, "rename it", "holds a name that is not UTF-8");
    }
    if (d)
        closedir(d);
    return sorted(names);
}

bool judge_file(struct judge *j, const char *dir, const char *name, bool official, const char *mend)
{
    char where[JUDGE_PATH], full[2 * JUDGE_PATH];
    struct stat st;
    bool there;

    judge_join(where, dir, name);
    judge_full(j, where, full);
    there = !stat(full, &st) && S_ISREG(st.st_mode);
    if (there && st.st_size > 0)
        return true;
    judge_add_as(j, RULE_FILE, official, where, mend, "%s is %s", name,
                 there ? "empty" : "missing");
    return false;
}

json_t *judge_json(struct judge *j, const char *where, enum judge_rule rule, const char *mend)
{
    char full[2 * JUDGE_PATH];
    struct assay_err err = {0};
    json_t *tree = NULL;

    judge_full(j, where, full);
    if (!file_exists(full)) {
        judge_add(j, rule, where, mend, "%s is missing", file_base(where));
        return NULL;
    }
    if (file_size(full) > (int64_t)TREE_MAX_BYTES) {
        judge_add(j, rule, where, mend, "is larger than any description can be");
        return NULL;
    }
    if (tree_read_json(full, &tree, &err) && strstr(err.text, "duplicate object key")) {
        judge_add_as(j, rule, false, where, mend, "names a field twice: line %s",
                     err.text + strlen(full) + 1);
        tree = json_load_file(full, 0, NULL); /* as the official checker does */
    } else if (!tree) {
        /* Of the error only what follows the full path: the reader sees paths below the root. */
        judge_add(j, rule, where, mend, "cannot be read%s",
                  strlen(err.text) > strlen(full) ? err.text + strlen(full) : err.text);
        return NULL;
    }
    if (!json_is_object(tree)) { /* also where the memory was too small */
        judge_add(j, rule, where, mend, "is no JSON object");
        json_decref(tree);
        return NULL;
    }
    return tree;
}

char *judge_text(const struct judge *j, const char *where)
{
    char full[2 * JUDGE_PATH], *text = NULL;
    size_t len;

    judge_full(j, where, full);
    return file_read(full, MAX_TEXT, &text, &len, NULL) ? NULL : text;
}

void judge_mend_run(const struct judge *j, const struct place *p, const char *mode, char out[300])
{
    const char *scenario = p->number == SUBMIT_INTERACTIVE ? "Server" : p->scenario;

    if (!p->model || !p->model->assay)
        snprintf(out, 300, "run %s %s (%s) again with LoadGen %s", p->benchmark, scenario, mode,
                 j->round->name);
    else if (!strncmp(mode, "TEST", 4))
        snprintf(out, 300, "assay submit, which runs %s itself where no record of it is given",
                 mode);
    else
        snprintf(out, 300,
                 "assay run %s --scenario %s --mode %s --profile official:%s --model MODEL "
                 "--dataset DIR, then assay submit",
                 p->model->assay, scenario, mode, j->round->name);
}

/* The walk through a submission tree:
 *
 *   division / submitter / systems/SYSTEM.json
 *                        / results / SYSTEM / benchmark / scenario / …
 *
 * and in rounds before v6.0 measurements/ and compliance/ beside results/.  Each result is judged
 * by the checks of its parts; a folder that leads nowhere is a finding, so nothing is passed over
 * in silence. */
#include "submit/check.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "submit/judge.h"

#define MAX_BYTES ((int64_t)50 << 20)
#define MAX_DEPTH 16

/* ---- one result ---- */

static void check_power(struct judge *j, const struct place *p)
{
    char where[JUDGE_PATH];

    judge_join(where, p->results, "performance/power");
    if (judge_there(j, where))
        judge_note(j, "%s: power is not judged here", where);
}

static void check_endpoints(struct judge *j, const struct place *p)
{
    char where[JUDGE_PATH];

    judge_join(where, p->results, "config.yaml");
    if (judge_there(j, where))
        judge_note(j, "%s: results of the endpoints harness, without LoadGen, are not judged here",
                   p->results);
}

/* Those that answer with tokens. */
static bool has_token_limits(const struct submit_model *m)
{
    bool tokens = m->optional & 1u << SUBMIT_INTERACTIVE;

    for (size_t i = 0; i < SUBMIT_METRICS && m->metrics[i].name; i++)
        tokens =
            tokens || strstr(m->metrics[i].name, "ROUGE") || strstr(m->metrics[i].name, "TOKENS");
    return tokens;
}

static void check_result(struct judge *j, struct place *p)
{
    char run[JUDGE_PATH];
    struct detail d = {0};
    bool there;

    j->results++;
    judge_join(run, p->results, "performance/run_1");
    there = judge_run(j, p, run, JUDGE_PERFORMANCE, 0, &d);
    judge_accuracy(j, p);
    judge_measurements(j, p);
    judge_tests(j, p, there ? &d : NULL);
    check_power(j, p);
    check_endpoints(j, p);
    if (there)
        detail_release(&d);
    if (p->model && has_token_limits(p->model))
        judge_note(j, "%s: limits of token latencies are not judged here", p->model->name);
}

static int scenario_number(const char *name)
{
    for (int i = 0; i < SUBMIT_SCENARIO_COUNT; i++)
        if (!strcasecmp(submit_scenario_names[i], name))
            return i;
    return -1;
}

/* The folders of one result, relative to the root. */
static void set_paths(const struct judge *j, struct place *p, const char *benchmark_dir)
{
    const char *folders[] = {"measurements", "compliance"};
    char *paths[] = {p->measurements, p->tests}, rest[JUDGE_PATH];

    judge_join(p->results, benchmark_dir, p->scenario);
    for (size_t i = 0; i < 2; i++) {
        judge_join(paths[i], p->division, p->submitter);
        judge_join(paths[i], paths[i], folders[i]);
        judge_join(rest, p->system, p->benchmark);
        judge_join(rest, rest, p->scenario);
        judge_join(paths[i], paths[i], rest);
        if (j->round->in_results)
            memcpy(paths[i], p->results, JUDGE_PATH);
    }
}

/* ---- one benchmark of a system ---- */

static void list_scenarios(unsigned bits, char *out, size_t size)
{
    size_t n = 0;

    out[0] = 0;
    for (int i = 0; i < SUBMIT_SCENARIO_COUNT; i++)
        if (bits & 1u << i && n < size)
            n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : "",
                                  submit_scenario_names[i]);
}

static void check_scenarios(struct judge *j, struct place *p, const char *where, unsigned seen)
{
    unsigned required = submit_required(p->model, p->category), optional = 0;
    char names[100], mend[200];

    snprintf(mend, sizeof(mend), "%s%s",
             p->model->assay ? "assay submit, which runs what is missing of "
                             : "add the results of ",
             p->benchmark);
    if (p->category & SUBMIT_DATACENTER)
        optional = p->model->optional;
    if (!required) {
        judge_add(j, RULE_MODEL, where, "submit it in another category, or in the open division",
                  "round %s has no %s for %s systems", j->round->name, p->model->name,
                  tree_text(p->described, "system_type", "these"));
        return;
    }
    if (required & ~seen) {
        list_scenarios(required & ~seen, names, sizeof(names));
        judge_add(j, RULE_SCENARIO, where, mend, "missing: %s", names);
    }
    if (seen & ~(required | optional)) {
        list_scenarios(seen & ~(required | optional), names, sizeof(names));
        judge_add(j, RULE_SCENARIO, where, "remove it", "%s: not a scenario of %s here", names,
                  p->model->name);
    }
    if (optional && !(seen & optional))
        judge_add(j, RULE_SCENARIO, where, mend, "one of Interactive and Server is missing");
}

static void find_model(struct judge *j, struct place *p, const char *where)
{
    p->model = submit_model_find(j->round, tree_text(p->mapping, p->benchmark, p->benchmark));
    if (!p->model)
        judge_add(j, RULE_MODEL, where,
                  p->closed ? "submit it in a round that has it"
                            : "name its benchmark in open/SUBMITTER/model_mapping.json",
                  "round %s has no benchmark '%s'", j->round->name, p->benchmark);
}

static void check_benchmark(struct judge *j, struct place *p, const char *system_dir)
{
    char where[JUDGE_PATH];
    json_t *names, *name;
    unsigned seen = 0;
    size_t i;

    judge_join(where, system_dir, p->benchmark);
    find_model(j, p, where);
    names = judge_list(j, where, true);
    json_array_foreach(names, i, name)
    {
        p->scenario = json_string_value(name);
        p->number = scenario_number(p->scenario);
        set_paths(j, p, where);
        if (p->number < 0) {
            judge_add(j, RULE_LAYOUT, p->results, "rename it, or remove it",
                      "'%s' is no scenario (SingleStream, MultiStream, Server, Offline, "
                      "Interactive)",
                      p->scenario);
            continue;
        }
        seen |= 1u << p->number;
        check_result(j, p);
    }
    json_decref(names);
    if (p->closed && p->model && p->category)
        check_scenarios(j, p, where, seen);
    if (!seen)
        judge_add(j, RULE_NO_RESULTS, where, "remove it, or add results", "holds no result");
}

/* ---- one submitter ---- */

static void check_results_of(struct judge *j, struct place *p, const char *results)
{
    json_t *names, *name;
    char where[JUDGE_PATH];
    size_t i;

    j->systems++;
    p->category = 0;
    judge_system(j, p);
    judge_join(where, results, p->system);
    names = judge_list(j, where, true);
    json_array_foreach(names, i, name)
    {
        p->benchmark = json_string_value(name);
        check_benchmark(j, p, where);
    }
    if (!json_array_size(names))
        judge_add(j, RULE_NO_RESULTS, where, "remove it, or add results", "holds no result");
    json_decref(names);
    json_decref(p->described);
    p->described = NULL;
}

/* Descriptions of systems that have no results. */
static void check_descriptions(struct judge *j, const char *submitter, const char *results)
{
    char dir[JUDGE_PATH], where[JUDGE_PATH], system[300];
    json_t *names, *name;
    size_t i, n;

    judge_join(dir, submitter, "systems");
    names = judge_list(j, dir, false);
    json_array_foreach(names, i, name)
    {
        n = strlen(json_string_value(name));
        if (n <= 5 || strcmp(json_string_value(name) + n - 5, ".json"))
            continue;
        snprintf(system, sizeof(system), "%.*s", (int)(n - 5), json_string_value(name));
        judge_join(where, results, system);
        if (!judge_there(j, where)) {
            judge_join(where, dir, json_string_value(name));
            judge_add(j, RULE_NO_RESULTS, where, "remove it, or add results",
                      "describes a system that has no results");
        }
    }
    json_decref(names);
}

static void check_source(struct judge *j, const char *submitter)
{
    char where[JUDGE_PATH];
    json_t *files, *folders;

    judge_join(where, submitter, j->round->source);
    files = judge_list(j, where, false);
    folders = judge_list(j, where, true);
    if (!judge_there(j, where))
        judge_add(j, RULE_SOURCE, where, "assay submit writes it", "the folder %s is missing",
                  j->round->source);
    else if (!json_array_size(files) && !json_array_size(folders))
        judge_add_as(j, RULE_SOURCE, false, where,
                     "put the code there, or a text that says where it is",
                     "the folder %s is empty", j->round->source);
    json_decref(files);
    json_decref(folders);
}

/* An open submitter may give models names of their own. */
static json_t *read_mapping(struct judge *j, const struct place *p, const char *submitter)
{
    char where[JUDGE_PATH];

    judge_join(where, submitter, "model_mapping.json");
    if (p->closed || !judge_there(j, where))
        return NULL;
    return judge_json(j, where, RULE_MODEL, "write {\"own name\": \"official name\"}");
}

static void check_submitter(struct judge *j, struct place *p)
{
    char where[JUDGE_PATH], results[JUDGE_PATH];
    json_t *names, *name;
    size_t i;

    judge_join(where, p->division, p->submitter);
    judge_join(results, where, "results");
    check_source(j, where);
    check_descriptions(j, where, results);
    p->mapping = read_mapping(j, p, where);
    names = judge_list(j, results, true);
    json_array_foreach(names, i, name)
    {
        p->system = json_string_value(name);
        check_results_of(j, p, results);
    }
    if (!json_array_size(names))
        judge_add(j, RULE_NO_RESULTS, results, "add results: assay submit", "holds no result");
    json_decref(names);
    json_decref(p->mapping);
    p->mapping = NULL;
}

/* ---- the tree ---- */

static void check_division(struct judge *j, const char *division)
{
    struct place p = {.division = division};
    json_t *names = judge_list(j, division, true), *name;
    size_t i;

    p.network = !strcmp(division, "network");
    p.closed = p.network || !strcmp(division, "closed");
    json_array_foreach(names, i, name)
    {
        p.submitter = json_string_value(name);
        check_submitter(j, &p);
    }
    json_decref(names);
}

static const char *const divisions[] = {"closed", "open", "network"};
#define DIVISIONS (sizeof(divisions) / sizeof(divisions[0]))

static bool is_division(const char *name)
{
    for (size_t i = 0; i < DIVISIONS; i++)
        if (!strcmp(divisions[i], name))
            return true;
    return false;
}

/* Links and files that are too large, wherever they lie. */
static void check_entries(struct judge *j, const char *where, int depth)
{
    char path[JUDGE_PATH], full[2 * JUDGE_PATH];
    struct dirent *e;
    struct stat st;
    DIR *d;

    judge_full(j, where, full);
    d = opendir(full);
    while (d && (e = readdir(d))) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || !strcmp(e->d_name, ".git"))
            continue;
        judge_join(path, where, e->d_name);
        judge_full(j, path, full);
        if (!path[0] || lstat(full, &st))
            continue;
        if (S_ISLNK(st.st_mode))
            judge_add(j, RULE_LINK, path, "put the file itself there", "is a link");
        else if (S_ISREG(st.st_mode) && st.st_size > MAX_BYTES)
            judge_add(j, RULE_SIZE, path, "remove it, or shorten it", "is %lld MiB large",
                      (long long)st.st_size >> 20);
        else if (S_ISDIR(st.st_mode) && depth < MAX_DEPTH)
            check_entries(j, path, depth + 1);
        else if (S_ISDIR(st.st_mode))
            judge_add(j, RULE_LAYOUT, path, "remove it", "lies too deep: nothing looks there");
    }
    if (d)
        closedir(d);
}

static void check_root(struct judge *j)
{
    json_t *names = judge_list(j, "", true), *name;
    size_t i;

    json_array_foreach(names, i, name)
    {
        if (is_division(json_string_value(name))) {
            check_division(j, json_string_value(name));
            check_entries(j, json_string_value(name), 0);
        } else {
            judge_note(j, "%s: not looked at, it is no division", json_string_value(name));
        }
    }
    json_decref(names);
}

/* ---- the round ---- */

/* The first detail log below a folder; NULL: none. */
static char *first_log(const char *dir, int depth)
{
    char *path = file_join(dir, "mlperf_log_detail.txt"), *found = NULL;
    struct dirent *e;
    struct stat st;
    DIR *d;

    if (path && file_exists(path))
        return path;
    free(path);
    d = depth < MAX_DEPTH ? opendir(dir) : NULL;
    while (d && !found && (e = readdir(d))) {
        path = e->d_name[0] == '.' ? NULL : file_join(dir, e->d_name);
        if (path && !lstat(path, &st) && S_ISDIR(st.st_mode))
            found = first_log(path, depth + 1);
        free(path);
    }
    if (d)
        closedir(d);
    return found;
}

static const struct submit_round *round_by_logs(const char *root)
{
    const struct submit_round *round = NULL;
    char *path = NULL, *dir;
    struct detail d = {0};
    uint64_t seed;

    for (size_t i = 0; i < DIVISIONS && !path; i++) {
        dir = file_join(root, divisions[i]);
        path = dir ? first_log(dir, 0) : NULL;
        free(dir);
    }
    if (path && !detail_read(path, &d, NULL)) {
        if (detail_u64(&d, "effective_qsl_rng_seed", &seed))
            round = submit_round_by_seed(seed);
        detail_release(&d);
    }
    free(path);
    return round;
}

static int choose_round(struct judge *j, const char *wanted, const char **from,
                        struct assay_err *err)
{
    *from = "given";
    j->round = submit_round_find(wanted);
    if (wanted && !j->round)
        return assay_fail(err, ASSAY_EUSAGE, "round '%s' is not known here (v6.1, v6.0, v5.1)",
                          wanted);
    if (!j->round) {
        *from = "by the logs' seeds";
        j->round = round_by_logs(j->root);
    }
    if (!j->round) {
        *from = "the newest";
        j->round = submit_rounds;
    }
    return ASSAY_OK;
}

/* A wrong folder must not send us through a whole disk. */
static int check_is_tree(const char *tree, struct assay_err *err)
{
    bool found = false;
    char *dir;

    if (!file_is_dir(tree))
        return assay_fail(err, ASSAY_EUSAGE, "%s: is no folder", tree);
    for (size_t i = 0; i < DIVISIONS && !found; i++) {
        dir = file_join(tree, divisions[i]);
        found = dir && file_is_dir(dir);
        free(dir);
    }
    return found ? ASSAY_OK
                 : assay_fail(err, ASSAY_EUSAGE,
                              "%s: is no submission tree (it has none of the folders closed, open, "
                              "network); give the folder above them",
                              tree);
}

int submit_check(const char *tree, const struct submit_check_ask *ask, json_t **report,
                 struct assay_err *err)
{
    struct judge j = {.root = tree, .min_duration_ms = SUBMIT_MIN_DURATION_MS};
    const char *from;
    int rc = check_is_tree(tree, err);

    if (ask->min_duration_ms > 0)
        j.min_duration_ms = ask->min_duration_ms;
    if (!rc)
        rc = choose_round(&j, ask->round, &from, err);
    if (rc)
        return rc;
    j.findings = json_array();
    j.notes = json_array();
    check_root(&j);
    if (j.min_duration_ms < SUBMIT_MIN_DURATION_MS)
        judge_add(&j, RULE_REHEARSAL, "", "leave out --min-duration-ms",
                  "judged with %.0f ms in the place of the round's %d ms", j.min_duration_ms,
                  SUBMIT_MIN_DURATION_MS);
    if (j.omitted)
        judge_note(&j, "%zu more findings are not listed: mend these first", j.omitted);
    if (j.failed)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: not enough memory to judge it", tree);
    if (!rc)
        *report =
            json_pack("{s:s, s:s, s:s, s:I, s:I, s:O, s:O}", "tree", tree, "round", j.round->name,
                      "round_from", from, "results", (json_int_t)j.results, "systems",
                      (json_int_t)j.systems, "findings", j.findings, "notes", j.notes);
    if (!rc && !*report)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: the path is not UTF-8", tree);
    json_decref(j.findings);
    json_decref(j.notes);
    return rc;
}

/* The submission tree of a plan.
 *
 * LoadGen's files are copied byte for byte, accuracy logs shortened as the rules want: the first
 * and the last 4 KiB around three dots, and the hash of the whole in accuracy.txt.  Everything else
 * is written from the records and from what the submitter declared; what nobody said stays empty,
 * and the check of the tree names it.  A rehearsal fills such fields with placeholders, and lists
 * them: it is to show that everything is in its place. */
#include "submit/build.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/tree.h"
#include "load/detail.h"
#include "submit/accuracy.h"
#include "submit/system.h"
#include "submit/tests.h"

#define VIEWABLE  4096
#define REHEARSAL "REHEARSAL-" /* before the system's folder name */
#define MAX_LOG   ((size_t)1 << 33)

struct build {
    const struct submit_plan *p;
    const json_t *facts;
    const struct submit_scorer *scorer;
    json_t *placeholders; /* names of fields that a rehearsal filled */
    const char *out;      /* the folder that is being written */
    char system[200];
    char base[1200]; /* out/division/submitter */
    struct assay_err *err;
};

/* ---- writing ---- */

/* Makes the folders of "dir/name" and gives the path. */
static int path_for(const struct build *b, const char *dir, const char *name, char path[2048])
{
    int rc = file_make_dirs(dir, b->err);

    if (!rc && snprintf(path, 2048, "%s/%s", dir, name) >= 2048)
        rc = assay_fail(b->err, ASSAY_EFAIL, "%s: the path is too long", dir);
    return rc;
}

static int write_text(const struct build *b, const char *dir, const char *name,
                      const struct text *text)
{
    char path[2048];
    int rc = path_for(b, dir, name, path);

    if (!rc && text->cut)
        rc = assay_fail(b->err, ASSAY_EFAIL, "%s: its text is too long", path);
    return rc ? rc : file_write_whole(path, text->s, text->len, b->err);
}

static int write_json(const struct build *b, const char *dir, const char *name, const json_t *tree)
{
    char path[2048];
    int rc = path_for(b, dir, name, path);

    return rc ? rc : tree_write_json(path, tree, b->err);
}

/* A file of a record, whole and as it was when the record was made. */
static int read_file(const struct build *b, const json_t *record, const char *name, char **data,
                     size_t *len)
{
    const json_t *file = json_object_get(json_object_get(record, "files"), name);
    const char *folder = tree_text(record, "folder", ""), *want = tree_text(file, "sha256", NULL);
    char path[2048], hex[HASH_HEX];
    int rc;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (!want)
        return assay_fail(b->err, ASSAY_EFAIL, "record %s has no %s", tree_text(record, "id", "?"),
                          name);
    rc = file_read(path, MAX_LOG, data, len, b->err);
    if (rc)
        return rc;
    hash_bytes(*data, *len, hex);
    if (!strcmp(hex, want))
        return ASSAY_OK;
    free(*data);
    *data = NULL;
    return assay_fail(b->err, ASSAY_EFAIL,
                      "%s: was changed since the record was made (its hash is another)", path);
}

static int copy_file(const struct build *b, const json_t *record, const char *name, const char *dir)
{
    char path[2048], *data = NULL;
    size_t len;
    int rc = read_file(b, record, name, &data, &len);

    if (!rc)
        rc = path_for(b, dir, name, path);
    if (!rc)
        rc = file_write_whole(path, data, len, b->err);
    free(data);
    return rc;
}

static int copy_logs(const struct build *b, const json_t *record, const char *dir)
{
    int rc = copy_file(b, record, "mlperf_log_detail.txt", dir);

    return rc ? rc : copy_file(b, record, "mlperf_log_summary.txt", dir);
}

/* The accuracy log, shortened if it is long, and accuracy.txt with the hash of the whole. */
static int write_accuracy(const struct build *b, const json_t *record, const char *dir,
                          const char *line)
{
    static const char name[] = "mlperf_log_accuracy.json";
    char *data = NULL;
    struct text log, says;
    size_t len;
    int rc = read_file(b, record, name, &data, &len);

    if (rc)
        return rc;
    text_init(&log, 4 * VIEWABLE);
    text_init(&says, 2048);
    if (len <= SUBMIT_MAX_ACCURACY_LOG) {
        text_addn(&log, data, len);
    } else {
        text_addn(&log, data, VIEWABLE);
        text_add(&log, "\n\n...\n\n");
        text_addn(&log, data + len - VIEWABLE, VIEWABLE);
    }
    if (line)
        text_addf(&says, "%s\n", line);
    text_addf(&says, "hash=%s\n",
              tree_text(json_object_get(json_object_get(record, "files"), name), "sha256", ""));
    rc = write_text(b, dir, name, &log);
    if (!rc)
        rc = write_text(b, dir, "accuracy.txt", &says);
    text_release(&log);
    text_release(&says);
    free(data);
    return rc;
}

/* ---- what is said ---- */

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

/* The strictest of the benchmark's models whose target the accuracy reaches, else the first:
 * bert-99.9 and bert-99 are one run. */
static const struct submit_model *model_reached(const struct build *b, const char *benchmark)
{
    const struct submit_model *m, *best = submit_model_of(b->p->round, benchmark, 0);
    char why[200];

    for (size_t n = 1; (m = submit_model_of(b->p->round, benchmark, n)); n++) {
        bool all = true;

        for (size_t i = 0; i < b->p->count && all; i++) {
            const struct submit_slot *s = &b->p->slots[i];
            const char *line = tree_text(json_object_get(s->record, "accuracy"), "line", "");
            struct submit_accuracy a;

            if (s->kind != SUBMIT_ACCURACY || strcmp(s->benchmark, benchmark))
                continue;
            submit_accuracy_parse(line, strlen(line), m->metrics, &a);
            all = submit_accuracy_reached(m->metrics, &a, why, sizeof(why));
        }
        if (all)
            best = m;
    }
    return best;
}

/* The folder's name: resnet50 is what submitters call resnet. */
static const char *folder_name(const struct submit_model *m)
{
    return !strcmp(m->name, "resnet") ? "resnet50" : m->name;
}

static const char *fact(const json_t *facts, const char *name)
{
    const json_t *f = json_object_get(facts, name);
    const json_t *v = json_object_get(f, "declared");

    return json_string_value(v ? v : json_object_get(f, "value"));
}

static const char *said(const struct build *b, const char *benchmark, const char *field)
{
    char name[100];
    const char *own;

    snprintf(name, sizeof(name), "%s.%s", benchmark, field);
    own = fact(b->facts, name);
    return own ? own : fact(b->facts, field);
}

/* A field of the submitter's; of a rehearsal there is always something. */
static const char *or_placeholder(const struct build *b, const char *field, const char *value,
                                  const char *placeholder)
{
    size_t i;
    json_t *name;

    if ((value && *value) || !b->p->ask.rehearsal)
        return value ? value : "";
    json_array_foreach(b->placeholders, i, name)
    {
        if (!strcmp(json_string_value(name), field))
            return placeholder;
    }
    json_array_append_new(b->placeholders, json_string(field));
    return placeholder;
}

static const char *weights_name(const json_t *record)
{
    const json_t *model = json_object_get(record, "model");
    const char *path = tree_text(model, "path", NULL);

    return path ? file_base(path) : tree_text(model, "name", "");
}

static int write_measurements(const struct build *b, const struct submit_slot *slot,
                              const char *dir)
{
    static const char unknown[] = "not declared (rehearsal)";
    const json_t *model = json_object_get(slot->record, "model");
    const char *types = said(b, slot->benchmark, "weight_data_types");
    char name[400] = "measurements.json";
    json_t *tree =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "input_data_types",
                  or_placeholder(b, "input_data_types",
                                 said(b, slot->benchmark, "input_data_types"), unknown),
                  "retraining",
                  or_placeholder(b, "retraining", said(b, slot->benchmark, "retraining"), unknown),
                  "starting_weights_filename", weights_name(slot->record), "weight_data_types",
                  types ? types : tree_text(model, "precision", ""), "weight_transformations",
                  or_placeholder(b, "weight_transformations",
                                 said(b, slot->benchmark, "weight_transformations"), unknown),
                  "assay_record", tree_text(slot->record, "id", ""));
    int rc;

    if (!b->p->round->in_results)
        snprintf(name, sizeof(name), "%s_assay_%s.json", b->system,
                 settings_scenario_names[slot->scenario]);
    rc = tree ? write_json(b, dir, name, tree)
              : assay_fail(b->err, ASSAY_EFAIL, "%s: a declared value is not UTF-8", name);
    json_decref(tree);
    return rc;
}

static void add_rehearsal(const struct build *b, struct text *t)
{
    if (b->p->ask.rehearsal)
        text_add(t, "**This is a rehearsal, not a submission**: its runs may be short, and its "
                    "weights and samples made up.\n\n");
}

static void add_parts(const json_t *record, struct text *t)
{
    const json_t *model = json_object_get(record, "model");
    const json_t *engine = json_object_get(record, "engine");
    const json_t *dataset = json_object_get(record, "dataset");

    text_addf(t, "- model: %s, %s, SHA-256 %s\n", weights_name(record),
              tree_text(model, "precision", "?"), tree_text(model, "sha256", "none"));
    text_addf(t, "- engine: %s %s on %s\n", tree_text(engine, "name", "?"),
              tree_text(engine, "version", ""), tree_text(engine, "device", "?"));
    text_addf(t, "- data set: %s, hash %s; %s\n", tree_text(dataset, "name", "?"),
              tree_text(dataset, "hash", "none"), tree_text(dataset, "preprocess", ""));
    text_addf(t, "- LoadGen %s\n", tree_text(json_object_get(record, "loadgen"), "version", "?"));
}

/* How the result was made, and the command that makes it again. */
static int write_readme(const struct build *b, const struct submit_slot *slot, const char *dir)
{
    const json_t *command = json_object_get(slot->record, "command"), *word;
    struct settings s;
    struct text t;
    size_t i;
    int rc;

    text_init(&t, 1u << 16);
    text_addf(&t, "# %s, %s\n\n", folder_name(slot->model),
              settings_scenario_names[slot->scenario]);
    add_rehearsal(b, &t);
    text_addf(&t, "Measured with Assay %s, record %s of %s.\n\n",
              tree_text(json_object_get(slot->record, "assay"), "version", "?"),
              tree_text(slot->record, "id", "?"), tree_text(slot->record, "created", "?"));
    add_parts(slot->record, &t);
    text_add(&t, "\nThe command of the performance run:\n\n   ");
    json_array_foreach(command, i, word)
    {
        text_addf(&t, " %s", json_string_value(word));
    }
    if (!submit_slot_settings(b->p, slot, NULL, &s, b->err)) {
        text_add(&t, "\n\nThe same with every setting named:\n\n    ");
        submit_settings_command(&s, &t);
        settings_release(&s);
    }
    text_add(&t, "\n");
    rc = write_text(b, dir, "README.md", &t);
    text_release(&t);
    return rc;
}

/* ---- the parts of a result ---- */

static void place(const struct build *b, const char *top, const struct submit_slot *slot,
                  char out[2048])
{
    snprintf(out, 2048, "%s/%s/%s/%s/%s", b->base, top, b->system, folder_name(slot->model),
             settings_scenario_names[slot->scenario]);
}

static int write_performance(const struct build *b, const struct submit_slot *slot)
{
    char dir[2048], run[2100];
    int rc;

    place(b, "results", slot, dir);
    snprintf(run, sizeof(run), "%s/performance/run_1", dir);
    rc = copy_logs(b, slot->record, run);
    if (!b->p->round->in_results)
        place(b, "measurements", slot, dir);
    if (!rc)
        rc = write_measurements(b, slot, dir);
    if (!rc)
        rc = copy_file(b, slot->record, "user.conf", dir);
    return rc ? rc : write_readme(b, slot, dir);
}

static int write_accuracy_run(const struct build *b, const struct submit_slot *slot)
{
    const json_t *accuracy = json_object_get(slot->record, "accuracy");
    char dir[2048], run[2100];
    int rc;

    place(b, "results", slot, dir);
    snprintf(run, sizeof(run), "%s/accuracy", dir);
    rc = copy_logs(b, slot->record, run);
    return rc ? rc : write_accuracy(b, slot->record, run, tree_text(accuracy, "line", ""));
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
        rc = write_text(b, dir, "verify_performance.txt", &t);
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
    int rc = read_file(b, record, "mlperf_log_accuracy.json", &data, &len);

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
    rc = write_text(b, dir, name, &t);
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
        rc = write_text(b, dir, "verify_accuracy.txt", &t);
        text_release(&t);
        if (!rc && r.different)
            rc = write_accuracies(b, slot, &reference, &log, dir);
    }
    accuracy_log_release(&reference);
    accuracy_log_release(&log);
    return rc;
}

static int write_test(const struct build *b, const struct submit_slot *slot)
{
    char dir[2048], test[2100], part[2200];
    int rc;

    place(b, b->p->round->in_results ? "results" : "compliance", slot, dir);
    snprintf(test, sizeof(test), "%s/TEST%02d", dir, slot->test);
    snprintf(part, sizeof(part), "%s/performance/run_1", test);
    rc = copy_logs(b, slot->record, part);
    if (!rc)
        rc = write_comparison(b, slot, test);
    if (rc || slot->test != 1)
        return rc;
    rc = write_responses(b, slot, test);
    snprintf(part, sizeof(part), "%s/accuracy", test);
    return rc ? rc : write_accuracy(b, slot->record, part, NULL);
}

static int write_slot(const struct build *b, const struct submit_slot *slot)
{
    if (!slot->record)
        return ASSAY_OK;
    return slot->kind == SUBMIT_PERFORMANCE ? write_performance(b, slot)
           : slot->kind == SUBMIT_ACCURACY  ? write_accuracy_run(b, slot)
                                            : write_test(b, slot);
}

/* ---- the system, the code ---- */

static void framework_of(const struct build *b, char out[300])
{
    const json_t *engine = json_object_get(json_array_get(b->p->records, 0), "engine");
    const char *version = tree_text(engine, "version", "");

    snprintf(out, 300, "%s%s%s, Assay %s", tree_text(engine, "name", "?"), *version ? " " : "",
             version, ASSAY_VERSION);
}

void submit_system_name(const struct submit_plan *p, const json_t *facts, char out[200])
{
    const json_t *engine = json_object_get(json_array_get(p->records, 0), "engine");
    const char *name = fact(facts, "system_name"), *processor = fact(facts, "processor");
    char text[400];

    if (name)
        snprintf(text, sizeof(text), "%s%.300s", p->ask.rehearsal ? REHEARSAL : "", name);
    else
        snprintf(text, sizeof(text), "%s%.200s-%.80s", p->ask.rehearsal ? REHEARSAL : "",
                 processor ? processor : "unknown-processor", tree_text(engine, "name", "?"));
    submit_slug(text, out, 200);
}

/* Placeholders that the official checker's readers take; for all other fields words will do. */
static const char *const placeholders[][2] = {
    {"status", "rdi"}, {"number_of_nodes", "1"}, {"accelerators_per_node", "0"}};

static void fill_rehearsal(const struct build *b, json_t *description)
{
    char *list, name[300];

    for (const struct submit_field *f = submit_fields; f->name; f++) {
        const char *word = "not declared (rehearsal)";

        for (size_t i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]); i++)
            if (!strcmp(placeholders[i][0], f->name))
                word = placeholders[i][1];
        if (f->meaningful && json_object_get(description, f->name))
            json_object_set_new(
                description, f->name,
                json_string(or_placeholder(
                    b, f->name, json_string_value(json_object_get(description, f->name)), word)));
    }
    snprintf(name, sizeof(name), "REHEARSAL: %s",
             fact(b->facts, "system_name") ? fact(b->facts, "system_name")
                                           : b->system + strlen(REHEARSAL));
    json_object_set_new(description, "system_name", json_string(name));
    list = json_dumps(b->placeholders, JSON_COMPACT);
    json_object_set_new(description, "sw_notes",
                        json_sprintf("This is a rehearsal, not a submission. Placeholders stand in "
                                     "the fields %s.",
                                     list ? list : "?"));
    free(list);
}

static int write_system(const struct build *b)
{
    char dir[1300], name[240], framework[300];
    struct submit_who who = {.division = b->p->ask.division,
                             .submitter = b->p->ask.submitter,
                             .system_type = b->p->ask.category,
                             .framework = framework,
                             .nodes = b->p->network ? NULL : "1",
                             .network = b->p->network};
    json_t *description, *sources;
    int rc;

    framework_of(b, framework);
    rc = submit_describe(b->facts, &who, &description, &sources, b->err);
    if (rc)
        return rc;
    if (!*tree_text(description, "system_name", "") && !b->p->ask.rehearsal)
        json_object_set_new(description, "system_name", json_string(b->system));
    if (b->p->ask.rehearsal)
        fill_rehearsal(b, description);
    snprintf(dir, sizeof(dir), "%s/systems", b->base);
    snprintf(name, sizeof(name), "%s.json", b->system);
    rc = write_json(b, dir, name, description);
    json_decref(description);
    json_decref(sources);
    return rc;
}

/* What was measured, for who looks for the code. */
static int write_source(const struct build *b, const struct submit_slot *slot)
{
    char dir[1500];
    struct text t;
    int rc;

    snprintf(dir, sizeof(dir), "%s/%s/%s", b->base, b->p->round->source, folder_name(slot->model));
    text_init(&t, 1u << 16);
    text_addf(&t, "# The code of %s\n\n", folder_name(slot->model));
    add_rehearsal(b, &t);
    text_addf(&t,
              "The system under test is Assay %s, a harness in C over the official LoadGen "
              "(program SHA-256 %s), with these parts:\n\n",
              tree_text(json_object_get(slot->record, "assay"), "version", "?"),
              tree_text(json_object_get(slot->record, "assay"), "sha256", "unknown"));
    add_parts(slot->record, &t);
    text_add(&t, "\nThe README.md of each result gives its command.\n");
    rc = write_text(b, dir, "README.md", &t);
    text_release(&t);
    return rc;
}

static int write_all(struct build *b)
{
    int rc = file_make_dirs(b->base, b->err);

    for (size_t i = 0; i < b->p->count && !rc; i++)
        b->p->slots[i].model = model_reached(b, b->p->slots[i].benchmark);
    for (size_t i = 0; i < b->p->count && !rc; i++) {
        rc = write_slot(b, &b->p->slots[i]);
        if (!rc && b->p->slots[i].record && b->p->slots[i].kind == SUBMIT_PERFORMANCE)
            rc = write_source(b, &b->p->slots[i]);
    }
    return rc ? rc : write_system(b); /* last: it lists the placeholders of all */
}

int submit_build(const struct submit_plan *p, const json_t *facts,
                 const struct submit_scorer *scorer, const char *out, struct assay_err *err)
{
    char temp[1100];
    struct build b = {.p = p, .facts = facts, .scorer = scorer, .out = temp, .err = err};
    int rc;

    if (file_exists(out))
        return assay_fail(err, ASSAY_EUSAGE,
                          "--out: %s is there already; remove it, or choose another folder", out);
    if (strlen(out) > 900 || !*out)
        return assay_fail(err, ASSAY_EUSAGE, "--out: not a usable path");
    snprintf(temp, sizeof(temp), "%s.tmp.%ld", out, (long)getpid());
    if (snprintf(b.base, sizeof(b.base), "%s/%s/%.60s", temp, p->ask.division, p->ask.submitter) >=
        (int)sizeof(b.base))
        return assay_fail(err, ASSAY_EUSAGE, "--out: the path is too long");
    submit_system_name(p, facts, b.system);
    b.placeholders = json_array();
    rc = write_all(&b);
    if (!rc && rename(temp, out))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be put in place", out);
    if (rc)
        file_remove_tree(temp, NULL);
    json_decref(b.placeholders);
    return rc;
}

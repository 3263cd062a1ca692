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
#include "base/tree.h"
#include "submit/accuracy.h"
#include "submit/building.h"
#include "submit/system.h"

#define REHEARSAL "REHEARSAL-" /* before the system's folder name */

/* ---- what is said ---- */

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

const char *build_folder(const struct submit_model *m)
{
    return !strcmp(m->name, "resnet") ? "resnet50" : m->name;
}

#define NUMBER 32

/* number: the place of the text of one, for YAML makes numbers of `4` and booleans of `false`. */
static const char *fact(const json_t *facts, const char *name, char number[NUMBER])
{
    const json_t *f = json_object_get(facts, name);
    const json_t *v = json_object_get(f, "declared");

    v = v ? v : json_object_get(f, "value");
    if (json_is_boolean(v))
        return json_is_true(v) ? "true" : "false";
    if (!json_is_number(v))
        return json_string_value(v);
    snprintf(number, NUMBER, "%.15g", json_number_value(v));
    return number;
}

static const char *said(const struct build *b, const char *benchmark, const char *field,
                        char number[NUMBER])
{
    char name[100];
    const char *own;

    snprintf(name, sizeof(name), "%s.%s", benchmark, field);
    own = fact(b->facts, name, number);
    return own ? own : fact(b->facts, field, number);
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
    char name[400] = "measurements.json", number[4][NUMBER];
    const char *types = said(b, slot->benchmark, "weight_data_types", number[0]);
    json_t *tree = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s}", "input_data_types",
        or_placeholder(b, "input_data_types",
                       said(b, slot->benchmark, "input_data_types", number[1]), unknown),
        "retraining",
        or_placeholder(b, "retraining", said(b, slot->benchmark, "retraining", number[2]), unknown),
        "starting_weights_filename", weights_name(slot->record), "weight_data_types",
        types ? types : tree_text(model, "precision", ""), "weight_transformations",
        or_placeholder(b, "weight_transformations",
                       said(b, slot->benchmark, "weight_transformations", number[3]), unknown),
        "assay_record", tree_text(slot->record, "id", ""));
    int rc;

    if (!b->p->round->in_results)
        snprintf(name, sizeof(name), "%s_assay_%s.json", b->system,
                 settings_scenario_names[slot->scenario]);
    rc = tree ? build_json(b, dir, name, tree)
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
    text_addf(&t, "# %s, %s\n\n", build_folder(slot->model),
              settings_scenario_names[slot->scenario]);
    add_rehearsal(b, &t);
    text_addf(&t, "Measured with Assay %s, record %s of %s.\n\n",
              tree_text(json_object_get(slot->record, "assay"), "version", "?"),
              tree_text(slot->record, "id", "?"), tree_text(slot->record, "created", "?"));
    add_parts(slot->record, &t);
    text_add(&t, "\nThe command of the performance run:\n\n   ");
    json_array_foreach(command, i, word)
    {
        text_add(&t, " ");
        text_add_word(&t, json_is_string(word) ? json_string_value(word) : "?");
    }
    if (!submit_record_settings(b->p, slot, &s, b->err)) {
        text_add(&t,
                 "\n\nThe same with every setting named, also what it found for itself:\n\n    ");
        submit_settings_command(&s, &t);
        settings_release(&s);
    }
    text_add(&t, "\n");
    rc = build_text(b, dir, "README.md", &t);
    text_release(&t);
    return rc;
}

/* ---- the parts of a result ---- */

void build_place(const struct build *b, const char *top, const struct submit_slot *slot,
                 char out[2048])
{
    snprintf(out, 2048, "%s/%s/%s/%s/%s", b->base, top, b->system, build_folder(slot->model),
             settings_scenario_names[slot->scenario]);
}

static int write_performance(const struct build *b, const struct submit_slot *slot)
{
    char dir[2048], run[2100];
    int rc;

    build_place(b, "results", slot, dir);
    snprintf(run, sizeof(run), "%s/performance/run_1", dir);
    rc = build_logs(b, slot->record, run);
    if (!b->p->round->in_results)
        build_place(b, "measurements", slot, dir);
    if (!rc)
        rc = write_measurements(b, slot, dir);
    if (!rc)
        rc = build_copy(b, slot->record, "user.conf", dir);
    return rc ? rc : write_readme(b, slot, dir);
}

static int write_accuracy_run(const struct build *b, const struct submit_slot *slot)
{
    const json_t *accuracy = json_object_get(slot->record, "accuracy");
    char dir[2048], run[2100];
    int rc;

    build_place(b, "results", slot, dir);
    snprintf(run, sizeof(run), "%s/accuracy", dir);
    rc = build_logs(b, slot->record, run);
    return rc ? rc : build_cut_log(b, slot->record, run, tree_text(accuracy, "line", ""));
}

static int write_slot(const struct build *b, const struct submit_slot *slot)
{
    if (!slot->record)
        return ASSAY_OK;
    return slot->kind == SUBMIT_PERFORMANCE ? write_performance(b, slot)
           : slot->kind == SUBMIT_ACCURACY  ? write_accuracy_run(b, slot)
                                            : build_test(b, slot);
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
    char text[400], number[2][NUMBER];
    const char *name = fact(facts, "system_name", number[0]);
    const char *processor = fact(facts, "processor", number[1]);

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
    char *list, name[300], number[NUMBER];
    const char *own = fact(b->facts, "system_name", number);

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
    snprintf(name, sizeof(name), "REHEARSAL: %s", own ? own : b->system + strlen(REHEARSAL));
    json_object_set_new(description, "system_name", json_string(name));
    list = json_dumps(b->placeholders, JSON_COMPACT);
    json_object_set_new(description, "sw_notes",
                        json_sprintf("This is a rehearsal, not a submission. Placeholders stand in "
                                     "the fields %s.",
                                     list ? list : "?"));
    free(list);
}

/* What the records' device used of the machine's accelerators; NULL: that is not known. */
static const char *accelerators_of(const struct build *b)
{
    const json_t *engine = json_object_get(json_array_get(b->p->records, 0), "engine");
    const char *device = tree_text(engine, "device", "");

    return !strcmp(device, "cpu") ? "0" : !strncmp(device, "cuda", 4) ? "1" : NULL;
}

static int write_system(const struct build *b)
{
    char dir[1300], name[240], framework[300];
    struct submit_who who = {.division = b->p->ask.division,
                             .submitter = b->p->ask.submitter,
                             .system_type = b->p->ask.category,
                             .framework = framework,
                             .nodes = b->p->network ? NULL : "1",
                             .accelerators = accelerators_of(b),
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
    rc = build_json(b, dir, name, description);
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

    snprintf(dir, sizeof(dir), "%s/%s/%s", b->base, b->p->round->source, build_folder(slot->model));
    text_init(&t, 1u << 16);
    text_addf(&t, "# The code of %s\n\n", build_folder(slot->model));
    add_rehearsal(b, &t);
    text_addf(&t,
              "The system under test is Assay %s, a harness in C over the official LoadGen "
              "(program SHA-256 %s), with these parts:\n\n",
              tree_text(json_object_get(slot->record, "assay"), "version", "?"),
              tree_text(json_object_get(slot->record, "assay"), "sha256", "unknown"));
    add_parts(slot->record, &t);
    text_add(&t, "\nThe README.md of each result gives its command.\n");
    rc = build_text(b, dir, "README.md", &t);
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

static int temporary(const char *out, char temp[1100], struct assay_err *err)
{
    if (file_exists(out))
        return assay_fail(err, ASSAY_EUSAGE,
                          "--out: %s is there already; remove it, or choose another folder", out);
    if (strlen(out) > 900 || !*out)
        return assay_fail(err, ASSAY_EUSAGE, "--out: not a usable path");
    snprintf(temp, 1100, "%s.tmp.%ld", out, (long)getpid());
    return ASSAY_OK;
}

int submit_build_try(const char *out, struct assay_err *err)
{
    char temp[1100];
    struct assay_err why;
    int rc = temporary(out, temp, err);

    if (rc)
        return rc;
    rc = file_make_dirs(temp, &why);
    file_remove_tree(temp, NULL);
    return rc ? assay_fail(err, ASSAY_EUSAGE, "--out: no tree can be written there: %.400s",
                           why.text)
              : ASSAY_OK;
}

int submit_build(const struct submit_plan *p, const json_t *facts,
                 const struct submit_scorer *scorer, const char *out, struct assay_err *err)
{
    char temp[1100];
    struct build b = {.p = p, .facts = facts, .scorer = scorer, .out = temp, .err = err};
    int rc = temporary(out, temp, err);

    if (rc)
        return rc;
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

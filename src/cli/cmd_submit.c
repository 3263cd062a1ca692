/* assay submit: from records to a submission tree, with a checklist.
 *
 *   records -> plan -> runs that are missing -> tree -> check
 *
 * Every run that is made becomes a record like any other, so nothing is lost when a later one
 * fails: the command that goes on from there is printed. */
#include "cli/cli.h"
#include "cli/official.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "cli/submission.h"
#include "record/record.h"
#include "record/system.h"
#include "run/run.h"
#include "submit/build.h"
#include "submit/check.h"
#include "submit/system.h"

struct job {
    struct cli_input *in;
    struct submit_request ask;
    struct submit_plan plan;
    json_t *facts;
    char *store, *out;
    char *folder; /* of audit.config files: in the store, so that a record can be repeated */
    struct assay_err err;
};

/* ---- what was asked for ---- */

static int read_request(struct job *j)
{
    static const char *const needed[] = {"division", "category", "round", "submitter"};
    struct cli_input *in = j->in;
    char slug[61];
    int64_t ms = 0;

    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        if (!cli_value(in, needed[i]))
            return cli_usage(in->command, "`assay submit` wants --%s", needed[i]);
    j->ask = (struct submit_request){.division = cli_value(in, "division"),
                                     .category = cli_value(in, "category"),
                                     .round = cli_value(in, "round"),
                                     .submitter = cli_value(in, "submitter"),
                                     .rehearsal = cli_value(in, "rehearsal") != NULL};
    if (!strcmp(j->ask.category, "both"))
        j->ask.category = "datacenter,edge";
    submit_slug(j->ask.submitter, slug, sizeof(slug));
    if (strcmp(slug, j->ask.submitter))
        return cli_usage(in->command,
                         "--submitter '%s': it names a folder, so at most 60 letters, digits, '.', "
                         "'_', '+' and '-'",
                         j->ask.submitter);
    if (cli_value_int(in, "min-duration-ms", 1, 3600000, &ms))
        return EXIT_USAGE;
    if (ms && !j->ask.rehearsal)
        return cli_usage(in->command, "--min-duration-ms goes with --rehearsal only");
    j->ask.min_duration_ms = ms;
    return EXIT_OK;
}

static int read_records(struct job *j, json_t **records)
{
    json_t *record;

    *records = json_array();
    for (int i = 0; i < j->in->count; i++) {
        if (record_find(j->store, j->in->args[i], NULL, &record, &j->err))
            return cli_fail(&j->err);
        json_array_append_new(*records, record);
    }
    return EXIT_OK;
}

/* Of the machine that ran the records, and what is declared now. */
static int read_facts(struct job *j)
{
    const json_t *system = json_object_get(json_array_get(j->plan.records, 0), "system");
    const char *file = cli_value(j->in, "system");
    char *dir = file_config_dir(), *own = dir ? file_join(dir, "system.yaml") : NULL;
    int rc = ASSAY_OK;

    j->facts = json_is_object(system) ? json_deep_copy(system) : json_object();
    if (!file && own && file_exists(own))
        file = own;
    if (file)
        rc = system_declare(j->facts, file, &j->err);
    free(own);
    free(dir);
    return rc ? cli_fail(&j->err) : EXIT_OK;
}

/* ---- what is missing ---- */

static size_t missing(const struct job *j)
{
    size_t n = 0;

    for (size_t i = 0; i < j->plan.count; i++)
        n += !j->plan.slots[i].record;
    return n;
}

static int add_step(struct job *j, const struct submit_slot *slot, json_t *steps)
{
    struct settings s;
    struct text command;
    char name[100];

    submit_slot_name(slot, name, sizeof(name));
    if (slot->record) {
        json_array_append_new(steps, json_pack("{s:s, s:s}", "run", name, "record",
                                               tree_text(slot->record, "id", "?")));
        return EXIT_OK;
    }
    if (submit_slot_settings(&j->plan, slot, NULL, &s, &j->err))
        return cli_fail(&j->err);
    text_init(&command, 1u << 16);
    submit_settings_command(&s, &command);
    json_array_append_new(
        steps, json_pack("{s:s, s:n, s:s}", "run", name, "record", "command", command.s));
    text_release(&command);
    settings_release(&s);
    return EXIT_OK;
}

static json_t *list_steps(struct job *j)
{
    json_t *steps = json_array();

    for (size_t i = 0; i < j->plan.count; i++)
        if (add_step(j, &j->plan.slots[i], steps)) {
            json_decref(steps);
            return NULL;
        }
    return steps;
}

static int dry_run(struct job *j)
{
    json_t *steps = list_steps(j), *step;
    char request[80];
    size_t i;

    if (!steps)
        return EXIT_COULD_NOT;
    if (cli_wants_json(j->in))
        return cli_json(json_pack("{s:s, s:o}", "out", j->out, "runs", steps), "submit-plan");
    json_array_foreach(steps, i, step)
    {
        const char *id = tree_text(step, "record", NULL);

        printf("%-40s %s\n", tree_text(step, "run", ""), id ? id : "to be run:");
        if (!id)
            printf("    %s\n", tree_text(step, "command", ""));
    }
    cli_official_request(j->ask.round, request);
    printf("%zu of %zu runs are to be made; the tree goes to %s\n", missing(j), j->plan.count,
           j->out);
    printf("then the official checker runs: assay plan %s\n", request);
    json_decref(steps);
    return EXIT_OK;
}

/* The command that goes on with what there is now. */
static void say_how_to_go_on(const struct job *j)
{
    const json_t *record;
    size_t i;

    fprintf(stderr, "go on with:");
    for (int k = 0; k < j->in->argc; k++) {
        bool given = false;

        for (int a = 0; a < j->in->count; a++)
            given = given || j->in->argv[k] == j->in->args[a];
        if (!given)
            fprintf(stderr, " %s", j->in->argv[k]);
    }
    json_array_foreach(j->plan.records, i, record)
    {
        fprintf(stderr, " %.8s", tree_text(record, "id", ""));
    }
    fputc('\n', stderr);
}

/* The settings of a slot's run, kept and shown as this command's are. */
static int settings_for(struct job *j, const struct submit_slot *slot, struct settings *s)
{
    const struct settings *mine = &j->in->settings;
    const struct {
        const char *name, *value;
    } own[] = {{"store", j->store},
               {"cache", mine->cache},
               {"progress", mine->progress},
               {"tag", "submit"}};
    int rc = submit_slot_settings(&j->plan, slot, j->folder, s, &j->err);

    if (rc)
        return rc;
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]) && !rc; i++)
        if (own[i].value)
            rc = settings_set(s, own[i].name, own[i].value, SETTINGS_CLI, own[i].name, &j->err);
    if (rc)
        settings_release(s);
    return rc;
}

/* One run, which is a record whatever becomes of it. */
static int run_once(struct job *j, const struct submit_slot *slot, json_t **record)
{
    struct settings s;
    int rc = settings_for(j, slot, &s);

    if (rc)
        return rc;
    rc = run_job(&s, j->in->argc, j->in->argv, record, &j->err);
    settings_release(&s);
    if (!rc && !strcmp(tree_text(*record, "status", ""), "interrupted"))
        rc = assay_fail(&j->err, ASSAY_ESTOP, "interrupted; record %s is kept",
                        tree_text(*record, "id", "?"));
    return rc;
}

/* A compliance test whose figure does not fit is run once more: machines have bad moments. */
static int run_slot(struct job *j, struct submit_slot *slot, size_t number)
{
    json_t *record = NULL;
    char name[100], words[300];
    int rc = ASSAY_OK;

    submit_slot_name(slot, name, sizeof(name));
    for (int tries = 0; tries < 2 && !rc; tries++) {
        fprintf(stderr, "run %zu of %zu: %s%s\n", number, j->plan.count, name,
                tries ? ", once more" : "");
        json_decref(record);
        record = NULL;
        rc = run_once(j, slot, &record);
        if (rc || submit_slot_fits(&j->plan, slot, record, words, sizeof(words)))
            break;
        cli_warn("%s, record %s: %s", name, tree_text(record, "id", "?"), words);
    }
    if (!rc)
        rc = submit_slot_take(&j->plan, slot, record, &j->err);
    json_decref(record);
    return rc;
}

static int run_missing(struct job *j)
{
    int code;

    if (!missing(j))
        return EXIT_OK;
    j->folder = file_join(j->store, "audit");
    if (!j->folder || file_make_dirs(j->folder, &j->err))
        return j->folder ? cli_fail(&j->err) : EXIT_COULD_NOT;
    for (size_t i = 0; i < j->plan.count; i++) {
        if (j->plan.slots[i].record || !run_slot(j, &j->plan.slots[i], i + 1))
            continue;
        code = cli_fail(&j->err);
        say_how_to_go_on(j);
        return code == EXIT_USAGE ? EXIT_COULD_NOT : code;
    }
    return EXIT_OK;
}

/* ---- the end ---- */

/* With the data set and model of the slot's own record. */
static int score(void *ctx, const struct submit_slot *slot, const struct accuracy_log *log,
                 char line[256], struct assay_err *err)
{
    const struct job *j = ctx;
    struct assay_score score = {.size = sizeof(score)};
    struct settings s;
    struct cli_bench b;
    int rc = settings_from_json(&s, json_object_get(slot->record, "settings"), err);

    if (rc)
        return rc;
    if (j->in->settings.cache)
        rc = settings_set(&s, "cache", j->in->settings.cache, SETTINGS_CLI, "--cache", err);
    if (!rc)
        rc = cli_bench_open(&b, slot->benchmark, &s, false, err);
    if (!rc) {
        rc = b.table->score(b.self, log->entries, log->n, &score, err);
        snprintf(line, 256, "%s", score.line);
        cli_bench_close(&b);
    }
    settings_release(&s);
    return rc;
}

static int judge(struct job *j)
{
    struct submit_check_ask ask = {.round = j->ask.round,
                                   .min_duration_ms = (double)j->ask.min_duration_ms};
    json_t *report = NULL, *theirs = NULL, *steps;
    int code, rc;

    if (submit_check(j->out, &ask, &report, &j->err))
        return cli_fail(&j->err);
    code = json_array_size(json_object_get(report, "findings")) ? EXIT_INVALID : EXIT_OK;
    if (!cli_wants_json(j->in))
        cli_print_check(report, stdout);
    fflush(stdout);
    code = cli_official(j->out, j->ask.round, &j->in->settings, cli_value(j->in, "offline") != NULL,
                        false, code, &theirs);
    steps = list_steps(j);
    json_object_set(report, "official", theirs);
    if (cli_wants_json(j->in)) {
        json_decref(theirs);
        json_object_set_new(report, "runs", steps);
        json_object_set_new(report, "rehearsal", json_boolean(j->ask.rehearsal));
        rc = cli_json(report, "submit");
        return rc ? rc : code;
    }
    cli_official_print(theirs, stdout);
    json_decref(steps);
    json_decref(theirs);
    json_decref(report);
    return code;
}

static void release(struct job *j)
{
    submit_plan_release(&j->plan);
    json_decref(j->facts);
    free(j->folder);
    free(j->store);
    free(j->out);
}

static int submit(struct job *j, const json_t *records)
{
    int code;

    if (submit_plan_create(&j->ask, records, &j->plan, &j->err))
        return cli_fail(&j->err);
    if ((code = read_facts(j)))
        return code;
    if (j->in->settings.dry_run)
        return dry_run(j);
    if (file_exists(j->out)) {
        assay_fail(&j->err, ASSAY_EUSAGE,
                   "--out: %s is there already; remove it, or choose another folder", j->out);
        return cli_fail(&j->err);
    }
    if ((code = run_missing(j)))
        return code;
    if (submit_build(&j->plan, j->facts, &(struct submit_scorer){score, j}, j->out, &j->err))
        return cli_fail(&j->err);
    return judge(j);
}

static int cmd_submit(struct cli_input *in)
{
    struct job j = {.in = in};
    json_t *records = NULL;
    const char *out = cli_value(in, "out");
    int code = read_request(&j);

    if (code)
        return code;
    j.store = cli_store(&in->settings);
    j.out = strdup(out ? out : "submission");
    code = read_records(&j, &records);
    if (!code)
        code = submit(&j, records);
    json_decref(records);
    release(&j);
    return code;
}

static const char *const divisions[] = {"closed", "open", "network", NULL};
static const char *const categories[] = {"edge", "datacenter", "both", NULL};
static const char *const rounds[] = {"v6.1", "v6.0", "v5.1", NULL};

static const struct cli_option options[] = {
    {"division", 0, "NAME", divisions, NULL, "closed, open or network"},
    {"category", 0, "NAME", categories, NULL, "what the system is: edge, datacenter or both"},
    {"round", 'r', "ROUND", rounds, NULL, "the round of MLPerf inference"},
    {"submitter", 0, "TEXT", NULL, NULL, "the submitter's name, as the folder will be called"},
    {"system", 0, "FILE", NULL, NULL,
     "a YAML file with what cannot be detected: `field: value`; default: system.yaml in the "
     "configuration folder"},
    {"out", 'o', "DIR", NULL, NULL, "the tree to write; default: submission"},
    {"rehearsal", 0, NULL, NULL, NULL,
     "take synthetic and short runs too; the tree is marked and is no submission"},
    {"min-duration-ms", 0, "MS", NULL, NULL, "of a rehearsal: the least duration of runs made"},
    {"offline", 0, NULL, NULL, NULL, "fetch nothing: the official checker must be here already"},
    {NULL, 0, NULL, NULL, NULL, NULL}};

static const char *const settings[] = {"store", "cache", "progress", "json", "dry-run", NULL};

const struct cli_command cli_cmd_submit = {
    .name = "submit",
    .summary = "build a submission tree from records, and run what is missing",
    .arguments = "RUN...",
    .options = options,
    .settings = settings,
    .help =
        "Takes records of one system, runs what the round still wants of their benchmarks "
        "(scenarios, accuracy, the compliance tests TEST01 and TEST04) with the same settings, "
        "writes the tree, and judges it as `assay check` does: what would be refused, why, and the "
        "command that mends it. Last it runs the official checker, which is got by its recipe. "
        "With --dry-run it lists what it would run. A RUN is an id, the "
        "beginning of one, or `last`.\n"
        "\n"
        "    assay run resnet50 --model resnet50.yaml --dataset imagenet --profile official:v6.1\n"
        "    assay submit --division closed --category edge --round v6.1 --submitter ACME last "
        "--dry-run\n"
        "    assay submit --division closed --category edge --round v6.1 --submitter ACME last",
    .run = cmd_submit};

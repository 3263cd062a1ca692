/* What lies beside the logs of one result: the description of the run, user.conf, README.md. */
#include "submit/judge.h"

#include <stdlib.h>
#include <string.h>

#include "base/tree.h"
#include "load/conf.h"

#define FIELDS "declare it in system.yaml and run assay submit again, or write it in the file"

static void check_fields(struct judge *j, const char *where, const json_t *tree)
{
    static const char *const fields[] = {"input_data_types", "retraining",
                                         "starting_weights_filename", "weight_data_types",
                                         "weight_transformations"};

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const json_t *v = json_object_get(tree, fields[i]);
        const char *text = json_string_value(v);

        if (!v)
            judge_add(j, RULE_MEASUREMENTS, where, FIELDS, "the field %s is missing", fields[i]);
        else if (json_is_null(v) || json_is_false(v) || (text && !*text))
            judge_add(j, RULE_MEASUREMENTS, where, FIELDS, "the field %s is empty", fields[i]);
    }
}

/* v5: <system>….json, by the scenario if there are several; NULL: there is none. */
static json_t *find_description(struct judge *j, const struct place *p, char where[JUDGE_PATH])
{
    json_t *names = judge_list(j, p->measurements, false), *name, *found = NULL;
    char end[64];
    size_t i, n, e;
    bool exact = false;

    snprintf(end, sizeof(end), "_%s.json", p->scenario);
    e = strlen(end);
    json_array_foreach(names, i, name)
    {
        const char *s = json_string_value(name);

        n = strlen(s);
        if (exact || strncmp(s, p->system, strlen(p->system)) || n < 5 ||
            strcmp(s + n - 5, ".json"))
            continue;
        exact = n > e && !strcmp(s + n - e, end);
        if (exact || !found)
            found = name;
    }
    if (found)
        judge_join(where, p->measurements, json_string_value(found));
    found = json_incref(found);
    json_decref(names);
    return found;
}

static void check_description(struct judge *j, const struct place *p)
{
    char where[JUDGE_PATH];
    json_t *name = NULL, *tree;

    judge_join(where, p->measurements, "measurements.json");
    if (!j->round->in_results && !(name = find_description(j, p, where))) {
        judge_add(j, RULE_FILE, p->measurements, "assay submit writes it",
                  "the description of the run, %s….json, is missing", p->system);
        return;
    }
    json_decref(name);
    tree = judge_json(j, where, RULE_FILE, "assay submit writes it");
    if (tree)
        check_fields(j, where, tree);
    json_decref(tree);
}

/* LoadGen's own reader would say nothing about any of this. */
static void check_user_conf(struct judge *j, const struct place *p)
{
    char where[JUDGE_PATH], full[2 * JUDGE_PATH];
    struct settings s;
    struct assay_err err = {0};

    judge_join(where, p->measurements, "user.conf");
    judge_full(j, where, full);
    if (!p->model || !p->model->assay || settings_init(&s, &err))
        return;
    s.scenario = p->number;
    if (conf_read(full, p->model->loadgen, p->number, &s, &err)) {
        const char *text = strstr(err.text, full);

        judge_add(j, RULE_USER_CONF, where, "correct the line; what was run does not change by it",
                  "line %s", text ? text + strlen(full) + 1 : err.text);
    }
    settings_release(&s);
}

void judge_measurements(struct judge *j, const struct place *p)
{
    check_description(j, p);
    if (judge_file(j, p->measurements, "user.conf", true, "assay submit writes it"))
        check_user_conf(j, p);
    judge_file(j, p->measurements, "README.md", true,
               "assay submit writes it; or say how it was run");
}

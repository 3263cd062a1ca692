/* The machine's default for a benchmark: see chosen.h. */
#include "run/chosen.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/tree.h"
#include "run/tuned.h"

#define SCHEMA "assay.chosen/1"

/* A manifest, or an engine's plugin, that is named by its place: by one that holds in any folder. A
 * new reference, as value is where it is neither. */
static json_t *lasting(const char *name, const char *value)
{
    const char *end = strrchr(value, '.');
    bool place = !strcmp(name, "model") ? end && (!strcmp(end, ".yaml") || !strcmp(end, ".yml"))
                                        : !strcmp(name, "engine") && strchr(value, '/');
    char *path = place ? file_absolute(value) : NULL;
    json_t *text = json_string(path ? path : value);

    free(path);
    return text;
}

/* The document, empty when there is no file; *path is the caller's to free. */
static int read_file(char **path, json_t **tree, struct assay_err *err)
{
    struct assay_err why = {0};
    char *dir = file_config_dir();
    int rc = ASSAY_OK;

    *tree = NULL;
    *path = dir ? file_join(dir, "chosen.json") : NULL;
    if (!*path)
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    else if (!file_exists(*path))
        *tree = json_pack("{s:s, s:[]}", "schema", SCHEMA, "entries");
    else if (tree_read_json(*path, tree, &why))
        rc = assay_fail(err, ASSAY_EFAIL,
                        "%.300s; choose again with `assay explore --apply`, or "
                        "remove the file",
                        why.text);
    else if (strcmp(tree_text(*tree, "schema", ""), SCHEMA) ||
             !json_is_array(json_object_get(*tree, "entries")))
        rc = assay_fail(err, ASSAY_EFAIL,
                        "%s: is not of the kind " SCHEMA "; choose again with `assay explore "
                        "--apply`, or remove the file",
                        *path);
    free(dir);
    return rc;
}

static bool is_for(const json_t *entry, const json_t *machine, const char *benchmark,
                   const char *scenario)
{
    return json_equal(json_object_get(entry, "machine"), machine) &&
           !strcmp(tree_text(entry, "benchmark", ""), benchmark) &&
           !strcmp(tree_text(entry, "scenario", ""), scenario);
}

static int make_config_dir(struct assay_err *err)
{
    char *dir = file_config_dir();
    int rc = dir ? file_make_dirs(dir, err) : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    free(dir);
    return rc;
}

int chosen_keep(const char *benchmark, const char *scenario, const json_t *settings,
                struct assay_err *err)
{
    json_t *tree = NULL, *entries, *machine = tuned_machine(), *kept = json_object(), *v;
    char *path = NULL;
    const char *name;
    int rc = read_file(&path, &tree, err);

    json_object_foreach((json_t *)(uintptr_t)settings, name, v)
        json_object_set_new(kept, name, lasting(name, json_string_value(v)));

    entries = json_object_get(tree, "entries");
    for (size_t i = json_array_size(entries); i-- > 0;)
        if (is_for(json_array_get(entries, i), machine, benchmark, scenario))
            json_array_remove(entries, i);
    if (!rc) {
        json_array_append_new(entries,
                              json_pack("{s:O, s:s, s:s, s:O}", "machine", machine, "benchmark",
                                        benchmark, "scenario", scenario, "settings", kept));
        rc = make_config_dir(err);
        if (!rc)
            rc = tree_write_json(path, tree, err);
    }
    json_decref(kept);
    json_decref(machine);
    json_decref(tree);
    free(path);
    return rc;
}

/* Whether the user's own settings leave room for it. */
static bool fits(const struct settings *s, const json_t *settings)
{
    const char *name;
    char text[1024];
    json_t *v, *own;
    bool same = true;

    json_object_foreach((json_t *)(uintptr_t)settings, name, v)
    {
        const struct settings_row *row = settings_find(name);

        if (!row || !json_is_string(v))
            return false;
        settings_text(s, row, text, sizeof(text));
        own = lasting(name, text);
        same = same && (settings_origin_of(s, name) < SETTINGS_USER_FILE || json_equal(own, v));
        json_decref(own);
    }
    return same;
}

/* Earlier programs kept a model as it was given: elsewhere it would be another one, or none. */
static int check_place(const json_t *settings, const char *path, struct assay_err *err)
{
    const char *model = tree_text(settings, "model", "");
    json_t *there = lasting("model", model);
    bool lasts = !strcmp(json_string_value(there), model);

    json_decref(there);
    return lasts ? ASSAY_OK
                 : assay_fail(err, ASSAY_EFAIL,
                              "%s: has the model as '%s', which holds in one folder only: choose "
                              "again with `assay explore --apply`, remove the file, or give "
                              "--no-tuned",
                              path, model);
}

int chosen_recall(struct settings *s, bool *used, struct assay_err *err)
{
    const json_t *entries, *settings = NULL;
    json_t *tree = NULL, *machine, *e, *v;
    const char *name;
    char *path = NULL;
    size_t i;
    int rc;

    *used = false;
    if (!s->tuned || !s->benchmark)
        return ASSAY_OK;
    rc = read_file(&path, &tree, err);
    machine = tuned_machine();
    entries = json_object_get(tree, "entries");
    json_array_foreach(entries, i, e)
    {
        if (is_for(e, machine, s->benchmark, settings_scenario_names[s->scenario]))
            settings = json_object_get(e, "settings");
    }
    if (!rc && settings && fits(s, settings)) {
        *used = true;
        rc = check_place(settings, path, err);
        json_object_foreach((json_t *)(uintptr_t)settings, name, v)
        {
            if (!rc)
                rc = settings_set(s, name, json_string_value(v), SETTINGS_TUNED, path, err);
        }
    }
    json_decref(machine);
    json_decref(tree);
    free(path);
    return rc;
}

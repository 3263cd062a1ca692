/* What ${…} stands for in a node's steps, what it gives, and the key made of all that goes in. */
#include "flow/plan_inside.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/revision.h"
#include "base/tree.h"
#include "flow/digest.h"
#include "flow/fetch_url.h"
#include "flow/fill.h"

extern char **environ;

static int no_memory(struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "not enough memory for the plan");
}

static void scope_text(json_t *scope, const char *start, const char *name, const json_t *v)
{
    char key[200], *text = NULL;

    snprintf(key, sizeof(key), "%s%.100s", start, name);
    if (!json_is_string(v))
        text = json_dumps(v, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    json_object_set_new(scope, key,
                        json_is_string(v) ? json_string(json_string_value(v))
                                          : json_string(text ? text : ""));
    free(text);
}

static void scope_all(json_t *scope, const char *start, const json_t *values)
{
    const char *key;
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)values, key, v) scope_text(scope, start, key, v);
}

static void scope_secrets(json_t *scope, const json_t *inputs, bool shown)
{
    const char *key, *value;
    char name[200];
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)inputs, key, v)
    {
        if (strcmp(tree_text(v, "type", ""), "secret") != 0)
            continue;
        value = getenv(tree_text(v, "env", ""));
        snprintf(name, sizeof(name), "secret.%.100s", key);
        json_object_set_new(scope, name, json_string(shown && value ? value : "(secret)"));
    }
}

static void scope_set(json_t *scope, const char *name, const char *text)
{
    json_object_set_new(scope, name, json_string(text ? text : ""));
}

json_t *plan_scope(const struct plan *p, const struct plan_node *n, const char *out,
                   const char *work, bool secrets)
{
    json_t *scope = json_object();
    char jobs[16], start[100];

    snprintf(jobs, sizeof(jobs), "%d", p->jobs);
    scope_set(scope, "out", out);
    scope_set(scope, "final", n->root);
    scope_set(scope, "work", work);
    scope_set(scope, "recipe", n->recipe->folder);
    scope_set(scope, "assay", p->assay);
    scope_set(scope, "share", p->share);
    scope_set(scope, "jobs", jobs);
    scope_set(scope, "name", n->recipe->name);
    scope_set(scope, "version", n->version);
    scope_set(scope, "source", tree_text(n->key_of, "source_folder", ""));
    scope_set(scope, "fetched", n->downloads >= 0 ? p->nodes[n->downloads].root : n->root);
    scope_all(scope, "input.", n->inputs);
    scope_all(scope, "option.", n->options);
    scope_secrets(scope, json_object_get(n->body, "inputs"), secrets);
    for (size_t i = 0; i < n->need_count; i++) {
        const struct plan_node *to = &p->nodes[n->needs[i].to];

        snprintf(start, sizeof(start), "dep.%s.", n->needs[i].as);
        scope_all(scope, start, to->outputs);
    }
    return scope;
}

/* For the folders of `find`: the user's environment too. */
json_t *plan_find_scope(const struct plan *p, const struct plan_node *n)
{
    json_t *scope = plan_scope(p, n, "", "", false);
    char name[200];

    for (char **e = environ; e && *e; e++) {
        const char *equals = strchr(*e, '=');

        if (!equals || equals - *e > 100)
            continue;
        snprintf(name, sizeof(name), "env.%.*s", (int)(equals - *e), *e);
        json_object_set_new(scope, name, json_string(equals + 1));
    }
    return scope;
}

/* What a node gives: its files by the recipe's names, its values, "root" and "version". */
int plan_set_outputs(struct plan *p, struct plan_node *n, const char *program,
                     struct assay_err *err)
{
    const char *key;
    char *text;
    json_t *v, *scope;
    bool one_file = !file_is_dir(n->root) && file_exists(n->root);
    int rc = ASSAY_OK;

    n->outputs = json_pack("{s:s, s:s}", "root", n->root, "version", n->version);
    json_object_foreach(json_object_get(n->body, "outputs"), key, v)
    {
        if (n->state == PLAN_FOUND && program && strcmp(key, "program") != 0)
            continue;
        text = program ? strdup(program)
               : one_file || !strcmp(json_string_value(v), ".")
                   ? strdup(n->root)
                   : file_join(n->root, json_string_value(v));
        json_object_set_new(n->outputs, key, json_string(text));
        free(text);
    }
    if (program)
        json_object_set_new(n->outputs, "program", json_string(program));
    if (strchr(n->id, ':')) /* downloads that something is made of, which gives the values */
        return ASSAY_OK;
    scope = plan_scope(p, n, n->root, "", false);
    json_object_foreach(json_object_get(n->body, "values"), key, v)
    {
        if (!rc && !(rc = fill(json_string_value(v), scope, &text, err))) {
            json_object_set_new(n->outputs, key, json_string(text));
            free(text);
        }
    }
    json_decref(scope);
    return rc;
}

static int check_rows(const struct plan_node *n, const char *part, const json_t *scope,
                      struct assay_err *err)
{
    static const char *const texts[] = {"in", "text"};
    json_t *row, *filled;
    int rc = ASSAY_OK;
    char *text;
    size_t i;

    json_array_foreach(json_object_get(n->body, part), i, row)
    {
        for (size_t k = 0; !rc && k < 2; k++)
            if (!(rc = fill(tree_text(row, texts[k], ""), scope, &text, err)))
                free(text);
        if (!rc && !(rc = fill_list(json_object_get(row, "run"), scope, &filled, err)))
            json_decref(filled);
    }
    return rc;
}

int plan_check_places(const struct plan *p, const struct plan_node *n, struct assay_err *err)
{
    json_t *scope = plan_scope(p, n, n->root, "", false), *v;
    struct assay_err e = {0};
    const char *key;
    char *text;
    size_t i;
    int rc = check_rows(n, "build", scope, &e);

    if (!rc)
        rc = check_rows(n, "convert", scope, &e);
    if (!rc)
        rc = check_rows(n, "check", scope, &e);
    json_object_foreach(json_object_get(n->body, "env"), key, v)
    {
        if (!rc && !(rc = fill(json_string_value(v), scope, &text, &e)))
            free(text);
    }
    json_array_foreach(json_object_get(n->body, "fetch"), i, v)
    {
        const char *from = tree_text(json_object_get(v, "each"), "from", "");

        if (!rc && !(rc = fill(from, scope, &text, &e)))
            free(text);
    }
    json_decref(scope);
    return rc ? assay_fail(err, rc, "%s: %.400s", n->recipe->file, e.text) : ASSAY_OK;
}

/* Keys. */

void plan_key_from(const json_t *of, char key[65])
{
    char *text = json_dumps(of, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));

    hash_bytes(text ? text : "", text ? strlen(text) : 0, key);
    free(text);
}

/* The key of downloads is of their digests alone, and no check is in any key. */
void plan_checks_of(const struct plan_node *n, char hex[65])
{
    const json_t *check = json_object_get(n->body, "check"),
                 *outputs = n->fetches ? json_object_get(n->body, "outputs") : NULL;
    json_t *of;

    hex[0] = 0;
    if (strchr(n->id, ':') || (!json_array_size(check) && !json_object_size(outputs)))
        return;
    of = json_pack("{s:O?, s:O?, s:O?}", "check", check, "outputs", outputs, "inputs", n->inputs);
    plan_key_from(of, hex);
    json_decref(of);
}

bool plan_fetches_by_list(const json_t *body)
{
    return tree_any_has(json_object_get(body, "fetch"), "each");
}

/* What identifies a list, "${dep.AS.OUTPUT}": what gives it, and which of its files it is. */
static json_t *key_of_list(const struct plan *p, const struct plan_node *n, const json_t *each)
{
    const char *from = tree_text(each, "from", "");
    char start[RECIPE_WORD_MAX + 16], output[128];

    for (size_t i = 0; i < n->need_count; i++) {
        const struct plan_node *to = &p->nodes[n->needs[i].to];
        size_t len = (size_t)snprintf(start, sizeof(start), "${dep.%s.", n->needs[i].as);
        json_t *file;

        if (strncmp(from, start, len) != 0)
            continue;
        snprintf(output, sizeof(output), "%.*s", (int)strcspn(from + len, "}"), from + len);
        if (!json_object_get(to->outputs, output))
            continue;
        file = json_object_get(json_object_get(to->body, "outputs"), output);
        if (!file)
            file = json_object_get(json_object_get(to->body, "values"), output);
        return json_pack("{s:s, s:O*, s:O*, s:O*}", "key", to->key, "file", file, "json",
                         json_object_get(each, "json"), "keep", json_object_get(each, "keep"));
    }
    return NULL;
}

/* What identifies a download: its digest; its address where nobody published one. */
json_t *plan_key_of_downloads(const struct plan *p, const struct plan_node *n)
{
    json_t *list = json_array(), *row;
    size_t i;

    json_array_foreach(json_object_get(n->body, "fetch"), i, row)
    {
        const char *sha = tree_text(row, "sha256", NULL), *md5 = tree_text(row, "md5", NULL);
        const char *first = json_string_value(json_array_get(recipe_urls(row), 0));
        json_t *each = json_object_get(row, "each");
        char *url = first ? fetch_url_name(first) : NULL;

        json_array_append_new(list, json_pack("{s:s, s:s, s:s*, s:o*}", "file",
                                              tree_text(row, "file", ""),
                                              sha   ? "sha256"
                                              : md5 ? "md5"
                                                    : "url",
                                              sha   ? sha
                                              : md5 ? md5
                                                    : url,
                                              "unpack", tree_text(row, "unpack", NULL), "list",
                                              each ? key_of_list(p, n, each) : NULL));
        free(url);
    }
    return json_pack("{s:i, s:o}", "format", 1, "downloads", list);
}

/* Files that the user names: what is in them goes into the key. */
static int add_file_digests(const struct plan *p, const struct plan_node *n, json_t *of,
                            struct assay_err *err)
{
    json_t *digests = json_object(), *v;
    const char *key, *type;
    char hex[HASH_HEX];
    int rc = ASSAY_OK;

    json_object_foreach(json_object_get(n->body, "inputs"), key, v)
    {
        const char *path = json_string_value(json_object_get(n->inputs, key));

        type = tree_text(v, "type", "");
        if (rc || !path || (strcmp(type, "file") != 0 && strcmp(type, "folder") != 0))
            continue;
        if (!(rc = digest_tree(p->ask.cache, path, hex, err)))
            json_object_set_new(digests, key, json_string(hex));
    }
    json_object_set_new(of, "input_files", digests);
    return rc;
}

static int add_source(const struct plan *p, struct plan_node *n, json_t *of, struct assay_err *err)
{
    const char *source = tree_text(n->body, "source", NULL);
    json_t *scope;
    char hex[HASH_HEX], *filled = NULL, *path = NULL;
    int rc;

    if (!source)
        return ASSAY_OK;
    scope = plan_scope(p, n, "", "", false);
    rc = fill(source, scope, &filled, err);
    json_decref(scope);
    if (!rc) {
        char *full = filled[0] == '/' ? strdup(filled) : file_join(n->recipe->folder, filled);

        path = full ? file_absolute(full) : NULL;
        free(full);
        rc = !path               ? no_memory(err)
             : file_is_dir(path) ? digest_tree(p->ask.cache, path, hex, err)
                                 : assay_fail(err, ASSAY_EUSAGE, "%s: source: %.300s is no folder",
                                              n->recipe->name, path);
    }
    if (!rc) {
        json_object_set_new(of, "source", json_string(hex));
        json_object_set_new(of, "source_folder", json_string(path));
    }
    free(path);
    free(filled);
    return rc;
}

/* Elsewhere than in `source`. */
static bool steps_ask_share(const json_t *body)
{
    json_t *others = json_copy((json_t *)(uintptr_t)body);
    char *steps;
    bool asks;

    json_object_del(others, "source");
    steps = json_dumps(others, JSON_COMPACT);
    asks = steps && fill_asks(steps, "share");
    json_decref(others);
    free(steps);
    return asks;
}

/* Where a step names them: the files that lie beside the recipe, those that are installed with
 * Assay (a `source` of them counts by itself), and this program, whose revision stands for what it
 * writes; its own bytes change with every build and change nothing of that. */
static int add_named(const struct plan *p, const struct plan_node *n, json_t *of,
                     struct assay_err *err)
{
    char *text = json_dumps(n->body, JSON_COMPACT), hex[HASH_HEX];
    int rc = ASSAY_OK;

    if (text && fill_asks(text, "recipe") &&
        !(rc = digest_tree(p->ask.cache, n->recipe->folder, hex, err)))
        json_object_set_new(of, "recipe_folder", json_string(hex));
    if (!rc && text && fill_asks(text, "share") && steps_ask_share(n->body) &&
        !(rc = digest_tree(p->ask.cache, p->share, hex, err)))
        json_object_set_new(of, "share_folder", json_string(hex));
    if (text && fill_asks(text, "assay"))
        json_object_set_new(of, "assay", json_string(NET_REVISION));
    free(text);
    return rc;
}

/* A download's key is of its files alone; what it gives of them goes into the keys of those that
 * use it. */
static json_t *key_of_need(const struct plan_node *n)
{
    return json_pack("{s:s, s:O, s:O, s:O?, s:O?}", "key", n->key, "options", n->options, "inputs",
                     n->inputs, "outputs", json_object_get(n->body, "outputs"), "values",
                     json_object_get(n->body, "values"));
}

int plan_key_of_making(const struct plan *p, struct plan_node *n, struct assay_err *err)
{
    static const char *const parts[] = {"env", "build", "convert", "outputs", "values"};
    json_t *needs = json_object(), *of, *plain;
    int rc;

    for (size_t i = 0; i < n->need_count; i++)
        json_object_set_new(needs, n->needs[i].as, key_of_need(&p->nodes[n->needs[i].to]));
    of = json_pack("{s:i, s:s, s:s, s:O, s:O, s:o}", "format", 1, "recipe", n->recipe->name,
                   "version", n->recipe->version, "options", n->options, "inputs", n->inputs,
                   "needs", needs);
    if (!of)
        return no_memory(err);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (json_object_get(n->body, parts[i]))
            json_object_set(of, parts[i], json_object_get(n->body, parts[i]));
    if (n->downloads >= 0)
        json_object_set_new(of, "downloads", json_string(p->nodes[n->downloads].key));
    rc = add_file_digests(p, n, of, err);
    if (!rc)
        rc = add_source(p, n, of, err);
    if (!rc)
        rc = add_named(p, n, of, err);
    json_decref(n->key_of);
    n->key_of = of;
    if (rc)
        return rc;
    /* Where the files were does not matter, only what is in them. */
    plain = json_deep_copy(of);
    json_object_del(plain, "source_folder");
    plan_key_from(plain, n->key);
    plan_key_by_content(p, n, plain);
    json_decref(plain);
    return ASSAY_OK;
}

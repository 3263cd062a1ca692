/* A plan as it is shown: what would be done, what it takes, and what stands against it. */
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "flow/fetch.h"
#include "flow/fetch_url.h"
#include "flow/fill.h"
#include "flow/first_seen.h"
#include "flow/index.h"
#include "flow/mirror.h"
#include "flow/plan_inside.h"

bool plan_has_work(const struct plan_node *n)
{
    return n->wanted &&
           (n->state == PLAN_MAKE || n->state == PLAN_VERIFY || n->state == PLAN_CHECK);
}

json_t *plan_urls(const struct plan *p, const json_t *row)
{
    return mirror_urls(p->mirrors, recipe_urls(row));
}

/* How many files a row of `fetch` is. */
static int64_t files_of(const json_t *row)
{
    return tree_int(json_object_get(row, "each"), "count", 1);
}

/* Where the exact size is not published. */
static int64_t about_of(const json_t *row)
{
    json_t *each = json_object_get(row, "each");

    return recipe_size(json_object_get(each ? each : row, "about"));
}

int64_t plan_bytes(const struct plan_node *n, int *unknown)
{
    int64_t bytes = 0, about;
    json_t *row;
    size_t i;

    *unknown = 0;
    json_array_foreach(json_object_get(n->body, "fetch"), i, row)
    {
        about = tree_int(row, "bytes", about_of(row));
        if (about >= 0)
            bytes += about;
        else
            ++*unknown;
    }
    return bytes;
}

char *plan_command_text(const json_t *argv)
{
    struct text t;
    size_t i;
    json_t *v;

    text_init(&t, 1 << 16);
    json_array_foreach(argv, i, v)
    {
        if (i)
            text_add(&t, " ");
        text_add_word(&t, json_string_value(v) ? json_string_value(v) : "");
    }
    return text_take(&t);
}

/* Problems. */

static void add_problem(json_t *problems, const char *fmt, ...) ASSAY_PRINTF(2, 3);
static void add_problem(json_t *problems, const char *fmt, ...)
{
    char text[2000];
    va_list ap;
    size_t n;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    for (n = strlen(text); n && (text[n - 1] == '\n' || text[n - 1] == ' '); n--)
        text[n - 1] = 0;
    json_array_append_new(problems, json_string(text));
}

static bool is_accepted(const struct plan *p, const struct plan_node *n)
{
    for (const char *const *a = p->ask.accepts; a && *a; a++)
        if (!strcmp(*a, "all") || !strcmp(*a, n->recipe->name))
            return true;
    return false;
}

/* The recipe's address, when there is none but of the network. */
static const char *network_url(const struct plan *p, const json_t *row)
{
    json_t *urls = plan_urls(p, row), *url;
    bool here = false;
    size_t i;

    json_array_foreach(urls, i, url) here = here || fetch_url_is_file(json_string_value(url));
    json_decref(urls);
    return here ? NULL : json_string_value(json_array_get(recipe_urls(row), 0));
}

/* " (needed by a > b)", where it is not what was asked for itself. */
static const char *needed_by(const struct plan_node *n, char out[300])
{
    const char *last = strrchr(n->chain, '>');

    out[0] = 0;
    if (last && last - n->chain > 1)
        snprintf(out, 300, " (needed by %.*s)",
                 last - n->chain < 250 ? (int)(last - n->chain - 1) : 250, n->chain);
    return out;
}

static void lacking(const struct plan_node *n, json_t *problems)
{
    const json_t *licence = json_object_get(n->body, "licence");
    const char *gate = tree_text(licence, "gate", NULL), *url = tree_text(licence, "url", NULL);
    int length = gate ? (int)strlen(gate) : 0;
    char by[300];

    while (length && (gate[length - 1] == '\n' || gate[length - 1] == ' '))
        length--;
    if (gate)
        add_problem(problems,
                    "%s%s cannot be fetched for you: %.*s%s%s%s Then say --have %s=PATH: it is "
                    "verified, not copied.",
                    n->recipe->name, needed_by(n, by), length, gate, url ? " (Terms: " : "",
                    url ? url : "", url ? ")" : "", n->recipe->name);
    else
        add_problem(problems, "%s%s is not here%s%s; install it, or say --have %s=PATH",
                    n->recipe->name, needed_by(n, by), *n->note ? ": " : "", n->note,
                    n->recipe->name);
}

static void offline(const struct plan *p, const struct plan_node *n, json_t *problems)
{
    const char *url;
    char shown[512], by[300];
    json_t *row;
    size_t i;

    if (!p->ask.offline || !n->fetches)
        return;
    json_array_foreach(json_object_get(n->body, "fetch"), i, row)
    {
        if (json_object_get(row, "pypi") && !index_is_local(tree_text(row, "file", "")))
            add_problem(problems,
                        "%s%s: %s is not here, and --offline forbids to ask the package index that "
                        "pip is set up with",
                        n->recipe->name, needed_by(n, by), tree_text(row, "file", "?"));
        if (!(url = network_url(p, row)))
            continue;
        fetch_url_public(url, shown, sizeof(shown));
        if (json_object_get(row, "each")) {
            add_problem(problems,
                        "%s%s: %lld files, %s, are not here, and --offline forbids to fetch them "
                        "from %s",
                        n->recipe->name, needed_by(n, by), (long long)files_of(row),
                        tree_text(row, "file", "?"), shown);
            continue;
        }
        add_problem(problems, "%s%s: %s is not here, and --offline forbids to fetch it from %s",
                    n->recipe->name, needed_by(n, by), tree_text(row, "file", "?"), shown);
    }
}

static void terms(const struct plan *p, const struct plan_node *n, json_t *problems)
{
    const json_t *licence = json_object_get(n->body, "licence");
    const char *url = tree_text(licence, "url", NULL);

    if (tree_bool(licence, "accept", false) && !is_accepted(p, n))
        add_problem(problems, "%s: its licence, %s%s%s%s, is yours to accept: --accept %s",
                    n->recipe->name, tree_text(licence, "name", "?"), url ? " (" : "",
                    url ? url : "", url ? ")" : "", n->recipe->name);
}

static void secrets(const struct plan_node *n, json_t *problems)
{
    const char *key, *value;
    json_t *v;

    json_object_foreach(json_object_get(n->body, "inputs"), key, v)
    {
        value = getenv(tree_text(v, "env", ""));
        if (!strcmp(tree_text(v, "type", ""), "secret") && (!value || !*value))
            add_problem(problems,
                        "%s wants the secret '%s': set the variable %s of the environment",
                        n->recipe->name, key, tree_text(v, "env", ""));
    }
}

static void machine(const struct plan_node *n, json_t *problems)
{
    const json_t *wanted = json_object_get(n->body, "resources");
    const char *device = tree_text(wanted, "device", "cpu");
    int64_t memory = recipe_size(json_object_get(wanted, "memory"));
    struct sysinfo info;

    if (!strcmp(device, "cuda") && access("/dev/nvidiactl", F_OK))
        add_problem(problems, "%s wants the device cuda, and there is none here", n->recipe->name);
    if (memory > 0 && !sysinfo(&info) &&
        (double)memory > (double)info.totalram * (double)info.mem_unit)
        add_problem(problems, "%s wants %.1f GB of memory, and this machine has %.1f GB",
                    n->recipe->name, (double)memory / 1e9,
                    (double)info.totalram * (double)info.mem_unit / 1e9);
}

/* What a node takes on the disk: its downloads twice where they are unpacked, and what it says; of
 * a recipe that also builds, the downloads are one node's and what it says is the other's.
 * *at_least: set where it may be more, for nobody says it. */
static int64_t disk_of(const struct plan_node *n, bool *at_least)
{
    int64_t own = recipe_size(json_object_get(json_object_get(n->body, "resources"), "disk")),
            bytes;
    bool unpacks = false, of_builder = strchr(n->id, ':') != NULL;
    int unknown;
    json_t *row;
    size_t i;

    if (!plan_has_work(n) || n->state != PLAN_MAKE)
        return 0;
    if (!n->fetches) {
        *at_least = *at_least || own < 0;
        return own > 0 ? own : 0;
    }
    json_array_foreach(json_object_get(n->body, "fetch"), i, row) unpacks =
        unpacks || json_object_get(row, "unpack");
    bytes = plan_bytes(n, &unknown);
    *at_least = *at_least || unknown > 0;
    if (own >= 0 && !of_builder)
        return bytes + own;
    *at_least = *at_least || unpacks;
    return unpacks ? 2 * bytes : bytes;
}

static int64_t disk_needed(const struct plan *p, bool *at_least)
{
    int64_t bytes = 0;

    *at_least = false;
    for (size_t i = 0; i < p->count; i++)
        bytes += disk_of(&p->nodes[i], at_least);
    return bytes;
}

json_t *plan_problems(const struct plan *p)
{
    json_t *problems = json_array();
    char wanted[32], free[32];
    bool at_least;
    int64_t needed = disk_needed(p, &at_least), have = (int64_t)file_disk_free(p->shelf.dir);

    for (size_t i = 0; i < p->count; i++) {
        const struct plan_node *n = &p->nodes[i];

        if (!n->wanted)
            continue;
        if (n->state == PLAN_LACKING)
            lacking(n, problems);
        if (n->state != PLAN_MAKE)
            continue;
        offline(p, n, problems);
        if (strchr(n->id, ':')) /* the rest is told of the recipe, not of its downloads too */
            continue;
        terms(p, n, problems);
        secrets(n, problems);
        machine(n, problems);
        plan_add_lacking_programs(n, problems);
    }
    if (have >= 0 && needed > have) {
        text_bytes(wanted, (double)needed);
        text_bytes(free, (double)have);
        add_problem(problems, "%s%s of disk are needed, %s are free in %s",
                    at_least ? "at least " : "", wanted, free, p->shelf.dir);
    }
    return problems;
}

/* The plan as a tree. */

/* Of files that a list names: how many, and where the list is or will be. */
static void add_list(const struct plan *p, const struct plan_node *n, const json_t *row,
                     json_t *one)
{
    json_t *scope = plan_scope(p, n, n->root, "", false);
    char *from = NULL;

    json_object_set_new(one, "files", json_integer(files_of(row)));
    if (!fill(tree_text(json_object_get(row, "each"), "from", ""), scope, &from, NULL))
        json_object_set_new(one, "list", json_string(from));
    free(from);
    json_decref(scope);
}

static json_t *downloads_json(const struct plan *p, const struct plan_node *n)
{
    json_t *list = json_array(), *row, *one, *url, *urls;
    char seen[HASH_HEX], shown[1024];
    size_t i, j;

    json_array_foreach(json_object_get(n->body, "fetch"), i, row)
    {
        int64_t about = about_of(row);
        const char *first = json_string_value(json_array_get(recipe_urls(row), 0));
        const char *package = tree_text(row, "pypi", NULL);

        one = json_pack("{s:s, s:[]}", "file", tree_text(row, "file", "?"), "urls");
        if (package) {
            json_object_set_new(one, "pypi", json_string(package));
            json_object_set_new(one, "places", index_places(package, tree_text(row, "file", "")));
        }
        urls = plan_urls(p, row);
        json_array_foreach(urls, j, url)
        {
            fetch_url_public(json_string_value(url), shown, sizeof(shown));
            json_array_append_new(json_object_get(one, "urls"), json_string(shown));
        }
        json_decref(urls);
        json_object_set(one, "bytes", json_object_get(row, "bytes"));
        json_object_set(one, "sha256", json_object_get(row, "sha256"));
        json_object_set(one, "md5", json_object_get(row, "md5"));
        json_object_set(one, "unpack", json_object_get(row, "unpack"));
        if (about >= 0 && !json_object_get(row, "bytes"))
            json_object_set_new(one, "about_bytes", json_integer(about));
        if (json_object_get(row, "each"))
            add_list(p, n, row, one);
        else if (!json_object_get(row, "sha256") && first_seen_find(first, seen))
            json_object_set_new(one, "first_seen_sha256", json_string(seen));
        json_array_append_new(list, one);
    }
    return list;
}

static void add_commands(const struct plan_node *n, const char *part, const json_t *scope,
                         json_t *list)
{
    json_t *row, *argv;
    size_t i;

    json_array_foreach(json_object_get(n->body, part), i, row)
    {
        if (json_object_get(row, "write"))
            argv = json_pack("{s:O}", "write", json_object_get(row, "write"));
        else if (fill_list(json_object_get(row, "run"), scope, &argv, NULL))
            argv = json_incref(json_object_get(row, "run"));
        json_array_append_new(list, argv);
    }
}

static json_t *commands_json(const struct plan *p, const struct plan_node *n)
{
    json_t *scope = plan_scope(p, n, n->root, "WORK", false), *list = json_array();

    add_commands(n, "build", scope, list);
    add_commands(n, "convert", scope, list);
    json_decref(scope);
    return list;
}

static json_t *after_json(const struct plan *p, const struct plan_node *n)
{
    json_t *after = json_array();

    if (n->downloads >= 0)
        json_array_append_new(after, json_string(p->nodes[n->downloads].id));
    for (size_t i = 0; i < n->need_count; i++)
        json_array_append_new(after, json_string(p->nodes[n->needs[i].to].id));
    return after;
}

static json_t *node_json(const struct plan *p, const struct plan_node *n)
{
    json_t *licence = json_object_get(n->body, "licence"), *copy;
    bool at_least = false;
    json_t *one =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:O, s:O, s:s, s:s, s:s, s:o}", "id", n->id, "recipe",
                  n->recipe->name, "version", n->version, "what", n->fetches ? "fetch" : "make",
                  "state", plan_state_names[n->state], "options", n->options, "inputs", n->inputs,
                  "why", n->chain, "key", n->key, "path", n->root, "after", after_json(p, n));

    if (!one)
        return json_pack("{s:s}", "id", n->id);
    json_object_set(one, "outputs", n->outputs);
    json_object_set_new(one, "file", json_string(n->recipe->file));
    if (n->state == PLAN_MAKE && n->fetches)
        json_object_set_new(one, "downloads", downloads_json(p, n));
    if (n->state == PLAN_MAKE && !n->fetches)
        json_object_set_new(one, "commands", commands_json(p, n));
    if (n->state == PLAN_MAKE) {
        json_object_set_new(one, "disk_bytes", json_integer(disk_of(n, &at_least)));
        json_object_set_new(one, "disk_at_least", json_boolean(at_least));
    }
    if (licence && !strchr(n->id, ':')) {
        copy = json_copy(licence);
        json_object_set_new(copy, "accepted", json_boolean(is_accepted(p, n)));
        json_object_set_new(one, "licence", copy);
    }
    return one;
}

static json_t *totals_json(const struct plan *p)
{
    bool at_least;
    int64_t bytes = 0, files = 0, disk = disk_needed(p, &at_least);
    int steps = 0, unknown = 0, more;
    json_t *row;
    size_t k;

    for (size_t i = 0; i < p->count; i++) {
        const struct plan_node *n = &p->nodes[i];

        steps += plan_has_work(n);
        if (!n->wanted || n->state != PLAN_MAKE || !n->fetches)
            continue;
        bytes += plan_bytes(n, &more);
        unknown += more;
        json_array_foreach(json_object_get(n->body, "fetch"), k, row) files += files_of(row);
    }
    return json_pack("{s:i, s:I, s:I, s:i, s:I, s:b, s:I}", "steps", steps, "download_bytes",
                     (json_int_t)bytes, "download_files", (json_int_t)files, "unknown_sizes",
                     unknown, "disk_bytes", (json_int_t)disk, "disk_at_least", (int)at_least,
                     "disk_free_bytes", (json_int_t)file_disk_free(p->shelf.dir));
}

json_t *plan_json(const struct plan *p)
{
    json_t *steps = json_array(), *requests = json_array();

    for (size_t i = 0; i < p->root_count; i++)
        json_array_append_new(requests, json_pack("{s:s, s:s}", "request", p->ask.requests[i], "id",
                                                  p->nodes[p->roots[i]].id));
    for (size_t i = 0; i < p->count; i++)
        if (p->nodes[i].wanted)
            json_array_append_new(steps, node_json(p, &p->nodes[i]));
    return json_pack("{s:o, s:o, s:o, s:o}", "requests", requests, "steps", steps, "totals",
                     totals_json(p), "problems", plan_problems(p));
}

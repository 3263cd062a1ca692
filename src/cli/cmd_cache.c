/* assay cache: the shelf of what recipes fetched and built. */
#include "cli/cli.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "flow/get.h"
#include "flow/have.h"
#include "flow/kept.h"
#include "flow/shelf.h"
#include "flow/work.h"

/* ---- words ---- */

/* "30d" -> seconds, "20G" -> bytes: a number and one of the units; false: not so. */
struct unit {
    const char *name;
    double factor;
};

static bool with_unit(const char *text, const struct unit *units, double *out)
{
    char *end;
    double value;

    errno = 0;
    value = strtod(text, &end);
    if (end == text || errno || !(value >= 0) || !isfinite(value))
        return false;
    for (; units->name; units++) {
        if (strcmp(units->name, end))
            continue;
        *out = value * units->factor;
        return *out < 9e18;
    }
    return false;
}

static bool read_age(const char *text, double *seconds)
{
    static const struct unit units[] = {{"s", 1},     {"m", 60},     {"h", 3600},
                                        {"d", 86400}, {"w", 604800}, {NULL, 0}};

    return with_unit(text, units, seconds);
}

static bool read_size(const char *text, double *bytes)
{
    static const struct unit units[] = {{"", 1},
                                        {"B", 1},
                                        {"K", 1e3},
                                        {"kB", 1e3},
                                        {"KB", 1e3},
                                        {"M", 1e6},
                                        {"MB", 1e6},
                                        {"G", 1e9},
                                        {"GB", 1e9},
                                        {"T", 1e12},
                                        {"TB", 1e12},
                                        {"KiB", 1024.},
                                        {"MiB", 1048576.},
                                        {"GiB", 1073741824.},
                                        {"TiB", 1099511627776.},
                                        {NULL, 0}};

    return with_unit(text, units, bytes);
}

/* ---- opening ---- */

static char *cache_of(const struct settings *s)
{
    return s->cache ? file_absolute(s->cache) : file_cache_dir();
}

char *cli_shelf(const struct settings *s)
{
    char *cache = cache_of(s), *dir = cache ? file_join(cache, "shelf") : NULL;

    free(cache);
    return dir;
}

/* open: shelf_open, or shelf_look for what changes nothing. */
static int with_shelf(const struct cli_input *in,
                      int (*open)(const char *dir, struct shelf *s, struct assay_err *err),
                      struct shelf *s, struct assay_err *err)
{
    char *dir = cli_shelf(&in->settings);
    int rc = dir ? open(dir, s, err) : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    free(dir);
    return rc;
}

/* The shelf, and the key of the entry that was named, to look at it. */
static int look_named(const struct cli_input *in, struct shelf *s, char key[65],
                      struct assay_err *err)
{
    int rc = with_shelf(in, shelf_look, s, err);

    return rc ? rc : shelf_named(s, in->args[0], key, err);
}

/* ---- list ---- */

static void print_row(struct cli_table *t, const json_t *row)
{
    const char *damaged = tree_text(row, "damaged", NULL), *state;
    char key[13], size[32], files[32], used[11];

    snprintf(key, sizeof(key), "%s", tree_text(row, "key", ""));
    text_bytes(size, (double)tree_int(row, "bytes", 0));
    snprintf(files, sizeof(files), "%lld", (long long)tree_int(row, "files", 0));
    snprintf(used, sizeof(used), "%s", tree_text(row, "used", ""));
    state = damaged ? "damaged" : tree_bool(row, "pinned", false) ? "pinned" : "";
    cli_table_row(t, (const char *[]){key, tree_text(row, "name", ""), size, files, used, state,
                                      damaged ? damaged : tree_text(row, "why", "")});
}

static void print_list(const json_t *list)
{
    static const char *const heading[] = {"KEY",  "RECIPE", "SIZE", "FILES",
                                          "USED", "",       "WHY",  NULL};
    struct cli_table t;
    const json_t *row;
    size_t i;

    cli_table_init(&t, heading);
    json_array_foreach(list, i, row) print_row(&t, row);
    cli_table_print(&t, stdout);
}

/* What runs of other programs left. */
static void print_left(const json_t *left)
{
    static const char *const heading[] = {"LEFT BY A RUN", "SIZE", "FILES", "USED", NULL};
    char size[32], files[32], used[11];
    struct cli_table t;
    const json_t *row;
    size_t i;

    cli_table_init(&t, heading);
    json_array_foreach(left, i, row)
    {
        text_bytes(size, (double)tree_int(row, "bytes", 0));
        snprintf(files, sizeof(files), "%lld", (long long)tree_int(row, "files", 0));
        snprintf(used, sizeof(used), "%s", tree_text(row, "used", ""));
        cli_table_row(&t, (const char *[]){tree_text(row, "folder", ""), size, files, used});
    }
    cli_table_print(&t, stdout);
}

static int64_t total_of(const json_t *list)
{
    const json_t *row;
    int64_t total = 0;
    size_t i;

    json_array_foreach(list, i, row) total += tree_int(row, "bytes", 0);
    return total;
}

/* What the programs of recipes printed; nobody wants to know each of them. */
static void print_logs(const json_t *logs, const char *cache)
{
    char size[32];

    text_bytes(size, (double)total_of(logs));
    fprintf(stderr, "%zu log%s of recipes, %s in %s/logs\n", json_array_size(logs),
            json_array_size(logs) == 1 ? "" : "s", size, cache);
}

/* What is not on the shelf, but pruned as entries are. */
static void print_kept(const json_t *kept)
{
    static const char *const heading[] = {"BESIDE THE SHELF", "SIZE", "USED", "", "WHAT", NULL};
    char size[32], used[11];
    struct cli_table t;
    const json_t *row;
    size_t i;

    if (!json_array_size(kept))
        return;
    cli_table_init(&t, heading);
    json_array_foreach(kept, i, row)
    {
        text_bytes(size, (double)tree_int(row, "bytes", 0));
        snprintf(used, sizeof(used), "%s", tree_text(row, "used", ""));
        cli_table_row(&t, (const char *[]){tree_text(row, "name", ""), size, used,
                                           tree_bool(row, "pinned", false) ? "pinned" : "",
                                           tree_text(row, "what", "")});
    }
    cli_table_print(&t, stdout);
    text_bytes(size, (double)total_of(kept));
    fprintf(stderr, "%zu beside the shelf, %s\n", json_array_size(kept), size);
}

static void print_remembered(const json_t *places)
{
    static const char *const heading[] = {"KEY", "REMEMBERED FOR", "PLACE", "STATE", NULL};
    struct cli_table t;
    const json_t *row;
    char key[13];
    size_t i;

    if (!json_array_size(places))
        return;
    cli_table_init(&t, heading);
    json_array_foreach(places, i, row)
    {
        snprintf(key, sizeof(key), "%s", tree_text(row, "key", ""));
        cli_table_row(&t,
                      (const char *[]){key, tree_text(row, "name", ""), tree_text(row, "path", ""),
                                       tree_text(row, "state", "")});
    }
    cli_table_print(&t, stdout);
}

static int list(struct cli_input *in)
{
    const json_t *all, *left, *logs;
    struct assay_err err;
    struct shelf s;
    json_t *tree;
    char size[32], *cache;

    if (with_shelf(in, shelf_look, &s, &err))
        return cli_fail(&err);
    tree = shelf_json(&s);
    cache = cache_of(&in->settings);
    work_tell(cache ? cache : "", tree);
    kept_tell(cache ? cache : "", tree);
    if (cli_wants_json(in)) {
        free(cache);
        return cli_json(tree, "cache");
    }
    all = json_object_get(tree, "entries");
    left = json_object_get(tree, "work");
    logs = json_object_get(tree, "logs");
    if (json_array_size(all)) {
        print_list(all);
        text_bytes(size, (double)tree_int(tree, "bytes", 0));
        fprintf(stderr, "%zu entr%s, %s in %s\n", json_array_size(all),
                json_array_size(all) == 1 ? "y" : "ies", size, s.dir);
    } else {
        fprintf(stderr, "There is nothing in %s yet.\n", s.dir);
    }
    print_kept(json_object_get(tree, "kept"));
    if (json_array_size(left))
        print_left(left);
    if (json_array_size(logs))
        print_logs(logs, cache);
    print_remembered(json_object_get(tree, "remembered"));
    free(cache);
    json_decref(tree);
    return EXIT_OK;
}

/* ---- one entry ---- */

static json_t *row_of(const struct shelf *s, const char *key)
{
    json_t *all = shelf_list(s), *row, *found = NULL;
    size_t i;

    json_array_foreach(all, i, row) if (!strcmp(tree_text(row, "key", ""), key)) found =
        json_incref(row);
    json_decref(all);
    return found;
}

static void print_files(const json_t *files)
{
    const json_t *file;
    size_t i;

    json_array_foreach(files, i, file)
    {
        const char *link = tree_text(file, "link", NULL);

        if (link)
            printf("  %s -> %s\n", tree_text(file, "path", ""), link);
        else
            printf("  %.12s  %12lld  %s\n", tree_text(file, "sha256", ""),
                   (long long)tree_int(file, "bytes", 0), tree_text(file, "path", ""));
    }
}

static void print_member(const char *label, const json_t *value)
{
    char *text;

    if (!value || (json_is_string(value) && !*json_string_value(value)))
        return;
    text = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS);
    printf("%-8s %s\n", label, text ? text : json_string_value(value));
    free(text);
}

static void print_entry(const json_t *meta, const json_t *row, const char *folder,
                        const json_t *files)
{
    static const char *const own[] = {"key",  "files", "bytes",  "recipe", "why",
                                      "made", "sum",   "schema", "list",   NULL};
    char size[32];
    const char *name;
    json_t *value;

    text_bytes(size, (double)tree_int(meta, "bytes", 0));
    print_member("key", json_object_get(meta, "key"));
    print_member("recipe", json_object_get(meta, "recipe"));
    print_member("why", json_object_get(meta, "why"));
    print_member("made", json_object_get(meta, "made"));
    print_member("used", json_object_get(row, "used"));
    printf("%-8s %s\n", "pinned", tree_bool(row, "pinned", false) ? "yes" : "no");
    json_object_foreach((json_t *)meta, name, value)
    {
        const char *const *o = own;

        while (*o && strcmp(*o, name))
            o++;
        if (!*o)
            print_member(name, value);
    }
    printf("%-8s %zu, %s, in %s\n", "files", json_array_size(files), size, folder);
    print_files(files);
}

static int show_entry(struct cli_input *in, const struct shelf *s, const char *key,
                      const char *folder, json_t *meta, json_t *files)
{
    json_t *row = row_of(s, key);
    int rc = EXIT_OK;

    if (cli_wants_json(in))
        rc = cli_json(json_pack("{s:s, s:O, s:O, s:O, s:O}", "folder", folder, "used",
                                json_object_get(row, "used"), "pinned",
                                json_object_get(row, "pinned"), "entry", meta, "files", files),
                      "cache-entry");
    else
        print_entry(meta, row, folder, files);
    json_decref(row);
    return rc;
}

static int show(struct cli_input *in)
{
    json_t *meta = NULL, *files = NULL;
    struct assay_err err;
    struct shelf s;
    char key[65], *folder = NULL;
    int rc = look_named(in, &s, key, &err);

    if (!rc)
        rc = shelf_find(&s, key, &folder, &meta, &err);
    if (!rc && !folder)
        rc = assay_fail(&err, ASSAY_EFAIL,
                        "%.12s is damaged: `assay cache remove %.12s` takes it away", key, key);
    if (!rc)
        rc = shelf_files(&s, key, &files, &err);
    rc = rc ? cli_fail(&err) : show_entry(in, &s, key, folder, meta, files);
    json_decref(files);
    json_decref(meta);
    free(folder);
    return rc;
}

static int path(struct cli_input *in)
{
    struct assay_err err;
    struct shelf s;
    char key[65], *files = NULL, *place;
    int rc = in->count ? look_named(in, &s, key, &err) : with_shelf(in, shelf_look, &s, &err);

    if (!rc && in->count)
        rc = shelf_find(&s, key, &files, NULL, &err);
    if (!rc && in->count && !files)
        rc = assay_fail(&err, ASSAY_EFAIL, "%.12s is damaged", key);
    if (rc)
        return cli_fail(&err);
    if (in->count) /* who asks where it is goes there */
        shelf_use(&s, key);
    place = files ? files : s.dir;
    if (cli_wants_json(in))
        rc = cli_json(json_pack("{s:s}", "path", place), "path");
    else
        puts(place);
    free(files);
    return rc;
}

/* ---- verify ---- */

static int verify(struct cli_input *in)
{
    json_t *bad = NULL, *row;
    struct assay_err err;
    struct shelf s;
    char key[65];
    size_t i, n;
    int rc = in->count ? look_named(in, &s, key, &err) : with_shelf(in, shelf_look, &s, &err);

    if (!rc) {
        rc = shelf_verify(&s, in->count ? key : NULL, get_listen(true), &bad, &err);
        get_listen(false);
    }
    if (rc)
        return cli_fail(&err);
    n = json_array_size(bad);
    json_array_foreach(bad, i, row) if (!cli_wants_json(in))
        printf("%.12s  %s: %s\n", tree_text(row, "key", ""), tree_text(row, "recipe", "?"),
               tree_text(row, "why", ""));
    if (cli_wants_json(in))
        cli_json(json_pack("{s:b, s:o}", "whole", n == 0, "damaged", bad), "cache-verify");
    else
        json_decref(bad);
    if (n)
        fprintf(stderr,
                "assay: %zu damaged; `assay cache remove KEY` takes one away, and what needs it "
                "makes it again\n",
                n);
    else
        fprintf(stderr, "Everything is as it was put there.\n");
    return n ? EXIT_COULD_NOT : EXIT_OK;
}

/* ---- keeping and removing ---- */

static void print_removed(const json_t *removed, bool dry)
{
    static const char *const heading[] = {"KEY", "NAME", "SIZE", "WHY", NULL};
    struct cli_table t;
    const json_t *row;
    char size[32];
    size_t i;

    cli_table_init(&t, heading);
    json_array_foreach(removed, i, row)
    {
        char key[13];

        snprintf(key, sizeof(key), "%s", tree_text(row, "key", ""));
        text_bytes(size, (double)tree_int(row, "bytes", 0));
        cli_table_row(
            &t, (const char *[]){key, tree_text(row, "name", ""), size, tree_text(row, "why", "")});
    }
    if (i)
        cli_table_print(&t, stdout);
    else
        json_decref(t.rows);
    text_bytes(size, (double)total_of(removed));
    fprintf(stderr, "%s: %zu, %s\n", dry ? "Would be removed" : "Removed", i, size);
}

/* What is pruned beside the shelf. */
static json_t *others_of(const struct settings *s)
{
    char *cache = cache_of(s);
    json_t *all = work_left(cache ? cache : ""), *logs = work_logs(cache ? cache : ""),
           *kept = kept_list(cache ? cache : "");

    json_array_extend(all, logs);
    json_array_extend(all, kept);
    json_decref(logs);
    json_decref(kept);
    free(cache);
    return all;
}

static int prune(struct cli_input *in)
{
    const char *age = cli_value(in, "older-than"), *keep = cli_value(in, "keep");
    bool dry = in->settings.dry_run;
    double seconds = -1, bytes = -1;
    json_t *removed = NULL, *others;
    struct assay_err err;
    struct shelf s;
    int rc;

    if (!age && !keep)
        return cli_usage(in->command, "`assay cache prune` wants --older-than AGE, --keep SIZE, or "
                                      "both");
    if (age && !read_age(age, &seconds))
        return cli_usage(in->command, "--older-than '%s': a number and s, m, h, d or w: 30d", age);
    if (keep && !read_size(keep, &bytes))
        return cli_usage(in->command, "--keep '%s': a number of bytes, or with K, M, G or T: 20G",
                         keep);
    rc = with_shelf(in, dry ? shelf_look : shelf_open, &s, &err);
    others = others_of(&in->settings);
    if (!rc)
        rc = shelf_prune(&s, others, seconds, keep ? (int64_t)bytes : -1, dry, &removed, &err);
    json_decref(others);
    if (!rc && cli_wants_json(in))
        return cli_json(json_pack("{s:b, s:I, s:o}", "dry", (int)dry, "bytes",
                                  (json_int_t)total_of(removed), "removed", removed),
                        "cache-prune");
    if (removed && !cli_wants_json(in))
        print_removed(removed, dry);
    json_decref(removed);
    return rc ? cli_fail(&err) : EXIT_OK;
}

static int done(struct cli_input *in, const json_t *row, const char *what)
{
    const char *key = tree_text(row, "key", NULL);
    bool dry = in->settings.dry_run;

    if (cli_wants_json(in))
        return cli_json(json_pack("{s:s*, s:s*, s:s, s:b}", "key", key, "name",
                                  tree_text(row, "name", NULL), "done", what, "dry", (int)dry),
                        "cache-change");
    fprintf(stderr, "%.*s: %s%s\n", key ? 12 : 200, key ? key : tree_text(row, "name", ""),
            dry ? "would be " : "", what);
    return EXIT_OK;
}

/* What a user can name: an entry of the shelf, what is beside it ("path", no "key"), or a place
 * that is remembered (both). */
static int find_named(struct cli_input *in, struct shelf *s, char **cache, json_t **row,
                      struct assay_err *err)
{
    json_t *others, *places;
    int rc = with_shelf(in, in->settings.dry_run ? shelf_look : shelf_open, s, err);

    *row = NULL;
    *cache = cache_of(&in->settings);
    if (!rc && !*cache)
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    if (rc)
        return rc;
    others = kept_list(*cache);
    places = have_list(*cache);
    json_array_extend(others, places);
    rc = shelf_row_named(s, others, in->args[0], row, err);
    json_decref(places);
    json_decref(others);
    return rc;
}

static int set_pin(struct cli_input *in, bool pinned)
{
    json_t *row;
    struct assay_err err;
    struct shelf s;
    char *cache;
    int rc = find_named(in, &s, &cache, &row, &err);
    const char *key = tree_text(row, "key", NULL);

    if (!rc && key && json_object_get(row, "path"))
        rc =
            assay_fail(&err, ASSAY_EUSAGE, "%.12s is a place of yours, which is never pruned", key);
    else if (!rc && !in->settings.dry_run)
        rc = key ? shelf_pin(&s, key, pinned, &err) : kept_pin(row, pinned, &err);
    rc = rc ? cli_fail(&err) : done(in, row, pinned ? "pinned" : "no longer pinned");
    json_decref(row);
    free(cache);
    return rc;
}

static int pin(struct cli_input *in)
{
    return set_pin(in, true);
}

static int unpin(struct cli_input *in)
{
    return set_pin(in, false);
}

static int remove_kept(const json_t *row, bool dry, struct assay_err *err)
{
    int rc;

    if (tree_bool(row, "pinned", false))
        return assay_fail(err, ASSAY_EUSAGE, "%.200s is pinned: `assay cache unpin` it first",
                          tree_text(row, "name", ""));
    rc = kept_remove(row, dry, err);
    return rc == ASSAY_EAGAIN ? ASSAY_EFAIL : rc;
}

static int remove_one(struct cli_input *in)
{
    bool dry = in->settings.dry_run, place;
    json_t *row;
    struct assay_err err;
    struct shelf s;
    char *cache;
    int rc = find_named(in, &s, &cache, &row, &err);
    const char *key = tree_text(row, "key", NULL);

    place = key && json_object_get(row, "path");
    if (!rc && place)
        rc = dry ? ASSAY_OK : have_forget(cache, key, &err);
    else if (!rc)
        rc = key ? shelf_remove(&s, key, dry, &err) : remove_kept(row, dry, &err);
    rc = rc ? cli_fail(&err) : done(in, row, place ? "forgotten" : "removed");
    json_decref(row);
    free(cache);
    return rc;
}

static const struct cli_verb verbs[] = {
    {"list", "", "what is there, last used first", list},
    {"show", "ENTRY", "one entry: its recipe, why it is there, what went in, its files", show},
    {"verify", "[ENTRY]", "hash the files of one entry, or of all", verify},
    {"prune", "", "remove what was not used lately, or what is too much", prune},
    {"pin", "ENTRY", "keep an entry from being pruned", pin},
    {"unpin", "ENTRY", "let it be pruned again", unpin},
    {"remove", "ENTRY", "remove one entry, or forget a place that is remembered", remove_one},
    {"path", "[ENTRY]", "the folder of an entry's files, or of all", path},
    {"adopt", "[DIR...]",
     "find, verify and remember what recipes would fetch: in DIR, or in the caches of MLC and CM",
     cli_cache_adopt},
    {NULL, NULL, NULL, NULL}};

static const struct cli_option options[] = {
    {"older-than", 0, "AGE", NULL, NULL,
     "prune: what was not used for so long, logs and what failed runs left included: 12h, 30d, 8w"},
    {"keep", 0, "SIZE", NULL, NULL,
     "prune: the longest unused, logs included, until so much is left: 500M, 20G"},
    {NULL, 0, NULL, NULL, NULL, NULL}};

static const char *const settings[] = {"cache", "dry-run", "json", NULL};

const struct cli_command cli_cmd_cache = {
    .name = "cache",
    .summary = "what was fetched and built: list, verify, prune",
    .arguments = "",
    .verbs = verbs,
    .options = options,
    .settings = settings,
    .help =
        "What recipes fetch, build and convert is kept in the cache folder, each entry under "
        "the SHA-256 of all that went into it. An ENTRY is the beginning of its key (4 digits "
        "or more), or its recipe's name. Entries that are pinned or in use are never pruned; "
        "what was removed is made again when something needs it. So it is with the samples and "
        "nets of runs, downloads under way and packages of the set-up, which are listed beside "
        "the shelf, and named as there. Places of yours that --have or adopt remembers are "
        "listed, and forgotten with remove. Working folders of runs that "
        "failed or were killed (logs of `assay reference`) are listed, and pruned by age; the logs "
        "of recipes' programs are counted, and pruned as entries are.\n\n"
        "    assay cache\n"
        "    assay cache prune --older-than 30d --keep 20G --dry-run\n"
        "    assay cache verify\n\n"
        "What the automation of MLCommons left (MLC below $MLC_REPOS, else ~/MLC; CM below "
        "$CM_REPOS, else ~/CM), or any folder of models and data, is adopted: each file that "
        "is what a recipe fetches or checks is verified as the recipe says, not copied, and "
        "used from then on by `assay get` and `assay run`. What is called so but is another "
        "file is told, and not taken.\n\n"
        "    assay cache adopt --dry-run\n"
        "    assay cache adopt /data/mlperf",
    .run = list};

/* One step of a plan: verifying what the user has, downloading, or making an entry of the shelf. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "flow/fetch.h"
#include "flow/fetch_url.h"
#include "flow/first_seen.h"
#include "flow/have.h"
#include "flow/index.h"
#include "flow/make_inside.h"
#include "flow/unpack.h"
#include "flow/work.h"

#define MAX_TRIES 10 /* to make what others prune */

static int no_memory(struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "not enough memory");
}

/* A new empty folder to work in. */
static int enter_work(const struct step *s, struct work *w, struct assay_err *err)
{
    char name[65];

    snprintf(name, sizeof(name), "%s", s->node->recipe->name);
    return work_begin(s->plan->ask.cache, name, w, err);
}

static int check_outputs(const struct plan_node *n, const char *folder, const char *shown,
                         struct assay_err *err)
{
    const char *key;
    int rc = ASSAY_OK;
    json_t *v;

    json_object_foreach(json_object_get(n->body, "outputs"), key, v)
    {
        char *path = file_join(folder, json_string_value(v));

        if (!rc && (!path || !file_exists(path)))
            rc = assay_fail(err, ASSAY_EFAIL, "%s: its output '%s' is missing: no %.200s in %s",
                            n->id, key, json_string_value(v), shown);
        free(path);
    }
    return rc;
}

static int verify(struct step *s, struct assay_err *err)
{
    struct plan_node *n = s->node;
    struct work work = {NULL, -1};
    char *name;
    int rc = have_check(n->body, n->root, json_object_get(n->body, "fetch") != NULL, s->stop, err);

    if (!rc && file_is_dir(n->root)) /* a file stands for the only one */
        rc = check_outputs(n, n->root, n->root, err);
    if (!rc)
        rc = enter_work(s, &work, err);
    if (!rc)
        rc = step_run_programs(s, "check", n->root, work.dir, err);
    work_end(&work, false);
    if (rc)
        return rc;
    name = recipe_name_with(n->recipe, n->options);
    rc = have_remember(s->plan->ask.cache, n->have_id, name ? name : "?", n->body, n->root, err);
    free(name);
    return rc;
}

/* What went in, for the entry's own record. */
static json_t *meta_of(const struct step *s, json_t *downloads)
{
    const struct plan_node *n = s->node;
    json_t *meta = json_pack("{s:s, s:s, s:s, s:O, s:O, s:s}", "recipe", n->recipe->name, "version",
                             n->version, "why", n->chain, "inputs", n->key_of, "options",
                             n->options, "what", n->fetches ? "fetch" : "make");

    if (downloads)
        json_object_set(meta, "downloads", downloads);
    else
        json_object_set_new(meta, "made_of", plan_made_of(s->plan, n));
    return meta;
}

/* Downloads. */

struct counted {
    struct step *step;
    int64_t before; /* bytes of the files before this one */
    int64_t size;   /* with which it stands in the step's all_bytes; -1: it is one of the unknown */
    int64_t last;   /* of it that was here when last told; -1: not told yet */
};

static void count(void *ctx, int64_t done, int64_t total)
{
    struct counted *c = ctx;
    struct step *s = c->step;

    if (total >= 0 && total != c->size) { /* the server knows it, or better */
        atomic_fetch_add(&s->all_bytes, total - (c->size > 0 ? c->size : 0));
        if (c->size < 0)
            atomic_fetch_sub(&s->unknown, 1);
        c->size = total;
    }
    if (c->last >= 0 && done > c->last)
        atomic_fetch_add(&s->came, done - c->last);
    c->last = done;
    atomic_store(&s->bytes, c->before + done);
}

static void again(void *ctx, const char *text)
{
    struct counted *c = ctx;

    c->step->tell(c->step, text);
}

static int make_folder_of(const char *path, struct assay_err *err)
{
    char *dir = strdup(path), *slash = dir ? strrchr(dir, '/') : NULL;
    int rc = slash ? ASSAY_OK : no_memory(err);

    if (slash) {
        *slash = 0;
        rc = file_make_dirs(dir, err);
    }
    free(dir);
    return rc;
}

static void remove_empty_folder_of(char *path)
{
    char *slash = strrchr(path, '/');

    *slash = 0;
    rmdir(path);
    *slash = '/';
}

/* Its own folder keeps its name: an archive of one file names what is in it. */
static char *part_of(const struct shelf_entry *e, size_t i, const json_t *row)
{
    return text_format("%s/%zu/%s", e->parts, i, file_base(tree_text(row, "file", "")));
}

void step_urls(const struct step *s, const json_t *list, const char *urls[STEP_MAX_URLS + 1])
{
    size_t i, n = 0;
    json_t *v;

    json_array_foreach(list, i, v)
    {
        if (n < STEP_MAX_URLS && (!s->plan->ask.offline || fetch_url_is_file(json_string_value(v))))
            urls[n++] = json_string_value(v);
    }
    urls[n] = NULL;
}

/* Where it is: as the recipe says, or as the index of packages does. A new reference. */
static int urls_of(const struct step *s, const json_t *row, json_t **urls, char **cert,
                   struct assay_err *err)
{
    struct index_ask ask = {.package = tree_text(row, "pypi", NULL),
                            .file = file_base(tree_text(row, "file", "")),
                            .sha256 = tree_text(row, "sha256", ""),
                            .offline = s->plan->ask.offline,
                            .stop = s->stop};

    if (ask.package)
        return index_find(&ask, urls, cert, err);
    *urls = plan_urls(s->plan, row);
    return ASSAY_OK;
}

/* Behind what is said of a file that is not the one that was seen first. */
void step_say_first_seen(struct assay_err *err)
{
    char *config = file_config_dir();
    size_t n = strlen(err->text);

    snprintf(err->text + n, sizeof(err->text) - n,
             " (its publisher gives no digest: that of the file that came first is kept in "
             "%.200s/first-seen; if the publisher has changed it, remove that line)",
             config ? config : "the configuration folder");
    free(config);
}

static int fetch_one(struct step *s, const struct shelf_entry *e, size_t i, const json_t *row,
                     json_t *downloads, struct assay_err *err)
{
    struct counted counted = {s, atomic_load(&s->bytes),
                              tree_int(row, "bytes", recipe_size(json_object_get(row, "about"))),
                              -1};
    struct fetch_ask ask = {.bytes = tree_int(row, "bytes", -1),
                            .sha256 = tree_text(row, "sha256", NULL),
                            .md5 = tree_text(row, "md5", NULL),
                            .stop = s->stop,
                            .progress = count,
                            .again = again,
                            .ctx = &counted,
                            .retries = -1};
    const char *urls[STEP_MAX_URLS + 1],
        *own = json_string_value(json_array_get(recipe_urls(row), 0));
    struct fetch_result got = {.bytes = 0};
    char *path = part_of(e, i, row), *cert = NULL, known[HASH_HEX] = "";
    json_t *list = NULL;
    int rc = path ? urls_of(s, row, &list, &cert, err) : no_memory(err);

    step_urls(s, list, urls);
    ask.urls = urls;
    ask.cert = cert;
    if (!rc && !ask.sha256 && first_seen_find(own, known))
        ask.sha256 = known;
    if (!rc && path)
        rc = make_folder_of(path, err);
    /* Of no digest either it came whole before, and was not yet found wrong. */
    if (!rc && path && !ask.sha256 && !ask.md5 && file_exists(path) &&
        !fetch_check(path, ask.bytes, NULL, NULL, s->stop, &got, NULL)) {
        fetch_url_public(own, got.url, sizeof(got.url));
    } else if (!rc && path && (rc = fetch_file(&ask, path, &got, err))) {
        remove_empty_folder_of(path);
        if (*known && rc != ASSAY_ESTOP)
            step_say_first_seen(err);
    }
    if (!rc) {
        count(&counted, got.bytes, got.bytes);
        json_array_append_new(
            downloads, json_pack("{s:s, s:s, s:s, s:I, s:b}", "file", tree_text(row, "file", ""),
                                 "url", got.url, "sha256", got.sha256, "bytes",
                                 (json_int_t)got.bytes, "first_seen", (int)got.first_seen));
    }
    json_decref(list);
    free(cert);
    free(path);
    return rc;
}

/* The download stays beside, as another name of the file, until the entry is whole: what fails
 * after this goes on from there.  Where files have one name only, it is moved. */
int step_place(const char *part, const char *to, struct assay_err *err)
{
    int rc = make_folder_of(to, err);

    if (!rc && link(part, to) && rename(part, to))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be put in place", to);
    return rc;
}

/* From the folder of downloads into the entry: as it is, or what is in it. */
static int place(struct step *s, const struct shelf_entry *e, size_t i, const json_t *row,
                 struct assay_err *err)
{
    struct unpack_limits limits = {.stop = s->stop};
    const char *unpack = tree_text(row, "unpack", NULL), *text;
    char *part = part_of(e, i, row);
    char *to = file_join(e->dir, unpack ? unpack : tree_text(row, "file", ""));
    struct assay_err why = {0};
    int rc = part && to ? ASSAY_OK : no_memory(err);

    if (!rc && unpack) {
        /* Of the shelf's own name for it nothing but the file's is of use to a reader. */
        if ((rc = unpack_archive(part, to, &limits, &why))) {
            text = strstr(why.text, ": ");
            assay_fail(err, rc, "%.160s%s", file_base(part), text ? text : why.text);
        }
    } else if (!rc)
        rc = step_place(part, to, err);
    free(to);
    free(part);
    return rc;
}

static int fetch_all(struct step *s, const struct shelf_entry *e, json_t *downloads,
                     struct assay_err *err)
{
    int rc = ASSAY_OK;
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(s->node->body, "fetch"), i, row)
    {
        if (!rc)
            rc = json_object_get(row, "each") ? step_fetch_list(s, e, i, row, downloads, err)
                                              : fetch_one(s, e, i, row, downloads, err);
    }
    return rc;
}

static int place_all(struct step *s, const struct shelf_entry *e, struct assay_err *err)
{
    int rc = ASSAY_OK;
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(s->node->body, "fetch"), i, row)
    {
        if (!rc && !json_object_get(row, "each"))
            rc = place(s, e, i, row, err);
    }
    return rc;
}

/* Is there no digest of a row's file but that of the first one seen? */
static bool is_first_seen(const json_t *row)
{
    return !json_object_get(row, "each") && !json_object_get(row, "sha256");
}

/* What came and is what the recipe says of it. */
static int keep_first_seen(const struct step *s, const json_t *downloads, struct assay_err *err)
{
    int rc = ASSAY_OK;
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(s->node->body, "fetch"), i, row)
    {
        if (!rc && is_first_seen(row))
            rc = first_seen_add(json_string_value(json_array_get(recipe_urls(row), 0)),
                                tree_text(json_array_get(downloads, i), "sha256", ""), err);
    }
    return rc;
}

/* What came and is something else, perhaps a page that a network had in its place: with no digest
 * the next call could not tell either, so it is fetched anew then. */
static void drop_unknown(const struct step *s, const struct shelf_entry *e)
{
    char known[HASH_HEX], *part;
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(s->node->body, "fetch"), i, row)
    {
        const char *own = json_string_value(json_array_get(recipe_urls(row), 0));

        if (!is_first_seen(row) || json_object_get(row, "md5") || first_seen_find(own, known) ||
            !(part = part_of(e, i, row)))
            continue;
        unlink(part);
        remove_empty_folder_of(part);
        free(part);
    }
}

/* Making. */

static int run_parts(struct step *s, const char *out, const char *work, struct assay_err *err)
{
    static const char *const parts[] = {"build", "convert"};
    int rc = ASSAY_OK;

    for (size_t i = 0; !rc && i < 2; i++) {
        if (!json_object_get(s->node->body, parts[i]))
            continue;
        rc = step_run_programs(s, parts[i], out, work, err);
    }
    return rc;
}

/* What the recipe says of the files of an entry, there or yet in the making. */
static int check_files(struct step *s, const char *files, const char *shown, struct assay_err *err)
{
    int rc = check_outputs(s->node, files, shown, err);

    return rc ? rc : have_check(s->node->body, files, false, s->stop, err);
}

/* And what its programs say. */
static int check_by_programs(struct step *s, const char *files, const char *work,
                             struct assay_err *err)
{
    char checks[HASH_HEX];
    int rc = step_run_programs(s, "check", files, work, err);

    plan_checks_of(s->node, checks);
    if (!rc && *checks)
        shelf_note(files, checks);
    return rc;
}

/* Puts what came in place, and looks whether all of it is what the recipe says.  A check's program
 * can fail for reasons of its own: what was downloaded stays then. */
static int finish_entry(struct step *s, const struct shelf_entry *e, const char *work,
                        json_t *downloads, struct assay_err *err)
{
    struct plan_node *n = s->node;
    bool only_downloads = strchr(n->id, ':') != NULL;
    int rc = n->fetches ? place_all(s, e, err) : ASSAY_OK;

    if (!rc && !only_downloads)
        rc = check_files(s, e->dir, "what was made", err);
    if (rc && rc != ASSAY_ESTOP && n->fetches)
        drop_unknown(s, e);
    if (!rc && !only_downloads)
        rc = check_by_programs(s, e->dir, work, err);
    if (!rc && n->fetches)
        rc = keep_first_seen(s, downloads, err);
    return rc;
}

/* Everything between begin and commit. */
static int fill_entry(struct step *s, const struct shelf_entry *e, json_t *downloads,
                      struct assay_err *err)
{
    struct work work = {NULL, -1};
    int rc = enter_work(s, &work, err);

    if (!rc)
        rc = s->node->fetches ? fetch_all(s, e, downloads, err)
                              : run_parts(s, e->dir, work.dir, err);
    if (!rc)
        rc = finish_entry(s, e, work.dir, downloads, err);
    work_end(&work, false);
    return rc;
}

/* What is on the shelf was made when the recipe said something else of it, or by another recipe of
 * the same downloads. */
static int check_again(struct step *s, struct assay_err *err)
{
    struct assay_err why = {0};
    struct work work = {NULL, -1};
    char checks[HASH_HEX];
    int rc;

    plan_checks_of(s->node, checks);
    if (!*checks || shelf_is_noted(s->node->root, checks))
        return ASSAY_OK;
    if (!(rc = enter_work(s, &work, &why)))
        rc = check_files(s, s->node->root, "what was fetched", &why);
    if (!rc)
        rc = check_by_programs(s, s->node->root, work.dir, &why);
    work_end(&work, false);
    if (!rc || rc == ASSAY_ESTOP)
        return rc ? assay_fail(err, rc, "%s", why.text) : rc;
    return assay_fail(err, rc, "%.440s (it was there before, and is not as its recipe says now)",
                      why.text);
}

/* Makes the entry, unless another process has made it meanwhile. */
static int make_entry(struct step *s, struct assay_err *err)
{
    json_t *downloads = s->node->fetches ? json_array() : NULL, *meta;
    struct shelf_entry e;
    int rc;

    if (shelf_is_busy(&s->plan->shelf, s->node->key))
        atomic_store(&s->phase, STEP_WAITS);
    rc = shelf_begin(&s->plan->shelf, s->node->key, s->stop, &e, err);
    if (!rc && !e.found)
        atomic_store(&s->phase, STEP_WORKS);
    if (!rc && e.found) {
        s->by_other = true;
    } else if (!rc) {
        rc = fill_entry(s, &e, downloads, err);
        if (!rc) {
            meta = meta_of(s, downloads);
            rc = shelf_commit(&s->plan->shelf, &e, meta, err);
            json_decref(meta);
        } else {
            shelf_abandon(&e);
        }
    }
    json_decref(downloads);
    return rc;
}

/* Makes it and holds it: nobody prunes it while others are made of it.  Somebody may have done so
 * before it was held; then it is made again. */
static int make_and_hold(struct step *s, struct assay_err *err)
{
    const struct shelf *shelf = &s->plan->shelf;
    char *files = NULL;
    int rc;

    for (int tries = 0; tries < MAX_TRIES; tries++) {
        rc = make_entry(s, err);
        if (!rc)
            rc = shelf_hold(shelf, s->node->key, &s->hold, err);
        if (!rc)
            rc = shelf_find(shelf, s->node->key, &files, NULL, err);
        if (rc || files) {
            free(files);
            return rc;
        }
        shelf_let_go(shelf, s->node->key, s->hold);
        s->hold = -1;
        s->by_other = false;
        atomic_store(&s->bytes, 0);
    }
    return assay_fail(err, ASSAY_EFAIL,
                      "it was removed %d times as soon as it was made: something empties %s",
                      MAX_TRIES, shelf->dir);
}

static int do_it(struct step *s, struct assay_err *err)
{
    int rc = ASSAY_OK;

    if (s->node->state == PLAN_MAKE)
        rc = make_and_hold(s, err);
    else
        atomic_store(&s->phase, STEP_WORKS);
    if (s->node->state == PLAN_VERIFY)
        return verify(s, err);
    return rc ? rc : check_again(s, err);
}

/* Every error says which recipe it is about. */
int step_do(struct step *s, struct assay_err *err)
{
    struct assay_err why = {0};
    size_t n = strlen(s->node->id);
    int rc = do_it(s, &why);
    bool named = !strncmp(why.text, s->node->id, n) && why.text[n] == ':';

    return rc ? assay_fail(err, rc, "%s%s%s", named ? "" : s->node->id, named ? "" : ": ", why.text)
              : rc;
}

/* Finds runs' logs below a folder and takes each into the store: see logs.h. */
#include "submit/logs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/tree.h"
#include "load/rounds.h"
#include "record/record.h"
#include "record/system.h"
#include "submit/log_run.h"

#define DETAIL       "mlperf_log_detail.txt"
#define SUMMARY      "mlperf_log_summary.txt"
#define ACCURACY     "mlperf_log_accuracy.json"
#define MAX_DEPTH    24
#define MOST_FOLDERS 100000 /* a wrong folder must not send us through a whole disk */
#define DETAIL_BYTES ((int64_t)1 << 30)
#define OTHER_BYTES  ((int64_t)1 << 33)

struct taking {
    const char *store;
    const struct submit_logs_ask *ask;
    json_t *known; /* SHA-256 of a detail log -> the record that has it */
    json_t *result, *imported, *duplicates, *failed; /* the latter three belong to result */
    size_t folders;
    struct assay_err *err;
};

static void fail_one(struct taking *t, const char *dir, const struct assay_err *why)
{
    json_array_append_new(t->failed, json_pack("{s:o, s:o}", "folder", tree_string(dir), "error",
                                               tree_string(why->text)));
}

/* ---- one run ---- */

/* A file that LoadGen wrote, perhaps by way of a link; a pipe would make us wait. */
static int check_file(const char *path, int64_t most, struct assay_err *err)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be read: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return assay_fail(err, ASSAY_EFAIL, "%s: is no file", path);
    if (st.st_size > most)
        return assay_fail(err, ASSAY_EFAIL, "%s: is larger than the %lld MiB allowed here", path,
                          (long long)most >> 20);
    return ASSAY_OK;
}

static int copy_file(const char *from, const char *to, struct assay_err *err)
{
    struct file_whole w;
    char *block = malloc(1 << 20);
    ssize_t n = 0;
    int fd = block ? open(from, O_RDONLY | O_CLOEXEC) : -1, rc;

    if (fd < 0) {
        free(block);
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be opened: %s", from, strerror(errno));
    }
    rc = file_whole_begin(&w, to, err);
    while (!rc && ((n = read(fd, block, 1 << 20)) > 0 || (n < 0 && errno == EINTR)))
        if (n > 0)
            rc = file_whole_write(&w, block, (size_t)n, err);
    if (!rc && n < 0)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be read: %s", from, strerror(errno));
    if (!rc)
        rc = file_whole_commit(&w, err);
    if (rc)
        file_whole_abandon(&w);
    close(fd);
    free(block);
    return rc;
}

/* Those that are there; the detail log is.  accuracy.txt is the official script's word beside it.
 */
static int copy_logs(const char *dir, const struct record_draft *d, struct assay_err *err)
{
    static const char *const names[] = {DETAIL, SUMMARY, ACCURACY, "accuracy.txt"};
    int rc = ASSAY_OK;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !rc; i++) {
        char *from = file_join(dir, names[i]), *to = file_join(d->dir, names[i]);

        if (!from || !to)
            rc = assay_fail(err, ASSAY_EFAIL, "%s: not enough memory to read it", dir);
        else if (!i || file_exists(from))
            rc = check_file(from, OTHER_BYTES, err);
        if (!rc && file_exists(from))
            rc = copy_file(from, to, err);
        free(from);
        free(to);
    }
    return rc;
}

static void remember(struct taking *t, const char *hex, const char *dir, const json_t *record)
{
    json_object_set(t->known, hex, json_object_get(record, "id"));
    json_array_append_new(
        t->imported,
        json_pack("{s:O, s:o, s:O, s:O, s:O, s:O}", "id", json_object_get(record, "id"), "folder",
                  tree_string(dir), "benchmark", json_object_get(record, "benchmark"), "scenario",
                  json_object_get(record, "scenario"), "mode", json_object_get(record, "mode"),
                  "verdict", json_object_get(json_object_get(record, "verdict"), "word")));
}

/* An error return is of the store; of the logs it is among the failed. */
static int store_run(struct taking *t, const char *dir, const char *hex, json_t *record)
{
    struct record_draft d;
    struct assay_err why = {0};
    char now[32];
    int rc;

    if (t->ask->dry) {
        json_object_set_new(record, "id", json_string(""));
        remember(t, hex, dir, record);
        return ASSAY_OK;
    }
    if ((rc = record_begin(t->store, &d, t->err)))
        return rc;
    clock_utc(now);
    json_object_set_new(record, "foreign",
                        json_pack("{s:o, s:s, s:s}", "file",
                                  tree_string(t->ask->origin ? t->ask->origin : dir), "sha256", hex,
                                  "imported", now));
    if (copy_logs(dir, &d, &why)) {
        record_abandon(&d);
        fail_one(t, dir, &why);
        return ASSAY_OK;
    }
    rc = record_commit(&d, record, t->err);
    if (!rc)
        remember(t, hex, dir, record);
    return rc;
}

static int take_run(struct taking *t, const char *dir, const char *path)
{
    char hex[HASH_HEX];
    struct assay_err why = {0};
    struct detail d = {0};
    json_t *record = NULL, *there;
    int rc = check_file(path, DETAIL_BYTES, &why);

    if (!rc)
        rc = hash_file(path, hex, &why);
    if (!rc && (there = json_object_get(t->known, hex))) {
        json_array_append_new(t->duplicates,
                              json_pack("{s:O, s:o}", "id", there, "folder", tree_string(dir)));
        return ASSAY_OK;
    }
    if (!rc)
        rc = detail_read(path, &d, &why);
    if (!rc)
        rc = log_record(t->ask, dir, &d, &record, &why);
    detail_release(&d);
    if (rc)
        fail_one(t, dir, &why);
    rc = rc ? ASSAY_OK : store_run(t, dir, hex, record);
    json_decref(record);
    return rc;
}

/* ---- the walk ---- */

static int visit(struct taking *t, const char *dir, int depth);

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted names of what lies in a folder, but hidden ones; each and the list for free(). */
static char **names_in(const char *dir, size_t *n, struct assay_err *err)
{
    DIR *d = opendir(dir);
    char **names = NULL, **more;
    struct dirent *e;

    *n = 0;
    if (!d) {
        assay_fail(err, ASSAY_EFAIL, "%s: cannot be read: %s", dir, strerror(errno));
        return NULL;
    }
    while ((e = readdir(d))) {
        if (e->d_name[0] == '.')
            continue;
        more = realloc(names, (*n + 1) * sizeof(*names));
        if (more)
            names = more;
        if (!more || !(names[*n] = strdup(e->d_name)))
            break;
        ++*n;
    }
    closedir(d);
    if (*n)
        qsort(names, *n, sizeof(*names), by_name);
    return names;
}

static int visit_entry(struct taking *t, const char *path, int depth)
{
    struct assay_err why;
    struct stat st, there;

    if (lstat(path, &st) < 0)
        return ASSAY_OK; /* it went away */
    if (S_ISDIR(st.st_mode))
        return visit(t, path, depth + 1);
    if (S_ISLNK(st.st_mode) && (stat(path, &there) < 0 ? errno == ELOOP : S_ISDIR(there.st_mode))) {
        assay_fail(&why, ASSAY_EFAIL,
                   "%s: is a link to a folder, which is not followed: give that folder itself",
                   path);
        fail_one(t, path, &why);
    }
    return ASSAY_OK;
}

static int visit_below(struct taking *t, const char *dir, int depth)
{
    struct assay_err why = {0};
    char **names, *path;
    size_t n;
    int rc = ASSAY_OK;

    names = names_in(dir, &n, &why);
    if (!names && why.code)
        fail_one(t, dir, &why);
    for (size_t i = 0; i < n; i++) {
        path = rc ? NULL : file_join(dir, names[i]);
        if (path)
            rc = visit_entry(t, path, depth);
        free(path);
        free(names[i]);
    }
    free(names);
    return rc;
}

static int visit(struct taking *t, const char *dir, int depth)
{
    char *detail = file_join(dir, DETAIL), *summary = file_join(dir, SUMMARY);
    struct assay_err why = {0};
    struct stat st;
    int rc = ASSAY_OK;

    if (!detail || !summary)
        rc = assay_fail(t->err, ASSAY_EFAIL, "%s: not enough memory to read it", dir);
    else if (++t->folders > MOST_FOLDERS)
        rc = assay_fail(
            t->err, ASSAY_EUSAGE,
            "%s: more than %d folders were looked through: give the folder of the results", dir,
            MOST_FOLDERS);
    else if (!lstat(detail, &st))
        rc = take_run(t, dir, detail);
    else if (!lstat(summary, &st))
        assay_fail(&why, ASSAY_EFAIL, "%s: has no " DETAIL ", which a run is judged by", dir);
    else if (depth >= MAX_DEPTH)
        assay_fail(&why, ASSAY_EFAIL, "%s: lies too deep: give a folder nearer to it", dir);
    else
        rc = visit_below(t, dir, depth);
    if (why.code)
        fail_one(t, dir, &why);
    free(detail);
    free(summary);
    return rc;
}

/* ---- what the store has ---- */

static int read_known(struct taking *t)
{
    json_t *rows = NULL, *row, *record, *log;
    size_t i;
    int rc = record_list(t->store, &rows, t->err);

    t->known = json_object();
    json_array_foreach(rows, i, row)
    {
        char *path = text_format("%s/runs/%s/record.json", t->store, tree_text(row, "id", ""));

        if (path && !tree_read_json(path, &record, NULL)) {
            log = json_object_get(json_object_get(record, "files"), DETAIL);
            if (tree_text(log, "sha256", NULL))
                json_object_set(t->known, tree_text(log, "sha256", ""),
                                json_object_get(record, "id"));
            json_decref(record);
        }
        free(path);
    }
    json_decref(rows);
    return rc;
}

/* What would be wrong with every run is said once, before any is taken. */
static int check_ask(const struct submit_logs_ask *ask, const char *folder, struct assay_err *err)
{
    const char *rounds = ask->round ? load_round_allowed(ask->round) : NULL;
    json_t *facts;
    int rc = ASSAY_OK;

    if (rounds)
        return assay_fail(err, ASSAY_EUSAGE, "round '%s' is not one of %s", ask->round, rounds);
    if (ask->benchmark && !log_benchmark(ask->benchmark, true))
        return assay_fail(
            err, ASSAY_EUSAGE,
            "benchmark '%s' is not known here: `assay benchmarks` lists ours; a round's "
            "names are taken too",
            ask->benchmark);
    if (!file_is_dir(folder))
        return assay_fail(err, ASSAY_EUSAGE,
                          "%s: is no folder; give the one that LoadGen wrote its logs to, or one "
                          "above it",
                          folder);
    if (ask->system) {
        facts = json_object();
        rc = system_declare(facts, ask->system, err);
        json_decref(facts);
    }
    return rc;
}

int submit_take_logs(const char *store, const char *folder, const struct submit_logs_ask *ask,
                     json_t **result, struct assay_err *err)
{
    struct taking t = {.store = store, .ask = ask, .err = err};
    char *full = file_absolute(folder);
    int rc = full ? check_ask(ask, folder, err)
                  : assay_fail(err, ASSAY_EFAIL, "%s: not enough memory to read it", folder);

    *result = NULL;
    if (!rc)
        rc = read_known(&t);
    if (!rc) {
        t.result = json_pack("{s:o, s:[], s:[], s:[]}", "folder", tree_string(full), "imported",
                             "duplicates", "failed");
        t.imported = json_object_get(t.result, "imported");
        t.duplicates = json_object_get(t.result, "duplicates");
        t.failed = json_object_get(t.result, "failed");
        rc = visit(&t, full, 0);
        if (!rc && !json_array_size(t.imported) && !json_array_size(t.duplicates) &&
            !json_array_size(t.failed))
            rc = assay_fail(
                err, ASSAY_EUSAGE,
                "%s: holds no logs of LoadGen: neither it nor a folder below it has a " DETAIL,
                folder);
    }
    json_decref(t.known);
    free(full);
    if (rc && !json_array_size(t.imported)) {
        json_decref(t.result);
        t.result = NULL;
    }
    *result = t.result;
    return rc;
}

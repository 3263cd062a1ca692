/* The SQLite index of a store: see store.h for how it relates to the folders.
 *
 * Layout 2 (PRAGMA user_version), application id "ASSY".  WAL mode: readers do not wait for a
 * writer; writers wait for each other at most BUSY_MS.  Where the file system has no WAL (some
 * network ones), SQLite keeps its rollback journal, and everything here still holds. */
#include "record/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/tree.h"
#include "record/record.h"

#define LAYOUT  2
#define APP_ID  0x41535359
#define BUSY_MS 30000

enum column_kind { COLUMN_TEXT, COLUMN_REAL, COLUMN_VERDICT, COLUMN_SYNTHETIC };

/* One row a column: where in a record its value is.  `second` is looked at when the first has
 * nothing. */
static const struct column {
    const char *name;
    int kind;
    const char *at, *second;
} columns[] = {
    {"id", COLUMN_TEXT, "id", NULL},
    {"created", COLUMN_TEXT, "created", NULL},
    {"benchmark", COLUMN_TEXT, "benchmark", NULL},
    {"model", COLUMN_TEXT, "model.name", NULL},
    {"engine", COLUMN_TEXT, "engine.name", NULL},
    {"device", COLUMN_TEXT, "engine.device", NULL},
    {"precision", COLUMN_TEXT, "engine.precision", "model.precision"},
    {"scenario", COLUMN_TEXT, "scenario", NULL},
    {"mode", COLUMN_TEXT, "mode", NULL},
    {"profile", COLUMN_TEXT, "profile", NULL},
    {"verdict", COLUMN_VERDICT, NULL, NULL},
    {"metric", COLUMN_TEXT, "performance.metric", NULL},
    {"value", COLUMN_REAL, "performance.value", NULL},
    {"unit", COLUMN_TEXT, "performance.unit", NULL},
    {"accuracy", COLUMN_REAL, "accuracy.value", NULL},
    {"synthetic", COLUMN_SYNTHETIC, NULL, NULL},
    {"tag", COLUMN_TEXT, "tag", NULL},
    {"committed", COLUMN_TEXT, "committed", NULL}, /* settles the order within one second */
    {"origin", COLUMN_TEXT, "foreign.file", NULL}, /* null: made here */
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static const char create_sql[] =
    "CREATE TABLE runs (id TEXT PRIMARY KEY, created TEXT, benchmark TEXT, model TEXT, engine TEXT,"
    " device TEXT, precision TEXT, scenario TEXT, mode TEXT, profile TEXT, verdict TEXT, metric "
    "TEXT,"
    " value REAL, unit TEXT, accuracy REAL, synthetic INTEGER, tag TEXT, committed TEXT,"
    " origin TEXT);"
    "CREATE INDEX runs_created ON runs (created, committed);";
static const char insert_sql[] =
    "INSERT OR REPLACE INTO runs VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

void store_warn(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fputs("assay: warning: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
}

bool store_is_id(const char *name)
{
    return strlen(name) == 16 && strspn(name, "0123456789abcdef") == 16;
}

/* SQLite calls a full disk an "I/O error"; the system's own word says which. */
static int fail(const struct store *s, const char *doing, struct assay_err *err)
{
    int why = s->db ? sqlite3_system_errno(s->db) : ENOMEM;
    int code = s->db ? sqlite3_errcode(s->db) & 0xff : SQLITE_IOERR;
    bool system = why && (code == SQLITE_IOERR || code == SQLITE_CANTOPEN || code == SQLITE_FULL);

    return assay_fail(err, ASSAY_EFAIL, "%s/index.sqlite: %s: %s", s->dir, doing,
                      system ? strerror(why) : sqlite3_errmsg(s->db));
}

static int run_sql(struct store *s, const char *sql, const char *doing, struct assay_err *err)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? ASSAY_OK : fail(s, doing, err);
}

/* The member at "a.b", or NULL. */
static const json_t *member(const json_t *record, const char *at)
{
    const char *dot = strchr(at, '.');
    char first[32];

    if (!dot)
        return json_object_get(record, at);
    snprintf(first, sizeof(first), "%.*s", (int)(dot - at), at);
    return json_object_get(json_object_get(record, first), dot + 1);
}

/* The verdict's word; what a run without one says instead is its status, in capitals. */
static const char *verdict_word(const json_t *record)
{
    const char *word = json_string_value(member(record, "verdict.word"));
    const char *status = json_string_value(json_object_get(record, "status"));

    if (status && !strcmp(status, "error"))
        return "ERROR";
    if (status && !strcmp(status, "interrupted"))
        return "INTERRUPTED";
    return word;
}

/* Null where neither is and one is not known. */
static void bind_synthetic(sqlite3_stmt *q, int i, const json_t *weights, const json_t *samples)
{
    if (!json_is_true(weights) && !json_is_true(samples) &&
        (json_is_null(weights) || json_is_null(samples)))
        sqlite3_bind_null(q, i);
    else
        sqlite3_bind_int(q, i, json_is_true(weights) || json_is_true(samples));
}

static void bind_column(sqlite3_stmt *q, int i, const struct column *c, const json_t *record)
{
    const json_t *v = c->at ? member(record, c->at) : NULL;
    const char *text;

    if (c->second && !json_is_string(v))
        v = member(record, c->second);
    switch (c->kind) {
    case COLUMN_REAL:
        if (json_is_number(v))
            sqlite3_bind_double(q, i, json_number_value(v));
        break;
    case COLUMN_SYNTHETIC:
        bind_synthetic(q, i, member(record, "synthetic.weights"),
                       member(record, "synthetic.samples"));
        break;
    default:
        text = c->kind == COLUMN_VERDICT ? verdict_word(record) : json_string_value(v);
        sqlite3_bind_text(q, i, text, -1, SQLITE_TRANSIENT); /* NULL binds as null */
    }
}

int store_add(struct store *s, const json_t *record, struct assay_err *err)
{
    sqlite3_stmt *q = NULL;
    size_t i;
    int rc = ASSAY_OK;

    if (sqlite3_prepare_v2(s->db, insert_sql, -1, &q, NULL) != SQLITE_OK)
        return fail(s, "cannot enter a record", err);
    for (i = 0; i < COLUMNS; i++)
        bind_column(q, (int)i + 1, &columns[i], record);
    if (sqlite3_step(q) != SQLITE_DONE)
        rc = fail(s, "cannot enter a record", err);
    sqlite3_finalize(q);
    return rc;
}

static json_t *column_value(sqlite3_stmt *q, int i, const struct column *c)
{
    if (sqlite3_column_type(q, i) == SQLITE_NULL)
        return json_null();
    if (c->kind == COLUMN_REAL)
        return json_real(sqlite3_column_double(q, i));
    if (c->kind == COLUMN_SYNTHETIC)
        return json_boolean(sqlite3_column_int(q, i));
    return json_string((const char *)sqlite3_column_text(q, i));
}

int store_list(struct store *s, json_t **rows, struct assay_err *err)
{
    static const char sql[] = "SELECT * FROM runs ORDER BY created DESC, committed DESC, id";
    json_t *list = json_array(), *row;
    sqlite3_stmt *q = NULL;
    int i, step = SQLITE_DONE;

    if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) != SQLITE_OK ||
        sqlite3_column_count(q) != (int)COLUMNS)
        step = SQLITE_ERROR;
    while (step != SQLITE_ERROR && (step = sqlite3_step(q)) == SQLITE_ROW) {
        row = json_object();
        for (i = 0; i < (int)COLUMNS; i++)
            json_object_set_new(row, columns[i].name, column_value(q, i, &columns[i]));
        json_array_append_new(list, row);
    }
    sqlite3_finalize(q);
    if (step != SQLITE_DONE) {
        json_decref(list);
        return fail(s, "cannot be read", err);
    }
    *rows = list;
    return ASSAY_OK;
}

/* Reads <dir>/runs/<id>/record.json; NULL when there is none that belongs to this folder. */
static json_t *read_record(const char *dir, const char *id)
{
    char path[1200];
    json_t *record = NULL;

    snprintf(path, sizeof(path), "%s/runs/%s/record.json", dir, id);
    if (tree_read_json(path, &record, NULL))
        return NULL;
    if (strcmp(tree_text(record, "id", ""), id)) {
        json_decref(record);
        return NULL;
    }
    return record;
}

/* Enters every folder of runs/ whose id is not a key of `known`. */
static int add_folders(struct store *s, const json_t *known, uint64_t *count, struct assay_err *err)
{
    char runs[1100], first[17] = "";
    struct dirent *e;
    uint64_t bad = 0, good = 0;
    json_t *record;
    DIR *d;
    int rc = ASSAY_OK;

    snprintf(runs, sizeof(runs), "%s/runs", s->dir);
    d = opendir(runs);
    if (!d)
        return errno == ENOENT
                   ? ASSAY_OK
                   : assay_fail(err, ASSAY_EFAIL, "%s: cannot be read: %s", runs, strerror(errno));
    while (!rc && (e = readdir(d))) {
        if (!store_is_id(e->d_name) || json_object_get(known, e->d_name))
            continue;
        record = read_record(s->dir, e->d_name);
        if (record) {
            rc = store_add(s, record, err);
            good++;
            json_decref(record);
        } else if (!bad++) {
            snprintf(first, sizeof(first), "%.16s", e->d_name);
        }
    }
    closedir(d);
    if (bad)
        store_warn("%s/%s holds no readable record.json%s; left out of the list", runs, first,
                   bad > 1 ? ", nor do others" : "");
    if (count)
        *count = good;
    return rc;
}

static int drop_row(struct store *s, const char *id, struct assay_err *err)
{
    char sql[80];

    snprintf(sql, sizeof(sql), "DELETE FROM runs WHERE id = '%.16s'", id);
    return run_sql(s, sql, "cannot drop a row", err);
}

int store_sync(struct store *s, json_t **gone, struct assay_err *err)
{
    json_t *known = NULL, *dropped = json_array(), *row = NULL;
    char path[1200];
    const char *id;
    size_t i;
    int rc;

    /* Rows first, folders second: a folder is there before its row, so a row without one is really
     * stale. */
    rc = store_list(s, &row, err);
    if (!rc)
        known = json_object();
    for (i = 0; !rc && i < json_array_size(row); i++) {
        id = tree_text(json_array_get(row, i), "id", "");
        json_object_set_new(known, id, json_true());
        snprintf(path, sizeof(path), "%s/runs/%s", s->dir, id);
        if (file_is_dir(path) || !store_is_id(id))
            continue;
        rc = drop_row(s, id, err);
        json_array_append_new(dropped, json_string(id));
    }
    if (!rc)
        rc = add_folders(s, known, NULL, err);
    if (!rc && gone)
        *gone = json_incref(dropped);
    json_decref(known);
    json_decref(row);
    json_decref(dropped);
    return rc;
}

static int pragma(struct store *s, const char *name, char *out, size_t size)
{
    sqlite3_stmt *q = NULL;
    char sql[64];
    int rc = ASSAY_EFAIL;

    snprintf(sql, sizeof(sql), "PRAGMA %s", name);
    if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) == SQLITE_OK &&
        sqlite3_step(q) == SQLITE_ROW) {
        snprintf(out, size, "%s", (const char *)sqlite3_column_text(q, 0));
        rc = ASSAY_OK;
    }
    sqlite3_finalize(q);
    return rc;
}

enum state { STATE_GOOD, STATE_MISSING, STATE_OLD, STATE_DAMAGED, STATE_REFUSED, STATE_UNREADABLE };

static int open_db(struct store *s, const char *path, int flags)
{
    int rc = sqlite3_open_v2(path, &s->db, flags | SQLITE_OPEN_NOMUTEX, NULL);

    if (rc == SQLITE_OK)
        sqlite3_busy_timeout(s->db, BUSY_MS);
    return rc;
}

static void close_db(struct store *s)
{
    sqlite3_close(s->db);
    s->db = NULL;
}

/* What an opened file is.  Only one that is not ours, or that cannot be judged at all, is refused:
 * to throw away a file that another program made would be worse than to stop. */
static int judge_db(struct store *s, struct assay_err *err)
{
    char app[32], layout[32], tables[32], check[256];
    int code;

    if (pragma(s, "application_id", app, sizeof(app)) ||
        pragma(s, "user_version", layout, sizeof(layout)) ||
        pragma(s, "schema_version", tables, sizeof(tables)) ||
        pragma(s, "quick_check(1)", check, sizeof(check))) {
        code = sqlite3_errcode(s->db);
        if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
            return STATE_DAMAGED;
        fail(s, "cannot be read", err);
        return STATE_UNREADABLE; /* busy, no room for SQLite's own files, no permission */
    }
    if (strtol(app, NULL, 10) != APP_ID && !strtol(tables, NULL, 10))
        return STATE_MISSING; /* an empty file */
    if (strtol(app, NULL, 10) != APP_ID) {
        assay_fail(
            err, ASSAY_EFAIL,
            "%s/index.sqlite: is a database of another program; move it away, or choose another "
            "folder with --store",
            s->dir);
        return STATE_REFUSED;
    }
    if (strtol(layout, NULL, 10) > LAYOUT) {
        assay_fail(
            err, ASSAY_EFAIL,
            "%s/index.sqlite: was made by a newer Assay (layout %s, this one knows %d); use that "
            "one, or choose another folder with --store",
            s->dir, layout, LAYOUT);
        return STATE_REFUSED;
    }
    if (strcmp(check, "ok"))
        return STATE_DAMAGED;
    return strtol(layout, NULL, 10) < LAYOUT ? STATE_OLD : STATE_GOOD;
}

static int open_and_judge(struct store *s, struct assay_err *err)
{
    char path[1100];
    int state;

    snprintf(path, sizeof(path), "%s/index.sqlite", s->dir);
    if (!file_exists(path))
        return STATE_MISSING;
    if (open_db(s, path, SQLITE_OPEN_READWRITE) != SQLITE_OK) {
        fail(s, "cannot be opened", err);
        state = STATE_UNREADABLE;
    } else {
        state = judge_db(s, err);
    }
    if (state != STATE_GOOD)
        close_db(s);
    return state;
}

/* Creates the table in an open, empty database and fills it. */
static int fill_db(struct store *s, uint64_t *count, struct assay_err *err)
{
    char mark[80];
    int rc;

    snprintf(mark, sizeof(mark), "PRAGMA application_id=%d; PRAGMA user_version=%d", APP_ID,
             LAYOUT);
    rc = run_sql(s, "BEGIN IMMEDIATE", "cannot be written", err);
    if (!rc)
        rc = run_sql(s, mark, "cannot be written", err);
    if (!rc)
        rc = run_sql(s, create_sql, "cannot be written", err);
    if (!rc)
        rc = add_folders(s, NULL, count, err);
    if (!rc)
        rc = run_sql(s, "COMMIT", "cannot be written", err);
    return rc;
}

/* Under the exclusive lock. */
static int make_again(struct store *s, uint64_t *count, struct assay_err *err)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    char path[1100], part[1110];
    size_t i;

    snprintf(path, sizeof(path), "%s/index.sqlite", s->dir);
    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        snprintf(part, sizeof(part), "%s%s", path, ends[i]);
        if (unlink(part) < 0 && errno != ENOENT)
            return assay_fail(err, ASSAY_EFAIL, "%s: cannot be replaced: %s", part,
                              strerror(errno));
    }
    if (open_db(s, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) != SQLITE_OK)
        return fail(s, "cannot be made", err);
    if (run_sql(s, "PRAGMA journal_mode=WAL", "cannot be made", err))
        return ASSAY_EFAIL;
    return fill_db(s, count, err);
}

/* Somebody else may have made the index again while we waited for the lock: so it is judged anew.
 */
static int repair(struct store *s, struct assay_err *err)
{
    uint64_t count = 0;
    int state, rc;

    flock(s->lock, LOCK_UN);
    if (flock(s->lock, LOCK_EX) < 0)
        return assay_fail(err, ASSAY_EFAIL, "%s/index.lock: %s", s->dir, strerror(errno));
    state = open_and_judge(s, err);
    if (state >= STATE_REFUSED)
        return ASSAY_EFAIL;
    rc = state == STATE_GOOD ? ASSAY_OK : make_again(s, &count, err);
    if (!rc && (state == STATE_DAMAGED || count))
        store_warn("%s/index.sqlite was %s; made again from the folders: %llu record%s", s->dir,
                   state == STATE_DAMAGED ? "damaged"
                   : state == STATE_OLD   ? "of an older Assay"
                                          : "missing",
                   (unsigned long long)count, count == 1 ? "" : "s");
    if (!rc)
        flock(s->lock, LOCK_SH);
    return rc;
}

static int open_in_memory(struct store *s, struct assay_err *err)
{
    if (open_db(s, ":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) != SQLITE_OK)
        return fail(s, "cannot be opened", err);
    return fill_db(s, NULL, err);
}

static int open_lock(struct store *s, const char *dir)
{
    char path[1100];

    memset(s, 0, sizeof(*s));
    snprintf(s->dir, sizeof(s->dir), "%s", dir);
    snprintf(path, sizeof(path), "%s/index.lock", dir);
    s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    return s->lock;
}

int store_open(struct store *s, const char *dir, int access_wanted, struct assay_err *err)
{
    int state = STATE_UNREADABLE, rc = ASSAY_EFAIL, lock = open_lock(s, dir), why = errno;

    /* access(2) covers the read-only mount, which may have an index.lock that still opens. */
    if (lock >= 0 && access(dir, W_OK) < 0) {
        why = errno;
        lock = -1;
    }
    if (lock < 0) {
        assay_fail(
            err, ASSAY_EFAIL,
            "%s: the store cannot be written: %s; make it writable, or choose another folder "
            "with --store",
            dir, strerror(why));
    } else if (flock(lock, LOCK_SH) < 0) {
        assay_fail(err, ASSAY_EFAIL, "%s/index.lock: %s", dir, strerror(errno));
    } else {
        state = open_and_judge(s, err);
        if (state < STATE_REFUSED)
            rc = state == STATE_GOOD ? ASSAY_OK : repair(s, err);
    }
    if (rc && state != STATE_REFUSED && access_wanted == STORE_READ) {
        close_db(s);
        rc = open_in_memory(s, err);
    }
    if (rc)
        store_close(s);
    return rc;
}

void store_close(struct store *s)
{
    close_db(s);
    if (s->lock >= 0)
        close(s->lock);
    s->lock = -1;
}

int store_rebuild(const char *dir, uint64_t *count, struct assay_err *err)
{
    struct store s;
    int rc, state, lock = open_lock(&s, dir);

    if (lock < 0 || flock(lock, LOCK_EX) < 0) {
        rc = assay_fail(err, ASSAY_EFAIL, "%s/index.lock: %s", dir, strerror(errno));
    } else {
        state = open_and_judge(&s, err);
        close_db(&s);
        rc = state >= STATE_REFUSED ? ASSAY_EFAIL : make_again(&s, count, err);
    }
    store_close(&s);
    return rc;
}

/* Drafts, records, the store's index, and what happens when things go wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/tree.h"
#include "record/record.h"

static char store[] = "/tmp/assay-record-XXXXXX";
static char stderr_text[4096];

static int setup(void **state)
{
    (void)state;
    strcpy(store + strlen(store) - 6, "XXXXXX");
    return mkdtemp(store) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return file_remove_tree(store, NULL);
}

static const char *below(const char *name)
{
    static char path[4][1200];
    static int turn;

    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", store, name);
    return path[turn];
}

static json_t *run_tree(int n)
{
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:{s:s}, s:{s:s, s:s}, s:{s:s, s:f, s:s}, s:{s:s, s:b}, "
        "s:{s:b, s:b}, s:s}",
        "benchmark", "resnet50", "profile", "quick", "scenario", "Offline", "mode", "performance",
        "status", "done", "model", "name", "resnet50", "engine", "name", "null", "device", "cpu",
        "performance", "metric", "throughput", "value", 100.5 + n, "unit", "samples/s", "verdict",
        "word", "QUICK-VALID", "valid", 1, "synthetic", "weights", 1, "samples", 0, "tag",
        "a 'tag'");
}

/* One whole record; its id goes to id. */
static int make_record(int n, char id[17], struct assay_err *err)
{
    struct record_draft d;
    json_t *tree = run_tree(n);
    char path[1200];
    int rc = record_begin(store, &d, err);

    if (!rc) {
        snprintf(path, sizeof(path), "%s/sub", d.dir);
        rc = file_make_dirs(path, err);
    }
    if (!rc) {
        snprintf(path, sizeof(path), "%s/sub/latency.bin", d.dir);
        rc = file_write_whole(path, "12345678", 8, err);
    }
    if (!rc)
        rc = record_commit(&d, tree, err);
    if (!rc && id)
        strcpy(id, d.id);
    json_decref(tree);
    return rc;
}

static size_t list_count(void)
{
    struct assay_err err = {0};
    json_t *rows = NULL;
    size_t n;

    if (record_list(store, &rows, &err))
        fail_msg("%s", err.text);
    n = json_array_size(rows);
    json_decref(rows);
    return n;
}

/* What `act` says on stderr goes to stderr_text; returns how many lines. */
static int lines_of(void (*act)(void))
{
    int keep = dup(2), fd = open(below("stderr"), O_RDWR | O_CREAT | O_TRUNC, 0600), lines = 0;
    ssize_t n;
    char *c;

    fflush(stderr);
    dup2(fd, 2);
    act();
    fflush(stderr);
    dup2(keep, 2);
    close(keep);
    n = pread(fd, stderr_text, sizeof(stderr_text) - 1, 0);
    close(fd);
    unlink(below("stderr"));
    stderr_text[n > 0 ? n : 0] = 0;
    for (c = stderr_text; *c; c++)
        lines += *c == '\n';
    return lines;
}

static void list_quietly(void)
{
    list_count();
}

static void commit_and_find(void **state)
{
    struct assay_err err = {0};
    char id[17], hex[HASH_HEX], *dir = NULL;
    json_t *tree = NULL, *file;

    (void)state;
    assert_int_equal(make_record(1, NULL, &err), 0);
    assert_int_equal(make_record(2, id, &err), 0);
    assert_int_equal(list_count(), 2);
    assert_int_equal(record_find(store, "last", &dir, &tree, &err), 0);
    assert_string_equal(tree_text(tree, "id", ""), id);
    assert_string_equal(tree_text(tree, "schema", ""), RECORD_SCHEMA);
    assert_string_equal(tree_text(tree, "folder", ""), dir);
    file = json_object_get(json_object_get(tree, "files"), "sub/latency.bin");
    hash_bytes("12345678", 8, hex);
    assert_string_equal(tree_text(file, "sha256", ""), hex);
    assert_int_equal(tree_int(file, "bytes", 0), 8);
    json_decref(tree);
    free(dir);
    id[9] = 0;
    assert_int_equal(record_find(store, id, NULL, &tree, &err), 0);
    json_decref(tree);
}

static void find_explains(void **state)
{
    struct assay_err err = {0};
    char id[17], typed[17];

    (void)state;
    assert_int_equal(record_find(store, "abc", NULL, NULL, &err), ASSAY_EUSAGE);
    assert_non_null(strstr(err.text, "no records yet"));
    assert_int_equal(make_record(1, id, &err), 0);
    strcpy(typed, id);
    typed[3] = typed[3] == '0' ? '1' : '0';
    assert_int_equal(record_find(store, typed, NULL, NULL, &err), ASSAY_EUSAGE);
    assert_non_null(strstr(err.text, id)); /* the nearest */
    for (int i = 0; i < 17; i++)           /* 18 ids share 16 first digits: two are alike */
        assert_int_equal(make_record(i, NULL, &err), 0);
    for (int i = 0; i < 16; i++) {
        int rc;

        snprintf(typed, sizeof(typed), "%x", i);
        rc = record_find(store, typed, NULL, NULL, &err);
        if (rc && strstr(err.text, "ambiguous"))
            return;
    }
    fail_msg("no beginning was ambiguous");
}

static void four_processes(void **state)
{
    struct assay_err err = {0};
    int p, i, status;
    pid_t child[4];

    (void)state;
    for (p = 0; p < 4; p++) {
        child[p] = fork();
        if (child[p])
            continue;
        for (i = 0; i < 20; i++)
            if (make_record(i, NULL, &err)) {
                fprintf(stderr, "%s\n", err.text);
                _exit(1);
            }
        _exit(0);
    }
    for (p = 0; p < 4; p++) {
        waitpid(child[p], &status, 0);
        assert_int_equal(status, 0);
    }
    assert_int_equal(lines_of(list_quietly), 0); /* every row was entered by its own commit */
    assert_int_equal(list_count(), 80);
}

static void index_is_made_again(void **state)
{
    struct assay_err err = {0};
    uint64_t count = 0;
    char *data;
    size_t len;

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(make_record(i, NULL, &err), 0);
    unlink(below("index.sqlite"));
    assert_int_equal(lines_of(list_quietly), 1);
    assert_non_null(strstr(stderr_text, "missing"));
    assert_int_equal(lines_of(list_quietly), 0);
    assert_int_equal(file_read(below("index.sqlite"), 1 << 20, &data, &len, &err), 0);
    memset(data + 4096, 0x5a, len - 4096 < 4096 ? len - 4096 : 4096); /* a page, not the header */
    assert_int_equal(file_write_whole(below("index.sqlite"), data, len, &err), 0);
    assert_int_equal(lines_of(list_quietly), 1);
    assert_non_null(strstr(stderr_text, "damaged"));
    memset(data, 'x', 100); /* the header */
    assert_int_equal(file_write_whole(below("index.sqlite"), data, len, &err), 0);
    assert_int_equal(lines_of(list_quietly), 1);
    free(data);
    assert_int_equal(list_count(), 3);
    assert_int_equal(record_reindex(store, &count, &err), 0);
    assert_int_equal(count, 3);
}

static void edit_index(const char *sql)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(below("index.sqlite"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void foreign_index_is_refused(void **state)
{
    struct assay_err err = {0};
    struct record_draft d;
    json_t *rows = NULL;

    (void)state;
    assert_int_equal(make_record(1, NULL, &err), 0);
    edit_index("PRAGMA user_version=99");
    assert_int_equal(record_list(store, &rows, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "newer Assay"));
    assert_int_equal(record_reindex(store, NULL, &err), ASSAY_EFAIL);
    unlink(below("index.sqlite"));
    edit_index("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)");
    assert_int_equal(record_begin(store, &d, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "another program"));
    edit_index("SELECT * FROM theirs"); /* still there */
}

static void remove_by_hand(const char *id)
{
    char path[64];

    snprintf(path, sizeof(path), "runs/%s", id);
    assert_int_equal(file_remove_tree(below(path), NULL), 0);
}

static void removed_by_hand(void **state)
{
    struct assay_err err = {0};
    char a[17], b[17];

    (void)state;
    assert_int_equal(make_record(1, a, &err), 0);
    assert_int_equal(make_record(2, b, &err), 0);
    remove_by_hand(a);
    assert_int_equal(record_find(store, a, NULL, NULL, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "removed from"));
    remove_by_hand(b);
    assert_int_equal(lines_of(list_quietly), 1);
    assert_non_null(strstr(stderr_text, b));
    assert_int_equal(list_count(), 0);
}

static void killed_writer(void **state)
{
    struct assay_err err = {0};
    struct record_draft d, mine;
    int fds[2], status;
    char dir[1100] = "";
    pid_t child;

    (void)state;
    assert_int_equal(record_begin(store, &mine, &err), 0);
    assert_int_equal(pipe(fds), 0);
    child = fork();
    if (!child) {
        close(mine.lock);
        if (!record_begin(store, &d, &err) && write(fds[1], d.dir, sizeof(d.dir)) > 0)
            pause();
        _exit(1);
    }
    assert_true(read(fds[0], dir, sizeof(dir)) > 0);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    assert_true(file_is_dir(dir));
    assert_int_equal(list_count(), 0);
    assert_int_equal(record_begin(store, &d, &err), 0);
    assert_false(file_exists(dir));
    assert_true(file_is_dir(mine.dir)); /* its writer lives */
    record_abandon(&d);
    record_abandon(&mine);
    assert_false(file_exists(mine.dir));
    record_abandon(&mine); /* harmless */
    close(fds[0]);
    close(fds[1]);
}

/* A file-size limit stands in for a full disk: record.json does not fit, the draft is kept, also
 * from the next record_begin. */
static void no_room_for_record(void **state)
{
    struct assay_err err = {0};
    struct record_draft d, next;
    struct rlimit old, small;
    json_t *tree = run_tree(1);
    int rc;

    (void)state;
    assert_int_equal(record_begin(store, &d, &err), 0);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 100;
    setrlimit(RLIMIT_FSIZE, &small);
    rc = record_commit(&d, tree, &err);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(rc, ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "kept in"));
    assert_non_null(strstr(err.text, d.dir));
    assert_int_equal(list_count(), 0);
    assert_int_equal(record_begin(store, &next, &err), 0);
    record_abandon(&next);
    assert_true(file_is_dir(d.dir));
    assert_int_equal(record_commit(&d, tree, &err), 0); /* and there is room again */
    assert_int_equal(list_count(), 1);
    json_decref(tree);
}

/* A really full disk, where the tests may mount one. */
static void full_disk(void **state)
{
    struct assay_err err = {0};
    struct record_draft d;
    json_t *tree = run_tree(1);
    char block[4096] = "", path[1200];
    int fd;

    (void)state;
    if (mount("none", store, "tmpfs", 0, "size=256k") < 0) {
        json_decref(tree);
        skip();
    }
    assert_int_equal(make_record(1, NULL, &err), 0);
    assert_int_equal(record_begin(store, &d, &err), 0);
    fd = open(below("filler"), O_CREAT | O_WRONLY, 0600);
    while (write(fd, block, sizeof(block)) > 0)
        ;
    close(fd);
    assert_int_equal(record_commit(&d, tree, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "No space left"));
    assert_int_equal(list_count(), 1); /* the other record is intact */
    snprintf(path, sizeof(path), "%s", d.dir);
    assert_int_equal(record_begin(store, &d, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "No space left"));
    assert_true(file_is_dir(path));
    json_decref(tree);
    umount(store);
}

/* A store that may only be read: listing works, beginning says so. */
static void read_only_store(void **state)
{
    struct assay_err err = {0};
    struct record_draft d;
    size_t listed;
    int rc;

    (void)state;
    if (mount("none", store, "tmpfs", 0, "size=1m") < 0)
        skip();
    assert_int_equal(make_record(1, NULL, &err), 0);
    assert_int_equal(mount("none", store, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);
    listed = list_count();
    rc = record_begin(store, &d, &err);
    umount(store);
    assert_int_equal(listed, 1);
    assert_int_equal(rc, ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "Read-only"));
}

static void store_is_a_file(void **state)
{
    struct assay_err err = {0};
    struct record_draft d;

    (void)state;
    assert_int_equal(file_write_whole(below("file"), "x", 1, &err), 0);
    assert_int_equal(record_begin(below("file"), &d, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "file"));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(commit_and_find),     CASE(find_explains),      CASE(four_processes),
        CASE(index_is_made_again), CASE(removed_by_hand),    CASE(foreign_index_is_refused),
        CASE(killed_writer),       CASE(no_room_for_record), CASE(full_disk),
        CASE(read_only_store),     CASE(store_is_a_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

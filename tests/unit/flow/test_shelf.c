/* The shelf: whole or not there, noticed when it is not, cleaned up after the dead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/tree.h"
#include "flow/entry.h"
#include "flow/shelf.h"

static char base[64], dir[96];
static struct shelf shelf;
static struct assay_err err;

static const char *key_of(int number)
{
    static char keys[8][HASH_HEX];
    char *key = keys[number % 8];

    hash_bytes(&number, sizeof(number), key);
    return key;
}

static int setup(void **state)
{
    (void)state;
    snprintf(base, sizeof(base), "/tmp/assay-shelf-XXXXXX");
    assert_non_null(mkdtemp(base));
    snprintf(dir, sizeof(dir), "%s/tmp/shelf", base); /* "tmp" in the path must not confuse it */
    assert_int_equal(shelf_open(dir, &shelf, &err), 0);
    return 0;
}

static int teardown(void **state)
{
    char small[80];

    (void)state;
    snprintf(small, sizeof(small), "%s/small", base);
    umount2(small, MNT_DETACH); /* of a test that failed */
    return file_remove_tree(base, NULL);
}

static void put(const char *folder, const char *name, const char *text)
{
    char *path = file_join(folder, name), *above = strdup(path);

    *strrchr(above, '/') = 0;
    assert_int_equal(file_make_dirs(above, &err), 0);
    assert_int_equal(file_write_whole(path, text, strlen(text), &err), 0);
    free(above);
    free(path);
}

/* An entry of two files, a link and an executable. */
static void make(int number, size_t bytes)
{
    struct shelf_entry e;
    json_t *meta = json_pack("{s:s, s:s, s:{s:f}}", "recipe", "thing", "why", "a test", "inputs",
                             "scale", 0.1);
    char *text = calloc(1, bytes + 1), *path;

    memset(text, 'x', bytes);
    assert_int_equal(shelf_begin(&shelf, key_of(number), NULL, &e, &err), 0);
    assert_false(e.found);
    put(e.dir, "a/one.txt", text);
    put(e.dir, "two", "2");
    path = file_join(e.dir, "two");
    assert_int_equal(chmod(path, 0755), 0);
    free(path);
    path = file_join(e.dir, "link");
    assert_int_equal(symlink("a/one.txt", path), 0);
    free(path);
    if (shelf_commit(&shelf, &e, meta, &err))
        fail_msg("%s", err.text);
    json_decref(meta);
    free(text);
}

static char *found(int number)
{
    char *files = NULL;

    assert_int_equal(shelf_find(&shelf, key_of(number), &files, NULL, &err), 0);
    return files;
}

static bool is_there(int number)
{
    char *files = found(number);

    free(files);
    return files != NULL;
}

static size_t bad_count(void)
{
    json_t *bad = NULL;
    size_t n;

    assert_int_equal(shelf_verify(&shelf, NULL, NULL, &bad, &err), 0);
    n = json_array_size(bad);
    json_decref(bad);
    return n;
}

/* How many names a folder of the shelf has. */
static int names_in(const char *below)
{
    char *path = file_join(dir, below);
    DIR *d = opendir(path);
    struct dirent *e;
    int n = 0;

    assert_non_null(d);
    while ((e = readdir(d)))
        n += e->d_name[0] != '.';
    closedir(d);
    free(path);
    return n;
}

static void test_made_and_found(void **state)
{
    json_t *meta = NULL, *list;
    char *files, *path;
    struct stat st;

    (void)state;
    assert_false(is_there(1));
    make(1, 1000);
    assert_int_equal(shelf_find(&shelf, key_of(1), &files, &meta, &err), 0);
    assert_non_null(files);
    path = file_join(files, "a/one.txt");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 1000);
    assert_int_equal(st.st_mode & 0222, 0);
    free(path);
    free(files);
    assert_string_equal(tree_text(meta, "recipe", ""), "thing");
    assert_int_equal(tree_int(meta, "bytes", 0), 1001);
    assert_int_equal(tree_int(meta, "files", 0), 3);
    json_decref(meta);
    assert_int_equal(shelf_files(&shelf, key_of(1), &meta, &err), 0);
    assert_string_equal(tree_text(json_array_get(meta, 1), "link", ""), "a/one.txt");
    json_decref(meta);
    list = shelf_list(&shelf);
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(tree_text(json_array_get(list, 0), "why", ""), "a test");
    assert_int_equal(tree_int(json_array_get(list, 0), "files", 0), 3);
    json_decref(list);
    assert_int_equal(bad_count(), 0);
    assert_int_equal(names_in("tmp") + names_in("parts") + names_in("locks"), 0);
}

static void test_found_when_made_meanwhile(void **state)
{
    struct shelf_entry e;

    (void)state;
    make(1, 10);
    assert_int_equal(shelf_begin(&shelf, key_of(1), NULL, &e, &err), 0);
    assert_true(e.found);
    assert_true(file_is_dir(e.dir));
    shelf_abandon(&e);
    assert_true(is_there(1));
    assert_int_equal(shelf_commit(&shelf, &e, NULL, &err), 0);
}

static void test_abandoned_is_gone_but_for_parts(void **state)
{
    struct shelf_entry e;

    (void)state;
    assert_int_equal(shelf_begin(&shelf, key_of(1), NULL, &e, &err), 0);
    put(e.dir, "half", "h");
    shelf_abandon(&e);
    shelf_abandon(&e);
    assert_int_equal(names_in("tmp") + names_in("parts") + names_in("locks"), 0);
    assert_int_equal(shelf_begin(&shelf, key_of(1), NULL, &e, &err), 0);
    put(e.parts, "x.part", "h");
    shelf_abandon(&e);
    assert_int_equal(shelf_begin(&shelf, key_of(1), NULL, &e, &err), 0);
    assert_int_equal(names_in("parts"), 1);
    assert_int_equal(shelf_commit(&shelf, &e, NULL, &err), 0);
    assert_int_equal(names_in("parts"), 0);
    assert_true(is_there(1));
}

static void write_into(int number, const char *name, const char *text, bool keep_time)
{
    char *files = found(number), *path = file_join(files, name);
    struct stat st;
    int fd;

    assert_int_equal(stat(path, &st), 0);
    chmod(path, 0644);
    fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    if (keep_time)
        futimens(fd, (struct timespec[]){st.st_atim, st.st_mtim});
    close(fd);
    chmod(path, st.st_mode & 0777);
    free(path);
    free(files);
}

static void test_changed_byte_is_noticed_and_made_again(void **state)
{
    (void)state;
    make(1, 100);
    write_into(1, "a/one.txt", "y", false);
    assert_false(is_there(1));
    assert_int_equal(bad_count(), 1);
    make(1, 100);
    assert_true(is_there(1));
    assert_int_equal(bad_count(), 0);
    assert_int_equal(names_in("tmp"), 0);
}

static void test_hashing_hears_stop(void **state)
{
    const volatile int stop = 1;
    struct shelf_entry e;
    json_t *bad = NULL;

    (void)state;
    make(1, 100);
    assert_int_equal(shelf_verify(&shelf, NULL, &stop, &bad, &err), ASSAY_ESTOP);
    assert_null(bad);
    assert_int_equal(shelf_begin(&shelf, key_of(2), &stop, &e, &err), 0);
    put(e.dir, "two", "2");
    assert_int_equal(shelf_commit(&shelf, &e, NULL, &err), ASSAY_ESTOP);
    assert_string_equal(err.text, "interrupted");
    assert_false(is_there(2));
    assert_int_equal(names_in("tmp") + names_in("parts") + names_in("locks"), 0);
}

static void test_noted_by_what_it_was_checked(void **state)
{
    char *files;

    (void)state;
    make(1, 100);
    files = found(1);
    assert_false(shelf_is_noted(files, key_of(3)));
    shelf_note(files, key_of(3));
    shelf_note(files, key_of(4));
    assert_true(shelf_is_noted(files, key_of(3)));
    assert_true(shelf_is_noted(files, key_of(4)));
    assert_false(shelf_is_noted(files, key_of(5)));
    assert_int_equal(bad_count(), 0);
    free(files);
    write_into(1, "a/one.txt", "y", false);
    make(1, 100); /* what is made anew was not checked */
    files = found(1);
    assert_false(shelf_is_noted(files, key_of(3)));
    free(files);
}

static void test_touched_file_is_still_good(void **state)
{
    (void)state;
    make(1, 100);
    write_into(1, "a/one.txt", "x", false); /* the same byte, another time */
    assert_true(is_there(1));
    assert_int_equal(bad_count(), 0);
}

static void test_hidden_change_is_for_verify(void **state)
{
    json_t *bad = NULL;

    (void)state;
    make(1, 100);
    write_into(1, "a/one.txt", "y", true);
    assert_true(is_there(1)); /* sizes, times and inodes are the same */
    assert_int_equal(shelf_verify(&shelf, key_of(1), NULL, &bad, &err), 0);
    assert_int_equal(json_array_size(bad), 1);
    assert_non_null(strstr(tree_text(json_array_get(bad, 0), "why", ""), "a/one.txt"));
    json_decref(bad);
}

static void spoil(int number, const char *shell_name, int what)
{
    char *files = found(number), *path = file_join(files, shell_name);

    if (what == 0)
        assert_int_equal(unlink(path), 0);
    else if (what == 1)
        put(files, shell_name, "more");
    else if (what == 2)
        assert_int_equal(unlink(path) | symlink("/etc/passwd", path), 0);
    else
        assert_int_equal(chmod(path, 0444), 0);
    free(path);
    free(files);
}

static void test_verify_finds_every_kind_of_damage(void **state)
{
    static const struct {
        const char *name;
        int what;
    } kinds[] = {{"two", 0}, {"a/more", 1}, {"link", 2}, {"two", 3}};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        make(1, 10);
        assert_int_equal(bad_count(), 0);
        spoil(1, kinds[i].name, kinds[i].what);
        assert_int_equal(bad_count(), 1);
        assert_int_equal(shelf_remove(&shelf, key_of(1), false, &err), 0);
    }
    put(dir, "ab/stray", "?");
    assert_int_equal(bad_count(), 1);
}

/* A changed letter in a file that describes the entry. */
static void change_in(const char *name, const char *word)
{
    char path[400], *text;
    size_t len;

    make(1, 10);
    snprintf(path, sizeof(path), "%s/%.2s/%.64s/%s", dir, key_of(1), key_of(1), name);
    assert_int_equal(file_read(path, 1 << 20, &text, &len, &err), 0);
    *strstr(text, word) ^= 1;
    assert_int_equal(file_write_whole(path, text, len, &err), 0);
    free(text);
    assert_int_equal(bad_count(), 1);
}

static void test_changed_descriptions(void **state)
{
    json_t *list;

    (void)state;
    change_in("files.json", "two");
    assert_int_equal(shelf_remove(&shelf, key_of(1), false, &err), 0);
    change_in("entry.json", "a test");
    list = shelf_list(&shelf);
    assert_non_null(tree_text(json_array_get(list, 0), "damaged", NULL));
    json_decref(list);
}

static void test_copied_shelf(void **state)
{
    char to[256], *argv[] = {"cp", "-r", dir, to, NULL};
    pid_t pid;
    int status;

    (void)state;
    make(1, 100);
    snprintf(to, sizeof(to), "%s/copy", base);
    if (!(pid = fork())) {
        execvp("cp", argv);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(shelf_open(to, &shelf, &err), 0);
    assert_true(is_there(1));
    snprintf(to, sizeof(to), "%s/copy/%.2s/%.64s", base, key_of(1), key_of(1));
    assert_true(entry_is_fresh(to)); /* stamped anew: not hashed the next time */
    assert_int_equal(bad_count(), 0);
}

static void refuse(void (*spoiler)(const char *folder), const char *word)
{
    struct shelf_entry e;

    assert_int_equal(shelf_begin(&shelf, key_of(5), NULL, &e, &err), 0);
    spoiler(e.dir);
    assert_int_equal(shelf_commit(&shelf, &e, NULL, &err), ASSAY_EFAIL);
    if (!strstr(err.text, word))
        fail_msg("'%s' does not say '%s'", err.text, word);
    assert_false(is_there(5));
    assert_int_equal(names_in("tmp") + names_in("parts") + names_in("locks"), 0);
}

static void a_fifo(const char *folder)
{
    char *path = file_join(folder, "pipe");

    assert_int_equal(mkfifo(path, 0600), 0);
    free(path);
}

static void a_link_home(const char *folder)
{
    char *path = file_join(folder, "link");

    assert_int_equal(symlink(folder, path), 0);
    free(path);
}

static void a_newline(const char *folder)
{
    put(folder, "a\nb", "x");
}

static void test_what_cannot_be_kept(void **state)
{
    (void)state;
    refuse(a_fifo, "neither file nor folder");
    refuse(a_link_home, "make it relative");
    refuse(a_newline, "control characters");
}

static void test_keys(void **state)
{
    struct shelf_entry e;
    char *files, key[65];

    (void)state;
    assert_int_equal(shelf_find(&shelf, "../../etc", &files, NULL, &err), ASSAY_EUSAGE);
    assert_int_equal(shelf_begin(&shelf, "ABC", NULL, &e, &err), ASSAY_EUSAGE);
    shelf_abandon(&e);
    make(1, 10);
    make(2, 10);
    snprintf(key, sizeof(key), "%.6s", key_of(2));
    assert_int_equal(shelf_named(&shelf, key, key, &err), 0);
    assert_string_equal(key, key_of(2));
    assert_int_equal(shelf_named(&shelf, "thing", key, &err), ASSAY_EUSAGE); /* two of them */
    assert_int_equal(shelf_remove(&shelf, key_of(2), false, &err), 0);
    assert_int_equal(shelf_named(&shelf, "thing", key, &err), 0);
    assert_string_equal(key, key_of(1));
}

/* ---- locks and the dead ---- */

static void test_lock_waits_until_stop(void **state)
{
    struct shelf_entry a, b;
    volatile int stop = 1;

    (void)state;
    assert_int_equal(shelf_begin(&shelf, key_of(1), NULL, &a, &err), 0);
    assert_int_equal(shelf_begin(&shelf, key_of(1), &stop, &b, &err), ASSAY_ESTOP);
    shelf_abandon(&b);
    shelf_abandon(&a);
    assert_int_equal(shelf_begin(&shelf, key_of(1), &stop, &b, &err), 0);
    shelf_abandon(&b);
}

static volatile int waited_enough;

static void *begin_one(void *arg)
{
    struct assay_err e = {0};

    return shelf_begin(&shelf, key_of(1), &waited_enough, arg, &e) ? &err : NULL;
}

/* Who has made it goes on holding it: who waited for it does not wait for that. */
static void test_made_and_held_is_found(void **state)
{
    const struct timespec nap = {0, 100000000};
    struct shelf_entry a, b = {.lock = -1};
    struct timespec until;
    pthread_t thread;
    void *failed;
    int hold;

    (void)state;
    waited_enough = 0;
    assert_int_equal(shelf_begin(&shelf, key_of(1), NULL, &a, &err), 0);
    assert_int_equal(pthread_create(&thread, NULL, begin_one, &b), 0);
    nanosleep(&nap, NULL);
    assert_int_equal(shelf_commit(&shelf, &a, NULL, &err), 0);
    assert_int_equal(shelf_hold(&shelf, key_of(1), &hold, &err), 0);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 5;
    if (pthread_timedjoin_np(thread, &failed, &until)) {
        waited_enough = 1;
        pthread_join(thread, &failed);
    }
    assert_null(failed);
    assert_true(b.found);
    shelf_abandon(&b);
    shelf_let_go(&shelf, key_of(1), hold);
}

/* A child begins and is killed. */
static void leave_dead(int number)
{
    pid_t pid = fork();
    struct shelf_entry e;
    int status;

    if (!pid) {
        if (shelf_begin(&shelf, key_of(number), NULL, &e, &err))
            _exit(1);
        put(e.dir, "half", "h");
        put(e.parts, "x.part", "h");
        raise(SIGKILL);
    }
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status));
}

static void test_after_the_dead(void **state)
{
    struct shelf_entry e;
    struct shelf other;
    char *part, path[400];

    (void)state;
    leave_dead(1);
    assert_int_equal(names_in("tmp"), 1);
    assert_int_equal(names_in("locks"), 1);
    assert_int_equal(bad_count(), 0);
    assert_false(is_there(1));
    assert_int_equal(shelf_begin(&shelf, key_of(2), NULL, &e, &err), 0);
    assert_int_equal(shelf_open(dir, &other, &err), 0); /* the dead one's goes, ours stays */
    assert_int_equal(names_in("tmp"), 1);
    assert_int_equal(names_in("locks"), 1);
    assert_true(file_is_dir(e.dir));
    shelf_abandon(&e);
    assert_int_equal(shelf_begin(&shelf, key_of(1), NULL, &e, &err), 0);
    part = file_join(e.parts, "x.part");
    assert_true(file_exists(part));
    free(part);
    shelf_abandon(&e);
    snprintf(path, sizeof(path), "%s/parts/%.64s", dir, key_of(1));
    utimensat(AT_FDCWD, path, (struct timespec[]){{1000, 0}, {1000, 0}}, 0);
    assert_int_equal(shelf_open(dir, &other, &err), 0);
    assert_int_equal(names_in("parts"), 1); /* what grows in it is young */
    snprintf(path, sizeof(path), "%s/parts/%.64s/x.part", dir, key_of(1));
    utimensat(AT_FDCWD, path, (struct timespec[]){{1000, 0}, {1000, 0}}, 0);
    assert_int_equal(shelf_open(dir, &other, &err), 0);
    assert_int_equal(names_in("parts") + names_in("tmp"), 0); /* old enough */
    make(1, 10);
    snprintf(path, sizeof(path), "%s/parts", dir);
    put(path, key_of(1), "h"); /* its maker was killed before they went */
    assert_int_equal(shelf_open(dir, &other, &err), 0);
    assert_int_equal(names_in("parts"), 0);
    assert_true(is_there(1));
}

static void in_twenty(int number, const char *log)
{
    struct shelf_entry e;
    struct timespec nap = {0, 30000000};
    int fd;

    if (shelf_open(dir, &shelf, &err) || shelf_begin(&shelf, key_of(number), NULL, &e, &err))
        _exit(1);
    if (e.found)
        _exit(0);
    fd = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, "b", 1) != 1)
        _exit(2);
    nanosleep(&nap, NULL);
    put(e.dir, "made", "m");
    _exit(shelf_commit(&shelf, &e, NULL, &err) ? 3 : 0);
}

static void test_twenty_processes_build_once(void **state)
{
    char log[128];
    pid_t pids[20];
    int status;

    (void)state;
    snprintf(log, sizeof(log), "%s/log", base);
    for (int i = 0; i < 20; i++)
        if (!(pids[i] = fork()))
            in_twenty(3, log);
    for (int i = 0; i < 20; i++) {
        waitpid(pids[i], &status, 0);
        assert_int_equal(status, 0);
    }
    assert_int_equal(file_size(log), 1);
    assert_true(is_there(3));
    assert_int_equal(bad_count(), 0);
    assert_int_equal(names_in("tmp") + names_in("parts") + names_in("locks"), 0);
}

/* ---- pruning ---- */

static void used_ago(int number, int days)
{
    char path[400];
    struct timespec when = {time(NULL) - (time_t)days * 86400, 0};

    snprintf(path, sizeof(path), "%s/%.2s/%.64s/stamp", dir, key_of(number), key_of(number));
    assert_int_equal(utimensat(AT_FDCWD, path, (struct timespec[]){when, when}, 0), 0);
}

static size_t prune(double older_s, int64_t keep, bool dry)
{
    json_t *removed = NULL;
    size_t n;

    assert_int_equal(shelf_prune(&shelf, NULL, older_s, keep, dry, &removed, &err), 0);
    n = json_array_size(removed);
    json_decref(removed);
    return n;
}

static void test_prune(void **state)
{
    int hold;

    (void)state;
    for (int i = 1; i <= 5; i++) {
        make(i, 999); /* and one of another byte */
        used_ago(i, i * 10);
    }
    assert_int_equal(shelf_pin(&shelf, key_of(5), true, &err), 0);
    assert_int_equal(prune(35 * 86400., -1, true), 1);
    assert_true(is_there(4));
    used_ago(4, 40);
    assert_int_equal(prune(35 * 86400., -1, false), 1);
    assert_false(is_there(4));
    assert_true(is_there(5)); /* pinned, though the oldest; now it is the newest */
    used_ago(5, 50);
    assert_int_equal(shelf_hold(&shelf, key_of(3), &hold, &err), 0);
    assert_int_equal(prune(-1, 3000, false), 1); /* 5 is pinned, 3 is in use: 2 goes */
    assert_false(is_there(2));
    shelf_let_go(&shelf, key_of(3), hold);
    assert_int_equal(shelf_pin(&shelf, key_of(5), false, &err), 0);
    assert_int_equal(prune(-1, 0, false), 3);
    assert_int_equal(prune(-1, 0, false), 0);
    assert_int_equal(names_in("tmp") + names_in("locks"), 0);
}

static void test_made_anew_it_stays_pinned(void **state)
{
    (void)state;
    make(1, 100);
    assert_int_equal(shelf_pin(&shelf, key_of(1), true, &err), 0);
    write_into(1, "a/one.txt", "y", false);
    make(1, 100);
    assert_int_equal(prune(-1, 0, false), 0);
    assert_true(is_there(1));
    assert_int_equal(bad_count(), 0);
}

static bool is_used_now(void)
{
    json_t *list = shelf_list(&shelf);
    bool is = tree_int(json_array_get(list, 0), "used_s", 0) > time(NULL) - 100;

    json_decref(list);
    return is;
}

static void test_looking_is_no_use(void **state)
{
    (void)state;
    make(1, 10);
    used_ago(1, 10);
    assert_true(is_there(1));
    assert_false(is_used_now());
    write_into(1, "a/one.txt", "x", false); /* hashed, and stamped anew */
    assert_true(is_there(1));
    assert_false(is_used_now());
    shelf_use(&shelf, key_of(1));
    assert_true(is_used_now());
}

static void test_remove_wants_it_free(void **state)
{
    int hold;

    (void)state;
    make(1, 10);
    assert_int_equal(shelf_pin(&shelf, key_of(1), true, &err), 0);
    assert_int_equal(shelf_remove(&shelf, key_of(1), false, &err), ASSAY_EUSAGE);
    assert_int_equal(shelf_pin(&shelf, key_of(1), false, &err), 0);
    assert_int_equal(shelf_hold(&shelf, key_of(1), &hold, &err), 0);
    assert_int_equal(shelf_remove(&shelf, key_of(1), false, &err), ASSAY_EFAIL);
    shelf_let_go(&shelf, key_of(1), hold);
    assert_int_equal(shelf_remove(&shelf, key_of(1), false, &err), 0);
    assert_int_equal(shelf_pin(&shelf, key_of(1), true, &err), ASSAY_EUSAGE);
}

/* ---- places that cannot be written ---- */

static void test_full_disk(void **state)
{
    struct shelf_entry e;
    char small[128], *text = malloc(300000);

    (void)state;
    snprintf(small, sizeof(small), "%s/small", base);
    assert_int_equal(mkdir(small, 0755), 0);
    if (mount("none", small, "tmpfs", 0, "size=256k") < 0) {
        free(text);
        skip();
    }
    memset(text, 'x', 300000);
    text[299999] = 0;
    assert_int_equal(shelf_open(small, &shelf, &err), 0);
    snprintf(dir, sizeof(dir), "%.90s", small);
    assert_int_equal(shelf_begin(&shelf, key_of(1), NULL, &e, &err), 0);
    text[200000] = 0;
    put(e.dir, "large", text);
    text[200000] = 'x';
    { /* what is left is filled, so that entry.json does not fit */
        char *path = file_join(small, "filler");
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

        while (write(fd, text, 4096) == 4096)
            ;
        close(fd);
        free(path);
    }
    assert_int_equal(shelf_commit(&shelf, &e, NULL, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "No space left"));
    assert_false(is_there(1));
    assert_int_equal(bad_count(), 0);
    assert_int_equal(names_in("tmp"), 0);
    assert_int_equal(umount2(small, MNT_DETACH), 0);
    free(text);
}

/* Of many files 256 are looked at, others each time: a change is seen soon, and by verify at once.
 */
static void test_many_files(void **state)
{
    struct shelf_entry e;
    char name[32], *files, *path;
    int looks = 0;

    (void)state;
    assert_int_equal(shelf_begin(&shelf, key_of(1), NULL, &e, &err), 0);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "%d/%03d", i / 100, i);
        path = file_join(e.dir, name);
        *strrchr(path, '/') = 0;
        mkdir(path, 0755);
        free(path);
        path = file_join(e.dir, name);
        assert_int_equal(close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644)), 0);
        free(path);
    }
    assert_int_equal(shelf_commit(&shelf, &e, NULL, &err), 0);
    for (int i = 0; i < 100; i++)
        assert_true(is_there(1));
    assert_int_equal(bad_count(), 0);
    files = found(1);
    path = file_join(files, "5/555");
    assert_int_equal(unlink(path), 0);
    while (is_there(1) && looks < 1000)
        looks++;
    assert_true(looks < 1000);
    assert_int_equal(bad_count(), 1);
    free(path);
    free(files);
}

/* A shelf that cannot be written is still good for reading. */
static void test_read_only_shelf(void **state)
{
    struct shelf_entry e;
    char small[128], key[65];
    json_t *list;

    (void)state;
    snprintf(small, sizeof(small), "%s/small", base);
    assert_int_equal(mkdir(small, 0755), 0);
    if (mount("none", small, "tmpfs", 0, "size=1m") < 0)
        skip();
    assert_int_equal(shelf_open(small, &shelf, &err), 0);
    make(1, 100);
    assert_int_equal(mount("none", small, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);
    assert_int_equal(shelf_open(small, &shelf, &err), 0);
    assert_true(is_there(1));
    assert_int_equal(shelf_named(&shelf, "thing", key, &err), 0);
    assert_int_equal(bad_count(), 0);
    list = shelf_list(&shelf);
    assert_int_equal(json_array_size(list), 1);
    json_decref(list);
    assert_int_equal(shelf_begin(&shelf, key_of(2), NULL, &e, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "Read-only"));
    assert_int_equal(shelf_remove(&shelf, key_of(1), false, &err), ASSAY_EFAIL);
    assert_int_equal(umount2(small, MNT_DETACH), 0);
}

/* Looking for what is there costs microseconds, not milliseconds,. */
static void test_finding_is_quick(void **state)
{
    int64_t began, least = INT64_MAX;
    char *files;

    (void)state;
    make(1, 100000);
    for (int i = 0; i < 50; i++) {
        began = clock_ns();
        files = found(1);
        began = clock_ns() - began;
        least = began < least ? began : least;
        free(files);
    }
    assert_true(least < 1000000);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {CASE(test_made_and_found),
                                       CASE(test_found_when_made_meanwhile),
                                       CASE(test_abandoned_is_gone_but_for_parts),
                                       CASE(test_changed_byte_is_noticed_and_made_again),
                                       CASE(test_hashing_hears_stop),
                                       CASE(test_noted_by_what_it_was_checked),
                                       CASE(test_touched_file_is_still_good),
                                       CASE(test_hidden_change_is_for_verify),
                                       CASE(test_verify_finds_every_kind_of_damage),
                                       CASE(test_changed_descriptions),
                                       CASE(test_copied_shelf),
                                       CASE(test_what_cannot_be_kept),
                                       CASE(test_keys),
                                       CASE(test_lock_waits_until_stop),
                                       CASE(test_made_and_held_is_found),
                                       CASE(test_after_the_dead),
                                       CASE(test_twenty_processes_build_once),
                                       CASE(test_prune),
                                       CASE(test_made_anew_it_stays_pinned),
                                       CASE(test_looking_is_no_use),
                                       CASE(test_remove_wants_it_free),
                                       CASE(test_full_disk),
                                       CASE(test_many_files),
                                       CASE(test_read_only_shelf),
                                       CASE(test_finding_is_quick)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

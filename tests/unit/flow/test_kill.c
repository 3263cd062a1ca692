/* A process that fetches, unpacks, builds and commits is killed at many random moments: the shelf
 * verifies clean each time, and the next process finishes the work.
 *
 * ASSAY_KILLS sets how many (60); `make test-kill` is the full test, with 200.  ASSAY_SEED repeats
 * its moments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "flow/fetch.h"
#include "flow/shelf.h"
#include "flow/unpack.h"
#include "server.h"

#define BYTES 2000000

static const char fetched_key[] =
    "11110000111100001111000011110000111100001111000011110000aaaabbbb";
static const char built_key[] = "22220000111100001111000011110000111100001111000011110000aaaabbbb";

/* ---- the process that is killed ---- */

static struct assay_err err;

static void must(int rc)
{
    if (!rc)
        return;
    fprintf(stderr, "%s\n", err.text);
    exit(1);
}

static void fetch_entry(struct shelf *s, const char *url, const char *sha256)
{
    const char *urls[] = {url, NULL};
    struct fetch_ask ask = {.urls = urls, .bytes = -1, .sha256 = sha256, .stall_s = 20};
    struct fetch_result out;
    struct shelf_entry e;
    char *part, *file;

    must(shelf_begin(s, fetched_key, NULL, &e, &err));
    if (e.found)
        return;
    part = file_join(e.parts, "archive.tar");
    file = file_join(e.dir, "archive.tar");
    must(fetch_file(&ask, part, &out, &err));
    must(rename(part, file));
    must(shelf_commit(s, &e, NULL, &err));
    free(file);
    free(part);
}

static void build_entry(struct shelf *s)
{
    struct shelf_entry e;
    json_t *meta;
    char *files, *archive, *made;

    must(shelf_begin(s, built_key, NULL, &e, &err));
    if (e.found)
        return;
    must(shelf_find(s, fetched_key, &files, NULL, &err));
    archive = file_join(files, "archive.tar");
    must(unpack_archive(archive, e.dir, NULL, &err));
    made = file_join(e.dir, "made");
    must(file_write_whole(made, "made", 4, &err));
    meta = json_pack("{s:s}", "recipe", "built");
    must(shelf_commit(s, &e, meta, &err));
    json_decref(meta);
    free(made);
    free(archive);
    free(files);
}

static int work(const char *dir, const char *url, const char *sha256)
{
    struct shelf s;

    must(shelf_open(dir, &s, &err));
    fetch_entry(&s, url, sha256);
    build_entry(&s);
    return 0;
}

/* ---- the test ---- */

static char base[64], dir[96], url[128], sha[HASH_HEX];
static struct test_server server;

static pid_t spawn_worker(void)
{
    char *argv[] = {"test_kill", "work", dir, url, sha, NULL};
    pid_t pid = -1;

    assert_int_equal(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ), 0);
    return pid;
}

/* Lets it finish; ms. */
static double finish(void)
{
    int64_t began = clock_ns();
    pid_t pid = spawn_worker();
    int status;

    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    return (double)(clock_ns() - began) / 1e6;
}

static void kill_after(double ms)
{
    pid_t pid = spawn_worker();
    struct timespec nap = {0, (long)(ms * 1e6)};
    int status;

    nanosleep(&nap, NULL);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status) || status == 0);
}

static void must_be_clean(size_t entries)
{
    struct shelf s;
    json_t *bad = NULL, *list;

    assert_int_equal(shelf_open(dir, &s, &err), 0);
    assert_int_equal(shelf_verify(&s, NULL, NULL, &bad, &err), 0);
    if (json_array_size(bad))
        fail_msg("%s", json_dumps(bad, 0));
    json_decref(bad);
    list = shelf_list(&s);
    if (entries)
        assert_int_equal(json_array_size(list), entries);
    json_decref(list);
}

static void clear(void)
{
    struct shelf s;

    assert_int_equal(shelf_open(dir, &s, &err), 0);
    assert_int_equal(shelf_remove(&s, fetched_key, false, &err), 0);
    assert_int_equal(shelf_remove(&s, built_key, false, &err), 0);
}

/* After the work is finished nothing else is there: no folder that grows, no lock, no part. */
static void must_be_tidy(void)
{
    static const char *const folders[] = {"tmp", "locks", "parts"};

    for (size_t i = 0; i < 3; i++) {
        char *path = file_join(dir, folders[i]);
        DIR *d = opendir(path);
        struct dirent *e;

        assert_non_null(d);
        while ((e = readdir(d)))
            if (e->d_name[0] != '.' && i < 2)
                fail_msg("%s/%s is left", folders[i], e->d_name);
        closedir(d);
        free(path);
    }
}

static void make_archive(const char *path)
{
    char *data = calloc(1, BYTES + 1024 * 3), *p = data;

    /* ustar, by hand: one file of noise */
    snprintf(p, 100, "noise");
    snprintf(p + 100, 8, "%07o", 0644);
    snprintf(p + 124, 12, "%011o", BYTES);
    p[156] = '0';
    memcpy(p + 257, "ustar\00000", 8);
    memset(p + 148, ' ', 8);
    {
        unsigned sum = 0, x = 1;

        for (int i = 0; i < 512; i++)
            sum += (unsigned char)p[i];
        snprintf(p + 148, 8, "%06o", sum);
        for (int i = 0; i < BYTES; i++, x = x * 1103515245 + 12345)
            p[512 + i] = (char)(x >> 16);
    }
    assert_int_equal(file_write_whole(path, data, BYTES + 1024 * 3 - BYTES % 512, &err), 0);
    assert_int_equal(hash_file(path, sha, &err), 0);
    free(data);
}

/* How many downloads went on from what a killed process had left. */
static int resumed(void)
{
    char *path = file_join(base, "requests.log"), *text = NULL;
    int n = 0;

    assert_int_equal(file_read(path, 1 << 20, &text, NULL, &err), 0);
    for (char *p = text; (p = strstr(p, "bytes=")); p++)
        n++;
    free(text);
    free(path);
    return n;
}

static int setting(const char *name, int otherwise)
{
    const char *text = getenv(name);

    return text && *text ? (int)strtol(text, NULL, 10) : otherwise;
}

static void test_killed_at_any_moment(void **state)
{
    int kills = setting("ASSAY_KILLS", 60), finished = 0, seed = setting("ASSAY_SEED", 1);
    double longest = 1e9, took;
    char *archive = file_join(base, "data");

    (void)state;
    make_archive(archive);
    free(archive);
    if (!server_start(&server, base, NULL, NULL))
        skip();
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/good/data", server.port);
    for (int i = 0; i < 3; i++, clear()) {
        took = finish();
        longest = took < longest ? took : longest;
    }
    srand((unsigned)seed);
    for (int i = 0; i < kills; i++, clear()) {
        kill_after(longest * rand() / RAND_MAX);
        must_be_clean(0);
        finish();
        finished++;
        must_be_clean(2);
        must_be_tidy();
    }
    server_stop(&server);
    print_message("%d kills within %.1f ms (seed %d), each time clean and finished; %d downloads "
                  "resumed\n",
                  finished, longest, seed, resumed());
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_killed_at_any_moment)};
    int rc;

    if (argc == 5 && !strcmp(argv[1], "work"))
        return work(argv[2], argv[3], argv[4]);
    snprintf(base, sizeof(base), "/tmp/assay-kill-XXXXXX");
    if (!mkdtemp(base))
        return 1;
    snprintf(dir, sizeof(dir), "%s/shelf", base);
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    file_remove_tree(base, NULL);
    return rc;
}

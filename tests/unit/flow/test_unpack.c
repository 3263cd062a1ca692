/* Unpacking: what is good arrives, what is not leaves the folder as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "flow/unpack.h"

extern char **environ;

static char archives[64], base[64], folder[96];
static bool have_python;
static struct assay_err err;

static int setup_archives(void **state)
{
    char *argv[] = {"python3", ASSAY_SOURCE "/tests/python/make_archives.py", archives, NULL};
    pid_t pid;
    int status = 1;

    (void)state;
    snprintf(archives, sizeof(archives), "/tmp/assay-archives-XXXXXX");
    assert_non_null(mkdtemp(archives));
    if (!posix_spawnp(&pid, "python3", NULL, NULL, argv, environ))
        waitpid(pid, &status, 0);
    have_python = status == 0;
    return 0;
}

static int teardown_archives(void **state)
{
    (void)state;
    return file_remove_tree(archives, NULL);
}

static int setup(void **state)
{
    (void)state;
    if (!have_python)
        skip();
    snprintf(base, sizeof(base), "/tmp/assay-unpack-XXXXXX");
    assert_non_null(mkdtemp(base));
    snprintf(folder, sizeof(folder), "%s/in", base);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    umount2(folder, MNT_DETACH); /* of a test that failed */
    return file_remove_tree(base, NULL);
}

static int unpack(const char *name, const struct unpack_limits *limits)
{
    char *path = file_join(archives, name);
    int rc = unpack_archive(path, folder, limits, &err);

    free(path);
    return rc;
}

static void must_be(const char *name, const char *text)
{
    char *path = file_join(folder, name), *data;
    size_t len;

    if (file_read(path, 1 << 20, &data, &len, &err))
        fail_msg("%s", err.text);
    assert_string_equal(data, text);
    free(data);
    free(path);
}

static mode_t mode_of(const char *name)
{
    char *path = file_join(folder, name);
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    free(path);
    return st.st_mode;
}

static void test_good_ones(void **state)
{
    static const char *const names[] = {"good.tar",    "good.tar.gz",  "good.tar.bz2",
                                        "good.tar.xz", "good-gnu.tar", "good.zip"};

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        if (unpack(names[i], NULL))
            fail_msg("%s", err.text);
        must_be("top/a.txt", "hello\n");
        must_be("top/link", "hello\n");
        must_be("top/gr\303\274n/\303\237.txt", "utf8\n");
        assert_int_equal(mode_of("top/bin/run") & 07777, 0755); /* not the archive's setuid bit */
        assert_true(S_ISLNK(mode_of("top/link")));
        if (i < 5) {
            must_be("top/bin/up", "hello\n");
            must_be("top/hard", "hello\n");
            must_be("top/empty", "");
        }
        assert_int_equal(file_remove_tree(folder, &err), 0);
    }
}

static void test_single_file(void **state)
{
    (void)state;
    assert_int_equal(unpack("numbers.txt.gz", NULL), 0);
    must_be("numbers.txt", "1 2 3\n");
    assert_int_equal(unpack("zeros.gz", NULL), 0); /* what could be a tar's end */
}

static void test_holes(void **state)
{
    char *path = file_join(folder, "holes");

    (void)state;
    assert_int_equal(unpack("good-sparse.tar", NULL), 0);
    assert_int_equal(file_size(path), (1 << 20) + 512);
    free(path);
}

static void test_merge(void **state)
{
    (void)state;
    assert_int_equal(unpack("good.tar", NULL), 0);
    assert_int_equal(unpack("more.tar", NULL), 0);
    must_be("top/bin/other", "x");
    must_be("top/a.txt", "hello\n");
    must_be("second/f", "x");
    assert_int_equal(unpack("good.tar", NULL), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "is in the folder already"));
}

/* Names in `base` and below, hashed: nothing may appear, inside or outside. */
static void state_of(char hex[HASH_HEX])
{
    assert_int_equal(hash_tree(base, hex, &err), 0);
}

static void must_refuse(const char *name, const char *word, const struct unpack_limits *limits)
{
    char before[HASH_HEX], after[HASH_HEX];

    state_of(before);
    if (unpack(name, limits) != ASSAY_EFAIL)
        fail_msg("%s was taken", name);
    if (!strstr(err.text, word))
        fail_msg("%s: '%s' does not say '%s'", name, err.text, word);
    assert_non_null(strstr(err.text, name));
    state_of(after);
    assert_string_equal(before, after);
}

static const struct {
    const char *name, *word;
} refused[] = {{"dotdot.tar", "leads out"},
               {"dotdot.zip", "leads out"},
               {"middle.tar", "leads out"},
               {"absolute.tar", "absolute path"},
               {"link-out.tar", "may lead out"},
               {"link-absolute.tar", "may lead out"},
               {"link.zip", "may lead out"},
               {"link-deep.tar", "may lead out"},
               {"link-chain.tar", "may lead out"},
               {"link-through.tar", "may lead out"},
               {"link-then-file.tar", "is in it twice"},
               {"file-then-link.tar", "is in it twice"},
               {"hard-out.tar", "leads out"},
               {"hard-absolute.tar", "absolute path"},
               {"hard-missing.tar", "not in it (yet)"},
               {"hard-to-link.tar", "not in it (yet)"},
               {"device.tar", "special file"},
               {"fifo.tar", "special file"},
               {"twice.tar", "is in it twice"},
               {"file-and-folder.tar", "a file, and a folder"},
               {"newline.tar", "control characters"},
               {"deep.tar", "too deep"},
               {"nothing.tar", "holds nothing"},
               {"cut.tar.gz", "cannot be read"},
               {"cut.zip", "cannot be read"},
               {"text.txt", "is no archive"},
               {"void", ""},
               {"bomb.tar.gz", "a bomb?"},
               {"bomb.zip", "a bomb?"},
               {"bomb.gz", "a bomb?"},
               {"sparse.tar", "a bomb?"},
               {"missing.tar", "cannot be opened"}};

static void test_refused_in_a_new_folder(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        must_refuse(refused[i].name, refused[i].word, NULL);
        assert_false(file_is_dir(folder));
    }
}

static void test_refused_in_a_folder_with_files(void **state)
{
    char *keep = file_join(folder, "keep");

    (void)state;
    assert_int_equal(file_make_dirs(folder, &err), 0);
    assert_int_equal(file_write_whole(keep, "k", 1, &err), 0);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        must_refuse(refused[i].name, refused[i].word, NULL);
    free(keep);
}

static void test_limits(void **state)
{
    struct unpack_limits few = {.max_files = 100}, little = {.max_bytes = 10},
                         low = {.max_ratio = 1e6};

    (void)state;
    must_refuse("many.tar", "more than 100 files", &few);
    must_refuse("good.tar", "more than 10 bytes", &little);
    must_refuse("good.tar.gz", "more than 10 bytes", &little);
    must_refuse("good.zip", "more than 10 bytes", &little);
    few.max_files = 200;
    assert_int_equal(unpack("many.tar", &few), 0);
    if (unpack("bomb.gz", &low)) /* the user's word counts */
        fail_msg("%s", err.text);
}

static void test_stop(void **state)
{
    volatile int stop = 1;
    struct unpack_limits limits = {.stop = &stop};

    (void)state;
    assert_int_equal(unpack("good.tar", &limits), ASSAY_ESTOP);
    assert_false(file_is_dir(folder));
}

static void test_full_disk(void **state)
{
    struct unpack_limits limits = {.max_ratio = 1e6};
    struct dirent **list;
    int names;

    (void)state;
    assert_int_equal(mkdir(folder, 0755), 0);
    if (mount("none", folder, "tmpfs", 0, "size=1m") < 0)
        skip();
    assert_int_equal(unpack("bomb.gz", &limits), ASSAY_EFAIL);
    names = scandir(folder, &list, NULL, NULL);
    assert_int_equal(names, 2); /* "." and ".." */
    free(list[0]);
    free(list[1]);
    free(list);
    assert_int_equal(umount2(folder, MNT_DETACH), 0);
    assert_non_null(strstr(err.text, "the disk is full"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {CASE(test_good_ones),
                                       CASE(test_single_file),
                                       CASE(test_holes),
                                       CASE(test_merge),
                                       CASE(test_refused_in_a_new_folder),
                                       CASE(test_refused_in_a_folder_with_files),
                                       CASE(test_limits),
                                       CASE(test_stop),
                                       CASE(test_full_disk)};

    return cmocka_run_group_tests(tests, setup_archives, teardown_archives);
}

/* The base room: files that appear whole, words, YAML, hashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/tree.h"

static char dir[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/assay-base-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return file_remove_tree(dir, NULL);
}

static int count_files(void)
{
    DIR *d = opendir(dir);
    int n = 0;

    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

static void check_home(const char *path, const char *wanted)
{
    char *got = file_expand_home(path);

    assert_string_equal(got, wanted);
    free(got);
}

static void test_home(void **state)
{
    char *home = getenv("HOME") ? strdup(getenv("HOME")) : NULL;
    const struct passwd *who;

    (void)state;
    setenv("HOME", "/home/me", 1);
    check_home("~/runs", "/home/me/runs");
    check_home("~", "/home/me");
    check_home("~other/runs", "~other/runs"); /* only a shell knows where others live */
    check_home("./~/runs", "./~/runs");
    check_home("", "");
    unsetenv("HOME"); /* cron, systemd: never a folder that all users can write to */
    if ((who = getpwuid(geteuid()))) {
        char *wanted = file_join(who->pw_dir, "runs"), *got;

        check_home("~/runs", wanted);
        free(wanted);
        unsetenv("ASSAY_STORE");
        unsetenv("XDG_DATA_HOME");
        wanted = file_join(who->pw_dir, ".local/share/assay");
        got = file_store_dir();
        assert_string_equal(got, wanted);
        free(got);
        free(wanted);
    }
    if (home)
        setenv("HOME", home, 1);
    free(home);
}

static void test_whole_files(void **state)
{
    struct assay_err err = {0};
    struct file_whole w;
    char *path = file_join(dir, "a"), *data;
    size_t len;

    (void)state;
    assert_int_equal(file_write_whole(path, "old", 3, &err), 0);
    assert_int_equal(file_whole_begin(&w, path, &err), 0);
    assert_int_equal(file_whole_write(&w, "new", 3, &err), 0);
    assert_int_equal(file_read(path, 100, &data, &len, &err), 0);
    assert_string_equal(data, "old"); /* until it is committed */
    free(data);
    file_whole_abandon(&w);
    assert_int_equal(count_files(), 1); /* nothing is left behind */
    assert_int_equal(file_write_whole(path, "newer", 5, &err), 0);
    assert_int_equal(file_read(path, 100, &data, &len, &err), 0);
    assert_string_equal(data, "newer");
    free(data);
    assert_int_equal(count_files(), 1);
    assert_int_equal(file_read(path, 4, &data, &len, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "larger than the 4 bytes"));
    free(path);
}

/* The old file's permissions stay; a new one has those of the umask. */
static void test_permissions(void **state)
{
    char *path = file_join(dir, "private");
    struct stat st;
    mode_t before = umask(027);

    (void)state;
    assert_int_equal(file_write_whole(path, "1", 1, NULL), 0);
    umask(before);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(file_write_whole(path, "2", 1, NULL), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    free(path);
}

static void test_full_disk(void **state)
{
    struct rlimit old, small = {1000, RLIM_INFINITY};
    struct assay_err err = {0};
    char *path = file_join(dir, "big"), big[4096] = {0}, *data;
    size_t len;

    (void)state;
    assert_int_equal(file_write_whole(path, "old", 3, &err), 0);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small.rlim_max = old.rlim_max;
    setrlimit(RLIMIT_FSIZE, &small);
    assert_int_equal(file_write_whole(path, big, sizeof(big), &err), ASSAY_EFAIL);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_non_null(strstr(err.text, path));
    assert_int_equal(file_read(path, 100, &data, &len, &err), 0);
    assert_string_equal(data, "old");
    free(data);
    assert_int_equal(count_files(), 1);
    free(path);
}

static void test_nearest(void **state)
{
    const char *words[] = {"scenario", "lanes", "threads", "batch"}, *letters[] = {"a", "b"};

    (void)state;
    assert_string_equal(text_nearest("scenrio", words, 4, sizeof(words[0])), "scenario");
    assert_string_equal(text_nearest("bacth", words, 4, sizeof(words[0])), "batch");
    assert_string_equal(text_nearest("LANES", words, 4, sizeof(words[0])), "lanes");
    assert_null(text_nearest("zebra", words, 4, sizeof(words[0])));
    assert_null(text_nearest("z", letters, 2, sizeof(letters[0])));
}

static void test_text_has_a_maximum(void **state)
{
    struct text t;

    (void)state;
    text_init(&t, 10);
    text_addf(&t, "%d-%s", 12, "abc");
    assert_string_equal(t.s, "12-abc");
    text_add(&t, "too much of it");
    assert_true(t.cut);
    assert_string_equal(t.s, "12-abc");
    assert_null(text_take(&t));
}

static void check_yaml(const char *yaml, const char *json)
{
    struct assay_err err = {0};
    json_t *tree = NULL, *want;
    int rc = tree_parse_yaml(yaml, strlen(yaml), "t.yaml", &tree, &err);

    if (!json) {
        assert_int_not_equal(rc, 0);
        assert_int_equal(strncmp(err.text, "t.yaml:", 7), 0);
        return;
    }
    assert_int_equal(rc, 0);
    want = json_loads(json, JSON_DECODE_ANY, NULL);
    assert_non_null(want);
    assert_true(json_equal(tree, want));
    json_decref(tree);
    json_decref(want);
}

static void check_bad_yaml(const char *yaml, const char *says)
{
    struct assay_err err = {0};
    json_t *tree = NULL;

    assert_int_equal(tree_parse_yaml(yaml, strlen(yaml), "t.yaml", &tree, &err), ASSAY_EUSAGE);
    if (strncmp(err.text, says, strlen(says)))
        fail_msg("%s", err.text);
}

static void test_yaml(void **state)
{
    (void)state;
    check_yaml("a: 1\nb: [x, 1.5, true, null, '7']\nc: {d: -3}\n",
               "{\"a\": 1, \"b\": [\"x\", 1.5, true, null, \"7\"], \"c\": {\"d\": -3}}");
    check_yaml("version: 1.2.3\nhex: 0x10\n", "{\"version\": \"1.2.3\", \"hex\": 16}");
    check_yaml("", "null");
    check_bad_yaml("b: 1\na: 1\na: 2\n", "t.yaml:3:1: the key 'a' is there twice");
    check_bad_yaml("b: 1\na: caf\xe9 x\n", "t.yaml:2:8: not valid YAML: ");
    check_bad_yaml("\xe9", "t.yaml:1:1: not valid YAML: ");
    check_yaml("a: &x 1\nb: *x\n", NULL);  /* anchors */
    check_yaml("a: [1, 2\n", NULL);        /* not closed */
    check_yaml("a: 1\n---\nb: 2\n", NULL); /* two documents */
    check_yaml("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", NULL);
}

static void test_hash(void **state)
{
    char hex[HASH_HEX];

    (void)state;
    hash_bytes("abc", 3, hex); /* FIPS 180-2, appendix B.1 */
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void put(const char *name, const char *text)
{
    char *path = file_join(dir, name);

    assert_int_equal(file_write_whole(path, text, strlen(text), NULL), 0);
    free(path);
}

static void check_string(const char *s, const char *wanted)
{
    json_t *got = tree_string(s);

    assert_string_equal(json_string_value(got), wanted);
    json_decref(got);
}

static void test_tree_string(void **state)
{
    (void)state;
    check_string("", "");
    check_string("caf\xc3\xa9", "caf\xc3\xa9");
    check_string("\xc3\xa9 caf\xe9!", "\xc3\xa9 caf\xef\xbf\xbd!");
    check_string("cut: \xe2\x82", "cut: \xef\xbf\xbd\xef\xbf\xbd");
}

/* A folder's hash tells a changed file, a moved one and one more; and is the same again. */
static void test_hash_tree(void **state)
{
    char hex[5][HASH_HEX], *below = file_join(dir, "sub");
    int i, k;

    (void)state;
    assert_int_equal(file_make_dirs(below, NULL), 0);
    put("a", "one");
    put("sub/b", "two");
    assert_int_equal(hash_tree(dir, hex[0], NULL), 0);
    assert_int_equal(hash_tree(dir, hex[1], NULL), 0);
    assert_string_equal(hex[0], hex[1]);
    put("sub/b", "2");
    assert_int_equal(hash_tree(dir, hex[1], NULL), 0);
    put("sub/b", "two");
    put("sub/c", "");
    assert_int_equal(hash_tree(dir, hex[2], NULL), 0);
    free(below);
    below = file_join(dir, "sub/c");
    unlink(below);
    put("c", "");
    assert_int_equal(hash_tree(dir, hex[3], NULL), 0);
    for (i = 0; i < 4; i++)
        for (k = 0; k < i; k++)
            assert_string_not_equal(hex[i], hex[k]);
    free(below);
    below = file_join(dir, "a"); /* a file: as hash_file */
    assert_int_equal(hash_tree(below, hex[0], NULL), 0);
    assert_int_equal(hash_file(below, hex[1], NULL), 0);
    assert_string_equal(hex[0], hex[1]);
    free(below);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_permissions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_disk, set_up, tear_down),
        cmocka_unit_test(test_home),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_text_has_a_maximum),
        cmocka_unit_test(test_yaml),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_tree_string),
        cmocka_unit_test_setup_teardown(test_hash_tree, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Records named by a path, and latencies that are believed only when they are those recorded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/tree.h"
#include "record/record.h"

static char root[] = "/tmp/assay-read-XXXXXX";

static char *below(const char *name)
{
    static char path[4][200];
    static int n;

    n = (n + 1) % 4;
    snprintf(path[n], sizeof(path[n]), "%s/%s", root, name);
    return path[n];
}

static void write_text(const char *name, const char *text)
{
    assert_int_equal(file_write_whole(below(name), text, strlen(text), NULL), 0);
}

static void by_path(void **state)
{
    struct assay_err err = {0};
    json_t *tree;
    char *dir;

    (void)state;
    write_text("record.json", "{\"schema\": \"assay.record/1\", \"id\": \"0123456789abcdef\"}");
    write_text("lock.json", "{\"schema\": \"assay.record/1\", \"id\": \"0123456789abcdee\"}");
    assert_int_equal(record_open("/nowhere", root, &dir, &tree, &err), 0);
    assert_string_equal(tree_text(tree, "id", ""), "0123456789abcdef");
    assert_string_equal(tree_text(tree, "folder", ""), dir);
    assert_string_equal(dir, root);
    json_decref(tree);
    free(dir);
    assert_int_equal(record_open("/nowhere", below("lock.json"), &dir, &tree, &err), 0);
    assert_string_equal(tree_text(tree, "id", ""), "0123456789abcdee");
    assert_string_equal(dir, root);
    json_decref(tree);
    free(dir);
}

static void refuse(const char *name, int code, const char *says)
{
    struct assay_err err = {0};
    json_t *tree;
    char *dir;

    assert_int_equal(record_open("/nowhere", below(name), &dir, &tree, &err), code);
    assert_null(dir);
    assert_null(tree);
    if (!strstr(err.text, says) || strchr(err.text, '\n'))
        fail_msg("%s: %s", name, err.text);
}

static void not_a_record(void **state)
{
    (void)state;
    write_text("newer.json", "{\"schema\": \"assay.record/2\"}");
    write_text("plan.json", "{\"schema\": \"assay.plan/1\"}");
    write_text("list.json", "[1]");
    write_text("cut.json", "{\"schema\": ");
    refuse("newer.json", ASSAY_EFAIL, "assay.record/2");
    refuse("plan.json", ASSAY_EUSAGE, "is no record");
    refuse("list.json", ASSAY_EUSAGE, "is no record");
    refuse("cut.json", ASSAY_EUSAGE, "cut.json");
    refuse("missing.json", ASSAY_EUSAGE, "is not there");
}

static void latencies(void **state)
{
    const int64_t values[3] = {5, 0, 7};
    char hex[HASH_HEX];
    struct assay_err err = {0};
    int64_t *v = NULL;
    uint64_t n = 9;
    json_t *tree;

    (void)state;
    hash_bytes(values, sizeof(values), hex);
    tree = json_pack("{s:{s:{s:s}}}", "files", "latency.bin", "sha256", hex);
    assert_int_equal(record_latencies(root, tree, &v, &n, &err), 0);
    assert_int_equal(n, 0); /* not there */
    assert_int_equal(file_write_whole(below("latency.bin"), values, sizeof(values), NULL), 0);
    assert_int_equal(record_latencies(root, tree, &v, &n, &err), 0);
    assert_int_equal(n, 3);
    assert_int_equal(v[2], 7);
    free(v);
    write_text("latency.bin", "12345678");
    assert_int_equal(record_latencies(root, tree, &v, &n, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "SHA-256"));
    assert_null(v);
    json_decref(tree);
}

static int make_root(void **state)
{
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    return file_remove_tree(root, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(by_path), cmocka_unit_test(not_a_record),
                                       cmocka_unit_test(latencies)};

    return cmocka_run_group_tests(tests, make_root, remove_root);
}

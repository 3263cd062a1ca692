/* Exports: what leaves a machine, what is refused, what a store does with what came. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/tree.h"
#include "record/canonical.h"
#include "record/export.h"
#include "record/private.h"
#include "record/record.h"

static char store[64], other[64];

static int setup(void **state)
{
    (void)state;
    snprintf(store, sizeof(store), "/tmp/assay-export-XXXXXX");
    snprintf(other, sizeof(other), "/tmp/assay-import-XXXXXX");
    setenv("HOME", "/home/alice", 1);
    return mkdtemp(store) && mkdtemp(other) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    file_remove_tree(other, NULL);
    return file_remove_tree(store, NULL);
}

/* A record in the store, with three latencies; json_decref() it. */
static json_t *make_record(int n)
{
    static const int64_t ns[] = {1000, 2000, 3000};
    struct assay_err err = {0};
    struct record_draft d;
    char path[1200];
    json_t *tree = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:{s:s, s:s}, s:{s:s, s:f, s:s}, s:{s:s, s:b, s:[s]}, "
        "s:{s:b, s:b}, s:[s, s, s]}",
        "benchmark", "resnet50", "profile", "quick", "scenario", "Offline", "mode", "performance",
        "status", "done", "model", "name", "resnet50", "path", "/home/alice/nets/r.onnx",
        "performance", "metric", "throughput", "value", 100.5 + n, "unit", "samples/s", "verdict",
        "word", "QUICK-VALID", "valid", 1, "reasons", "/home/bob/x is slow", "synthetic", "weights",
        1, "samples", 0, "command", "assay", "run", "--dataset=/home/alice/my data");

    if (record_begin(store, &d, &err))
        fail_msg("%s", err.text);
    snprintf(path, sizeof(path), "%s/latency.bin", d.dir);
    assert_int_equal(file_write_whole(path, ns, sizeof(ns), &err), 0);
    if (record_commit(&d, tree, &err))
        fail_msg("%s", err.text);
    return tree;
}

static json_t *make_export(int n, bool latencies)
{
    json_t *records = json_array(), *tree = NULL;
    struct assay_err err = {0};

    for (int i = 0; i < n; i++)
        json_array_append_new(records, make_record(i));
    if (export_make(records, latencies, &tree, &err))
        fail_msg("%s", err.text);
    json_decref(records);
    return tree;
}

static json_t *entry_of(json_t *tree, size_t i)
{
    return json_array_get(json_object_get(tree, "records"), i);
}

static json_t *record_of(json_t *tree, size_t i)
{
    return json_object_get(entry_of(tree, i), "record");
}

/* Parses what the tree says; frees nothing of it.  Returns the code, and in err the words. */
static int parse(const json_t *tree, json_t **out, struct assay_err *err)
{
    char *text = json_dumps(tree, JSON_REAL_PRECISION(17));
    int rc = export_parse(text, strlen(text), "x.json", out, err);

    free(text);
    return rc;
}

static void rehash(json_t *entry)
{
    char hex[HASH_HEX];

    assert_int_equal(canonical_hash(json_object_get(entry, "record"), hex, NULL), 0);
    json_object_set_new(entry, "sha256", json_string(hex));
}

static int take(json_t *tree, size_t i, const char *into)
{
    struct assay_err err = {0};
    int taken = -1;

    if (export_take(into, tree, i, "x.json", "ab", &taken, &err))
        fail_msg("%s", err.text);
    return taken;
}

/* ---- the hash ---- */

static void hash_is_of_the_content(void **state)
{
    static const char *const same[] = {"{\"a\": 1, \"b\": [true, null, \"\\u00e4\", 0.5]}",
                                       "{\"b\":[true,null,\"\xc3\xa4\",5e-1],\"a\":1.0}"};
    static const char *const others[] = {
        "{\"a\": 1, \"b\": [true, null, \"\\u00e4\", 0.50000000000000011]}",
        "{\"a\": 1, \"b\": [true, null, \"\\u00e4\"], \"c\": 0.5}",
        "{\"a\": \"1\", \"b\": [true, null, \"\\u00e4\", 0.5]}",
        "{\"a\": 1, \"b\": [true, \"n\", \"\\u00e4\", 0.5]}"};
    static const char bytes[] = "{1:ai1;1:b[tn2:\xc3\xa4r0.5;]}";
    char hex[3][HASH_HEX];
    size_t i;

    (void)state;
    for (i = 0; i < 2; i++) {
        json_t *tree = json_loads(same[i], 0, NULL);

        assert_int_equal(canonical_hash(tree, hex[i], NULL), 0);
        json_decref(tree);
    }
    hash_bytes(bytes, sizeof(bytes) - 1, hex[2]);
    assert_string_equal(hex[0], hex[1]);
    assert_string_equal(hex[0], hex[2]);
    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        json_t *tree = json_loads(others[i], 0, NULL);

        assert_int_equal(canonical_hash(tree, hex[1], NULL), 0);
        assert_string_not_equal(hex[0], hex[1]);
        json_decref(tree);
    }
}

/* ---- names ---- */

static void names_are_left_out(void **state)
{
    static const struct private_names names = {"/home/alice", "alice", "node7.lab.example"};
    static const char *const cases[][2] = {
        {"/home/alice/nets/r.onnx", "~/nets/r.onnx"},
        {"--dataset=/home/alice", "--dataset=~"},
        {"/home/alicea/x", "/home/-user-/x"},
        {"/home/bob", "/home/-user-"},
        {"cannot read '/Users/bob/x'", "cannot read '/Users/-user-/x'"},
        {"file:///home/bob/x", "file:///home/-user-/x"},
        {"-I/home/bob/x", "-I/home/-user-/x"},
        {"/data/alice/x and /tmp/alice-1", "/data/-user-/x and /tmp/-user--1"},
        {"alice@node7:8000", "-user-@-host-:8000"},
        {"http://node7.lab.example/v2", "http://-host-/v2"},
        {"alice in wonderland", "alice in wonderland"}, /* no path: a tag is the user's own */
        {"node72 anode7", "node72 anode7"},
        {"~/x /home/-user-/y -host-", "~/x /home/-user-/y -host-"},
        {"", ""},
        {"/home/", "/home/"},
        {"/mnt/home/alice/x", "/mnt/home/-user-/x"}};
    struct private_count count = {0};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *once = private_text(cases[i][0], &names, &count);
        char *twice = private_text(once, &names, &count);

        assert_string_equal(once, cases[i][1]);
        assert_string_equal(twice, once);
        free(once);
        free(twice);
    }
    assert_true(count.homes && count.users && count.hosts);
}

static void an_export_holds_no_name(void **state)
{
    json_t *tree = make_export(1, false);
    char *text = json_dumps(tree, 0);

    (void)state;
    assert_null(strstr(text, "alice"));
    assert_null(strstr(text, "bob"));
    assert_null(strstr(text, store));
    assert_non_null(strstr(text, "~/nets/r.onnx"));
    assert_non_null(strstr(text, "home folders"));
    assert_string_equal(tree_text(tree, "schema", ""), EXPORT_SCHEMA);
    free(text);
    json_decref(tree);
}

/* ---- there and back ---- */

static void taken_once_and_marked(void **state)
{
    json_t *tree = make_export(2, true), *checked = NULL, *back = NULL, *rows = NULL;
    struct assay_err err = {0};
    const char *id = tree_text(record_of(tree, 0), "id", "");
    char *dir = NULL, path[1200], *bytes;
    size_t len;

    (void)state;
    assert_int_equal(parse(tree, &checked, &err), 0);
    assert_int_equal(take(checked, 0, other), EXPORT_TAKEN);
    assert_int_equal(take(checked, 1, other), EXPORT_TAKEN);
    assert_int_equal(take(checked, 0, other), EXPORT_THERE);
    assert_int_equal(record_find(other, id, &dir, &back, &err), 0);
    assert_string_equal(tree_text(json_object_get(back, "foreign"), "file", ""), "x.json");
    snprintf(path, sizeof(path), "%s/latency.bin", dir);
    assert_int_equal(file_read(path, 100, &bytes, &len, &err), 0);
    assert_int_equal(len, 24);
    free(bytes);
    assert_int_equal(record_list(other, &rows, &err), 0);
    assert_int_equal(json_array_size(rows), 2);
    assert_string_equal(tree_text(json_array_get(rows, 0), "origin", ""), "x.json");
    /* `last` is what was made here */
    assert_int_equal(record_find(other, "last", NULL, NULL, &err), ASSAY_EUSAGE);
    free(dir);
    json_decref(rows);
    json_decref(back);
    json_decref(checked);
    json_decref(tree);
}

static void home_again_is_the_same(void **state)
{
    json_t *tree = make_export(1, false), *rows = NULL, *back = NULL, *again = NULL, *list;
    struct assay_err err = {0};
    const char *id = tree_text(record_of(tree, 0), "id", "");

    (void)state;
    assert_int_equal(take(tree, 0, store), EXPORT_THERE);
    assert_int_equal(take(tree, 0, other), EXPORT_TAKEN);
    /* and from the other machine on: the same hash */
    assert_int_equal(record_find(other, id, NULL, &back, &err), 0);
    list = json_pack("[O]", back);
    assert_int_equal(export_make(list, false, &again, &err), 0);
    assert_string_equal(tree_text(entry_of(again, 0), "sha256", "a"),
                        tree_text(entry_of(tree, 0), "sha256", "b"));
    assert_int_equal(record_list(store, &rows, &err), 0);
    assert_int_equal(json_array_size(rows), 1);
    assert_null(tree_text(json_array_get(rows, 0), "origin", NULL));
    json_decref(list);
    json_decref(again);
    json_decref(back);
    json_decref(rows);
    json_decref(tree);
}

static void contradiction_leaves_ours(void **state)
{
    json_t *tree = make_export(1, false), *back = NULL;
    struct assay_err err = {0};
    const char *id = tree_text(record_of(tree, 0), "id", "");

    (void)state;
    json_object_set_new(json_object_get(record_of(tree, 0), "performance"), "value",
                        json_real(1e9));
    rehash(entry_of(tree, 0));
    assert_int_equal(take(tree, 0, store), EXPORT_CONTRADICTS);
    assert_int_equal(record_find(store, id, NULL, &back, &err), 0);
    assert_true(tree_real(json_object_get(back, "performance"), "value", 0) == 100.5);
    assert_null(json_object_get(back, "foreign"));
    json_decref(back);
    json_decref(tree);
}

/* ---- refusals ---- */

/* What a fault does to a good export, and the words that name it. */
static void wrong_hash(json_t *t)
{
    json_object_set_new(record_of(t, 1), "profile", json_string("official:v6.0"));
}
static void newer_export(json_t *t)
{
    json_object_set_new(t, "schema", json_string("assay.export/2"));
}
static void no_export(json_t *t)
{
    json_object_set_new(t, "schema", json_string("assay.results/1"));
}
static void newer_record(json_t *t)
{
    json_object_set_new(record_of(t, 0), "schema", json_string("assay.record/7"));
    rehash(entry_of(t, 0));
}
static void path_as_id(json_t *t)
{
    json_object_set_new(record_of(t, 0), "id", json_string("../../../../x"));
    rehash(entry_of(t, 0));
}
static void long_id(json_t *t)
{
    json_object_set_new(record_of(t, 0), "id", json_string("0123456789abcdef/../../x"));
    rehash(entry_of(t, 0));
}
static void no_date(json_t *t)
{
    json_object_set_new(record_of(t, 0), "created", json_string("9999"));
    rehash(entry_of(t, 0));
}
static void other_kind(json_t *t)
{
    json_object_set_new(record_of(t, 0), "verdict", json_integer(1));
    rehash(entry_of(t, 0));
}
static void deep(json_t *t)
{
    json_t *v = json_array();

    for (int i = 0; i < 1000; i++)
        v = json_pack("[o]", v);
    json_object_set_new(record_of(t, 0), "tag", v);
}
static void other_latencies(json_t *t)
{
    json_object_set_new(entry_of(t, 0), "latencies", json_string("AAAAAAAAAAA="));
}
static void no_base64(json_t *t)
{
    json_object_set_new(entry_of(t, 0), "latencies", json_string("A==="));
}
static void no_records(json_t *t)
{
    json_object_del(t, "records");
}
static void no_record(json_t *t)
{
    json_object_set_new(entry_of(t, 0), "record", json_true());
}

static void faults_are_named(void **state)
{
    static const struct {
        void (*spoil)(json_t *);
        const char *words;
    } faults[] = {{wrong_hash, "its SHA-256 is not the one"},
                  {newer_export, "made by a newer Assay (assay.export/2"},
                  {no_export, "is not an export"},
                  {newer_record, "made by a newer Assay (assay.record/7"},
                  {path_as_id, "16 hex digits"},
                  {long_id, "16 hex digits"},
                  {no_date, "no date"},
                  {other_kind, "another kind"},
                  {deep, "nested more than"},
                  {other_latencies, "its latencies are not those"},
                  {no_base64, "its latencies are not those"},
                  {no_records, "holds no records"},
                  {no_record, "is not there"}};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        json_t *tree = make_export(2, true), *out = NULL;
        struct assay_err err = {0};

        faults[i].spoil(tree);
        assert_int_equal(parse(tree, &out, &err), ASSAY_EFAIL);
        if (strncmp(err.text, "x.json", 6) || !strstr(err.text, faults[i].words) ||
            strchr(err.text, '\n'))
            fail_msg("'%s' has no '%s'", err.text, faults[i].words);
        json_decref(tree);
    }
}

static void no_json_is_no_export(void **state)
{
    static const char *const texts[] = {"", "[]", "{", "{\"schema\": 1e999}", "null", "7"};
    struct assay_err err = {0};
    json_t *out = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(export_parse(texts[i], strlen(texts[i]), "x", &out, &err), ASSAY_EFAIL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_is_of_the_content),
        cmocka_unit_test(names_are_left_out),
        cmocka_unit_test_setup_teardown(an_export_holds_no_name, setup, teardown),
        cmocka_unit_test_setup_teardown(taken_once_and_marked, setup, teardown),
        cmocka_unit_test_setup_teardown(home_again_is_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(contradiction_leaves_ours, setup, teardown),
        cmocka_unit_test_setup_teardown(faults_are_named, setup, teardown),
        cmocka_unit_test(no_json_is_no_export),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Machine facts on fixture trees: what is there is found and named, what is not is unknown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/tree.h"
#include "record/system.h"

static json_t *facts_of(const char *tree, const char *store, const char *declared)
{
    struct assay_err err = {0};
    char root[1024];
    json_t *facts = NULL;

    snprintf(root, sizeof(root), ASSAY_SOURCE "/tests/golden/sysroot/%s", tree);
    setenv("ASSAY_SYSROOT", root, 1);
    if (system_facts_at(store, declared, &facts, &err))
        fail_msg("%s", err.text);
    return facts;
}

static void compare_golden(const char *tree)
{
    json_t *got = facts_of(tree, "/var/store/runs", NULL), *want = NULL;
    struct assay_err err = {0};
    char path[1024];

    json_object_del(got, "compiler"); /* of this build, not of the tree */
    json_object_del(got, "libc");
    snprintf(path, sizeof(path), ASSAY_SOURCE "/tests/golden/sysroot/%s.json", tree);
    if (getenv("ASSAY_WRITE_GOLDEN"))
        assert_int_equal(tree_write_json(path, got, &err), 0);
    assert_int_equal(tree_read_json(path, &want, &err), 0);
    if (!json_equal(got, want))
        fail_msg("%s: got %s", path, json_dumps(got, JSON_INDENT(1) | JSON_SORT_KEYS));
    json_decref(want);
    json_decref(got);
}

static void server(void **state)
{
    (void)state;
    compare_golden("server");
}

static void arm_container(void **state)
{
    (void)state;
    compare_golden("arm-container");
}

static void masked_is_unknown(void **state)
{
    json_t *facts = facts_of("masked", "/var/store", NULL), *fact;
    const char *name;

    (void)state;
    json_object_foreach(facts, name, fact)
    {
        if (!strcmp(name, "compiler") || !strcmp(name, "libc"))
            continue;
        if (strcmp(tree_text(fact, "from", ""), "unknown") ||
            !json_is_null(json_object_get(fact, "value")))
            fail_msg("%s is made up: %s", name, json_dumps(fact, 0));
    }
    json_decref(facts);
}

static void declared_beside_detected(void **state)
{
    char path[] = "/tmp/assay-declared-XXXXXX";
    static const char text[] = "cores: 96\ngovernor: performance\nrack: 7\n";
    struct assay_err err = {0};
    int fd = mkstemp(path);
    json_t *facts, *bad = NULL;

    (void)state;
    close(fd);
    assert_int_equal(file_write_whole(path, text, strlen(text), &err), 0);
    facts = facts_of("server", "/var/store", path);
    assert_int_equal(tree_int(json_object_get(facts, "cores"), "value", 0), 4);
    assert_int_equal(tree_int(json_object_get(facts, "cores"), "declared", 0), 96);
    assert_string_equal(tree_text(json_object_get(facts, "rack"), "from", ""), "declared");
    json_decref(facts);
    facts = facts_of("masked", "/var/store", path);
    assert_string_equal(tree_text(json_object_get(facts, "governor"), "from", ""), "declared");
    json_decref(facts);
    assert_int_equal(file_write_whole(path, "a: [1]\n", 7, &err), 0);
    assert_int_equal(system_facts(path, &bad, &err), ASSAY_EUSAGE);
    assert_non_null(strstr(err.text, "a:"));
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(server),
        cmocka_unit_test(arm_container),
        cmocka_unit_test(masked_is_unknown),
        cmocka_unit_test(declared_beside_detected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

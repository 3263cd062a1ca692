/* Cells of the matrix: what a record says, and ranges of versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/tree.h"
#include "record/cell.h"

static json_t *parse(const char *text)
{
    json_error_t e;
    json_t *tree = json_loads(text, 0, &e);

    if (!tree)
        fail_msg("%s: %s", e.text, text);
    return tree;
}

/* One line a case: what the record has beside its frame, then state and reason of the cell. */
static const struct {
    const char *record, *state, *reason;
} states[] = {
    {"'status':'done','verdict':{'valid':true}", CELL_OK, ""},
    {"'status':'done','verdict':{'valid':false,'reasons':['too short','b']}", CELL_FAILED,
     "too short"},
    {"'status':'done','verdict':{'valid':false}", CELL_FAILED, "INVALID"},
    {"'status':'done'", CELL_FAILED, "INVALID"},
    {"'status':'done','verdict':{'valid':true},'accuracy':{'metric':'top1','value':70,'target':75."
     "5,"
     "'unit':'%','passed':false}",
     CELL_FAILED, "top1 70 is below the target of 75.5 %"},
    {"'status':'done','verdict':{'valid':true},'accuracy':{'passed':null}", CELL_OK, ""},
    {"'status':'done','verdict':{'valid':true},'accuracy':{'passed':true,'targets':[{'share':99,"
     "'passed':true},{'share':99.9,'passed':false}]}",
     CELL_OK, ""},
    {"'status':'error','error':{'code':-2,'text':'crashed'}", CELL_FAILED, "crashed"},
    {"'status':'error','error':{'code':-4,'text':'no such operator'}", CELL_NONE,
     "no such operator"},
    {"'status':'error','error':{'code':-2,'text':'needs 3 h'},'time':{'over':true,'limit_s':900}",
     CELL_UNKNOWN, "needs 3 h"},
    {"'status':'error','error':{'code':-6,'text':'the disk is full'}", CELL_UNKNOWN,
     "the disk is full"},
    {"'status':'error','error':{'code':-1,'text':'--batch 8: the model takes 4'}", CELL_UNKNOWN,
     "--batch 8: the model takes 4"},
    {"'status':'error'", CELL_FAILED, "failed without a word"},
    {"'status':'done','verdict':{'valid':true},'engine':{'name':'e','precision':'fp32'},"
     "'settings':{'precision':{'value':'bf16'}}",
     CELL_NONE, "e executed fp32"},
    {"'status':'done','verdict':5,'accuracy':[],'engine':'x'", CELL_FAILED, "INVALID"},
};

static json_t *cell_from(const char *members)
{
    char text[1024], *p;
    json_t *record, *cell;

    snprintf(text, sizeof(text), "{'benchmark':'bert',%s}", members);
    for (p = text; *p; p++)
        if (*p == '\'')
            *p = '"';
    record = parse(text);
    cell = cell_of_record(record);
    json_decref(record);
    return cell;
}

static void test_states(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        json_t *cell = cell_from(states[i].record);

        assert_non_null(cell);
        assert_string_equal(tree_text(cell, "state", "?"), states[i].state);
        assert_string_equal(tree_text(cell, "reason", ""), states[i].reason);
        assert_string_equal(tree_text(cell, "benchmark", "?"), "bert");
        json_decref(cell);
    }
}

static void test_no_cell(void **state)
{
    (void)state;
    assert_null(cell_from("'status':'interrupted'"));
    assert_null(cell_from("'status':7"));
}

static json_t *version(const char *v, const char *state)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "engine", "e", "engine_version", v, "state", state,
                     "id", v);
}

static void check_ranges(json_t *cells, const char *want)
{
    json_t *versions = cell_versions(json_array_get(cells, 0), cells);
    char out[256];

    cell_ranges(versions, out, sizeof(out));
    assert_string_equal(out, want);
    json_decref(versions);
    json_decref(cells);
}

static void test_ranges(void **state)
{
    (void)state;
    check_ranges(json_pack("[o]", version("1.32.0", CELL_OK)), "1.32.0");
    check_ranges(json_pack("[o]", version("1.32.0", CELL_FAILED)), "");
    /* 1.9 is before 1.21; a failure parts the range */
    check_ranges(json_pack("[o, o, o, o]", version("1.21.0", CELL_OK), version("1.9.1", CELL_OK),
                           version("1.30.0", CELL_FAILED), version("1.32.0", CELL_OK)),
                 "1.9.1 to 1.21.0, 1.32.0");
    /* The newest record of a version counts, which stands first; not tested says nothing. */
    check_ranges(json_pack("[o, o, o]", version("2.0", CELL_FAILED), version("2.0", CELL_OK),
                           version("2.1", CELL_UNKNOWN)),
                 "");
    check_ranges(json_pack("[o, o]", version("2.0-rc1", CELL_OK), version("2.0", CELL_OK)),
                 "2.0 to 2.0-rc1");
}

static void test_ranges_are_cut(void **state)
{
    json_t *versions = json_array();
    char out[16];

    (void)state;
    for (int i = 0; i < 40; i++)
        json_array_append_new(versions, json_pack("{s:o, s:s}", "version", json_sprintf("%d.0", i),
                                                  "state", i % 2 ? CELL_FAILED : CELL_OK));
    cell_ranges(versions, out, sizeof(out));
    assert_int_equal(strlen(out), sizeof(out) - 1);
    json_decref(versions);
}

/* Architecture and system, on a card its name: not a screen's chip, and once. */
static void test_system(void **state)
{
    static const struct {
        const char *facts, *device, *want;
    } cases[] = {
        {"", "cpu", "unknown architecture, unknown OS"},
        {"'architecture':{'value':'aarch64'},'operating_system':{'value':'Debian 12'}", "cpu",
         "aarch64, Debian 12"},
        {"'architecture':{'value':'x86_64'},'operating_system':{'value':'Debian 12'},"
         "'gpu_models':{'value':'Intel 8086:1234, NVIDIA H100, NVIDIA H100'}",
         "cuda:1", "NVIDIA H100, x86_64, Debian 12"},
        {"'architecture':{'value':7},'operating_system':[],'gpu_models':{'value':null}", "cuda:0",
         "unknown GPU, unknown architecture, unknown OS"},
        {"'gpu_models':{'value':'AMD 1002:1, Intel 8086:1234'}", "cuda:0",
         "Intel 8086:1234, unknown architecture, unknown OS"},
    };
    char members[600];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *cell;

        snprintf(members, sizeof(members),
                 "'status':'done','system':{%s},'settings':{'device':{'value':'%s'}}",
                 cases[i].facts, cases[i].device);
        cell = cell_from(members);
        assert_string_equal(tree_text(cell, "system", "?"), cases[i].want);
        json_decref(cell);
    }
}

/* A cell that names a system has the versions that worked on it. */
static void test_ranges_of_a_system(void **state)
{
    json_t *cells = parse("[{\"engine_version\":\"1\",\"state\":\"ok\",\"system\":\"a\"},"
                          "{\"engine_version\":\"2\",\"state\":\"ok\",\"system\":\"b\"},"
                          "{\"engine_version\":\"3\",\"state\":\"ok\"}]");
    static const char *const want[] = {"1", "2", "1 to 3"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        json_t *versions = cell_versions(json_array_get(cells, i), cells);
        char ranges[64];

        cell_ranges(versions, ranges, sizeof(ranges));
        assert_string_equal(ranges, want[i]);
        json_decref(versions);
    }
    json_decref(cells);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states), cmocka_unit_test(test_no_cell),
        cmocka_unit_test(test_ranges), cmocka_unit_test(test_ranges_are_cut),
        cmocka_unit_test(test_system), cmocka_unit_test(test_ranges_of_a_system),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

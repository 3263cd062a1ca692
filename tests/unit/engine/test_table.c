/* Loading, options and shapes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "engine/host.h"
#include "engine/open.h"

static const struct assay_engine *load(const char *name)
{
    const struct assay_engine *t = NULL;
    struct assay_err err = {0};
    char path[1024];

    if (engine_load(name, &t, path, &err))
        fail_msg("%s", err.text);
    return t;
}

static void loads_by_name_and_path(void **state)
{
    const struct assay_engine *t = load("null"), *same;
    struct assay_err err = {0};
    char path[1024], again[1024];

    (void)state;
    assert_string_equal(t->name, "null");
    assert_false(t->caps & ASSAY_CAP_ASYNC);
    assert_true(load("null-async")->caps & ASSAY_CAP_ASYNC);
    assert_int_equal(engine_load("null", &same, path, &err), 0);
    assert_non_null(strstr(path, "/lib/assay/engines/null.so"));
    assert_int_equal(engine_load(path, &same, again, &err), 0);
    assert_ptr_equal(t, same);
}

static void unknown_name_gets_a_hint(void **state)
{
    const struct assay_engine *t;
    struct assay_err err = {0};
    char path[1024];

    (void)state;
    assert_int_equal(engine_load("nul", &t, path, &err), ASSAY_EUSAGE);
    assert_non_null(strstr(err.text, "did you mean 'null'"));
    assert_int_equal(engine_load("/nonexistent/x.so", &t, path, &err), ASSAY_EUSAGE);
    assert_int_equal(engine_load("/proc/self/exe", &t, path, &err), ASSAY_EFAIL);
}

static void a_version_is_the_librarys(void **state)
{
    const struct assay_engine *t;
    struct assay_err err = {0};
    char path[1024];

    (void)state;
    assert_null(engine_version_asked("null"));
    assert_string_equal(engine_version_asked("null@>=1 <2"), ">=1 <2");
    assert_null(engine_version_asked("/a@b/null.so")); /* of a path it is a part */
    assert_ptr_equal(load("null@>=1 <2"), load("null"));
    assert_int_equal(engine_load("nul@1", &t, path, &err), ASSAY_EUSAGE);
    assert_non_null(strstr(err.text, "did you mean 'null'"));
}

static void lists_what_is_there(void **state)
{
    json_t *list = engine_list(), *v;
    bool found = false;
    size_t i;

    (void)state;
    json_array_foreach(list, i, v) found |= !strcmp(json_string_value(v), "null");
    assert_true(found);
    json_decref(list);
}

/* Tables that a foreign engine might give; only what is checked before anything is called. */
static const struct assay_option rows[] = {
    {"flag", ASSAY_OPTION_BOOL, "on", 0, 0, NULL, "h"},
    {"count", ASSAY_OPTION_INT, "3", 1, 10, NULL, "h"},
    {"share", ASSAY_OPTION_REAL, "0.5", 0, 1, NULL, "h"},
    {"way", ASSAY_OPTION_CHOICE, "b", 0, 0, (const char *const[]){"a", "b", NULL}, "h"},
    {"text", ASSAY_OPTION_TEXT, "", 0, 0, NULL, "h"},
    {0}};
static const struct assay_engine optional = {.name = "t", .options = rows};

static void options_have_defaults_and_values(void **state)
{
    struct assay_value *v;
    uint32_t n;
    char *storage;
    struct assay_err err = {0};

    (void)state;
    assert_int_equal(engine_parse_options(&optional, NULL, &v, &n, &storage, &err), 0);
    assert_int_equal(n, 5);
    assert_int_equal(v[0].i, 1);
    assert_int_equal(v[1].i, 3);
    assert_true(v[2].f == 0.5);
    assert_int_equal(v[3].i, 1);
    assert_string_equal(v[4].s, "");
    free(v);
    free(storage);
    assert_int_equal(
        engine_parse_options(&optional, "flag=No,count=10,way=a,text=x=y", &v, &n, &storage, &err),
        0);
    assert_int_equal(v[0].i, 0);
    assert_int_equal(v[1].i, 10);
    assert_string_equal(v[3].s, "a");
    assert_string_equal(v[4].s, "x=y");
    free(v);
    free(storage);
}

static void bad_options_are_named(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {{"count=11", "a whole number from 1 to 10"},
               {"count=3x", "whole number"},
               {"count=", "whole number"},
               {"share=nan", "a number from 0 to 1"},
               {"way=c", "a or b"},
               {"flag=maybe", "on or off"},
               {"cuont=3", "did you mean 'count'"},
               {"zzzzzzzz=3", "assay engines t"},
               {"count", "NAME=VALUE"}};
    struct assay_value *v;
    uint32_t n;
    char *storage;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct assay_err err = {0};

        assert_int_equal(engine_parse_options(&optional, bad[i].text, &v, &n, &storage, &err),
                         ASSAY_EUSAGE);
        if (!strstr(err.text, bad[i].says))
            fail_msg("%s: %s", bad[i].text, err.text);
    }
}

static struct engine *open_null(const struct assay_tensor_spec *in,
                                const struct assay_tensor_spec *out, struct assay_value **v,
                                char **storage)
{
    struct assay_engine_config c = {
        .size = sizeof(c), .device = "cpu", .lanes = 1, .threads = 1, .max_batch = 4};
    struct engine *e = NULL;
    struct assay_err err = {0};

    c.want_input_count = c.want_output_count = 1;
    c.want_inputs = in;
    c.want_outputs = out;
    assert_int_equal(engine_parse_options(load("null"), NULL, v, &c.option_count, storage, &err),
                     0);
    c.values = *v;
    if (engine_open(load("null"), &c, &e, &err))
        fail_msg("%s", err.text);
    return e;
}

static void an_older_table_has_no_tunables(void **state)
{
    struct assay_engine old = optional;

    (void)state;
    old.tunables = (const struct assay_tunable *)&old; /* what lies behind it; not to be read */
    old.size = offsetof(struct assay_engine, tunables);
    assert_null(engine_tunables(&old));
    assert_false(engine_settles(&old));
    assert_string_equal(engine_tunables(load("null"))[0].option, "wait");
}

static void shapes_are_compared(void **state)
{
    const struct assay_tensor_spec in = {"image", ASSAY_F32, 3, {3, 224, 224}},
                                   out = {"label", ASSAY_I64, 0, {0}};
    struct assay_tensor_spec want = in, need = out;
    struct assay_err err = {0};
    struct assay_value *v;
    char *storage;
    struct engine *e = open_null(&in, &out, &v, &storage);
    uint32_t map[1] = {9};

    (void)state;
    assert_int_equal(engine_check_shapes(e, 0, &in, 1, &out, 1, map, &err), 0);
    assert_int_equal(map[0], 0);
    want.dims[1] = -1;
    want.name = need.name = NULL;
    assert_int_equal(engine_check_shapes(e, 0, &want, 1, &need, 1, map, &err), 0);
    want = (struct assay_tensor_spec){"image", ASSAY_F32, 3, {224, 224, 3}};
    assert_true(engine_check_shapes(e, 0, &want, 1, &out, 1, map, &err) < 0);
    assert_non_null(strstr(err.text, "[-1,3,224,224]"));
    assert_non_null(strstr(err.text, "[224,224,3]"));
    want = in;
    want.dtype = ASSAY_U8;
    assert_true(engine_check_shapes(e, 0, &want, 1, &out, 1, map, &err) < 0);
    assert_non_null(strstr(err.text, "uint8"));
    need.name = "logits";
    assert_true(engine_check_shapes(e, 0, &in, 1, &need, 1, map, &err) < 0);
    assert_non_null(strstr(err.text, "no output 'logits', but 'label'"));
    assert_true(engine_check_shapes(e, 0, &in, 0, &out, 1, map, &err) < 0);
    assert_true(engine_check_shapes(e, 1, &in, 1, &out, 1, map, &err) < 0);
    engine_close(e);
    free(v);
    free(storage);
}

static void configs_are_checked(void **state)
{
    const struct assay_engine *t = load("null");
    struct assay_engine_config good = {.size = sizeof(good),
                                       .device = "cpu",
                                       .lanes = 1,
                                       .threads = 1,
                                       .max_batch = 1},
                               c;
    struct assay_value *v;
    struct engine *e;
    struct assay_err err = {0};
    char *storage;

    (void)state;
    assert_int_equal(engine_parse_options(t, NULL, &v, &good.option_count, &storage, &err), 0);
    good.values = v;
    c = good, c.lanes = 0;
    assert_true(engine_open(t, &c, &e, &err) < 0);
    c = good, c.device = "CUDA:0";
    assert_int_equal(engine_open(t, &c, &e, &err), ASSAY_EUSAGE);
    c = good, c.device = "cuda:0";
    assert_int_equal(engine_open(t, &c, &e, &err), ASSAY_EUNSUPPORTED);
    c = good, c.option_count = 1;
    assert_true(engine_open(t, &c, &e, &err) < 0);
    assert_int_equal(engine_open(t, &good, &e, &err), 0);
    engine_close(e);
    free(v);
    free(storage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(loads_by_name_and_path),
                                       cmocka_unit_test(unknown_name_gets_a_hint),
                                       cmocka_unit_test(a_version_is_the_librarys),
                                       cmocka_unit_test(lists_what_is_there),
                                       cmocka_unit_test(options_have_defaults_and_values),
                                       cmocka_unit_test(bad_options_are_named),
                                       cmocka_unit_test(an_older_table_has_no_tunables),
                                       cmocka_unit_test(shapes_are_compared),
                                       cmocka_unit_test(configs_are_checked)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a model's hash covers: the file, the folder, and the files that its weights lie in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../engine/bytes.h"
#include "base/file.h"
#include "run/digest.h"

static char dir[200];

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "test-digest-%d", (int)getpid());
    return file_make_dirs(dir, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    return file_remove_tree(dir, NULL);
}

static const char *at(const char *name)
{
    static char path[2][300];
    static int turn;

    turn = !turn;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
    return path[turn];
}

static void write_file(const char *name, const char *text)
{
    assert_int_equal(file_write_whole(at(name), text, strlen(text), NULL), 0);
}

/* y = x + w + v, whose numbers lie in the files named; NULL: in the model. */
static void write_onnx(const char *name, const char *const location[2])
{
    struct bytes model = {0}, graph = {0}, node = {0}, value = {0};

    put_text(&node, 1, "x");
    put_text(&node, 1, "w");
    put_text(&node, 2, "y");
    put_text(&node, 4, "Add");
    put_part(&graph, 1, &node);
    for (int i = 0; i < 2; i++) {
        struct bytes weights = {0}, pair[2] = {{{0}, 0}, {{0}, 0}};

        put_int(&weights, 1, 1);
        put_int(&weights, 2, 1);
        put_text(&weights, 8, i ? "v" : "w");
        put_text(&pair[0], 1, "offset");
        put_text(&pair[0], 2, "0");
        put_text(&pair[1], 1, "location");
        put_text(&pair[1], 2, location[i] ? location[i] : "");
        for (int k = 0; k < 2 && location[i]; k++)
            put_part(&weights, 13, &pair[k]);
        if (location[i])
            put_int(&weights, 14, 1);
        else
            put_data(&weights, 9, "1234", 4);
        put_part(&graph, 5, &weights);
    }
    put_text(&value, 1, "y");
    put_part(&graph, 12, &value);
    put_int(&model, 1, 7);
    put_part(&model, 7, &graph);
    assert_int_equal(file_write_whole(at(name), model.b, model.n, NULL), 0);
}

static void digest(const char *name, char hex[HASH_HEX])
{
    struct assay_err err = {0};

    if (digest_model(at(name), hex, &err))
        fail_msg("%s", err.text);
}

static void one_file(void **state)
{
    const char *const none[2] = {NULL, NULL};
    char got[HASH_HEX], want[HASH_HEX];

    (void)state;
    write_onnx("whole.onnx", none);
    write_file("some.onnx", "this is no ONNX");
    for (int i = 0; i < 2; i++) {
        digest(i ? "whole.onnx" : "some.onnx", got);
        assert_int_equal(hash_file(at(i ? "whole.onnx" : "some.onnx"), want, NULL), 0);
        assert_string_equal(got, want);
    }
}

static void external_data(void **state)
{
    const char *const parts[2] = {"b.bin", "a.bin"}, *const twice[2] = {"a.bin", "a.bin"};
    char hex[3][HASH_HEX], got[HASH_HEX], want[HASH_HEX];
    struct assay_err err = {0};

    (void)state;
    write_file("a.bin", "1234");
    write_file("b.bin", "5678");
    write_onnx("parts.onnx", parts);
    assert_int_equal(hash_file(at("parts.onnx"), hex[0], NULL), 0);
    assert_int_equal(hash_file(at("a.bin"), hex[1], NULL), 0);
    assert_int_equal(hash_file(at("b.bin"), hex[2], NULL), 0);
    hash_bytes(hex, sizeof(hex), want);
    digest("parts.onnx", got);
    assert_string_equal(got, want);
    write_file("b.bin", "5679"); /* the model's file is as before */
    digest("parts.onnx", got);
    assert_string_not_equal(got, want);

    write_onnx("twice.onnx", twice);
    assert_int_equal(hash_file(at("twice.onnx"), hex[0], NULL), 0);
    hash_bytes(hex, sizeof(hex[0]) * 2, want);
    digest("twice.onnx", got);
    assert_string_equal(got, want);

    unlink(at("b.bin"));
    assert_true(digest_model(at("parts.onnx"), got, &err) < 0);
    assert_non_null(strstr(err.text, "b.bin"));
}

static void openvino_ir(void **state)
{
    char hex[2][HASH_HEX], got[HASH_HEX], want[HASH_HEX];

    (void)state;
    write_file("net.xml", "<net/>");
    assert_int_equal(hash_file(at("net.xml"), hex[0], NULL), 0);
    digest("net.xml", got);
    assert_string_equal(got, hex[0]);
    write_file("net.bin", "1234");
    assert_int_equal(hash_file(at("net.bin"), hex[1], NULL), 0);
    hash_bytes(hex, sizeof(hex), want);
    digest("net.xml", got);
    assert_string_equal(got, want);
}

static void folder(void **state)
{
    char got[HASH_HEX], before[HASH_HEX];

    (void)state;
    assert_int_equal(file_make_dirs(at("model/variables"), NULL), 0);
    write_file("model/variables/data", "1234");
    digest("model", before);
    write_file("model/variables/data", "1235");
    digest("model", got);
    assert_string_not_equal(got, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_file), cmocka_unit_test(external_data),
                                       cmocka_unit_test(openvino_ir), cmocka_unit_test(folder)};

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

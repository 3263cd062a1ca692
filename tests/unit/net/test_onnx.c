/* The ONNX writer and reader: the same bytes always, what was written is found again, broken files
 * are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/half.h"
#include "net/onnx.h"
#include "tiny.h"

/* Of files written with seed 1.  When one of these changes, results made before are of another
 * model: change NET_REVISION with it. */
#define TINY_SHA256     "3c2c4373e18d7fc28ca322b23bc3cbb35ef8a5618c256406d1ba51c58798030d"
#define RESNET50_SHA256 "6b30812b59be8e363b0b34f2a7716d29f8fbbcfcb9b005f47761a07a4fbc9fe6"

static char path[64];

static int make_path(void **state)
{
    int fd;

    (void)state;
    snprintf(path, sizeof(path), "/tmp/assay-net-XXXXXX");
    fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int drop_path(void **state)
{
    (void)state;
    return unlink(path);
}

static int write_tiny_to(const char *where, struct assay_err *err)
{
    struct net_weights *w;
    struct net *net;
    int rc;

    assert_int_equal(net_create_from("tiny", "test", tiny_build, &net, NULL), ASSAY_OK);
    assert_int_equal(net_weights_create(net, 1, &w, NULL), ASSAY_OK);
    rc = onnx_write(net, w, 1, where, err);
    net_weights_destroy(w);
    net_destroy(net);
    return rc;
}

static void write_tiny(void)
{
    assert_int_equal(write_tiny_to(path, NULL), ASSAY_OK);
}

static void same_bytes(void **state)
{
    char hex[HASH_HEX];

    (void)state;
    write_tiny();
    assert_int_equal(hash_file(path, hex, NULL), ASSAY_OK);
    assert_string_equal(hex, TINY_SHA256);
}

static void tiny_again(void **state)
{
    struct onnx_model m;
    struct assay_err err = {0};

    (void)state;
    write_tiny();
    assert_int_equal(onnx_read_file(path, &m, &err), ASSAY_OK);
    assert_int_equal(m.node_count, 9);
    assert_string_equal(m.nodes[0].op, "Conv");
    assert_int_equal(m.nodes[0].inputs, 3);
    assert_string_equal(m.nodes[5].op, "ReduceMean");
    assert_string_equal(m.initializers[1].name, "conv1.bias");
    assert_int_equal(m.initializers[1].bytes, 20);
    onnx_release(&m);
}

static void resnet50(void **state)
{
    char hex[HASH_HEX];
    struct onnx_model m;
    uint64_t bytes = 0;
    size_t i;

    (void)state;
    assert_int_equal(net_write("resnet50", "onnx", "fp32", 1, path, NULL), ASSAY_OK);
    assert_int_equal(hash_file(path, hex, NULL), ASSAY_OK);
    assert_string_equal(hex, RESNET50_SHA256);
    assert_int_equal(onnx_read_file(path, &m, NULL), ASSAY_OK);
    assert_int_equal(m.ir_version, 7);
    assert_int_equal(m.opset, 13);
    assert_string_equal(m.producer, "assay");
    assert_int_equal(m.input_count, 1);
    assert_string_equal(m.inputs[0].name, "input_tensor:0");
    assert_int_equal(m.inputs[0].rank, 4);
    assert_int_equal(m.inputs[0].dims[0], -1);
    assert_int_equal(m.inputs[0].dims[1], 3);
    assert_int_equal(m.output_count, 2);
    assert_string_equal(m.outputs[0].name, "ArgMax:0");
    assert_int_equal(m.outputs[0].elem_type, 7);
    assert_int_equal(m.outputs[1].dims[1], 1001);
    assert_string_equal(m.metadata[0].key, "assay.synthetic");
    assert_string_equal(m.metadata[0].value, "true");
    assert_string_equal(m.metadata[2].value, "1");
    for (i = 0; i < m.initializer_count; i++)
        bytes += m.initializers[i].bytes;
    assert_int_equal(bytes, 4 * 25532521);
    onnx_release(&m);
}

/* Cut anywhere, the file is refused, or what is left is itself a whole message without what is
 * needed. */
static void cut_off(void **state)
{
    struct onnx_model m;
    struct assay_err err;
    char *data, *part;
    size_t len, n;

    (void)state;
    write_tiny();
    assert_int_equal(file_read(path, 1 << 20, &data, &len, NULL), ASSAY_OK);
    for (n = 0; n < len; n++) {
        part = malloc(n + 1); /* its own block, so that a sanitizer sees the end */
        memcpy(part, data, n);
        if (onnx_read(part, n, "cut.onnx", &m, &err))
            assert_non_null(strstr(err.text, "cut.onnx: is no whole ONNX model"));
        else
            assert_true(m.output_count == 2 && m.metadata_count < 3);
        onnx_release(&m);
        free(part);
    }
    free(data);
}

static void refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *says;
    } cases[] = {
        {"", 0, "no version"},
        {"{\"a\": 1}", 8, "unknown wire type"},
        {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12, "too long"},
        {"\x3a\x7f", 2, "ends inside a field"},
        {"\x38\x01", 2, "wrong wire type"},
        {"\x12\x02\x1b[", 4, "unprintable"},
        {"\x00\x00", 2, "impossible number"},
    };
    struct onnx_model m;
    struct assay_err err;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(onnx_read(cases[i].bytes, cases[i].n, "x", &m, &err), ASSAY_EFAIL);
        assert_non_null(strstr(err.text, cases[i].says));
        onnx_release(&m);
    }
}

/* Beyond the limit the numbers lie in a file beside, at multiples of 64, the same as before. */
static void numbers_beside(void **state)
{
    char *data, *whole, *split, other[80];
    size_t whole_bytes, split_bytes, bytes;
    struct onnx_model a, b;
    struct net_weights *w;
    struct net *net;
    uint64_t at = 0;

    (void)state;
    assert_int_equal(net_create_from("tiny", "test", tiny_build, &net, NULL), ASSAY_OK);
    assert_int_equal(net_weights_create(net, 1, &w, NULL), ASSAY_OK);
    assert_int_equal(onnx_write(net, w, 1, path, NULL), ASSAY_OK);
    assert_int_equal(file_read(path, 1 << 20, &whole, &whole_bytes, NULL), ASSAY_OK);
    assert_int_equal(onnx_write_within(net, w, 1, path, 4096, NULL), ASSAY_OK);
    assert_int_equal(file_read(path, 1 << 20, &split, &split_bytes, NULL), ASSAY_OK);
    snprintf(other, sizeof(other), "%s" ONNX_DATA, path);
    assert_int_equal(file_read(other, 1 << 20, &data, &bytes, NULL), ASSAY_OK);
    assert_int_equal(onnx_read(whole, whole_bytes, "whole", &a, NULL), ASSAY_OK);
    assert_int_equal(onnx_read(split, split_bytes, "split", &b, NULL), ASSAY_OK);
    assert_int_equal(a.initializer_count, b.initializer_count);
    for (size_t i = 0; i < a.initializer_count; i++) {
        const struct onnx_value *x = &a.initializers[i], *y = &b.initializers[i];

        assert_string_equal(x->name, y->name);
        assert_false(x->external);
        assert_true(y->external);
        assert_string_equal(y->location, strrchr(other, '/') + 1);
        assert_memory_equal(whole + x->data_at, data + at, x->data_bytes);
        at += (x->data_bytes + 63) / 64 * 64;
    }
    assert_int_equal(at, bytes);
    assert_true(split_bytes < whole_bytes);
    onnx_release(&a);
    onnx_release(&b);
    unlink(other);
    free(whole);
    free(split);
    free(data);
    net_weights_destroy(w);
    net_destroy(net);
}

/* ---- fp16 ---- */

/* Every float16 is itself again; what lies between two goes to the nearer, and from the middle to
 * the even one. */
static void halves(void **state)
{
    (void)state;
    assert_int_equal(half_from_float(65519.0f), 0x7bff);
    assert_int_equal(half_from_float(65520.0f), 0x7c00);
    assert_int_equal(half_from_float(-1e9f), 0xfc00);
    assert_int_equal(half_from_float(INFINITY), 0x7c00);
    assert_true(isnan(half_to_float(half_from_float(NAN))));
    assert_int_equal(half_from_float(-1e-38f), 0x8000);
    assert_int_equal(half_from_float(-0x1p-25f), 0x8000);
    assert_int_equal(half_from_float(0x1.000002p-25f), 0x0001);
    for (unsigned h = 0; h < 0x7c00; h++) {
        float low = half_to_float((uint16_t)h), high = half_to_float((uint16_t)(h + 1)), middle;

        assert_int_equal(half_from_float(low), h);
        assert_int_equal(half_from_float(-low), h | 0x8000);
        if (h + 1 == 0x7c00)
            break;
        middle = (low + high) / 2;
        assert_int_equal(half_from_float(middle), h + (h & 1));
        assert_int_equal(half_from_float(nextafterf(middle, low)), h);
        assert_int_equal(half_from_float(nextafterf(middle, high)), h + 1);
    }
}

static struct net_weights *tiny_weights(struct net **net)
{
    struct net_weights *w;

    assert_int_equal(net_create_from("tiny", "test", tiny_build, net, NULL), ASSAY_OK);
    assert_int_equal(net_weights_create(*net, 1, &w, NULL), ASSAY_OK);
    return w;
}

static size_t count_ops(const struct onnx_model *m, const char *op)
{
    size_t n = 0;

    for (size_t i = 0; i < m->node_count; i++)
        n += !strcmp(m->nodes[i].op, op);
    return n;
}

/* Weights are the nearest float16 of those in float32; inputs and outputs are what they were, with
 * a Cast each; probabilities and the class are computed in float32. */
static void fp16(void **state)
{
    char *data, *half;
    struct onnx_model a, b;
    struct net *net;
    struct net_weights *w = tiny_weights(&net);
    size_t bytes, half_bytes, at;
    uint16_t h;
    float f;

    (void)state;
    assert_int_equal(onnx_write(net, w, 1, path, NULL), ASSAY_OK);
    assert_int_equal(file_read(path, 1 << 20, &data, &bytes, NULL), ASSAY_OK);
    assert_int_equal(onnx_write_half(net, w, 1, path, NULL), ASSAY_OK);
    assert_int_equal(file_read(path, 1 << 20, &half, &half_bytes, NULL), ASSAY_OK);
    assert_int_equal(onnx_read(data, bytes, "fp32", &a, NULL), ASSAY_OK);
    assert_int_equal(onnx_read(half, half_bytes, "fp16", &b, NULL), ASSAY_OK);
    assert_int_equal(a.initializer_count, b.initializer_count);
    for (size_t i = 0; i < a.initializer_count; i++) {
        const struct onnx_value *x = &a.initializers[i], *y = &b.initializers[i];

        assert_string_equal(x->name, y->name);
        assert_int_equal(y->elem_type, 10);
        assert_int_equal(y->data_bytes * 2, x->data_bytes);
        for (at = 0; at < x->data_bytes / 4; at++) {
            memcpy(&f, data + x->data_at + 4 * at, sizeof(f));
            memcpy(&h, half + y->data_at + 2 * at, sizeof(h));
            assert_int_equal(h, half_from_float(f));
        }
    }
    assert_int_equal(b.inputs[0].elem_type, 1);
    assert_int_equal(b.outputs[0].elem_type, 7);
    assert_int_equal(b.outputs[1].elem_type, 1);
    assert_int_equal(count_ops(&a, "Cast"), 0);
    assert_int_equal(count_ops(&b, "Cast"), 2);
    assert_string_equal(b.nodes[0].op, "Cast");
    assert_string_equal(b.nodes[0].input[0], "pixels");
    assert_string_equal(b.nodes[b.node_count - 2].op, "Softmax");
    assert_string_equal(b.nodes[b.node_count - 2].input[0], "fc/fp32");
    onnx_release(&a);
    onnx_release(&b);
    free(data);
    free(half);
    net_weights_destroy(w);
    net_destroy(net);
}

static void what_fp16_cannot_hold_is_refused(void **state)
{
    struct assay_err err = {0};
    struct net *net;
    struct net_weights *w = tiny_weights(&net);

    (void)state;
    for (int i = 0; i < net->tensor_count; i++)
        if (!strcmp(net->tensors[i].name, "fc.weight"))
            w->data[i][3] = -70000;
    assert_int_equal(onnx_write_half(net, w, 1, path, &err), ASSAY_EUNSUPPORTED);
    assert_string_equal(err.text,
                        "net tiny: fc.weight has -70000, and float16 ends at 65504: it can "
                        "be written in fp32");
    net_weights_destroy(w);
    net_destroy(net);
}

static void no_folder(void **state)
{
    struct assay_err err;

    (void)state;
    assert_int_equal(write_tiny_to("/nonexistent/x.onnx", &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "/nonexistent/x.onnx"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bytes), cmocka_unit_test(tiny_again),
        cmocka_unit_test(resnet50),   cmocka_unit_test(cut_off),
        cmocka_unit_test(refused),    cmocka_unit_test(numbers_beside),
        cmocka_unit_test(halves),     cmocka_unit_test(fp16),
        cmocka_unit_test(no_folder),  cmocka_unit_test(what_fp16_cannot_hold_is_refused)};

    return cmocka_run_group_tests(tests, make_path, drop_path);
}

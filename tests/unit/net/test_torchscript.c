/* The TorchScript writer: the same bytes always, and the members that libtorch looks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/hash.h"
#include "net/torchscript.h"
#include "tiny.h"

/* Of files written with seed 1.  When one of these changes, results made before are of another
 * model: change NET_REVISION with it. */
#define TINY_SHA256     "8c55920dd5c4b7ecaa936bb6b290d6ec12b8f5e86d5c28296f6fa13e8be4971f"
#define RESNET50_SHA256 "8c84e15d6060767bdca45eabd6a538b7101cf21d8112e6b8065204643d16c06c"

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

static int write_net(void (*build)(struct net *), const char *where, struct assay_err *err)
{
    struct net_weights *w;
    struct net *net;
    int rc;

    assert_int_equal(net_create_from("tiny", "test", build, &net, NULL), ASSAY_OK);
    assert_int_equal(net_weights_create(net, 1, &w, NULL), ASSAY_OK);
    rc = torchscript_write(net, w, 1, where, err);
    net_weights_destroy(w);
    net_destroy(net);
    return rc;
}

static void same_bytes(void **state)
{
    char hex[HASH_HEX];

    (void)state;
    assert_int_equal(write_net(tiny_build, path, NULL), ASSAY_OK);
    assert_int_equal(hash_file(path, hex, NULL), ASSAY_OK);
    assert_string_equal(hex, TINY_SHA256);
}

static void resnet50(void **state)
{
    char hex[HASH_HEX];

    (void)state;
    assert_int_equal(net_write("resnet50", "torchscript", "fp32", 1, path, NULL), ASSAY_OK);
    assert_int_equal(hash_file(path, hex, NULL), ASSAY_OK);
    assert_string_equal(hex, RESNET50_SHA256);
}

/* Members are stored as they are, so their text can be looked for in the file. */
static bool has(const char *data, size_t len, const char *text)
{
    return memmem(data, len, text, strlen(text)) != NULL;
}

static void what_it_says(void **state)
{
    static const char *const texts[] = {
        "tiny/data.pkl",
        "tiny/code/__torch__.py",
        "tiny/constants.pkl",
        "tiny/version",
        "tiny/data/5",
        "synthetic true\nnet tiny\nseed 1\ninput float32 N,3,32,32 pixels\n"
        "output int64 N class\noutput float32 N,7 scores\n",
        "  conv1_weight : Tensor\n",
        "    x1 = torch.conv2d(x0, self.conv1_weight, self.conv1_bias, [2, 2], [1, 1], [1, 1], "
        "1)\n",
        "    x4 = torch.max_pool2d(x3, [3, 3], [2, 2], [0, 0], [1, 1], True)\n",
        "    return (x11, x10, )\n",
    };
    char *data;
    size_t len;

    (void)state;
    assert_int_equal(write_net(tiny_build, path, NULL), ASSAY_OK);
    assert_int_equal(file_read(path, 1 << 20, &data, &len, NULL), ASSAY_OK);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (!has(data, len, texts[i]))
            fail_msg("nothing like: %s", texts[i]);
    assert_false(has(data, len, "tiny/data/6"));
    free(data);
}

/* Where rounding up ends at another size, padding is a call of its own. */
static void padded_build(struct net *net)
{
    static const int right[4] = {0, 0, 0, 1}, around[4] = {1, 1, 1, 1};
    int x = net_add_input(net, "in", 3, 8, 8);

    x = net_add_maxpool(net, "right", x, 2, 1, right);
    net_add_output(net, "out", net_add_maxpool(net, "around", x, 3, 1, around));
}

static void padding(void **state)
{
    char *data;
    size_t len;

    (void)state;
    assert_int_equal(write_net(padded_build, path, NULL), ASSAY_OK);
    assert_int_equal(file_read(path, 1 << 20, &data, &len, NULL), ASSAY_OK);
    assert_true(has(data, len,
                    "torch.max_pool2d(torch.constant_pad_nd(x0, [0, 1, 0, 0], "
                    "-3.4028234663852886e+38), [2, 2], [1, 1], [0, 0], [1, 1], False)"));
    assert_true(has(data, len, "torch.max_pool2d(x1, [3, 3], [1, 1], [1, 1], [1, 1], False)"));
    free(data);
}

static void bare_build(struct net *net)
{
    net_add_output(net, "out", net_add_bn(net, "bn", net_add_input(net, "in", 3, 8, 8)));
}

static void refused(void **state)
{
    struct net_weights none = {0};
    struct assay_err err = {0};
    struct net *net;

    (void)state;
    assert_int_equal(write_net(tiny_build, "/nonexistent/x", &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "/nonexistent/x"));
    assert_int_equal(net_create_from("bare", "test", bare_build, &net, NULL), ASSAY_OK);
    assert_int_equal(torchscript_write(net, &none, 1, path, &err), ASSAY_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "bn follows no convolution of its own"));
    net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_bytes), cmocka_unit_test(resnet50),
                                       cmocka_unit_test(what_it_says), cmocka_unit_test(padding),
                                       cmocka_unit_test(refused)};

    return cmocka_run_group_tests(tests, make_path, drop_path);
}

/* A file of synthetic weights says so in each format, a file of others does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "net/net.h"

#define NET "dlrm:rows=8"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/assay-mark-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state)
{
    (void)state;
    return file_remove_tree(folder, NULL);
}

static const char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void says(void **state)
{
    static const char *const formats[] = {"onnx", "tensorflow", "torchscript", "checkpoint"};

    (void)state;
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        assert_int_equal(net_write(NET, formats[i], "fp32", 1, path_of("x"), NULL), 0);
        assert_true(net_says_synthetic(path_of("x")));
    }
    assert_true(net_says_synthetic(folder));
    assert_int_equal(unlink(path_of("x")), 0);
    assert_false(net_says_synthetic(folder));
}

/* The same weights under the same names, without the mark: as if somebody had trained them. */
static void says_not(void **state)
{
    static const char *const formats[] = {"onnx", "tensorflow", "torchscript"};
    static const char mark[] = "synthetic true\n";
    char *bytes, *at;
    size_t len;

    (void)state;
    assert_int_equal(net_write(NET, "checkpoint", "fp32", 1, path_of("w"), NULL), 0);
    assert_int_equal(file_read(path_of("w"), 1 << 28, &bytes, &len, NULL), 0);
    assert_non_null(at = memmem(bytes, len, mark, strlen(mark)));
    memcpy(at, "synthetic nope\n", strlen(mark));
    assert_int_equal(file_write_whole(path_of("w"), bytes, len, NULL), 0);
    free(bytes);
    assert_false(net_says_synthetic(path_of("w")));
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        char weights[128];
        json_t *said = NULL;

        snprintf(weights, sizeof(weights), "%s", path_of("w"));
        assert_int_equal(
            net_write_weights(NET, formats[i], "fp32", weights, false, path_of("y"), &said, NULL),
            0);
        json_decref(said);
        assert_false(net_says_synthetic(path_of("y")));
    }
    assert_false(net_says_synthetic(path_of("none")));
    assert_int_equal(file_write_whole(path_of("z"), "x", 1, NULL), 0);
    assert_false(net_says_synthetic(path_of("z")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(says), cmocka_unit_test(says_not)};

    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}

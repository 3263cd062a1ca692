/* test: no-tsan. The conformance suite on every engine that is installed: a new engine's folder is
 * enough to have it tried.  Engines that read ONNX get a tiny model; what an engine of another
 * format is given comes with its own test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/host.h"
#include "tiny_onnx.h"

static bool reads_onnx(const struct assay_engine *t)
{
    for (int i = 0; t->formats && t->formats[i]; i++)
        if (strcmp(t->formats[i], "onnx") == 0)
            return true;
    return false;
}

static void every_engine_conforms(void **state)
{
    char model[] = P_tmpdir "/assay-every-XXXXXX", path[1024];
    json_t *names = engine_list(), *name;
    int fd = mkstemp(model);
    struct engine_conform sum;
    size_t i;

    (void)state;
    assert_true(fd >= 0 && json_array_size(names) > 0);
    close(fd);
    assert_int_equal(tiny_onnx_write(model, 0, 13, "MatMul"), 0);
    json_array_foreach(names, i, name)
    {
        const char *n = json_string_value(name);
        const struct assay_engine *t;
        struct assay_err err = {0};
        bool onnx;

        if (engine_load(n, &t, path, &err))
            fail_msg("%s", err.text);
        onnx = reads_onnx(t);
        print_message("%s\n", n);
        if (!onnx && !(t->caps & ASSAY_CAP_ANY_MODEL)) {
            print_message("skip: reads no ONNX\n");
            continue;
        }
        if (engine_conform(n, onnx ? model : NULL, NULL, NULL, NULL, NULL, stdout, &sum, &err) ||
            sum.failed)
            fail_msg("%s: %d cases failed %s", n, sum.failed, err.text);
    }
    unlink(model);
    json_decref(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_engine_conforms)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

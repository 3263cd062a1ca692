/* assay/cuda.h: libraries in a folder beside an engine's own are opened by their full paths, and
 * then found by their names; what is missing or broken is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "assay/cuda.h"
#include "base/file.h"

/* A library of ours that is not open in this program. */
#define THERE "libassay.so.0"

static char root[] = P_tmpdir "/assay-cuda-XXXXXX", runtime[128];

static void put(const char *name, const char *text)
{
    char *path = file_join(root, name), *folder = strdup(path);

    *strrchr(folder, '/') = 0;
    assert_int_equal(file_make_dirs(folder, NULL), 0);
    assert_int_equal(file_write_whole(path, text, strlen(text), NULL), 0);
    free(folder);
    free(path);
}

static int set_up(void **state)
{
    char *library = file_prefix_join("lib/" THERE), to[128];
    int rc = mkdtemp(root) ? 0 : -1;

    (void)state;
    snprintf(runtime, sizeof(runtime), "%s/mine", root);
    rc |= file_make_dirs(runtime, NULL);
    put("cuda9/libbroken-part.so.1", "no library");
    snprintf(to, sizeof(to), "%s/cuda9/" THERE, root);
    rc |= symlink(library, to);
    free(library);
    return rc;
}

static int tear_down(void **state)
{
    (void)state;
    return file_remove_tree(root, NULL);
}

static void what_lies_there_is_found_by_its_name(void **state)
{
    static const char *const names[] = {"libnothing.so.1", THERE, "libno-part*.so.*", NULL};
    struct assay_err err = {0};

    (void)state;
    assert_null(dlopen(THERE, RTLD_LAZY)); /* the loader alone does not find it */
    assert_string_equal(assay_cuda_missing(names + 1), THERE);
    assert_int_equal(assay_cuda_open(runtime, "cuda8", names, &err), 0);
    assert_int_equal(assay_cuda_open(NULL, "cuda9", names, &err), 0);
    assert_non_null(assay_cuda_missing(names + 1));
    assert_int_equal(assay_cuda_open(runtime, "cuda9", names, &err), 0);
    assert_string_equal(err.text, "");
    assert_non_null(dlopen(THERE, RTLD_LAZY | RTLD_NOLOAD));
    assert_null(assay_cuda_missing(names + 1));
    assert_string_equal(assay_cuda_missing(names), "libnothing.so.1");
}

/* A library that is open holds its name: torch's own libcudart, say. */
static void one_that_is_open_is_not_opened_again(void **state)
{
    static const char *const names[] = {THERE, NULL};
    struct assay_err err = {0};

    (void)state;
    put("other/" THERE, "no library");
    assert_int_equal(assay_cuda_open(runtime, "cuda9", names, &err), 0);
    assert_int_equal(assay_cuda_open(runtime, "other", names, &err), 0);
}

static void a_broken_one_is_named(void **state)
{
    static const char *const names[] = {THERE, "libbroken-*.so.*", NULL};
    struct assay_err err = {0};

    (void)state;
    assert_int_equal(assay_cuda_open(runtime, "cuda9", names, &err), ASSAY_EFAIL);
    print_message("%s\n", err.text);
    assert_non_null(strstr(err.text, "/cuda9/libbroken-part.so.1: "));
    assert_null(strchr(err.text, '\n'));
}

static void a_driver_is_there_or_said_to_be_missing(void **state)
{
    struct assay_err err = {0};
    int rc = assay_cuda_driver(&err);

    (void)state;
    if (dlopen("libcuda.so.1", RTLD_LAZY))
        assert_int_equal(rc, 0);
    else
        assert_string_equal(err.text, "there is no NVIDIA driver here (libcuda.so.1 is missing)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_lies_there_is_found_by_its_name),
                                       cmocka_unit_test(one_that_is_open_is_not_opened_again),
                                       cmocka_unit_test(a_broken_one_is_named),
                                       cmocka_unit_test(a_driver_is_there_or_said_to_be_missing)};

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

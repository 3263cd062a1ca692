/* assay/cuda.h: libraries in a folder that the engine's own has a link to are opened by their full
 * paths, and then found by their names; what is missing or broken is named.  And what a driver (the
 * tests' own) is asked for. */
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
    snprintf(to, sizeof(to), "%s/mine/cuda", root);
    rc |= symlink("../cuda9", to);
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
    /* Not for an engine without the link, whose library is the user's: it may want another CUDA. */
    assert_int_equal(assay_cuda_open(root, names, &err), 0);
    assert_int_equal(assay_cuda_open(NULL, names, &err), 0);
    assert_non_null(assay_cuda_missing(names + 1));
    assert_false(assay_cuda_here(root));
    assert_false(assay_cuda_here(NULL));
    assert_true(assay_cuda_here(runtime));
    assert_int_equal(assay_cuda_open(runtime, names, &err), 0);
    assert_string_equal(err.text, "");
    assert_non_null(dlopen(THERE, RTLD_LAZY | RTLD_NOLOAD));
    assert_null(assay_cuda_missing(names + 1));
    assert_string_equal(assay_cuda_missing(names), "libnothing.so.1");
}

/* As a recipe unpacks Python's packages: nvidia/PART/lib beside onnxruntime/capi or tensorflow. */
static void packages_beside_the_library_are_found(void **state)
{
    static const char *const names[] = {"libbroken-part.so.1", NULL};
    static const char *const folders[] = {"site/tensorflow", "site/onnxruntime/capi"};
    struct assay_err err = {0};
    char dir[128];

    (void)state;
    put("site/nvidia/cu9/lib/libbroken-part.so.1", "no library");
    put("site/tensorflow/a", "");
    put("site/onnxruntime/capi/a", "");
    for (int i = 0; i < 2; i++) {
        snprintf(dir, sizeof(dir), "%s/%s", root, folders[i]);
        assert_true(assay_cuda_here(dir));
        assert_int_equal(assay_cuda_open(dir, names, &err), ASSAY_EFAIL);
        assert_non_null(strstr(err.text, "site/"));
    }
    snprintf(dir, sizeof(dir), "%s/site", root);
    assert_false(assay_cuda_here(dir));
}

/* A library that is open holds its name: torch's own libcudart, say. */
static void one_that_is_open_is_not_opened_again(void **state)
{
    static const char *const names[] = {THERE, NULL};
    struct assay_err err = {0};
    char other[128];

    (void)state;

    put("other/cuda/" THERE, "no library");
    snprintf(other, sizeof(other), "%s/other", root);
    assert_int_equal(assay_cuda_open(runtime, names, &err), 0);
    assert_int_equal(assay_cuda_open(other, names, &err), 0);
}

static void a_broken_one_is_named(void **state)
{
    static const char *const names[] = {THERE, "libbroken-*.so.*", NULL};
    struct assay_err err = {0};

    (void)state;
    assert_int_equal(assay_cuda_open(runtime, names, &err), ASSAY_EFAIL);
    print_message("%s\n", err.text);
    assert_non_null(strstr(err.text, "/cuda/libbroken-part.so.1: "));
    assert_null(strchr(err.text, '\n'));
}

static void a_driver_is_there_or_said_to_be_missing(void **state)
{
    struct assay_err err = {0};
    int rc = assay_cuda_driver(0, &err);

    (void)state;
    if (dlopen("libcuda.so.1", RTLD_LAZY))
        assert_int_equal(rc, 0);
    else
        assert_string_equal(err.text, "there is no NVIDIA driver here (libcuda.so.1 is missing)");
}

/* From here on the tests' own driver holds its name. */
static void one_that_is_too_old_is_named(void **state)
{
    struct assay_err err = {0};
    char *driver = file_prefix_join("tests/engines/cuda/libcuda.so.1");

    (void)state;
    if (dlopen("libcuda.so.1", RTLD_LAZY))
        skip();
    assert_non_null(dlopen(driver, RTLD_LAZY));
    free(driver);
    setenv("FAKE_CUDA", "old", 1);
    assert_int_equal(assay_cuda_driver(0, &err), 0);
    assert_int_equal(assay_cuda_driver(12, &err), 0);
    assert_int_equal(assay_cuda_driver(13, &err), ASSAY_EUNSUPPORTED);
    assert_string_equal(err.text,
                        "the NVIDIA driver here is for CUDA 12.4 at most, and the library needs "
                        "CUDA 13: a newer driver, or a library for CUDA 12, is needed");
    unsetenv("FAKE_CUDA");
    assert_int_equal(assay_cuda_driver(13, &err), 0);
}

/* The driver's numbers and names, whatever is called /dev/nvidiaN. */
static void devices_are_the_drivers(void **state)
{
    static const char *const names[] = {"libcudart.so.13", "libcudnn.so.9", NULL};
    struct assay_engine_probe p = {.size = sizeof(p), .device_count = 1};
    struct assay_err err = {0};
    char name[32], *there = file_prefix_join("tests/engines");

    (void)state;
    if (!assay_cuda_name(0, name, sizeof(name)) || strcmp(name, "Fake Two"))
        skip();
    setenv("FAKE_CUDA", "two", 1);
    assay_cuda_probe(&p);
    assert_int_equal(p.device_count, 3);
    assert_string_equal(p.devices[1], "cuda:0");
    assert_string_equal(p.devices[2], "cuda:1");
    assert_string_equal(p.device_names[1], "Fake Two");
    assert_string_equal(p.device_names[2], "Fake One");
    setenv("FAKE_CUDA", "none", 1);
    assay_cuda_probe(&p);
    assert_int_equal(p.device_count, 3);
    unsetenv("FAKE_CUDA");
    /* With the libraries that compute open, it says which they are. */
    assert_int_equal(assay_cuda_open(there, names, &err), 0);
    assay_cuda_probe(&p);
    assert_int_equal(p.device_count, 4);
    assert_string_equal(p.device_names[3], "Fake Two (CUDA 13.2, cuDNN 9.26.0)");
    free(there);
}

static void tf32_is_there_from_ampere_on_unless_it_is_off(void **state)
{
    char name[16] = "";

    (void)state;
    unsetenv(ASSAY_CUDA_TF32);
    if (!assay_cuda_name(0, name, sizeof(name)) || strcmp(name, "Fake Two"))
        skip();
    assert_true(assay_cuda_tf32("cuda:0"));
    assert_false(assay_cuda_tf32("cuda:1"));
    setenv("FAKE_CUDA", "turing", 1);
    assert_false(assay_cuda_tf32("cuda"));
    unsetenv("FAKE_CUDA");
    assay_cuda_keep_fp32("cpu", false);
    assay_cuda_keep_fp32("cuda:0", true);
    assert_true(assay_cuda_tf32("cuda:0"));
    assay_cuda_keep_fp32("cuda:0", false);
    assert_false(assay_cuda_tf32("cuda:0"));
    unsetenv(ASSAY_CUDA_TF32);
}

/* What alloc gives for a GPU is pinned and taken back; for the CPU it is plain memory. */
static void memory_for_a_gpu_is_pinned(void **state)
{
    int (*pinned)(void), (*contexts)(void);
    void *memory;

    (void)state;
    if (!assay_cuda_driver_call("fake_cuda_pinned", &pinned) ||
        !assay_cuda_driver_call("fake_cuda_contexts", &contexts))
        skip();
    memory = assay_cuda_alloc("cuda:0", 1000);
    assert_non_null(memory);
    memset(memory, 1, 1000);
    assert_int_equal((uintptr_t)memory % 64, 0);
    assert_int_equal(pinned(), 1);
    assay_cuda_release("cuda:0", memory);
    assert_int_equal(pinned(), 0);
    setenv("FAKE_CUDA", "full", 1);
    assert_null(assay_cuda_alloc("cuda", 1000));
    unsetenv("FAKE_CUDA");
    assert_null(assay_cuda_alloc("cuda:7", 1000));
    assay_cuda_release("cuda:0", NULL);
    assert_int_equal(contexts(), 0);
    memory = assay_cuda_alloc("cpu", 1000);
    assert_non_null(memory);
    assert_int_equal((uintptr_t)memory % 64, 0);
    assert_int_equal(pinned(), 0);
    assay_cuda_release("cpu", memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packages_beside_the_library_are_found),
        cmocka_unit_test(what_lies_there_is_found_by_its_name),
        cmocka_unit_test(one_that_is_open_is_not_opened_again),
        cmocka_unit_test(a_broken_one_is_named),
        cmocka_unit_test(a_driver_is_there_or_said_to_be_missing),
        cmocka_unit_test(one_that_is_too_old_is_named),
        cmocka_unit_test(devices_are_the_drivers),
        cmocka_unit_test(tf32_is_there_from_ampere_on_unless_it_is_off),
        cmocka_unit_test(memory_for_a_gpu_is_pinned)};

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

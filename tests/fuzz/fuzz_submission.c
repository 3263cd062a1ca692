/* fuzz: links assay_submit assay_load assay_base */
/* Any bytes as one of the files of a submission tree: the first byte chooses which.  The others
 * stay as an earlier input left them, so that files meet in every combination. */
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "submit/check.h"

#define RESULT "closed/s/results/m/resnet50/Offline/"

static const char *const files[] = {"closed/s/systems/m.json",
                                    RESULT "performance/run_1/mlperf_log_detail.txt",
                                    RESULT "accuracy/mlperf_log_detail.txt",
                                    RESULT "accuracy/mlperf_log_accuracy.json",
                                    RESULT "accuracy/accuracy.txt",
                                    RESULT "measurements.json",
                                    RESULT "user.conf",
                                    RESULT "TEST01/verify_accuracy.txt",
                                    RESULT "TEST01/performance/run_1/mlperf_log_detail.txt",
                                    RESULT "TEST01/accuracy/baseline_accuracy.txt",
                                    "open/s/model_mapping.json",
                                    "open/s/systems/m.json"};
#define FILES (sizeof(files) / sizeof(files[0]))

static char root[] = "/tmp/assay-fuzz-XXXXXX";

static void clean(void)
{
    file_remove_tree(root, NULL);
}

static void write_one(size_t number, const uint8_t *data, size_t size)
{
    char path[300];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", root, files[number]);
    f = fopen(path, "wb");
    if (!f || (size && fwrite(data, 1, size, f) != size) || fclose(f))
        abort();
}

static void make(void)
{
    char path[300];

    if (!mkdtemp(root))
        abort();
    atexit(clean);
    for (size_t i = 0; i < FILES; i++) {
        snprintf(path, sizeof(path), "%s/%s", root, files[i]);
        *((char *)(uintptr_t)file_base(path) - 1) = 0;
        if (file_make_dirs(path, NULL))
            abort();
        write_one(i, (const uint8_t *)"{}", 2);
    }
    snprintf(path, sizeof(path), "%s/open/s/results/m/own/Server", root);
    if (file_make_dirs(path, NULL))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct submit_check_ask ask = {.round = NULL};
    struct assay_err err;
    json_t *report = NULL;
    static bool made;

    if (!made)
        make();
    made = true;
    if (!size)
        return 0;
    write_one(data[0] % FILES, data + 1, size - 1);
    if (submit_check(root, &ask, &report, &err))
        abort(); /* the tree is there: whatever is in it can be judged */
    json_decref(report);
    return 0;
}

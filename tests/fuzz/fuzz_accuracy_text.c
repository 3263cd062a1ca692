/* fuzz: links assay_submit assay_load assay_base */
/* Any text as an accuracy.txt, for every metric there is. */
#include "submit/accuracy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"acc",  "AUC",     "mAP",         "F1",
                                        "DICE", "ROUGE1",  "GEN_LEN",     "ACCURACY",
                                        "NONE", "DLRM_NE", "E2E_ACCURACY"};
    struct submit_accuracy a;
    char why[200];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct submit_metric m[SUBMIT_METRICS] = {{names[i], 1, 2}};

        submit_accuracy_parse((const char *)data, size, m, &a);
        submit_accuracy_reached(m, &a, why, sizeof(why));
    }
    return 0;
}

/* KiTS19: which cases of a folder are 3D-UNet's samples, in LoadGen's order.
 *
 * When the benchmark's 43 cases are there, these; when most of them are, an error that names the
 * first that is missing: a download that broke off would silently become another data set.  Else
 * every folder case_*, by name. */
#ifndef DATA_KITS19_H
#define DATA_KITS19_H

#include "assay/types.h"

struct kits19_case {
    char name[32]; /* "case_00400" */
    char from[32]; /* its folder: another's ("case_00185") where the copy of it is missing */
};

struct kits19 {
    char *folder; /* that the cases' folders are in: the data set's, or `data` in it */
    struct kits19_case *cases;
    uint64_t n;
    bool official; /* all 43 */
};

/* The first `count` of them; 0: all.  In any case for kits19_release. */
int kits19_list(const char *dataset, uint64_t count, struct kits19 *k, struct assay_err *err);
void kits19_release(struct kits19 *k);

#endif

/* The dictionaries of Criteo's categories, made of all 24 days as the official pre-processing makes
 * them: the values (remainders by the index range) of each category in order of first appearance,
 * day_0 to day_23, row by row. */
#ifndef DATA_CRITEO_MAKE_H
#define DATA_CRITEO_MAKE_H

#include "data/criteo.h"

struct criteo_make {
    /* given */
    const char *folder;       /* with day_0 … day_23, each as .gz, or else plain */
    const char *output;       /* where the files go; made when missing; may be `folder` */
    uint32_t range;           /* input.max_index_range of the model; 1 … INT32_MAX */
    const volatile int *stop; /* NULL, or becomes true when the user wants to stop: ASSAY_ESTOP */
    /* NULL, or after each piece: the day's file, its rows so far, the part of all bytes (0 … 1). */
    void (*progress)(void *ctx, const char *file, uint64_t rows, double part);
    void *ctx;
    /* found by criteo_make_open */
    char *path[CRITEO_DAYS];
    uint64_t bytes[CRITEO_DAYS], all_bytes;
    uint64_t memory, disk; /* what making takes at most */
    bool unpacks;          /* day_23 is there as .gz only, and `output` has no day_23 */
    /* found by criteo_make */
    uint64_t rows;
    uint32_t counts[CRITEO_CATEGORIES];
};

/* Finds the files, and refuses an output that has a dictionary.  To be closed in any case. */
int criteo_make_open(struct criteo_make *m, struct assay_err *err);
/* Reads all days once and writes day_fea_dict_0.npz … day_fea_dict_25.npz, day_fea_count.npz and,
 * where `output` has none, day_23: unpacked, or a link to the plain one.  After an error nothing of
 * that is there.  One thread. */
int criteo_make(struct criteo_make *m, struct assay_err *err);
void criteo_make_close(struct criteo_make *m);

#endif

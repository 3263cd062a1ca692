/* The list of an image classification data set: val_map.txt (or val.txt), lines `name label`; a
 * name may have blanks.
 *
 * Strict: what the official scripts pass over silently (a missing image shifts every later label
 * there) is an error here, with file and line. */
#ifndef DATA_LABELS_H
#define DATA_LABELS_H

#include "assay/types.h"

#define LABELS_MAX_BYTES (64u << 20)

struct labels {
    size_t n;
    char **names; /* point into text */
    int32_t *values;
    char *text;
};

/* folder/val_map.txt, else folder/val.txt.  Labels are 0..classes-1.  count: only the first lines;
 * 0: all. */
int labels_read(const char *folder, int32_t classes, uint64_t count, struct labels *l,
                struct assay_err *err);
/* The same from memory; `file` is what errors call it.  Blank lines and lines that start with # are
 * skipped. Names must be unique and must not leave the folder. */
int labels_parse(const char *text, size_t len, const char *file, int32_t classes, uint64_t count,
                 struct labels *l, struct assay_err *err);
void labels_release(struct labels *l);

#endif

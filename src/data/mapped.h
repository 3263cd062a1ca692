/* A whole file, mapped read-only. */
#ifndef DATA_MAPPED_H
#define DATA_MAPPED_H

#include "assay/types.h"

struct mapped {
    const uint8_t *data; /* NULL: nothing is mapped */
    size_t bytes;
    char *path;
};

/* A missing or an empty file is an error that names it. */
int mapped_open(const char *path, struct mapped *m, struct assay_err *err);
/* All zero is fine. */
void mapped_close(struct mapped *m);

#endif

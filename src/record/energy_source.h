/* Inside of the record room: one counter of energy, and who makes them; see energy.h. */
#ifndef RECORD_ENERGY_SOURCE_H
#define RECORD_ENERGY_SOURCE_H

#include "record/energy.h"

#define ENERGY_SOURCES_MAX 64

/* Kinds. */
#define ENERGY_RAPL  "rapl"
#define ENERGY_NVML  "nvml"
#define ENERGY_OTHER "other"

struct energy_source {
    const char *kind;
    char name[64];    /* "package-0", "cuda:1" */
    char source[200]; /* where it is read */
    char reason[240]; /* why it cannot be; "": it can */
    double joules;    /* since the first look */
    double every_s;   /* it must be looked at so often */
    /* Adds what was taken since the last look, `seconds` ago; below 0: this is the first, nothing
     * is added.  false: it failed, reason is set.  NULL: it never could be read. */
    bool (*look)(struct energy_source *s, double seconds);
    void (*close)(struct energy_source *s); /* NULL: nothing to do */
    void *self;
};

/* Sets the reason and returns false. */
bool energy_refuse(struct energy_source *s, const char *fmt, ...) ASSAY_PRINTF(2, 3);

/* Each makes at least one source, one that says why there is none in any case, and returns how
 * many; at most `max`. */
size_t energy_rapl_open(const char *root, struct energy_source *out, size_t max);
size_t energy_nvml_open(const struct energy_ask *ask, struct energy_source *out);

#endif

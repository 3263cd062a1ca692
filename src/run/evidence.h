/* Whether what a record tells is of what is here now.  Its settings name a manifest, a data set, an
 * engine; the files behind those names may have changed since.  A run is evidence for another one
 * only where their content is the same. */
#ifndef RUN_EVIDENCE_H
#define RUN_EVIDENCE_H

#include <jansson.h>

#include "run/resolve.h"

/* Hashes that were taken: each file's and data set's once. */
struct evidence {
    json_t *hashes;
};
void evidence_init(struct evidence *e);
void evidence_release(struct evidence *e);

/* Compared are the manifest (but for where its files are), the model, the data set with its labels,
 * and the engine's plugin where the engine tells no version; `programs`: the plugin in any case,
 * and the benchmark's.  What a record does not know (one of a failed run has no hashes) is compared
 * by its path or recipe.  Hashing a data set reads it: it comes last, when all else is the same. */
bool evidence_fits(struct evidence *e, const json_t *record, const struct resolved *r,
                   bool programs);

/* The data set as a record has it: {"name", "hash", "samples", "preprocess"}; its folder has to be
 * here.  The caller json_decref()s *dataset. */
int evidence_dataset(const struct resolved *r, json_t **dataset, struct assay_err *err);

#endif

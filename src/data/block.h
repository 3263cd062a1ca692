/* The blocks of a manifest that are a benchmark's to read: `input` and `output`.  A missing block
 * is as an empty one.  Errors name block and key. */
#ifndef DATA_BLOCK_H
#define DATA_BLOCK_H

#include <jansson.h>

#include "assay/types.h"

/* No key but these n; a wrong one gets did-you-mean. */
int block_check_keys(const json_t *block, const char *name, const char *const *keys, size_t n,
                     struct assay_err *err);
/* Index of a text among choices (NULL-terminated); the first when the key is missing. */
int block_choice(const json_t *block, const char *name, const char *key, const char *const *choices,
                 int *out, struct assay_err *err);
/* *out stays as it is when the key is missing. */
int block_integer(const json_t *block, const char *name, const char *key, int64_t low, int64_t high,
                  int64_t *out, struct assay_err *err);
/* "" when the key is missing. */
int block_text(const json_t *block, const char *name, const char *key, char out[128],
               struct assay_err *err);
/* Reads a manifest's text (NULL: "{}") and gives parse its root; its errors get the manifest's
 * name.
 */
int block_read_manifest(const char *text,
                        int (*parse)(const json_t *tree, void *model, struct assay_err *err),
                        void *model, struct assay_err *err);
/* `reference_accuracy`, NaN when it is missing, and the share of it that `target` asks for, of a
 * list the least: 99 % when that is missing.  what: the number's meaning, for the error. */
int block_target(const json_t *tree, const char *what, double *reference, double *target,
                 struct assay_err *err);
/* Of a list of targets, what became of each, the least first: [{"share", "target", "passed"}], a
 * new reference.  NULL: it is no list, there is no reference, or least, the score's own target, is
 * NaN (made-up data is not judged). */
json_t *block_targets(const json_t *tree, double least, double value);

#endif

/* What a model is, by content: the same for the record and for what a tuning is kept under. */
#ifndef RUN_DIGEST_H
#define RUN_DIGEST_H

#include "base/hash.h"

/* SHA-256 of a file, of a folder (hash_tree), or of a file whose weights lie in others beside it
 * (OpenVINO's .xml, ONNX with external data): then of the hex digests of the file and of those, in
 * the order of their names, each with its NUL. */
int digest_model(const char *path, char hex[HASH_HEX], struct assay_err *err);

#endif

/* A manifest to begin with, made of what an ONNX file says of itself. */
#ifndef CLI_STARTER_H
#define CLI_STARTER_H

#include "base/text.h"
#include "net/onnx.h"

/* The manifest of the ONNX file `net` for `benchmark` as YAML text that manifest_parse takes.  `to`
 * is where it will stand (NULL: nowhere yet): a file beside it is named without its folder.  What
 * the file does not tell stands there as the usual value, with a comment that begins "guess".  A
 * model that does not fit the benchmark is EUNSUPPORTED.  The caller frees *yaml. */
#define STARTER_GUESS "# guess"
int starter_make(const char *net, const char *benchmark, const char *to, char **yaml,
                 struct assay_err *err);

/* ---- inside: the blocks that differ from benchmark to benchmark ---- */

struct starter {
    const char *file;
    const struct onnx_model *model;
    const struct onnx_value **inputs; /* without the weights, which old files list there too */
    size_t input_count;
};

/* Adds the blocks input and output to a manifest. */
typedef int starter_blocks(const struct starter *s, struct text *yaml, struct assay_err *err);
starter_blocks starter_classifier, starter_questions, starter_volumes;

/* That a tensor (what: "input", "output") does not fit, with its type and shape. */
int starter_refuse(const struct starter *s, const char *what, const struct onnx_value *v,
                   const char *why, struct assay_err *err);
/* Engines take a free batch dimension, or 1; a comment says that it is 1. */
int starter_check_batch(const struct starter *s, const struct onnx_value *in,
                        struct assay_err *err);
void starter_batch_comment(const struct onnx_value *in, struct text *yaml);
/* A name that is too long for a manifest is an error. */
int starter_check_name(const struct starter *s, const char *name, struct assay_err *err);

#endif

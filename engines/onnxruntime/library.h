/* ONNX Runtime's library: loaded when it is first needed, never unloaded. */
#ifndef ONNXRUNTIME_LIBRARY_H
#define ONNXRUNTIME_LIBRARY_H

#include <onnxruntime_c_api.h>

#include "assay/types.h"

struct library {
    const OrtApi *api;
    char version[32];
    char path[512]; /* the file */
};

/* From the folder that the host keeps for us, else by the system's loader. */
int library_load(const char *runtime_dir, struct library *lib, struct assay_err *err);
bool library_has_provider(const struct library *lib, const char *name);
/* "CPUExecutionProvider, …" */
void library_providers(const struct library *lib, char *out, size_t cap);
/* Whether a call of CUDA's failed: then it says nothing of the model. */
bool library_is_cuda_failure(const struct library *lib, const OrtStatus *status);
/* Frees status and says what it says, in one line behind the prefix.  Returns ASSAY_EFAIL. */
int library_error(const struct library *lib, OrtStatus *status, const char *prefix,
                  struct assay_err *err);

#endif

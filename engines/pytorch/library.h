/* libtorch and the shim: loaded when they are first needed, never unloaded. */
#ifndef PYTORCH_LIBRARY_H
#define PYTORCH_LIBRARY_H

#include "shim.h"

struct library {
    char version[32];
    char path[512]; /* of libtorch_cpu */
    int major, minor;
};

/* libtorch for the CPU, from the folder that the host keeps for us, else by the system's loader. */
int library_load(const char *runtime_dir, struct library *lib, struct assay_err *err);
/* What knows libtorch's C++ interface; lib is loaded. */
int library_load_shim(const char *runtime_dir, const struct library *lib,
                      const struct torch_shim **shim, struct assay_err *err);
/* Adds CUDA to the libtorch that is loaded. */
int library_load_cuda(const char *runtime_dir, const struct library *lib, struct assay_err *err);
bool library_has_cuda(const char *runtime_dir);

#endif

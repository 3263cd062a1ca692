/* The border between the plugin (C, no libtorch) and the shim (C++, linked with libtorch).
 *
 * libtorch's C++ interface cannot be looked up by name, so what uses it is an object of its own,
 * which is loaded after libtorch.  Its one symbol gives this table.  Plugin and shim are built
 * together: the table has no version. */
#ifndef PYTORCH_SHIM_H
#define PYTORCH_SHIM_H

#include "assay/graphs.h"

#define SHIM_FILE   "assay_torch.so"
#define SHIM_SYMBOL "assay_torch_shim"

/* The least libtorch that the shim is written for. */
#define TORCH_MAJOR 2
#define TORCH_MINOR 11

struct torch_ask {
    const struct assay_engine_config *config;
    const struct assay_graphs *files; /* live until close */
    bool freeze, optimise, channels_last, tf32;
};

/* Hooks as in struct assay_engine.  libtorch_cuda has been loaded when the device is one. */
struct torch_shim {
    int major, minor; /* of the libtorch that this was built with */
    int (*open)(const struct torch_ask *ask, void **self, struct assay_err *err);
    int (*describe)(void *self, struct assay_model_desc *desc, struct assay_err *err);
    int (*lane_open)(void *self, uint32_t lane, struct assay_err *err);
    int (*submit)(void *self, struct assay_batch *batch, struct assay_err *err);
    void *(*alloc)(void *self, size_t bytes);
    void (*release)(void *self, void *memory);
    void (*close)(void *self);
};

#endif

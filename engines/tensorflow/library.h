/* TensorFlow's library: loaded when it is first needed, never unloaded. */
#ifndef TENSORFLOW_LIBRARY_H
#define TENSORFLOW_LIBRARY_H

#include <tensorflow/c/c_api.h>

#include "assay/types.h"
#include "functions.h"

/* The functions under their own names: lib->TF_NewGraph(). */
struct library {
#define MEMBER(name) __typeof__(name) *(name);
    TENSORFLOW_FUNCTIONS(MEMBER)
#undef MEMBER
    void (*set_tf32)(bool on); /* NULL: it has no such switch */
    char version[32];
    char path[512]; /* the file */
};

/* From the folder that the host keeps for us, else by the system's loader. */
int library_load(const char *runtime_dir, struct library *lib, struct assay_err *err);
/* Whether it was built with kernels for GPUs. */
bool library_has_gpu(const struct library *lib);
/* Says what status says, in one line behind the prefix.  Returns ASSAY_EFAIL. */
int library_error(const struct library *lib, const TF_Status *status, const char *prefix,
                  struct assay_err *err);

#endif

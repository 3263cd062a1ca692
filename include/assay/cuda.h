/* CUDA's own libraries, for engines whose library was fetched for CUDA.
 *
 * Such engines share them: they lie in a folder beside the engine's own, called after their major
 * version (runtimes/cuda13 beside runtimes/onnxruntime).  The loader takes a library that is open
 * already for one of the same name, whoever asks for it.  So an engine opens them by their full
 * paths, each behind those that it needs itself, before its own library that needs them; nobody has
 * to set LD_LIBRARY_PATH.  What does not lie there is left to the loader, which finds the system's
 * or says its name.
 *
 * All of this is inline over the C library, so that an engine links with nothing for it.  Nothing
 * is closed again: threads of these libraries may live. */
#ifndef ASSAY_CUDA_H
#define ASSAY_CUDA_H

#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "assay/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ASSAY_CUDA_DRIVER "libcuda.so.1"

/* One file, unless a library of its name is open already. */
static inline int assay_cuda_open_file(const char *path, struct assay_err *err)
{
    void *object = dlopen(strrchr(path, '/') + 1, RTLD_LAZY | RTLD_NOLOAD);
    const char *why;

    if (object) {
        dlclose(object); /* it stays: this was a second hold on it */
        return ASSAY_OK;
    }
    if (dlopen(path, RTLD_LAZY | RTLD_LOCAL))
        return ASSAY_OK;
    why = dlerror();
    return assay_fail(err, ASSAY_EFAIL, "%.400s", why ? why : path);
}

/* Opens those of the files that lie in runtime_dir/../folder, in their order; names end with NULL
 * and may have wildcards.  Fails where one is there and cannot be opened. */
static inline int assay_cuda_open(const char *runtime_dir, const char *folder,
                                  const char *const *names, struct assay_err *err)
{
    char pattern[1024];
    glob_t files;
    int rc = ASSAY_OK;

    for (; runtime_dir && *names && !rc; names++) {
        snprintf(pattern, sizeof(pattern), "%s/../%s/%s", runtime_dir, folder, *names);
        if (glob(pattern, 0, NULL, &files))
            continue;
        for (size_t i = 0; i < files.gl_pathc && !rc; i++)
            rc = assay_cuda_open_file(files.gl_pathv[i], err);
        globfree(&files);
    }
    return rc;
}

/* The first that is neither open nor found by the loader; NULL: none.  Names with wildcards are
 * passed over. */
static inline const char *assay_cuda_missing(const char *const *names)
{
    for (; *names; names++)
        if (!strpbrk(*names, "*?[") && !dlopen(*names, RTLD_LAZY | RTLD_LOCAL))
            return *names;
    return NULL;
}

/* Whether the driver is there, without which nothing of CUDA runs. */
static inline int assay_cuda_driver(struct assay_err *err)
{
    if (dlopen(ASSAY_CUDA_DRIVER, RTLD_LAZY | RTLD_LOCAL))
        return ASSAY_OK;
    return assay_fail(err, ASSAY_EUNSUPPORTED,
                      "there is no NVIDIA driver here (" ASSAY_CUDA_DRIVER " is missing)");
}

#ifdef __cplusplus
}
#endif
#endif

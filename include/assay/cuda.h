/* CUDA's own libraries, for engines whose library was fetched for CUDA.
 *
 * Such engines share them: they lie in a folder called after their major version
 * (runtimes/cuda13), to which the folder of an engine that they were fetched for has a link, `cuda`
 * (runtimes/onnxruntime/cuda).  A recipe unpacks them beside the engine's library, as Python's
 * packages lie: nvidia/PART/lib, one folder or two above.  A library of the user's own, which may
 * want another CUDA, has neither, and nothing is opened for it: some of CUDA's names are the same
 * in every version.
 *
 * The loader takes a library that is open already for one of the same name, whoever asks for it. So
 * an engine opens them by their full paths, each behind those that it needs itself, before its own
 * library that needs them; nobody has to set LD_LIBRARY_PATH.  What does not lie there is left to
 * the loader, which finds the system's or says its name.
 *
 * Which devices there are is asked of the driver: it numbers them as CUDA does, and shows those
 * that this process may use.  That makes no context, and takes no memory of theirs.
 *
 * All of this is inline over the C library, so that an engine links with nothing for it.  Nothing
 * is closed again: threads of these libraries may live. */
#ifndef ASSAY_CUDA_H
#define ASSAY_CUDA_H

#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assay/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ASSAY_CUDA_DRIVER "libcuda.so.1"

/* Where they may lie, from the folder of the engine's library; NULL: no more places. */
static inline const char *assay_cuda_place(int i)
{
    static const char *const places[] = {"cuda", "../nvidia/*/lib", "../../nvidia/*/lib", NULL};

    return places[i];
}

/* The files of a name, which may have wildcards, in such a place; false: none.  For globfree. */
static inline bool assay_cuda_find(const char *runtime_dir, int place, const char *name,
                                   glob_t *files)
{
    char pattern[1024];

    snprintf(pattern, sizeof(pattern), "%s/%s%s%s", runtime_dir, assay_cuda_place(place),
             *name ? "/" : "", name);
    return glob(pattern, 0, NULL, files) == 0;
}

/* Whether the engine's library was fetched with CUDA's. */
static inline bool assay_cuda_here(const char *runtime_dir)
{
    glob_t files;

    for (int i = 0; runtime_dir && assay_cuda_place(i); i++)
        if (assay_cuda_find(runtime_dir, i, "", &files)) {
            bool there = access(files.gl_pathv[0], F_OK) == 0;

            globfree(&files);
            if (there)
                return true;
        }
    return false;
}

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

/* Opens those of the files that lie in such places, in their order; names end with NULL and
 * may have wildcards.  Fails where one is there and cannot be opened. */
static inline int assay_cuda_open(const char *runtime_dir, const char *const *names,
                                  struct assay_err *err)
{
    glob_t files;
    int rc = ASSAY_OK;

    for (; runtime_dir && *names && !rc; names++)
        for (int place = 0; assay_cuda_place(place) && !rc; place++) {
            if (!assay_cuda_find(runtime_dir, place, *names, &files))
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

/* ---- the driver ---- */

/* call: a pointer to a function pointer.  false: there is no driver, or it has no such function. */
static inline bool assay_cuda_driver_call(const char *name, void *call)
{
    void *driver = dlopen(ASSAY_CUDA_DRIVER, RTLD_LAZY | RTLD_LOCAL);
    void *symbol = driver ? dlsym(driver, name) : NULL;

    memcpy(call, &symbol, sizeof(symbol));
    return symbol != NULL;
}

/* Whether the driver is there, without which nothing of CUDA runs, and is new enough for the CUDA
 * `major` that the engine's library was built with; 0: that is not known. */
static inline int assay_cuda_driver(int major, struct assay_err *err)
{
    int (*get_version)(int *), version = 0;

    if (!dlopen(ASSAY_CUDA_DRIVER, RTLD_LAZY | RTLD_LOCAL))
        return assay_fail(err, ASSAY_EUNSUPPORTED,
                          "there is no NVIDIA driver here (" ASSAY_CUDA_DRIVER " is missing)");
    if (assay_cuda_driver_call("cuDriverGetVersion", &get_version) && !get_version(&version) &&
        version && version / 1000 < major)
        return assay_fail(err, ASSAY_EUNSUPPORTED,
                          "the NVIDIA driver here is for CUDA %d.%d at most, and the library needs "
                          "CUDA %d: a newer driver, or a library for CUDA %d, is needed",
                          version / 1000, version % 1000 / 10, major, version / 1000);
    return ASSAY_OK;
}

/* How many devices this process has; they are cuda:0 and so on. */
static inline int assay_cuda_count(void)
{
    int (*init)(unsigned), (*count)(int *), n = 0;

    if (!assay_cuda_driver_call("cuInit", &init) ||
        !assay_cuda_driver_call("cuDeviceGetCount", &count) || init(0) || count(&n))
        return 0;
    return n;
}

/* What people call it. */
static inline bool assay_cuda_name(int number, char *out, int cap)
{
    int (*get)(int *, int), (*name)(char *, int, int), device;

    return assay_cuda_driver_call("cuDeviceGet", &get) &&
           assay_cuda_driver_call("cuDeviceGetName", &name) && !get(&device, number) &&
           !name(out, cap, device);
}

/* From Ampere on, the major number 8, CUDA's libraries may compute products of fp32 in TF32, with
 * 10 bits of the mantissa instead of 23, and some engines let them by default.  This variable, "0",
 * says no to all of them, if it is set before they are first used. */
#define ASSAY_CUDA_TF32 "NVIDIA_TF32_OVERRIDE"

/* Of "cuda" and "cuda:N". */
static inline int assay_cuda_number(const char *device)
{
    return device[strcspn(device, ":")] ? (int)strtol(device + strcspn(device, ":") + 1, NULL, 10)
                                        : 0;
}

#if !defined(__cplusplus) && (!defined(_POSIX_C_SOURCE) || _POSIX_C_SOURCE < 200112L)
int setenv(const char *name, const char *value, int overwrite); /* of POSIX: -std=c11 hides it */
#endif

/* An engine's open, before its library is loaded: fp32 on CUDA stays fp32 in this process, unless
 * the user allows TF32. */
static inline void assay_cuda_keep_fp32(const char *device, bool tf32_allowed)
{
    if (strncmp(device, "cuda", 4) == 0 && !tf32_allowed)
        setenv(ASSAY_CUDA_TF32, "0", 1);
}

/* Whether fp32 is TF32 on the device, where the engine allows it. */
static inline bool assay_cuda_tf32(const char *device)
{
    int (*get)(int *, int), (*attribute)(int *, int, int), number, major = 0;
    const char *variable = getenv(ASSAY_CUDA_TF32);

    return !(variable && strcmp(variable, "0") == 0) && assay_cuda_count() &&
           assay_cuda_driver_call("cuDeviceGet", &get) &&
           assay_cuda_driver_call("cuDeviceGetAttribute", &attribute) &&
           !get(&number, assay_cuda_number(device)) && !attribute(&major, 75, number) && major >= 8;
}

/* ---- memory for batches ---- */

/* Makes the device's primary context, in which CUDA's runtime and every engine work, the calling
 * thread's, and keeps it alive.  Its opposite gives the thread back what it had. */
static inline bool assay_cuda_enter(const char *device, int *number)
{
    int (*get)(int *, int), (*retain)(void **, int), (*push)(void *);
    void *context = NULL;

    return assay_cuda_count() && assay_cuda_driver_call("cuDeviceGet", &get) &&
           assay_cuda_driver_call("cuDevicePrimaryCtxRetain", &retain) &&
           assay_cuda_driver_call("cuCtxPushCurrent_v2", &push) &&
           !get(number, assay_cuda_number(device)) && !retain(&context, *number) && !push(context);
}

static inline void assay_cuda_leave(int number)
{
    int (*pop)(void **), (*release)(int);
    void *context = NULL;

    if (assay_cuda_driver_call("cuCtxPopCurrent_v2", &pop))
        pop(&context);
    if (assay_cuda_driver_call("cuDevicePrimaryCtxRelease_v2", &release))
        release(number);
}

/* An engine's alloc: memory of the host, pinned where the device is CUDA's, so that the device
 * copies it by itself while the host goes on; a copy of other memory first goes through a buffer of
 * the driver's.  A multiple of 64 bytes either way.  To be called while the engine's library holds
 * the device (after open), whose end would be the memory's.  NULL: there is none left. */
static inline void *assay_cuda_alloc(const char *device, size_t bytes)
{
    int (*alloc)(void **, size_t, unsigned), number;
    void *memory = NULL;

    bytes = (bytes + 64) / 64 * 64;
    if (strncmp(device, "cuda", 4) != 0)
        return aligned_alloc(64, bytes);
    if (!assay_cuda_driver_call("cuMemHostAlloc", &alloc) || !assay_cuda_enter(device, &number))
        return NULL;
    if (alloc(&memory, bytes, 1)) /* pinned for every context */
        memory = NULL;
    assay_cuda_leave(number);
    return memory;
}

/* The engine's release. */
static inline void assay_cuda_release(const char *device, void *memory)
{
    int (*release)(void *), number;

    if (strncmp(device, "cuda", 4) != 0) {
        free(memory);
    } else if (memory && assay_cuda_driver_call("cuMemFreeHost", &release) &&
               assay_cuda_enter(device, &number)) {
        release(memory);
        assay_cuda_leave(number);
    }
}

/* " (CUDA 13.2, cuDNN 9.26.0)": of those libraries that are open. */
static inline void assay_cuda_versions(char *out, size_t cap)
{
    static const char *const runtimes[] = {"libcudart.so.13", "libcudart.so.12"};
    void *runtime = NULL, *cudnn = dlopen("libcudnn.so.9", RTLD_LAZY | RTLD_NOLOAD), *symbol;
    int (*get)(int *), cuda = 0;
    size_t (*get_cudnn)(void), v, n;

    for (int i = 0; i < 2 && !runtime; i++)
        runtime = dlopen(runtimes[i], RTLD_LAZY | RTLD_NOLOAD);
    *out = 0;
    if (!runtime || !(symbol = dlsym(runtime, "cudaRuntimeGetVersion")))
        return;
    memcpy(&get, &symbol, sizeof(get));
    if (get(&cuda))
        return;
    n = (size_t)snprintf(out, cap, " (CUDA %d.%d)", cuda / 1000, cuda % 1000 / 10);
    if (!cudnn || !(symbol = dlsym(cudnn, "cudnnGetVersion")) || n >= cap)
        return;
    memcpy(&get_cudnn, &symbol, sizeof(get_cudnn));
    v = get_cudnn();
    snprintf(out + n - 1, cap - n + 1, ", cuDNN %zu.%zu.%zu)", v / 10000, v / 100 % 100, v % 100);
}

/* Adds the devices to what an engine's probe found, each with the versions that compute on it where
 * they are loaded. */
static inline void assay_cuda_probe(struct assay_engine_probe *p)
{
    int count = assay_cuda_count();
    char versions[48];

    assay_cuda_versions(versions, sizeof(versions));

    for (int i = 0; i < count && p->device_count < ASSAY_PROBE_DEVICES; i++) {
        char *name = p->device_names[p->device_count];

        snprintf(p->devices[p->device_count], sizeof(p->devices[0]), "cuda:%d", i);
        if (!assay_cuda_name(i, name, sizeof(p->device_names[0])))
            snprintf(name, sizeof(p->device_names[0]), "NVIDIA GPU");
        snprintf(name + strlen(name), sizeof(p->device_names[0]) - strlen(name), "%s", versions);
        p->device_count++;
    }
}

#ifdef __cplusplus
}
#endif
#endif

/* Finds and opens libtorch, so that this plugin loads and explains itself where there is none.
 *
 * Everything is opened with RTLD_LOCAL.  libtorch's parts find each other all the same: they name
 * each other as needed, and the loader takes what is loaded already. */
#include "library.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assay/cuda.h"
#include "assay/library.h"

#define CPU_FILE  "libtorch_cpu.so"
#define CUDA_FILE "libtorch_cuda.so"

/* A link in our folder may lead into somebody's installation, where a library finds its neighbours
 * only by the path that it really has. */
static void *open_file(const char *path, char *why, size_t cap)
{
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    char *real;

    if (object)
        return object;
    snprintf(why, cap, "%s", dlerror());
    real = realpath(path, NULL);
    if (real && strcmp(real, path) && (object = dlopen(real, RTLD_NOW | RTLD_LOCAL)) == NULL)
        snprintf(why, cap, "%s", dlerror());
    free(real);
    return object;
}

static bool kept(const char *dir, const char *file, char *path, size_t cap)
{
    snprintf(path, cap, "%s/%s", dir ? dir : "", file);
    return dir && access(path, F_OK) == 0;
}

/* Major, minor and patch stand in a number's three upper bytes. */
static int read_version(void *object, struct library *lib, struct assay_err *err)
{
    uint64_t (*abi_version)(void), v = 0;
    void *symbol = dlsym(object, "aoti_torch_abi_version");
    Dl_info info;

    if (symbol) {
        memcpy(&abi_version, &symbol, sizeof(abi_version));
        v = abi_version();
        if (dladdr(symbol, &info) && info.dli_fname)
            snprintf(lib->path, sizeof(lib->path), "%s", info.dli_fname);
    }
    lib->major = (int)(v >> 56);
    lib->minor = (int)(v >> 48 & 255);
    snprintf(lib->version, sizeof(lib->version), "%d.%d.%d", lib->major, lib->minor,
             (int)(v >> 40 & 255));
    if (!symbol)
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: is no libtorch, or one that is older than %d.%d; `make "
                          "engine-pytorch` gets one",
                          lib->path, TORCH_MAJOR, TORCH_MINOR);
    if (lib->major < TORCH_MAJOR || (lib->major == TORCH_MAJOR && lib->minor < TORCH_MINOR))
        return assay_fail(err, ASSAY_EFAIL, "%s: is libtorch %s, %d.%d or newer is needed",
                          lib->path, lib->version, TORCH_MAJOR, TORCH_MINOR);
    return ASSAY_OK;
}

int library_load(const char *runtime_dir, struct library *lib, struct assay_err *err)
{
    char why[300] = "";
    void *object;

    memset(lib, 0, sizeof(*lib));
    if (kept(runtime_dir, CPU_FILE, lib->path, sizeof(lib->path))) {
        if (!(object = open_file(lib->path, why, sizeof(why))))
            return assay_library_failed("libtorch", why, "make engine-pytorch", err);
    } else {
        snprintf(lib->path, sizeof(lib->path), "%s", CPU_FILE);
        if (!(object = dlopen(CPU_FILE, RTLD_NOW | RTLD_LOCAL)))
            return assay_fail(err, ASSAY_EFAIL,
                              "there is no libtorch: no " CPU_FILE
                              " in %s, and none in the system; `make engine-pytorch` gets it",
                              runtime_dir ? runtime_dir : "");
    }
    return read_version(object, lib, err);
}

/* The shim is built here, also for a library that comes by a recipe: then it is where the plugin's
 * own installation has it. */
static bool find_shim(const char *runtime_dir, char *path, size_t cap)
{
    const char *slash;
    char dir[500];
    Dl_info info;

    if (kept(runtime_dir, SHIM_FILE, path, cap))
        return true;
    if (!dladdr((void *)(uintptr_t)&library_load, &info) || !info.dli_fname ||
        !(slash = strrchr(info.dli_fname, '/')))
        return false;
    snprintf(dir, sizeof(dir), "%.*s/../runtimes/pytorch", (int)(slash - info.dli_fname),
             info.dli_fname);
    return kept(dir, SHIM_FILE, path, cap);
}

int library_load_shim(const char *runtime_dir, const struct library *lib,
                      const struct torch_shim **shim, struct assay_err *err)
{
    const struct torch_shim *(*entry)(void);
    char path[600], why[300] = "";
    void *object, *symbol;

    if (!find_shim(runtime_dir, path, sizeof(path)))
        return assay_fail(err, ASSAY_EFAIL,
                          "there is no " SHIM_FILE
                          " in %s: it is built where libtorch's headers are, by `make "
                          "engine-pytorch` or cmake -DASSAY_TORCH=DIR",
                          runtime_dir ? runtime_dir : "");
    object = open_file(path, why, sizeof(why));
    symbol = object ? dlsym(object, SHIM_SYMBOL) : NULL;
    if (!symbol)
        return assay_fail(err, ASSAY_EFAIL,
                          SHIM_FILE " does not fit libtorch %s (%.200s); build it again with "
                                    "cmake -DASSAY_TORCH=DIR",
                          lib->version, object ? "it has no " SHIM_SYMBOL : why);
    memcpy(&entry, &symbol, sizeof(entry));
    *shim = entry();
    /* C++ interfaces hold within a minor version only. */
    if ((*shim)->major != lib->major || (*shim)->minor != lib->minor)
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: is libtorch %s, and the engine was built with %d.%d; build it again "
                          "with cmake -DASSAY_TORCH=DIR",
                          lib->path, lib->version, (*shim)->major, (*shim)->minor);
    return ASSAY_OK;
}

bool library_has_cuda(const char *runtime_dir)
{
    char path[600];

    return kept(runtime_dir, CUDA_FILE, path, sizeof(path));
}

#define CUDA_MAJOR 13 /* of the library that is fetched */

/* Of CUDA what libtorch's part for it is linked with or opens by name, and what that needs. */
static const char *const cuda_libraries[] = {
    "libcudart.so.13",          "libcublasLt.so.13", "libcublas.so.13",      "libcufft.so.12",
    "libnvJitLink.so.13",       "libcusparse.so.12", "libcusparseLt.so.0",   "libcusolver.so.12",
    "libnvrtc-builtins.so.13*", "libnvrtc.so.13",    "libcudnn_graph.so.9",  "libcudnn.so.9",
    "libcufile.so.0",           "libnccl.so.2",      "libnvshmem_host.so.3", NULL};

int library_load_cuda(const char *runtime_dir, const struct library *lib, struct assay_err *err)
{
    char path[600], why[300] = "";
    int rc;

    if (!kept(runtime_dir, CUDA_FILE, path, sizeof(path)))
        return assay_fail(err, ASSAY_EUNSUPPORTED,
                          "%s (version %s) computes on the CPU only: there is no " CUDA_FILE
                          " in %s; `assay engines install pytorch --device cuda` gets it, or build "
                          "with cmake -DASSAY_TORCH=DIR of a libtorch with CUDA",
                          lib->path, lib->version, runtime_dir ? runtime_dir : "");
    if ((rc = assay_cuda_driver(assay_cuda_here(runtime_dir) ? CUDA_MAJOR : 0, err)) ||
        (rc = assay_cuda_open(runtime_dir, cuda_libraries, err)))
        return rc;
    if (open_file(path, why, sizeof(why)))
        return ASSAY_OK;
    return assay_fail(err, ASSAY_EUNSUPPORTED, CUDA_FILE " cannot be loaded: %s", why);
}

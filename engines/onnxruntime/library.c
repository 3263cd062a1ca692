/* Finds and opens libonnxruntime, so that this plugin loads and explains itself where there is
 * none. */
#include "library.h"

#include <dlfcn.h>
#include <glob.h>
#include <string.h>

#define SONAME "libonnxruntime.so.1"

/* The last file by name in the host's folder: there is one, as a rule. */
static void *open_kept(const char *dir, char *why, size_t cap)
{
    char pattern[600];
    void *object = NULL;
    glob_t files;

    snprintf(pattern, sizeof(pattern), "%s/%s*", dir ? dir : "", SONAME);
    if (!dir || glob(pattern, 0, NULL, &files))
        return NULL;
    if (files.gl_pathc &&
        !(object = dlopen(files.gl_pathv[files.gl_pathc - 1], RTLD_NOW | RTLD_LOCAL)))
        snprintf(why, cap, "%s", dlerror());
    globfree(&files);
    return object;
}

int library_load(const char *runtime_dir, struct library *lib, struct assay_err *err)
{
    const OrtApiBase *(*get_base)(void);
    const OrtApiBase *base;
    char why[256] = "";
    void *object = open_kept(runtime_dir, why, sizeof(why)), *symbol;
    Dl_info info;

    if (!object && why[0])
        return assay_fail(err, ASSAY_EFAIL, "ONNX Runtime cannot be loaded: %s", why);
    if (!object && !(object = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL)))
        return assay_fail(
            err, ASSAY_EFAIL,
            "there is no ONNX Runtime: no %s* in %s, and none in the system; `make` gets it",
            SONAME, runtime_dir ? runtime_dir : "");
    symbol = dlsym(object, "OrtGetApiBase");
    if (!symbol)
        return assay_fail(err, ASSAY_EFAIL, SONAME ": is no ONNX Runtime: no OrtGetApiBase");
    memcpy(&get_base, &symbol, sizeof(get_base));
    base = get_base();
    snprintf(lib->version, sizeof(lib->version), "%s", base->GetVersionString());
    lib->path[0] = 0;
    if (dladdr(symbol, &info) && info.dli_fname)
        snprintf(lib->path, sizeof(lib->path), "%s", info.dli_fname);
    lib->api = base->GetApi(ORT_API_VERSION);
    if (!lib->api)
        return assay_fail(err, ASSAY_EFAIL, "%s: is ONNX Runtime %s, 1.%d or newer is needed",
                          lib->path, lib->version, ORT_API_VERSION);
    return ASSAY_OK;
}

void library_providers(const struct library *lib, char *out, size_t cap)
{
    OrtStatus *st;
    char **names = NULL;
    int n = 0;
    size_t at = 0;

    out[0] = 0;
    if ((st = lib->api->GetAvailableProviders(&names, &n))) {
        lib->api->ReleaseStatus(st);
        return;
    }
    for (int i = 0; i < n && at < cap; i++)
        at += (size_t)snprintf(out + at, cap - at, "%s%s", i ? ", " : "", names[i]);
    if ((st = lib->api->ReleaseAvailableProviders(names, n)))
        lib->api->ReleaseStatus(st);
}

bool library_has_provider(const struct library *lib, const char *name)
{
    char all[1024];

    library_providers(lib, all, sizeof(all));
    return strstr(all, name) != NULL;
}

int library_error(const struct library *lib, OrtStatus *status, const char *prefix,
                  struct assay_err *err)
{
    char line[320];

    snprintf(line, sizeof(line), "%s", lib->api->GetErrorMessage(status));
    for (char *p = line; *p; p++)
        if (*p == '\n' || *p == '\r' || *p == '\t')
            *p = ' ';
    lib->api->ReleaseStatus(status);
    return assay_fail(err, ASSAY_EFAIL, "%s: %s", prefix, line);
}

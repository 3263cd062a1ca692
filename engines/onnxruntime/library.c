/* Finds and opens libonnxruntime, so that this plugin loads and explains itself where there is
 * none. */
#include "library.h"

#include <ctype.h>
#include <string.h>

#include "assay/library.h"

#define SONAME "libonnxruntime.so.1"

int library_load(const char *runtime_dir, struct library *lib, struct assay_err *err)
{
    const OrtApiBase *(*get_base)(void);
    const OrtApiBase *base;
    char pattern[600], why[256] = "";
    void *object, *symbol;
    Dl_info info;

    snprintf(lib->path, sizeof(lib->path), SONAME);
    snprintf(pattern, sizeof(pattern), "%s/" SONAME "*", runtime_dir ? runtime_dir : "");
    object = assay_library_open(pattern, RTLD_NOW | RTLD_LOCAL, lib->path, sizeof(lib->path), why,
                                sizeof(why));
    if (!object && why[0])
        return assay_library_failed("ONNX Runtime", why, "make", err);
    if (!object && !(object = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL)))
        return assay_fail(
            err, ASSAY_EFAIL,
            "there is no ONNX Runtime: no %s* in %s, and none in the system; `make` gets it",
            SONAME, runtime_dir ? runtime_dir : "");
    symbol = dlsym(object, "OrtGetApiBase");
    if (!symbol)
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: is no ONNX Runtime: it has no OrtGetApiBase; remove it, then `make` "
                          "gets one",
                          lib->path);
    memcpy(&get_base, &symbol, sizeof(get_base));
    base = get_base();
    snprintf(lib->version, sizeof(lib->version), "%s", base->GetVersionString());
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

/* ONNX Runtime's messages may name its own source: "/path/file.cc:46 type function(arguments)
 * message". Returns where the message begins, behind that. */
static const char *behind_source(const char *p)
{
    int depth = 0;

    for (p = strchr(p, '('); p && *p; p++) {
        depth += *p == '(' ? 1 : *p == ')' ? -1 : 0;
        if (depth == 0)
            break;
    }
    if (!p || !*p)
        return NULL;
    p++;
    if (strncmp(p, " const", 6) == 0)
        p += 6;
    return p + strspn(p, " ");
}

/* "CUDA failure 802: system not yet initialized ; GPU=0 ; hostname=…", "CUBLAS failure 3: …": a
 * call that failed, which stands behind the source and a template's signature, more than once. */
static char *cuda_failure(char *text)
{
    static const char word[] = " failure ";
    char *at = strstr(text, word);

    while (at && !isdigit((unsigned char)at[sizeof(word) - 1]))
        at = strstr(at + 1, word);
    while (at && at > text && at[-1] != ' ')
        at--;
    return at;
}

bool library_is_cuda_failure(const struct library *lib, const OrtStatus *status)
{
    char text[2048];

    snprintf(text, sizeof(text), "%s", lib->api->GetErrorMessage(status));
    return cuda_failure(text) != NULL;
}

/* One line without what the caller says itself and without places in ONNX Runtime's source. */
static void shorten(char *text)
{
    char *source, *failed, *cuda;
    const char *rest;

    for (char *p = text; *p; p++)
        if (*p == '\n' || *p == '\r' || *p == '\t')
            *p = ' ';
    if (strncmp(text, "Load model from ", 16) == 0 && (failed = strstr(text, "failed:")))
        memmove(text, failed + 7, strlen(failed + 7) + 1);
    if ((cuda = cuda_failure(text))) {
        memmove(text, cuda, strlen(cuda) + 1);
        if ((cuda = strstr(text, " ; hostname=")))
            *cuda = 0;
    }
    source = strstr(text, "/onnxruntime");
    if (source && (strstr(source, ".h:") || strstr(source, ".cc:")) &&
        (rest = behind_source(source)))
        memmove(source, rest, strlen(rest) + 1);
}

int library_error(const struct library *lib, OrtStatus *status, const char *prefix,
                  struct assay_err *err)
{
    char text[2048];

    snprintf(text, sizeof(text), "%s", lib->api->GetErrorMessage(status));
    lib->api->ReleaseStatus(status);
    shorten(text);
    return assay_fail(err, ASSAY_EFAIL, "%s: %.300s", prefix, text);
}

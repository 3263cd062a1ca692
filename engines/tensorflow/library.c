/* Finds and opens TensorFlow's C library, so that this plugin loads and explains itself where there
 * is none. */
#include "library.h"

#include <stdlib.h>
#include <string.h>

#include "assay/library.h"

#define OLDEST 2 /* the major version */

/* Python's packages have the first, the package of the C library the second. */
static const char *const names[] = {"libtensorflow_cc.so.2", "libtensorflow.so.2"};
#define NAMES (int)(sizeof(names) / sizeof(names[0]))

static int look_up(void *object, struct library *lib, struct assay_err *err)
{
    static const char *const wanted[] = {
#define NAME(name) #name,
        TENSORFLOW_FUNCTIONS(NAME)
#undef NAME
    };
    void *found[sizeof(wanted) / sizeof(wanted[0])];
    size_t at = 0;

    for (; at < sizeof(wanted) / sizeof(wanted[0]); at++)
        if (!(found[at] = dlsym(object, wanted[at])))
            return assay_fail(err, ASSAY_EFAIL,
                              "%s: is no TensorFlow that this engine can use: it has no %s; remove "
                              "it, then `make engine-tensorflow` gets one",
                              lib->path, wanted[at]);
    at = 0;
#define TAKE(name) memcpy(&lib->name, &found[at++], sizeof(void *));
    TENSORFLOW_FUNCTIONS(TAKE)
#undef TAKE
    return ASSAY_OK;
}

/* The file that an address of the library is in. */
static void find_path(void *object, struct library *lib)
{
    void *symbol = dlsym(object, "TF_Version");
    Dl_info info;

    if (symbol && dladdr(symbol, &info) && info.dli_fname)
        snprintf(lib->path, sizeof(lib->path), "%s", info.dli_fname);
}

/* The switch behind tf.config.experimental.enable_tensor_float_32_execution; the C API has none. */
static void find_tf32(void *object, struct library *lib)
{
    void *symbol = dlsym(object, "_ZN3tsl32enable_tensor_float_32_executionEb");

    memcpy(&lib->set_tf32, &symbol, sizeof(symbol));
}

int library_load(const char *runtime_dir, struct library *lib, struct assay_err *err)
{
    char path[1024], why[256] = "";
    void *object = NULL, *symbol;

    /* Its information goes to stderr before anyone can ask it not to; warnings stay. */
    setenv("TF_CPP_MIN_LOG_LEVEL", "1", 0);
    snprintf(lib->path, sizeof(lib->path), "%s", names[0]);
    for (int i = 0; i < NAMES && runtime_dir && !object && !why[0]; i++) {
        snprintf(path, sizeof(path), "%s/%s", runtime_dir, names[i]);
        object = assay_library_open(path, RTLD_LAZY | RTLD_LOCAL, lib->path, sizeof(lib->path), why,
                                    sizeof(why));
    }
    if (!object && why[0])
        return assay_library_failed("TensorFlow", why, "make engine-tensorflow", err);
    for (int i = 0; i < NAMES && !object; i++)
        object = dlopen(names[i], RTLD_LAZY | RTLD_LOCAL);
    if (!object)
        return assay_fail(err, ASSAY_EFAIL,
                          "there is no TensorFlow: no %s in %s, and none in the system; "
                          "`make engine-tensorflow` gets it",
                          names[0], runtime_dir ? runtime_dir : "");
    find_path(object, lib);
    find_tf32(object, lib);
    /* First the version: an old library lacks functions too, which says less. */
    if ((symbol = dlsym(object, "TF_Version"))) {
        memcpy(&lib->TF_Version, &symbol, sizeof(symbol));
        snprintf(lib->version, sizeof(lib->version), "%s", lib->TF_Version());
    }
    if (symbol && strtol(lib->version, NULL, 10) < OLDEST)
        return assay_fail(err, ASSAY_EFAIL, "%s: is TensorFlow %s, %d or newer is needed",
                          lib->path, lib->version, OLDEST);
    return look_up(object, lib, err);
}

/* In a KernelDef the device is field 2: tag 0x12, length, text. */
bool library_has_gpu(const struct library *lib)
{
    static const char gpu[] = "\x12\x03"
                              "GPU";
    TF_Status *status = lib->TF_NewStatus();
    TF_Buffer *kernels = lib->TF_GetRegisteredKernelsForOp("Conv2D", status);
    bool has = kernels && memmem(kernels->data, kernels->length, gpu, sizeof(gpu) - 1) != NULL;

    if (kernels)
        lib->TF_DeleteBuffer(kernels);
    lib->TF_DeleteStatus(status);
    return has;
}

/* One line without what helps only TensorFlow's own developers. */
static void shorten(char *text)
{
    static const char *const tails[] = {" in binary running on ", "\n\nErrors may have originated",
                                        " [[", "\n\t [["};
    char *tail;

    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++)
        if ((tail = strstr(text, tails[i])) && tail > text)
            *tail = 0;
    for (char *p = text; *p; p++)
        if (*p == '\n' || *p == '\r' || *p == '\t')
            *p = ' ';
}

int library_error(const struct library *lib, const TF_Status *status, const char *prefix,
                  struct assay_err *err)
{
    char text[2048];

    snprintf(text, sizeof(text), "%s", lib->TF_Message(status));
    shorten(text);
    return assay_fail(err, ASSAY_EFAIL, "%s: %.300s", prefix, text[0] ? text : "failed");
}

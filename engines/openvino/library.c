/* Finds and opens libopenvino_c, so that this plugin loads and explains itself where there is none.
 *
 * The C library catches every C++ exception itself and turns it into a status; libopenvino, the
 * device's plugin and the frontends lie beside it and are found by it. */
#include "library.h"

#include <string.h>

#include "assay/library.h"

#define NAME "libopenvino_c.so"

static int bind_all(void *object, struct library *lib, struct assay_err *err)
{
    static const char *const names[] = {
#define LIBRARY_NAME(name) #name,
        LIBRARY_FUNCTIONS(LIBRARY_NAME)};
    void **const members[] = {
#define LIBRARY_ADDRESS(name) (void **)&lib->name,
        LIBRARY_FUNCTIONS(LIBRARY_ADDRESS)};
    Dl_info info;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        void *symbol = dlsym(object, names[i]);

        if (!symbol)
            return assay_fail(err, ASSAY_EFAIL,
                              "%s: is no OpenVINO, or one that is too old: no %s in it; remove it, "
                              "then `make engine-openvino` gets one that fits",
                              lib->path, names[i]);
        memcpy(members[i], &symbol, sizeof(symbol));
        if (i == 0 && dladdr(symbol, &info) && info.dli_fname)
            snprintf(lib->path, sizeof(lib->path), "%s", info.dli_fname);
    }
    return ASSAY_OK;
}

int library_load(const char *runtime_dir, struct library *lib, struct assay_err *err)
{
    ov_version_t version = {0};
    char pattern[600], why[256] = "";
    void *object;
    int rc;

    snprintf(pattern, sizeof(pattern), "%s/" NAME ".*", runtime_dir ? runtime_dir : "");
    snprintf(lib->path, sizeof(lib->path), NAME);
    object = assay_library_open(pattern, RTLD_NOW | RTLD_LOCAL, lib->path, sizeof(lib->path), why,
                                sizeof(why));
    if (!object && why[0])
        return assay_library_failed("OpenVINO", why, "make engine-openvino", err);
    if (!object && !(object = dlopen(NAME, RTLD_NOW | RTLD_LOCAL)))
        return assay_fail(err, ASSAY_EFAIL,
                          "there is no OpenVINO: no " NAME " in %s, and none in the system; "
                          "`make engine-openvino` gets it",
                          runtime_dir ? runtime_dir : "");
    if ((rc = bind_all(object, lib, err)))
        return rc;
    if (lib->ov_get_openvino_version(&version) == OK) {
        /* "2026.4.1-22982-c2afe76279e-releases/2026/4": the build behind it says nothing more. */
        snprintf(lib->version, sizeof(lib->version), "%.*s", (int)strcspn(version.buildNumber, "-"),
                 version.buildNumber);
        lib->ov_version_free(&version);
    }
    return ASSAY_OK;
}

void library_devices(const struct library *lib, const ov_core_t *core, char *out, size_t cap)
{
    ov_available_devices_t found = {0};
    size_t at = 0;

    out[0] = 0;
    if (lib->ov_core_get_available_devices(core, &found) != OK)
        return;
    for (size_t i = 0; i < found.size && at < cap; i++)
        at += (size_t)snprintf(out + at, cap - at, "%s%s", i ? ", " : "", found.devices[i]);
    lib->ov_available_devices_free(&found);
}

/* Whether a line only says where in OpenVINO's source something was noticed, or what to read. */
static bool is_place(const char *line, size_t n)
{
    return n == 0 || strncmp(line, "Exception from ", 15) == 0 ||
           strncmp(line, "To facilitate ", 14) == 0 ||
           strncmp(line, "[ ERROR ] Exception", 19) == 0;
}

/* The message without places in OpenVINO's source, in one line: "Check 'x' failed at src/y.cpp:1:"
 * stands in front of the words when there are any. */
static void shorten(const char *text, char *out, size_t cap)
{
    size_t at = 0, n;

    out[0] = 0;
    for (; *text && at + 2 < cap; text += n + (text[n] != 0)) {
        const char *line = text, *check;

        n = strcspn(text, "\r\n");
        if (is_place(line, n))
            continue;
        check = memmem(line, n, "' failed at ", 12);
        if (strncmp(line, "Check '", 7) == 0 && check && text[n] && line[n - 1] == ':')
            continue;
        at += (size_t)snprintf(out + at, cap - at, "%s%.*s", at ? " " : "", (int)n, line);
    }
    for (char *p = out; *p; p++)
        if ((unsigned char)*p < 0x20)
            *p = ' ';
}

/* An operator that OpenVINO lacks comes last in the message, behind what follows from that. */
static const char *behind_consequences(const char *text)
{
    const char *cause = strstr(text, "No conversion rule found for operations");

    return cause ? cause : text;
}

int library_error(const struct library *lib, ov_status_e status, const char *prefix,
                  struct assay_err *err)
{
    const char *last = lib->ov_get_last_err_msg();
    char text[1024] = "";

    if (last)
        shorten(behind_consequences(last), text, sizeof(text));
    return assay_fail(err, ASSAY_EFAIL, "%s: %.300s", prefix,
                      text[0] ? text : lib->ov_get_error_info(status));
}

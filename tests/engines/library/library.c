/* What an engine may find in place of its vendor's library.  One object serves for all vendors: it
 * has what each engine asks first.
 *
 * LIBRARY_BARE: a library without any of the vendor's functions.  LIBRARY_OLD: one that says an old
 * version.  LIBRARY_NOISY: the same, and prints on both streams.  LIBRARY_CRASH: crashes when it is
 * loaded. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>

#define EXPORT __attribute__((visibility("default")))

#if defined(LIBRARY_NOISY)
__attribute__((constructor)) static void loaded(void)
{
    printf("noise on stdout\n");
    fflush(stdout);
    fprintf(stderr, "noise on stderr\n");
}
#elif defined(LIBRARY_CRASH)
__attribute__((constructor)) static void loaded(void)
{
    signal(SIGSEGV, SIG_DFL); /* a sanitizer's own handler would turn it into an exit */
    raise(SIGSEGV);
}
#endif

#ifdef LIBRARY_BARE
EXPORT int assay_library_bare;
#else
/* ONNX Runtime: its newest interface is version 10. */
static const void *get_api(uint32_t version)
{
    static const char none[1];

    return version > 10 ? NULL : none;
}

static const char *get_version(void)
{
    return "1.10.0";
}

static const struct {
    const void *(*get_api)(uint32_t version);
    const char *(*get_version)(void);
} base = {get_api, get_version};

EXPORT const void *OrtGetApiBase(void);
const void *OrtGetApiBase(void)
{
    return &base;
}

/* libtorch 2.5.1: major, minor and patch in the upper bytes. */
EXPORT uint64_t aoti_torch_abi_version(void);
uint64_t aoti_torch_abi_version(void)
{
    return UINT64_C(0x0205010000000000);
}

EXPORT const char *TF_Version(void);
const char *TF_Version(void)
{
    return "1.15.5";
}
#endif

/* CUDA's driver library, and what its runtime and cuDNN say of their versions, as far as Assay asks
 * them.  One card of the Ampere generation, a driver for CUDA 13.2.
 *
 * Words in the environment's FAKE_CUDA change it:
 *   two     a second card, which stands before the other on the bus (as in the fake of NVML)
 *   old     the driver is for CUDA 12.4
 *   turing  the cards are of the generation before
 *   none    there is no card
 *   full    no memory of the host can be pinned
 * Pinning wants a device's context on the calling thread, as the driver does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assay/engine.h"

ASSAY_EXPORT int cuInit(unsigned flags);
ASSAY_EXPORT int cuDriverGetVersion(int *version);
ASSAY_EXPORT int cuDeviceGetCount(int *count);
ASSAY_EXPORT int cuDeviceGet(int *device, int number);
ASSAY_EXPORT int cuDeviceGetName(char *name, int length, int device);
ASSAY_EXPORT int cuDeviceGetPCIBusId(char *out, int length, int device);
ASSAY_EXPORT int cuDeviceGetAttribute(int *value, int what, int device);
ASSAY_EXPORT int cuDevicePrimaryCtxRetain(void **context, int device);
ASSAY_EXPORT int cuDevicePrimaryCtxRelease_v2(int device);
ASSAY_EXPORT int cuCtxPushCurrent_v2(void *context);
ASSAY_EXPORT int cuCtxPopCurrent_v2(void **context);
ASSAY_EXPORT int cuMemHostAlloc(void **memory, size_t bytes, unsigned flags);
ASSAY_EXPORT int cuMemFreeHost(void *memory);
ASSAY_EXPORT int fake_cuda_pinned(void);   /* how many pieces there are */
ASSAY_EXPORT int fake_cuda_contexts(void); /* how many times contexts are held or current */
ASSAY_EXPORT int cudaRuntimeGetVersion(int *version);
ASSAY_EXPORT size_t cudnnGetVersion(void);

static int is(const char *word)
{
    const char *how = getenv("FAKE_CUDA");

    return how && strstr(how, word) != NULL;
}

static int card_count(void)
{
    return is("none") ? 0 : is("two") ? 2 : 1;
}

int cuInit(unsigned flags)
{
    return flags || is("none") ? 100 : 0;
}

int cuDriverGetVersion(int *version)
{
    *version = is("old") ? 12040 : 13020;
    return 0;
}

int cuDeviceGetCount(int *count)
{
    *count = card_count();
    return 0;
}

int cuDeviceGet(int *device, int number)
{
    *device = number;
    return number >= 0 && number < card_count() ? 0 : 101;
}

int cuDeviceGetName(char *name, int length, int device)
{
    return snprintf(name, (size_t)length, "Fake %s", device ? "One" : "Two") < length ? 0 : 1;
}

int cuDeviceGetPCIBusId(char *out, int length, int device)
{
    return snprintf(out, (size_t)length, "00000000:%02x:00.0", card_count() - device) < length ? 0
                                                                                               : 1;
}

int cuDeviceGetAttribute(int *value, int what, int device)
{
    (void)device;
    *value = is("turing") ? 7 : 8;
    return what == 75 ? 0 : 1; /* the major number of what it can */
}

static int pinned, held;
static _Thread_local int current;

int fake_cuda_pinned(void)
{
    return pinned;
}

int fake_cuda_contexts(void)
{
    return held + current;
}

int cuDevicePrimaryCtxRetain(void **context, int device)
{
    *context = &held;
    held++;
    return device >= 0 && device < card_count() ? 0 : 101;
}

int cuDevicePrimaryCtxRelease_v2(int device)
{
    held--;
    return device < 0;
}

int cuCtxPushCurrent_v2(void *context)
{
    current++;
    return context == &held ? 0 : 201;
}

int cuCtxPopCurrent_v2(void **context)
{
    *context = &held;
    current--;
    return 0;
}

int cuMemHostAlloc(void **memory, size_t bytes, unsigned flags)
{
    if (!current || !held || !bytes)
        return 201; /* no context */
    if (is("full"))
        return 2;
    *memory = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    pinned += *memory && flags == 1; /* CU_MEMHOSTALLOC_PORTABLE */
    return *memory ? 0 : 2;
}

int cuMemFreeHost(void *memory)
{
    if (!current || !held)
        return 201;
    free(memory);
    pinned--;
    return 0;
}

int cudaRuntimeGetVersion(int *version)
{
    *version = 13020;
    return 0;
}

size_t cudnnGetVersion(void)
{
    return 92600;
}

/* CUDA's driver library, and what its runtime and cuDNN say of their versions, as far as Assay asks
 * them.  One card of the Ampere generation, a driver for CUDA 13.2.
 *
 * Words in the environment's FAKE_CUDA change it:
 *   two     a second card, which stands before the other on the bus (as in the fake of NVML)
 *   old     the driver is for CUDA 12.4
 *   turing  the cards are of the generation before
 *   none    there is no card */
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

int cudaRuntimeGetVersion(int *version)
{
    *version = 13020;
    return 0;
}

size_t cudnnGetVersion(void)
{
    return 92600;
}

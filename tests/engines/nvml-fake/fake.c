/* NVIDIA's management library as far as the check of a card's memory asks it: one card, number 0,
 * of 80 GB, of which 79 GB are free. */
#include "assay/engine.h"

struct memory {
    unsigned long long total, free, used;
};

ASSAY_EXPORT int nvmlInit_v2(void);
ASSAY_EXPORT int nvmlShutdown(void);
ASSAY_EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device);
ASSAY_EXPORT int nvmlDeviceGetMemoryInfo(void *device, struct memory *memory);

static char card;

int nvmlInit_v2(void)
{
    return 0;
}

int nvmlShutdown(void)
{
    return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device)
{
    *device = &card;
    return index == 0 ? 0 : 6; /* not found */
}

int nvmlDeviceGetMemoryInfo(void *device, struct memory *memory)
{
    *memory = (struct memory){80000000000u, 79000000000u, 1000000000u};
    return device == &card ? 0 : 2;
}

/* NVIDIA's management library as far as Assay asks it: the check of a card's memory, and the meter
 * of energy.  One card of 80 GB, of which 79 GB are free, that takes 100 W.
 *
 * Words in the environment's FAKE_NVML change it:
 *   two         a second card, of 200 W, which CUDA (here too, its three functions) puts first
 *   small       the first card, by its place on the bus, has 4 GB
 *   no-cuda     CUDA's functions say that there is no driver
 *   no-counter  the cards tell their power only;  no-power: nor that
 *   stuck       the counter stays where it is;  back: it goes back
 *   mig         the cards are divided
 *   broken      the library does not start;  refused: it does, and allows nothing */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "assay/engine.h"

#define NOT_SUPPORTED 3
#define NO_PERMISSION 4
#define NOT_FOUND     6

struct memory {
    unsigned long long total, free, used;
};

struct nvml_pci {
    char bus_id_legacy[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char bus_id[32];
};

static const struct card {
    const char *bus_id, *uuid, *name;
    unsigned watts;
} cards[] = {{"00000000:01:00.0", "GPU-1111-aa", "Fake One", 100},
             {"00000000:02:00.0", "GPU-2222-bb", "Fake Two", 200}};

ASSAY_EXPORT int nvmlInit_v2(void);
ASSAY_EXPORT int nvmlShutdown(void);
ASSAY_EXPORT int nvmlDeviceGetCount_v2(unsigned *count);
ASSAY_EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device);
ASSAY_EXPORT int nvmlDeviceGetHandleByPciBusId_v2(const char *bus_id, void **device);
ASSAY_EXPORT int nvmlDeviceGetUUID(void *device, char *out, unsigned length);
ASSAY_EXPORT int nvmlDeviceGetName(void *device, char *out, unsigned length);
ASSAY_EXPORT int nvmlDeviceGetPciInfo_v3(void *device, struct nvml_pci *out);
ASSAY_EXPORT int nvmlDeviceGetMigMode(void *device, unsigned *now, unsigned *later);
ASSAY_EXPORT int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *mj);
ASSAY_EXPORT int nvmlDeviceGetPowerUsage(void *device, unsigned *mw);
ASSAY_EXPORT int nvmlDeviceGetMemoryInfo(void *device, struct memory *memory);
ASSAY_EXPORT int cuInit(unsigned flags);
ASSAY_EXPORT int cuDeviceGet(int *device, int number);
ASSAY_EXPORT int cuDeviceGetPCIBusId(char *out, int length, int device);

static int is(const char *word)
{
    const char *how = getenv("FAKE_NVML");

    return how && strstr(how, word) != NULL;
}

static unsigned card_count(void)
{
    return is("two") ? 2 : 1;
}

static int is_card(const void *device)
{
    return device == &cards[0] || (device == &cards[1] && is("two"));
}

int nvmlInit_v2(void)
{
    return is("broken") ? 9 : 0;
}

int nvmlShutdown(void)
{
    return 0;
}

int nvmlDeviceGetCount_v2(unsigned *count)
{
    *count = card_count();
    return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device)
{
    *device = (void *)(size_t)&cards[index < 2 ? index : 0];
    return index < card_count() ? 0 : NOT_FOUND;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *bus_id, void **device)
{
    for (unsigned i = 0; i < card_count(); i++)
        if (!strcmp(cards[i].bus_id, bus_id))
            return nvmlDeviceGetHandleByIndex_v2(i, device);
    return NOT_FOUND;
}

static int text(const void *device, const char *what, char *out, unsigned length)
{
    return is_card(device) && snprintf(out, length, "%s", what) < (int)length ? 0 : 2;
}

int nvmlDeviceGetUUID(void *device, char *out, unsigned length)
{
    return text(device, ((const struct card *)device)->uuid, out, length);
}

int nvmlDeviceGetName(void *device, char *out, unsigned length)
{
    return text(device, ((const struct card *)device)->name, out, length);
}

int nvmlDeviceGetPciInfo_v3(void *device, struct nvml_pci *out)
{
    memset(out, 0, sizeof(*out));
    return text(device, ((const struct card *)device)->bus_id, out->bus_id, sizeof(out->bus_id));
}

int nvmlDeviceGetMigMode(void *device, unsigned *now, unsigned *later)
{
    *now = *later = is_card(device) && is("mig");
    return 0;
}

/* As if it had been running since the machine was started. */
int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *mj)
{
    const struct card *card = device;
    struct timespec t;
    double seconds;

    clock_gettime(CLOCK_MONOTONIC, &t);
    seconds = (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
    if (is("stuck") || is("back"))
        seconds = is("stuck") ? 7 : 1e9 - seconds;
    *mj = is_card(card) ? (unsigned long long)(seconds * card->watts * 1e3) : 0;
    return is("refused") ? NO_PERMISSION : is("no-counter") ? NOT_SUPPORTED : 0;
}

int nvmlDeviceGetPowerUsage(void *device, unsigned *mw)
{
    *mw = is_card(device) ? ((const struct card *)device)->watts * 1000 : 0;
    return is("refused") ? NO_PERMISSION : is("no-power") ? NOT_SUPPORTED : 0;
}

int nvmlDeviceGetMemoryInfo(void *device, struct memory *memory)
{
    bool small = is("small") && device == &cards[0];

    *memory = small ? (struct memory){4000000000u, 3900000000u, 100000000u}
                    : (struct memory){80000000000u, 79000000000u, 1000000000u};
    return is_card(device) ? 0 : 2;
}

/* ---- CUDA's driver library ---- */

int cuInit(unsigned flags)
{
    return flags || is("no-cuda") ? 100 : 0;
}

int cuDeviceGet(int *device, int number)
{
    *device = number;
    return number >= 0 && number < (int)card_count() ? 0 : 101;
}

/* The fastest first. */
int cuDeviceGetPCIBusId(char *out, int length, int device)
{
    unsigned n = card_count() - 1 - (unsigned)device;

    return text(&cards[n], cards[n].bus_id, out, (unsigned)length);
}

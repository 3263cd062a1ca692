/* A card of NVIDIA's, by the driver's management library (NVML), which comes with the driver and is
 * loaded at run time.
 *
 * One thread uses it at a time. */
#ifndef RECORD_NVML_H
#define RECORD_NVML_H

#include <stdbool.h>

#include "assay/types.h"

#define NVML_TEXT 96 /* NVML_DEVICE_UUID_V2_BUFFER_SIZE, and of the name */

/* nvmlReturn_t; 0: it was done */
#define NVML_NO_PERMISSION 4

struct nvml_pci { /* nvmlPciInfo_t */
    char bus_id_legacy[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char bus_id[32];
};

struct nvml_memory { /* nvmlMemory_t; bytes */
    unsigned long long total, free, used;
};

/* The library's functions return an nvmlReturn_t. */
struct nvml {
    void *library, *device;
    const char *how; /* the card was found */
    int (*init)(void);
    int (*shutdown)(void);
    int (*count)(unsigned *n);
    int (*by_index)(unsigned index, void **device);
    int (*by_bus_id)(const char *bus_id, void **device);
    int (*uuid)(void *device, char *out, unsigned length);
    int (*name)(void *device, char *out, unsigned length);
    int (*pci)(void *device, struct nvml_pci *out);
    /* NULL in an old driver: */
    int (*memory)(void *device, struct nvml_memory *out);
    int (*energy)(void *device, unsigned long long *millijoules);
    int (*power)(void *device, unsigned *milliwatts);
    int (*mig)(void *device, unsigned *current, unsigned *after_reboot);
};

/* Finds the card of "cuda" or "cuda:N".  library and cuda: files of NVML and CUDA's driver, NULL:
 * the installed ones.  Fails when it is not there, or cannot be told from others.  Closed by
 * nvml_close. */
int nvml_open(struct nvml *n, const char *device, const char *library, const char *cuda,
              struct assay_err *err);
/* Whether it is a slice (MIG) of a card. */
bool nvml_sliced(const struct nvml *n);
void nvml_close(struct nvml *n);

#endif

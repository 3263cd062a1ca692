/* An NVIDIA card, found and asked; see nvml.h.  What is used of NVML, and of CUDA's driver library,
 * is declared here after their public reference.
 *
 * Which card is cuda:1?  NVML numbers cards by their place on the bus; CUDA puts the fastest first,
 * and CUDA_VISIBLE_DEVICES chooses and orders.  CUDA's own library, which the engine has loaded,
 * tells the bus address, which is exact.  Without it the variables are read, and where they leave
 * room for two answers none is given. */
#include "record/nvml.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assay/cuda.h"

/* ---- the library ---- */

/* function: where the pointer to it goes; NULL when there is none. */
static bool find_symbol(void *library, const char *name, void *function)
{
    void *found = dlsym(library, name);

    memcpy(function, &found, sizeof(found));
    return found != NULL;
}

/* false: it lacks something that every driver of the last ten years has. */
static bool find_symbols(struct nvml *n)
{
    const struct {
        const char *name;
        void *function;
        bool old; /* every driver has it */
    } symbols[] = {{"nvmlInit_v2", &n->init, true},
                   {"nvmlShutdown", &n->shutdown, true},
                   {"nvmlDeviceGetCount_v2", &n->count, true},
                   {"nvmlDeviceGetHandleByIndex_v2", &n->by_index, true},
                   {"nvmlDeviceGetHandleByPciBusId_v2", &n->by_bus_id, true},
                   {"nvmlDeviceGetUUID", &n->uuid, true},
                   {"nvmlDeviceGetName", &n->name, true},
                   {"nvmlDeviceGetPciInfo_v3", &n->pci, true},
                   {"nvmlDeviceGetMemoryInfo", &n->memory, false},
                   {"nvmlDeviceGetTotalEnergyConsumption", &n->energy, false},
                   {"nvmlDeviceGetPowerUsage", &n->power, false},
                   {"nvmlDeviceGetMigMode", &n->mig, false}};
    bool all = true;

    for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++)
        if (!find_symbol(n->library, symbols[i].name, symbols[i].function) && symbols[i].old)
            all = false;
    return all;
}

/* ---- which card ---- */

/* The bus address of CUDA's device; false: CUDA's library is not there, or has no such device.  It
 * stays loaded: the engine uses it too, and it has threads. */
static bool cuda_bus_id(const char *library, int number, char out[32])
{
    void *cuda = dlopen(library ? library : ASSAY_CUDA_DRIVER, RTLD_NOW | RTLD_LOCAL);
    int (*init)(unsigned), (*get)(int *, int), (*bus_id)(char *, int, int), device = 0;

    return cuda && find_symbol(cuda, "cuInit", &init) && find_symbol(cuda, "cuDeviceGet", &get) &&
           find_symbol(cuda, "cuDeviceGetPCIBusId", &bus_id) && !init(0) && !get(&device, number) &&
           !bus_id(out, 32, device);
}

/* A card whose UUID begins so, as CUDA_VISIBLE_DEVICES may shorten it. */
static bool find_uuid(struct nvml *n, unsigned count, const char *begin)
{
    char uuid[NVML_TEXT];
    unsigned found = 0;
    void *device;

    for (unsigned i = 0; i < count; i++)
        if (!n->by_index(i, &device) && !n->uuid(device, uuid, sizeof(uuid)) &&
            !strncmp(uuid, begin, strlen(begin))) {
            n->device = device;
            found++;
        }
    return found == 1;
}

/* The word of CUDA_VISIBLE_DEVICES that stands for the device; without that variable its number. */
static bool visible_word(int number, char out[NVML_TEXT])
{
    const char *at = getenv("CUDA_VISIBLE_DEVICES");

    snprintf(out, NVML_TEXT, "%d", number);
    if (!at || !*at)
        return true;
    while (number-- > 0) {
        at += strcspn(at, ",");
        if (!*at++)
            return false;
    }
    snprintf(out, NVML_TEXT, "%.*s", (int)strcspn(at, ","), at);
    return *out != 0;
}

/* By the variables alone. */
static int find_by_variables(struct nvml *n, int number, const char *device, struct assay_err *err)
{
    const char *order = getenv("CUDA_DEVICE_ORDER");
    char word[NVML_TEXT], *end;
    unsigned count = 0;
    long index;

    if (n->count(&count) || !count)
        return assay_fail(err, ASSAY_EFAIL, "NVML shows no card");
    if (!visible_word(number, word))
        return assay_fail(err, ASSAY_EFAIL, "CUDA_VISIBLE_DEVICES has no card for %.20s", device);
    if (!strncmp(word, "GPU-", 4))
        return find_uuid(n, count, word)
                   ? ASSAY_OK
                   : assay_fail(err, ASSAY_EFAIL,
                                "no one card has the UUID %.60s of CUDA_VISIBLE_DEVICES", word);
    index = strtol(word, &end, 10);
    if (*end || end == word || index < 0 || index >= (long)count ||
        n->by_index((unsigned)index, &n->device))
        return assay_fail(err, ASSAY_EFAIL, "NVML shows no card '%.40s'", word);
    if (count > 1 && (!order || strcmp(order, "PCI_BUS_ID")))
        return assay_fail(err, ASSAY_EFAIL,
                          "which of %u cards is %.20s cannot be told without CUDA's library "
                          "(CUDA_DEVICE_ORDER=PCI_BUS_ID makes it clear)",
                          count, device);
    return ASSAY_OK;
}

static int find_card(struct nvml *n, const char *cuda, const char *device, struct assay_err *err)
{
    int number = assay_cuda_number(device);
    char bus_id[32];

    n->how = "by CUDA's variables";
    if (!cuda_bus_id(cuda, number, bus_id))
        return find_by_variables(n, number, device, err);
    n->how = "by its bus address";
    return n->by_bus_id(bus_id, &n->device)
               ? assay_fail(err, ASSAY_EFAIL, "NVML shows no card at %s, where CUDA has %.20s",
                            bus_id, device)
               : ASSAY_OK;
}

int nvml_open(struct nvml *n, const char *device, const char *library, const char *cuda,
              struct assay_err *err)
{
    int rc;

    memset(n, 0, sizeof(*n));
    if (!library)
        library = "libnvidia-ml.so.1";
    n->library = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!n->library)
        return assay_fail(err, ASSAY_EFAIL,
                          "no NVML: %.100s cannot be loaded; NVIDIA's driver brings it", library);
    if (!find_symbols(n))
        rc =
            assay_fail(err, ASSAY_EFAIL, "no NVML: %.100s is too old, or no such library", library);
    else if ((rc = n->init()))
        rc = assay_fail(err, ASSAY_EFAIL, "no NVML: it does not start (NVML error %d)", rc);
    else if ((rc = find_card(n, cuda, device, err)))
        n->shutdown();
    if (rc)
        dlclose(n->library);
    return rc;
}

bool nvml_sliced(const struct nvml *n)
{
    unsigned now = 0, after_reboot;

    return n->mig && !n->mig(n->device, &now, &after_reboot) && now;
}

void nvml_close(struct nvml *n)
{
    n->shutdown();
    dlclose(n->library);
}

/* An NVIDIA card, by the driver's management library (NVML), which comes with the driver and is
 * loaded at run time; see energy_source.h.  What is used of it, and of CUDA's driver library, is
 * declared here after their public reference.
 *
 * The counter of millijoules (nvmlDeviceGetTotalEnergyConsumption, since Volta) is 64 bits wide and
 * never wraps.  A card without it tells its power, which is integrated by trapezoids over samples
 * every EVERY_POWER_S.
 *
 * Which card is cuda:1?  NVML numbers cards by their place on the bus; CUDA puts the fastest first,
 * and CUDA_VISIBLE_DEVICES chooses and orders.  CUDA's own library, which the engine has loaded,
 * tells the bus address, which is exact.  Without it the variables are read, and where they leave
 * room for two answers none is given. */
#include "record/energy_source.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define EVERY_COUNTER_S 10.0
#define EVERY_POWER_S   0.1
#define ID_LENGTH       96 /* NVML_DEVICE_UUID_V2_BUFFER_SIZE, and of the name */

/* nvmlReturn_t */
#define NVML_SUCCESS       0
#define NVML_NO_PERMISSION 4

struct nvml_pci { /* nvmlPciInfo_t */
    char bus_id_legacy[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char bus_id[32];
};

struct nvml {
    void *library, *device;
    int (*init)(void);
    int (*shutdown)(void);
    int (*count)(unsigned *n);
    int (*by_index)(unsigned index, void **device);
    int (*by_bus_id)(const char *bus_id, void **device);
    int (*uuid)(void *device, char *out, unsigned length);
    int (*name)(void *device, char *out, unsigned length);
    int (*pci)(void *device, struct nvml_pci *out);
    int (*energy)(void *device, unsigned long long *millijoules);        /* NULL: an old driver */
    int (*power)(void *device, unsigned *milliwatts);                    /* NULL: the same */
    int (*mig)(void *device, unsigned *current, unsigned *after_reboot); /* NULL: the same */
    unsigned long long last_mj;
    unsigned last_mw;
};

/* ---- looking ---- */

static bool failed(struct energy_source *s, int code)
{
    return code == NVML_NO_PERMISSION
               ? energy_refuse(s, "%s: the driver does not allow it (NVML error %d)", s->source,
                               code)
               : energy_refuse(s, "%s: cannot be read (NVML error %d)", s->source, code);
}

static bool look_counter(struct energy_source *s, double seconds)
{
    struct nvml *n = s->self;
    unsigned long long now = 0;
    int code = n->energy(n->device, &now);

    if (code)
        return failed(s, code);
    if (seconds >= 0 && now < n->last_mj)
        return energy_refuse(s, "%s: went back (was the driver loaded anew?)", s->source);
    if (seconds >= 0)
        s->joules += (double)(now - n->last_mj) * 1e-3;
    n->last_mj = now;
    return true;
}

static bool look_power(struct energy_source *s, double seconds)
{
    struct nvml *n = s->self;
    unsigned now = 0;
    int code = n->power(n->device, &now);

    if (code)
        return failed(s, code);
    if (seconds >= 0)
        s->joules += ((double)n->last_mw + now) / 2 * 1e-3 * seconds;
    n->last_mw = now;
    return true;
}

static void release(struct energy_source *s)
{
    struct nvml *n = s->self;

    n->shutdown();
    dlclose(n->library);
    free(n);
}

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
    void *cuda = dlopen(library ? library : "libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    int (*init)(unsigned), (*get)(int *, int), (*bus_id)(char *, int, int), device = 0;

    return cuda && find_symbol(cuda, "cuInit", &init) && find_symbol(cuda, "cuDeviceGet", &get) &&
           find_symbol(cuda, "cuDeviceGetPCIBusId", &bus_id) && !init(0) && !get(&device, number) &&
           !bus_id(out, 32, device);
}

/* A card whose UUID begins so, as CUDA_VISIBLE_DEVICES may shorten it. */
static bool find_uuid(struct nvml *n, unsigned count, const char *begin)
{
    char uuid[ID_LENGTH];
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
static bool visible_word(int number, char out[ID_LENGTH])
{
    const char *at = getenv("CUDA_VISIBLE_DEVICES");

    snprintf(out, ID_LENGTH, "%d", number);
    if (!at || !*at)
        return true;
    while (number-- > 0) {
        at += strcspn(at, ",");
        if (!*at++)
            return false;
    }
    snprintf(out, ID_LENGTH, "%.*s", (int)strcspn(at, ","), at);
    return *out != 0;
}

/* By the variables alone. */
static bool find_by_variables(struct nvml *n, int number, struct energy_source *s)
{
    const char *order = getenv("CUDA_DEVICE_ORDER");
    char word[ID_LENGTH], *end;
    unsigned count = 0;
    long index;

    if (n->count(&count) || !count)
        return energy_refuse(s, "NVML shows no card");
    if (!visible_word(number, word))
        return energy_refuse(s, "CUDA_VISIBLE_DEVICES has no card for %.20s", s->name);
    if (!strncmp(word, "GPU-", 4))
        return find_uuid(n, count, word) ||
               energy_refuse(s, "no one card has the UUID %.60s of CUDA_VISIBLE_DEVICES", word);
    index = strtol(word, &end, 10);
    if (*end || end == word || index < 0 || index >= (long)count ||
        n->by_index((unsigned)index, &n->device))
        return energy_refuse(s, "NVML shows no card '%.40s'", word);
    if (count > 1 && (!order || strcmp(order, "PCI_BUS_ID")))
        return energy_refuse(s,
                             "which of %u cards is %.20s cannot be told without CUDA's library "
                             "(CUDA_DEVICE_ORDER=PCI_BUS_ID makes it clear)",
                             count, s->name);
    return true;
}

static bool find_card(struct nvml *n, const char *cuda, struct energy_source *s, const char **how)
{
    int number = s->name[4] == ':' ? (int)strtol(s->name + 5, NULL, 10) : 0;
    char bus_id[32];

    *how = "by CUDA's variables";
    if (!cuda_bus_id(cuda, number, bus_id))
        return find_by_variables(n, number, s);
    *how = "by its bus address";
    return !n->by_bus_id(bus_id, &n->device) ||
           energy_refuse(s, "NVML shows no card at %s, where CUDA has %.20s", bus_id, s->name);
}

/* Counter or power, whichever the card has. */
static bool choose(struct nvml *n, struct energy_source *s, const char *how)
{
    struct nvml_pci pci = {.bus_id = "?"};
    char name[ID_LENGTH] = "?";
    unsigned slices = 0, later, power;
    unsigned long long energy;
    bool counts = n->energy && !n->energy(n->device, &energy);

    n->pci(n->device, &pci);
    n->name(n->device, name, sizeof(name));
    snprintf(s->source, sizeof(s->source), "NVML, %s of %.60s at %.31s, found %s",
             counts ? "energy counter" : "power", name, pci.bus_id, how);
    if (n->mig && !n->mig(n->device, &slices, &later) && slices)
        return energy_refuse(s, "%.20s is a slice (MIG) of a card that tells only its whole energy",
                             s->name);
    if (!counts && (!n->power || n->power(n->device, &power)))
        return energy_refuse(s, "%.60s at %.31s tells neither its energy nor its power", name,
                             pci.bus_id);
    s->every_s = counts ? EVERY_COUNTER_S : EVERY_POWER_S;
    s->look = counts ? look_counter : look_power;
    return true;
}

static bool open_card(struct nvml *n, const struct energy_ask *ask, struct energy_source *s)
{
    const char *library = ask->nvml ? ask->nvml : "libnvidia-ml.so.1", *how;
    int code;

    n->library = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!n->library)
        return energy_refuse(s, "no NVML: %.100s cannot be loaded; NVIDIA's driver brings it",
                             library);
    if (!find_symbols(n))
        return energy_refuse(s, "no NVML: %.100s is too old, or no such library", library);
    if ((code = n->init()))
        return energy_refuse(s, "no NVML: it does not start (NVML error %d)", code);
    s->close = release;
    return find_card(n, ask->cuda, s, &how) && choose(n, s, how);
}

size_t energy_nvml_open(const struct energy_ask *ask, struct energy_source *out)
{
    struct nvml *n = calloc(1, sizeof(*n));

    out->kind = ENERGY_NVML;
    snprintf(out->name, sizeof(out->name), "%.60s", ask->device);
    snprintf(out->source, sizeof(out->source), "NVML");
    out->self = n;
    if (!n)
        energy_refuse(out, "not enough memory");
    else
        open_card(n, ask, out);
    if (n && !out->close) { /* it did not start */
        if (n->library)
            dlclose(n->library);
        free(n);
    }
    return 1;
}

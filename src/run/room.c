/* Is there room for the model and the loaded samples, and on the disk for a net that is to be
 * written?  Asked before anything is loaded or written, where the benchmark says what they take
 * (DLRM's tables: up to 100 GB).
 *
 * The card's memory is asked of the driver's management library (NVML), which comes with the
 * driver, and numbers cards by their place on the bus; CUDA puts the fastest first.  So the card is
 * found by the bus address that CUDA's driver library tells, and without that by CUDA's variables
 * where they leave no room for two answers.  Else nothing is compared, nor for a slice of a card.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "assay/cuda.h"
#include "base/file.h"
#include "base/tree.h"
#include "run/child.h"

struct card_memory { /* nvmlMemory_t */
    unsigned long long total, free, used;
};

typedef int nvml_call(void);
typedef int nvml_handle(unsigned index, void **device);
typedef int nvml_bus_id(const char *bus_id, void **device);
typedef int nvml_count(unsigned *count);
typedef int nvml_mig(void *device, unsigned *now, unsigned *later);
typedef int nvml_memory(void *device, struct card_memory *memory);

/* The driver's number of cuda:N; -1: not known. */
static long card_number(const char *device)
{
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    long at = strtol(device + strlen("cuda:"), NULL, 10), i;
    char *end;

    for (i = 0; visible && *visible; i++, visible = end + 1) {
        long number = strtol(visible, &end, 10);

        if (end == visible || (*end && *end != ',') || number < 0)
            return -1;
        if (i == at)
            return number;
        if (!*end)
            return -1;
    }
    return at;
}

static bool find_by_variables(void *library, const char *device, void **handle)
{
    nvml_handle *find = (nvml_handle *)dlsym(library, "nvmlDeviceGetHandleByIndex_v2");
    nvml_count *count = (nvml_count *)dlsym(library, "nvmlDeviceGetCount_v2");
    const char *order = getenv("CUDA_DEVICE_ORDER");
    long number = card_number(device);
    unsigned n;

    return find && count && number >= 0 && count(&n) == 0 &&
           (n == 1 || (order && strcmp(order, "PCI_BUS_ID") == 0)) &&
           find((unsigned)number, handle) == 0;
}

static bool find_card(void *library, const char *device, void **handle)
{
    nvml_bus_id *by_bus_id = (nvml_bus_id *)dlsym(library, "nvmlDeviceGetHandleByPciBusId_v2");
    nvml_mig *mig = (nvml_mig *)dlsym(library, "nvmlDeviceGetMigMode");
    unsigned sliced = 0, later;
    char bus_id[32];

    if (!(by_bus_id && assay_cuda_bus_id(assay_cuda_number(device), bus_id)
              ? by_bus_id(bus_id, handle) == 0
              : find_by_variables(library, device, handle)))
        return false;
    return !mig || mig(*handle, &sliced, &later) || !sliced;
}

static bool card_memory(const char *device, struct card_memory *memory)
{
    void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL), *handle;
    nvml_call *init = library ? (nvml_call *)dlsym(library, "nvmlInit_v2") : NULL;
    nvml_call *end = library ? (nvml_call *)dlsym(library, "nvmlShutdown") : NULL;
    nvml_memory *ask = library ? (nvml_memory *)dlsym(library, "nvmlDeviceGetMemoryInfo") : NULL;
    bool known = false;

    if (init && end && ask && init() == 0) {
        known = find_card(library, device, &handle) && ask(handle, memory) == 0;
        end();
    }
    if (library)
        dlclose(library);
    return known;
}

static const char *smaller(const struct child *c)
{
    return json_object_get(c->r.manifest.tree, "sizes") ? " (--sizes)" : "";
}

static int check_card(const struct child *c, double model, struct assay_err *err)
{
    const char *device = c->r.s.device;
    struct card_memory memory;

    if (strncmp(device, "cuda:", 5) != 0 || !card_memory(device, &memory) ||
        model <= (double)memory.free)
        return ASSAY_OK;
    return assay_fail(
        err, ASSAY_EFAIL,
        "%s: the model takes %.1f GB, and %s has %.1f GB free of %.1f GB: use another "
        "card, --device cpu, or a model with smaller tables%s",
        c->r.benchmark->name, model * 1e-9, device, (double)memory.free * 1e-9,
        (double)memory.total * 1e-9, smaller(c));
}

/* A net's file is about as large as its numbers. */
static int check_disk(const struct child *c, double model, struct assay_err *err)
{
    struct statvfs fs;
    double have;

    if (!c->r.write_net || model < 1e9 || file_make_dirs(c->r.cache, NULL) ||
        statvfs(c->r.cache, &fs) || model <= (have = (double)fs.f_bavail * (double)fs.f_frsize))
        return ASSAY_OK;
    return assay_fail(err, ASSAY_EFAIL,
                      "%s: the net takes %.1f GB on the disk, and %s has %.1f GB free: use another "
                      "--cache, or smaller tables%s",
                      c->r.benchmark->name, model * 1e-9, c->r.cache, have * 1e-9, smaller(c));
}

int check_room(const struct child *c, struct assay_err *err)
{
    const struct assay_benchmark_desc *d = &c->bench_desc;
    double model = c->r.engine->caps & ASSAY_CAP_ANY_MODEL ? 0 : (double)d->model_bytes, samples;
    uint64_t loaded = (uint64_t)c->r.s.performance_sample_count;
    bool card = strncmp(c->r.s.device, "cuda", 4) == 0;
    double have, disk = model;
    int rc;

    if (!loaded || loaded > d->samples) /* an accuracy run has as many at a time */
        loaded = d->samples;
    samples = (double)loaded * (double)d->loaded_bytes;
    if (card && (rc = check_card(c, model, err)))
        return rc;
    if (card)
        model = 0; /* the host's part is over when it is on the card */
    if (model + samples < 1e9 || model + samples <= (have = memory_available()))
        return check_disk(c, disk, err);
    return assay_fail(err, ASSAY_EFAIL,
                      "%s: the model takes %.1f GB and %llu loaded samples %.1f GB, and %.1f GB of "
                      "memory are available: use a machine with more, a model with smaller "
                      "tables%s, or fewer samples (--count)",
                      c->r.benchmark->name, model * 1e-9, (unsigned long long)loaded,
                      samples * 1e-9, have * 1e-9, smaller(c));
}

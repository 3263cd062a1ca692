/* Is there room for the model and the loaded samples, and on the disk for a net that is to be
 * written?  Asked before anything is loaded or written, where the benchmark says what they take
 * (DLRM's tables: up to 100 GB).
 *
 * A card that cannot be told from others, or is a slice of one, is not compared with. */
#include <string.h>
#include <sys/statvfs.h>

#include "base/file.h"
#include "base/tree.h"
#include "record/nvml.h"
#include "run/child.h"

/* Free and in all; false: not known. */
static bool card_memory(const char *device, struct nvml_memory *memory)
{
    struct nvml n;
    bool known;

    if (nvml_open(&n, device, NULL, NULL, NULL))
        return false;
    known = n.memory && !nvml_sliced(&n) && n.memory(n.device, memory) == 0;
    nvml_close(&n);
    return known;
}

static const char *smaller(const struct child *c)
{
    return json_object_get(c->r.manifest.tree, "sizes") ? " (--sizes)" : "";
}

static int check_card(const struct child *c, double model, struct assay_err *err)
{
    const char *device = c->r.s.device;
    struct nvml_memory memory;

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

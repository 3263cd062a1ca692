/* The PyTorch engine: TorchScript models on libtorch.
 *
 * What the host sees: the table, the options, the probe.  What knows libtorch is the shim
 * (shim.cc), to which every hook goes on; it is loaded behind libtorch at open, so that this plugin
 * loads where there is neither. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assay/cuda.h"
#include "library.h"

enum { FREEZE, OPTIMISE, CHANNELS_LAST, TF32 };

/* clang-format off */
static const struct assay_option options[] = {
    {"freeze", ASSAY_OPTION_BOOL, "on", 0, 0, NULL, "weights become constants of the graph, which is then simplified"},
    {"optimise", ASSAY_OPTION_BOOL, "on", 0, 0, NULL, "the frozen graph is rewritten for inference: fused, weights laid out for the device; freezes too"},
    {"channels_last", ASSAY_OPTION_BOOL, "off", 0, 0, NULL, "weights and images are laid out with channels last"},
    {"tf32", ASSAY_OPTION_BOOL, "off", 0, 0, NULL, "fp32 may be computed in TF32 on CUDA, with 10 bits of the mantissa instead of 23"},
    {0}};
/* clang-format on */

static const struct assay_tunable tunables[] = {
    {"channels_last", "on off"}, {"optimise", "on off"}, {0}};

static const char *const endings[] = {".pt", ".torchscript", NULL};

struct engine {
    const struct torch_shim *shim;
    struct assay_graphs files;
    void *model;
};

static int pytorch_open(const struct assay_engine_config *c, void **self, struct assay_err *err)
{
    struct engine *s = calloc(1, sizeof(*s));
    const struct torch_ask ask = {.config = c,
                                  .files = s ? &s->files : NULL,
                                  .freeze = c->values[FREEZE].i || c->values[OPTIMISE].i,
                                  .optimise = c->values[OPTIMISE].i,
                                  .channels_last = c->values[CHANNELS_LAST].i,
                                  .tf32 = c->values[TF32].i};
    struct assay_err words = {0};
    struct library lib;
    int rc;

    if (!s)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    assay_cuda_keep_fp32(c->device, c->values[TF32].i);
    rc = library_load(c->runtime_dir, &lib, err);
    if (!rc)
        rc = library_load_shim(c->runtime_dir, &lib, &s->shim, err);
    if (!rc && strncmp(c->device, "cuda", 4) == 0 &&
        (rc = library_load_cuda(c->runtime_dir, &lib, &words)))
        assay_fail(err, rc, "device %s: %.450s", c->device, words.text);
    if (!rc)
        rc = assay_graphs_find(c, endings, &s->files, err);
    if (!rc)
        rc = s->shim->open(&ask, &s->model, err);
    if (!rc) {
        *self = s;
        return ASSAY_OK;
    }
    assay_graphs_release(&s->files);
    free(s);
    return rc;
}

static int pytorch_describe(void *self, struct assay_model_desc *desc, struct assay_err *err)
{
    const struct engine *s = self;

    return s->shim->describe(s->model, desc, err);
}

static int pytorch_lane_open(void *self, uint32_t lane, struct assay_err *err)
{
    const struct engine *s = self;

    return s->shim->lane_open(s->model, lane, err);
}

static int pytorch_submit(void *self, struct assay_batch *batch, struct assay_err *err)
{
    const struct engine *s = self;

    return s->shim->submit(s->model, batch, err);
}

static void *pytorch_alloc(void *self, size_t bytes)
{
    const struct engine *s = self;

    return s->shim->alloc(s->model, bytes);
}

static void pytorch_release(void *self, void *memory)
{
    const struct engine *s = self;

    s->shim->release(s->model, memory);
}

static void pytorch_close(void *self)
{
    struct engine *s = self;

    s->shim->close(s->model);
    assay_graphs_release(&s->files);
    free(s);
}

static int pytorch_probe(const char *runtime_dir, struct assay_engine_probe *p,
                         struct assay_err *err)
{
    const struct torch_shim *shim;
    struct assay_err words = {0};
    struct library lib;

    (void)err;
    if (library_load(runtime_dir, &lib, &words) ||
        library_load_shim(runtime_dir, &lib, &shim, &words)) {
        snprintf(p->note, sizeof(p->note), "%.*s", (int)sizeof(p->note) - 1, words.text);
        return ASSAY_OK;
    }
    snprintf(p->version, sizeof(p->version), "%s", lib.version);
    snprintf(p->library, sizeof(p->library), "%s", lib.path);
    p->device_count = 1;
    snprintf(p->devices[0], sizeof(p->devices[0]), "cpu");
    snprintf(p->device_names[0], sizeof(p->device_names[0]), "CPU");
    if (library_has_cuda(runtime_dir))
        assay_cuda_probe(p);
    return ASSAY_OK;
}

static const char *const formats[] = {"torchscript", NULL};
static const char *const precisions[] = {"fp32", "bf16", "fp16", "int8", NULL};

static const struct assay_engine table = {
    .abi_major = ASSAY_ENGINE_ABI_MAJOR,
    .abi_minor = ASSAY_ENGINE_ABI_MINOR,
    .size = sizeof(struct assay_engine),
    .name = "pytorch",
    .summary = "PyTorch (libtorch): TorchScript models on CPU and CUDA",
    .caps = ASSAY_CAP_DYNAMIC_BATCH | ASSAY_CAP_DYNAMIC_SHAPE,
    .formats = formats,
    .precisions = precisions,
    .options = options,
    .open = pytorch_open,
    .describe = pytorch_describe,
    .submit = pytorch_submit,
    .close = pytorch_close,
    .tunables = tunables,
    .probe = pytorch_probe,
    .lane_open = pytorch_lane_open,
    .alloc = pytorch_alloc,
    .release = pytorch_release,
};

const struct assay_engine *assay_engine_entry(void)
{
    return &table;
}

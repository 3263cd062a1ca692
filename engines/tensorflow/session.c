/* A session's settings: our options as a ConfigProto, which the C API takes as bytes.
 *
 * Field numbers are those of config.proto and rewriter_config.proto; the ones used stand in the
 * enums below. */
#include "session.h"

#include <stdlib.h>
#include <string.h>

#include "assay/cuda.h"

enum row { GRAPH, INTRA, INTER, ONEDNN, GPU_MEMORY, GPU_GROWTH, TF32 };

static const char *const rewrites[] = {"off", "basic", "all", NULL};
static const char *const autos[] = {"auto", "on", "off", NULL};

/* clang-format off */
const struct assay_option session_options[] = {
    {"graph_optimization", ASSAY_OPTION_CHOICE, "all", 0, 0, rewrites, "how far the graph is rewritten before it runs; basic: without Grappler"},
    {"intra_op_threads", ASSAY_OPTION_INT, "0", 0, 1024, NULL, "threads of the pool that all lanes share for the work inside a node; 0: from lanes and threads"},
    {"inter_op_threads", ASSAY_OPTION_INT, "0", 0, 1024, NULL, "threads for nodes at the same time; 0: a lane's nodes run one after another in its own thread"},
    {"onednn", ASSAY_OPTION_CHOICE, "auto", 0, 0, autos, "oneDNN's kernels on CPU; auto: as TensorFlow decides"},
    {"gpu_memory_fraction", ASSAY_OPTION_REAL, "0", 0, 1, NULL, "most of the GPU's memory that is taken, as a part of 1; 0: as TensorFlow decides"},
    {"gpu_memory_growth", ASSAY_OPTION_BOOL, "off", 0, 0, NULL, "GPU memory is taken when it is needed instead of at once"},
    {"tf32", ASSAY_OPTION_BOOL, "off", 0, 0, NULL, "fp32 may be computed in TF32 on CUDA, with 10 bits of the mantissa instead of 23"},
    {0}};
/* clang-format on */

/* What was seen to matter; each trial is a process of its own, as this is told by the environment.
 */
const struct assay_tunable session_tunables[] = {{"onednn", "on off"}, {0}};

enum {
    CONFIG_DEVICE_COUNT = 1,
    CONFIG_INTRA = 2,
    CONFIG_INTER = 5,
    CONFIG_GPU = 6,
    CONFIG_SOFT_PLACEMENT = 7,
    CONFIG_GRAPH = 10
};
enum { GPU_FRACTION = 1, GPU_ALLOW_GROWTH = 4, GPU_VISIBLE = 5 };
enum { GRAPH_OPTIMIZER = 3, GRAPH_REWRITE = 10 };
enum { OPTIMIZER_LEVEL = 3, REWRITE_DISABLE = 19 };

/* A message that is made; the largest takes some 80 bytes. */
struct bytes {
    unsigned char b[256];
    size_t n;
};

static void put_varint(struct bytes *o, uint64_t v)
{
    for (; v > 127 && o->n < sizeof(o->b) - 1; v >>= 7)
        o->b[o->n++] = (unsigned char)(v | 128);
    if (o->n < sizeof(o->b))
        o->b[o->n++] = (unsigned char)v;
}

static void put_int(struct bytes *o, unsigned field, int64_t v)
{
    put_varint(o, (uint64_t)field << 3);
    put_varint(o, (uint64_t)v);
}

static void put_data(struct bytes *o, unsigned field, const void *data, size_t n)
{
    put_varint(o, (uint64_t)field << 3 | 2);
    put_varint(o, n);
    if (n <= sizeof(o->b) - o->n) {
        memcpy(o->b + o->n, data, n);
        o->n += n;
    }
}

static void put_double(struct bytes *o, unsigned field, double v)
{
    put_varint(o, (uint64_t)field << 3 | 1);
    if (sizeof(v) <= sizeof(o->b) - o->n) {
        memcpy(o->b + o->n, &v, sizeof(v));
        o->n += sizeof(v);
    }
}

void session_environment(const struct assay_engine_config *c)
{
    if (c->values[ONEDNN].i)
        setenv("TF_ENABLE_ONEDNN_OPTS", c->values[ONEDNN].i == 1 ? "1" : "0", 1);
    assay_cuda_keep_fp32(c->device, c->values[TF32].i);
}

/* A pool of one means that a node is not split, and then a lane is its own thread exactly.  From
 * two on the lane's thread waits while the pool works, so it counts for nothing. */
static int64_t intra_threads(const struct assay_engine_config *c)
{
    int64_t asked = c->values[INTRA].i;

    return asked ? asked : c->threads == 1 ? 1 : (int64_t)c->lanes * c->threads;
}

static void put_graph_options(struct bytes *config, const struct assay_value *v)
{
    struct bytes optimizer = {0}, rewrite = {0}, graph = {0};

    if (v[GRAPH].i == 0)
        put_int(&optimizer, OPTIMIZER_LEVEL, -1);
    if (v[GRAPH].i < 2)
        put_int(&rewrite, REWRITE_DISABLE, 1);
    put_data(&graph, GRAPH_OPTIMIZER, optimizer.b, optimizer.n);
    put_data(&graph, GRAPH_REWRITE, rewrite.b, rewrite.n);
    put_data(config, CONFIG_GRAPH, graph.b, graph.n);
}

/* number NULL: no GPU is used, nor its memory taken. */
static void put_device(struct bytes *config, const struct assay_value *v, const char *number)
{
    struct bytes part = {0};

    if (!number) {
        put_data(&part, 1, "GPU", 3);
        put_int(&part, 2, 0);
        put_data(config, CONFIG_DEVICE_COUNT, part.b, part.n);
        return;
    }
    if (v[GPU_MEMORY].f > 0)
        put_double(&part, GPU_FRACTION, v[GPU_MEMORY].f);
    if (v[GPU_GROWTH].i)
        put_int(&part, GPU_ALLOW_GROWTH, 1);
    put_data(&part, GPU_VISIBLE, number, strlen(number));
    put_data(config, CONFIG_GPU, part.b, part.n);
}

#define CUDA_MAJOR 12 /* of the library that is fetched */

/* What TensorFlow opens by these names when it first looks for GPUs, and what that needs. */
static const char *const cuda_libraries[] = {
    "libcudart.so.12",   "libcublasLt.so.12",   "libcublas.so.12",
    "libcufft.so.11",    "libcurand.so.10",     "libnvJitLink.so.12",
    "libcusparse.so.12", "libcusolver.so.11",   "libnvrtc-builtins.so.12*",
    "libnvrtc.so.12",    "libcudnn_graph.so.9", "libcudnn.so.9",
    "libcupti.so.12",    "libnccl.so.2",        NULL};

static int open_cuda(const struct library *lib, const struct assay_engine_config *c,
                     struct assay_err *err)
{
    struct assay_err words;
    int rc = assay_cuda_driver(assay_cuda_here(c->runtime_dir) ? CUDA_MAJOR : 0, &words);

    if (!rc)
        rc = assay_cuda_open(c->runtime_dir, cuda_libraries, &words);
    if (lib->set_tf32)
        lib->set_tf32(c->values[TF32].i != 0);
    return rc ? assay_fail(err, rc, "device %s: %.450s", c->device, words.text) : ASSAY_OK;
}

/* *number: what stands behind "cuda:", NULL for the CPU. */
static int parse_device(const struct library *lib, const char *device, const char **number,
                        struct assay_err *err)
{
    *number = NULL;
    if (strcmp(device, "cpu") == 0)
        return ASSAY_OK;
    if (strcmp(device, "cuda") != 0 && strncmp(device, "cuda:", 5) != 0)
        return assay_fail(err, ASSAY_EUNSUPPORTED, "device '%s': has cpu and cuda:N", device);
    if (!library_has_gpu(lib))
        return assay_fail(
            err, ASSAY_EUNSUPPORTED,
            "device %s: %.200s (version %s) is built for CPUs only; `assay engines install "
            "tensorflow --device cuda` gets one that is not",
            device, lib->path, lib->version);
    *number = device[4] ? device + 5 : "0";
    return ASSAY_OK;
}

int session_make_options(const struct library *lib, const struct assay_engine_config *c,
                         TF_SessionOptions **out, struct assay_err *err)
{
    struct bytes config = {0};
    TF_Status *status;
    const char *number;
    int rc = parse_device(lib, c->device, &number, err);

    if (!rc && number)
        rc = open_cuda(lib, c, err);
    if (rc)
        return rc;
    put_device(&config, c->values, number);
    put_int(&config, CONFIG_INTRA, intra_threads(c));
    put_int(&config, CONFIG_INTER, c->values[INTER].i ? c->values[INTER].i : -1);
    put_int(&config, CONFIG_SOFT_PLACEMENT, 1);
    put_graph_options(&config, c->values);
    *out = lib->TF_NewSessionOptions();
    status = lib->TF_NewStatus();
    lib->TF_SetConfig(*out, config.b, config.n, status);
    if (lib->TF_GetCode(status) != TF_OK)
        rc = library_error(lib, status, "session options", err);
    lib->TF_DeleteStatus(status);
    return rc;
}

/* TensorFlow says only that it finds no GPU. */
static int no_gpu(const struct library *lib, const char *device, struct assay_err *err)
{
    const char *missing = assay_cuda_missing(cuda_libraries);

    if (missing)
        return assay_fail(err, ASSAY_EUNSUPPORTED,
                          "device %s: TensorFlow %s finds no such GPU: %s is missing", device,
                          lib->version, missing);
    return assay_fail(err, ASSAY_EUNSUPPORTED,
                      "device %s: TensorFlow %s finds no such GPU, though the driver and CUDA's "
                      "libraries are there (TF_CPP_MIN_LOG_LEVEL=0 has it say why)",
                      device, lib->version);
}

int session_check_device(const struct library *lib, TF_Session *session, const char *device,
                         TF_Status *status, struct assay_err *err)
{
    TF_DeviceList *devices;
    bool found = strcmp(device, "cpu") == 0;

    if (found)
        return ASSAY_OK;
    devices = lib->TF_SessionListDevices(session, status);
    if (lib->TF_GetCode(status) != TF_OK)
        return library_error(lib, status, device, err);
    for (int i = 0; i < lib->TF_DeviceListCount(devices) && !found; i++) {
        const char *type = lib->TF_DeviceListType(devices, i, status);

        found = type && strcmp(type, "GPU") == 0;
    }
    lib->TF_DeleteDeviceList(devices);
    return found ? ASSAY_OK : no_gpu(lib, device, err);
}

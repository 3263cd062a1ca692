/* The OpenVINO engine.
 *
 * A model is a graph, or, where it is a folder, several (assay/graphs.h); what follows holds for
 * each.
 *
 * One compiled model, and so one copy of the weights, serves all lanes: it gets a stream for each
 * lane and lanes x threads compute threads, and each lane has a request of its own, run
 * synchronously: several asynchronous requests a lane were measured and gain nothing (README.md).
 *
 * A batch dimension that is a number lets OpenVINO plan memory and kernels once, so there are up to
 * two forms of a model: one for batches of exactly max_batch samples, one for any number.  With
 * max_batch 1 there is only the first; where the host still looks for its batch, the first is made
 * when it has found it.
 *
 * Data: inputs are tensors over the host's memory, outputs are the request's own, handed to the
 * host as they lie.  Nothing is copied here. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "assay/engine.h"
#include "assay/graphs.h"
#include "library.h"
#include "model.h"

enum row { HINT, STREAMS, THREADS, PINNING, PRECISION, BATCH_SHAPE };

static const char *const hints[] = {"auto", "latency", "throughput", NULL};
static const char *const autos[] = {"auto", "on", "off", NULL};
static const char *const hint_precisions[] = {"asked", "f32", "bf16", NULL};
static const char *const shapes[] = {"both", "free", NULL};

/* clang-format off */
static const struct assay_option options[] = {
    {"performance_hint", ASSAY_OPTION_CHOICE, "auto", 0, 0, hints, "what OpenVINO tunes for; auto: latency with one lane, else throughput"},
    {"num_streams", ASSAY_OPTION_INT, "0", 0, 1024, NULL, "inferences at the same time; 0: one for each lane"},
    {"inference_num_threads", ASSAY_OPTION_INT, "0", 0, 4096, NULL, "compute threads of all lanes together; 0: lanes x threads"},
    {"pinning", ASSAY_OPTION_CHOICE, "auto", 0, 0, autos, "compute threads stay on their processors; auto: OpenVINO decides"},
    {"inference_precision", ASSAY_OPTION_CHOICE, "asked", 0, 0, hint_precisions, "arithmetic of layers that are not quantised; asked: what --precision says, f32 where it says nothing"},
    {"batch_shape", ASSAY_OPTION_CHOICE, "both", 0, 0, shapes, "both: full batches by a form of the model of their own, at the price of a second copy of the weights"},
    {0}};
/* clang-format on */

static const struct assay_tunable tunables[] = {
    {"pinning", "on off"}, {"batch_shape", "both free"}, {0}};

enum { FULL, ANY, FORMS }; /* max_batch samples; any number */

struct form {
    ov_compiled_model_t *compiled; /* NULL: there is no such form */
    ov_infer_request_t **request;  /* of each lane */
};

struct graph {
    struct form form[FORMS];
    uint32_t full; /* samples of the form FULL */
    struct model model;
    const char *precision;
    bool quantised;
};

struct engine {
    struct library lib;
    ov_core_t *core;
    struct assay_engine_config config;
    uint32_t lanes;
    struct assay_graphs files;
    struct graph *graphs; /* of each file */
    struct assay_graph_desc *descs;
    char device[32];
};

static void form_release(struct engine *s, struct form *f)
{
    for (uint32_t i = 0; f->request && i < s->lanes; i++)
        if (f->request[i])
            s->lib.ov_infer_request_free(f->request[i]);
    free(f->request);
    if (f->compiled)
        s->lib.ov_compiled_model_free(f->compiled);
    *f = (struct form){0};
}

static void openvino_close(void *self)
{
    struct engine *s = self;

    for (uint32_t k = 0; s->graphs && k < s->files.count; k++) {
        for (int i = 0; i < FORMS; i++)
            form_release(s, &s->graphs[k].form[i]);
        model_release(&s->graphs[k].model);
    }
    free(s->graphs);
    free(s->descs);
    assay_graphs_release(&s->files);
    if (s->core)
        s->lib.ov_core_free(s->core);
    free(s);
}

/* ---- what is asked for ---- */

/* "cpu" -> "CPU", "gpu:1" -> "GPU.1"; a device that is not there is an error with those that are.
 */
static int find_device(struct engine *s, const struct assay_engine_config *c, char name[32],
                       struct assay_err *err)
{
    const char *number = strchr(c->device, ':');
    size_t word = strcspn(c->device, ":");
    char has[160], padded[200], wanted[40];

    snprintf(s->device, sizeof(s->device), "%s", c->device);
    library_devices(&s->lib, s->core, has, sizeof(has));
    if (strncmp(c->device, "cuda", 4) == 0)
        return assay_fail(err, ASSAY_EUNSUPPORTED,
                          "device %s: OpenVINO %s has no CUDA, it computes on %s", c->device,
                          s->lib.version, has);
    snprintf(name, 32, "%.*s%s%s", (int)word, c->device, number ? "." : "",
             number ? number + 1 : "");
    for (size_t i = 0; i < word && i < 31; i++)
        name[i] = (char)(name[i] - ('a' <= name[i] && name[i] <= 'z' ? 'a' - 'A' : 0));
    snprintf(padded, sizeof(padded), ", %s,", has);
    snprintf(wanted, sizeof(wanted), ", %s,", name);
    if (!strstr(padded, wanted))
        return assay_fail(err, ASSAY_EUNSUPPORTED,
                          "device %s: OpenVINO %s (%.200s) finds %s; a device's plugin and "
                          "driver must be there",
                          c->device, s->lib.version, s->lib.path, has[0] ? has : "none");
    return ASSAY_OK;
}

static const char *wanted_precision(const struct assay_engine_config *c)
{
    if (c->values[PRECISION].i)
        return hint_precisions[c->values[PRECISION].i];
    return c->precision && strcmp(c->precision, "bf16") == 0 ? "bf16" : "f32";
}

#define PROPERTIES 6

/* Compiles the model as its shapes are now. */
static ov_status_e compile(struct engine *s, const struct assay_engine_config *c,
                           const char *device, const ov_model_t *model, bool profiled,
                           ov_compiled_model_t **out)
{
    static const char *const names[] = {NULL, "LATENCY", "THROUGHPUT"};
    const struct assay_value *v = c->values;
    const char *p[2 * PROPERTIES] = {NULL}, *hint = names[v[HINT].i];
    char streams[16], threads[16];
    size_t n = 0;

    snprintf(streams, sizeof(streams), "%u", v[STREAMS].i ? (uint32_t)v[STREAMS].i : c->lanes);
    snprintf(threads, sizeof(threads), "%u",
             v[THREADS].i ? (uint32_t)v[THREADS].i : c->lanes * c->threads);
    p[n++] = "PERFORMANCE_HINT";
    p[n++] = hint ? hint : c->lanes > 1 ? "THROUGHPUT" : "LATENCY";
    p[n++] = "INFERENCE_PRECISION_HINT";
    p[n++] = wanted_precision(c);
    if (strcmp(device, "CPU") == 0) {
        p[n++] = "NUM_STREAMS";
        p[n++] = streams;
        p[n++] = "INFERENCE_NUM_THREADS";
        p[n++] = threads;
    }
    if (v[PINNING].i) {
        p[n++] = "ENABLE_CPU_PINNING";
        p[n++] = v[PINNING].i == 1 ? "YES" : "NO";
    }
    if (profiled) {
        p[n++] = "PERF_COUNT";
        p[n++] = "YES";
    }
    /* The call reads the first n of what follows. */
    return s->lib.ov_core_compile_model(s->core, model, device, n, out, p[0], p[1], p[2], p[3],
                                        p[4], p[5], p[6], p[7], p[8], p[9], p[10], p[11]);
}

/* ---- forms ---- */

/* What a free dimension behind the batch is for a sample of zeros: a length, mostly. */
#define FREE_DIM 32

/* Makes the free batch dimension of every input a number, and those behind it where there are. */
static ov_status_e set_batch(struct engine *s, const struct graph *of, const ov_model_t *model,
                             uint32_t samples)
{
    const struct assay_graph_desc *g = &of->model.graph;
    ov_partial_shape_t shape[MODEL_TENSORS] = {{{0, 0}, NULL}};
    size_t index[MODEL_TENSORS] = {0};
    ov_status_e st = OK;
    uint32_t made = 0;

    for (; made < g->input_count && st == OK; made++) {
        const struct assay_tensor_spec *in = &g->inputs[made];
        ov_dimension_t dims[ASSAY_MAX_RANK];

        for (uint32_t d = 0; d < in->rank; d++)
            dims[d].min = dims[d].max = in->dims[d] >= 0 ? in->dims[d] : d ? FREE_DIM : samples;
        index[made] = made;
        st = s->lib.ov_partial_shape_create(in->rank, dims, &shape[made]);
    }
    if (st == OK)
        st = s->lib.ov_model_reshape_by_port_indexes(model, index, shape, g->input_count);
    for (uint32_t i = 0; i < made; i++)
        s->lib.ov_partial_shape_free(&shape[i]);
    return st;
}

static int make_form(struct engine *s, struct graph *g, const struct assay_engine_config *c,
                     const char *device, const ov_model_t *model, int which, struct assay_err *err)
{
    struct form *f = &g->form[which];
    char prefix[192];
    ov_status_e st = OK;

    if (which == FULL && g->model.max_batch != 1)
        st = set_batch(s, g, model, g->full);
    if (st == OK)
        st = compile(s, c, device, model, false, &f->compiled);
    f->request = calloc(c->lanes, sizeof(ov_infer_request_t *));
    if (!f->request)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    for (uint32_t i = 0; i < c->lanes && st == OK; i++)
        st = s->lib.ov_compiled_model_create_infer_request(f->compiled, &f->request[i]);
    snprintf(prefix, sizeof(prefix), "model %.160s", c->model_path);
    return st == OK ? ASSAY_OK : library_error(&s->lib, st, prefix, err);
}

static int make_forms(struct engine *s, struct graph *g, const struct assay_engine_config *c,
                      const char *device, const ov_model_t *model, struct assay_err *err)
{
    bool one = c->max_batch == 1 || g->model.max_batch == 1, numbers = g->model.only_batch_free;
    int rc = ASSAY_OK;

    g->full = one ? 1 : c->max_batch;
    /* ANY first: it is the model as it was read, before its batch becomes a number. */
    if (!one || !numbers)
        rc = make_form(s, g, c, device, model, ANY, err);
    if (!rc && numbers && (one || (c->values[BATCH_SHAPE].i == 0 && !c->settles)))
        rc = make_form(s, g, c, device, model, FULL, err);
    return rc;
}

/* ---- precision ---- */

static bool is_int8(const char *exec_type)
{
    size_t n = exec_type ? strlen(exec_type) : 0;

    return n > 3 && (!strcmp(exec_type + n - 3, "_I8") || !strcmp(exec_type + n - 3, "_U8"));
}

/* Zeros, which are valid numbers of a vocabulary too. */
static ov_status_e zero_inputs(const struct library *lib, ov_infer_request_t *request,
                               uint32_t count)
{
    ov_status_e st = OK;

    for (uint32_t i = 0; i < count && st == OK; i++) {
        ov_tensor_t *tensor = NULL;
        void *data = NULL;
        size_t bytes = 0;

        st = lib->ov_infer_request_get_input_tensor_by_index(request, i, &tensor);
        if (st == OK)
            st = lib->ov_tensor_get_byte_size(tensor, &bytes);
        if (st == OK)
            st = lib->ov_tensor_data(tensor, &data);
        if (st == OK)
            memset(data, 0, bytes);
        if (tensor)
            lib->ov_tensor_free(tensor);
    }
    return st;
}

/* Runs one sample of zeros with profiling on and looks for a layer that computes whose kernel is an
 * 8-bit one: a quantised graph says what could be done, this what is done on this machine. */
static bool runs_in_int8(struct engine *s, const struct graph *g,
                         const struct assay_engine_config *c, const char *device,
                         const ov_model_t *model)
{
    static const char *const heavy[] = {"Convolution", "FullyConnected", "MatMul", NULL};
    const struct library *lib = &s->lib;
    ov_compiled_model_t *compiled = NULL;
    ov_infer_request_t *request = NULL;
    ov_profiling_info_list_t list = {NULL, 0};
    bool found = false;

    if (set_batch(s, g, model, 1) == OK && compile(s, c, device, model, true, &compiled) == OK &&
        lib->ov_compiled_model_create_infer_request(compiled, &request) == OK &&
        zero_inputs(lib, request, g->model.graph.input_count) == OK &&
        lib->ov_infer_request_infer(request) == OK &&
        lib->ov_infer_request_get_profiling_info(request, &list) == OK) {
        for (size_t i = 0; i < list.size; i++)
            for (const char *const *h = heavy; *h; h++)
                found |= strstr(list.profiling_infos[i].node_type, *h) != NULL &&
                         is_int8(list.profiling_infos[i].exec_type);
        lib->ov_profiling_info_list_free(&list);
    }
    if (request)
        lib->ov_infer_request_free(request);
    if (compiled)
        lib->ov_compiled_model_free(compiled);
    return found;
}

/* The precision that the compiled model has in force, by our names.  The model may change its
 * shapes here: its forms have been made. */
static int read_precision(struct engine *s, struct graph *g, const struct assay_engine_config *c,
                          const char *device, const ov_model_t *model, struct assay_err *err)
{
    const ov_compiled_model_t *compiled = g->form[g->form[FULL].compiled ? FULL : ANY].compiled;
    char *value = NULL;
    ov_status_e st =
        s->lib.ov_compiled_model_get_property(compiled, "INFERENCE_PRECISION_HINT", &value);
    if (st != OK)
        return library_error(&s->lib, st, "INFERENCE_PRECISION_HINT", err);
    g->precision = strcmp(value, "bf16") == 0  ? "bf16"
                   : strcmp(value, "f16") == 0 ? "fp16"
                                               : "fp32";
    s->lib.ov_free(value);
    g->quantised = model_has_int8(c->model_path, c->format);
    if (g->quantised && runs_in_int8(s, g, c, device, model))
        g->precision = "int8";
    return ASSAY_OK;
}

/* ---- life ---- */

static int load_model(struct engine *s, const struct assay_engine_config *c, ov_model_t **model,
                      struct assay_err *err)
{
    const char *format = model_format(c->model_path);
    char prefix[192];
    struct stat file;
    ov_status_e st;

    /* OpenVINO would read it all the same, and the record would name the wrong format. */
    if (format && strcmp(format, c->format))
        return assay_fail(err, ASSAY_EFAIL, "model %.200s cannot be read as %s: it is %s",
                          c->model_path, c->format, format);
    st = s->lib.ov_core_read_model(s->core, c->model_path, NULL, model);
    if (st == OK)
        return ASSAY_OK;
    snprintf(prefix, sizeof(prefix), "model %.110s (%lld bytes) cannot be read as %.20s",
             c->model_path, stat(c->model_path, &file) ? 0LL : (long long)file.st_size, c->format);
    return library_error(&s->lib, st, prefix, err);
}

static int open_graph(struct engine *s, uint32_t i, const struct assay_engine_config *c,
                      const char *device, struct assay_err *err)
{
    struct assay_engine_config own = assay_graphs_config(c, &s->files, i);
    struct graph *g = &s->graphs[i];
    ov_model_t *model = NULL;
    int rc = load_model(s, &own, &model, err);

    if (!rc)
        rc = model_read(&g->model, &s->lib, model, s->files.name[i], &own, err);
    if (!rc)
        rc = make_forms(s, g, &own, device, model, err);
    if (!rc)
        rc = read_precision(s, g, &own, device, model, err);
    if (model)
        s->lib.ov_model_free(model);
    s->descs[i] = g->model.graph;
    return rc ? assay_graphs_fail(&s->files, i, rc, err) : ASSAY_OK;
}

/* All forms anew: beside that for any number, which has run, that for whole batches would be one
 * more copy of the weights. */
static int settle_graph(struct engine *s, uint32_t i, uint32_t samples, const char *device,
                        struct assay_err *err)
{
    struct assay_engine_config own = assay_graphs_config(&s->config, &s->files, i);
    struct graph *g = &s->graphs[i];
    ov_model_t *model = NULL;
    int rc;

    if (g->form[FULL].compiled || !g->model.only_batch_free || own.values[BATCH_SHAPE].i != 0)
        return ASSAY_OK;
    form_release(s, &g->form[ANY]);
    own.max_batch = samples;
    own.settles = 0;
    rc = load_model(s, &own, &model, err);
    if (!rc)
        rc = make_forms(s, g, &own, device, model, err);
    if (model)
        s->lib.ov_model_free(model);
    return rc ? assay_graphs_fail(&s->files, i, rc, err) : ASSAY_OK;
}

static int openvino_settle(void *self, uint32_t samples, struct assay_err *err)
{
    struct engine *s = self;
    char device[32];
    int rc = find_device(s, &s->config, device, err);

    for (uint32_t i = 0; i < s->files.count && !rc; i++)
        rc = settle_graph(s, i, samples, device, err);
    return rc;
}

/* A SavedModel is one graph, whose folder OpenVINO reads. */
static bool is_saved_model(const char *path)
{
    char file[4200];

    snprintf(file, sizeof(file), "%s/saved_model.pb", path);
    return access(file, F_OK) == 0;
}

static int open_graphs(struct engine *s, const struct assay_engine_config *c, const char *device,
                       struct assay_err *err)
{
    static const char *const onnx[] = {".onnx", NULL}, *const ir[] = {".xml", NULL},
                             *const graph_def[] = {".pb", ".tensorflow", NULL};
    const char *const *endings = strcmp(c->format, "onnx") == 0       ? onnx
                                 : strcmp(c->format, "openvino") == 0 ? ir
                                                                      : graph_def;
    int rc = is_saved_model(c->model_path) ? assay_graphs_add(&s->files, NULL, c->model_path, err)
                                           : assay_graphs_find(c, endings, &s->files, err);
    bool quantised = false;

    if (rc)
        return rc;
    s->graphs = calloc(s->files.count, sizeof(*s->graphs));
    s->descs = calloc(s->files.count, sizeof(*s->descs));
    if (!s->graphs || !s->descs)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    for (uint32_t i = 0; i < s->files.count && !rc; i++) {
        rc = open_graph(s, i, c, device, err);
        quantised |= s->graphs[i].quantised;
    }
    if (!rc && c->precision && strcmp(c->precision, "int8") == 0 && !quantised)
        rc = assay_fail(err, ASSAY_EUNSUPPORTED,
                        "model %.200s is not quantised, so it cannot run in int8; "
                        "`assay quantize` makes a model that can",
                        c->model_path);
    return rc;
}

static int open_all(struct engine *s, const struct assay_engine_config *c, struct assay_err *err)
{
    ov_status_e st;
    char device[32];
    int rc = library_load(c->runtime_dir, &s->lib, err);

    if (rc)
        return rc;
    if ((st = s->lib.ov_core_create(&s->core)) != OK)
        return library_error(&s->lib, st, "OpenVINO", err);
    rc = find_device(s, c, device, err);
    return rc ? rc : open_graphs(s, c, device, err);
}

static int openvino_open(const struct assay_engine_config *c, void **self, struct assay_err *err)
{
    struct engine *s = calloc(1, sizeof(*s));
    int rc;

    if (!s)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    s->config = *c;
    s->lanes = c->lanes;
    rc = open_all(s, c, err);
    if (rc)
        openvino_close(s);
    else
        *self = s;
    return rc;
}

static int openvino_describe(void *self, struct assay_model_desc *desc, struct assay_err *err)
{
    const struct engine *s = self;

    (void)err;
    desc->graph_count = s->files.count;
    desc->graphs = s->descs;
    desc->max_batch = 0;
    desc->precision = NULL;
    for (uint32_t i = 0; i < s->files.count; i++)
        assay_graphs_join(desc, s->graphs[i].model.max_batch, s->graphs[i].precision);
    desc->device = s->device;
    return ASSAY_OK;
}

/* ---- inference ---- */

static ov_status_e set_input(const struct library *lib, ov_infer_request_t *request, uint32_t i,
                             const struct assay_tensor *t)
{
    ov_shape_t shape = {t->rank, (int64_t *)(uintptr_t)t->dims}; /* read, not changed */
    ov_tensor_t *tensor = NULL;
    ov_status_e st =
        lib->ov_tensor_create_from_host_ptr(model_ov_type(t->dtype), shape, t->data, &tensor);

    if (st == OK)
        st = lib->ov_infer_request_set_input_tensor_by_index(request, i, tensor);
    if (tensor)
        lib->ov_tensor_free(tensor);
    return st;
}

/* Points one of the batch's outputs at the request's own memory. */
static ov_status_e view_output(const struct library *lib, const ov_tensor_t *tensor,
                               struct assay_tensor *t)
{
    ov_shape_t shape = {0, NULL};
    ov_element_type_e type = DYNAMIC;
    ov_status_e st = lib->ov_tensor_get_shape(tensor, &shape);

    if (st != OK)
        return st;
    if (shape.rank > ASSAY_MAX_RANK)
        st = OUT_OF_BOUNDS;
    for (int64_t d = 0; d < shape.rank && st == OK; d++)
        t->dims[d] = shape.dims[d];
    t->rank = (uint32_t)shape.rank;
    lib->ov_shape_free(&shape);
    if (st == OK)
        st = lib->ov_tensor_get_element_type(tensor, &type);
    if (st == OK)
        st = lib->ov_tensor_get_byte_size(tensor, &t->bytes);
    if (st == OK)
        st = lib->ov_tensor_data(tensor, &t->data);
    t->dtype = model_dtype(type);
    return st;
}

static int openvino_submit(void *self, struct assay_batch *b, struct assay_err *err)
{
    struct engine *s = self;
    const struct library *lib = &s->lib;
    const struct graph *of = &s->graphs[b->graph]; /* the host has checked the number */
    const struct assay_graph_desc *g = &of->model.graph;
    bool full = of->form[FULL].compiled && (b->samples == of->full || !of->form[ANY].compiled);
    ov_infer_request_t *request = of->form[full ? FULL : ANY].request[b->lane];
    ov_tensor_t *out[MODEL_TENSORS] = {NULL};
    ov_status_e st = OK;
    int rc = ASSAY_OK;

    if (b->input_count != g->input_count || b->output_count != g->output_count)
        return assay_fail(err, ASSAY_EFAIL,
                          "a batch of %u inputs and %u outputs, the model has %u and %u",
                          b->input_count, b->output_count, g->input_count, g->output_count);
    for (uint32_t i = 0; i < g->input_count && st == OK; i++)
        st = set_input(lib, request, i, &b->inputs[i]);
    if (st == OK)
        st = lib->ov_infer_request_infer(request);
    for (uint32_t o = 0; o < g->output_count && st == OK; o++) {
        st = lib->ov_infer_request_get_output_tensor_by_index(request, o, &out[o]);
        if (st == OK)
            st = view_output(lib, out[o], &b->outputs[o]);
    }
    if (st != OK)
        rc = library_error(lib, st, "inference", err);
    else
        b->done(b, ASSAY_OK, NULL);
    /* From here on b is the host's. */
    for (uint32_t o = 0; o < g->output_count; o++)
        if (out[o])
            lib->ov_tensor_free(out[o]);
    return rc;
}

/* ---- probe ---- */

/* "CPU" and "GPU.1" as --device takes them. */
static void add_device(const struct library *lib, const ov_core_t *core, const char *name,
                       struct assay_engine_probe *p)
{
    char *device = p->devices[p->device_count], *full = NULL;

    if (p->device_count >= ASSAY_PROBE_DEVICES)
        return;
    snprintf(device, sizeof(p->devices[0]), "%s", name);
    for (; *device; device++)
        *device = (char)(*device == '.' ? ':' : *device + ('A' <= *device && *device <= 'Z') * 32);
    if (lib->ov_core_get_property(core, name, "FULL_DEVICE_NAME", &full) == OK) {
        snprintf(p->device_names[p->device_count], sizeof(p->device_names[0]), "%s", full);
        lib->ov_free(full);
    }
    p->device_count++;
}

static int openvino_probe(const char *runtime_dir, struct assay_engine_probe *p,
                          struct assay_err *err)
{
    ov_available_devices_t found = {0};
    ov_core_t *core = NULL;
    struct assay_err words;
    struct library lib;

    (void)err;
    if (library_load(runtime_dir, &lib, &words)) {
        snprintf(p->note, sizeof(p->note), "%.*s", (int)sizeof(p->note) - 1, words.text);
        return ASSAY_OK;
    }
    snprintf(p->version, sizeof(p->version), "%s", lib.version);
    snprintf(p->library, sizeof(p->library), "%s", lib.path);
    if (lib.ov_core_create(&core) != OK || lib.ov_core_get_available_devices(core, &found) != OK ||
        !found.size)
        snprintf(p->note, sizeof(p->note),
                 "OpenVINO finds no device: libopenvino_intel_cpu_plugin.so should lie beside "
                 "libopenvino; `make engine-openvino` puts it there");
    for (size_t i = 0; i < found.size; i++)
        add_device(&lib, core, found.devices[i], p);
    if (found.size)
        lib.ov_available_devices_free(&found);
    if (core)
        lib.ov_core_free(core);
    return ASSAY_OK;
}

static const char *const formats[] = {"onnx", "openvino", "tensorflow", NULL};
static const char *const precisions[] = {"fp32", "bf16", "int8", NULL};

static const struct assay_engine table = {
    .abi_major = ASSAY_ENGINE_ABI_MAJOR,
    .abi_minor = ASSAY_ENGINE_ABI_MINOR,
    .size = sizeof(struct assay_engine),
    .name = "openvino",
    .summary = "OpenVINO: ONNX, TensorFlow and OpenVINO models on CPU",
    .caps = ASSAY_CAP_DYNAMIC_BATCH | ASSAY_CAP_DYNAMIC_SHAPE,
    .formats = formats,
    .precisions = precisions,
    .options = options,
    .open = openvino_open,
    .describe = openvino_describe,
    .submit = openvino_submit,
    .close = openvino_close,
    .tunables = tunables,
    .probe = openvino_probe,
    .settle = openvino_settle,
};

const struct assay_engine *assay_engine_entry(void)
{
    return &table;
}

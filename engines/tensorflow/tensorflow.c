/* The TensorFlow engine.
 *
 * Sessions: one for all lanes, with one copy of the weights; a model that is a folder of several
 * graphs (assay/graphs.h) has one for each.  A lane's nodes run in the thread that
 * calls submit (see inter_op_threads), and the work inside a node in one pool that the lanes share;
 * with one thread a lane nothing is handed to it, and a lane is its own thread exactly.
 *
 * Data: inputs are tensors over the host's memory (TensorFlow copies those that are not aligned to
 * 64 bytes; pinned, where they go to a GPU), outputs are what TensorFlow allocated, handed to the
 * host as they lie and deleted when done has returned.
 *
 * Every function that calls TensorFlow does so inside guard_call. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "assay/cuda.h"
#include "assay/engine.h"
#include "assay/graphs.h"
#include "guard.h"
#include "library.h"
#include "model.h"
#include "session.h"

#define FORMAT_FOLDER "savedmodel"
#define FOLDER_FILE   "saved_model.pb"

struct graph {
    TF_Graph *graph;
    TF_Session *session;
    struct model model;
};

struct engine {
    struct library lib;
    struct assay_graphs files;
    struct graph *graphs; /* of each file */
    struct assay_graph_desc *descs;
    TF_Status **status; /* of each lane */
    uint32_t lanes;
    char device[32];
    bool tf32; /* what fp32 is */
};

/* ---- inference ---- */

/* TensorFlow itself holds a fed tensor against nothing: kernels may or may not object. */
static int check_input(const struct assay_tensor_spec *spec, const struct assay_tensor *t,
                       struct assay_err *err)
{
    if (t->dtype != spec->dtype || t->rank != spec->rank)
        return assay_fail(err, ASSAY_EFAIL,
                          "input '%.100s' is %s with %u dimensions, the model takes %s with %u",
                          spec->name, assay_dtype_name(t->dtype), t->rank,
                          assay_dtype_name(spec->dtype), spec->rank);
    for (uint32_t i = 0; i < t->rank; i++)
        if (spec->dims[i] >= 0 && t->dims[i] != spec->dims[i])
            return assay_fail(err, ASSAY_EFAIL,
                              "input '%.100s' is %lld in dimension %u, the model takes %lld",
                              spec->name, (long long)t->dims[i], i, (long long)spec->dims[i]);
    return ASSAY_OK;
}

/* The memory is the host's. */
static void keep(void *data, size_t bytes, void *arg)
{
    (void)data;
    (void)bytes;
    (void)arg;
}

static int make_inputs(const struct engine *s, const struct model *m, const struct assay_batch *b,
                       TF_Tensor **in, struct assay_err *err)
{
    for (uint32_t i = 0; i < b->input_count; i++) {
        const struct assay_tensor *t = &b->inputs[i];
        int rc = check_input(&m->inputs[i], t, err);

        if (rc)
            return rc;
        in[i] = s->lib.TF_NewTensor(model_tf_type(t->dtype), t->dims, (int)t->rank, t->data,
                                    t->bytes, keep, NULL);
        if (!in[i])
            return assay_fail(err, ASSAY_EFAIL, "input '%.100s': %zu bytes do not fit its shape",
                              m->inputs[i].name, t->bytes);
    }
    return ASSAY_OK;
}

/* Points one of the batch's outputs at what TensorFlow allocated. */
static int view_output(const struct engine *s, const TF_Tensor *value, struct assay_tensor *t,
                       const char *name, struct assay_err *err)
{
    const struct library *lib = &s->lib;
    int rank = lib->TF_NumDims(value);

    if (rank > ASSAY_MAX_RANK)
        return assay_fail(err, ASSAY_EFAIL, "output '%.100s' has %d dimensions, %d are supported",
                          name, rank, ASSAY_MAX_RANK);
    t->dtype = model_dtype(lib->TF_TensorType(value));
    t->rank = (uint32_t)rank;
    for (int i = 0; i < rank; i++)
        t->dims[i] = lib->TF_Dim(value, i);
    t->data = lib->TF_TensorData(value);
    t->bytes = lib->TF_TensorByteSize(value);
    return ASSAY_OK;
}

struct inference {
    struct engine *s;
    struct graph *g;
    struct assay_batch *b;
    TF_Tensor *in[MODEL_TENSORS], *out[MODEL_TENSORS];
};

static int do_run(void *ctx, struct assay_err *err)
{
    struct inference *r = ctx;
    struct assay_batch *b = r->b;
    struct model *m = &r->g->model;
    const struct library *lib = &r->s->lib;
    TF_Status *status = r->s->status[b->lane];
    int rc = make_inputs(r->s, m, b, r->in, err);

    if (rc)
        return rc;
    lib->TF_SessionRun(r->g->session, NULL, m->feeds, r->in, (int)b->input_count, m->fetches,
                       r->out, (int)b->output_count, NULL, 0, NULL, status);
    if (lib->TF_GetCode(status) != TF_OK)
        return library_error(lib, status, "inference", err);
    for (uint32_t o = 0; o < b->output_count && !rc; o++)
        rc = view_output(r->s, r->out[o], &b->outputs[o], m->outputs[o].name, err);
    return rc;
}

static int do_release(void *ctx, struct assay_err *err)
{
    struct inference *r = ctx;

    (void)err;
    for (uint32_t i = 0; i < r->g->model.graph.output_count; i++)
        if (r->out[i])
            r->s->lib.TF_DeleteTensor(r->out[i]);
    for (uint32_t i = 0; i < r->g->model.graph.input_count; i++)
        if (r->in[i])
            r->s->lib.TF_DeleteTensor(r->in[i]);
    return ASSAY_OK;
}

/* ---- open and close ---- */

static void close_graph(const struct library *lib, struct graph *g)
{
    TF_Status *status;

    if (g->session) {
        status = lib->TF_NewStatus();
        lib->TF_CloseSession(g->session, status);
        lib->TF_DeleteSession(g->session, status);
        lib->TF_DeleteStatus(status);
    }
    if (g->graph)
        lib->TF_DeleteGraph(g->graph);
    model_release(&g->model);
}

static int do_close(void *ctx, struct assay_err *err)
{
    struct engine *s = ctx;

    (void)err;
    for (uint32_t i = 0; s->graphs && i < s->files.count; i++)
        close_graph(&s->lib, &s->graphs[i]);
    for (uint32_t i = 0; s->status && i < s->lanes; i++)
        if (s->status[i])
            s->lib.TF_DeleteStatus(s->status[i]);
    return ASSAY_OK;
}

static void tensorflow_close(void *self)
{
    struct engine *s = self;

    guard_call(do_close, s, NULL);
    free(s->graphs);
    free(s->descs);
    assay_graphs_release(&s->files);
    free(s->status);
    free(s);
}

/* A whole file in memory that is not copied. */
static int map_file(const char *path, TF_Buffer *out, struct assay_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    void *data = MAP_FAILED;
    bool empty = fd >= 0 && fstat(fd, &st) == 0 && st.st_size == 0;

    if (fd >= 0 && !empty)
        data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (fd >= 0)
        close(fd);
    if (data == MAP_FAILED)
        return assay_fail(err, ASSAY_EFAIL, "model %.200s: %s", path,
                          empty ? "is empty" : "cannot be read");
    *out = (TF_Buffer){data, (size_t)st.st_size, NULL};
    return ASSAY_OK;
}

/* Why a graph was not imported: file, length and version where TensorFlow's own words leave them
 * out. */
static int bad_graph(const struct engine *s, const char *path, size_t bytes,
                     const TF_Status *status, struct assay_err *err)
{
    static const char no_op[] = "Op type not registered '";
    const char *words = s->lib.TF_Message(status), *op = strstr(words, no_op);
    char prefix[260];

    if (strstr(words, "Invalid GraphDef"))
        return assay_fail(err, ASSAY_EFAIL, "model %.200s (%zu bytes) is cut off or no GraphDef%s",
                          path, bytes,
                          strstr(path, FOLDER_FILE) ? ": a SavedModel is given by its folder" : "");
    if (op) {
        op += sizeof(no_op) - 1;
        return assay_fail(err, ASSAY_EFAIL, "model %.200s: TensorFlow %s has no operator '%.*s'",
                          path, s->lib.version, (int)strcspn(op, "'"), op);
    }
    snprintf(prefix, sizeof(prefix), "model %.200s", path);
    return library_error(&s->lib, status, prefix, err);
}

static int import_graph(const struct engine *s, TF_Graph *graph, const char *path,
                        TF_Status *status, struct assay_err *err)
{
    TF_ImportGraphDefOptions *options;
    TF_Buffer file;
    int rc = map_file(path, &file, err);

    if (rc)
        return rc;
    options = s->lib.TF_NewImportGraphDefOptions();
    s->lib.TF_GraphImportGraphDef(graph, &file, options, status);
    s->lib.TF_DeleteImportGraphDefOptions(options);
    munmap((void *)file.data, file.length);
    return s->lib.TF_GetCode(status) == TF_OK ? ASSAY_OK
                                              : bad_graph(s, path, file.length, status, err);
}

/* What opening a model works with. */
struct opening {
    struct engine *s;
    const struct assay_engine_config *c;
    TF_SessionOptions *options;
    bool saved; /* a SavedModel */
};

static int open_file(const struct opening *o, struct graph *g, const struct assay_engine_config *c,
                     const char *name, struct assay_err *err)
{
    const struct library *lib = &o->s->lib;
    TF_Status *status = o->s->status[0];
    int rc = import_graph(o->s, g->graph, c->model_path, status, err);

    if (rc)
        return rc;
    g->session = lib->TF_NewSession(g->graph, o->options, status);
    if (lib->TF_GetCode(status) != TF_OK)
        return library_error(lib, status, "session", err);
    rc = session_check_device(lib, g->session, c->device, status, err);
    return rc ? rc : model_read(&g->model, lib, g->graph, name, NULL, c, err);
}

static int open_saved(const struct opening *o, struct graph *g, const struct assay_engine_config *c,
                      const char *name, struct assay_err *err)
{
    static const char *const tags[] = {"serve"};
    const struct library *lib = &o->s->lib;
    TF_Status *status = o->s->status[0];
    TF_Buffer *meta = lib->TF_NewBuffer();
    struct signature *signature = malloc(sizeof(*signature));
    char prefix[260];
    int rc = ASSAY_OK;

    snprintf(prefix, sizeof(prefix), "model %.200s", c->model_path);
    g->session = lib->TF_LoadSessionFromSavedModel(o->options, NULL, c->model_path, tags, 1,
                                                   g->graph, meta, status);
    if (!signature)
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    else if (lib->TF_GetCode(status) != TF_OK)
        rc = library_error(lib, status, prefix, err);
    if (!rc)
        rc = session_check_device(lib, g->session, c->device, status, err);
    if (!rc)
        rc = signature_read(meta->data, meta->length, signature, err);
    if (!rc)
        rc = model_read(&g->model, lib, g->graph, name, signature, c, err);
    lib->TF_DeleteBuffer(meta);
    free(signature);
    return rc;
}

/* The model's files, by what is there: a format that the file's kind does not fit is named. */
static int find_files(struct opening *o, struct assay_err *err)
{
    static const char *const endings[] = {".pb", ".tensorflow", NULL};
    const struct assay_engine_config *c = o->c;
    bool asked = c->format && strcmp(c->format, FORMAT_FOLDER) == 0;
    struct stat st;
    char file[4200];

    if (stat(c->model_path, &st))
        return assay_fail(err, ASSAY_EFAIL, "model %.200s: cannot be read", c->model_path);
    if (!S_ISDIR(st.st_mode) && asked)
        return assay_fail(err, ASSAY_EUSAGE,
                          "model %.200s: is a file; a SavedModel is given by its folder",
                          c->model_path);
    snprintf(file, sizeof(file), "%s/" FOLDER_FILE, c->model_path);
    o->saved = access(file, R_OK) == 0;
    if (o->saved)
        return assay_graphs_add(&o->s->files, NULL, c->model_path, err);
    if (asked)
        return assay_fail(err, ASSAY_EUSAGE,
                          "model %.200s: is no SavedModel: no " FOLDER_FILE " in it",
                          c->model_path);
    return assay_graphs_find(c, endings, &o->s->files, err);
}

/* TensorFlow prepares a graph for its inputs and outputs when they are first asked for, which takes
 * seconds: here, and not in the first batch.  What cannot be run is found as well. */
static int first_run(struct engine *s, struct graph *of, struct assay_err *err)
{
    const struct assay_graph_desc *g = &of->model.graph;
    struct assay_tensor in[MODEL_TENSORS] = {0}, out[MODEL_TENSORS];
    struct assay_batch b = {.samples = 1,
                            .input_count = g->input_count,
                            .output_count = g->output_count,
                            .inputs = in,
                            .outputs = out};
    struct inference run = {.s = s, .g = of, .b = &b};
    bool known = true;
    int rc = ASSAY_OK;

    for (uint32_t i = 0; i < g->input_count && !rc; i++) {
        in[i].dtype = g->inputs[i].dtype;
        in[i].rank = g->inputs[i].rank;
        in[i].bytes = assay_dtype_size(in[i].dtype);
        for (uint32_t d = 0; d < in[i].rank; d++) {
            in[i].dims[d] = d ? g->inputs[i].dims[d] : 1;
            known &= in[i].dims[d] >= 0;
            in[i].bytes *= (size_t)(known ? in[i].dims[d] : 0);
        }
        if (!(in[i].data = calloc(1, in[i].bytes + 1)))
            rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    }
    if (!rc && known)
        rc = do_run(&run, err);
    do_release(&run, NULL);
    for (uint32_t i = 0; i < g->input_count; i++)
        free(in[i].data);
    return rc;
}

static int open_graph(const struct opening *o, uint32_t i, struct assay_err *err)
{
    struct engine *s = o->s;
    struct graph *g = &s->graphs[i];
    const struct assay_engine_config own = assay_graphs_config(o->c, &s->files, i);
    int rc;

    g->graph = s->lib.TF_NewGraph();
    rc = (o->saved ? open_saved : open_file)(o, g, &own, s->files.name[i], err);
    s->descs[i] = g->model.graph;
    if (!rc)
        rc = first_run(s, g, err);
    return rc ? assay_graphs_fail(&s->files, i, rc, err) : ASSAY_OK;
}

static int open_graphs(struct opening *o, struct assay_err *err)
{
    struct engine *s = o->s;
    int rc = find_files(o, err);

    if (rc)
        return rc;
    s->graphs = calloc(s->files.count, sizeof(*s->graphs));
    s->descs = calloc(s->files.count, sizeof(*s->descs));
    if (!s->graphs || !s->descs)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    for (uint32_t i = 0; i < s->lanes; i++)
        s->status[i] = s->lib.TF_NewStatus();
    for (uint32_t i = 0; i < s->files.count && !rc; i++)
        rc = open_graph(o, i, err);
    return rc;
}

static int do_open(void *ctx, struct assay_err *err)
{
    struct opening *o = ctx;
    struct library *lib = &o->s->lib;
    int rc = library_load(o->c->runtime_dir, lib, err);

    if (!rc)
        rc = session_make_options(lib, o->c, &o->options, err);
    if (!rc)
        rc = open_graphs(o, err);
    o->s->tf32 = !rc && strcmp(o->c->device, "cpu") != 0 && assay_cuda_tf32(o->c->device);
    if (o->options)
        lib->TF_DeleteSessionOptions(o->options);
    return rc;
}

static int tensorflow_open(const struct assay_engine_config *c, void **self, struct assay_err *err)
{
    struct engine *s = calloc(1, sizeof(*s));
    struct opening opening = {.s = s, .c = c};
    int rc;

    if (!s || !(s->status = calloc(c->lanes, sizeof(TF_Status *)))) {
        free(s);
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    }
    s->lanes = c->lanes;
    snprintf(s->device, sizeof(s->device), "%s", c->device);
    session_environment(c);
    rc = guard_call(do_open, &opening, err);
    if (rc)
        tensorflow_close(s);
    else
        *self = s;
    return rc;
}

static int tensorflow_describe(void *self, struct assay_model_desc *desc, struct assay_err *err)
{
    const struct engine *s = self;

    (void)err;
    desc->graph_count = s->files.count;
    desc->graphs = s->descs;
    desc->max_batch = 0;
    desc->precision = NULL;
    for (uint32_t i = 0; i < s->files.count; i++)
        assay_graphs_join(desc, s->graphs[i].model.max_batch, s->graphs[i].model.precision);
    if (s->tf32 && desc->precision && strcmp(desc->precision, "fp32") == 0)
        desc->precision = "tf32";
    desc->device = s->device;
    return ASSAY_OK;
}

/* ---- batches ---- */

static int tensorflow_submit(void *self, struct assay_batch *b, struct assay_err *err)
{
    struct engine *s = self;
    const struct assay_graph_desc *g = &s->descs[b->graph]; /* the host has checked the number */
    struct inference run = {.s = s, .g = &s->graphs[b->graph], .b = b};
    int rc;

    if (b->input_count != g->input_count || b->output_count != g->output_count)
        return assay_fail(err, ASSAY_EFAIL,
                          "a batch of %u inputs and %u outputs, the model has %u and %u",
                          b->input_count, b->output_count, g->input_count, g->output_count);
    rc = guard_call(do_run, &run, err);
    if (!rc)
        b->done(b, ASSAY_OK, NULL);
    /* From here on b is the host's. */
    guard_call(do_release, &run, NULL);
    return rc;
}

static void *tensorflow_alloc(void *self, size_t bytes)
{
    return assay_cuda_alloc(((const struct engine *)self)->device, bytes);
}

static void tensorflow_release(void *self, void *memory)
{
    assay_cuda_release(((const struct engine *)self)->device, memory);
}

/* ---- probe ---- */

struct probing {
    const char *runtime_dir;
    struct assay_engine_probe *p;
};

/* Asks for no session: on a GPU that would take its memory. */
static int do_probe(void *ctx, struct assay_err *err)
{
    struct assay_engine_probe *p = ((struct probing *)ctx)->p;
    struct library lib;
    int rc = library_load(((struct probing *)ctx)->runtime_dir, &lib, err);

    if (rc)
        return rc;
    snprintf(p->version, sizeof(p->version), "%s", lib.version);
    snprintf(p->library, sizeof(p->library), "%s", lib.path);
    p->device_count = 1;
    snprintf(p->devices[0], sizeof(p->devices[0]), "cpu");
    snprintf(p->device_names[0], sizeof(p->device_names[0]), "CPU");
    if (library_has_gpu(&lib))
        assay_cuda_probe(p);
    return ASSAY_OK;
}

static int tensorflow_probe(const char *runtime_dir, struct assay_engine_probe *p,
                            struct assay_err *err)
{
    struct probing probing = {runtime_dir, p};
    struct assay_err words;

    (void)err;
    if (guard_call(do_probe, &probing, &words))
        snprintf(p->note, sizeof(p->note), "%.*s", (int)sizeof(p->note) - 1, words.text);
    return ASSAY_OK;
}

static const char *const formats[] = {"tensorflow", FORMAT_FOLDER, NULL};
static const char *const precisions[] = {"fp32", "fp16", "bf16", "int8", NULL};

static const struct assay_engine table = {
    .abi_major = ASSAY_ENGINE_ABI_MAJOR,
    .abi_minor = ASSAY_ENGINE_ABI_MINOR,
    .size = sizeof(struct assay_engine),
    .name = "tensorflow",
    .summary = "TensorFlow: frozen graphs and SavedModels on CPU and CUDA",
    .caps = ASSAY_CAP_DYNAMIC_BATCH | ASSAY_CAP_DYNAMIC_SHAPE,
    .formats = formats,
    .precisions = precisions,
    .options = session_options,
    .tunables = session_tunables,
    .open = tensorflow_open,
    .describe = tensorflow_describe,
    .submit = tensorflow_submit,
    .close = tensorflow_close,
    .probe = tensorflow_probe,
    .alloc = tensorflow_alloc,
    .release = tensorflow_release,
};

const struct assay_engine *assay_engine_entry(void)
{
    return &table;
}

/* A loop straight on TensorFlow's C API: what the engine gives without a harness.  How it is
 * called: bare.h; --model is a frozen graph with one placeholder, and --spin says nothing here. All
 * lanes share a session, nodes run in the lane's own thread, and the pool behind them is as large
 * as the engine's. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tensorflow/c/c_api.h>

#include "bare.h"
#include "functions.h"

#define MAX_OUTPUTS 8

static struct tensorflow {
#define MEMBER(name) __typeof__(name) *(name);
    TENSORFLOW_FUNCTIONS(MEMBER)
#undef MEMBER
    TF_Graph *graph;
    TF_Session *session;
    TF_Output input, outputs[MAX_OUTPUTS];
    int output_count, rank;
    int64_t shape[8];
    size_t sample_floats;
} self;

static void must(const struct tensorflow *b, TF_Status *status)
{
    if (b->TF_GetCode(status) != TF_OK)
        bare_die("%s", b->TF_Message(status));
}

static void load(struct tensorflow *b, const char *path)
{
    void *library = dlopen(path, RTLD_LAZY | RTLD_LOCAL), *symbol;

    if (!library)
        bare_die("%s", dlerror());
#define TAKE(name)                                                                                 \
    if (!(symbol = dlsym(library, #name)))                                                         \
        bare_die("%s has no %s", path, #name);                                                     \
    memcpy(&b->name, &symbol, sizeof(symbol));
    TENSORFLOW_FUNCTIONS(TAKE)
#undef TAKE
}

static TF_Buffer read_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    TF_Buffer out = {NULL, 0, NULL};
    void *data;
    long n;

    if (!f || fseek(f, 0, SEEK_END) || (n = ftell(f)) < 0 || fseek(f, 0, SEEK_SET) ||
        !(data = malloc((size_t)n + 1)) || fread(data, 1, (size_t)n, f) != (size_t)n)
        bare_die("%s cannot be read", path);
    fclose(f);
    out.data = data;
    out.length = (size_t)n;
    return out;
}

/* A ConfigProto: field 2 is the pool's size, field 5 = -1 has nodes run in the caller's thread;
 * in graph_options (10), rewrite_options (10), disable_meta_optimizer is 19. */
static void open_session(struct tensorflow *b, const struct bare_options *o)
{
    unsigned char config[] = {2 << 3, 0,           5 << 3, 0xff, 0xff, 0xff, 0xff,
                              0xff,   0xff,        0xff,   0xff, 0xff, 0x01, 10 << 3 | 2,
                              5,      10 << 3 | 2, 3,      0x98, 0x01, 0};
    TF_ImportGraphDefOptions *import = b->TF_NewImportGraphDefOptions();
    TF_SessionOptions *options = b->TF_NewSessionOptions();
    TF_Status *status = b->TF_NewStatus();
    TF_Buffer file = read_file(o->model);
    long pool = o->threads == 1 ? 1 : o->lanes * o->threads;

    if (pool > 127)
        bare_die("%ld lanes of %ld threads are too many", o->lanes, o->threads);
    config[1] = (unsigned char)pool;
    config[sizeof(config) - 1] = o->optimise < 3;
    b->graph = b->TF_NewGraph();
    b->TF_GraphImportGraphDef(b->graph, &file, import, status);
    must(b, status);
    b->TF_SetConfig(options, config, sizeof(config), status);
    must(b, status);
    b->session = b->TF_NewSession(b->graph, options, status);
    must(b, status);
    free((void *)file.data);
    b->TF_DeleteImportGraphDefOptions(import);
    b->TF_DeleteSessionOptions(options);
    b->TF_DeleteStatus(status);
}

/* The placeholder, and what nobody reads. */
static void read_graph(struct tensorflow *b, const char *model)
{
    TF_Status *status = b->TF_NewStatus();
    TF_Operation *op;
    size_t at = 0;

    while ((op = b->TF_GraphNextOperation(b->graph, &at))) {
        if (!strcmp(b->TF_OperationOpType(op), "Placeholder"))
            b->input.oper = op;
        else if (b->TF_OperationNumOutputs(op) == 1 && b->output_count < MAX_OUTPUTS &&
                 !b->TF_OperationOutputNumConsumers((TF_Output){op, 0}))
            b->outputs[b->output_count++].oper = op;
    }
    if (!b->input.oper || !b->output_count)
        bare_die("%s: no placeholder or no output", model);
    b->rank = b->TF_GraphGetTensorNumDims(b->graph, b->input, status);
    must(b, status);
    if (b->rank < 1 || b->rank > 8)
        bare_die("%s: an input of %d dimensions", model, b->rank);
    b->TF_GraphGetTensorShape(b->graph, b->input, b->shape, b->rank, status);
    must(b, status);
    b->sample_floats = 1;
    for (int i = 1; i < b->rank; i++)
        b->sample_floats *= (size_t)b->shape[i];
    b->TF_DeleteStatus(status);
}

static size_t tensorflow_open(const struct bare_options *o)
{
    setenv("TF_CPP_MIN_LOG_LEVEL", "1", 0);
    load(&self, o->library);
    open_session(&self, o);
    read_graph(&self, o->model);
    return self.sample_floats;
}

static void keep(void *data, size_t bytes, void *arg)
{
    (void)data;
    (void)bytes;
    (void)arg;
}

static void tensorflow_infer(long lane, float *at, long n)
{
    const struct tensorflow *b = &self;
    TF_Tensor *in, *out[MAX_OUTPUTS] = {NULL};
    TF_Status *status = b->TF_NewStatus();
    int64_t shape[8];

    (void)lane;
    memcpy(shape, b->shape, sizeof(shape));
    shape[0] = n;
    in = b->TF_NewTensor(TF_FLOAT, shape, b->rank, at, b->sample_floats * (size_t)n * sizeof(float),
                         keep, NULL);
    if (!in)
        bare_die("no tensor for %ld samples", n);
    b->TF_SessionRun(b->session, NULL, &b->input, &in, 1, b->outputs, out, b->output_count, NULL, 0,
                     NULL, status);
    must(b, status);
    b->TF_DeleteTensor(in);
    for (int i = 0; i < b->output_count; i++)
        b->TF_DeleteTensor(out[i]);
    b->TF_DeleteStatus(status);
}

int main(int argc, char **argv)
{
    static const struct bare_engine engine = {
        "bare_tensorflow", tensorflow_open, tensorflow_infer, NULL, NULL, NULL};

    return bare_main(&engine, argc, argv);
}

/* A loop straight on OpenVINO's C API: what the engine gives without a harness.  How it is called:
 * bare.h; and of its own
 *
 *   --precision f32|bf16   what it computes in (f32)
 *   --free 0|1             1: the batch dimension stays free instead of being the number --batch
 *
 * --library is not looked at: the C API is linked.  One compiled model with a stream for each lane
 * and lanes x threads compute threads; each lane has a synchronous request.  A last batch with
 * fewer samples is run as a whole one where the batch is a number. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openvino/c/ov_core.h>

#include "bare.h"

static struct openvino {
    const char *precision;
    bool free_batch;
    ov_compiled_model_t *compiled;
    ov_infer_request_t **requests; /* of each lane */
    int64_t shape[8];
    size_t rank, sample_floats;
    long batch;
} self = {.precision = "f32"};

static void must(ov_status_e status)
{
    if (status != OK)
        bare_die("%s", ov_get_last_err_msg());
}

/* The input's shape; the model's batch becomes a number unless it is to stay free. */
static void read_input(struct openvino *b, const char *name, ov_model_t *model)
{
    ov_output_const_port_t *port;
    ov_partial_shape_t shape;
    size_t index = 0;

    must(ov_model_const_input_by_index(model, 0, &port));
    must(ov_port_get_partial_shape(port, &shape));
    b->rank = (size_t)shape.rank.max;
    if (b->rank > 8)
        bare_die("%s: an input of %zu dimensions", name, b->rank);
    b->sample_floats = 1;
    for (size_t i = 1; i < b->rank; i++) {
        b->shape[i] = shape.dims[i].max;
        b->sample_floats *= (size_t)b->shape[i];
    }
    shape.dims[0].min = shape.dims[0].max = b->batch;
    if (!b->free_batch)
        must(ov_model_reshape_by_port_indexes(model, &index, &shape, 1));
    ov_partial_shape_free(&shape);
    ov_output_const_port_free(port);
}

static size_t openvino_open(const struct bare_options *o)
{
    struct openvino *b = &self;
    char streams[32], threads[32];
    ov_model_t *model;
    ov_core_t *core;

    b->batch = strcmp(o->scenario, "SingleStream") ? o->batch : 1;
    snprintf(streams, sizeof(streams), "%ld", o->lanes);
    snprintf(threads, sizeof(threads), "%ld", o->lanes * o->threads);
    must(ov_core_create(&core));
    must(ov_core_read_model(core, o->model, NULL, &model));
    read_input(b, o->model, model);
    must(ov_core_compile_model(core, model, "CPU", 8, &b->compiled, "PERFORMANCE_HINT",
                               o->lanes > 1 ? "THROUGHPUT" : "LATENCY", "NUM_STREAMS", streams,
                               "INFERENCE_NUM_THREADS", threads, "INFERENCE_PRECISION_HINT",
                               b->precision));
    ov_model_free(model);
    b->requests = calloc((size_t)o->lanes, sizeof(ov_infer_request_t *));
    if (!b->requests)
        bare_die("not enough memory");
    for (long i = 0; i < o->lanes; i++)
        must(ov_compiled_model_create_infer_request(b->compiled, &b->requests[i]));
    return b->sample_floats;
}

static void openvino_infer(long lane, float *at, long n)
{
    const struct openvino *b = &self;
    int64_t dims[8];
    ov_shape_t shape = {(int64_t)b->rank, dims};
    ov_tensor_t *tensor;

    memcpy(dims, b->shape, sizeof(dims));
    dims[0] = b->free_batch ? n : b->batch;
    must(ov_tensor_create_from_host_ptr(F32, shape, at, &tensor));
    must(ov_infer_request_set_input_tensor_by_index(b->requests[lane], 0, tensor));
    ov_tensor_free(tensor);
    must(ov_infer_request_infer(b->requests[lane]));
}

static bool openvino_option(const char *name, const char *value)
{
    if (!strcmp(name, "--precision"))
        self.precision = value;
    else if (!strcmp(name, "--free"))
        self.free_batch = strcmp(value, "0") != 0;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    static const struct bare_engine engine = {"bare_openvino", openvino_open, openvino_infer,
                                              openvino_option, NULL,          NULL};

    return bare_main(&engine, argc, argv);
}

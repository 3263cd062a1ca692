/* Nets: a benchmark's topology described in C, and what is written from it.
 *
 * A net is one file with one function that adds layers in the order in which they run; net.c has
 * the table. The description knows no file format: layers are what the papers call them, weights
 * carry the names of PyTorch's state dict ("layer1.0.conv1.weight"), so that official weights can
 * be bound to them.  Writers (onnx.h) turn a net with weights into a file; batch norm is folded
 * into its convolution there, not here.
 *
 * Memory: a struct net is allocated by net_create and owns everything in it.  Functions may be
 * called from any thread; a net is not changed after net_create, so it can be shared. */
#ifndef NET_NET_H
#define NET_NET_H

#include <jansson.h>

#include "assay/types.h"

/* ---- for users: the command line and the conductor ---- */

/* Writes the net with synthetic weights made from the seed; the same bytes on every machine and
 * compiler. The file appears whole.  format: one of net_formats.  Some seconds of one core. */
int net_write(const char *net, const char *format, uint64_t seed, const char *path,
              struct assay_err *err);

/* The same in ONNX with 8-bit weights and activations (quantize.h), whose ranges come from a pass
 * over made-up images.  Also the same bytes everywhere; twice the time. */
int net_write_int8(const char *net, uint64_t seed, const char *path, struct assay_err *err);

/* Writes n of the made-up images that weights are calibrated with, of another seed, less the net's
 * input_mean: float32, n x channels x side x side, nothing else.  For nets whose input is
 * NET_IMAGE_SIDE wide and high; the same bytes everywhere. */
#define NET_IMAGE_SIDE 128
int net_write_images(const char *net, uint64_t seed, size_t n, const char *path,
                     struct assay_err *err);

/* Writes the net with the weights of a file (bind.h): ONNX, PyTorch's state dict or safetensors.
 * Where NAME-… of the table fits the weights and NAME does not, that net is written: which, is in
 * *out, {"net", "summary", "format", "file", "sha256" (of the written file), "synthetic",
 * "weights":
 * {"file", "format", "sha256"}, "manifest" (YAML text)}.  The caller json_decref()s *out. */
int net_write_weights(const char *net, const char *format, const char *weights, const char *path,
                      json_t **out, struct assay_err *err);

/* What `assay net list/show` prints: {"name", "summary", "parameters", "parameters_folded", "macs",
 * "convolutions", "inputs": [{"name", "dtype", "dims"}], "outputs": […], "formats": […], "layers":
 * [{"name", "op", "inputs": [names], "output": [c, h, w], "parameters", "macs"}]}.  Free dimensions
 * are "N". The caller json_decref()s *out. */
int net_describe(const char *net, json_t **out, struct assay_err *err);

/* Changes whenever net_write's bytes do: part of cached file names. */
#define NET_REVISION "r1"

const char *const *net_names(size_t *n);   /* of the table; also NULL-terminated */
const char *const *net_formats(size_t *n); /* "onnx", … */

/* ---- the description ---- */

enum net_op {
    NET_INPUT,
    NET_CONV,
    NET_BN,
    NET_RELU,
    NET_MAXPOOL,
    NET_ADD,
    NET_GAP, /* global average pool: c x h x w -> c */
    NET_FC,
    NET_SOFTMAX,
    NET_ARGMAX
};

struct net_shape {
    int c, h, w; /* h = w = 1 behind the global pool */
};

struct net_layer {
    char name[64]; /* the state dict's prefix where it has weights; unique */
    enum net_op op;
    int in[2];              /* layers that come before it; -1: none */
    struct net_shape shape; /* of the output, for one sample of the net's own size */
    int kernel, stride;
    int pad[4];          /* top, left, bottom, right */
    float epsilon;       /* batch norm */
    int tensor, tensors; /* its weights: net->tensors[tensor … tensor + tensors - 1] */
    uint64_t macs;
};

/* Roles of a layer's weights, in this order. */
enum net_role { NET_WEIGHT, NET_BIAS, NET_MEAN, NET_VAR };

struct net_tensor {
    char name[80];
    enum net_role role;
    uint32_t rank;
    int64_t dims[4];
    size_t count;
};

struct net {
    const char *name, *summary;
    struct net_layer *layers; /* in the order in which they run; [0] is the input */
    int layer_count;
    struct net_tensor *tensors;
    int tensor_count;
    /* The interface of the official model; dims[0] = -1 is the batch. */
    struct assay_tensor_spec input;
    struct assay_tensor_spec outputs[4];
    int output_layer[4];
    int output_count;
    /* Pre-processing of 0…255 pixels, for calibration: (pixel - mean) / std; std 0 is 1. */
    float input_mean[3], input_std[3];
    /* How a benchmark feeds the model: its name, and a manifest's input and output blocks (YAML,
     * one a line).  NULL: not said. */
    const char *benchmark, *feeding;
    int failed; /* while it is built: the first thing that went wrong */
    char reason[160];
};

/* The net of the table; an unknown name is an error with a suggestion. */
int net_create(const char *name, struct net **out, struct assay_err *err);
/* The same for one that is not in the table (tests): build adds the layers. */
int net_create_from(const char *name, const char *summary, void (*build)(struct net *),
                    struct net **out, struct assay_err *err);
void net_destroy(struct net *net); /* NULL is fine */
/* true when the table has it. */
bool net_find(const char *name);

const char *net_op_name(enum net_op op);
uint64_t net_parameters(const struct net *net, bool folded); /* folded: batch norm became a bias */
uint64_t net_macs(const struct net *net);
/* The batch norm that can be folded into this convolution (its only user), or -1. */
int net_folded_bn(const struct net *net, int conv);
/* The shape of layer i's output from those of its inputs; c = 0 when they do not fit. */
struct net_shape net_shape_of(const struct net_layer *l, const struct net_shape *a,
                              const struct net_shape *b);

/* ---- for the files that describe a net ---- */

/* Each adds a layer behind `in` and
 * returns its index.  Errors are remembered and reported by net_create, so that a description reads
 * like the table in the paper. */
int net_add_input(struct net *net, const char *name, int c, int h, int w);
int net_add_conv(struct net *net, const char *name, int in, int out_channels, int kernel,
                 int stride);
int net_add_bn(struct net *net, const char *name, int in);
int net_add_maxpool(struct net *net, const char *name, int in, int kernel, int stride,
                    const int pad[4]);
int net_add_fc(struct net *net, const char *name, int in, int out);
int net_add_sum(struct net *net, const char *name, int a, int b);
/* RELU, GAP, SOFTMAX, ARGMAX: one input and nothing to set. */
int net_add_plain(struct net *net, enum net_op op, const char *name, int in);
void net_add_output(struct net *net, const char *name, int layer);

#endif

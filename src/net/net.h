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
#include "base/revision.h"

/* ---- for users: the command line and the conductor ---- */

/* Writes the net with synthetic weights made from the seed; the same bytes on every machine and
 * compiler. The file appears whole.  net: of net_names, or "rnnt", whose three nets have one
 * "checkpoint".  format: one of net_formats, precision: "fp32", or as onnx also
 *   "fp16"  weights and most layers are float16, inputs and outputs float32;
 *   "int8"  8-bit weights and activations (quantize.h), whose ranges come from a pass over made-up
 *           images or sequences: of image classifiers and BERT only.
 * Some seconds of one core; int8 twice the time, of BERT-Large half a minute and 3 GB of memory. */
int net_write(const char *net, const char *format, const char *precision, uint64_t seed,
              const char *path, struct assay_err *err);
bool net_has_form(const char *format, const char *precision);

/* Writes n of the made-up images that weights are calibrated with, of another seed, less the net's
 * input_mean: float32, n x channels x side x side, nothing else.  For nets whose input is
 * NET_IMAGE_SIDE wide and high; the same bytes everywhere. */
#define NET_IMAGE_SIDE 128
int net_write_images(const char *net, uint64_t seed, size_t n, const char *path,
                     struct assay_err *err);

/* Writes the net with the weights of a file (bind.h): ONNX, PyTorch's state dict or safetensors.
 * Where NAME-… of the table fits the weights and NAME does not, that net is written: which, is in
 * *out, {"net", "summary", "format", "precision", "file", "sha256" (of the written file),
 * "synthetic", "weights": {"file", "format", "sha256"}, "manifest" (YAML text)}.  With manifest a
 * net that has none is refused before it is written.  The caller json_decref()s *out. */
int net_write_weights(const char *net, const char *format, const char *precision,
                      const char *weights, bool manifest, const char *path, json_t **out,
                      struct assay_err *err);

/* Whether a file that a writer of ours made, or one in a folder of such files, says that its
 * weights are synthetic.  Anything else does not; no error. */
bool net_says_synthetic(const char *path);

/* What `assay net list/show` prints: {"name", "summary", "parameters", "parameters_folded", "macs",
 * "convolutions", "inputs": [{"name", "dtype", "dims"}], "outputs": […], "formats": […], "layers":
 * [{"name", "op", "inputs": [names], "output": [dims behind the batch], "parameters", "macs"}]}.
 * Free dimensions are "N" (the batch) and "S" (a sequence's length).  The caller json_decref()s
 * *out. */
int net_describe(const char *net, json_t **out, struct assay_err *err);

const char *const *net_names(size_t *n);   /* of the table; also NULL-terminated */
const char *const *net_formats(size_t *n); /* "onnx", … */

/* ---- the description ---- */

/* What a layer is.  CONV, DECONV, BN, MAXPOOL, UPSAMPLE and the like want [c, h, w] or
 * [c, d, h, w], the others what their line says. */
enum net_op {
    NET_INPUT,
    NET_CONV,
    NET_BN,
    NET_RELU,
    NET_MAXPOOL,
    NET_ADD,
    NET_MUL, /* number by number */
    NET_GAP, /* global average pool: c x h x w -> c */
    NET_FC,  /* […, in] -> […, out] */
    NET_SOFTMAX,
    NET_ARGMAX,
    NET_EMBED, /* numbers […] -> rows of a table […, width] */
    NET_BAG,   /* numbers [n] -> the sum of those rows whose numbers stand in the layer's place */
    NET_POSITION,    /* [s, width] + the first s rows of a table */
    NET_LAYERNORM,   /* over the last dimension */
    NET_GELU,        /* x / 2 * (1 + erf(x / sqrt 2)) */
    NET_MASK,        /* 1 and 0 [s] -> 0 and -10000 [1, 1, s], for attention's scores */
    NET_ATTENTION,   /* q, k, v [s, width], mask: softmax(q k / sqrt(head) + mask) v */
    NET_PICK,        /* […, n] -> […]: the one of number `out` */
    NET_DECONV,      /* transposed convolution whose kernel is its stride */
    NET_UPSAMPLE,    /* each place `stride` times in each direction */
    NET_CONCAT,      /* of channels: along the first dimension */
    NET_STANDARDISE, /* (x - mean) / deviation for each channel: constants, not weights */
    NET_STACK,       /* k times [w] -> [k, w] */
    NET_DOTS,        /* [k, w] -> the products of rows i and j < i, by i, then j */
    NET_SIGMOID,
    NET_INSTANCENORM, /* each channel of each sample to mean 0 and deviation 1 */
    NET_LSTM,         /* [t, in] from a state of zeros -> [t, out]; one step: [in], h, c -> [out] */
    NET_CELL,         /* the cell state behind an LSTM's step */
    NET_STACKTIME,    /* [t, w] -> [(t + 1) / 2, 2 w]: neighbours side by side */
};

#define NET_RANK    5 /* behind the batch */
#define NET_INPUTS  5
#define NET_JOINS   27 /* inputs of a layer */
#define NET_OUTPUTS 10

/* Of one sample.  A free dimension has the benchmark's usual size here: what MACs are counted for.
 */
struct net_shape {
    int rank;
    union {
        int dims[NET_RANK]; /* those behind rank are 1; dims[0] = 0: no such shape */
        struct {
            int c, h, w; /* an image's */
        };
    };
    unsigned free; /* bit i: dims[i] may be any number */
};

struct net_layer {
    char name[64]; /* the state dict's prefix where it has weights; unique */
    enum net_op op;
    int in[NET_JOINS], ins; /* layers that come before it */
    struct net_shape shape; /* of the output */
    int out;                /* channels or features it makes; PICK: which; ATTENTION: heads */
    int kernel, stride, groups;
    int first, many;               /* BAG: its numbers are those from `first` on, so many */
    int pad[4];                    /* top, left, bottom, right; of volumes all the same */
    float epsilon;                 /* norms */
    const float *mean, *deviation; /* STANDARDISE: of 3 channels */
    float gain, bias; /* synthetic weights: the output's deviation when the input's is 1; a mean */
    bool balanced;    /* the same: the numbers of each kernel add up to 0 */
    int favoured;
    float favour;        /* the same: the bias of number `favoured` is so much larger */
    bool blank;          /* EMBED: the number behind the last row stands for a row of zeros */
    int owner;           /* the layer whose weights it uses: itself, or an earlier one */
    int tensor, tensors; /* its weights: net->tensors[tensor … tensor + tensors - 1] */
    uint64_t macs;
};

/* Roles of a layer's weights, in this order. */
enum net_role { NET_WEIGHT, NET_BIAS, NET_MEAN, NET_VAR };

struct net_tensor {
    char name[80];
    enum net_role role;
    uint32_t rank;
    int64_t dims[NET_RANK];
    size_t count;
};

struct net {
    const char *name, *summary;
    char *own_name;           /* "NAME:SIZE=N", where name is that */
    int64_t size;             /* the size that the table's row has a name for; 0: it has none */
    struct net_layer *layers; /* in the order in which they run; the inputs come first */
    int layer_count;
    struct net_tensor *tensors;
    int tensor_count;
    /* The interface; dims[0] = -1 is the batch.  inputs[i] is layer i. */
    struct assay_tensor_spec inputs[NET_INPUTS];
    int input_count;
    struct assay_tensor_spec outputs[NET_OUTPUTS];
    int output_layer[NET_OUTPUTS];
    int output_count;
    /* Pre-processing of 0…255 pixels, for calibration: (pixel - mean) / std; std 0 is 1. */
    float input_mean[3], input_std[3];
    /* How a benchmark feeds the model: its name, and a manifest's input and output blocks (YAML,
     * one a line).  NULL: not said. */
    const char *benchmark, *feeding;
    /* What a checkpoint also has, for other nets or tasks: beginnings of names, NULL-terminated.
     * NULL: none. */
    const char *const *beside;
    /* How a checkpoint spells the beginning of names: ours, theirs.  NULL: alike. */
    const char *spelling[2];
    /* Further tensors that readers of a checkpoint want to find in it, whatever is in them: whole
     * names, NULL-terminated.  NULL: none. */
    const char *const *tables;
    bool analytic; /* its synthetic weights are scaled by gain alone, no forward pass (weights.c) */
    int failed;    /* while it is built: the first thing that went wrong */
    char reason[160];
};

/* The net of the table; an unknown name is an error with a suggestion.  What may be called a net
 * has "NAME:SIZE=N" too, where the row has such a size: "dlrm:rows=1000". */
int net_create(const char *name, struct net **out, struct assay_err *err);
/* The same for one that is not in the table (tests): build adds the layers. */
int net_create_from(const char *name, const char *summary, void (*build)(struct net *),
                    struct net **out, struct assay_err *err);
void net_destroy(struct net *net); /* NULL is fine */
/* Whether net_write_int8 has a form for the layers of this net. */
int net_check_int8(const char *name, struct assay_err *err);
/* true when the table has it. */
bool net_find(const char *name);

const char *net_op_name(enum net_op op);
uint64_t net_parameters(const struct net *net, bool folded); /* folded: batch norm became a bias */
uint64_t net_macs(const struct net *net);
bool net_reads(const struct net_layer *l, int layer); /* is it one of its inputs? */
/* The batch norm that can be folded into this convolution (its only user), or -1. */
int net_folded_bn(const struct net *net, int conv);
/* The shape of a layer's output from those of its inputs; dims[0] = 0 when they do not fit. */
struct net_shape net_shape_of(const struct net_layer *l, const struct net_shape *const in[]);
/* Channels, rows, columns. */
struct net_shape net_image(int c, int h, int w);
/* What a free dimension is called in files and lists: "N" for the batch, "S" behind it. */
const char *net_free_name(uint32_t dim);

/* ---- for the files that describe a net ---- */

/* Each adds a layer behind `in` and returns its index.  Errors are remembered and reported by
 * net_create, so that a description reads like the table in the paper. */
int net_add_input(struct net *net, const char *name, int c, int h, int w);
/* A row of `width` numbers. */
int net_add_row(struct net *net, const char *name, int dtype, int width);
/* One int64 number. */
int net_add_number(struct net *net, const char *name);
/* A sequence of rows, whose length is free. */
int net_add_frames(struct net *net, const char *name, int usual, int width);
/* A cube of size^3 places. */
int net_add_volume(struct net *net, const char *name, int c, int size);
/* int64 numbers of a sequence whose length is free; usual: the benchmark's length. */
int net_add_sequence(struct net *net, const char *name, int usual);
int net_add_conv(struct net *net, const char *name, int in, int out_channels, int kernel,
                 int stride);
/* The same with a bias of its own and no batch norm behind it; and with channels in groups. */
int net_add_biased(struct net *net, const char *name, int in, int out_channels, int kernel,
                   int stride);
int net_add_grouped(struct net *net, const char *name, int in, int out_channels, int kernel,
                    int stride, int groups);
/* Layer `as` again, with the same weights, on another input. */
int net_add_same(struct net *net, const char *name, int in, int as);
int net_add_deconv(struct net *net, const char *name, int in, int out_channels, int stride);
int net_add_upsample(struct net *net, const char *name, int in, int times);
int net_add_concat(struct net *net, const char *name, const int *in, int n);
/* mean and deviation: 3 numbers each, which must outlive the net. */
int net_add_standardise(struct net *net, const char *name, int in, const float *mean,
                        const float *deviation);
int net_add_instancenorm(struct net *net, const char *name, int in);
int net_add_bn(struct net *net, const char *name, int in);
int net_add_maxpool(struct net *net, const char *name, int in, int kernel, int stride,
                    const int pad[4]);
int net_add_fc(struct net *net, const char *name, int in, int out);
/* The same under names of its own in a state dict, the bias as [out, 1]; bias NULL: it has none. */
int net_add_product(struct net *net, const char *name, int in, int out, const char *weight,
                    const char *bias);
int net_add_sum(struct net *net, const char *name, int a, int b);
int net_add_mul(struct net *net, const char *name, int a, int b);
int net_add_stack(struct net *net, const char *name, const int *in, int n);
/* Number k of layers that share a prefix; in: x, or x, hidden and cell for one step. */
int net_add_lstm(struct net *net, const char *prefix, int k, const int *in, int ins, int out);
int net_add_embed(struct net *net, const char *name, int in, int rows, int width);
/* The sum of the rows whose numbers are in[first … first + many - 1]. */
int net_add_bag(struct net *net, const char *name, int in, int first, int many, int rows,
                int width);
/* The number behind the last row stands for a row of zeros, which is no parameter. */
void net_set_blank(struct net *net, int at);
int net_add_position(struct net *net, const char *name, int in, int rows);
int net_add_layernorm(struct net *net, const char *name, int in, float epsilon);
/* in: queries, keys, values, mask. */
int net_add_attention(struct net *net, const char *name, const int in[4], int heads);
int net_add_pick(struct net *net, const char *name, int in, int which);
/* RELU, GELU, SIGMOID, GAP, SOFTMAX, ARGMAX, MASK, DOTS, CELL, STACKTIME: one input and nothing to
 * set. */
int net_add_plain(struct net *net, enum net_op op, const char *name, int in);
/* ---- what synthetic weights of layer `at` are like; those that return an int return at ---- */

int net_set_gain(struct net *net, int at, float gain);  /* instead of 1 */
void net_set_bias(struct net *net, int at, float bias); /* biases lie around it, instead of 0 */
/* Kernels whose numbers add up to 0 (of 1x1, and of fully connected layers, all of an output), so
 * that only what changes from place to place counts, and not what a channel has everywhere. */
int net_set_balanced(struct net *net, int at);
/* The bias of number `which` is so much larger. */
void net_set_favour(struct net *net, int at, int which, float favour);
void net_add_output(struct net *net, const char *name, int layer);

#endif

/* What a benchmark must be: the implementer's door.
 *
 * A benchmark is a data set, its pre-processing, its post-processing and its accuracy metric.  It
 * is a shared object that exports one function, assay_benchmark_entry.  It never learns the engine:
 * what the model expects stands in the model's manifest, which it is given as JSON text.
 *
 * Threads: open, describe, prepare, load, unload, score and close come from one thread at a time.
 * input, respond, drive and drive_batch may come from several lane threads at once. */
#ifndef ASSAY_BENCHMARK_H
#define ASSAY_BENCHMARK_H

#include "assay/types.h"
#include "assay/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ASSAY_BENCHMARK_ABI_MAJOR 1
#define ASSAY_BENCHMARK_ABI_MINOR 5 /* grows when members are added at the end */

struct assay_benchmark_config {
    uint64_t size;
    const char *dataset;   /* folder with the data set; NULL: synthetic samples, marked so */
    const char *manifest;  /* the model's manifest as JSON text, defaults not filled in */
    const char *cache_dir; /* where pre-processed samples are kept */
    uint32_t threads;      /* >= 1: for pre-processing */
    uint64_t count;        /* use only the first count samples; 0: all */
    uint64_t seed;         /* of synthetic samples */
    /* May be called from any thread; done of total samples.  NULL: not wanted. */
    void (*progress)(void *progress_ctx, uint64_t done, uint64_t total);
    void *progress_ctx;
    /* NULL or becomes true when the user wants to stop: prepare then returns ASSAY_ESTOP. */
    const volatile int *stop;
    /* Since ABI 1.5.  1: only open, describe and close are called, for what a run would take:
     * dataset_hash may be "", so that no file is read for it. */
    uint32_t look;
};

/* Filled by describe; pointers live until close. */
struct assay_benchmark_desc {
    uint64_t size;
    const char *dataset_name; /* "imagenet2012 (folder NAME)", where it is that; "images (folder
                                 NAME)", "synthetic images" … */
    const char
        *dataset_hash;  /* SHA-256, hex, of what decides the samples' content; see the benchmark */
    uint64_t samples;   /* in the QSL */
    uint32_t synthetic; /* 1: made up */
    uint32_t input_count;
    uint32_t output_count;
    /* Of one sample, without batch dimension; where the benchmark drives, of one inference on graph
     * 0 (input then gives the sample itself, for people to look at). */
    const struct assay_tensor_spec *inputs;
    const struct assay_tensor_spec *outputs; /* that respond needs, without batch dimension */
    uint64_t response_bytes;                 /* the most that respond writes for one sample */
    const char *preprocess;                  /* one line that says what was done to the samples */
    /* Since ABI 1.1.  1: samples whose first dimension differs (inputs[i].dims[0] is -1) may share
     * a batch, each padded with zeros behind its own values, and respond finds the row's own part
     * by the sample.  0: a batch has samples of one shape. */
    uint32_t zero_padding;
    /* 1: the model may also give its outputs without the batch's dimension, for one
     * sample (as many boxes as it finds); batches are then of one sample, and respond gets the
     * tensors as they are, with row 0. */
    uint32_t whole_outputs;
    /* Since ABI 1.2, for benchmarks that drive.  The graphs that drive calls by their place in this
     * list, with inputs and outputs as above: of one sample, without batch dimension.  The host
     * finds each in the model by its name, compares the tensors, and gives drive the outputs in
     * this order.  0: drive calls the model's graphs by their own numbers, unchecked. */
    uint32_t graph_count;
    const struct assay_graph_desc *graphs;
    /* Of a benchmark that drives: the most rows that it gives the engine for one
     * sample at once (DLRM's pairs; inputs and outputs are then one row's).  0: one. */
    uint32_t rows;
    /* Compared with what the machine (and the card) has before anything is loaded; 0: not known.
     * Bytes of the model's largest part, and of one sample that load makes resident, on average. */
    uint64_t model_bytes;
    uint64_t loaded_bytes;
    /* Since ABI 1.3.  One line that stands beside the verdict: how the model is not the official
     * one, as far as its manifest says ("tables cut to 1000 rows").  NULL: nothing to say. */
    const char *note;
    /* Since ABI 1.4.  1: real samples, but not the official data set, or a part of it: a run on
     * them is not VALID under an official profile. */
    uint32_t unofficial;
};

/* One entry of LoadGen's accuracy log. */
struct assay_log_entry {
    uint64_t sequence;
    uint64_t index; /* qsl_idx */
    const uint8_t *data;
    uint64_t bytes;
};

/* Accuracy of a log. */
struct assay_score {
    uint64_t size;
    char metric[32]; /* "top1" */
    double value;    /* in unit */
    char unit[16];   /* "%" */
    uint64_t good;   /* where the metric counts; else 0 */
    uint64_t total;  /* samples scored */
    double
        reference; /* the reference model's value; NaN: none (a user's own model, synthetic data) */
    double target; /* the least that counts as reached; NaN: none */
    char line[256]; /* exactly as the official accuracy script prints it */
};

/* For benchmarks that drive the engine (RNN-T, 3D-UNet): one blocking inference on the caller's
 * lane. outputs[] are views that stay valid until the next infer on the same driver. */
struct assay_driver {
    uint64_t size;
    int (*infer)(void *ctx, uint32_t graph, uint32_t samples, const struct assay_tensor *inputs,
                 uint32_t input_count, struct assay_tensor *outputs, uint32_t output_count,
                 struct assay_err *err);
    void *ctx;
    /* Since ABI 1.2: the model as the engine describes it, to be checked against what is wanted.
     * NULL and 0 for a benchmark whose description announces its graphs: the host has compared. */
    const struct assay_graph_desc *graphs;
    uint32_t graph_count;
};

struct assay_benchmark {
    uint32_t abi_major;
    uint32_t abi_minor;
    uint64_t size;
    const char *name;             /* "resnet50" */
    const char *summary;          /* one line */
    const char *loadgen_model;    /* the name that LoadGen's built-in configuration knows */
    const char *default_model;    /* the manifest that is used when no --model is given */
    const char *const *scenarios; /* NULL-terminated official ones */

    /* Required.  open reads the list of samples and labels, no sample. */
    int (*open)(const struct assay_benchmark_config *config, void **self, struct assay_err *err);
    int (*describe)(void *self, struct assay_benchmark_desc *desc, struct assay_err *err);
    /* Pre-processes all samples into the cache file, or maps the one that is there.  Needs neither
     * engine nor LoadGen; a corrupt or missing sample is an error that names the file. */
    int (*prepare)(void *self, struct assay_err *err);
    /* Makes these samples resident in memory / lets them go. */
    int (*load)(void *self, const uint64_t *index, uint64_t n, struct assay_err *err);
    void (*unload)(void *self, const uint64_t *index, uint64_t n);
    /* A view of input number `input` of a sample: valid after prepare, until close. */
    int (*input)(void *self, uint64_t index, uint32_t input, struct assay_tensor *view,
                 struct assay_err *err);
    /* Turns row `row` of a batch's outputs (dims[0] is the batch, in the order of desc.outputs)
     * into LoadGen's response bytes.  A value that no correct model gives (NaN, a label out of
     * range) is an error. */
    int (*respond)(void *self, uint64_t index, const struct assay_tensor *outputs,
                   uint32_t output_count, uint32_t row, void *response, size_t capacity,
                   size_t *bytes, struct assay_err *err);
    int (*score)(void *self, const struct assay_log_entry *entries, uint64_t n,
                 struct assay_score *score, struct assay_err *err);
    void (*close)(void *self);

    /* Optional.  When there, the host calls it instead of submitting the sample itself: many
     * inferences over several graphs for one sample, and the response written at the end. */
    int (*drive)(void *self, uint64_t index, const struct assay_driver *driver, void *response,
                 size_t capacity, size_t *bytes, struct assay_err *err);
    /* Since ABI 1.2; only beside drive.  The same for a batch of n samples: the response of
     * index[i] goes to responses + i * capacity and its length to bytes[i].  NULL: one by one. */
    int (*drive_batch)(void *self, const uint64_t *index, uint32_t n,
                       const struct assay_driver *driver, void *responses, size_t capacity,
                       size_t *bytes, struct assay_err *err);
};

ASSAY_EXPORT const struct assay_benchmark *assay_benchmark_entry(void);

#ifdef __cplusplus
}
#endif
#endif

/* What an engine must be: the implementer's door.
 *
 * An engine is a shared object that exports one function, assay_engine_entry, which returns one
 * constant table.  The host checks the table once, when it loads the object, and calls its
 * functions only through a wrapper that times and counts them.  Engines keep their state in `self`,
 * never in the table or in globals, and never learn which benchmark they serve.
 *
 * Threads: open, describe, close and probe are called from one thread at a time.  lane_open,
 * submit, drain and lane_close of one lane are called from one thread at a time; different lanes
 * run concurrently. Completion (batch->done) comes exactly once for every submit that returned
 * ASSAY_OK, on any thread, perhaps inside submit.  The host holds no lock while it calls submit.
 * alloc and release may be called on any thread, also while lanes are in submit.
 *
 * An engine whose library is C++ catches every exception and turns it into an error: a failed
 * inference fails the run. */
#ifndef ASSAY_ENGINE_H
#define ASSAY_ENGINE_H

#include "assay/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ASSAY_ENGINE_ABI_MAJOR 1 /* differs: refused */
#define ASSAY_ENGINE_ABI_MINOR 4 /* grows when members are added at the end */

/* Capabilities. */
#define ASSAY_CAP_ASYNC (1u << 0) /* submit may return before done was called */
#define ASSAY_CAP_DYNAMIC_BATCH                                                                    \
    (1u << 1) /* any number of samples from 1 to max_batch in one batch */
#define ASSAY_CAP_DYNAMIC_SHAPE                                                                    \
    (1u << 2)                         /* free dimensions other than the first may vary by batch */
#define ASSAY_CAP_RAGGED    (1u << 3) /* rows of one batch may have different shapes; needs GATHER */
#define ASSAY_CAP_GATHER    (1u << 4) /* takes rows where they lie: batch->rows, no packing */
#define ASSAY_CAP_REMOTE    (1u << 5) /* inference happens on another machine */
#define ASSAY_CAP_ANY_MODEL (1u << 6) /* needs no model file (the null engine) */

/* One graph of a model: most have one, RNN-T has three.  Dimension 0 is the batch. */
struct assay_graph_desc {
    const char *name;
    uint32_t input_count;
    uint32_t output_count;
    const struct assay_tensor_spec *inputs;
    const struct assay_tensor_spec *outputs;
};

/* What open is given.  Everything in it lives until close. */
struct assay_engine_config {
    uint64_t size;          /* sizeof of this struct where the host was built */
    const char *model_path; /* file or folder; NULL only with ASSAY_CAP_ANY_MODEL */
    const char *format;     /* one of the engine's formats */
    const char *device;     /* "cpu", "cuda:0", … */
    const char *precision;  /* what was asked for: "fp32", … ; say in describe what is executed */
    const char *runtime_dir; /* where the host keeps this engine's libraries; may not exist */
    uint32_t lanes;          /* >= 1: how many lanes will be opened */
    uint32_t threads;        /* >= 1: compute threads for one lane */
    uint32_t max_batch;      /* >= 1: the host never submits more samples in one batch */
    uint32_t option_count;   /* values[i] is the value of row i of the engine's options table */
    const struct assay_value *values;
    /* What inputs and outputs the benchmark wants, for engines that can produce any (the null
     * engine); without batch dimension.  An engine with a real model ignores them. */
    uint32_t want_input_count;
    const struct assay_tensor_spec *want_inputs;
    uint32_t want_output_count;
    const struct assay_tensor_spec *want_outputs;
    /* May be called from any thread; level 0 error, 1 warning, 2 information. */
    void (*log)(void *log_ctx, int level, const char *text);
    void *log_ctx;
    /* Since ABI 1.2.  The graphs that are wanted instead, of a benchmark that calls several; their
     * tensors are without batch dimension too.  0: one, as said above. */
    uint32_t want_graph_count;
    const struct assay_graph_desc *want_graphs;
    /* Since ABI 1.4.  1: batches of up to max_batch samples are tried first, then settle tells what
     * the run's will be. */
    uint32_t settles;
};

/* What was opened.  Filled by describe; what it points to lives until close. */
struct assay_model_desc {
    uint64_t size; /* set by the host before the call */
    uint32_t graph_count;
    uint32_t max_batch; /* 0: any */
    const struct assay_graph_desc *graphs;
    const char *precision; /* what is really executed */
    const char *device;    /* where */
    /* Since ABI 1.3.  1: a batch of another size than the one before costs much more than its
     * samples do.  The host then fills a smaller batch up with copies of its last sample, and
     * leaves their outputs alone. */
    uint32_t fixed_batch;
};

/* A batch in flight.  The host owns it and everything in it but the output data; it stays valid
 * until done has been called.
 *
 * Inputs: packed (inputs[i] is one dense tensor whose dims[0] is samples), or, when the engine has
 * ASSAY_CAP_GATHER, as rows: *rows[i][s] is sample s of input i, without batch dimension; then
 * inputs[i].data is NULL unless the rows happen to be contiguous.
 * Outputs: the engine fills outputs[o] (dtype, rank, dims, data, bytes) in the order of the graph's
 * description before it calls done; the data must stay valid until done returns. */
struct assay_batch {
    uint64_t size;
    uint32_t lane;
    uint32_t graph;
    uint32_t samples;
    uint32_t input_count;
    uint32_t output_count;
    const struct assay_tensor *inputs;
    const struct assay_tensor *const *const *rows; /* [input][sample]; NULL: use inputs */
    struct assay_tensor *outputs;
    /* The engine calls this once: code ASSAY_OK, or an error with its text. */
    void (*done)(struct assay_batch *batch, int code, const struct assay_err *err);
    void *host;   /* the host's own */
    void *engine; /* the engine's own while the batch is in flight */
};

#define ASSAY_PROBE_DEVICES 16

struct assay_engine_probe {
    uint64_t size;
    char version[64];  /* of the library */
    char library[512]; /* its file, for hashing; empty: none */
    uint32_t device_count;
    char devices[ASSAY_PROBE_DEVICES][32];      /* as --device takes them */
    char device_names[ASSAY_PROBE_DEVICES][96]; /* as people call them */
    char note[256]; /* what is missing and how to get it; empty: nothing */
};

/* An option that changes nothing but speed, and the values worth trying on any machine: what
 * `assay run --tune` searches.  A table of these ends with a row whose option is NULL. */
struct assay_tunable {
    const char *option; /* a row of the engine's options */
    const char *values; /* parted by spaces: "on off" */
};

struct assay_engine {
    uint32_t abi_major;
    uint32_t abi_minor;
    uint64_t size; /* sizeof(struct assay_engine) where the engine was built */
    const char *name;
    const char *summary; /* one line */
    uint64_t caps;
    const char *const *formats; /* NULL-terminated: "onnx", … */
    /* NULL-terminated: "fp32", … ; "int8" is asked for of models that are in it, alone. */
    const char *const *precisions;
    const struct assay_option *options; /* ends with a row without name; NULL: none */

    /* Required. */
    int (*open)(const struct assay_engine_config *config, void **self, struct assay_err *err);
    int (*describe)(void *self, struct assay_model_desc *desc, struct assay_err *err);
    /* ASSAY_OK: taken, done comes.  ASSAY_EAGAIN: no slot, the host keeps the batch and asks again
     * after a completion on this lane.  Anything else: not taken, done does not come, err says why.
     */
    int (*submit)(void *self, struct assay_batch *batch, struct assay_err *err);
    void (*close)(void *self);

    /* Optional: NULL means as said. */
    int (*probe)(const char *runtime_dir, struct assay_engine_probe *probe, struct assay_err *err);
    /* NULL: version unknown, device "cpu" only */
    int (*lane_open)(void *self, uint32_t lane, struct assay_err *err); /* NULL: nothing to do */
    void (*lane_close)(void *self, uint32_t lane);                      /* NULL: nothing to do */
    void *(*alloc)(void *self,
                   size_t bytes); /* memory for packing; NULL: malloc, 64-byte aligned */
    void (*release)(void *self, void *memory); /* must be there when alloc is */
    /* Not called.  (Where the device is not "cpu", every batch is packed in memory of alloc.) */
    int (*stage)(void *self, const void *memory, size_t bytes, struct assay_err *err);
    /* Returns when everything submitted on this lane has completed.  Wanted of ASYNC engines: what
     * is outstanding afterwards is known to be lost. */
    int (*drain)(void *self, uint32_t lane, struct assay_err *err);
    /* Since ABI 1.1; a smaller table has none. */
    const struct assay_tunable *tunables; /* NULL: none */
    /* Since ABI 1.4; a smaller table has none.  Called once after an open with config->settles,
     * while nothing is in flight: from now on most batches have this many samples and none has
     * more, so what is planned for one size is planned now.  NULL: nothing to do. */
    int (*settle)(void *self, uint32_t samples, struct assay_err *err);
};

#if defined(__GNUC__)
#define ASSAY_EXPORT __attribute__((visibility("default")))
#else
#define ASSAY_EXPORT
#endif

/* The one symbol that an engine exports. */
ASSAY_EXPORT const struct assay_engine *assay_engine_entry(void);

#ifdef __cplusplus
}
#endif
#endif

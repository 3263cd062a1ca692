/* Inside of the engine room: an open engine and how its batches are guarded. */
#ifndef ENGINE_OPEN_H
#define ENGINE_OPEN_H

#include <stdatomic.h>

#include "engine/host.h"

#define GUARD_FLYING UINT64_C(1) /* no completion yet */
#define GUARD_BUSY   UINT64_C(2) /* the caller has not got it back yet */

/* One batch on its way through the engine.  The engine never sees the caller's batch but `view`, a
 * copy of it (the outputs array is shared): so a completion that comes when it must not always
 * lands here, and never in the caller's own done, whatever the caller has done with its batch
 * since. */
struct guard {
    struct assay_batch view;
    struct assay_batch *caller;
    struct engine_lane *lane;
    int64_t start_ns;
    _Atomic uint64_t word; /* flight number * 4 + GUARD_… bits; the bits are 0: free */
};

struct engine_lane {
    struct engine_lane_stats stats;
    struct engine *engine;
    struct guard *guards;
    uint32_t guard_count; /* a power of two */
    uint32_t next;        /* where the lane's thread looks first for a free guard */
    bool open;
    /* half.c: of the batch that is on its way. */
    struct assay_tensor *half_inputs;
    void *halves, *wholes; /* the inputs in float16, of engine_alloc; the outputs in float32 */
    size_t halves_cap, wholes_cap;
};

struct engine {
    const struct assay_engine *table;
    void *self;
    struct assay_model_desc desc;       /* as the host is told */
    const struct assay_graph_desc *own; /* the graphs as they are */
    struct assay_graph_desc *told;      /* desc's, where those have float16; else NULL */
    struct assay_tensor_spec *told_specs;
    bool async;
    uint32_t asked_batch; /* 1: it is still looked for */
    uint32_t lane_count;
    struct engine_lane *lanes;
    atomic_flag faulted;
    void (*fault)(void *ctx, const struct assay_err *err);
    void *fault_ctx;
};

/* "[-1,3,224,224]" */
void engine_shape_text(const int64_t *dims, uint32_t rank, char *out, size_t cap);
/* Whether a tensor is what its description says; err names it. */
int engine_check_output(const struct assay_tensor_spec *spec, const struct assay_tensor *t,
                        struct assay_err *err);
/* Whether a description can be trusted by later code. */
int engine_check_desc(const struct assay_model_desc *desc, struct assay_err *err);
/* half.c: makes desc say float32 where the model has float16. */
int engine_hide_halves(struct engine *e, struct assay_err *err);
void engine_free_halves(struct engine_lane *lane);
/* Where told is there: a batch's inputs, before the engine gets it, and its outputs behind. */
int engine_halve_inputs(struct guard *g, struct assay_err *err);
int engine_widen_outputs(struct guard *g, struct assay_err *err);
/* Passes an engine's own words on as "NAME: words", in one line, or says that there were none (text
 * is empty).  samples: of the batch that failed; 0: it was none.  Returns code. */
int engine_name_error(const struct engine *e, const char *hook, uint32_t samples, int code,
                      const struct assay_err *words, struct assay_err *err);

#endif

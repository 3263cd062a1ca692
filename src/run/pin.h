/* Pinning: which processors each lane has for itself, and on which NUMA node its samples lie.
 *
 * A lane's host thread is bound to them, and so is the thread that opens the engine and its lanes,
 * so that the engine's own threads inherit the binding.  What cannot be had is no error but for
 * --pin cores: it is said in the record. */
#ifndef RUN_PIN_H
#define RUN_PIN_H

#include <hwloc.h>
#include <jansson.h>

#include "load/settings.h"

#define PIN_ALL UINT32_MAX /* in place of a lane: the processors of all lanes together */

struct pin {
    bool on;
    char why[160];             /* not on: why not */
    hwloc_topology_t topology; /* of the processors that this process may use; NULL: not on */
    uint32_t lanes;
    hwloc_bitmap_t *lane;       /* the processors of each lane */
    hwloc_bitmap_t all, usable; /* of all lanes; of the process before anything was bound */
    hwloc_bitmap_t nodes;       /* where the lanes are */
    uint32_t node_count;        /* nodes that have processors */
    uint32_t split;             /* lanes that did not fit into one node */
    char memory[96];            /* what was done for the samples' memory */
};

/* Shares out the processors: `threads` for each lane, whole cores before second threads of a core,
 * node by node, the lanes spread evenly over the nodes, and no lane over two nodes unless it fits
 * into none.  Fails with ASSAY_EUSAGE when there are too few.  The topology stays the caller's
 * until this succeeds, then it is p's. */
int pin_partition(struct pin *p, hwloc_topology_t topology, uint32_t lanes, uint32_t threads,
                  struct assay_err *err);
/* By the setting --pin; host: the engine computes on these processors (not on another device). */
int pin_open(struct pin *p, const struct settings *s, bool host, uint32_t lanes, uint32_t threads,
             struct assay_err *err);
void pin_release(struct pin *p);

/* Each does nothing when pinning is off. */
/* Binds the calling thread, and those that it will start, to a lane's processors or to all lanes'.
 */
void pin_bind(const struct pin *p, uint32_t lane);
/* The calling thread may run everywhere again. */
void pin_unbind(const struct pin *p);
/* Binds it to what no lane has, where there is such a thing, else to nothing: for threads that are
 * to stay out of the way. */
void pin_bind_spare(const struct pin *p);
/* Between these, pages that the calling thread (and those that it starts) touches first come to lie
 * on the lanes' node; with several nodes in turn on each, since any lane may get any sample. */
void pin_memory_begin(struct pin *p);
void pin_memory_end(struct pin *p);

/* {"pinned": true, "lanes": ["0-3", …], "nodes": "0-1", "memory": "…"} or {"pinned": false, "why"}.
 */
json_t *pin_json(const struct pin *p);

#endif

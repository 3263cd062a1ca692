/* Pinning by hwloc; see pin.h.
 *
 * Processors are hwloc's PUs, put in order so that the first `cores` of a node are one of each of
 * its cores; when lanes x threads fit into the cores of the machine, second threads of a core are
 * left out, else a core's threads stand beside each other and go to the same lane.
 *
 * Why auto pins only between NUMA nodes: on one node all memory is equally near, the system's
 * scheduler keeps a lane's threads apart by itself, and a binding would keep a lane waiting on a
 * processor that another program has taken while the next one idles.  Between nodes a thread that
 * wanders leaves its caches and its memory behind. */
#include "run/pin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One processor that a lane may get. */
struct unit {
    hwloc_obj_t pu;
    unsigned node; /* place in the list of nodes */
};

struct units {
    struct unit *list;
    uint32_t count;
    uint32_t nodes, first[64], left[64]; /* of each node: its next free unit, and how many more */
    unsigned os[64];                     /* its number */
};

#define NODES_MAX (sizeof(((struct units *)0)->first) / sizeof(uint32_t))

static int no_memory(struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "not enough memory to pin the lanes");
}

/* The first node that the processor belongs to; 0 where hwloc knows none. */
static unsigned node_of(hwloc_obj_t pu)
{
    int first = pu->nodeset ? hwloc_bitmap_first(pu->nodeset) : -1;

    return first < 0 ? 0 : (unsigned)first;
}

/* The place of the PU among those of its core; 0: the core's first. */
static unsigned rank_in_core(hwloc_topology_t t, hwloc_obj_t pu)
{
    hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(t, HWLOC_OBJ_CORE, pu), other = NULL;
    unsigned rank = 0;

    if (!core)
        return 0;
    while (
        (other = hwloc_get_next_obj_inside_cpuset_by_type(t, core->cpuset, HWLOC_OBJ_PU, other)) &&
        other != pu)
        rank++;
    return rank;
}

static int by_node(const void *a, const void *b)
{
    const struct unit *x = a, *y = b;

    if (x->node != y->node)
        return x->node < y->node ? -1 : 1;
    return x->pu->logical_index < y->pu->logical_index ? -1 : 1;
}

static int list_units(struct units *u, hwloc_topology_t t, bool cores_only, struct assay_err *err)
{
    int all = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_PU);
    size_t most = all > 0 ? (size_t)all : 0;
    hwloc_obj_t pu = NULL;
    uint32_t n = 0;

    memset(u, 0, sizeof(*u));
    u->list = calloc(most + 1, sizeof(*u->list));
    if (!u->list)
        return no_memory(err);
    while (n < most && (pu = hwloc_get_next_obj_by_type(t, HWLOC_OBJ_PU, pu)))
        if (!cores_only || rank_in_core(t, pu) == 0)
            u->list[n++] = (struct unit){pu, node_of(pu)};
    u->count = n;
    qsort(u->list, n, sizeof(*u->list), by_node);
    for (uint32_t i = 0; i < n; i++) {
        if (!i || u->list[i].node != u->os[u->nodes - 1]) {
            if (u->nodes == NODES_MAX)
                return assay_fail(err, ASSAY_EFAIL, "pinning knows at most %zu NUMA nodes",
                                  NODES_MAX);
            u->first[u->nodes] = i;
            u->os[u->nodes++] = u->list[i].node;
        }
        u->left[u->nodes - 1]++;
    }
    return ASSAY_OK;
}

/* How many lanes each node gets: one after another to the node with the fewest that has room. */
static uint32_t share_out(const struct units *u, uint32_t lanes, uint32_t threads, uint32_t *share)
{
    uint32_t given = 0;

    memset(share, 0, NODES_MAX * sizeof(*share));
    for (; given < lanes; given++) {
        uint32_t best = u->nodes;

        for (uint32_t n = 0; n < u->nodes; n++)
            if (u->left[n] / threads > share[n] && (best == u->nodes || share[n] < share[best]))
                best = n;
        if (best == u->nodes)
            break;
        share[best]++;
    }
    return given;
}

static void give(struct pin *p, uint32_t lane, struct units *u, uint32_t n, uint32_t threads)
{
    for (; threads && u->left[n]; threads--, u->left[n]--) {
        const struct unit *unit = &u->list[u->first[n]++];

        hwloc_bitmap_or(p->lane[lane], p->lane[lane], unit->pu->cpuset);
        hwloc_bitmap_or(p->all, p->all, unit->pu->cpuset);
        hwloc_bitmap_set(p->nodes, u->os[n]);
    }
}

static void give_lanes(struct pin *p, struct units *u, uint32_t threads)
{
    uint32_t share[NODES_MAX], whole = share_out(u, p->lanes, threads, share), lane = 0, n;

    for (n = 0; n < u->nodes; n++)
        for (uint32_t k = 0; k < share[n]; k++)
            give(p, lane++, u, n, threads);
    p->split = p->lanes - whole;
    for (n = 0; lane < p->lanes; lane++) {
        uint32_t want = threads;

        while (want && n < u->nodes) {
            uint32_t take = u->left[n] < want ? u->left[n] : want;

            give(p, lane, u, n, take);
            want -= take;
            if (!u->left[n])
                n++;
        }
    }
}

static int make_sets(struct pin *p, hwloc_topology_t t, uint32_t lanes, struct assay_err *err)
{
    p->lanes = lanes;
    p->lane = calloc(lanes, sizeof(*p->lane));
    p->all = hwloc_bitmap_alloc();
    p->nodes = hwloc_bitmap_alloc();
    p->usable = hwloc_bitmap_dup(hwloc_topology_get_topology_cpuset(t));
    if (!p->lane || !p->all || !p->nodes || !p->usable)
        return no_memory(err);
    for (uint32_t i = 0; i < lanes; i++)
        if (!(p->lane[i] = hwloc_bitmap_alloc()))
            return no_memory(err);
    return ASSAY_OK;
}

int pin_partition(struct pin *p, hwloc_topology_t topology, uint32_t lanes, uint32_t threads,
                  struct assay_err *err)
{
    uint64_t want = (uint64_t)lanes * threads;
    uint32_t cores, all;
    struct units u;
    int rc;

    memset(p, 0, sizeof(*p));
    rc = list_units(&u, topology, true, err);
    cores = all = u.count;
    if (!rc && want > cores) {
        free(u.list);
        rc = list_units(&u, topology, false, err);
        all = u.count;
    }
    if (!rc && want > all)
        rc = assay_fail(err, ASSAY_EUSAGE,
                        "%u lanes of %u threads want %llu processors, and there are %u (%u cores)",
                        lanes, threads, (unsigned long long)want, all, cores);
    if (!rc)
        rc = make_sets(p, topology, lanes, err);
    if (!rc)
        give_lanes(p, &u, threads);
    p->node_count = u.nodes;
    free(u.list);
    if (rc) {
        pin_release(p);
        return rc;
    }
    p->topology = topology;
    p->on = true;
    return ASSAY_OK;
}

/* What this process may use: taskset and cpusets count. */
static int load_topology(hwloc_topology_t *t, struct assay_err *err)
{
    hwloc_bitmap_t mine = hwloc_bitmap_alloc();
    int rc = hwloc_topology_init(t);

    if (!rc && hwloc_topology_load(*t)) {
        hwloc_topology_destroy(*t);
        rc = -1;
    }
    if (!rc && mine && !hwloc_get_cpubind(*t, mine, HWLOC_CPUBIND_THREAD))
        hwloc_topology_restrict(*t, mine, 0);
    hwloc_bitmap_free(mine);
    return rc ? assay_fail(err, ASSAY_EFAIL, "the machine's processors cannot be read") : ASSAY_OK;
}

static void off(struct pin *p, const char *why)
{
    pin_release(p);
    snprintf(p->why, sizeof(p->why), "%.159s", why);
}

int pin_open(struct pin *p, const struct settings *s, bool host, uint32_t lanes, uint32_t threads,
             struct assay_err *err)
{
    struct assay_err why = {0};
    hwloc_topology_t t;
    int rc;

    memset(p, 0, sizeof(*p));
    if (s->pin == PIN_OFF) {
        off(p, "--pin off");
        return ASSAY_OK;
    }
    rc = load_topology(&t, &why);
    if (!rc && (rc = pin_partition(p, t, lanes, threads, &why)))
        hwloc_topology_destroy(t);
    if (rc && s->pin == PIN_CORES)
        return assay_fail(err, rc, "--pin cores: %.400s", why.text);
    if (s->pin == PIN_CORES)
        return ASSAY_OK;
    if (rc)
        off(p, why.text);
    else if (p->node_count < 2)
        off(p, "one NUMA node");
    else if (!host)
        off(p, "the engine computes on another device");
    else if (p->split)
        off(p, "a lane has more threads than a NUMA node has processors");
    return ASSAY_OK;
}

void pin_release(struct pin *p)
{
    for (uint32_t i = 0; p->lane && i < p->lanes; i++)
        hwloc_bitmap_free(p->lane[i]);
    free(p->lane);
    hwloc_bitmap_free(p->all);
    hwloc_bitmap_free(p->nodes);
    hwloc_bitmap_free(p->usable);
    if (p->topology)
        hwloc_topology_destroy(p->topology);
    memset(p, 0, sizeof(*p));
}

/* ---- threads and memory ---- */

void pin_bind(const struct pin *p, uint32_t lane)
{
    if (p->on)
        hwloc_set_cpubind(p->topology, lane < p->lanes ? p->lane[lane] : p->all,
                          HWLOC_CPUBIND_THREAD);
}

void pin_unbind(const struct pin *p)
{
    if (p->on)
        hwloc_set_cpubind(p->topology, p->usable, HWLOC_CPUBIND_THREAD);
}

void pin_bind_spare(const struct pin *p)
{
    hwloc_bitmap_t spare = p->on ? hwloc_bitmap_alloc() : NULL;

    if (!spare)
        return;
    hwloc_bitmap_andnot(spare, p->usable, p->all);
    hwloc_set_cpubind(p->topology, hwloc_bitmap_iszero(spare) ? p->usable : spare,
                      HWLOC_CPUBIND_THREAD);
    hwloc_bitmap_free(spare);
}

void pin_memory_begin(struct pin *p)
{
    bool several = p->on && hwloc_bitmap_weight(p->nodes) > 1;
    char nodes[64];

    if (!p->on)
        return;
    if (hwloc_get_nbobjs_by_type(p->topology, HWLOC_OBJ_NUMANODE) < 2) {
        snprintf(p->memory, sizeof(p->memory), "one node");
        return;
    }
    hwloc_bitmap_list_snprintf(nodes, sizeof(nodes), p->nodes);
    if (hwloc_set_membind(p->topology, p->nodes,
                          several ? HWLOC_MEMBIND_INTERLEAVE : HWLOC_MEMBIND_BIND,
                          HWLOC_MEMBIND_THREAD | HWLOC_MEMBIND_BYNODESET))
        snprintf(p->memory, sizeof(p->memory), "left to the system: %s", strerror(errno));
    else
        snprintf(p->memory, sizeof(p->memory), "%s %s", several ? "in turn on nodes" : "on node",
                 nodes);
}

void pin_memory_end(struct pin *p)
{
    if (p->on && hwloc_get_nbobjs_by_type(p->topology, HWLOC_OBJ_NUMANODE) > 1)
        hwloc_set_membind(p->topology, p->usable, HWLOC_MEMBIND_DEFAULT, HWLOC_MEMBIND_THREAD);
}

json_t *pin_json(const struct pin *p)
{
    json_t *lanes;
    char text[256];

    if (!p->on)
        return json_pack("{s:b, s:s}", "pinned", 0, "why", p->why);
    lanes = json_array();
    for (uint32_t i = 0; i < p->lanes; i++) {
        hwloc_bitmap_list_snprintf(text, sizeof(text), p->lane[i]);
        json_array_append_new(lanes, json_string(text));
    }
    hwloc_bitmap_list_snprintf(text, sizeof(text), p->nodes);
    return json_pack("{s:b, s:o, s:s, s:s}", "pinned", 1, "lanes", lanes, "nodes", text, "memory",
                     p->memory[0] ? p->memory : "as it was");
}

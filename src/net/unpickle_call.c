/* What a state dict imports and calls: a table of names, and the few values that are built of them.
 */
#include "net/unpickle_machine.h"

enum call {
    CALL_DICT,      /* OrderedDict: of nothing, or of a list of pairs */
    CALL_FIRST,     /* what was put in first: a parameter is its tensor, a size its tuple */
    CALL_TENSOR,    /* (storage, offset, dims, strides, …) */
    CALL_PARAMETER, /* old: an empty one that is filled later, or of a tensor */
    CALL_EMPTY,     /* a tensor class of old: filled later */
    CALL_NEVER,     /* a storage class: only named */
    CALL_NOTE       /* what a checkpoint keeps beside its weights: nothing of it is made */
};

/* All that a pickle can "import". */
static const struct global {
    const char *module, *name;
    enum call call;
    int32_t dtype;
} globals[] = {
    {"collections", "OrderedDict", CALL_DICT, 0},
    {"torch._utils", "_rebuild_tensor_v2", CALL_TENSOR, 0},
    {"torch._utils", "_rebuild_tensor", CALL_TENSOR, 0},
    {"torch._utils", "_rebuild_parameter", CALL_FIRST, 0},
    {"torch", "Size", CALL_FIRST, 0},
    {"torch.nn.parameter", "Parameter", CALL_PARAMETER, 0},
    {"torch", "FloatStorage", CALL_NEVER, ASSAY_F32},
    {"torch", "HalfStorage", CALL_NEVER, ASSAY_F16},
    {"torch", "BFloat16Storage", CALL_NEVER, ASSAY_BF16},
    {"torch", "DoubleStorage", CALL_NEVER, ASSAY_F64},
    {"torch", "CharStorage", CALL_NEVER, ASSAY_I8},
    {"torch", "ByteStorage", CALL_NEVER, ASSAY_U8},
    {"torch", "ShortStorage", CALL_NEVER, ASSAY_I16},
    {"torch", "IntStorage", CALL_NEVER, ASSAY_I32},
    {"torch", "LongStorage", CALL_NEVER, ASSAY_I64},
    {"torch", "BoolStorage", CALL_NEVER, ASSAY_BOOL},
    {"torch", "FloatTensor", CALL_EMPTY, 0},
    {"torch", "HalfTensor", CALL_EMPTY, 0},
    {"torch", "DoubleTensor", CALL_EMPTY, 0},
    {"torch", "CharTensor", CALL_EMPTY, 0},
    {"torch", "ByteTensor", CALL_EMPTY, 0},
    {"torch", "ShortTensor", CALL_EMPTY, 0},
    {"torch", "IntTensor", CALL_EMPTY, 0},
    {"torch", "LongTensor", CALL_EMPTY, 0},
    {"argparse", "Namespace", CALL_NOTE, 0},
    {"numpy", "dtype", CALL_NOTE, 0}, /* these and the next: a loss, an accuracy */
    {"numpy.core.multiarray", "scalar", CALL_NOTE, 0},
    {"numpy._core.multiarray", "scalar", CALL_NOTE, 0},
    {"_codecs", "encode", CALL_NOTE, 0}, /* its bytes, before protocol 3 */
};

static int refuse_global(struct machine *m, const unsigned char *module, size_t n,
                         const unsigned char *name, size_t k)
{
    char full[160];
    size_t i;

    snprintf(full, sizeof(full), "%.*s.%.*s", n < 70 ? (int)n : 70, (const char *)module,
             k < 70 ? (int)k : 70, (const char *)name);
    for (i = 0; full[i]; i++)
        if ((unsigned char)full[i] < 0x20 || full[i] == 0x7f)
            full[i] = '?';
    return assay_fail(m->err, ASSAY_EUNSUPPORTED,
                      "%s: asks for %s, which no state dict needs: refused, and nothing of it was "
                      "executed; save model.state_dict() alone",
                      m->name, full);
}

int machine_global(struct machine *m, const unsigned char *module, size_t n,
                   const unsigned char *name, size_t k)
{
    for (size_t i = 0; i < sizeof(globals) / sizeof(globals[0]); i++)
        if (same(module, n, globals[i].module) && same(name, k, globals[i].name))
            return machine_make_kind(m, PICKLE_GLOBAL, (int64_t)i);
    return refuse_global(m, module, n, name, k);
}

static int integers(struct machine *m, uint32_t row, int64_t out[PICKLE_MAX_RANK], uint32_t *n)
{
    uint32_t item[PICKLE_MAX_RANK];

    if (!machine_is_row(m, row) || m->p->values[row].n > PICKLE_MAX_RANK)
        return machine_bad(m, "a shape has more than 8 dimensions, or is none");
    *n = m->p->values[row].n;
    machine_items(m, row, item, *n);
    for (uint32_t i = 0; i < *n; i++) {
        if (!machine_is(m, item[i], PICKLE_INT))
            return machine_bad(m, "a dimension is no number");
        out[i] = m->p->values[item[i]].integer;
    }
    return ASSAY_OK;
}

static int set_tensor(struct machine *m, struct pickle_tensor *t, const uint32_t arg[4])
{
    uint32_t strides = 0;

    if (!machine_is(m, arg[0], PICKLE_STORAGE) || !machine_is(m, arg[1], PICKLE_INT))
        return machine_bad(m, "a tensor has no storage");
    t->storage = (uint32_t)m->p->values[arg[0]].integer;
    t->offset = m->p->values[arg[1]].integer;
    if (integers(m, arg[2], t->dims, &t->rank) || integers(m, arg[3], t->strides, &strides))
        return ASSAY_EFAIL;
    return strides == t->rank ? ASSAY_OK
                              : machine_bad(m, "a tensor has not a stride for each dimension");
}

static int make_tensor(struct machine *m, const uint32_t *arg)
{
    struct pickle_tensor t = {.storage = PICKLE_NOTHING};
    struct pickle *p = m->p;

    if ((arg && set_tensor(m, &t, arg)) || machine_room(m, &p->tensors, p->tensor_count, sizeof(t)))
        return ASSAY_EFAIL;
    p->tensors[p->tensor_count++] = t;
    return machine_make_kind(m, PICKLE_TENSOR, (int64_t)p->tensor_count - 1);
}

/* OrderedDict(), or OrderedDict([[key, value], …]) as Python 2 wrote it. */
static int make_dict(struct machine *m, uint32_t args)
{
    uint32_t row, pair[2], made, cell;
    int rc = machine_make_kind(m, PICKLE_DICT, 0);

    if (rc || !m->p->values[args].n)
        return rc;
    made = m->stack[m->depth - 1];
    if (!machine_items(m, args, &row, 1) || !machine_is_row(m, row))
        return machine_bad(m, "a dict is made of something else than pairs");
    for (cell = m->p->values[row].first; !rc && cell != PICKLE_NOTHING;
         cell = m->p->cells[cell].next) {
        if (!machine_items(m, m->p->cells[cell].value, pair, 2))
            return machine_bad(m, "a dict is made of something else than pairs");
        rc = machine_append(m, made, pair[0]);
        if (!rc)
            rc = machine_append(m, made, pair[1]);
    }
    return rc;
}

int machine_call(struct machine *m)
{
    uint32_t args, f, arg[4];

    if (machine_pop(m, &args) || machine_pop(m, &f))
        return ASSAY_EFAIL;
    if (!machine_is(m, f, PICKLE_GLOBAL) || !machine_is(m, args, PICKLE_TUPLE))
        return machine_bad(m, "it calls something that cannot be called");
    switch (globals[m->p->values[f].integer].call) {
    case CALL_DICT:
        return make_dict(m, args);
    case CALL_TENSOR:
        return machine_items(m, args, arg, 4) ? make_tensor(m, arg)
                                              : machine_bad(m, "a tensor has no storage");
    case CALL_FIRST:
        return machine_items(m, args, arg, 1) ? machine_push(m, arg[0])
                                              : machine_bad(m, "a parameter has no tensor");
    case CALL_PARAMETER:
        return machine_items(m, args, arg, 1) ? machine_push(m, arg[0]) : make_tensor(m, NULL);
    case CALL_EMPTY:
        return make_tensor(m, NULL);
    case CALL_NOTE:
        return machine_make_kind(m, PICKLE_OPAQUE, 0);
    default:
        return machine_bad(m, "it calls a storage, which is only named");
    }
}

/* What is set behind the making: of a dict or a note nothing that is needed here; of an old tensor
 * (storage, offset, dims, strides); of an old parameter its tensor and four more. */
int machine_build(struct machine *m)
{
    struct pickle_tensor *t;
    uint32_t state, of, arg[4];

    if (machine_pop(m, &state) || machine_pop(m, &of) || machine_push(m, of))
        return ASSAY_EFAIL;
    if (machine_is(m, of, PICKLE_DICT) || machine_is(m, of, PICKLE_OPAQUE))
        return ASSAY_OK;
    if (!machine_is(m, of, PICKLE_TENSOR) || !machine_is(m, state, PICKLE_TUPLE))
        return machine_bad(m, "it sets the insides of something else than a dict or tensor");
    t = &m->p->tensors[m->p->values[of].integer];
    if (m->p->values[state].n == 4 && machine_items(m, state, arg, 4))
        return set_tensor(m, t, arg);
    if (m->p->values[state].n == 5 && machine_items(m, state, arg, 1) &&
        machine_is(m, arg[0], PICKLE_TENSOR))
        *t = m->p->tensors[m->p->values[arg[0]].integer];
    return ASSAY_OK;
}

/* A part of a storage that another one holds: (key, first, count) behind the five items. */
static int storage_part(struct machine *m, uint32_t view, struct pickle_storage *s)
{
    uint32_t item[3];

    if (machine_is(m, view, PICKLE_NONE))
        return ASSAY_OK;
    if (!machine_items(m, view, item, 3) || !machine_is(m, item[1], PICKLE_INT) ||
        !machine_is(m, item[2], PICKLE_INT))
        return machine_bad(m, "a part of a storage has no place");
    s->skip = m->p->values[item[1]].integer;
    s->part = m->p->values[item[2]].integer;
    return s->skip >= 0 && s->part >= 0 && s->skip <= s->count && s->part <= s->count - s->skip
               ? ASSAY_OK
               : machine_bad(m, "a part of a storage lies outside it");
}

/* ("storage", class, key, device, count[, part]) */
int machine_persistent(struct machine *m)
{
    struct pickle_storage s = {0};
    struct pickle *p = m->p;
    uint32_t id, item[6];
    bool parted;

    if (machine_pop(m, &id))
        return ASSAY_EFAIL;
    parted = machine_items(m, id, item, 6);
    if (!machine_items(m, id, item, 5) || !pickle_is(p, item[0], "storage") ||
        !machine_is(m, item[1], PICKLE_GLOBAL) || !machine_is(m, item[2], PICKLE_TEXT) ||
        !machine_is(m, item[4], PICKLE_INT))
        return machine_bad(m, "it refers to something else than a storage");
    s.dtype = globals[p->values[item[1]].integer].dtype;
    s.key = p->values[item[2]].at;
    s.key_len = p->values[item[2]].n;
    s.count = s.part = p->values[item[4]].integer;
    if (!s.dtype || s.count < 0)
        return machine_bad(m, "a storage has no type or no size");
    if ((parted && storage_part(m, item[5], &s)) ||
        machine_room(m, &p->storages, p->storage_count, sizeof(s)))
        return ASSAY_EFAIL;
    p->storages[p->storage_count++] = s;
    return machine_make_kind(m, PICKLE_STORAGE, (int64_t)p->storage_count - 1);
}

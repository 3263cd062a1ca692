/* The shape of what a layer makes, from those of its inputs: where a description is wrong, it shows
 * here. */
#include <string.h>

#include "net/net.h"

struct net_shape net_image(int c, int h, int w)
{
    return (struct net_shape){.rank = 3, .dims = {c, h, w, 1, 1}};
}

const char *net_free_name(uint32_t dim)
{
    return dim ? "S" : "N";
}

static bool same_shape(const struct net_shape *a, const struct net_shape *b)
{
    return a->rank == b->rank && a->free == b->free && !memcmp(a->dims, b->dims, sizeof(a->dims));
}

/* Of a window that moves over rows and columns, and planes: then padding is equal on all sides. */
static struct net_shape window_shape(const struct net_layer *l, struct net_shape s)
{
    int d, pad;

    if ((s.rank != 3 && s.rank != 4) || s.free || s.c % (l->groups ? l->groups : 1))
        return (struct net_shape){0};
    for (d = 1; d < s.rank; d++) {
        pad = s.rank == 3 ? l->pad[d - 1] + l->pad[d + 1] : 2 * l->pad[0];
        if (s.dims[d] + pad < l->kernel)
            return (struct net_shape){0};
        s.dims[d] = (s.dims[d] + pad - l->kernel) / l->stride + 1;
    }
    if (l->op == NET_CONV)
        s.c = l->out;
    return s;
}

/* Every place becomes `times` in each direction. */
static struct net_shape grown_shape(struct net_shape s, int times)
{
    int d;

    if (s.rank < 3)
        return (struct net_shape){0};
    for (d = 1; d < s.rank; d++)
        s.dims[d] *= times;
    return s;
}

/* Along the first dimension. */
static struct net_shape joined_shape(const struct net_layer *l, const struct net_shape *const in[])
{
    struct net_shape s = *in[0], other;
    int i;

    for (i = 1; i < l->ins; i++) {
        other = *in[i];
        other.dims[0] = s.dims[0];
        if (!same_shape(&s, &other))
            return (struct net_shape){0};
        s.dims[0] += in[i]->dims[0];
    }
    return s;
}

/* [s, width] three times and [1, 1, s]. */
static bool attention_fits(const struct net_layer *l, const struct net_shape *const in[])
{
    return in[0]->rank == 2 && same_shape(in[0], in[1]) && same_shape(in[0], in[2]) &&
           in[3]->rank == 3 && in[3]->dims[2] == in[0]->dims[0] && in[0]->dims[1] % l->out == 0;
}

static struct net_shape stacked_shape(const struct net_layer *l, const struct net_shape *const in[])
{
    struct net_shape s = *in[0];
    int i;

    for (i = 1; i < l->ins; i++)
        if (!same_shape(in[i], in[0]))
            return (struct net_shape){0};
    if (s.rank != 1 || s.free)
        return (struct net_shape){0};
    s.rank = 2;
    s.dims[1] = s.dims[0];
    s.dims[0] = l->ins;
    return s;
}

static struct net_shape lstm_shape(const struct net_layer *l, const struct net_shape *const in[])
{
    struct net_shape s = *in[0], state = {.rank = 1, .dims = {l->out, 1, 1, 1, 1}};

    if (l->ins == 3 ? s.rank != 1 || !same_shape(in[1], &state) || !same_shape(in[2], &state)
                    : s.rank != 2)
        return (struct net_shape){0};
    s.dims[s.rank - 1] = l->out;
    return s;
}

struct net_shape net_shape_of(const struct net_layer *l, const struct net_shape *const in[])
{
    static const struct net_shape none = {0};
    struct net_shape s = *in[0];

    switch (l->op) {
    case NET_CONV:
    case NET_MAXPOOL:
        return window_shape(l, s);
    case NET_DECONV:
        s.c = l->out;
        return grown_shape(s, l->stride);
    case NET_UPSAMPLE:
        return grown_shape(s, l->stride);
    case NET_CONCAT:
        return joined_shape(l, in);
    case NET_LSTM:
        return lstm_shape(l, in);
    case NET_CELL:
        return s.rank == 1 ? s : none;
    case NET_STACKTIME:
        s.dims[0] = (s.dims[0] + 1) / 2;
        s.dims[1] *= 2;
        return s.rank == 2 ? s : none;
    case NET_STACK:
        return stacked_shape(l, in);
    case NET_DOTS:
        if (s.rank != 2 || s.free)
            return none;
        s = (struct net_shape){.rank = 1, .dims = {s.dims[0] * (s.dims[0] - 1) / 2, 1, 1, 1, 1}};
        break;
    case NET_STANDARDISE:
        return s.rank == 3 && s.c == 3 ? s : none;
    case NET_GAP:
        s = s.rank == 3 ? net_image(s.c, 1, 1) : none;
        s.rank = 1;
        break;
    case NET_FC:
        if (s.rank < 1 || (s.free >> (s.rank - 1) & 1))
            return none;
        s.dims[s.rank - 1] = l->out;
        break;
    case NET_ADD:
    case NET_MUL:
        return same_shape(in[0], in[1]) ? s : none;
    case NET_SOFTMAX:
        return s.rank == 1 ? s : none;
    case NET_ARGMAX:
        if (s.rank != 1)
            return none;
        s = net_image(1, 1, 1);
        s.rank = 0;
        break;
    case NET_EMBED:
        if (s.rank == NET_RANK)
            return none;
        s.dims[s.rank++] = l->out;
        break;
    case NET_BAG:
        if (s.rank != 1 || s.free || l->many < 1 || l->first + l->many > s.dims[0])
            return none;
        s.dims[0] = l->out;
        break;
    case NET_POSITION:
        return s.rank == 2 && s.dims[0] <= l->out ? s : none;
    case NET_MASK:
        s = (struct net_shape){.rank = 3, .dims = {1, 1, s.dims[0], 1, 1}, .free = s.free << 2};
        break;
    case NET_ATTENTION:
        return attention_fits(l, in) ? s : none;
    case NET_PICK:
        if (s.rank < 1 || l->out >= s.dims[s.rank - 1])
            return none;
        s.dims[--s.rank] = 1;
        break;
    default:
        break;
    }
    return s;
}

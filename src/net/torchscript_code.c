/* The class of a TorchScript module: its attributes, and forward(), a statement a layer, in which
 * xN is what layer N makes.  A batch norm is part of its convolution, so its statement only passes
 * on.
 */
#include "net/torchscript_code.h"

#include "net/fold.h"

/* Attributes of a class are identifiers: "layer1.0.conv1" becomes "layer1_0_conv1". */
static void identifier(char *out, size_t cap, const char *name, const char *suffix)
{
    snprintf(out, cap, "%s%s", name, suffix);
    for (char *p = out; *p; p++)
        if (!(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z') && !(*p >= '0' && *p <= '9'))
            *p = '_';
}

struct torchscript_name torchscript_attribute(const struct net *net, int layer, int k)
{
    struct torchscript_name out;
    char suffix[32];

    snprintf(suffix, sizeof(suffix), "_%s", net_constant_of(net, layer, k).suffix);
    identifier(out.s, sizeof(out.s), net->layers[net->layers[layer].owner].name, suffix);
    return out;
}

/* ---- attributes ---- */

/* Each attribute between two texts. */
static void each_attribute(struct text *t, const struct net *net, const char *before,
                           const char *behind)
{
    for (int i = 0; i < net->layer_count; i++)
        for (int k = 0; k < net_constants(net, i); k++)
            text_addf(t, "%s%s%s", before, torchscript_attribute(net, i, k).s, behind);
}

static void attributes(struct text *t, const struct net *net)
{
    text_add(t, "class " TORCHSCRIPT_CLASS "(Module):\n  __parameters__ = [");
    each_attribute(t, net, "\"", "\", ");
    text_add(t, "]\n  __buffers__ = []\n");
    each_attribute(t, net, "  ", " : Tensor\n");
    text_add(t, "  training : bool\n");
}

/* ---- statements ---- */

/* "[n, n]": one for each direction of an image or volume. */
static void list(struct text *t, const struct net_layer *l, int first, int other)
{
    for (int d = 1; d < l->shape.rank; d++)
        text_addf(t, "%s%d", d == 1 ? "[" : ", ", d == 1 ? first : other);
    text_add(t, "]");
}

static bool symmetric(const int pad[4])
{
    return pad[0] == pad[2] && pad[1] == pad[3];
}

/* Padding at the bottom and right only is what rounding up gives, where that ends at the same
 * size. */
static bool rounds_up(const struct net *net, const struct net_layer *l)
{
    const struct net_shape *in = &net->layers[l->in[0]].shape;

    return l->pad[0] == 0 && l->pad[1] == 0 && l->pad[2] < l->kernel && l->pad[3] < l->kernel &&
           (in->h - l->kernel + l->stride - 1) / l->stride + 1 == l->shape.h &&
           (in->w - l->kernel + l->stride - 1) / l->stride + 1 == l->shape.w;
}

/* The layer's input, padded by a call of its own where the sides differ. */
static void padded(struct text *t, const struct net_layer *l, const char *with)
{
    if (symmetric(l->pad))
        text_addf(t, "x%d", l->in[0]);
    else
        text_addf(t, "torch.constant_pad_nd(x%d, [%d, %d, %d, %d], %s)", l->in[0], l->pad[1],
                  l->pad[3], l->pad[0], l->pad[2], with);
}

/* ", self.WEIGHT, self.BIAS" */
static void weights(struct text *t, const struct net *net, int at)
{
    text_addf(t, ", self.%s", torchscript_attribute(net, at, 0).s);
    if (net_has_bias(net, at))
        text_addf(t, ", self.%s", torchscript_attribute(net, at, 1).s);
    else
        text_add(t, ", None");
}

static void conv(struct text *t, const struct net *net, int at)
{
    static const int none[4];
    const struct net_layer *l = &net->layers[at];
    const int *pad = symmetric(l->pad) ? l->pad : none;

    text_addf(t, "torch.conv%dd(", l->shape.rank - 1);
    padded(t, l, "0");
    weights(t, net, at);
    text_add(t, ", ");
    list(t, l, l->stride, l->stride);
    text_add(t, ", ");
    list(t, l, pad[0], pad[1]);
    text_add(t, ", ");
    list(t, l, 1, 1);
    text_addf(t, ", %d)", l->groups);
}

static void max_pool(struct text *t, const struct net *net, int at)
{
    static const int none[4];
    const struct net_layer *l = &net->layers[at];
    const int *pad = symmetric(l->pad) ? l->pad : none;

    text_add(t, "torch.max_pool2d(");
    if (rounds_up(net, l))
        text_addf(t, "x%d", l->in[0]);
    else
        padded(t, l, "-3.4028234663852886e+38");
    text_addf(t, ", [%d, %d], [%d, %d], [%d, %d], [1, 1], %s)", l->kernel, l->kernel, l->stride,
              l->stride, pad[0], pad[1], rounds_up(net, l) ? "True" : "False");
}

static void deconv(struct text *t, const struct net *net, int at)
{
    const struct net_layer *l = &net->layers[at];

    text_addf(t, "torch.conv_transpose%dd(x%d", l->shape.rank - 1, l->in[0]);
    weights(t, net, at);
    text_add(t, ", ");
    list(t, l, l->stride, l->stride);
    text_add(t, ")");
}

static void joined(struct text *t, const struct net_layer *l, const char *function)
{
    text_addf(t, "%s([", function);
    for (int i = 0; i < l->ins; i++)
        text_addf(t, "%sx%d", i ? ", " : "", l->in[i]);
    text_add(t, "], 1)");
}

/* Every row with every row; of row i the first i are kept. */
static void dots(struct text *t, const struct net *net, const struct net_layer *l, int at)
{
    int in = l->in[0];

    text_addf(t, "torch.bmm(x%d, torch.transpose(x%d, 1, 2))\n    x%d = torch.cat([", in, in, at);
    for (int i = 1; i < net->layers[in].shape.dims[0]; i++)
        text_addf(t, "%storch.slice(torch.select(x%d, 1, %d), 1, 0, %d)", i == 1 ? "" : ", ", at, i,
                  i);
    text_add(t, "], 1)");
}

/* xN is the layer's output, cN the cell state behind a step. */
static void lstm(struct text *t, const struct net *net, const struct net_layer *l, int at)
{
    int in = l->in[0];

    text_addf(t, "    y%d, h%d, c%d = torch.lstm(", at, at, at);
    if (l->ins == 3)
        text_addf(t, "torch.unsqueeze(x%d, 1), [torch.unsqueeze(x%d, 0), torch.unsqueeze(x%d, 0)]",
                  in, l->in[1], l->in[2]);
    else
        text_addf(t,
                  "x%d, [torch.new_zeros(x%d, [1, torch.size(x%d, 0), %d]), "
                  "torch.new_zeros(x%d, [1, torch.size(x%d, 0), %d])]",
                  in, in, in, l->out, in, in, l->out);
    text_add(t, ", [");
    for (int k = 0; k < 4; k++)
        text_addf(t, "%sself.%s", k ? ", " : "", torchscript_attribute(net, at, k).s);
    text_add(t, "], True, 1, 0., False, False, True)\n");
    if (l->ins == 3)
        text_addf(t, "    x%d = torch.squeeze(y%d, 1)\n", at, at);
    else
        text_addf(t, "    x%d = y%d\n", at, at);
}

/* Every other row, beside the row behind it, of which the last may be zeros. */
static void stack_time(struct text *t, int in)
{
    text_addf(t,
              "torch.cat([torch.slice(x%d, 1, 0, 9223372036854775807, 2), "
              "torch.slice(torch.constant_pad_nd(x%d, [0, 0, 0, 1], 0), 1, 1, "
              "9223372036854775807, 2)], 2)",
              in, in);
}

/* Heads apart: [n, s, width] to [n, heads, s, width / heads]. */
static void heads(struct text *t, const struct net_layer *l, int in)
{
    text_addf(t,
              "torch.transpose(torch.view(x%d, [torch.size(x%d, 0), torch.size(x%d, 1), %d, %d]), "
              "1, 2)",
              in, in, in, l->out, l->shape.dims[1] / l->out);
}

static void attention(struct text *t, const struct net_layer *l)
{
    text_add(t, "torch.flatten(torch.transpose(torch.scaled_dot_product_attention(");
    for (int i = 0; i < 3; i++) {
        heads(t, l, l->in[i]);
        text_add(t, ", ");
    }
    text_addf(t, "x%d), 1, 2), 2)", l->in[3]);
}

static void statement(struct text *t, const struct net *net, int at)
{
    const struct net_layer *l = &net->layers[at];

    if (l->op == NET_INPUT)
        return;
    if (l->op == NET_LSTM) {
        lstm(t, net, l, at);
        return;
    }
    text_addf(t, "    x%d = ", at);
    switch (l->op) {
    case NET_CONV:
        conv(t, net, at);
        break;
    case NET_MAXPOOL:
        max_pool(t, net, at);
        break;
    case NET_DECONV:
        deconv(t, net, at);
        break;
    case NET_UPSAMPLE:
        text_addf(t, "torch.upsample_nearest2d(x%d, [%d, %d])", l->in[0], l->shape.h, l->shape.w);
        break;
    case NET_CONCAT:
        joined(t, l, "torch.cat");
        break;
    case NET_CELL:
        text_addf(t, "torch.squeeze(c%d, 0)", l->in[0]);
        break;
    case NET_STACKTIME:
        stack_time(t, l->in[0]);
        break;
    case NET_STACK:
        joined(t, l, "torch.stack");
        break;
    case NET_DOTS:
        dots(t, net, l, at);
        break;
    case NET_SIGMOID:
        text_addf(t, "torch.sigmoid(x%d)", l->in[0]);
        break;
    case NET_STANDARDISE:
        text_addf(t, "torch.div(torch.sub(x%d, self.%s), self.%s)", l->in[0],
                  torchscript_attribute(net, at, 0).s, torchscript_attribute(net, at, 1).s);
        break;
    case NET_INSTANCENORM:
        text_addf(t, "torch.instance_norm(x%d", l->in[0]);
        weights(t, net, at);
        text_addf(t, ", None, None, True, 0., %.17g, True)", (double)l->epsilon);
        break;
    case NET_BN: /* part of its convolution */
        text_addf(t, "x%d", l->in[0]);
        break;
    case NET_RELU:
        text_addf(t, "torch.relu(x%d)", l->in[0]);
        break;
    case NET_MUL:
        text_addf(t, "torch.mul(x%d, x%d)", l->in[0], l->in[1]);
        break;
    case NET_ADD:
        text_addf(t, "torch.add(x%d, x%d)", l->in[0], l->in[1]);
        break;
    case NET_GAP:
        text_addf(t, "torch.flatten(torch.adaptive_avg_pool2d(x%d, [1, 1]), 1)", l->in[0]);
        break;
    case NET_FC:
        text_addf(t, "torch.linear(x%d", l->in[0]);
        weights(t, net, at);
        text_add(t, ")");
        break;
    case NET_EMBED:
        text_addf(t, "torch.embedding(self.%s, x%d)", torchscript_attribute(net, at, 0).s,
                  l->in[0]);
        break;
    case NET_BAG:
        text_addf(t, "torch.sum(torch.embedding(self.%s, torch.slice(x%d, 1, %d, %d)), [1])",
                  torchscript_attribute(net, at, 0).s, l->in[0], l->first, l->first + l->many);
        break;
    case NET_POSITION:
        text_addf(t, "torch.add(x%d, torch.slice(self.%s, 0, 0, torch.size(x%d, 1)))", l->in[0],
                  torchscript_attribute(net, at, 0).s, l->in[0]);
        break;
    case NET_LAYERNORM:
        text_addf(t, "torch.layer_norm(x%d, [%d], self.%s, self.%s, %.17g)", l->in[0],
                  l->shape.dims[l->shape.rank - 1], torchscript_attribute(net, at, 0).s,
                  torchscript_attribute(net, at, 1).s, (double)l->epsilon);
        break;
    case NET_GELU:
        text_addf(t, "torch.gelu(x%d)", l->in[0]);
        break;
    case NET_MASK: /* 6 is float32 */
        text_addf(t,
                  "torch.unsqueeze(torch.unsqueeze(torch.mul(torch.sub(torch.to(x%d, 6), 1.), "
                  "10000.), 1), 1)",
                  l->in[0]);
        break;
    case NET_ATTENTION:
        attention(t, l);
        break;
    case NET_PICK:
        text_addf(t, "torch.contiguous(torch.select(x%d, %d, %d))", l->in[0], l->shape.rank + 1,
                  l->out);
        break;
    case NET_SOFTMAX:
        text_addf(t, "torch.softmax(x%d, 1)", l->in[0]);
        break;
    case NET_ARGMAX:
        text_addf(t, "torch.argmax(x%d, 1)", l->in[0]);
        break;
    default:
        break;
    }
    text_add(t, "\n");
}

void torchscript_code(struct text *t, const struct net *net)
{
    attributes(t, net);
    text_add(t, "  def forward(self: __torch__." TORCHSCRIPT_CLASS);
    for (int i = 0; i < net->input_count; i++)
        text_addf(t, ",\n    x%d: Tensor", i);
    text_add(t, ") -> Tuple[");
    for (int i = 0; i < net->output_count; i++)
        text_add(t, i ? ", Tensor" : "Tensor");
    text_add(t, "]:\n");
    for (int i = 0; i < net->layer_count; i++)
        statement(t, net, i);
    text_add(t, "    return (");
    for (int i = 0; i < net->output_count; i++)
        text_addf(t, "x%d, ", net->output_layer[i]);
    text_add(t, ")\n");
}

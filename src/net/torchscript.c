/* Writes a net as TorchScript (fp32), by our own encoding.
 *
 * The file is a zip archive (zip.h) whose members all lie in one folder, here called after the net:
 *
 *   data.pkl            the module: a pickle of its class and attributes; a tensor in it names
 * data/N code/__torch__.py   the class: attributes, and forward() in TorchScript's own Python
 *   constants.pkl       an empty tuple: forward's numbers stand in its text
 *   data/N              the bytes of a tensor
 *   extra/assay.txt     synthetic, net, seed, and a line for each input and output:
 *                       "input float32 N,3,224,224 input_tensor:0", type, shape, name
 *   version, byteorder  of the format, of the numbers
 *
 * Members need their checksum in front, so weights are folded into memory one tensor at a time. */
#include "net/exact.h"
#include "net/torchscript.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "net/fold.h"
#include "net/zip.h"

#define CLASS_NAME "Net"
#define META_MAX   (4u << 20) /* of everything but weights */
#define NAME_CAP   96

struct writer {
    const struct net *net;
    const struct net_weights *w;
    struct zip zip;
    struct text text; /* the member that is being made */
};

/* Attributes of a class are identifiers: "layer1.0.conv1" becomes "layer1_0_conv1". */
static void identifier(char *out, size_t cap, const char *name, const char *suffix)
{
    snprintf(out, cap, "%s%s", name, suffix);
    for (char *p = out; *p; p++)
        if (!(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z') && !(*p >= '0' && *p <= '9'))
            *p = '_';
}

/* The attribute of a layer's k-th constant; lives until the end of the statement. */
struct label {
    char s[NAME_CAP];
};

static struct label attribute(const struct net *net, int layer, int k)
{
    struct label out;
    char suffix[32];

    snprintf(suffix, sizeof(suffix), "_%s", net_constant_of(net, layer, k).suffix);
    identifier(out.s, sizeof(out.s), net->layers[layer].name, suffix);
    return out;
}

/* ---- the class ---- */

/* Each attribute between two texts. */
static void each_attribute(struct text *t, const struct net *net, const char *before,
                           const char *behind)
{
    for (int i = 0; i < net->layer_count; i++)
        for (int k = 0; k < net_constants(&net->layers[i]); k++)
            text_addf(t, "%s%s%s", before, attribute(net, i, k).s, behind);
}

static void attributes(struct text *t, const struct net *net)
{
    text_add(t, "class " CLASS_NAME "(Module):\n  __parameters__ = [");
    each_attribute(t, net, "\"", "\", ");
    text_add(t, "]\n  __buffers__ = []\n");
    each_attribute(t, net, "  ", " : Tensor\n");
    text_add(t, "  training : bool\n");
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

static void windowed(struct text *t, const struct net *net, int at)
{
    const struct net_layer *l = &net->layers[at];
    static const int none[4];
    const int *pad = symmetric(l->pad) ? l->pad : none;

    if (l->op == NET_CONV) {
        text_add(t, "torch.conv2d(");
        padded(t, l, "0");
        text_addf(t, ", self.%s, self.%s, [%d, %d], [%d, %d], [1, 1], 1)", attribute(net, at, 0).s,
                  attribute(net, at, 1).s, l->stride, l->stride, pad[0], pad[1]);
        return;
    }
    text_add(t, "torch.max_pool2d(");
    if (rounds_up(net, l))
        text_addf(t, "x%d", l->in[0]);
    else
        padded(t, l, "-3.4028234663852886e+38");
    text_addf(t, ", [%d, %d], [%d, %d], [%d, %d], [1, 1], %s)", l->kernel, l->kernel, l->stride,
              l->stride, pad[0], pad[1], rounds_up(net, l) ? "True" : "False");
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
    text_addf(t, "    x%d = ", at);
    switch (l->op) {
    case NET_CONV:
    case NET_MAXPOOL:
        windowed(t, net, at);
        break;
    case NET_BN: /* part of its convolution */
        text_addf(t, "x%d", l->in[0]);
        break;
    case NET_RELU:
        text_addf(t, "torch.relu(x%d)", l->in[0]);
        break;
    case NET_ADD:
        text_addf(t, "torch.add(x%d, x%d)", l->in[0], l->in[1]);
        break;
    case NET_GAP:
        text_addf(t, "torch.flatten(torch.adaptive_avg_pool2d(x%d, [1, 1]), 1)", l->in[0]);
        break;
    case NET_FC:
        text_addf(t, "torch.linear(x%d, self.%s, self.%s)", l->in[0], attribute(net, at, 0).s,
                  attribute(net, at, 1).s);
        break;
    case NET_EMBED:
        text_addf(t, "torch.embedding(self.%s, x%d)", attribute(net, at, 0).s, l->in[0]);
        break;
    case NET_POSITION:
        text_addf(t, "torch.add(x%d, torch.slice(self.%s, 0, 0, torch.size(x%d, 1)))", l->in[0],
                  attribute(net, at, 0).s, l->in[0]);
        break;
    case NET_LAYERNORM:
        text_addf(t, "torch.layer_norm(x%d, [%d], self.%s, self.%s, %.17g)", l->in[0],
                  l->shape.dims[l->shape.rank - 1], attribute(net, at, 0).s,
                  attribute(net, at, 1).s, (double)l->epsilon);
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

static void code(struct text *t, const struct net *net)
{
    attributes(t, net);
    text_add(t, "  def forward(self: __torch__." CLASS_NAME);
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

/* ---- the pickle ---- */

static void pickle_text(struct text *t, const char *s)
{
    uint32_t n = (uint32_t)strlen(s);
    char head[5] = {'X', (char)n, (char)(n >> 8), (char)(n >> 16), (char)(n >> 24)};

    text_addn(t, head, sizeof(head));
    text_add(t, s);
}

/* As PyTorch does: 4 bytes where they hold it, else a long of 8. */
static void pickle_int(struct text *t, uint64_t v)
{
    char b[10] = {'J'};
    int n = 4, at = 1;

    if (v > INT32_MAX) {
        b[0] = '\x8a';
        b[1] = 8;
        n = 8;
        at = 2;
    }
    for (int i = 0; i < n; i++)
        b[at + i] = (char)(v >> 8 * i);
    text_addn(t, b, (size_t)(at + n));
}

/* torch._utils._rebuild_tensor_v2(storage, 0, dims, strides, False, OrderedDict()), where storage
 * is ("storage", torch.FloatStorage, "N", "cpu", count) kept elsewhere. */
static void pickle_tensor(struct text *t, const struct net_constant *b, int number)
{
    uint64_t stride = b->count;
    char key[16];

    snprintf(key, sizeof(key), "%d", number);
    text_add(t, "ctorch._utils\n_rebuild_tensor_v2\n((");
    pickle_text(t, "storage");
    text_add(t, "ctorch\nFloatStorage\n");
    pickle_text(t, key);
    pickle_text(t, "cpu");
    pickle_int(t, b->count);
    text_add(t, "tQ");
    pickle_int(t, 0);
    text_add(t, "(");
    for (uint32_t i = 0; i < b->rank; i++)
        pickle_int(t, (uint64_t)b->dims[i]);
    text_add(t, "t(");
    for (uint32_t i = 0; i < b->rank; i++)
        pickle_int(t, stride /= (uint64_t)b->dims[i]);
    text_add(t, "t\x89"
                "ccollections\nOrderedDict\n)RtR");
}

static void pickle(struct text *t, const struct net *net)
{
    struct net_constant c;
    int number = 0;

    text_add(t, "\x80\x02"
                "c__torch__\n" CLASS_NAME "\n)\x81}(");
    for (int i = 0; i < net->layer_count; i++) {
        for (int k = 0; k < net_constants(&net->layers[i]); k++) {
            c = net_constant_of(net, i, k);
            pickle_text(t, attribute(net, i, k).s);
            pickle_tensor(t, &c, number++);
        }
    }
    pickle_text(t, "training");
    text_add(t, "\x89"
                "ub.");
}

/* ---- what TorchScript has no place for ---- */

static void tensor_line(struct text *t, const char *what, const struct assay_tensor_spec *spec)
{
    text_addf(t, "%s %s ", what, assay_dtype_name(spec->dtype));
    for (uint32_t i = 0; i < spec->rank; i++) {
        text_add(t, i ? "," : "");
        if (spec->dims[i] < 0)
            text_add(t, net_free_name(i));
        else
            text_addf(t, "%" PRId64, spec->dims[i]);
    }
    text_addf(t, " %s\n", spec->name);
}

static void facts(struct text *t, const struct net *net, uint64_t seed)
{
    text_addf(t, "synthetic true\nnet %s\nseed %" PRIu64 "\n", net->name, seed);
    for (int i = 0; i < net->input_count; i++)
        tensor_line(t, "input", &net->inputs[i]);
    for (int i = 0; i < net->output_count; i++)
        tensor_line(t, "output", &net->outputs[i]);
}

/* ---- the file ---- */

static int add(struct writer *s, const char *name, const void *data, size_t len,
               struct assay_err *err)
{
    char full[NAME_CAP + 64];

    snprintf(full, sizeof(full), "%s/%s", s->net->name, name);
    return zip_add(&s->zip, full, data, len, err);
}

static int add_text(struct writer *s, const char *name, struct assay_err *err)
{
    int rc = s->text.cut
                 ? assay_fail(err, ASSAY_EFAIL, "net %s: out of memory for %s", s->net->name, name)
                 : add(s, name, s->text.s, s->text.len, err);

    text_clear(&s->text);
    return rc;
}

static int add_weights(struct writer *s, struct assay_err *err)
{
    const struct net *net = s->net;
    char name[32];
    float *values;
    int i, k, number = 0, rc = ASSAY_OK;

    for (i = 0; !rc && i < net->layer_count; i++) {
        for (k = 0; !rc && k < net_constants(&net->layers[i]); k++) {
            values = net_constant_values(net, s->w, i, k, err);
            snprintf(name, sizeof(name), "data/%d", number++);
            rc = values
                     ? add(s, name, values, net_constant_of(net, i, k).count * sizeof(float), err)
                     : ASSAY_EFAIL;
            free(values);
        }
    }
    return rc;
}

static int add_members(struct writer *s, uint64_t seed, struct assay_err *err)
{
    int rc;

    pickle(&s->text, s->net);
    rc = add_text(s, "data.pkl", err);
    code(&s->text, s->net);
    if (!rc)
        rc = add_text(s, "code/__torch__.py", err);
    facts(&s->text, s->net, seed);
    if (!rc)
        rc = add_text(s, "extra/assay.txt", err);
    text_add(&s->text, "\x80\x02).");
    if (!rc)
        rc = add_text(s, "constants.pkl", err);
    text_add(&s->text, "3\n");
    if (!rc)
        rc = add_text(s, "version", err);
    text_add(&s->text, "little");
    if (!rc)
        rc = add_text(s, "byteorder", err);
    return rc ? rc : add_weights(s, err);
}

int torchscript_write(const struct net *net, const struct net_weights *w, uint64_t seed,
                      const char *path, struct assay_err *err)
{
    struct writer s = {.net = net, .w = w};
    struct file_whole file;
    int rc = net_fold_check(net, err);

    if (!rc)
        rc = file_whole_begin(&file, path, err);
    if (rc)
        return rc;
    zip_init(&s.zip, &file);
    text_init(&s.text, META_MAX);
    rc = add_members(&s, seed, err);
    if (!rc)
        rc = zip_end(&s.zip, err);
    if (!rc)
        rc = file_whole_commit(&file, err);
    file_whole_abandon(&file);
    text_release(&s.text);
    zip_release(&s.zip);
    return rc;
}

/* Writes a net as TorchScript (fp32), by our own encoding.
 *
 * The file is a zip archive (zip.h) whose members all lie in one folder, here called after the net:
 *
 *   data.pkl            the module: a pickle of its class and attributes; a tensor in it names
 * data/N code/__torch__.py   the class (torchscript_code.c)
 *   constants.pkl       an empty tuple: forward's numbers stand in its text
 *   data/N              the bytes of a tensor
 *   extra/assay.txt     synthetic, net, seed or weights_sha256, and a line for each input and
 *                       output:
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
#include "net/pickle_put.h"
#include "net/torchscript_code.h"
#include "net/zip.h"

#define META_MAX (4u << 20) /* of everything but weights */

struct writer {
    const struct net *net;
    const struct net_weights *w;
    uint64_t seed;
    struct zip *zip;
    struct text text; /* the member that is being made */
};

/* ---- the pickle ---- */

static void pickle(struct text *t, const struct net *net)
{
    struct net_constant c;
    int number = 0;

    text_add(t, "\x80\x02"
                "c__torch__\n" TORCHSCRIPT_CLASS "\n)\x81}(");
    for (int i = 0; i < net->layer_count; i++) {
        for (int k = 0; k < net_constants(net, i); k++) {
            c = net_constant_of(net, i, k);
            pickle_put_text(t, torchscript_attribute(net, i, k).s);
            pickle_put_tensor(t, c.rank, c.dims, number++);
        }
    }
    pickle_put_text(t, "training");
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

static void facts(struct text *t, const struct net *net, const struct net_weights *w, uint64_t seed)
{
    text_addf(t, "%snet %s\n", w->synthetic ? "synthetic true\n" : "", net->name);
    if (w->sha256[0])
        text_addf(t, "weights_sha256 %s\n", w->sha256);
    else
        text_addf(t, "seed %" PRIu64 "\n", seed);
    for (int i = 0; i < net->input_count; i++)
        tensor_line(t, "input", &net->inputs[i]);
    for (int i = 0; i < net->output_count; i++)
        tensor_line(t, "output", &net->outputs[i]);
}

/* ---- the file ---- */

static int add(struct writer *s, const char *name, const void *data, size_t len,
               struct assay_err *err)
{
    char full[160];

    snprintf(full, sizeof(full), "%s/%s", s->net->name, name);
    return zip_add(s->zip, full, data, len, err);
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
        for (k = 0; !rc && k < net_constants(net, i); k++) {
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

static int add_members(void *ctx, struct zip *zip, struct assay_err *err)
{
    struct writer *s = ctx;
    int rc;

    s->zip = zip;
    text_init(&s->text, META_MAX);
    pickle(&s->text, s->net);
    rc = add_text(s, "data.pkl", err);
    torchscript_code(&s->text, s->net);
    if (!rc)
        rc = add_text(s, "code/__torch__.py", err);
    facts(&s->text, s->net, s->w, s->seed);
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
    if (!rc)
        rc = add_weights(s, err);
    text_release(&s->text);
    return rc;
}

int torchscript_write(const struct net *net, const struct net_weights *w, uint64_t seed,
                      const char *path, struct assay_err *err)
{
    struct writer s = {.net = net, .w = w, .seed = seed};
    int rc = net_fold_check(net, err);

    return rc ? rc : zip_write_file(path, add_members, &s, err);
}

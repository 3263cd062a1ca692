/* Writes state dicts (fp32) in the format that torch.save has had since PyTorch 1.6.
 *
 * The file is a zip archive (zip.h) with all members in the folder `checkpoint`:
 *
 *   data.pkl            the dict: a pickle in which a tensor names data/N
 *   data/N              the bytes of a tensor
 *   extra/assay.txt     synthetic, net, seed or weights_sha256, as in TorchScript files; torch.load
 *                       passes it over, state_torch.c reads the mark
 *   version, byteorder  of the format, of the numbers
 *
 * Members need their checksum in front, so memory holds one tensor at a time. */
#include "net/exact.h"
#include "net/checkpoint.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "net/pickle_put.h"
#include "net/zip.h"

#define META_MAX (4u << 20) /* of everything but weights */
#define FOLDER   "checkpoint/"

struct writer {
    const struct checkpoint_part *parts;
    size_t n;
    uint64_t seed;
    struct zip *zip;
    struct text text; /* the member that is being made */
};

/* ---- the dict ---- */

static void put_name(struct text *t, const struct net *net, const char *ours)
{
    size_t n = net->spelling[0] ? strlen(net->spelling[0]) : 0;
    char name[160];
    bool other = n && !strncmp(ours, net->spelling[0], n);

    snprintf(name, sizeof(name), "%s%s", other ? net->spelling[1] : "", other ? ours + n : ours);
    pickle_put_text(t, name);
}

static void put_net(struct text *t, const struct net *net, int *number)
{
    static const int64_t one[] = {1};

    for (int i = 0; i < net->tensor_count; i++) {
        put_name(t, net, net->tensors[i].name);
        pickle_put_tensor(t, net->tensors[i].rank, net->tensors[i].dims, (*number)++);
    }
    for (const char *const *name = net->tables; name && *name; name++) {
        pickle_put_text(t, *name);
        pickle_put_tensor(t, 1, one, (*number)++);
    }
}

static void put_dict(struct text *t, const struct writer *s)
{
    int number = 0;

    text_add(t, "\x80\x02}(");
    pickle_put_text(t, "state_dict");
    text_add(t, "}(");
    for (size_t i = 0; i < s->n; i++)
        put_net(t, s->parts[i].net, &number);
    text_add(t, "uu.");
}

static void put_facts(struct text *t, const struct writer *s)
{
    const struct net_weights *w = s->parts[0].w;

    text_add(t, w->synthetic ? "synthetic true\n" : "");
    for (size_t i = 0; i < s->n; i++)
        text_addf(t, "net %s\n", s->parts[i].net->name);
    if (w->sha256[0])
        text_addf(t, "weights_sha256 %s\n", w->sha256);
    else
        text_addf(t, "seed %" PRIu64 "\n", s->seed);
}

/* ---- the file ---- */

static int add_text(struct writer *s, const char *name, struct assay_err *err)
{
    int rc = s->text.cut ? assay_fail(err, ASSAY_EFAIL, "net %s: out of memory for %s",
                                      s->parts[0].net->name, name)
                         : zip_add(s->zip, name, s->text.s, s->text.len, err);

    text_clear(&s->text);
    return rc;
}

static int add_tensor(struct writer *s, const float *values, size_t count, int *number,
                      struct assay_err *err)
{
    char name[40];

    snprintf(name, sizeof(name), FOLDER "data/%d", (*number)++);
    return zip_add(s->zip, name, values, count * sizeof(float), err);
}

static int add_net(struct writer *s, const struct checkpoint_part *p, int *number,
                   struct assay_err *err)
{
    static const float nothing = 0.0f;
    int rc = ASSAY_OK;

    for (int i = 0; !rc && i < p->net->tensor_count; i++) {
        float *values = net_weights_copy(p->net, p->w, i, err);

        rc = values ? add_tensor(s, values, p->net->tensors[i].count, number, err) : ASSAY_EFAIL;
        free(values);
    }
    for (const char *const *name = p->net->tables; !rc && name && *name; name++)
        rc = add_tensor(s, &nothing, 1, number, err);
    return rc;
}

static int add_members(void *ctx, struct zip *zip, struct assay_err *err)
{
    struct writer *s = ctx;
    int rc, number = 0;

    s->zip = zip;
    text_init(&s->text, META_MAX);
    put_dict(&s->text, s);
    rc = add_text(s, FOLDER "data.pkl", err);
    put_facts(&s->text, s);
    if (!rc)
        rc = add_text(s, FOLDER "extra/assay.txt", err);
    text_add(&s->text, "3\n");
    if (!rc)
        rc = add_text(s, FOLDER "version", err);
    text_add(&s->text, "little");
    if (!rc)
        rc = add_text(s, FOLDER "byteorder", err);
    for (size_t i = 0; !rc && i < s->n; i++)
        rc = add_net(s, &s->parts[i], &number, err);
    text_release(&s->text);
    return rc;
}

int checkpoint_write_parts(const struct checkpoint_part *parts, size_t n, uint64_t seed,
                           const char *path, struct assay_err *err)
{
    struct writer s = {.parts = parts, .n = n, .seed = seed};

    return zip_write_file(path, add_members, &s, err);
}

int checkpoint_write(const struct net *net, const struct net_weights *w, uint64_t seed,
                     const char *path, struct assay_err *err)
{
    const struct checkpoint_part one = {net, w};

    return checkpoint_write_parts(&one, 1, seed, path, err);
}

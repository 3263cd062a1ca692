/* Binds weights by name, checks them, and writes nets with them; see bind.h and net_write_weights.
 */
#include "net/bind.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/tree.h"
#include "base/text.h"

#define SHOWN 3 /* names in an error; the rest is counted */

/* ---- by name ---- */

/* "missing a, b, c and 12 more" */
struct names {
    struct text text;
    size_t count;
};

static void add_name(struct names *n, const char *name)
{
    if (n->count++ < SHOWN)
        text_addf(&n->text, "%s%s", n->count > 1 ? ", " : "", name);
}

static void end_names(struct names *n, const char *what, struct text *out)
{
    if (n->count)
        text_addf(out, "%s%s %s", out->len ? "; " : "", what, n->text.s);
    if (n->count > SHOWN)
        text_addf(out, " and %zu more", n->count - SHOWN);
    text_release(&n->text);
}

static void shape_text(char *out, size_t size, const int64_t *dims, uint32_t rank)
{
    size_t n = (size_t)snprintf(out, size, "[");

    for (uint32_t i = 0; i < rank && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%lld", i ? ", " : "", (long long)dims[i]);
    if (n < size)
        snprintf(out + n, size - n, "]");
}

static bool fits(const struct net_tensor *want, const struct state_tensor *have)
{
    return state_is_float(have) && have->rank == want->rank &&
           !memcmp(have->dims, want->dims, want->rank * sizeof(want->dims[0]));
}

/* "fc.weight is float32 [10, 2048], not [1001, 2048]" */
static void add_misfit(struct names *n, const struct net_tensor *want,
                       const struct state_tensor *have)
{
    char is[128], not [128], what[400];

    shape_text(is, sizeof(is), have->dims, have->rank);
    shape_text(not, sizeof(not ), want->dims, want->rank);
    snprintf(what, sizeof(what), "%s is %s %s, not float %s", want->name,
             assay_dtype_name(have->dtype), is, not );
    add_name(n, what);
}

/* The file's tensor for one of ours, by our name or by the checkpoint's. */
static const struct state_tensor *find_for(const struct net *net, const struct state *s,
                                           const char *before, const char *ours)
{
    size_t n = net->spelling[0] ? strlen(net->spelling[0]) : 0;
    const struct state_tensor *have;
    char name[160];

    snprintf(name, sizeof(name), "%s%s", before, ours);
    have = state_find(s, name);
    if (have || !n || strncmp(ours, net->spelling[0], n) != 0)
        return have;
    snprintf(name, sizeof(name), "%s%s%s", before, net->spelling[1], ours + n);
    return state_find(s, name);
}

/* DataParallel puts "module." in front of every name, a wrapper for training "model.". */
static const char *prefix(const struct net *net, const struct state *s)
{
    static const char *const known[] = {"", "module.", "model."};
    const char *first = net->tensors[0].name;

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (find_for(net, s, known[i], first))
            return known[i];
    return "";
}

static bool is_counter(const char *name)
{
    const char *dot = strrchr(name, '.');

    return !strcmp(dot ? dot + 1 : name, "num_batches_tracked");
}

static const struct net_tensor *tensor_called(const struct net *net, const char *name)
{
    for (int i = 0; i < net->tensor_count; i++)
        if (!strcmp(net->tensors[i].name, name))
            return &net->tensors[i];
    return NULL;
}

/* By our name or by the checkpoint's. */
static bool is_ours(const struct net *net, const char *name)
{
    size_t n = net->spelling[1] ? strlen(net->spelling[1]) : 0;
    char ours[160];

    if (tensor_called(net, name))
        return true;
    if (!n || strncmp(name, net->spelling[1], n) != 0)
        return false;
    snprintf(ours, sizeof(ours), "%s%s", net->spelling[0], name + n);
    return tensor_called(net, ours) != NULL;
}

static bool is_beside(const struct net *net, const char *name)
{
    for (const char *const *b = net->beside; b && *b; b++)
        if (!strncmp(name, *b, strlen(*b)))
            return true;
    return false;
}

static void find_surplus(const struct net *net, const struct state *s, const char *before,
                         struct names *surplus)
{
    size_t n = strlen(before);

    for (size_t i = 0; i < s->count; i++) {
        const char *name = s->tensors[i].name;

        if (is_counter(name))
            continue;
        if (strncmp(name, before, n) != 0 || !(is_ours(net, name + n) || is_beside(net, name + n)))
            add_name(surplus, name);
    }
}

static int bind_names(const struct net *net, const struct state *s, struct net_weights *w,
                      size_t *fit, struct assay_err *err)
{
    struct names missing = {0}, misfits = {0}, surplus = {0};
    const char *before = prefix(net, s);
    const struct state_tensor *have;
    struct text all;
    int rc = ASSAY_OK;

    text_init(&missing.text, 400);
    text_init(&misfits.text, 400);
    text_init(&surplus.text, 1000);
    text_init(&all, 2000);
    for (int i = 0; i < net->tensor_count; i++) {
        have = find_for(net, s, before, net->tensors[i].name);
        if (!have) {
            add_name(&missing, net->tensors[i].name);
        } else if (!fits(&net->tensors[i], have)) {
            add_misfit(&misfits, &net->tensors[i], have);
        } else {
            state_floats(s, have, w->data[i]);
            ++*fit;
        }
    }
    find_surplus(net, s, before, &surplus);
    end_names(&misfits, "", &all);
    end_names(&missing, "missing", &all);
    end_names(&surplus, "not wanted:", &all);
    if (all.len)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: does not fit the net %s: %s", s->name, net->name,
                        all.s + strspn(all.s, " "));
    text_release(&all);
    return rc;
}

/* ---- either way ---- */

static int check_numbers(const struct net *net, const struct state *s, const struct net_weights *w,
                         struct assay_err *err)
{
    for (int i = 0; i < net->tensor_count; i++) {
        const struct net_tensor *t = &net->tensors[i];

        for (size_t k = 0; k < t->count; k++)
            if (!isfinite(w->data[i][k]) || (t->role == NET_VAR && w->data[i][k] < 0))
                return assay_fail(
                    err, ASSAY_EFAIL,
                    "%s: %s has a number that no weight can be (%g): is the file whole?", s->name,
                    t->name, (double)w->data[i][k]);
    }
    return ASSAY_OK;
}

/* Weights that a file of ours made up stay made up. */
static bool says_synthetic(const struct state *s)
{
    for (size_t i = 0; s->graph && i < s->graph->metadata_count; i++)
        if (s->graph->metadata[i].key && s->graph->metadata[i].value &&
            !strcmp(s->graph->metadata[i].key, "assay.synthetic") &&
            !strcmp(s->graph->metadata[i].value, "true"))
            return true;
    return false;
}

int bind_weights(const struct net *net, const struct state *s, struct net_weights *w, size_t *fit,
                 struct assay_err *err)
{
    int rc;

    *fit = 0;
    rc = (s->graph ? bind_graph : bind_names)(net, s, w, fit, err);
    if (!rc)
        rc = check_numbers(net, s, w, err);
    w->synthetic = s->synthetic || says_synthetic(s);
    snprintf(w->sha256, sizeof(w->sha256), "%s", s->sha256);
    return rc;
}

/* ---- which net ---- */

struct choice {
    struct net *net;
    struct net_weights *w;
    size_t fit;
    struct assay_err err;
};

static void drop(struct choice *c)
{
    net_weights_destroy(c->w);
    net_destroy(c->net);
    *c = (struct choice){0};
}

static int try_net(const char *name, const struct state *s, struct choice *c)
{
    int rc = net_create(name, &c->net, &c->err);

    if (!rc)
        rc = net_weights_allocate(c->net, &c->w, &c->err);
    return rc ? rc : bind_weights(c->net, s, c->w, &c->fit, &c->err);
}

/* The net of that name or NAME-… that the weights fit; if none, what is wrong with the nearest. */
static int choose(const char *name, const struct state *s, struct choice *best,
                  struct assay_err *err)
{
    size_t i, count, n = strlen(name);
    const char *const *names = net_names(&count);
    struct choice other = {0};
    int rc = try_net(name, s, best);

    for (i = 0; rc && best->net && i < count; i++) {
        if (strncmp(names[i], name, n) != 0 || names[i][n] != '-')
            continue;
        if (!try_net(names[i], s, &other))
            rc = ASSAY_OK;
        if (!rc || other.fit > best->fit) {
            drop(best);
            *best = other;
            other = (struct choice){0};
        }
        drop(&other);
    }
    return rc ? assay_fail(err, rc, "%s", best->err.text) : ASSAY_OK;
}

/* ---- what is said about it ---- */

/* The manifest that `assay run` takes: how the written model is fed. */
static char *make_manifest(const struct choice *c, const char *format, const char *precision,
                           const char *path, const char *sha256, const struct state *s)
{
    const char *file = file_base(path), *dot = strrchr(file, '.');
    char *full = file_absolute(path),
         *name =
             text_format("%.*s", dot && dot > file ? (int)(dot - file) : (int)strlen(file), file);
    struct text t;

    text_init(&t, 65536);
    text_add(&t, "schema: 1\nname: ");
    tree_add_quoted(&t, name ? name : file);
    text_addf(&t, "\nbenchmark: %s\nfiles:\n  %s: ", c->net->benchmark, format);
    tree_add_quoted(&t, full ? full : path);
    text_addf(&t, "\nsha256:\n  %s: \"%s\"\n%s", format, sha256, c->net->feeding);
    if (strcmp(precision, "fp32") != 0)
        text_addf(&t, "precision: %s\n", precision);
    if (c->w->synthetic)
        text_add(&t, "synthetic: true\n");
    text_addf(&t, "source: \"net %s with the weights of SHA-256 %s\"\n", c->net->name, s->sha256);
    free(full);
    free(name);
    return text_take(&t);
}

static int describe(const struct choice *c, const char *format, const char *precision,
                    const char *path, const struct state *s, json_t **out, struct assay_err *err)
{
    char sha256[HASH_HEX], *yaml;
    int rc = hash_file(path, sha256, err);

    if (rc)
        return rc;
    yaml = c->net->feeding ? make_manifest(c, format, precision, path, sha256, s) : NULL;
    *out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:{s:s, s:s, s:s}, s:s?}", "net",
                     c->net->name, "summary", c->net->summary, "format", format, "precision",
                     precision, "file", path, "sha256", sha256, "synthetic", (int)c->w->synthetic,
                     "weights", "file", s->name, "format", s->format, "sha256", s->sha256,
                     "manifest", yaml);
    free(yaml);
    return *out ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "%s: out of memory", path);
}

int net_write_weights(const char *name, const char *format, const char *precision,
                      const char *weights, bool manifest, const char *path, json_t **out,
                      struct assay_err *err)
{
    struct choice c = {0};
    struct state *s = NULL;
    int rc = state_open(weights, &s, err);

    if (!rc)
        rc = choose(name, s, &c, err);
    if (!rc && manifest && !c.net->feeding)
        rc = assay_fail(err, ASSAY_EUSAGE,
                        "how a benchmark feeds the net '%s' is not known, so it has no --manifest: "
                        "write one by hand (docs/models.md)",
                        name);
    if (!rc)
        rc = net_write_as(c.net, c.w, format, precision, 0, path, err);
    if (!rc)
        rc = describe(&c, format, precision, path, s, out, err);
    drop(&c);
    state_close(s);
    return rc;
}

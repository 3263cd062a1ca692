/* assay models new: the frame of the manifest, and which benchmarks have one to begin with.
 *
 * The ONNX file is read by net/onnx.h; what stands below `input` and `output` is the business of
 * one function for each benchmark (starter_*.c).  Before it is given out, the text is read back as
 * a manifest: a file with names that no YAML can hold must not become a broken one. */
#include "cli/starter.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/tree.h"
#include "data/bench_host.h"
#include "data/manifest.h"
#include "engine/open.h"
#include "net/net.h"

#define MAX_YAML 65536
#define MAX_NAME 127 /* of a tensor, in a manifest */

static const struct {
    const char *benchmark;
    starter_blocks *blocks;
} known[] = {
    {"resnet50", starter_classifier}, {"bert", starter_questions}, {"3d-unet", starter_volumes}};

int starter_refuse(const struct starter *s, const char *what, const struct onnx_value *v,
                   const char *why, struct assay_err *err)
{
    char shape[160];

    engine_shape_text(v->dims, v->rank, shape, sizeof(shape));
    return assay_fail(err, ASSAY_EUNSUPPORTED, "%s: %s '%.100s' is %s %s: %s", s->file, what,
                      v->name ? v->name : "?", assay_dtype_name(onnx_dtype(v->elem_type)), shape,
                      why);
}

int starter_check_batch(const struct starter *s, const struct onnx_value *in, struct assay_err *err)
{
    if (!in->rank || in->dims[0] < 2)
        return ASSAY_OK;
    return starter_refuse(s, "input", in,
                          "engines take it with a free batch dimension (the first), or with 1; "
                          "export it so",
                          err);
}

void starter_batch_comment(const struct onnx_value *in, struct text *yaml)
{
    if (in->rank && in->dims[0] == 1)
        text_add(yaml, "  # batch 1 is fixed in the file; larger ones want it exported with a "
                       "free batch dimension\n");
}

int starter_check_name(const struct starter *s, const char *name, struct assay_err *err)
{
    if (strlen(name) <= MAX_NAME)
        return ASSAY_OK;
    return assay_fail(err, ASSAY_EUNSUPPORTED,
                      "%s: the tensor's name '%.40s…' is longer than the %d bytes that a manifest "
                      "takes; rename it",
                      s->file, name, MAX_NAME);
}

static int find(const char *benchmark, starter_blocks **blocks, struct assay_err *err)
{
    const struct assay_benchmark *table;
    char path[1024];
    int rc;

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (!strcmp(known[i].benchmark, benchmark)) {
            *blocks = known[i].blocks;
            return ASSAY_OK;
        }
    }
    if ((rc = bench_load(benchmark, &table, path, err)))
        return rc;
    return assay_fail(err, ASSAY_EUSAGE,
                      "`assay models new` makes manifests for resnet50, bert and 3d-unet; for %s "
                      "copy one that `assay models` lists, and change it",
                      benchmark);
}

/* ---- the file ---- */

static bool is_initializer(const struct onnx_model *m, const char *name)
{
    for (size_t i = 0; i < m->initializer_count; i++)
        if (m->initializers[i].name && !strcmp(m->initializers[i].name, name))
            return true;
    return false;
}

static int list_inputs(struct starter *s, struct assay_err *err)
{
    const struct onnx_model *m = s->model;

    s->inputs = calloc(m->input_count + 1, sizeof(*s->inputs));
    if (!s->inputs)
        return assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", s->file);
    for (size_t i = 0; i < m->input_count; i++) {
        if (m->inputs[i].name && !is_initializer(m, m->inputs[i].name))
            s->inputs[s->input_count++] = &m->inputs[i];
    }
    return ASSAY_OK;
}

/* Float16 is float32 to a benchmark: the host converts. */
static void widen(struct onnx_value *v, size_t n)
{
    for (; n--; v++)
        if (onnx_dtype(v->elem_type) == ASSAY_F16)
            v->elem_type = 1; /* float32 */
}

/* The operators by which engines know a model in int8, too. */
static bool is_int8(const struct onnx_model *m)
{
    static const char *const ops[] = {"DequantizeLinear", "QLinearConv", "QLinearMatMul",
                                      "MatMulInteger", "ConvInteger"};

    for (size_t i = 0; i < m->node_count; i++)
        for (size_t k = 0; m->nodes[i].op && k < sizeof(ops) / sizeof(ops[0]); k++)
            if (!strcmp(m->nodes[i].op, ops[k]))
                return true;
    return false;
}

/* Most of the weights are float16. */
static bool is_half(const struct onnx_model *m)
{
    double half = 0, all = 0, n;

    for (size_t i = 0; i < m->initializer_count; i++) {
        const struct onnx_value *v = &m->initializers[i];

        n = 1;
        for (uint32_t d = 0; d < v->rank; d++)
            n *= (double)v->dims[d];
        all += n;
        half += onnx_dtype(v->elem_type) == ASSAY_F16 ? n : 0;
    }
    return half > all / 2;
}

/* ---- the frame ---- */

/* The folder in which a file lies, absolute. */
static char *folder_of(const char *path)
{
    size_t n = (size_t)(file_base(path) - path);
    char *folder = n ? text_format("%.*s", (int)n, path) : text_format(".");
    char *full = folder ? file_absolute(folder) : NULL;

    free(folder);
    return full;
}

static void add_file(const struct starter *s, const char *to, struct text *t)
{
    char *here = folder_of(s->file), *there = to ? folder_of(to) : NULL;
    char *full = file_absolute(s->file);
    bool beside = here && there && !strcmp(here, there);

    text_add(t, "files:\n  onnx: ");
    tree_add_quoted(t, beside ? file_base(s->file) : full ? full : s->file);
    text_add(t, beside ? "  # beside this file\n" : "\n");
    free(here);
    free(there);
    free(full);
}

/* What stands above the blocks. */
static void add_frame(const struct starter *s, const char *benchmark, const char *to, bool guesses,
                      struct text *t)
{
    const char *base = file_base(s->file), *dot = strrchr(base, '.');
    char *name =
        text_format("%.*s", dot && dot > base ? (int)(dot - base) : (int)strlen(base), base);

    text_add(t, "# Made by `assay models new` of what the ONNX file says; every key is told in "
                "docs/models.md.\n");
    if (guesses)
        text_add(t, "# Behind \"guess\" stands what it does not say: a wrong one runs too, and "
                    "shows as a poor accuracy.\n");
    text_add(t, "schema: 1\nname: ");
    tree_add_quoted(t, name ? name : base);
    text_addf(t, "\nbenchmark: %s\n", benchmark);
    if (net_says_synthetic(s->file))
        text_add(t, "synthetic: true  # the file says that its weights are made up\n");
    if (is_int8(s->model))
        text_add(t, "precision: int8\n");
    else if (is_half(s->model))
        text_add(t, "precision: fp16\n");
    add_file(s, to, t);
    free(name);
}

static int add_all(const struct starter *s, const char *benchmark, const char *to,
                   starter_blocks *blocks, struct text *t, struct assay_err *err)
{
    struct text below;
    int rc;

    text_init(&below, MAX_YAML);
    rc = blocks(s, &below, err);
    if (!rc) {
        add_frame(s, benchmark, to, strstr(below.s, STARTER_GUESS), t);
        text_add(t, below.s);
        t->cut |= below.cut;
    }
    text_release(&below);
    return rc;
}

static int take_text(struct text *t, const char *file, char **yaml, struct assay_err *err)
{
    struct manifest m = {0};
    size_t len = t->len;
    int rc;

    if (!(*yaml = text_take(t)))
        return assay_fail(err, ASSAY_EFAIL, "%s: its manifest would be too long", file);
    rc = manifest_parse(*yaml, len, file, &m, err);
    manifest_release(&m);
    if (rc) {
        free(*yaml);
        *yaml = NULL;
    }
    return rc;
}

int starter_make(const char *net, const char *benchmark, const char *to, char **yaml,
                 struct assay_err *err)
{
    struct onnx_model m = {0};
    struct starter s = {.file = net, .model = &m};
    starter_blocks *blocks = NULL;
    struct text t;
    int rc = find(benchmark, &blocks, err);

    text_init(&t, MAX_YAML);
    if (!rc)
        rc = onnx_read_file(net, &m, err);
    widen(m.inputs, m.input_count);
    widen(m.outputs, m.output_count);
    if (!rc)
        rc = list_inputs(&s, err);
    if (!rc)
        rc = add_all(&s, benchmark, to, blocks, &t, err);
    if (!rc)
        rc = take_text(&t, net, yaml, err);
    text_release(&t);
    free(s.inputs);
    onnx_release(&m);
    return rc;
}

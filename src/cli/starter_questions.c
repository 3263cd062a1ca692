/* The input and output blocks of a model that answers questions (benchmark bert), from an ONNX
 * file: three inputs and two outputs, told apart by what exporters call them. */
#include <string.h>

#include "base/tree.h"
#include "cli/starter.h"

#define LENGTH 384 /* the benchmark's */

enum role { IDS, MASK, TYPES, ROLES };
static const char *const role_names[] = {"ids", "mask", "types"};

struct questions {
    const struct onnx_value *in[ROLES], *start, *end, *joined;
    enum role order[ROLES];
};

static enum role role_of(const char *name)
{
    if (strstr(name, "segment") || strstr(name, "type"))
        return TYPES;
    return strstr(name, "mask") ? MASK : IDS;
}

static int unlike(const struct starter *s, struct assay_err *err)
{
    return assay_fail(err, ASSAY_EUNSUPPORTED,
                      "%s: the benchmark bert feeds three inputs, token ids, a mask and segments "
                      "(such as input_ids, attention_mask, token_type_ids); the model takes %zu, "
                      "or others",
                      s->file, s->input_count);
}

static int check_input(const struct starter *s, const struct onnx_value *v,
                       const struct onnx_value *first, struct assay_err *err)
{
    int32_t dtype = onnx_dtype(v->elem_type);
    int rc;

    if (v->rank != 2 || (dtype != ASSAY_I64 && dtype != ASSAY_I32) ||
        (v->dims[1] != LENGTH && v->dims[1] != -1))
        return starter_refuse(s, "input", v,
                              "the benchmark feeds int64 or int32 [batch,384], or shorter ones "
                              "where the second dimension is free",
                              err);
    if (v->elem_type != first->elem_type || v->dims[1] != first->dims[1])
        return starter_refuse(s, "input", v, "all three must have one type and one length", err);
    rc = starter_check_batch(s, v, err);
    return rc ? rc : starter_check_name(s, v->name, err);
}

static int read_inputs(const struct starter *s, struct questions *q, struct assay_err *err)
{
    int rc = ASSAY_OK;

    if (s->input_count != ROLES)
        return unlike(s, err);
    for (size_t i = 0; i < ROLES && !rc; i++) {
        enum role r = role_of(s->inputs[i]->name);

        if (q->in[r])
            return unlike(s, err);
        q->in[r] = s->inputs[i];
        q->order[i] = r;
        rc = check_input(s, s->inputs[i], s->inputs[0], err);
    }
    return rc;
}

static int read_outputs(const struct starter *s, struct questions *q, struct assay_err *err)
{
    for (size_t i = 0; i < s->model->output_count; i++) {
        const struct onnx_value *v = &s->model->outputs[i];

        if (!v->name || onnx_dtype(v->elem_type) != ASSAY_F32)
            continue;
        if (v->rank == 3 && v->dims[2] == 2 && !q->joined)
            q->joined = v;
        if (v->rank == 2 && strstr(v->name, "start") && !q->start)
            q->start = v;
        else if (v->rank == 2 && strstr(v->name, "end") && !q->end)
            q->end = v;
    }
    if (!q->joined && !(q->start && q->end)) {
        starter_refuse(s, "output", &s->model->outputs[0],
                       "the benchmark bert needs float32 [batch,length] with \"start\" in "
                       "its name and one with \"end\", or one [batch,length,2]",
                       err);
        return ASSAY_EUNSUPPORTED;
    }
    return ASSAY_OK;
}

static void write_inputs(const struct questions *q, struct text *t)
{
    bool usual = true;

    text_add(t, "input:\n");
    starter_batch_comment(q->in[IDS], t);
    for (int r = 0; r < ROLES; r++) {
        text_addf(t, "  %s: ", role_names[r]);
        tree_add_quoted(t, q->in[r]->name);
        text_add(t, "\n");
        usual = usual && q->order[r] == (enum role)r;
    }
    if (!usual)
        text_addf(t, "  order: [%s, %s, %s]\n", role_names[q->order[0]], role_names[q->order[1]],
                  role_names[q->order[2]]);
    text_addf(t,
              "  dtype: %s\n  length: %d%s\n"
              "  vocabulary: 30522  # guess: words of BERT uncased\n"
              "  vocab: vocab.txt  # guess: the file with them, below the data set's folder or "
              "absolute\n",
              assay_dtype_name(onnx_dtype(q->in[IDS]->elem_type)), (int)q->in[IDS]->dims[1],
              q->in[IDS]->dims[1] < 0 ? "  # free: each sample has its own" : "");
}

static int write_outputs(const struct starter *s, const struct questions *q, struct text *t,
                         struct assay_err *err)
{
    const struct onnx_value *first = q->start && q->end ? q->start : q->joined;
    int rc = starter_check_name(s, first->name, err);

    text_addf(t, "output:\n  kind: %s\n  %s: ", first == q->joined ? "joined" : "split",
              first == q->joined ? "name" : "start");
    tree_add_quoted(t, first->name);
    text_add(t, "\n");
    if (rc || first == q->joined)
        return rc;
    text_add(t, "  end: ");
    tree_add_quoted(t, q->end->name);
    text_add(t, "\n");
    return starter_check_name(s, q->end->name, err);
}

int starter_questions(const struct starter *s, struct text *yaml, struct assay_err *err)
{
    struct questions q = {{NULL}, NULL, NULL, NULL, {IDS}};
    int rc = read_inputs(s, &q, err);

    if (!rc)
        rc = read_outputs(s, &q, err);
    if (rc)
        return rc;
    write_inputs(&q, yaml);
    return write_outputs(s, &q, yaml, err);
}

/* BERT-Large, uncased, with the head for SQuAD: embeddings, 24 encoder layers, and a start and an
 * end logit for each token.  Names are those of the official PyTorch state dict, inputs and outputs
 * those of the official ONNX file.  The pooler of that state dict is not used for SQuAD.
 *
 * Gains of the synthetic weights: tokens differ by their word more than by place and kind; queries
 * and keys are so large that a token looks at some others, not at all alike; what a part adds to
 * the stream is small beside it, so that 24 layers keep what the input was. */
#include "net/nets.h"

#include <stdio.h>

struct size {
    int layers, hidden, heads, words;
};

struct label {
    char s[96];
};

static struct label label(int layer, const char *part)
{
    struct label n;

    snprintf(n.s, sizeof(n.s), "bert.encoder.layer.%d.%s", layer, part);
    return n;
}

static int embeddings(struct net *net, const struct size *z, int words, int kinds)
{
    static const char *const base = "bert.embeddings";
    char name[64];
    int x, kind;

    snprintf(name, sizeof(name), "%s.word_embeddings", base);
    x = net_add_embed(net, name, words, z->words, z->hidden);
    snprintf(name, sizeof(name), "%s.position_embeddings", base);
    x = net_set_gain(net, net_add_position(net, name, x, 512), 0.4f);
    snprintf(name, sizeof(name), "%s.token_type_embeddings", base);
    kind = net_set_gain(net, net_add_embed(net, name, kinds, 2, z->hidden), 0.4f);
    snprintf(name, sizeof(name), "%s.LayerNorm", base);
    return net_add_layernorm(net, name, net_add_sum(net, "bert.embeddings.add", x, kind), 1e-12f);
}

static int encoder(struct net *net, const struct size *z, int layer, int x, int mask)
{
    static const char *const projection[3] = {"query", "key", "value"};
    static const float gain[3] = {1.5f, 1.5f, 1.0f};
    char part[64];
    int in[4], i, y;

    for (i = 0; i < 3; i++) {
        snprintf(part, sizeof(part), "attention.self.%s", projection[i]);
        in[i] = net_set_gain(net, net_add_fc(net, label(layer, part).s, x, z->hidden), gain[i]);
    }
    in[3] = mask;
    y = net_add_attention(net, label(layer, "attention.self").s, in, z->heads);
    y = net_add_fc(net, label(layer, "attention.output.dense").s, y, z->hidden);
    y = net_add_sum(net, label(layer, "attention.output.add").s, net_set_gain(net, y, 0.3f), x);
    x = net_add_layernorm(net, label(layer, "attention.output.LayerNorm").s, y, 1e-12f);
    y = net_add_fc(net, label(layer, "intermediate.dense").s, x, 4 * z->hidden);
    y = net_add_plain(net, NET_GELU, label(layer, "intermediate.gelu").s, y);
    y = net_add_fc(net, label(layer, "output.dense").s, y, z->hidden);
    y = net_add_sum(net, label(layer, "output.add").s, net_set_gain(net, y, 0.3f), x);
    return net_add_layernorm(net, label(layer, "output.LayerNorm").s, y, 1e-12f);
}

static void build(struct net *net, const struct size *z)
{
    /* In the official state dict; in those of some versions of transformers. */
    static const char *const unused[] = {"bert.pooler.", "bert.embeddings.position_ids", NULL};
    int words, mask, kinds, x, i;

    net->analytic = true;
    net->beside = unused;
    words = net_add_sequence(net, "input_ids", 384);
    mask = net_add_sequence(net, "input_mask", 384);
    kinds = net_add_sequence(net, "segment_ids", 384);
    mask = net_add_plain(net, NET_MASK, "mask", mask);
    x = embeddings(net, z, words, kinds);
    for (i = 0; i < z->layers; i++)
        x = encoder(net, z, i, x, mask);
    x = net_set_gain(net, net_add_fc(net, "qa_outputs", x, 2), 3.0f);
    net_add_output(net, "output_start_logits", net_add_pick(net, "start_logits", x, 0));
    net_add_output(net, "output_end_logits", net_add_pick(net, "end_logits", x, 1));
}

void net_build_bert(struct net *net)
{
    build(net, &(struct size){.layers = 24, .hidden = 1024, .heads = 16, .words = 30522});
}

void net_build_bert_small(struct net *net)
{
    build(net, &(struct size){.layers = 2, .hidden = 64, .heads = 4, .words = 1000});
}

void net_build_bert_deep(struct net *net)
{
    build(net, &(struct size){.layers = 8, .hidden = 256, .heads = 4, .words = 1000});
}

/* RNN-T of MLPerf for LibriSpeech, as the three graphs that greedy decoding calls: the encoder on a
 * whole utterance (its frames come spliced and normalised, 240 numbers each), the prediction
 * network for one label and the state behind the label before, and the joint network for one pair
 * of their outputs.  Names are those of the official state dict.
 *
 * Prediction: label 28, which stands for blank elsewhere, stands for the start here, whose
 * embedding is all zeros.  States are the two layers' hidden and cell values; the upper hidden one
 * is what the joint network reads.
 *
 * Synthetic weights: what an LSTM layer gives is small, so the gains above 1.  The joint network's
 * last layer favours blank by so much that about 0.9 labels come out at each step, as of trained
 * networks: else decoding would emit the most that is allowed at every step and measure something
 * else. */
#include "net/nets.h"

#include <stdio.h>

#define FRAME  240
#define LABELS 29 /* blank is the last */

struct size {
    int encoder, prediction, joint;
};

static const struct size full = {1024, 320, 512}, narrow = {24, 12, 16};

/* The official checkpoint has all three networks, and the tables of its pre-processing; of a net's
 * own part nothing may be left over. */
#define TABLES "audio_preprocessor.featurizer."
static const char *const beside_encoder[] = {"prediction.", "joint_net.", "joint.", TABLES, NULL};
static const char *const beside_prediction[] = {"encoder.", "joint_net.", "joint.", TABLES, NULL};
/* The reference takes the tables out of a checkpoint unseen, and wants them there. */
static const char *const tables[] = {TABLES "fb", TABLES "window", NULL};
static const char *const beside_joint[] = {"encoder.", "prediction.", TABLES, NULL};

static int layers(struct net *net, const char *name, int x, int count, int width)
{
    for (int i = 0; i < count; i++)
        x = net_set_gain(net, net_add_lstm(net, name, i, &x, 1, width), i ? 2.0f : 1.0f);
    return x;
}

static void encoder(struct net *net, const struct size *z)
{
    int x;

    net->analytic = true;
    net->beside = beside_encoder;
    net->tables = tables;
    x = net_add_frames(net, "frames", 500, FRAME);
    x = layers(net, "encoder.pre_rnn.lstm", x, 2, z->encoder);
    x = net_add_plain(net, NET_STACKTIME, "encoder.stack_time", x);
    x = layers(net, "encoder.post_rnn.lstm", x, 3, z->encoder);
    net_add_output(net, "encoded", x);
}

static void prediction(struct net *net, const struct size *z)
{
    static const char *const in[4] = {"h0", "c0", "h1", "c1"};
    static const char *const out[4] = {"h0_next", "c0_next", "h1_next", "c1_next"};
    int state[4], x, i, step[3];
    char name[32];

    net->analytic = true;
    net->beside = beside_prediction;
    x = net_add_number(net, "label");
    for (i = 0; i < 4; i++)
        state[i] = net_add_row(net, in[i], ASSAY_F32, z->prediction);
    x = net_add_embed(net, "prediction.embed", x, LABELS - 1, z->prediction);
    net_set_blank(net, x);
    for (i = 0; i < 2; i++) {
        step[0] = x;
        step[1] = state[2 * i];
        step[2] = state[2 * i + 1];
        x = net_set_gain(net,
                         net_add_lstm(net, "prediction.dec_rnn.lstm", i, step, 3, z->prediction),
                         i ? 2.0f : 1.0f);
        snprintf(name, sizeof(name), "prediction.cell.%d", i);
        net_add_output(net, out[2 * i], x);
        net_add_output(net, out[2 * i + 1], net_add_plain(net, NET_CELL, name, x));
    }
}

static void joint(struct net *net, const struct size *z)
{
    int e, p, x;

    net->analytic = true;
    net->beside = beside_joint;
    net->spelling[0] = "joint.net.";
    net->spelling[1] = "joint_net.";
    e = net_add_row(net, "encoded", ASSAY_F32, z->encoder);
    p = net_add_row(net, "predicted", ASSAY_F32, z->prediction);
    x = net_add_fc(net, "joint.net.0", net_add_concat(net, "joint.in", (int[]){e, p}, 2), z->joint);
    x = net_add_plain(net, NET_RELU, "joint.net.1", net_set_gain(net, x, 4.0f));
    x = net_set_gain(net, net_set_balanced(net, net_add_fc(net, "joint.net.3", x, LABELS)), 2.0f);
    net_set_favour(net, x, LABELS - 1, 2.0f);
    net_add_output(net, "logits", x);
}

void net_build_rnnt_encoder(struct net *net)
{
    encoder(net, &full);
}

void net_build_rnnt_prediction(struct net *net)
{
    prediction(net, &full);
}

void net_build_rnnt_joint(struct net *net)
{
    joint(net, &full);
}

void net_build_rnnt_encoder_small(struct net *net)
{
    encoder(net, &narrow);
}

void net_build_rnnt_prediction_small(struct net *net)
{
    prediction(net, &narrow);
}

void net_build_rnnt_joint_small(struct net *net)
{
    joint(net, &narrow);
}

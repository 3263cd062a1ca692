/* What the files of this benchmark share. */
#ifndef RNNT_H
#define RNNT_H

#include "assay/benchmark.h"
#include "data/logmel.h"
#include "data/speech.h"

enum graph { GRAPH_ENCODER, GRAPH_PREDICTION, GRAPH_JOINT, GRAPHS };

#define LABELS       28 /* space, a … z, apostrophe; the next is blank */
#define BLANK        LABELS
#define MOST_SYMBOLS 30 /* at a step of the encoder */
#define MOST_LAYERS  4  /* of the prediction network: a hidden and a cell state each */
#define MOST_STATES  (2 * MOST_LAYERS)

struct model {
    struct logmel_rule features;
    int64_t encoder, prediction; /* widths of what they give */
    uint32_t states;             /* twice the layers */
    int64_t start;               /* the label that stands for "none yet" */
    size_t symbol_bytes;         /* of a label in the log: 8 or 1 */
    double reference, target;    /* percent; NaN: none */

    char names[2 * MOST_STATES][24]; /* of states, then of the next ones */
    struct assay_tensor_spec inputs[GRAPHS][1 + MOST_STATES], outputs[GRAPHS][MOST_STATES];
    struct assay_graph_desc graphs[GRAPHS];
};

/* From the manifest's JSON text; errors name the key.  m must not be moved afterwards. */
int model_parse(const char *manifest, struct model *m, struct assay_err *err);

/* What decoding one utterance needs; one thread at a time. */
struct decode_work {
    float *encoded;  /* most steps × model.encoder */
    float *state[2]; /* states × model.prediction: before and after the last label */
    uint64_t steps;  /* room in encoded */
};

int decode_work_init(struct decode_work *w, const struct model *m, uint64_t most_steps);
void decode_work_release(struct decode_work *w);
/* Greedy decoding of `rows` rows of features.  labels has room for MOST_SYMBOLS × rows. */
int decode(const struct model *m, const struct assay_driver *driver, const float *features,
           uint64_t rows, struct decode_work *w, uint8_t *labels, uint64_t *n,
           struct assay_err *err);

/* Made-up utterances: functions of seed and index alone. */
uint64_t synthetic_length(uint64_t seed, uint64_t index);
void synthetic_speech(uint64_t seed, uint64_t index, uint64_t samples, int16_t *out);
/* The caller frees it; NULL: not enough memory. */
char *synthetic_transcript(uint64_t seed, uint64_t index, uint64_t samples);

#endif

/* What the files of this benchmark share. */
#ifndef BERT_H
#define BERT_H

#include "assay/benchmark.h"
#include "data/squad_features.h"
#include "score/squad.h"

enum role { ROLE_IDS, ROLE_MASK, ROLE_TYPES, ROLES };

struct model {
    enum role order[ROLES];   /* of the model's inputs */
    char inputs[ROLES][128];  /* names, by role; "": the tensor at that place */
    char outputs[2][128];     /* start and end; joined: the first */
    bool joined;              /* one output [384, 2], else two [384] */
    int32_t dtype;            /* of the inputs */
    bool free;                /* the sequence axis: samples are given without padding */
    int64_t vocabulary;       /* ids below it are the model's */
    char vocab[128];          /* file; a relative name is looked for in the data set's folder */
    double reference, target; /* percent; share of it in percent.  NaN: none */
};

/* From the manifest's JSON text; errors name the key. */
int model_parse(const char *manifest, struct model *m, struct assay_err *err);

/* Made-up vocabulary, and questions in SQuAD's format, of which there are at least n features:
 * functions of seed and n alone. */
void synthetic_vocab(struct text *out);
void synthetic_squad(uint64_t seed, uint64_t n, struct text *out);

/* A sample's payload: `values` pairs of start and end logit (at most SQUAD_POSITIONS). */
struct payload {
    const uint8_t *pairs; /* float32; NULL: there is none */
    uint32_t values;
};

/* Appends the answer to a question from the payloads of its features (payloads[index] for each,
 * below n); "empty" when there is none. */
int answer_write(const struct squad_features *f, uint32_t question, const struct payload *payloads,
                 uint64_t n, struct text *out, struct assay_err *err);

#endif

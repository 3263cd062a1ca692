/* SQuAD's questions as BERT's inputs: [CLS] question [SEP] part of the paragraph [SEP], and where
 * each token of that part comes from.
 *
 * A paragraph that is too long gives several windows, 128 tokens apart.  One of them, in which a
 * token has the most context, is the token's own: answers begin there only. */
#ifndef DATA_SQUAD_FEATURES_H
#define DATA_SQUAD_FEATURES_H

#include "data/squad.h"
#include "data/wordpiece.h"

#define SQUAD_LENGTH   384 /* positions of a feature */
#define SQUAD_STRIDE   128
#define SQUAD_QUESTION 64 /* tokens of a question, at most */

struct squad_feature {
    uint32_t question;     /* whose */
    uint32_t window;       /* which of the question's, from 0 */
    uint32_t start, count; /* its tokens of the paragraph */
    uint32_t length;       /* tokens in all, at most SQUAD_LENGTH */
};

/* A word of a paragraph as it stands in the text. */
struct squad_word {
    const char *text;
    size_t len;
};

struct squad_paragraph {
    struct wordpiece_ids tokens;
    uint32_t *word_of; /* [tokens.n] */
    struct squad_word *words;
    uint32_t word_count;
};

struct squad_features {
    const struct squad *squad;
    const struct vocab *vocab;
    uint64_t n;
    struct squad_feature *features; /* by question, then window */
    uint64_t cap;
    struct squad_paragraph *paragraphs;
    struct wordpiece_ids *questions; /* at most SQUAD_QUESTION */
    uint64_t *first;                 /* [question_count + 1]: its first feature */
};

/* Tokenises everything on several threads.  squad and vocab must outlive f. */
int squad_features_make(const struct squad *squad, const struct vocab *vocab, uint32_t threads,
                        struct squad_features *f, struct assay_err *err);
void squad_features_release(struct squad_features *f);

/* The three inputs of a feature, SQUAD_LENGTH values each, 0 behind its length. */
void squad_feature_fill(const struct squad_features *f, uint64_t index, int32_t *ids, int32_t *mask,
                        int32_t *types);
/* The id at a position below the feature's length. */
uint32_t squad_feature_id(const struct squad_features *f, uint64_t index, uint32_t position);
/* The paragraph's token at a position, -1: the position is not of the paragraph. */
int64_t squad_feature_token(const struct squad_features *f, uint64_t index, uint32_t position);
/* Whether the feature is the one in which the paragraph's token has the most context. */
bool squad_feature_owns(const struct squad_features *f, uint64_t index, uint32_t token);

#endif

/* BERT's tokeniser, uncased: text -> words (basic) -> pieces of the vocabulary (WordPiece).
 *
 * Basic: control characters, U+0000 and U+FFFD go; white space parts; each CJK ideograph is a word;
 * words are lower-cased, decomposed (NFD) and lose their non-spacing marks; each punctuation
 * character is a word of its own.  WordPiece: the longest piece of the vocabulary from the left,
 * then the longest "##piece" …; a word of which any part is not there, or that has more than 100
 * characters, is [UNK] as a whole.
 *
 * Two variants of the official code are in use.  Features are made by HuggingFace's BertTokenizer:
 * every category C* is control, and a word that is [UNK], [SEP], [PAD], [CLS] or [MASK] stays as it
 * is.  Answers are aligned by Google's (NVIDIA's): only Cc and Cf are control, and no word is
 * special. */
#ifndef DATA_WORDPIECE_H
#define DATA_WORDPIECE_H

#include "assay/types.h"
#include "base/text.h"

#define VOCAB_MAX_BYTES (64u << 20)

struct vocab {
    uint32_t n;
    char **tokens; /* by id; point into text */
    uint32_t unk, cls, sep;
    char *text;
    uint32_t *table; /* open addressing: id + 1, 0 is free */
    uint32_t mask;
    size_t longest; /* bytes of the longest token */
};

/* vocab.txt: a token a line, whose number (from 0) is its id.  Line ends may be Windows'.  An empty
 * line, a token listed twice, or one of [UNK] [CLS] [SEP] that is missing is an error. */
int vocab_read(const char *path, struct vocab *v, struct assay_err *err);
/* The same from memory; `file` is what errors call it. */
int vocab_parse(const char *text, size_t len, const char *file, struct vocab *v,
                struct assay_err *err);
void vocab_release(struct vocab *v);
/* The id of n bytes, -1: none. */
int64_t vocab_find(const struct vocab *v, const char *s, size_t n);

enum wordpiece_variant { WORDPIECE_FEATURES, WORDPIECE_ALIGN };

/* Appends the text's words, with one space between two; out->cut: no memory. */
void wordpiece_basic(enum wordpiece_variant variant, const char *s, size_t n, struct text *out);

/* A list of ids that grows. */
struct wordpiece_ids {
    uint32_t *ids;
    size_t n, cap;
};

/* Appends the ids of a text (variant FEATURES).  scratch is any initialised text, for reuse. */
int wordpiece_tokenise(const struct vocab *v, const char *s, size_t n, struct text *scratch,
                       struct wordpiece_ids *out, struct assay_err *err);

#endif

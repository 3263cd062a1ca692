/* From a question's logits to the text of its answer. */
#include <string.h>

#include "bert.h"

#define TEXT_MOST SQUAD_MAX_BYTES

/* The logits as doubles; what a short payload lacks is lower than any logit. */
static void unpack(const struct payload *p, double start[SQUAD_POSITIONS],
                   double end[SQUAD_POSITIONS])
{
    float pair[2];
    uint32_t i;

    for (i = 0; i < SQUAD_POSITIONS; i++) {
        start[i] = end[i] = SQUAD_NO_LOGIT;
        if (i >= p->values)
            continue;
        memcpy(pair, p->pairs + i * sizeof(pair), sizeof(pair));
        start[i] = pair[0];
        end[i] = pair[1];
    }
}

static void what_may_be(const struct squad_features *f, uint64_t index,
                        uint8_t may[SQUAD_POSITIONS])
{
    uint32_t i;

    for (i = 0; i < SQUAD_POSITIONS; i++) {
        int64_t token = squad_feature_token(f, index, i);

        may[i] = 0;
        if (token >= 0)
            may[i] = squad_feature_owns(f, index, (uint32_t)token) ? SQUAD_MAY_END | SQUAD_MAY_START
                                                                   : SQUAD_MAY_END;
    }
}

/* Takes every `what` out, from the left. */
static void take_out(struct text *t, const char *what)
{
    size_t n = strlen(what), from = 0, to = 0;

    while (from < t->len) {
        if (!strncmp(t->s + from, what, n))
            from += n;
        else
            t->s[to++] = t->s[from++];
    }
    if (t->cap)
        t->s[t->len = to] = 0;
}

/* The span's tokens as text. */
static void add_pieces(const struct squad_features *f, const struct squad_span *span,
                       struct text *out)
{
    uint32_t i;

    for (i = span->start; i <= span->end; i++) {
        if (i > span->start)
            text_add(out, " ");
        text_add(out, f->vocab->tokens[squad_feature_id(f, span->feature, i)]);
    }
    take_out(out, " ##");
    take_out(out, "##");
}

/* The document's words that the span touches. */
static void add_original(const struct squad_features *f, const struct squad_span *span,
                         struct text *out)
{
    uint32_t question = f->features[span->feature].question, w, first, last;
    const struct squad_paragraph *p = &f->paragraphs[f->squad->questions[question].paragraph];

    first = p->word_of[squad_feature_token(f, span->feature, span->start)];
    last = p->word_of[squad_feature_token(f, span->feature, span->end)];
    for (w = first; w <= last; w++) {
        if (w > first)
            text_add(out, " ");
        text_addn(out, p->words[w].text, p->words[w].len);
    }
}

static int add_answer(const struct squad_features *f, const struct squad_span *span,
                      struct text *out, struct assay_err *err)
{
    struct text pieces, original, words;
    const char *begin;
    bool cut;

    text_init(&pieces, TEXT_MOST);
    text_init(&original, TEXT_MOST);
    text_init(&words, TEXT_MOST);
    add_pieces(f, span, &pieces);
    add_original(f, span, &original);
    wordpiece_basic(WORDPIECE_ALIGN, original.s, original.len, &words);
    begin = pieces.s + strspn(pieces.s, " ");
    squad_align(begin, original.s, words.s, out);
    cut = pieces.cut || original.cut || words.cut || out->cut;
    text_release(&pieces);
    text_release(&original);
    text_release(&words);
    return cut ? assay_fail(err, ASSAY_EFAIL, "bert: not enough memory for an answer") : ASSAY_OK;
}

int answer_write(const struct squad_features *f, uint32_t question, const struct payload *payloads,
                 uint64_t n, struct text *out, struct assay_err *err)
{
    double start[SQUAD_POSITIONS], end[SQUAD_POSITIONS];
    struct squad_span best = SQUAD_SPAN_NONE;
    uint8_t may[SQUAD_POSITIONS];
    uint64_t i;

    for (i = f->first[question]; i < f->first[question + 1] && i < n; i++) {
        if (!payloads[i].pairs)
            continue;
        unpack(&payloads[i], start, end);
        what_may_be(f, i, may);
        squad_span_add(&best, i, start, end, may);
    }
    if (best.found)
        return add_answer(f, &best, out, err);
    text_add(out, "empty");
    return ASSAY_OK;
}

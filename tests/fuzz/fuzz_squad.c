/* fuzz: links assay_data assay_base */
/* SQuAD's JSON: what is taken has texts everywhere and answers; its features lie within the
 * paragraphs and within 384 positions. */
#include <stdlib.h>
#include <string.h>

#include "data/squad_features.h"

static const char vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\nthe\na\n##a\nb\n##b\n.\n?\n";

static void check_features(const struct squad *s, const struct vocab *v)
{
    int32_t ids[SQUAD_LENGTH], mask[SQUAD_LENGTH], types[SQUAD_LENGTH];
    struct squad_features f;
    struct assay_err err = {0};
    uint64_t i;
    uint32_t k;

    if (squad_features_make(s, v, 1, &f, &err)) {
        if (!err.code || !err.text[0])
            abort();
        return;
    }
    for (i = 0; i < f.n; i++) {
        const struct squad_feature *one = &f.features[i];
        const struct squad_paragraph *p = &f.paragraphs[s->questions[one->question].paragraph];

        if (one->length > SQUAD_LENGTH || !one->count || one->start + one->count > p->tokens.n)
            abort();
        squad_feature_fill(&f, i, ids, mask, types);
        for (k = 0; k < SQUAD_LENGTH; k++)
            if (ids[k] < 0 || ids[k] >= (int32_t)v->n || mask[k] != (k < one->length))
                abort();
    }
    squad_features_release(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct assay_err err = {0};
    struct squad s;
    struct vocab v;
    uint32_t i, k;

    if (squad_parse((const char *)data, size, "dev-v1.1.json", &s, &err)) {
        if (!err.code || !err.text[0])
            abort();
        return 0;
    }
    for (i = 0; i < s.question_count; i++)
        for (k = 0; k < s.questions[i].answer_count; k++)
            if (!s.questions[i].answers[k] || s.questions[i].paragraph >= s.paragraph_count)
                abort();
    if (vocab_parse(vocabulary, strlen(vocabulary), "vocab.txt", &v, &err))
        abort();
    check_features(&s, &v);
    vocab_release(&v);
    squad_release(&s);
    return 0;
}

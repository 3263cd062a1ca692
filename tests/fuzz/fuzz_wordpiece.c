/* fuzz: links assay_data assay_score assay_base */
/* A vocabulary, an empty line, and a text: words have no white space, ids are of the vocabulary,
 * and any alignment of the text with its words is a part of it. */
#include <stdlib.h>
#include <string.h>

#include "data/wordpiece.h"
#include "score/squad.h"

static void check_text(const struct vocab *v, const char *text, size_t n)
{
    struct wordpiece_ids ids = {0};
    struct text words, out;
    struct assay_err err = {0};
    char *original = calloc(n + 1, 1);
    size_t i;

    if (!original)
        abort();
    memcpy(original, text, n);
    text_init(&words, 1 << 24);
    text_init(&out, 1 << 24);
    if (wordpiece_tokenise(v, text, n, &words, &ids, &err))
        abort();
    for (i = 0; i < ids.n; i++)
        if (ids.ids[i] >= v->n)
            abort();
    for (i = 0; i < words.len; i++)
        if (strchr("\t\n\r", words.s[i]) ||
            (words.s[i] == ' ' && (i == 0 || i + 1 == words.len || words.s[i - 1] == ' ')))
            abort();
    text_clear(&words);
    wordpiece_basic(WORDPIECE_ALIGN, original, strlen(original), &words);
    squad_align(words.s, original, words.s, &out);
    if (!strstr(original, out.s))
        abort();
    text_clear(&out);
    squad_normalise(original, &out);
    free(ids.ids);
    text_release(&words);
    text_release(&out);
    free(original);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *gap = size ? memmem(data, size, "\n\n", 2) : NULL;
    size_t lines = gap ? (size_t)(gap - data) : size;
    struct assay_err err = {0};
    struct vocab v;

    if (vocab_parse((const char *)data, lines, "vocab.txt", &v, &err)) {
        if (!err.code || !err.text[0])
            abort();
        return 0;
    }
    if (gap)
        check_text(&v, (const char *)gap + 2, size - lines - 2);
    vocab_release(&v);
    return 0;
}

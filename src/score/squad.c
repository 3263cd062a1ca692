/* F1 and exact match as SQuAD v1.1's evaluation script computes them; see squad.h.
 *
 * F1 of an answer against a true one: with `same` the size of the words' common multiset,
 * p = same / words of the answer, r = same / words of the truth, F1 = 2 p r / (p + r), 0 when
 * nothing is common (so also when both are empty; exact match is then 1).  Computed in this order
 * in doubles, as Python does, and summed in the file's order. */
#include "score/squad.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/unicode.h"
#include "score/python.h"

#define TEXT_MOST (256u << 20)

/* ---- normalising ---- */

static bool is_ascii_punctuation(uint32_t c)
{
    return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) ||
           (c >= 123 && c <= 126);
}

static bool is_article(const char *s, size_t n)
{
    return (n == 1 && s[0] == 'a') || (n == 2 && !memcmp(s, "an", 2)) ||
           (n == 3 && !memcmp(s, "the", 3));
}

static bool is_word(uint32_t c)
{
    return c < 128 ? (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
                   : unicode_is(c, UNICODE_WORD);
}

/* Lower case without ASCII punctuation. */
static void strip(const char *answer, struct text *out)
{
    struct text lower;
    size_t i;

    text_init(&lower, TEXT_MOST);
    unicode_add_lower(&lower, answer, strlen(answer));
    out->cut |= lower.cut;
    for (i = 0; i < lower.len; i++)
        if (!is_ascii_punctuation((unsigned char)lower.s[i]))
            text_addn(out, lower.s + i, 1);
    text_release(&lower);
}

/* A run of word characters, or of others; white space becomes one space. */
static void add_run(struct text *out, const char *s, size_t n, bool word)
{
    const char *at = s, *end = s + n, *from;

    if (word && is_article(s, n))
        text_addn(out, " ", 1);
    else if (word)
        text_addn(out, s, n);
    while (!word && at < end) {
        from = at;
        if (unicode_is_white(unicode_next(&at, end)))
            text_addn(out, " ", 1);
        else
            text_addn(out, from, (size_t)(at - from));
    }
}

/* One space between words, none around them. */
static void collapse(const struct text *spaced, struct text *out)
{
    size_t i, start = out->len;

    for (i = 0; i < spaced->len; i++) {
        if (spaced->s[i] != ' ')
            text_addn(out, spaced->s + i, 1);
        else if (out->len > start && out->s[out->len - 1] != ' ')
            text_addn(out, " ", 1);
    }
    if (out->len > start && !out->cut && out->s[out->len - 1] == ' ')
        out->s[--out->len] = 0;
}

void squad_normalise(const char *answer, struct text *out)
{
    struct text plain, spaced;
    const char *at, *end, *from, *here;

    text_init(&plain, TEXT_MOST);
    text_init(&spaced, TEXT_MOST);
    strip(answer, &plain);
    for (at = plain.s, end = at + plain.len; at < end;) {
        bool word, more = true;

        from = here = at;
        word = is_word(unicode_next(&at, end));
        while (more && at < end) {
            here = at;
            more = is_word(unicode_next(&at, end)) == word;
        }
        if (!more)
            at = here;
        add_run(&spaced, from, (size_t)(at - from), word);
    }
    collapse(&spaced, out);
    out->cut |= plain.cut || spaced.cut;
    text_release(&plain);
    text_release(&spaced);
}

/* ---- F1 ---- */

/* The words of a normalised text: pointers into it, parted in place. */
struct words {
    char **at;
    size_t n;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int words_init(struct words *w, char *normalised)
{
    size_t spaces = 0;
    char *at;

    for (at = normalised; *at; at++)
        spaces += *at == ' ';
    *w = (struct words){.at = calloc(spaces + 1, sizeof(*w->at))};
    if (!w->at)
        return ASSAY_EFAIL;
    for (at = normalised; *at;) {
        w->at[w->n++] = at;
        at += strcspn(at, " ");
        if (*at)
            *at++ = 0;
    }
    qsort(w->at, w->n, sizeof(*w->at), by_text);
    return ASSAY_OK;
}

/* Of sorted words: the size of the common multiset. */
static size_t common(const struct words *a, const struct words *b)
{
    size_t i = 0, k = 0, same = 0;

    while (i < a->n && k < b->n) {
        int order = strcmp(a->at[i], b->at[k]);

        same += order == 0;
        i += order <= 0;
        k += order >= 0;
    }
    return same;
}

static double f1_of(const struct words *answer, const struct words *truth)
{
    size_t same = common(answer, truth);
    double p, r;

    if (!same)
        return 0;
    p = 1.0 * (double)same / (double)answer->n;
    r = 1.0 * (double)same / (double)truth->n;
    return (2 * p * r) / (p + r);
}

int squad_tally_add(struct squad_tally *t, const char *answer, const char *const *truths,
                    uint32_t n, struct assay_err *err)
{
    struct words answer_words = {0}, truth_words = {0};
    struct text own, truth;
    double exact = 0, f1 = 0;
    char *parted = NULL;
    uint32_t i;
    int rc;

    text_init(&own, TEXT_MOST);
    text_init(&truth, TEXT_MOST);
    squad_normalise(answer, &own);
    parted = strdup(own.s);
    rc = own.cut || !parted ? ASSAY_EFAIL : words_init(&answer_words, parted);
    for (i = 0; i < n && !rc; i++) {
        text_clear(&truth);
        squad_normalise(truths[i], &truth);
        if (truth.cut) {
            rc = ASSAY_EFAIL;
            break;
        }
        exact = !strcmp(own.s, truth.s) ? 1 : exact;
        if (truth.len && !(rc = words_init(&truth_words, truth.s)))
            f1 = fmax(f1, f1_of(&answer_words, &truth_words));
        free(truth_words.at);
        truth_words.at = NULL;
    }
    if (rc)
        assay_fail(err, ASSAY_EFAIL, "SQuAD: not enough memory to score an answer");
    t->exact += exact;
    t->f1 += f1;
    t->questions++;
    free(answer_words.at);
    free(parted);
    text_release(&own);
    text_release(&truth);
    return rc;
}

void squad_tally_score(const struct squad_tally *t, struct assay_score *s)
{
    double n = (double)t->questions, exact = n > 0 ? 100.0 * t->exact / n : 0,
           f1 = n > 0 ? 100.0 * t->f1 / n : 0;
    char first[40], second[40];

    python_double(exact, first);
    python_double(f1, second);
    snprintf(s->metric, sizeof(s->metric), "f1");
    snprintf(s->unit, sizeof(s->unit), "%%");
    s->value = f1;
    s->good = (uint64_t)t->exact;
    s->total = t->questions;
    s->reference = s->target = NAN;
    snprintf(s->line, sizeof(s->line), "{\"exact_match\": %s, \"f1\": %s}", first, second);
}

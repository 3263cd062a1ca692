/* Windows over tokenised paragraphs; see squad_features.h.
 *
 * A paragraph is tokenised once for all of its questions (the official code does it again for
 * each). A paragraph's words are parted by space, TAB, CR, LF and U+202F only, and each is
 * tokenised on its own. */
#include "data/squad_features.h"

#include <stdlib.h>
#include <string.h>

#include "data/workers.h"

#define MOST_FEATURES ((uint64_t)1 << 24) /* SQuAD v1.1's dev set gives 10833 */
#define NARROW_SPACE  "\xe2\x80\xaf"      /* U+202F */

/* What the threads share. */
struct job {
    struct squad_features *f;
    struct text *scratch; /* one a worker */
};

void squad_features_release(struct squad_features *f)
{
    uint32_t i;

    for (i = 0; f->paragraphs && i < f->squad->paragraph_count; i++) {
        free(f->paragraphs[i].tokens.ids);
        free(f->paragraphs[i].word_of);
        free(f->paragraphs[i].words);
    }
    for (i = 0; f->questions && i < f->squad->question_count; i++)
        free(f->questions[i].ids);
    free(f->paragraphs);
    free(f->questions);
    free(f->features);
    free(f->first);
    memset(f, 0, sizeof(*f));
}

/* Bytes of the separator at s, 0: none is there. */
static size_t separator(const char *s)
{
    if (*s == ' ' || *s == '\t' || *s == '\r' || *s == '\n')
        return 1;
    return strncmp(s, NARROW_SPACE, 3) ? 0 : 3;
}

/* The next word behind *at, false: none. */
static bool next_word(const char **at, struct squad_word *word)
{
    size_t n;

    while ((n = separator(*at)))
        *at += n;
    word->text = *at;
    while (**at && !separator(*at))
        (*at)++;
    word->len = (size_t)(*at - word->text);
    return word->len;
}

static int no_memory(struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "SQuAD: not enough memory for the tokens");
}

static int split_words(const char *context, struct squad_paragraph *p, struct assay_err *err)
{
    const char *at;
    struct squad_word word;
    uint32_t n = 0;

    for (at = context; next_word(&at, &word);)
        n++;
    p->words = calloc(n + 1u, sizeof(*p->words));
    if (!p->words)
        return no_memory(err);
    for (at = context; next_word(&at, &word);)
        p->words[p->word_count++] = word;
    return ASSAY_OK;
}

static int tokenise_paragraph(void *ctx, uint32_t worker, uint64_t index, struct assay_err *err)
{
    struct job *job = ctx;
    struct squad_paragraph *p = &job->f->paragraphs[index];
    int rc = split_words(job->f->squad->paragraphs[index], p, err);
    size_t cap = 0;
    uint32_t w;

    for (w = 0; w < p->word_count && !rc; w++) {
        size_t before = p->tokens.n;

        rc = wordpiece_tokenise(job->f->vocab, p->words[w].text, p->words[w].len,
                                &job->scratch[worker], &p->tokens, err);
        if (!rc && p->tokens.cap > cap) {
            uint32_t *bigger = realloc(p->word_of, p->tokens.cap * sizeof(*bigger));

            if (!bigger)
                return no_memory(err);
            p->word_of = bigger;
            cap = p->tokens.cap;
        }
        for (; !rc && before < p->tokens.n; before++)
            p->word_of[before] = w;
    }
    if (!rc && !p->tokens.n)
        rc = assay_fail(err, ASSAY_EFAIL,
                        "SQuAD: paragraph %llu has no token: its context is no text",
                        (unsigned long long)index);
    return rc;
}

static int tokenise_question(void *ctx, uint32_t worker, uint64_t index, struct assay_err *err)
{
    struct job *job = ctx;
    struct wordpiece_ids *q = &job->f->questions[index];
    const char *text = job->f->squad->questions[index].text;
    int rc = wordpiece_tokenise(job->f->vocab, text, strlen(text), &job->scratch[worker], q, err);

    if (q->n > SQUAD_QUESTION)
        q->n = SQUAD_QUESTION;
    return rc;
}

static int tokenise(struct squad_features *f, uint32_t threads, struct assay_err *err)
{
    struct job job = {.f = f, .scratch = calloc(threads, sizeof(*job.scratch))};
    struct workers w = {.threads = threads, .ctx = &job};
    uint32_t t;
    int rc;

    if (!job.scratch)
        return no_memory(err);
    for (t = 0; t < threads; t++)
        text_init(&job.scratch[t], SQUAD_MAX_BYTES);
    w.n = f->squad->paragraph_count;
    w.job = tokenise_paragraph;
    rc = workers_run(&w, err);
    w.n = f->squad->question_count;
    w.job = tokenise_question;
    if (!rc)
        rc = workers_run(&w, err);
    for (t = 0; t < threads; t++)
        text_release(&job.scratch[t]);
    free(job.scratch);
    return rc;
}

static int add_window(struct squad_features *f, const struct squad_feature *one,
                      struct assay_err *err)
{
    struct squad_feature *bigger;
    uint64_t cap = f->cap ? 2 * f->cap : 1024;

    if (f->n == MOST_FEATURES)
        return assay_fail(err, ASSAY_EFAIL,
                          "SQuAD: question '%.60s' and those before it give more than %llu windows",
                          f->squad->questions[one->question].text,
                          (unsigned long long)MOST_FEATURES);
    if (f->n == f->cap) {
        bigger = realloc(f->features, cap * sizeof(*bigger));
        if (!bigger)
            return no_memory(err);
        f->features = bigger;
        f->cap = cap;
    }
    f->features[f->n++] = *one;
    return ASSAY_OK;
}

/* Windows of at most `room` tokens, each SQUAD_STRIDE further than the one before. */
static int add_windows(struct squad_features *f, uint32_t question, struct assay_err *err)
{
    uint32_t asked = (uint32_t)f->questions[question].n, room = SQUAD_LENGTH - 3 - asked;
    uint32_t total = (uint32_t)f->paragraphs[f->squad->questions[question].paragraph].tokens.n;
    struct squad_feature one = {.question = question};
    int rc = ASSAY_OK;

    for (; !rc; one.window++) {
        one.count = total - one.start < room ? total - one.start : room;
        one.length = asked + one.count + 3;
        rc = add_window(f, &one, err);
        if (one.start + one.count == total)
            break;
        one.start += one.count < SQUAD_STRIDE ? one.count : SQUAD_STRIDE;
    }
    return rc;
}

int squad_features_make(const struct squad *squad, const struct vocab *vocab, uint32_t threads,
                        struct squad_features *f, struct assay_err *err)
{
    uint32_t q;
    int rc;

    *f = (struct squad_features){.squad = squad, .vocab = vocab};
    f->paragraphs = calloc(squad->paragraph_count, sizeof(*f->paragraphs));
    f->questions = calloc(squad->question_count, sizeof(*f->questions));
    f->first = calloc(squad->question_count + 1u, sizeof(*f->first));
    if (!f->paragraphs || !f->questions || !f->first) {
        squad_features_release(f);
        return no_memory(err);
    }
    rc = tokenise(f, threads, err);
    for (q = 0; q < squad->question_count && !rc; q++) {
        rc = add_windows(f, q, err);
        f->first[q + 1] = f->n;
    }
    if (rc)
        squad_features_release(f);
    return rc;
}

static const struct squad_paragraph *paragraph_of(const struct squad_features *f, uint64_t index)
{
    return &f->paragraphs[f->squad->questions[f->features[index].question].paragraph];
}

uint32_t squad_feature_id(const struct squad_features *f, uint64_t index, uint32_t position)
{
    const struct wordpiece_ids *q = &f->questions[f->features[index].question];
    int64_t token = squad_feature_token(f, index, position);

    if (token >= 0)
        return paragraph_of(f, index)->tokens.ids[token];
    if (position == 0)
        return f->vocab->cls;
    return position <= q->n ? q->ids[position - 1] : f->vocab->sep;
}

void squad_feature_fill(const struct squad_features *f, uint64_t index, int32_t *ids, int32_t *mask,
                        int32_t *types)
{
    const struct squad_feature *one = &f->features[index];
    uint32_t i, asked = (uint32_t)f->questions[one->question].n;

    for (i = 0; i < SQUAD_LENGTH; i++) {
        bool there = i < one->length;

        ids[i] = there ? (int32_t)squad_feature_id(f, index, i) : 0;
        mask[i] = there;
        types[i] = there && i >= asked + 2;
    }
}

int64_t squad_feature_token(const struct squad_features *f, uint64_t index, uint32_t position)
{
    const struct squad_feature *one = &f->features[index];
    uint32_t before = (uint32_t)f->questions[one->question].n + 2;

    return position >= before && position - before < one->count
               ? (int64_t)one->start + position - before
               : -1;
}

/* The smaller context decides; a longer window is a little better; the earliest of equals wins. */
bool squad_feature_owns(const struct squad_features *f, uint64_t index, uint32_t token)
{
    uint32_t question = f->features[index].question;
    uint64_t i, best = index;
    double most = -1;

    for (i = f->first[question]; i < f->first[question + 1]; i++) {
        const struct squad_feature *w = &f->features[i];
        uint32_t left = token - w->start, right;
        double score;

        if (token < w->start || left >= w->count)
            continue;
        right = w->count - 1 - left;
        score = (left < right ? left : right) + 0.01 * w->count;
        if (score > most) {
            most = score;
            best = i;
        }
    }
    return best == index;
}

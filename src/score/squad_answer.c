/* From logits to the answer's text; see squad.h. */
#include <stdlib.h>
#include <string.h>

#include "base/unicode.h"
#include "score/squad.h"

/* ---- the span ---- */

/* The places of the SQUAD_BEST highest values, the highest first; of equals the lower place first.
 */
static void highest(const double v[SQUAD_POSITIONS], uint32_t out[SQUAD_BEST])
{
    uint32_t n = 0, i, k;

    for (i = 0; i < SQUAD_POSITIONS; i++) {
        if (n == SQUAD_BEST && !(v[i] > v[out[n - 1]]))
            continue;
        n += n < SQUAD_BEST;
        for (k = n - 1; k > 0 && v[i] > v[out[k - 1]]; k--)
            out[k] = out[k - 1];
        out[k] = i;
    }
}

void squad_span_add(struct squad_span *best, uint64_t feature, const double start[SQUAD_POSITIONS],
                    const double end[SQUAD_POSITIONS], const uint8_t may[SQUAD_POSITIONS])
{
    uint32_t starts[SQUAD_BEST], ends[SQUAD_BEST], i, k;

    highest(start, starts);
    highest(end, ends);
    for (i = 0; i < SQUAD_BEST; i++)
        for (k = 0; k < SQUAD_BEST; k++) {
            uint32_t s = starts[i], e = ends[k];
            double score = start[s] + end[e];

            if (!(may[s] & SQUAD_MAY_START) || !(may[e] & SQUAD_MAY_END) || e < s ||
                e - s + 1 > SQUAD_ANSWER_MOST || (best->found && !(score > best->score)))
                continue;
            *best = (struct squad_span){score, feature, s, e, true};
        }
}

/* ---- the text ---- */

/* Where each character of a text begins that is no space. */
struct tight {
    const char **at;
    size_t n;
};

static bool tight_init(struct tight *t, const char *s)
{
    const char *at = s, *end = s + strlen(s);

    t->n = 0;
    t->at = calloc((size_t)(end - s) + 1, sizeof(*t->at));
    while (t->at && at < end) {
        t->at[t->n] = at;
        t->n += unicode_next(&at, end) != ' ';
    }
    return t->at;
}

/* The number of the tight character that begins at `at`, n: none does (it is a space). */
static size_t tight_find(const struct tight *t, const char *at)
{
    size_t i;

    for (i = 0; i < t->n && t->at[i] != at; i++)
        ;
    return i;
}

void squad_align(const char *pieces, const char *original, const char *words, struct text *out)
{
    const char *match = strstr(words, pieces), *last;
    struct tight o = {0}, w = {0};
    size_t first, end, len = strlen(pieces);

    if (!match || !len || !tight_init(&o, original) || !tight_init(&w, words) || o.n != w.n) {
        text_add(out, original);
        goto done;
    }
    for (last = match + len - 1; ((unsigned char)*last & 0xC0) == 0x80; last--)
        ;
    first = tight_find(&w, match);
    end = tight_find(&w, last);
    if (first == w.n || end == w.n) {
        text_add(out, original);
        goto done;
    }
    last = o.at[end];
    unicode_next(&last, original + strlen(original));
    text_addn(out, o.at[first], (size_t)(last - o.at[first]));
done:
    free(o.at);
    free(w.at);
}

/* The tokeniser; see wordpiece.h for its rules.
 *
 * Almost all words are ASCII, and are lower-cased and parted byte by byte.  Any other word is taken
 * apart into code points: that is the slow way, and the rule. */
#include "data/wordpiece.h"

#include <stdlib.h>
#include <string.h>

#include "base/unicode.h"

#define MAX_WORD_CHARACTERS 100

/* The word being collected, as cleaned code points. */
struct word {
    enum wordpiece_variant variant;
    uint32_t *c; /* holds UNICODE_NFD_MOST times cap */
    size_t n, cap;
    struct text *out;
};

static bool is_punctuation(uint32_t c)
{
    if (c < 128)
        return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) ||
               (c >= 123 && c <= 126);
    return unicode_is(c, UNICODE_PUNCTUATION);
}

static bool is_ideograph(uint32_t c)
{
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
           (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
           (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B820 && c <= 0x2CEAF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

static bool is_dropped(enum wordpiece_variant variant, uint32_t c)
{
    unsigned control = UNICODE_CONTROL | (variant == WORDPIECE_FEATURES ? UNICODE_OTHER : 0);

    return c == 0 || c == 0xFFFD || unicode_is(c, control);
}

static bool is_special(const uint32_t *c, size_t n)
{
    static const char *const names[] = {"[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"};
    size_t i, k;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (k = 0; k < n && names[i][k] && c[k] == (unsigned char)names[i][k]; k++)
            ;
        if (k == n && !names[i][k])
            return true;
    }
    return false;
}

static void add_space(struct text *out)
{
    if (out->len && out->s[out->len - 1] != ' ')
        text_addn(out, " ", 1);
}

/* Writes code points, each punctuation character as a word. */
static void put_parts(struct word *w, size_t n)
{
    bool fresh = true;
    char bytes[4];
    size_t i;

    for (i = 0; i < n; i++) {
        bool alone = is_punctuation(w->c[i]);

        if (fresh || alone)
            add_space(w->out);
        text_addn(w->out, bytes, unicode_put(w->c[i], bytes));
        fresh = alone;
    }
}

/* The collected word is whole. */
static void end_word(struct word *w)
{
    size_t n = w->n, i, kept = 0;
    char bytes[4];

    w->n = 0;
    if (!n)
        return;
    if (w->variant == WORDPIECE_FEATURES && is_special(w->c, n)) {
        add_space(w->out);
        for (i = 0; i < n; i++)
            text_addn(w->out, bytes, unicode_put(w->c[i], bytes));
        return;
    }
    for (i = 0; i < n; i++)
        w->c[i] = unicode_lower_at(w->c, n, i);
    n = unicode_nfd(w->c, n);
    for (i = 0; i < n; i++)
        if (!unicode_is(w->c[i], UNICODE_MN))
            w->c[kept++] = w->c[i];
    put_parts(w, kept);
}

static void add_character(struct word *w, uint32_t c)
{
    uint32_t *bigger;
    size_t cap;

    if (w->n == w->cap) {
        cap = w->cap ? 2 * w->cap : 64;
        bigger = realloc(w->c, cap * UNICODE_NFD_MOST * sizeof(*w->c));
        if (!bigger) {
            w->out->cut = true;
            return;
        }
        w->c = bigger;
        w->cap = cap;
    }
    w->c[w->n++] = c;
}

/* One chunk of text without ASCII white space, in general. */
static void any_chunk(struct word *w, const char *at, const char *end)
{
    while (at < end) {
        uint32_t c = unicode_next(&at, end);

        if (is_dropped(w->variant, c))
            continue;
        if (unicode_is_white(c)) {
            end_word(w);
        } else if (is_ideograph(c)) {
            end_word(w);
            add_character(w, c);
            end_word(w);
        } else {
            add_character(w, c);
        }
    }
    end_word(w);
}

/* The same for printable ASCII that is no special word. */
static void ascii_chunk(struct text *out, const char *at, const char *end)
{
    char word[256];
    size_t n = 0;

    for (add_space(out); at < end; at++) {
        char c = *at >= 'A' && *at <= 'Z' ? (char)(*at + 32) : *at;
        bool alone = is_punctuation((unsigned char)c);

        if (n + 3 > sizeof(word)) {
            text_addn(out, word, n);
            n = 0;
        }
        if (alone && (n ? word[n - 1] : out->len ? out->s[out->len - 1] : ' ') != ' ')
            word[n++] = ' ';
        word[n++] = c;
        if (alone && at + 1 < end)
            word[n++] = ' ';
    }
    text_addn(out, word, n);
}

static bool is_ascii_white(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

void wordpiece_basic(enum wordpiece_variant variant, const char *s, size_t n, struct text *out)
{
    struct word w = {.variant = variant, .out = out};
    const char *at = s, *end = s + n, *from;
    bool plain;

    while (at < end) {
        for (from = at, plain = true; at < end && !is_ascii_white(*at); at++)
            plain = plain && *at >= 33 && *at < 127;
        if (from < at && plain && *from != '[')
            ascii_chunk(out, from, at);
        else if (from < at)
            any_chunk(&w, from, at);
        at += at < end;
    }
    free(w.c);
}

/* ---- pieces ---- */

static int add_id(struct wordpiece_ids *out, uint32_t id, struct assay_err *err)
{
    uint32_t *bigger;
    size_t cap;

    if (out->n == out->cap) {
        cap = out->cap ? 2 * out->cap : 64;
        bigger = realloc(out->ids, cap * sizeof(*out->ids));
        if (!bigger)
            return assay_fail(err, ASSAY_EFAIL, "not enough memory for %zu tokens", cap);
        out->ids = bigger;
        out->cap = cap;
    }
    out->ids[out->n++] = id;
    return ASSAY_OK;
}

/* The id of the longest piece at the start of word[0..n), and its bytes in *took; -1: none. */
static int64_t longest_piece(const struct vocab *v, const char *word, size_t n, bool first,
                             size_t *took)
{
    char piece[2 + 4 * MAX_WORD_CHARACTERS] = "##";
    size_t lead = first ? 0 : 2, k = n + lead > v->longest ? v->longest - lead : n;
    int64_t id;

    memcpy(piece + lead, word, n);
    for (; k > 0 && k <= n; k--) {
        if (k < n && ((unsigned char)word[k] & 0xC0) == 0x80)
            continue; /* in the middle of a character */
        id = vocab_find(v, piece, k + lead);
        if (id >= 0) {
            *took = k;
            return id;
        }
    }
    return -1;
}

static size_t characters(const char *s, size_t n)
{
    size_t i, count = 0;

    for (i = 0; i < n; i++)
        count += ((unsigned char)s[i] & 0xC0) != 0x80;
    return count;
}

static bool is_special_text(const char *s, size_t n)
{
    return n >= 5 && n <= 6 && s[0] == '[' && s[n - 1] == ']';
}

static int add_word(const struct vocab *v, const char *word, size_t n, struct wordpiece_ids *out,
                    struct assay_err *err)
{
    size_t start = out->n, at, took = 0;
    int64_t id;
    int rc;

    if (characters(word, n) > MAX_WORD_CHARACTERS)
        return add_id(out, v->unk, err);
    if (is_special_text(word, n)) { /* only special words have more than a bracket */
        id = vocab_find(v, word, n);
        return add_id(out, id < 0 ? v->unk : (uint32_t)id, err);
    }
    for (at = 0; at < n; at += took) {
        id = longest_piece(v, word + at, n - at, at == 0, &took);
        if (id < 0) {
            out->n = start;
            return add_id(out, v->unk, err);
        }
        if ((rc = add_id(out, (uint32_t)id, err)))
            return rc;
    }
    return ASSAY_OK;
}

int wordpiece_tokenise(const struct vocab *v, const char *s, size_t n, struct text *scratch,
                       struct wordpiece_ids *out, struct assay_err *err)
{
    const char *at, *end, *space;
    int rc = ASSAY_OK;

    text_clear(scratch);
    wordpiece_basic(WORDPIECE_FEATURES, s, n, scratch);
    if (scratch->cut)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory to tokenise %zu bytes", n);
    for (at = scratch->s, end = at + scratch->len; at < end && !rc; at = space + 1) {
        space = memchr(at, ' ', (size_t)(end - at));
        space = space ? space : end;
        rc = add_word(v, at, (size_t)(space - at), out, err);
    }
    return rc;
}

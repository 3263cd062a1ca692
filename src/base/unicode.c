/* Code points, lower case and NFD over utf8proc's tables; see unicode.h. */
#include "base/unicode.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

bool unicode_is(uint32_t c, unsigned categories)
{
    static const unsigned bits[] = {
        [UTF8PROC_CATEGORY_CN] = UNICODE_OTHER,       [UTF8PROC_CATEGORY_LU] = UNICODE_WORD,
        [UTF8PROC_CATEGORY_LL] = UNICODE_WORD,        [UTF8PROC_CATEGORY_LT] = UNICODE_WORD,
        [UTF8PROC_CATEGORY_LM] = UNICODE_WORD,        [UTF8PROC_CATEGORY_LO] = UNICODE_WORD,
        [UTF8PROC_CATEGORY_MN] = UNICODE_MN,          [UTF8PROC_CATEGORY_ND] = UNICODE_WORD,
        [UTF8PROC_CATEGORY_NL] = UNICODE_WORD,        [UTF8PROC_CATEGORY_NO] = UNICODE_WORD,
        [UTF8PROC_CATEGORY_PC] = UNICODE_PUNCTUATION, [UTF8PROC_CATEGORY_PD] = UNICODE_PUNCTUATION,
        [UTF8PROC_CATEGORY_PS] = UNICODE_PUNCTUATION, [UTF8PROC_CATEGORY_PE] = UNICODE_PUNCTUATION,
        [UTF8PROC_CATEGORY_PI] = UNICODE_PUNCTUATION, [UTF8PROC_CATEGORY_PF] = UNICODE_PUNCTUATION,
        [UTF8PROC_CATEGORY_PO] = UNICODE_PUNCTUATION, [UTF8PROC_CATEGORY_ZS] = UNICODE_SPACE,
        [UTF8PROC_CATEGORY_CC] = UNICODE_CONTROL,     [UTF8PROC_CATEGORY_CF] = UNICODE_CONTROL,
        [UTF8PROC_CATEGORY_CS] = UNICODE_OTHER,       [UTF8PROC_CATEGORY_CO] = UNICODE_OTHER,
    };

    return bits[utf8proc_category((utf8proc_int32_t)c)] & categories;
}

bool unicode_is_white(uint32_t c)
{
    if (c < 128)
        return c == ' ' || (c >= 9 && c <= 13) || (c >= 28 && c <= 31);
    return c == 0x85 || c == 0x2028 || c == 0x2029 || unicode_is(c, UNICODE_SPACE);
}

uint32_t unicode_next(const char **at, const char *end)
{
    utf8proc_int32_t c;
    utf8proc_ssize_t n;

    if ((unsigned char)**at < 128)
        return (unsigned char)*(*at)++;
    n = utf8proc_iterate((const utf8proc_uint8_t *)*at, end - *at, &c);
    if (n <= 0) {
        (*at)++;
        return 0xFFFD;
    }
    *at += n;
    return (uint32_t)c;
}

size_t unicode_put(uint32_t c, char out[4])
{
    return (size_t)utf8proc_encode_char((utf8proc_int32_t)c, (utf8proc_uint8_t *)out);
}

static utf8proc_category_t category(uint32_t c)
{
    return utf8proc_category((utf8proc_int32_t)c);
}

/* Case_Ignorable of the Unicode standard: marks, format controls, modifiers, and the punctuation
 * that stands inside words. */
static bool ignores_case(uint32_t c)
{
    static const uint32_t inside[] = {0x27,   0x2E,   0x3A,   0xB7,   0x387,  0x55F,
                                      0x5F4,  0x2018, 0x2019, 0x2024, 0x2027, 0xFE13,
                                      0xFE52, 0xFE55, 0xFF07, 0xFF0E, 0xFF1A};
    size_t i;

    switch (category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
        return true;
    default:
        for (i = 0; i < sizeof(inside) / sizeof(inside[0]); i++)
            if (inside[i] == c)
                return true;
        return false;
    }
}

/* Cased, of what does not ignore case: letters with case, and the circled and Roman ones. */
static bool is_cased(uint32_t c)
{
    utf8proc_category_t k = category(c);

    return k == UTF8PROC_CATEGORY_LU || k == UTF8PROC_CATEGORY_LL || k == UTF8PROC_CATEGORY_LT ||
           c == 0xAA || c == 0xBA || (c >= 0x2160 && c <= 0x217F) || (c >= 0x24B6 && c <= 0x24E9) ||
           (c >= 0x1F130 && c <= 0x1F149) || (c >= 0x1F150 && c <= 0x1F169) ||
           (c >= 0x1F170 && c <= 0x1F189);
}

/* A sigma is final when a cased letter stands before it and none behind. */
static bool sigma_is_final(const uint32_t *c, size_t n, size_t at)
{
    size_t i = at;

    while (i > 0 && ignores_case(c[i - 1]))
        i--;
    if (i == 0 || !is_cased(c[i - 1]))
        return false;
    for (i = at + 1; i < n && ignores_case(c[i]); i++)
        ;
    return i == n || !is_cased(c[i]);
}

uint32_t unicode_lower_at(const uint32_t *c, size_t n, size_t at)
{
    if (c[at] < 128)
        return c[at] >= 'A' && c[at] <= 'Z' ? c[at] + 32 : c[at];
    if (c[at] == 0x3A3)
        return sigma_is_final(c, n, at) ? 0x3C2 : 0x3C3;
    if (c[at] == 0x130)
        return 'i';
    return (uint32_t)utf8proc_tolower((utf8proc_int32_t)c[at]);
}

void unicode_add_lower(struct text *out, const char *s, size_t n)
{
    const char *at = s, *end = s + n;
    uint32_t *c = malloc((n + 1) * sizeof(*c));
    size_t count = 0, i;
    char bytes[4];

    if (!c) {
        out->cut = true;
        return;
    }
    while (at < end)
        c[count++] = unicode_next(&at, end);
    for (i = 0; i < count; i++) {
        text_addn(out, bytes, unicode_put(unicode_lower_at(c, count, i), bytes));
        if (c[i] == 0x130)
            text_add(out, "\xcc\x87");
    }
    free(c);
}

/* Canonical order: each run of combining marks sorted by class, equal ones as they stood. */
static void order_marks(uint32_t *c, size_t n)
{
    size_t i, k;

    for (i = 1; i < n; i++) {
        uint32_t mark = c[i];
        int rank = utf8proc_get_property((utf8proc_int32_t)mark)->combining_class;

        for (k = i; rank && k > 0 &&
                    utf8proc_get_property((utf8proc_int32_t)c[k - 1])->combining_class > rank;
             k--)
            c[k] = c[k - 1];
        c[k] = mark;
    }
}

size_t unicode_nfd(uint32_t *c, size_t n)
{
    utf8proc_int32_t parts[UNICODE_NFD_MOST];
    size_t room = n * UNICODE_NFD_MOST, from, to = 0;
    int boundary = 0;
    utf8proc_ssize_t k, i;

    /* To the end of the memory first, so that what is written never passes what is read. */
    memmove(c + room - n, c, n * sizeof(*c));
    for (from = room - n; from < room; from++) {
        k = utf8proc_decompose_char((utf8proc_int32_t)c[from], parts, UNICODE_NFD_MOST,
                                    UTF8PROC_DECOMPOSE, &boundary);
        if (k < 1 || k > UNICODE_NFD_MOST)
            parts[0] = (utf8proc_int32_t)c[from], k = 1;
        for (i = 0; i < k; i++)
            c[to++] = (uint32_t)parts[i];
    }
    order_marks(c, to);
    return to;
}

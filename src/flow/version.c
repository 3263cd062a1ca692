/* Comparing versions, and the conditions of a range. */
#include "flow/version.h"

#include <ctype.h>
#include <string.h>

#define SEPARATORS ".-+_~"
#define VERSION_CHARACTERS                                                                         \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" SEPARATORS

enum operation { OP_BEGINS, OP_EQ, OP_NE, OP_GE, OP_LE, OP_GT, OP_LT };

static const struct {
    const char *sign;
    int op;
} signs[] = {{"==", OP_EQ}, {"!=", OP_NE}, {">=", OP_GE}, {"<=", OP_LE},
             {"=", OP_EQ},  {">", OP_GT},  {"<", OP_LT}};

/* A run of digits or of letters. */
struct part {
    const char *s;
    size_t n;
    bool digits;
};

static struct part part_next(const char **p)
{
    struct part part;

    *p += strspn(*p, SEPARATORS);
    part.s = *p;
    part.digits = isdigit((unsigned char)**p);
    while (**p && !strchr(SEPARATORS, **p) && !isdigit((unsigned char)**p) == !part.digits)
        ++*p;
    part.n = (size_t)(*p - part.s);
    return part;
}

/* Numbers may have any length: without leading zeros the longer one is the greater. */
static int compare_numbers(struct part a, struct part b)
{
    int d;

    for (; a.n > 1 && *a.s == '0'; a.s++)
        a.n--;
    for (; b.n > 1 && *b.s == '0'; b.s++)
        b.n--;
    if (a.n != b.n)
        return a.n < b.n ? -1 : 1;
    d = memcmp(a.s, b.s, a.n);
    return (d > 0) - (d < 0);
}

static int compare_words(struct part a, struct part b)
{
    int d = memcmp(a.s, b.s, a.n < b.n ? a.n : b.n);

    return d ? (d > 0) - (d < 0) : (a.n > b.n) - (a.n < b.n);
}

static int compare_parts(struct part a, struct part b)
{
    static const struct part zero = {"0", 1, true};

    if (!a.n && b.n)
        return b.digits ? compare_numbers(zero, b) : 1;
    if (a.n && !b.n)
        return a.digits ? compare_numbers(a, zero) : -1;
    if (a.digits != b.digits)
        return a.digits ? 1 : -1;
    return a.digits ? compare_numbers(a, b) : compare_words(a, b);
}

int version_compare(const char *a, const char *b)
{
    for (;;) {
        struct part x = part_next(&a), y = part_next(&b);
        int d = x.n || y.n ? compare_parts(x, y) : 0;

        if (d || (!x.n && !y.n))
            return d;
    }
}

/* The next condition: its sign, and the version behind it.  false: there is none. */
static bool condition_next(const char **p, int *op, char version[64], bool *good)
{
    size_t i, n;

    *p += strspn(*p, " ,\t");
    *good = true;
    if (!**p)
        return false;
    *op = OP_BEGINS;
    for (i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        if (!strncmp(*p, signs[i].sign, strlen(signs[i].sign))) {
            *op = signs[i].op;
            *p += strlen(signs[i].sign);
            break;
        }
    }
    *p += strspn(*p, " \t");
    n = strcspn(*p, " ,\t");
    *good = n && n < 64 && strspn(*p, VERSION_CHARACTERS) >= n;
    snprintf(version, 64, "%.*s", (int)(n < 64 ? n : 63), *p);
    *p += n;
    return true;
}

int version_range_check(const char *range, const char *what, struct assay_err *err)
{
    const char *p = range;
    char version[64];
    bool good;
    int op;

    while (condition_next(&p, &op, version, &good))
        if (!good)
            return assay_fail(err, ASSAY_EUSAGE,
                              "%s: '%.60s' is no range of versions; wanted: conditions like "
                              "'>=1.2 <2', '==1.4.1' or '1.2'",
                              what, range);
    return ASSAY_OK;
}

/* "1.2.7" begins with "1.2", "1.20" does not. */
static bool begins(const char *version, const char *with)
{
    size_t n = strlen(with);

    return !version_compare(version, with) ||
           (!strncmp(version, with, n) && version[n] && strchr(SEPARATORS, version[n]));
}

static bool holds(const char *version, int op, const char *other)
{
    int d = version_compare(version, other);

    switch (op) {
    case OP_BEGINS:
        return begins(version, other);
    case OP_EQ:
        return d == 0;
    case OP_NE:
        return d != 0;
    case OP_GE:
        return d >= 0;
    case OP_LE:
        return d <= 0;
    case OP_GT:
        return d > 0;
    default:
        return d < 0;
    }
}

bool version_in(const char *version, const char *range)
{
    char other[64];
    bool good;
    int op;

    while (condition_next(&range, &op, other, &good))
        if (!*version || !good || !holds(version, op, other))
            return false;
    return true;
}

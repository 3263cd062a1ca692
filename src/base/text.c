/* Growing strings and the nearest-word search behind every did-you-mean. */
#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void text_init(struct text *t, size_t max)
{
    static char nothing[1];

    *t = (struct text){.s = nothing, .max = max};
}

void text_release(struct text *t)
{
    if (t->cap)
        free(t->s);
    text_init(t, t->max);
}

void text_clear(struct text *t)
{
    t->len = 0;
    t->cut = false;
    if (t->cap)
        t->s[0] = 0;
}

/* Makes room for n more bytes and the NUL; false when that would pass the maximum. */
static bool text_grow(struct text *t, size_t n)
{
    size_t need = t->len + n + 1, cap = t->cap ? t->cap : 64;
    char *s;

    if (n > t->max || t->len + n > t->max) {
        t->cut = true;
        return false;
    }
    if (need <= t->cap)
        return true;
    while (cap < need)
        cap *= 2;
    s = realloc(t->cap ? t->s : NULL, cap);
    if (!s) {
        t->cut = true;
        return false;
    }
    t->s = s;
    t->s[t->len] = 0;
    t->cap = cap;
    return true;
}

void text_addn(struct text *t, const char *s, size_t n)
{
    if (!text_grow(t, n))
        return;
    memcpy(t->s + t->len, s, n);
    t->len += n;
    t->s[t->len] = 0;
}

void text_add(struct text *t, const char *s)
{
    text_addn(t, s, strlen(s));
}

void text_addf(struct text *t, const char *fmt, ...)
{
    va_list ap, again;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n > 0 && text_grow(t, (size_t)n)) {
        vsnprintf(t->s + t->len, (size_t)n + 1, fmt, again);
        t->len += (size_t)n;
    }
    va_end(again);
}

void text_add_word(struct text *t, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-+=./,:@%";

    if (*word && !word[strspn(word, plain)]) {
        text_add(t, word);
        return;
    }
    text_add(t, "'");
    for (; *word; word++)
        if (*word == '\'')
            text_add(t, "'\\''");
        else
            text_addn(t, word, 1);
    text_add(t, "'");
}

char *text_take(struct text *t)
{
    char *s = NULL;

    if (!t->cut)
        s = t->cap ? t->s : calloc(1, 1);
    else
        text_release(t);
    text_init(t, t->max);
    return s;
}

char *text_format(const char *fmt, ...)
{
    va_list ap, again;
    char *s = NULL;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n >= 0 && (s = malloc((size_t)n + 1)))
        vsnprintf(s, (size_t)n + 1, fmt, again);
    va_end(again);
    return s;
}

void text_duration(char out[32], double seconds)
{
    if (seconds < 90)
        snprintf(out, 32, "%.2g s", seconds);
    else if (seconds < 90 * 60)
        snprintf(out, 32, "%.0f min", seconds / 60);
    else
        snprintf(out, 32, "%.3g h", seconds / 3600);
}

void text_bytes(char out[32], double bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    int u = 0;

    while (bytes >= 1000 && u < 5) {
        bytes /= 1000;
        u++;
    }
    snprintf(out, 32, u ? "%.3g %s" : "%.0f %s", bytes, units[u]);
}

#define NEAREST_MAX 48

static int least(int a, int b)
{
    return a < b ? a : b;
}

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Optimal string alignment distance, whatever the case of the letters, of two words of at most
 * NEAREST_MAX characters. */
static int text_distance(const char *a, size_t la, const char *b, size_t lb)
{
    int d[NEAREST_MAX + 1][NEAREST_MAX + 1];
    size_t i, j;

    for (i = 0; i <= la; i++)
        d[i][0] = (int)i;
    for (j = 0; j <= lb; j++)
        d[0][j] = (int)j;
    for (i = 1; i <= la; i++) {
        for (j = 1; j <= lb; j++) {
            d[i][j] = least(least(d[i - 1][j], d[i][j - 1]) + 1,
                            d[i - 1][j - 1] + !same_letter(a[i - 1], b[j - 1]));
            if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
                same_letter(a[i - 2], b[j - 1]))
                d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[la][lb];
}

const char *text_nearest(const char *word, const void *names, size_t n, size_t stride)
{
    const char *best = NULL, *name;
    size_t i, lw = strlen(word), ln;
    int d, limit = lw < 2 ? 0 : lw < 4 ? 1 : lw < 8 ? 2 : 3, least_d = limit + 1;

    if (lw > NEAREST_MAX)
        return NULL;
    for (i = 0; i < n; i++) {
        memcpy(&name, (const char *)names + i * stride, sizeof(name));
        ln = name ? strlen(name) : 0;
        if (!ln || ln > NEAREST_MAX)
            continue;
        d = text_distance(word, lw, name, ln);
        if (d < least_d) {
            least_d = d;
            best = name;
        }
    }
    return best;
}

void text_one_line(char *text)
{
    size_t n = strlen(text);

    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 127)
            text[i] = ' ';
    while (n && text[n - 1] == ' ')
        text[--n] = 0;
}

void text_fit_line(char *text)
{
    struct winsize size;
    size_t columns = 0;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 2)
        return;
    for (; *text; text++)
        if (((unsigned char)*text & 0xc0) != 0x80 && ++columns == size.ws_col) {
            *text = 0;
            return;
        }
}

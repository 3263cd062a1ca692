/* Escaping: one walk over code points, a function a format for what is special in it. */
#include "report/escape.h"

#include <string.h>

#include "base/unicode.h"

#define REPLACEMENT 0xfffd

/* Directional formatting (it can make a line read as another) and what nobody sees. */
static bool deceives(uint32_t c)
{
    return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x200e ||
           c == 0x200f || c == 0x061c || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
           (c >= 0xe0000 && c <= 0xe007f);
}

static uint32_t tame(uint32_t c)
{
    if (c == '\n' || c == '\t' || c == '\r' || c == 0x2028 || c == 0x2029)
        return ' ';
    if (c < 0x20 || (c >= 0x7f && c < 0xa0) || deceives(c) || (c & 0xfffe) == 0xfffe)
        return REPLACEMENT;
    return c;
}

static void put_plain(FILE *out, uint32_t c)
{
    char utf8[4];

    fwrite(utf8, 1, unicode_put(c, utf8), out);
}

static void put_as_it_is(FILE *out, uint32_t c, const char *rest)
{
    (void)rest;
    put_plain(out, c);
}

static void put_html(FILE *out, uint32_t c, const char *rest)
{
    (void)rest;
    switch (c) {
    case '<':
        fputs("&lt;", out);
        break;
    case '>':
        fputs("&gt;", out);
        break;
    case '&':
        fputs("&amp;", out);
        break;
    case '"':
        fputs("&quot;", out);
        break;
    case '\'':
        fputs("&#39;", out);
        break;
    default:
        put_plain(out, c);
    }
}

/* "https://" and "mailto:x" become links, ":word:" and ":100:" pictures; a colon in front of a
 * space or a number does not. */
static bool colon_means(const char *rest)
{
    size_t digits = strspn(rest, "0123456789");

    return digits ? rest[digits] == ':' : *rest && *rest != ' ';
}

/* Markdown lets HTML through, so its three are entities; a backslash makes the rest plain. */
static void put_markdown(FILE *out, uint32_t c, const char *rest)
{
    if (c == '<' || c == '>' || c == '&') {
        put_html(out, c, rest);
        return;
    }
    if (c < 0x80 && strchr("\\`*_{}[]#|~!$", (int)c))
        fputc('\\', out);
    if ((c == ':' && colon_means(rest)) || c == '@') /* "@name" may call somebody */
        fprintf(out, "&#%u;", c);
    else
        put_plain(out, c);
}

static void put_csv(FILE *out, uint32_t c, const char *rest)
{
    (void)rest;
    if (c == '"')
        fputc('"', out);
    put_plain(out, c);
}

/* put is given a character and what follows it. */
static void walk(FILE *out, const char *s, size_t most,
                 void (*put)(FILE *, uint32_t, const char *rest))
{
    const char *end = s + strlen(s);
    size_t n;

    for (n = 0; s < end && n < most; n++) {
        uint32_t c = tame(unicode_next(&s, end));

        put(out, c, s);
    }
    if (s < end)
        put_plain(out, 0x2026);
}

void escape_html(FILE *out, const char *s)
{
    walk(out, s, ESCAPE_MOST, put_html);
}

void escape_html_whole(FILE *out, const char *s)
{
    walk(out, s, SIZE_MAX, put_html);
}

void escape_markdown(FILE *out, const char *s)
{
    walk(out, s, ESCAPE_MOST, put_markdown);
}

void escape_plain(FILE *out, const char *s)
{
    walk(out, s, SIZE_MAX, put_as_it_is);
}

void escape_csv(FILE *out, const char *s)
{
    bool formula = *s && strchr("=+-@\t\r", *s);

    if (!formula && !s[strcspn(s, "\",\r\n")]) {
        walk(out, s, ESCAPE_MOST, put_csv);
        return;
    }
    fprintf(out, "\"%s", formula ? "'" : "");
    walk(out, s, ESCAPE_MOST, put_csv);
    fputc('"', out);
}

void escape_htmlf(FILE *out, const char *fmt, ...)
{
    char buf[4096];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(buf, sizeof(buf), fmt, ap);
    va_end(ap);
    escape_html(out, buf);
}

void escape_markdownf(FILE *out, const char *fmt, ...)
{
    char buf[4096];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(buf, sizeof(buf), fmt, ap);
    va_end(ap);
    escape_markdown(out, buf);
}

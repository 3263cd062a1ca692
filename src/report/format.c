/* Values as a reader wants them: see format.h. */
#include "report/format.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/tree.h"

/* Where a text was cut in the middle of a UTF-8 character, the beginning of it is taken off. */
static void drop_half(char *s)
{
    size_t n = strlen(s), k = n;
    unsigned char lead;

    while (k && n - k < 4 && ((unsigned char)s[k - 1] & 0xc0) == 0x80)
        k--;
    lead = k ? (unsigned char)s[k - 1] : 0;
    if (lead >= 0xc0 && n - k + 1 < (lead >= 0xf0 ? 4u : lead >= 0xe0 ? 3u : 2u))
        s[k - 1] = 0;
}

void format_clean(char *s)
{
    drop_half(s);
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f ||
            /* C1 controls in UTF-8: a terminal may obey them too */
            ((unsigned char)*s == 0xc2 && (unsigned char)s[1] >= 0x80 &&
             (unsigned char)s[1] < 0xa0 && (s[1] = '?')))
            *s = '?';
}

size_t format_columns(const char *s)
{
    size_t n = 0;

    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

/* Four significant digits, without an exponent where a reader can do without.  The exponent is
 * taken after rounding: 999.96 has four digits before the point. */
static void digits(char *out, size_t size, double v)
{
    char rounded[40], *e;
    int before;

    snprintf(rounded, sizeof(rounded), "%.3e", v);
    e = strchr(rounded, 'e');
    before = e ? (int)strtol(e + 1, NULL, 10) + 1 : 1; /* NaN and infinity have no exponent */
    if (v == 0 || before > 15 || before < -5)
        snprintf(out, size, "%.4g", v);
    else
        snprintf(out, size, "%.*f", before >= 4 ? 0 : 4 - before, v);
}

void format_plain(char out[40], double value)
{
    snprintf(out, 40, fabs(value) < 9999.5 || fabs(value) > 1e15 ? "%.4g" : "%.0f", value);
}

void format_value(char out[64], double value, const char *unit)
{
    static const char *const names[] = {"ns", "us", "ms", "s"}, *const joules[] = {"J", "mJ", "uJ"};
    char number[40];
    int i = 0;

    if (!strcmp(unit, "ns")) {
        while (i < 3 && (value >= 999.95 || value <= -999.95)) {
            value /= 1000;
            i++;
        }
        unit = names[i];
    } else if (!strcmp(unit, "J") && value > 0) {
        while (i < 2 && value < 0.99995) {
            value *= 1000;
            i++;
        }
        unit = joules[i];
    }
    digits(number, sizeof(number), value);
    snprintf(out, 64, "%s%s%.20s", number, *unit ? " " : "", unit);
}

void format_energy_sources(const json_t *energy, char out[200])
{
    const json_t *s;
    size_t i, n = 0;

    out[0] = 0;
    json_array_foreach(json_object_get(energy, "sources"), i, s)
    {
        if (n < 199 && !strcmp(tree_text(s, "from", ""), "detected"))
            n += (size_t)snprintf(out + n, 200 - n, "%s%.60s", n ? ", " : "",
                                  tree_text(s, "name", "?"));
    }
}

void format_exact(char out[64], double value, const char *unit)
{
    snprintf(out, 64, "%.6g%s%.20s", value, *unit ? " " : "", unit);
}

void format_reached(char out[160], const json_t *accuracy)
{
    const json_t *passed = json_object_get(accuracy, "passed"), *one;
    const char *before = ": reached ";
    size_t i, n = 0;

    snprintf(out, 160, "%s",
             json_is_true(passed)    ? ": reached"
             : json_is_false(passed) ? ": NOT REACHED"
                                     : "");
    if (!json_is_true(passed))
        return;
    json_array_foreach(json_object_get(accuracy, "targets"), i, one)
    {
        if (n < 159)
            n += (size_t)snprintf(out + n, 160 - n, "%s%s%.6g %%", before,
                                  tree_bool(one, "passed", false) ? "" : "not ",
                                  tree_real(one, "share", 0));
        before = ", ";
    }
}

void format_json(char *out, size_t size, const json_t *value)
{
    char *dump;

    if (json_is_string(value)) {
        snprintf(out, size, "%s", json_string_value(value));
    } else if (json_is_real(value)) {
        snprintf(out, size, "%.6g", json_real_value(value));
    } else {
        dump = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
        snprintf(out, size, "%s", dump ? dump : "?");
        free(dump);
    }
}

void format_shape(char out[80], const json_t *engine)
{
    long long lanes = tree_int(engine, "lanes", 0), threads = tree_int(engine, "threads", 0);

    out[0] = 0;
    if (lanes > 0)
        snprintf(out, 80, "%lld lane%s x %lld thread%s, batch %lld", lanes, lanes == 1 ? "" : "s",
                 threads, threads == 1 ? "" : "s", (long long)tree_int(engine, "batch", 0));
}

void format_fill(char *text, size_t size, const char *pattern)
{
    char *value = strdup(text);
    const char *mark = strchr(pattern, '#');

    if (value && mark)
        snprintf(text, size, "%.*s%s%s", (int)(mark - pattern), pattern, value, mark + 1);
    free(value);
}

void format_command(struct text *t, const json_t *words)
{
    const json_t *word;
    size_t i;

    json_array_foreach(words, i, word)
    {
        if (i)
            text_add(t, " ");
        text_add_word(t, json_is_string(word) ? json_string_value(word) : "?");
    }
    if (t->s)
        format_clean(t->s);
}

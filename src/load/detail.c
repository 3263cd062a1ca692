/* Reads the two logs that a verdict and a score are made from.
 *
 * Idea: strict like the official checker, which refuses a detail log whose first line is no MLLOG
 * line or that holds a line that is no JSON; and strict where it is not: an accuracy log without
 * its closing bracket is one of a run that died. */
#include "load/detail.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/text.h"

#define PREFIX     ":::MLLOG "
#define PREFIX_LEN (sizeof(PREFIX) - 1)
#define MAX_DETAIL ((size_t)1 << 30)
#define MAX_LOG    ((size_t)1 << 33)

/* Seeds have 64 bits without sign, more than JSON libraries read: a value of many digits becomes a
 * text. */
static json_t *parse_line(const char *line, size_t len)
{
    static const char mark[] = "\"value\": ";
    const char *value = memmem(line, len, mark, sizeof(mark) - 1), *end;
    struct text quoted;
    json_t *tree;

    if (value) {
        value += sizeof(mark) - 1;
        for (end = value; end < line + len && isdigit((unsigned char)*end); end++)
            ;
        if (end - value > 18 && (end == line + len || *end == ',' || *end == '}')) {
            text_init(&quoted, len + 2);
            text_addn(&quoted, line, (size_t)(value - line));
            text_addf(&quoted, "\"%.*s\"", (int)(end - value), value);
            text_addn(&quoted, end, (size_t)(line + len - end));
            tree = json_loadb(quoted.s, quoted.len, 0, NULL);
            text_release(&quoted);
            return tree;
        }
    }
    return json_loadb(line, len, 0, NULL);
}

/* "key: value" for the list of errors or warnings. */
static int remember(json_t *list, const char *key, const json_t *value)
{
    char *text = json_is_string(value) ? strdup(json_string_value(value))
                                       : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    char *line = text ? text_format("%s: %s", key, text) : NULL;
    int rc = line ? json_array_append_new(list, json_string(line)) : -1;

    free(line);
    free(text);
    return rc;
}

static int add_line(struct detail *d, const char *line, size_t len, const char *name, size_t number,
                    struct assay_err *err)
{
    json_t *tree = parse_line(line, len), *value = json_object_get(tree, "value");
    json_t *metadata = json_object_get(tree, "metadata");
    const char *key = json_string_value(json_object_get(tree, "key"));
    int rc = 0;

    if (!key || !value) {
        json_decref(tree);
        return assay_fail(err, ASSAY_EFAIL,
                          "%s:%zu: is no line of LoadGen's detail log (not JSON, or without "
                          "key or value)",
                          name, number);
    }
    if (json_object_set(d->values, key, value))
        rc = -1;
    if (json_is_true(json_object_get(metadata, "is_error")))
        rc |= remember(d->errors, key, value);
    if (json_is_true(json_object_get(metadata, "is_warning")))
        rc |= remember(d->warnings, key, value);
    json_decref(tree);
    if (rc)
        return assay_fail(err, ASSAY_EFAIL, "%s:%zu: out of memory", name, number);
    return 0;
}

int detail_parse(const char *text, size_t len, const char *name, struct detail *d,
                 struct assay_err *err)
{
    const char *line, *end = text + len, *next;
    size_t number = 0;
    int rc = 0;

    *d = (struct detail){json_object(), json_array(), json_array()};
    if (!d->values || !d->errors || !d->warnings)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: out of memory", name);
    for (line = text; !rc && line < end; line = next + 1) {
        next = memchr(line, '\n', (size_t)(end - line));
        if (!next)
            next = end;
        number++;
        if ((size_t)(next - line) >= PREFIX_LEN && !memcmp(line, PREFIX, PREFIX_LEN))
            rc = add_line(d, line + PREFIX_LEN, (size_t)(next - line) - PREFIX_LEN, name, number,
                          err);
        else if (number == 1)
            break;
    }
    if (!rc && !json_object_size(d->values))
        rc = assay_fail(
            err, ASSAY_EFAIL,
            "%s:1: is no detail log of LoadGen (the first line must start with :::MLLOG)", name);
    if (rc)
        detail_release(d);
    return rc;
}

int detail_read(const char *path, struct detail *d, struct assay_err *err)
{
    char *text = NULL;
    size_t len;
    int rc = file_read(path, MAX_DETAIL, &text, &len, err);

    if (!rc)
        rc = detail_parse(text, len, path, d, err);
    free(text);
    return rc;
}

void detail_release(struct detail *d)
{
    json_decref(d->values);
    json_decref(d->errors);
    json_decref(d->warnings);
    *d = (struct detail){0};
}

double detail_real(const struct detail *d, const char *key, double otherwise)
{
    const json_t *v = json_object_get(d->values, key);
    const char *text = json_string_value(v);
    char *end;
    double real;

    if (json_is_boolean(v))
        return json_is_true(v);
    if (json_is_number(v))
        return json_number_value(v);
    if (!text || !*text)
        return otherwise;
    real = strtod(text, &end);
    return *end || !isfinite(real) ? otherwise : real;
}

const char *detail_text(const struct detail *d, const char *key, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(d->values, key));

    return text ? text : otherwise;
}

bool detail_u64(const struct detail *d, const char *key, uint64_t *out)
{
    const json_t *v = json_object_get(d->values, key);
    const char *text = json_string_value(v);
    char *end;

    if (json_is_integer(v) && json_integer_value(v) >= 0) {
        *out = (uint64_t)json_integer_value(v);
        return true;
    }
    if (!text || !isdigit((unsigned char)*text))
        return false;
    *out = strtoull(text, &end, 10);
    return !*end;
}

double detail_time_ms(const struct detail *d, const char *key)
{
    const char *text = detail_text(d, key, "");
    struct tm tm = {0};
    int ms;

    if (sscanf(text, "%d-%d-%d %d:%d:%d.%d", &tm.tm_mon, &tm.tm_mday, &tm.tm_year, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec, &ms) != 7)
        return NAN;
    tm.tm_mon--;
    tm.tm_year -= 1900;
    return (double)timegm(&tm) * 1000 + ms;
}

json_t *detail_results(const struct detail *d)
{
    json_t *out = json_object(), *v;
    const char *key;

    json_object_foreach(d->values, key, v)
    {
        if (!strncmp(key, "result_", 7) || !strncmp(key, "early_stopping", 14) ||
            !strncmp(key, "effective_", 10))
            json_object_set(out, key, v);
    }
    return out;
}

/* The accuracy log.  It can be gigabytes, so it is scanned by hand, once; the responses' bytes are
 * written into one block of half the text's length, which is the most that the hexadecimal digits
 * can make. */
struct scan {
    const char *at, *end, *name;
    size_t line;
    struct assay_err *err;
};

static int scan_fail(const struct scan *s, const char *what)
{
    return assay_fail(s->err, ASSAY_EFAIL, "%s:%zu: is no accuracy log of LoadGen: %s", s->name,
                      s->line, what);
}

static void skip_space(struct scan *s)
{
    for (; s->at < s->end && strchr(" \t\r\n", *s->at) && *s->at; s->at++)
        s->line += *s->at == '\n';
}

static bool take(struct scan *s, char c)
{
    skip_space(s);
    if (s->at == s->end || *s->at != c)
        return false;
    s->at++;
    return true;
}

/* A text without escapes, as a view; LoadGen writes no others. */
static bool take_text(struct scan *s, const char **text, size_t *len)
{
    const char *close;

    if (!take(s, '"'))
        return false;
    close = memchr(s->at, '"', (size_t)(s->end - s->at));
    if (!close || memchr(s->at, '\\', (size_t)(close - s->at)))
        return false;
    *text = s->at;
    *len = (size_t)(close - s->at);
    s->at = close + 1;
    return true;
}

static bool take_number(struct scan *s, uint64_t *out)
{
    const char *start;

    skip_space(s);
    start = s->at;
    for (*out = 0; s->at < s->end && isdigit((unsigned char)*s->at); s->at++)
        if (__builtin_mul_overflow(*out, 10u, out) ||
            __builtin_add_overflow(*out, (unsigned)(*s->at - '0'), out))
            return false;
    return s->at > start;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool decode_hex(const char *text, size_t len, uint8_t *out)
{
    size_t i;
    int high, low;

    if (len % 2)
        return false;
    for (i = 0; i < len; i += 2) {
        high = digit(text[i]);
        low = digit(text[i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i / 2] = (uint8_t)(high << 4 | low);
    }
    return true;
}

enum { SEEN_SEQUENCE = 1, SEEN_INDEX = 2, SEEN_DATA = 4, SEEN_ALL = 7 };

static bool key_is(const char *key, size_t len, const char *name)
{
    return strlen(name) == len && !memcmp(key, name, len);
}

/* One member of an entry; *used counts the bytes already in the block. */
static int scan_member(struct scan *s, struct assay_log_entry *e, int *seen, uint8_t *bytes,
                       size_t *used)
{
    const char *key, *text;
    size_t key_len, len;
    uint64_t number;

    if (!take_text(s, &key, &key_len) || !take(s, ':'))
        return scan_fail(s, "a member is not \"name\" : value");
    if (key_is(key, key_len, "data")) {
        if (!take_text(s, &text, &len) || !decode_hex(text, len, bytes + *used))
            return scan_fail(s, "\"data\" is not hexadecimal");
        e->data = bytes + *used;
        e->bytes = len / 2;
        *used += len / 2;
        *seen |= SEEN_DATA;
        return 0;
    }
    if (key_is(key, key_len, "token_data"))
        return take_text(s, &text, &len) ? 0 : scan_fail(s, "\"token_data\" is no text");
    if (!take_number(s, &number))
        return scan_fail(s, "a value is not a whole number");
    if (key_is(key, key_len, "seq_id")) {
        e->sequence = number;
        *seen |= SEEN_SEQUENCE;
    } else if (key_is(key, key_len, "qsl_idx")) {
        e->index = number;
        *seen |= SEEN_INDEX;
    } else if (!key_is(key, key_len, "token_count")) {
        return scan_fail(s, "it has a member that is not known");
    }
    return 0;
}

static int scan_entry(struct scan *s, struct assay_log_entry *e, uint8_t *bytes, size_t *used)
{
    int rc, seen = 0;

    *e = (struct assay_log_entry){0};
    if (!take(s, '{'))
        return scan_fail(s, "an entry does not start with '{' (was the file cut off?)");
    do {
        rc = scan_member(s, e, &seen, bytes, used);
        if (rc)
            return rc;
    } while (take(s, ','));
    if (!take(s, '}'))
        return scan_fail(s, "an entry does not end with '}' (was the file cut off?)");
    return seen == SEEN_ALL ? 0 : scan_fail(s, "an entry lacks seq_id, qsl_idx or data");
}

static int grow(struct accuracy_log *log, size_t *cap)
{
    struct assay_log_entry *more;

    if (log->n < *cap)
        return 0;
    *cap = *cap ? *cap * 2 : 256;
    more = realloc(log->entries, *cap * sizeof(*more));
    if (!more)
        return -1;
    log->entries = more;
    return 0;
}

static int scan_entries(struct scan *s, struct accuracy_log *log)
{
    size_t cap = 0, used = 0;
    int rc;

    if (!take(s, '['))
        return scan_fail(s, "it does not start with '['");
    if (take(s, ']'))
        return 0;
    do {
        if (grow(log, &cap))
            return assay_fail(s->err, ASSAY_EFAIL, "%s: out of memory", s->name);
        rc = scan_entry(s, &log->entries[log->n], log->bytes, &used);
        if (rc)
            return rc;
        log->n++;
    } while (take(s, ','));
    return take(s, ']')
               ? 0
               : scan_fail(s, "the closing ']' is missing: the run died or the file was cut off");
}

int accuracy_log_parse(const char *text, size_t len, const char *name, struct accuracy_log *log,
                       struct assay_err *err)
{
    struct scan s = {text, text + len, name, 1, err};
    int rc;

    *log = (struct accuracy_log){.bytes = malloc(len / 2 + 1)};
    if (!log->bytes)
        return assay_fail(err, ASSAY_EFAIL, "%s: out of memory", name);
    rc = scan_entries(&s, log);
    if (!rc) {
        skip_space(&s);
        if (s.at != s.end)
            rc = scan_fail(&s, "something follows the closing ']'");
    }
    if (rc)
        accuracy_log_release(log);
    return rc;
}

int accuracy_log_read(const char *path, struct accuracy_log *log, struct assay_err *err)
{
    char *text = NULL;
    size_t len;
    int rc = file_read(path, MAX_LOG, &text, &len, err);

    if (!rc)
        rc = accuracy_log_parse(text, len, path, log, err);
    free(text);
    return rc;
}

void accuracy_log_release(struct accuracy_log *log)
{
    free(log->entries);
    free(log->bytes);
    *log = (struct accuracy_log){0};
}

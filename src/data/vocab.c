/* vocab.txt; see wordpiece.h for its rules. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/wordpiece.h"

void vocab_release(struct vocab *v)
{
    free(v->tokens);
    free(v->text);
    free(v->table);
    memset(v, 0, sizeof(*v));
}

/* FNV-1a. */
static uint32_t hash_of(const char *s, size_t n)
{
    uint32_t h = 2166136261u;
    size_t i;

    for (i = 0; i < n; i++)
        h = (h ^ (unsigned char)s[i]) * 16777619u;
    return h ^ h >> 15;
}

/* Where the token is in the table, or would be. */
static uint32_t *slot_of(const struct vocab *v, const char *s, size_t n)
{
    uint32_t at = hash_of(s, n) & v->mask;

    while (v->table[at]) {
        const char *have = v->tokens[v->table[at] - 1];

        if (!strncmp(have, s, n) && !have[n])
            break;
        at = (at + 1) & v->mask;
    }
    return &v->table[at];
}

int64_t vocab_find(const struct vocab *v, const char *s, size_t n)
{
    return n > v->longest ? -1 : (int64_t)*slot_of(v, s, n) - 1;
}

static int add_line(struct vocab *v, char *line, size_t len, const char *file,
                    struct assay_err *err)
{
    uint32_t *slot;

    if (len && line[len - 1] == '\r')
        len--;
    line[len] = 0;
    if (strlen(line) != len)
        return assay_fail(err, ASSAY_EFAIL, "%s:%u: holds a NUL byte; wanted: a token a line", file,
                          v->n + 1);
    if (!len)
        return assay_fail(err, ASSAY_EFAIL, "%s:%u: is empty; wanted: a token a line", file,
                          v->n + 1);
    slot = slot_of(v, line, len);
    if (*slot)
        return assay_fail(err, ASSAY_EFAIL,
                          "%s:%u: token '%.60s' is that of line %u too; its id would be unclear",
                          file, v->n + 1, line, *slot);
    v->tokens[v->n++] = line;
    *slot = v->n;
    v->longest = len > v->longest ? len : v->longest;
    return ASSAY_OK;
}

static int find_specials(struct vocab *v, const char *file, struct assay_err *err)
{
    const struct {
        const char *name;
        uint32_t *id;
    } specials[] = {{"[UNK]", &v->unk}, {"[CLS]", &v->cls}, {"[SEP]", &v->sep}};
    size_t i;

    for (i = 0; i < sizeof(specials) / sizeof(specials[0]); i++) {
        int64_t id = vocab_find(v, specials[i].name, 5);

        if (id < 0)
            return assay_fail(err, ASSAY_EFAIL,
                              "%s: has no token %s; wanted: the vocabulary of an uncased BERT",
                              file, specials[i].name);
        *specials[i].id = (uint32_t)id;
    }
    return ASSAY_OK;
}

/* Room for one token a line, and a table that stays at most half full. */
static int make_room(struct vocab *v, size_t lines)
{
    size_t size = 1024;

    while (size < 2 * lines)
        size *= 2;
    v->mask = (uint32_t)size - 1;
    v->tokens = calloc(lines, sizeof(*v->tokens));
    v->table = calloc(size, sizeof(*v->table));
    return v->tokens && v->table;
}

/* Takes over text (malloc'ed, NUL-terminated behind len). */
static int parse_owned(char *text, size_t len, const char *file, struct vocab *v,
                       struct assay_err *err)
{
    size_t lines = 1, i;
    char *at, *end;
    int rc = ASSAY_OK;

    memset(v, 0, sizeof(*v));
    v->text = text;
    for (i = 0; i < len; i++)
        lines += text[i] == '\n';
    if (!make_room(v, lines)) {
        vocab_release(v);
        return assay_fail(err, ASSAY_EFAIL, "%s: not enough memory for %zu tokens", file, lines);
    }
    for (at = text; !rc && at < text + len; at = end + 1) {
        end = memchr(at, '\n', (size_t)(text + len - at));
        end = end ? end : text + len;
        rc = add_line(v, at, (size_t)(end - at), file, err);
    }
    if (!rc)
        rc = find_specials(v, file, err);
    if (rc)
        vocab_release(v);
    return rc;
}

int vocab_parse(const char *text, size_t len, const char *file, struct vocab *v,
                struct assay_err *err)
{
    char *own = malloc(len + 1);

    if (!own)
        return assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", file);
    memcpy(own, text, len);
    own[len] = 0;
    return parse_owned(own, len, file, v, err);
}

int vocab_read(const char *path, struct vocab *v, struct assay_err *err)
{
    char *text;
    size_t len;
    int rc = file_read(path, VOCAB_MAX_BYTES, &text, &len, err);

    return rc ? rc : parse_owned(text, len, path, v, err);
}

/* YAML by libyaml's event parser into jansson trees; JSON by jansson. */
#include "base/tree.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/file.h"
#include "base/unicode.h"

#define MAX_DEPTH 64

struct builder {
    yaml_parser_t parser;
    const char *name, *text;
    struct assay_err *err;
};

/* Where the byte is; libyaml gives a byte that is no text by its offset alone. */
static yaml_mark_t mark_of(const char *text, size_t offset)
{
    yaml_mark_t at = {0};

    for (at.index = 0; at.index < offset; at.index++) {
        at.column++;
        if (text[at.index] == '\n') {
            at.line++;
            at.column = 0;
        }
    }
    return at;
}

static int bad(struct builder *b, const yaml_mark_t *at, const char *what)
{
    return assay_fail(b->err, ASSAY_EUSAGE, "%s:%zu:%zu: %s", b->name, at->line + 1, at->column + 1,
                      what);
}

/* A plain scalar's value by the core schema. */
static json_t *plain(const char *s)
{
    char *end;
    long long i;
    double f;

    if (!*s || !strcmp(s, "~") || !strcmp(s, "null"))
        return json_null();
    if (!strcmp(s, "true") || !strcmp(s, "false"))
        return json_boolean(s[0] == 't');
    if (strspn(s, "+-.0123456789eExabcdfABCDFo") == strlen(s)) {
        errno = 0;
        i = strtoll(s, &end, s[0] == '0' && (s[1] == 'x' || s[1] == 'X') ? 16 : 10);
        if (!*end && !errno)
            return json_integer(i);
        f = strtod(s, &end);
        if (!*end && isfinite(f) && strcspn(s, "0123456789") < strlen(s))
            return json_real(f);
    }
    return json_string(s);
}

static int next(struct builder *b, yaml_event_t *ev)
{
    char what[256];
    yaml_mark_t at;

    if (yaml_parser_parse(&b->parser, ev))
        return ASSAY_OK;
    snprintf(what, sizeof(what), "not valid YAML: %s", b->parser.problem ? b->parser.problem : "?");
    at = b->parser.error == YAML_READER_ERROR ? mark_of(b->text, b->parser.problem_offset)
                                              : b->parser.problem_mark;
    return bad(b, &at, what);
}

static int build(struct builder *b, yaml_event_t *ev, int depth, json_t **out);

static int build_sequence(struct builder *b, int depth, json_t **out)
{
    yaml_event_t ev;
    json_t *item;
    int rc;

    *out = json_array();
    for (;;) {
        if ((rc = next(b, &ev)))
            return rc;
        if (ev.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&ev);
            return ASSAY_OK;
        }
        item = NULL;
        rc = build(b, &ev, depth + 1, &item);
        yaml_event_delete(&ev);
        if (rc) {
            json_decref(item);
            return rc;
        }
        json_array_append_new(*out, item);
    }
}

static int build_mapping(struct builder *b, int depth, json_t **out)
{
    yaml_event_t key, ev;
    json_t *item;
    int rc;

    *out = json_object();
    for (;;) {
        if ((rc = next(b, &key)))
            return rc;
        if (key.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&key);
            return ASSAY_OK;
        }
        item = NULL;
        if (key.type != YAML_SCALAR_EVENT || key.data.scalar.tag || key.data.scalar.anchor) {
            rc = bad(b, &key.start_mark, "a plain word is wanted as key");
        } else if (json_object_get(*out, (const char *)key.data.scalar.value)) {
            char what[128];

            snprintf(what, sizeof(what), "the key '%.80s' is there twice",
                     (const char *)key.data.scalar.value);
            rc = bad(b, &key.start_mark, what);
        } else if (!(rc = next(b, &ev))) {
            rc = build(b, &ev, depth + 1, &item);
            yaml_event_delete(&ev);
        }
        if (!rc && json_object_set_new(*out, (const char *)key.data.scalar.value, item)) {
            item = NULL;
            rc = bad(b, &key.start_mark, "the key or the value is not UTF-8");
        }
        yaml_event_delete(&key);
        if (rc) {
            json_decref(item);
            return rc;
        }
    }
}

static int build(struct builder *b, yaml_event_t *ev, int depth, json_t **out)
{
    const char *s;

    if (depth > MAX_DEPTH)
        return bad(b, &ev->start_mark, "nested too deeply");
    switch (ev->type) {
    case YAML_SCALAR_EVENT:
        if (ev->data.scalar.anchor || ev->data.scalar.tag)
            return bad(b, &ev->start_mark, "anchors and tags are not supported here");
        s = (const char *)ev->data.scalar.value;
        if (strlen(s) != ev->data.scalar.length)
            return bad(b, &ev->start_mark, "a zero byte in a text");
        *out = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? plain(s) : json_string(s);
        return *out ? ASSAY_OK : bad(b, &ev->start_mark, "not UTF-8");
    case YAML_SEQUENCE_START_EVENT:
        if (ev->data.sequence_start.anchor || ev->data.sequence_start.tag)
            return bad(b, &ev->start_mark, "anchors and tags are not supported here");
        return build_sequence(b, depth, out);
    case YAML_MAPPING_START_EVENT:
        if (ev->data.mapping_start.anchor || ev->data.mapping_start.tag)
            return bad(b, &ev->start_mark, "anchors and tags are not supported here");
        return build_mapping(b, depth, out);
    default:
        return bad(b, &ev->start_mark, "aliases are not supported here");
    }
}

int tree_parse_yaml(const char *text, size_t len, const char *name, json_t **out,
                    struct assay_err *err)
{
    struct builder b = {.name = name, .text = text, .err = err};
    yaml_event_t ev;
    json_t *tree = NULL;
    int rc, done = 0;

    if (!yaml_parser_initialize(&b.parser))
        return assay_fail(err, ASSAY_EFAIL, "%s: not enough memory to read it", name);
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)text, len);
    while (!(rc = next(&b, &ev)) && !done) {
        done = ev.type == YAML_STREAM_END_EVENT;
        if (ev.type == YAML_DOCUMENT_START_EVENT && tree)
            rc = bad(&b, &ev.start_mark, "a second document; one is wanted");
        else if (ev.type == YAML_SCALAR_EVENT || ev.type == YAML_MAPPING_START_EVENT ||
                 ev.type == YAML_SEQUENCE_START_EVENT || ev.type == YAML_ALIAS_EVENT)
            rc = build(&b, &ev, 0, &tree);
        yaml_event_delete(&ev);
        if (rc || done)
            break;
    }
    yaml_parser_delete(&b.parser);
    if (!rc && !tree)
        tree = json_null();
    if (rc)
        json_decref(tree);
    else
        *out = tree;
    return rc;
}

int tree_read_yaml(const char *path, json_t **out, struct assay_err *err)
{
    char *text;
    size_t len;
    int rc = file_read(path, TREE_MAX_BYTES, &text, &len, err);

    if (rc)
        return rc;
    rc = tree_parse_yaml(text, len, path, out, err);
    free(text);
    return rc;
}

int tree_read_json(const char *path, json_t **out, struct assay_err *err)
{
    json_error_t e;
    char *text;
    size_t len;
    int rc = file_read(path, (size_t)1 << 31, &text, &len, err);

    if (rc)
        return rc;
    *out = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
    free(text);
    if (!*out)
        return assay_fail(err, ASSAY_EUSAGE, "%s:%d:%d: not valid JSON: %s", path, e.line, e.column,
                          e.text);
    return ASSAY_OK;
}

char *tree_dump(const json_t *tree, int digits)
{
    char *text = json_dumps(tree, JSON_INDENT(2) | JSON_SORT_KEYS |
                                      JSON_REAL_PRECISION((size_t)(unsigned)digits));
    size_t len = text ? strlen(text) : 0;
    char *longer = text ? realloc(text, len + 2) : NULL;

    if (!longer) {
        free(text);
        return NULL;
    }
    longer[len] = '\n';
    longer[len + 1] = 0;
    return longer;
}

int tree_write_json(const char *path, const json_t *tree, struct assay_err *err)
{
    char *text = tree_dump(tree, 17);
    int rc;

    if (!text)
        return assay_fail(err, ASSAY_EFAIL, "%s: not enough memory to write it", path);
    rc = file_write_whole(path, text, strlen(text), err);
    free(text);
    return rc;
}

const char *tree_text(const json_t *object, const char *key, const char *otherwise)
{
    const json_t *v = json_object_get(object, key);

    return json_is_string(v) ? json_string_value(v) : otherwise;
}

double tree_real(const json_t *object, const char *key, double otherwise)
{
    const json_t *v = json_object_get(object, key);

    return json_is_number(v) ? json_number_value(v) : otherwise;
}

int64_t tree_int(const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *v = json_object_get(object, key);

    return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

bool tree_bool(const json_t *object, const char *key, bool otherwise)
{
    const json_t *v = json_object_get(object, key);

    return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

bool tree_any_has(const json_t *list, const char *key)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_object_get(json_array_get(list, i), key))
            return true;
    return false;
}

json_t *tree_string(const char *s)
{
    json_t *out = json_string(s);
    const char *end = s + strlen(s);
    char one[4];
    struct text t;

    if (out)
        return out;
    text_init(&t, 3 * strlen(s) + 1);
    while (s < end)
        text_addn(&t, one, unicode_put(unicode_next(&s, end), one));
    out = json_string(t.s);
    text_release(&t);
    return out;
}

void tree_add_quoted(struct text *t, const char *s)
{
    json_t *j = json_string(s);
    char *dumped = j ? json_dumps(j, JSON_ENCODE_ANY) : NULL;

    text_add(t, dumped ? dumped : "\"?\"");
    free(dumped);
    json_decref(j);
}

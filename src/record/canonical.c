/* Walking a tree into a hash: see canonical.h. */
#include "record/canonical.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct walk {
    struct hash *hash;
    bool failed; /* too deep, or no memory */
};

static void add_tree(struct walk *w, const json_t *v, int depth);

static void add(struct walk *w, const char *s)
{
    hash_add(w->hash, s, strlen(s));
}

static void add_text(struct walk *w, const char *s, size_t n)
{
    char head[32];

    snprintf(head, sizeof(head), "%zu:", n);
    add(w, head);
    hash_add(w->hash, s, n);
}

static void add_number(struct walk *w, const json_t *v)
{
    double real = json_number_value(v);
    char text[64];

    if (json_is_integer(v))
        snprintf(text, sizeof(text), "i%lld;", (long long)json_integer_value(v));
    else if (real == floor(real) && fabs(real) < 9007199254740992.0)
        snprintf(text, sizeof(text), "i%lld;", (long long)real);
    else
        snprintf(text, sizeof(text), "r%.17g;", real);
    add(w, text);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_object(struct walk *w, const json_t *object, int depth)
{
    size_t n = json_object_size(object), i = 0;
    const char **names = malloc((n ? n : 1) * sizeof(*names));
    const char *name;
    json_t *value;

    if (!names) {
        w->failed = true;
        return;
    }
    json_object_foreach((json_t *)object, name, value)
    {
        names[i++] = name;
    }
    qsort(names, n, sizeof(*names), by_name);
    add(w, "{");
    for (i = 0; i < n; i++) {
        add_text(w, names[i], strlen(names[i]));
        add_tree(w, json_object_get(object, names[i]), depth + 1);
    }
    add(w, "}");
    free(names);
}

static void add_tree(struct walk *w, const json_t *v, int depth)
{
    const json_t *item;
    size_t i;

    if (depth > CANONICAL_DEPTH || w->failed) {
        w->failed = true;
        return;
    }
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        add_object(w, v, depth);
        break;
    case JSON_ARRAY:
        add(w, "[");
        json_array_foreach(v, i, item)
        {
            add_tree(w, item, depth + 1);
        }
        add(w, "]");
        break;
    case JSON_STRING:
        add_text(w, json_string_value(v), json_string_length(v));
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        add_number(w, v);
        break;
    default:
        add(w, json_is_true(v) ? "t" : json_is_false(v) ? "f" : "n");
    }
}

int canonical_hash(const json_t *tree, char hex[HASH_HEX], struct assay_err *err)
{
    struct walk w = {hash_create(), false};

    if (!w.hash)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory for a hash");
    add_tree(&w, tree, 0);
    hash_take(w.hash, hex);
    return w.failed ? assay_fail(err, ASSAY_EUSAGE, "nested more than %d deep", CANONICAL_DEPTH)
                    : ASSAY_OK;
}

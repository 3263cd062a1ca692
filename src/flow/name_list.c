/* Reading a list of names; see name_list.h. */
#include "flow/name_list.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

#define MAX_BYTES ((size_t)256 << 20)
#define MAX_NAME  200
#define UNDER_WAY ".part"

/* One list that is read. */
struct reader {
    const char *path;
    struct name_list *list;
    struct assay_err *err;
};

static int no_memory(const struct reader *r)
{
    return assay_fail(r->err, ASSAY_EFAIL, "%s: not enough memory for its names", r->path);
}

static bool is_utf8(const char *s, size_t n)
{
    json_t *text = json_stringn(s, n);

    json_decref(text);
    return text != NULL;
}

static bool is_name(const char *s, size_t n)
{
    size_t end = strlen(UNDER_WAY);

    if (!n || n > MAX_NAME || s[0] == '.' || (n >= end && !memcmp(s + n - end, UNDER_WAY, end)))
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] < ' ' || s[i] == 127 || s[i] == '/')
            return false;
    return is_utf8(s, n);
}

/* What is shown of a bad name: plain characters alone, it may be no UTF-8. */
static void show(const char *s, size_t n, char out[80])
{
    snprintf(out, 80, "%.*s", (int)(n < 79 ? n : 79), s);
    for (char *p = out; *p; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
}

static int add(struct reader *r, const char *s, size_t n)
{
    struct name_list *l = r->list;
    char **grown, shown[80];

    if (!is_name(s, n)) {
        show(s, n, shown);
        return assay_fail(r->err, ASSAY_EFAIL,
                          "%s: its name %zu, '%s', cannot be that of a file: wanted are at most %d "
                          "bytes of UTF-8 without '/' and control characters, no '.' first, no "
                          "'" UNDER_WAY "' last",
                          r->path, l->count + 1, shown, MAX_NAME);
    }
    if (l->count == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 1024;
        if (!(grown = realloc(l->names, l->cap * sizeof(*grown))))
            return no_memory(r);
        l->names = grown;
    }
    if (!(l->names[l->count] = strndup(s, n)))
        return no_memory(r);
    l->count++;
    return ASSAY_OK;
}

/* All that the path leads to, from here. */
static int add_at(struct reader *r, const json_t *v, const char *path)
{
    size_t n = strcspn(path, ".["), i;
    char key[128];
    json_t *one;
    int rc = ASSAY_OK;

    if (n) {
        snprintf(key, sizeof(key), "%.*s", (int)(n < sizeof(key) ? n : 0), path);
        if (!(v = json_object_get(v, key)))
            return assay_fail(r->err, ASSAY_EFAIL, "%s: no '%s' behind its name %zu", r->path, key,
                              r->list->count);
        path += n;
    }
    if (*path == '.')
        return add_at(r, v, path + 1);
    if (!*path)
        return json_is_string(v) ? add(r, json_string_value(v), json_string_length(v))
                                 : assay_fail(r->err, ASSAY_EFAIL, "%s: its name %zu is no text",
                                              r->path, r->list->count + 1);
    if (!json_is_array(v))
        return assay_fail(r->err, ASSAY_EFAIL, "%s: no list where names are looked for", r->path);
    path += strlen("[]");
    json_array_foreach(v, i, one)
    {
        if ((rc = add_at(r, one, path + (*path == '.'))))
            break;
    }
    return rc;
}

static int read_json(struct reader *r, const char *path)
{
    json_error_t e;
    json_t *tree = json_loadb(r->list->text, r->list->len, JSON_REJECT_DUPLICATES, &e);
    int rc;

    if (!tree)
        return assay_fail(r->err, ASSAY_EFAIL, "%s:%d: is no JSON: %s", r->path, e.line, e.text);
    rc = add_at(r, tree, path);
    json_decref(tree);
    return rc;
}

static int read_lines(struct reader *r)
{
    const char *p = r->list->text, *end = p + r->list->len;
    int rc = ASSAY_OK;

    while (p < end && !rc) {
        const char *line = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((line ? line : end) - p), len = n && p[n - 1] == '\r' ? n - 1 : n;

        if (len)
            rc = add(r, p, len);
        p += n + 1;
    }
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int sort(struct reader *r)
{
    struct name_list *l = r->list;

    if (!l->count)
        return assay_fail(r->err, ASSAY_EFAIL, "%s: names nothing", r->path);
    qsort(l->names, l->count, sizeof(*l->names), by_name);
    for (size_t i = 1; i < l->count; i++)
        if (!strcmp(l->names[i - 1], l->names[i]))
            return assay_fail(r->err, ASSAY_EFAIL, "%s: names '%s' twice", r->path, l->names[i]);
    return ASSAY_OK;
}

int name_list_take(char *text, size_t len, const char *path, const char *json,
                   struct name_list *list, struct assay_err *err)
{
    struct reader r = {path, list, err};
    int rc;

    *list = (struct name_list){.text = text, .len = len};
    rc = json ? read_json(&r, json) : read_lines(&r);
    if (!rc)
        rc = sort(&r);
    if (rc)
        name_list_release(list);
    return rc;
}

int name_list_read(const char *path, const char *json, struct name_list *list,
                   struct assay_err *err)
{
    char *text;
    size_t len;
    int rc = file_read(path, MAX_BYTES, &text, &len, err);

    *list = (struct name_list){NULL};
    return rc ? rc : name_list_take(text, len, path, json, list, err);
}

void name_list_release(struct name_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list->names);
    free(list->text);
    memset(list, 0, sizeof(*list));
}

void name_list_digest(const struct name_list *list, char hex[HASH_HEX])
{
    struct hash *h = hash_create();

    hex[0] = 0;
    for (size_t i = 0; h && i < list->count; i++) {
        hash_add(h, list->names[i], strlen(list->names[i]));
        hash_add(h, "\n", 1);
    }
    if (h)
        hash_take(h, hex);
}

/* All but what RFC 3986 calls unreserved is written as "%XX". */
static void add_encoded(struct text *t, const char *s)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

    for (; *s; s++) {
        if (strchr(plain, *s))
            text_addn(t, s, 1);
        else
            text_addf(t, "%%%02X", (unsigned)(unsigned char)*s);
    }
}

char *name_list_fill(const char *text, const char *name, bool url)
{
    const char *at;
    struct text t;

    text_init(&t, 1 << 16);
    for (; (at = strstr(text, "{name}")); text = at + strlen("{name}")) {
        text_addn(&t, text, (size_t)(at - text));
        if (url)
            add_encoded(&t, name);
        else
            text_add(&t, name);
    }
    text_add(&t, text);
    return text_take(&t);
}

/* Filling the places of a text; see fill.h. */
#include "flow/fill.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define MAX_FILLED (1u << 20)

/* The text of a name; NULL: there is none. */
static const char *find(const json_t *scope, const char *name)
{
    const char *text = json_string_value(json_object_get(scope, name));
    char start[128];
    size_t n;

    if (text)
        return text;
    for (n = strlen(name); n; n--) {
        if (name[n - 1] != '.' || n >= sizeof(start))
            continue;
        snprintf(start, sizeof(start), "%.*s", (int)n, name);
        if (name[n] && (text = json_string_value(json_object_get(scope, start))))
            return text;
    }
    return NULL;
}

static int unknown(const char *name, const json_t *scope, struct assay_err *err)
{
    const char *names[256], *near, *key;
    size_t n = 0;
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)scope, key, v) if (n < 256) names[n++] = key;
    near = text_nearest(name, names, n, sizeof(names[0]));
    return assay_fail(err, ASSAY_EUSAGE, "${%.80s} stands for nothing here%s%s%s", name,
                      near ? "; did you mean ${" : "", near ? near : "", near ? "}?" : "");
}

/* The name of the place at s ("${…}"); 0: it is none that can be read. */
static size_t place(const char *s, char name[128])
{
    size_t n = strcspn(s + 2, "}");

    if (s[2 + n] != '}' || !n || n > 127)
        return 0;
    snprintf(name, 128, "%.*s", (int)n, s + 2);
    return n + 3;
}

int fill(const char *text, const json_t *scope, char **out, struct assay_err *err)
{
    struct text t;
    const char *value;
    char name[128];
    size_t n;
    int rc = ASSAY_OK;

    text_init(&t, MAX_FILLED);
    while (*text && !rc) {
        n = strcspn(text, "$");
        text_addn(&t, text, n);
        text += n;
        if (!strncmp(text, "$${", 3)) {
            text_add(&t, "${");
            text += 3;
        } else if (strncmp(text, "${", 2) != 0) {
            n = *text == '$';
            text_addn(&t, text, n);
            text += n;
        } else if (!(n = place(text, name))) {
            rc = assay_fail(err, ASSAY_EUSAGE, "'%.40s': a '${' without a name and '}'", text);
        } else if (!(value = find(scope, name))) {
            rc = unknown(name, scope, err);
        } else {
            text_add(&t, value);
            text += n;
        }
    }
    if (!rc && !(*out = text_take(&t)))
        rc = assay_fail(err, ASSAY_EFAIL, "a text of a recipe becomes too long");
    text_release(&t);
    return rc;
}

int fill_list(const json_t *texts, const json_t *scope, json_t **out, struct assay_err *err)
{
    json_t *list = json_array(), *v;
    size_t i;
    char *one;
    int rc = ASSAY_OK;

    json_array_foreach(texts, i, v)
    {
        if ((rc = fill(json_string_value(v), scope, &one, err)))
            break;
        json_array_append_new(list, json_string(one));
        free(one);
    }
    if (rc)
        json_decref(list);
    else
        *out = list;
    return rc;
}

bool fill_asks(const char *text, const char *name)
{
    size_t n = strlen(name);
    const char *p = text;

    while ((p = strstr(p, "${"))) {
        if ((p == text || p[-1] != '$') && !strncmp(p + 2, name, n) &&
            (name[n - 1] == '.' || p[2 + n] == '}'))
            return true;
        p += 2;
    }
    return false;
}

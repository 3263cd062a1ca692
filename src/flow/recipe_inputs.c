/* Values for a recipe's inputs: checked, and given their types; sizes. */
#include "flow/recipe.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"

static bool has_word(const json_t *list, const char *word)
{
    json_t *v;
    size_t i;

    json_array_foreach(list, i, v) if (!strcmp(json_string_value(v), word)) return true;
    return false;
}

static int within(const json_t *row, const char *name, double x, struct assay_err *err)
{
    double min = tree_real(row, "min", -HUGE_VAL), max = tree_real(row, "max", HUGE_VAL);

    if (x >= min && x <= max)
        return ASSAY_OK;
    return assay_fail(err, ASSAY_EUSAGE, "%s: %.15g is not within %.15g and %.15g", name, x, min,
                      max);
}

static int number(const json_t *row, const char *name, const json_t *v, bool whole, json_t **out,
                  struct assay_err *err)
{
    const char *s = json_string_value(v);
    char *end = NULL;
    double x;

    errno = 0;
    if (s && whole)
        *out = json_integer(strtoll(s, &end, 10));
    else if (s)
        *out = json_real(strtod(s, &end));
    else if (json_is_integer(v) || (json_is_real(v) && !whole))
        *out = json_deep_copy(v);
    if (!*out || (s && (!*s || *end || errno)))
        return assay_fail(err, ASSAY_EUSAGE, "%s must be %s number%s%.60s%s", name,
                          whole ? "a whole" : "a", s ? ", not '" : "", s ? s : "", s ? "'" : "");
    x = json_number_value(*out);
    return within(row, name, x, err);
}

static int flag(const char *name, const json_t *v, json_t **out, struct assay_err *err)
{
    const char *s = json_string_value(v);

    if (json_is_boolean(v))
        *out = json_boolean(json_is_true(v));
    else if (s && (!strcmp(s, "true") || !strcmp(s, "false")))
        *out = json_boolean(s[0] == 't');
    return *out ? ASSAY_OK : assay_fail(err, ASSAY_EUSAGE, "%s must be true or false", name);
}

static int choice(const json_t *row, const char *name, const char *s, json_t **out,
                  struct assay_err *err)
{
    const char *words[64], *near;
    struct text list;
    size_t i, n = 0;
    json_t *v;

    *out = json_string(s);
    if (has_word(json_object_get(row, "choices"), s))
        return ASSAY_OK;
    text_init(&list, 200);
    json_array_foreach(json_object_get(row, "choices"), i, v)
    {
        if (n < 64)
            words[n++] = json_string_value(v);
        text_addf(&list, "%s%s", i ? ", " : "", json_string_value(v));
    }
    near = text_nearest(s, words, n, sizeof(words[0]));
    assay_fail(err, ASSAY_EUSAGE, "%s cannot be '%.60s'; %s%s%s: %s", name, s,
               near ? "did you mean '" : "one of", near ? near : "", near ? "'? One of" : "",
               list.s);
    text_release(&list);
    return ASSAY_EUSAGE;
}

static int place(const char *name, const char *s, bool folder, json_t **out, struct assay_err *err)
{
    char *path = file_absolute(s);

    if (path && file_exists(path) && file_is_dir(path) == folder)
        *out = json_string(path);
    free(path);
    return *out ? ASSAY_OK
                : assay_fail(err, ASSAY_EUSAGE, "%s: '%.200s' is no %s", name, s,
                             folder ? "folder" : "file");
}

static int typed(const json_t *row, const char *name, const json_t *v, json_t **out,
                 struct assay_err *err)
{
    const char *type = tree_text(row, "type", ""), *s = json_string_value(v);

    if (!strcmp(type, "int") || !strcmp(type, "real"))
        return number(row, name, v, type[0] == 'i', out, err);
    if (!strcmp(type, "bool"))
        return flag(name, v, out, err);
    if (!s)
        return assay_fail(err, ASSAY_EUSAGE, "%s must be a text (in quotes)", name);
    if (!strcmp(type, "choice"))
        return choice(row, name, s, out, err);
    if (!strcmp(type, "file") || !strcmp(type, "folder"))
        return place(name, s, type[1] == 'o', out, err);
    if (!strcmp(type, "secret"))
        return assay_fail(err, ASSAY_EUSAGE,
                          "%s is a secret: it is read from the variable %s of the environment, "
                          "never from a file or a command line",
                          name, tree_text(row, "env", "?"));
    *out = json_string(s);
    return ASSAY_OK;
}

int recipe_input(const json_t *body, const char *name, const json_t *value, json_t **out,
                 struct assay_err *err)
{
    const json_t *inputs = json_object_get(body, "inputs"), *row = json_object_get(inputs, name);
    const char *names[64], *near, *key;
    json_t *v = NULL;
    size_t n = 0;
    int rc;

    if (!row) {
        json_object_foreach((json_t *)(uintptr_t)inputs, key, v) if (n < 64) names[n++] = key;
        near = text_nearest(name, names, n, sizeof(names[0]));
        return assay_fail(err, ASSAY_EUSAGE, "%s has no input '%.60s'%s%s%s",
                          tree_text(body, "name", "the recipe"), name,
                          near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    rc = typed(row, name, value, &v, err);
    if (rc)
        json_decref(v);
    else
        *out = v;
    return rc;
}

int64_t recipe_size(const json_t *value)
{
    static const struct {
        const char *unit;
        double bytes;
    } units[] = {{"B", 1},      {"kB", 1e3},      {"MB", 1e6},         {"GB", 1e9},    {"TB", 1e12},
                 {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}, {"TiB", 0x1p40}};
    const char *s = json_string_value(value);
    size_t digits, more;
    double x;

    if (json_is_integer(value))
        return json_integer_value(value) >= 0 ? json_integer_value(value) : -1;
    if (!s)
        return -1;
    digits = strspn(s, "0123456789");
    more = s[digits] == '.' ? strspn(s + digits + 1, "0123456789") : 0;
    if (!digits || digits > 9 || more > 9 || (s[digits] == '.' && !more))
        return -1;
    x = strtod(s, NULL);
    s += digits + (more ? more + 1 : 0);
    s += *s == ' ';
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (!strcmp(s, units[i].unit) && x * units[i].bytes < 9e18)
            return (int64_t)(x * units[i].bytes);
    return -1;
}

/* Texts in and out; see border.h. */
#include "lib/border.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/tree.h"

static char library[] = "libassay";
char *border_argv[2] = {library, NULL};

int border_null(const char *function, struct assay_err *err)
{
    return assay_fail(err, ASSAY_EUSAGE, "%s: an argument that is needed is NULL", function);
}

/* ---- out ---- */

int border_give(json_t *tree, const char *thing, char **text, struct assay_err *err)
{
    char schema[64], *dump;

    snprintf(schema, sizeof(schema), "assay.%s/1", thing ? thing : "");
    if (tree && thing && !json_object_get(tree, "schema"))
        json_object_set_new(tree, "schema", json_string(schema));
    dump = tree ? tree_dump(tree, 15) : NULL;
    json_decref(tree);
    if (!dump)
        return assay_fail(err, ASSAY_EFAIL,
                          "the answer cannot be written: no memory, or a text in it is not UTF-8");
    *text = dump;
    return ASSAY_OK;
}

int border_give_memory(FILE *out, char **memory, int rc, char **text, struct assay_err *err)
{
    if (!out || (fclose(out) && !rc))
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    if (rc)
        free(*memory);
    else
        *text = *memory;
    return rc;
}

/* ---- in ---- */

const char *border_pair(const char *pair, char name[64], struct assay_err *err)
{
    const char *equals = strchr(pair, '=');

    if (!equals || equals == pair || equals - pair > 63) {
        assay_fail(err, ASSAY_EUSAGE, "'%.100s' is no name=value", pair);
        return NULL;
    }
    snprintf(name, 64, "%.*s", (int)(equals - pair), pair);
    return equals + 1;
}

int border_bool(const char *name, const char *value, bool *out, struct assay_err *err)
{
    static const char *const words[] = {"false", "true", "off", "on", "no", "yes", "0", "1"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (!strcmp(words[i], value))
            return *out = i % 2, ASSAY_OK;
    return assay_fail(err, ASSAY_EUSAGE, "%s: '%.60s' is neither true nor false", name, value);
}

int border_int(const char *name, const char *value, int64_t min, int64_t max, int64_t *out,
               struct assay_err *err)
{
    char *end;
    long long v;

    errno = 0;
    v = strtoll(value, &end, 10);
    if (end == value || *end || errno || v < min || v > max)
        return assay_fail(err, ASSAY_EUSAGE, "%s: '%.60s' is no whole number from %lld to %lld",
                          name, value, (long long)min, (long long)max);
    *out = v;
    return ASSAY_OK;
}

int border_settings(const char *const *list, struct settings *s, struct assay_err *err)
{
    char *dir = file_config_dir(), *path = dir ? file_join(dir, "config.yaml") : NULL, name[64];
    const char *value;
    int rc = settings_init(s, err);

    if (!rc && path && file_exists(path))
        rc = settings_read_file(s, path, SETTINGS_USER_FILE, err);
    for (; !rc && list && *list; list++) {
        value = border_pair(*list, name, err);
        rc = value ? settings_set(s, name, value, SETTINGS_CLI, *list, err) : ASSAY_EUSAGE;
    }
    free(path);
    free(dir);
    return rc;
}

char *border_store(const char *store, struct assay_err *err)
{
    char *path = file_store_at(store);

    if (!path)
        assay_fail(err, ASSAY_EFAIL, "not enough memory");
    return path;
}

char *border_cache(const char *cache, struct assay_err *err)
{
    char *path = cache ? file_absolute(cache) : file_cache_dir();

    if (!path)
        assay_fail(err, ASSAY_EFAIL, "not enough memory");
    return path;
}

/* Loads engines: from a name or path to a checked table.
 *
 * Finding and opening is base/plugin.h's; here the table is checked, once, so that all later code
 * can trust it.  Version and size come first: nothing else of a foreign table may be read before.
 */
#include "engine/host.h"

#include <glob.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/plugin.h"
#include "base/text.h"
#include "engine/offer.h"

/* The table of ABI 1.0, which is still taken. */
#define SIZE_1_0 offsetof(struct assay_engine, tunables)

static const struct plugin_kind kind = {"engine", "lib/assay/engines", "ASSAY_ENGINE_PATH",
                                        "assay_engine_entry", true};

json_t *engine_list(void)
{
    return plugin_list(&kind);
}

static const char *caps_conflict(const struct assay_engine *t)
{
    if ((t->caps & ASSAY_CAP_RAGGED) && !(t->caps & ASSAY_CAP_GATHER))
        return "claims ragged batches without taking rows where they lie (RAGGED needs GATHER)";
    if (t->alloc && !t->release)
        return "has alloc but no release";
    if (!t->formats && !(t->caps & ASSAY_CAP_ANY_MODEL))
        return "reads no model format and is no ANY_MODEL engine";
    return NULL;
}

/* Rows of the options table that no value could satisfy. */
static const char *options_conflict(const struct assay_engine *t)
{
    for (const struct assay_option *o = t->options; o && o->name; o++)
        if (!o->initial || !o->help || o->type < ASSAY_OPTION_BOOL || o->type > ASSAY_OPTION_TEXT ||
            (o->type == ASSAY_OPTION_CHOICE && !o->choices))
            return o->name;
    return NULL;
}

const struct assay_tunable *engine_tunables(const struct assay_engine *t)
{
    return t->size > SIZE_1_0 ? t->tunables : NULL;
}

/* Each names an option, and each of its values is one that the option takes. */
static int tunables_check(const struct assay_engine *t, const char *path, struct assay_err *err)
{
    const struct assay_tunable *u;
    struct assay_err why = {0};
    char values[256], *rest, *value, pair[400];

    for (u = engine_tunables(t); u && u->option; u++) {
        snprintf(values, sizeof(values), "%s", u->values ? u->values : "");
        rest = values;
        while ((value = strsep(&rest, " "))) {
            snprintf(pair, sizeof(pair), "%s=%s", u->option, value);
            if (engine_parse_options(t, pair, NULL, NULL, NULL, &why))
                return assay_fail(err, ASSAY_EFAIL, "engine %s: its table of tunables: %.300s",
                                  path, why.text);
        }
    }
    return ASSAY_OK;
}

static bool is_utf8(const char *s)
{
    json_t *string = json_string(s);

    json_decref(string);
    return string;
}

static int table_check(const struct assay_engine *t, const char *path, struct assay_err *err)
{
    const struct {
        const char *name;
        bool there;
    } required[] = {{"open", t->open},   {"describe", t->describe}, {"submit", t->submit},
                    {"close", t->close}, {"name", t->name},         {"summary", t->summary}};
    const char *what;
    int rc;

    for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++)
        if (!required[i].there)
            return assay_fail(err, ASSAY_EFAIL, "engine %s: its table has no %s, which is required",
                              path, required[i].name);
    if (!is_utf8(t->name) || !is_utf8(t->summary))
        return assay_fail(err, ASSAY_EFAIL,
                          "engine %s: the name or the summary in its table is not UTF-8", path);
    if ((what = caps_conflict(t)))
        return assay_fail(err, ASSAY_EFAIL, "engine %s: its table %s", path, what);
    if ((what = options_conflict(t)))
        return assay_fail(err, ASSAY_EFAIL,
                          "engine %s: option '%s' in its table lacks a default, help, a known type "
                          "or choices",
                          path, what);
    rc = engine_parse_options(t, NULL, NULL, NULL, NULL, err);
    return rc ? rc : tunables_check(t, path, err);
}

static int abi_check(const struct assay_engine *t, const char *path, struct assay_err *err)
{
    if (t->abi_major != ASSAY_ENGINE_ABI_MAJOR)
        return assay_fail(
            err, ASSAY_EFAIL,
            "engine %s: built for engine ABI %u.%u, this program has %d.%d; rebuild the "
            "engine",
            path, t->abi_major, t->abi_minor, ASSAY_ENGINE_ABI_MAJOR, ASSAY_ENGINE_ABI_MINOR);
    if (t->size < SIZE_1_0)
        return assay_fail(
            err, ASSAY_EFAIL,
            "engine %s: its table has %llu bytes where ABI %u.%u has at least %zu; set "
            "size to sizeof(struct assay_engine)",
            path, (unsigned long long)t->size, t->abi_major, t->abi_minor, SIZE_1_0);
    return ASSAY_OK;
}

const char *engine_version_asked(const char *name)
{
    const char *at = strchr(name, '/') ? NULL : strchr(name, '@');

    return at ? at + 1 : NULL;
}

static int load_begin(const char *name, struct plugin_opening *o, struct assay_err *err)
{
    const char *version = engine_version_asked(name);
    char plain[256];
    int rc;

    if (version) {
        snprintf(plain, sizeof(plain), "%.*s", (int)(version - 1 - name), name);
        name = plain;
    }
    rc = plugin_open_begin(&kind, name, o, err);
    return rc == ASSAY_EUSAGE && engine_offer_check(name, err) ? ASSAY_EFAIL : rc;
}

static int load_end(struct plugin_opening *o, const struct assay_engine **table,
                    struct assay_err *err)
{
    const void *entry = NULL;
    const struct assay_engine *t;
    int rc = plugin_open_end(o, &entry, err);

    if (rc)
        return rc;
    t = entry;
    if (!t)
        return assay_fail(err, ASSAY_EFAIL, "engine %s: assay_engine_entry gave no table", o->path);
    if ((rc = abi_check(t, o->path, err)) || (rc = table_check(t, o->path, err)))
        return rc;
    *table = t;
    return ASSAY_OK;
}

int engine_load(const char *name, const struct assay_engine **table, char path[1024],
                struct assay_err *err)
{
    struct plugin_opening o;
    int rc = load_begin(name, &o, err);

    if (!rc)
        rc = load_end(&o, table, err);
    snprintf(path, 1024, "%s", o.path);
    return rc;
}

struct engine_loaded *engine_load_all(const json_t *names)
{
    size_t n = json_array_size(names), i;
    struct engine_loaded *all = calloc(n + 1, sizeof(*all));
    struct plugin_opening *o = calloc(n + 1, sizeof(*o));

    for (i = 0; all && o && i < n; i++)
        all[i].rc = load_begin(json_string_value(json_array_get(names, i)), &o[i], &all[i].err);
    for (i = 0; all && o && i < n; i++) {
        if (!all[i].rc)
            all[i].rc = load_end(&o[i], &all[i].table, &all[i].err);
        snprintf(all[i].path, sizeof(all[i].path), "%s", o[i].path);
    }
    if (!o) {
        free(all);
        all = NULL;
    }
    free(o);
    return all;
}

static const char *one_runtime;

void engine_runtime_use(const char *dir)
{
    one_runtime = *dir ? dir : NULL;
}

char *engine_runtime_dir(const char *name)
{
    char *below = text_format("lib/assay/runtimes/%s", name), *dir;

    if (one_runtime) {
        free(below);
        return strdup(one_runtime);
    }
    dir = below ? file_prefix_join(below) : NULL;
    free(below);
    return dir;
}

/* A link that leads nowhere is no file. */
static bool has_file(const char *dir, const char *wildcard)
{
    char *pattern = file_join(dir, wildcard);
    bool found = false;
    glob_t files;

    if (pattern && !glob(pattern, 0, NULL, &files)) {
        for (size_t i = 0; i < files.gl_pathc && !found; i++)
            found = file_exists(files.gl_pathv[i]);
        globfree(&files);
    }
    free(pattern);
    return found;
}

bool engine_runtime_here(const char *name, const char *device)
{
    char *dir = engine_runtime_dir(name);
    bool here = dir && has_file(dir, "lib*.so*");

    if (here && !strncmp(device, "cuda", 4))
        here = has_file(dir, "cuda") || has_file(dir, "lib*_cuda.so*");
    free(dir);
    return here;
}

int engine_runtime_check(const char *dir, struct assay_err *err)
{
    char *pattern = dir ? file_join(dir, "*.so*") : NULL;
    glob_t files;
    int rc = ASSAY_OK;

    if (pattern && !glob(pattern, 0, NULL, &files)) {
        for (size_t i = 0; i < files.gl_pathc && !rc; i++)
            rc = plugin_check_whole(files.gl_pathv[i], err);
        globfree(&files);
    }
    free(pattern);
    return rc;
}

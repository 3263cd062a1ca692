/* Finds and loads engines: from a name or path to a checked table.
 *
 * Search order: a path (contains '/') as it is; else NAME.so in the folders of ASSAY_ENGINE_PATH,
 * then in <prefix>/lib/assay/engines.  An object is opened RTLD_NOW (a missing symbol shows here,
 * not in the middle of a run) and RTLD_LOCAL (two engines' libraries must not mix), and never
 * closed: its threads may live. The table is checked once, so that all later code can trust it. */
#include "engine/host.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

#define SUFFIX ".so"

/* Folders to search, in order, as one ':'-separated string; malloc'ed. */
static char *find_folders(void)
{
    const char *own = getenv("ASSAY_ENGINE_PATH");
    char *installed = file_prefix_join("lib/assay/engines"), *all = NULL;

    if (installed)
        all = own && *own ? text_format("%s:%s", own, installed) : strdup(installed);
    free(installed);
    return all;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct names {
    char **name;
    size_t count;
};

static void names_release(struct names *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->name[i]);
    free(n->name);
}

static void names_add_folder(struct names *n, const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *d;
    char **bigger;

    while (dir && (d = readdir(dir))) {
        size_t len = strlen(d->d_name);

        if (len <= strlen(SUFFIX) || strcmp(d->d_name + len - strlen(SUFFIX), SUFFIX) != 0)
            continue;
        bigger = realloc(n->name, (n->count + 1) * sizeof(*bigger));
        if (!bigger)
            break;
        n->name = bigger;
        n->name[n->count] = strndup(d->d_name, len - strlen(SUFFIX));
        if (n->name[n->count])
            n->count++;
    }
    if (dir)
        closedir(dir);
}

/* Sorted; a name that lies in two folders stands twice. */
static void names_read(struct names *n)
{
    char *folders = find_folders(), *rest = NULL, *folder;

    memset(n, 0, sizeof(*n));
    for (folder = folders ? strtok_r(folders, ":", &rest) : NULL; folder;
         folder = strtok_r(NULL, ":", &rest))
        names_add_folder(n, folder);
    free(folders);
    if (n->count)
        qsort(n->name, n->count, sizeof(*n->name), by_name);
}

json_t *engine_list(void)
{
    json_t *list = json_array();
    struct names names;

    names_read(&names);
    for (size_t i = 0; i < names.count; i++)
        if (i == 0 || strcmp(names.name[i], names.name[i - 1]) != 0)
            json_array_append_new(list, json_string(names.name[i]));
    names_release(&names);
    return list;
}

static int unknown_name(const char *name, struct assay_err *err)
{
    struct names names;
    const char *near;
    char *folders = find_folders();

    names_read(&names);
    near = text_nearest(name, names.name, names.count, sizeof(*names.name));
    if (near)
        assay_fail(err, ASSAY_EUSAGE, "engine '%s': not installed; did you mean '%s'?", name, near);
    else
        assay_fail(
            err, ASSAY_EUSAGE,
            "engine '%s': not installed (looked for %s.so in %s); `assay engines` lists those "
            "that are",
            name, name, folders ? folders : "");
    names_release(&names);
    free(folders);
    return ASSAY_EUSAGE;
}

static int find_file(const char *name, char path[1024], struct assay_err *err)
{
    char *folders = NULL, *rest = NULL, *folder;
    bool found = false;

    if (strchr(name, '/')) {
        snprintf(path, 1024, "%s", name);
        if (strlen(name) >= 1024 || !file_exists(name))
            return assay_fail(err, ASSAY_EUSAGE, "engine %s: no such file", name);
        return ASSAY_OK;
    }
    folders = find_folders();
    for (folder = folders ? strtok_r(folders, ":", &rest) : NULL; folder && !found;
         folder = strtok_r(NULL, ":", &rest))
        found = snprintf(path, 1024, "%s/%s" SUFFIX, folder, name) < 1024 && file_exists(path);
    free(folders);
    return found ? ASSAY_OK : unknown_name(name, err);
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

static int table_check(const struct assay_engine *t, const char *path, struct assay_err *err)
{
    const struct {
        const char *name;
        bool there;
    } required[] = {{"open", t->open},   {"describe", t->describe}, {"submit", t->submit},
                    {"close", t->close}, {"name", t->name},         {"summary", t->summary}};
    const char *what;

    for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++)
        if (!required[i].there)
            return assay_fail(err, ASSAY_EFAIL, "engine %s: its table has no %s, which is required",
                              path, required[i].name);
    if ((what = caps_conflict(t)))
        return assay_fail(err, ASSAY_EFAIL, "engine %s: its table %s", path, what);
    if ((what = options_conflict(t)))
        return assay_fail(err, ASSAY_EFAIL,
                          "engine %s: option '%s' in its table lacks a default, help, a known type "
                          "or choices",
                          path, what);
    return engine_parse_options(t, NULL, NULL, NULL, NULL, err);
}

/* Version and size come first: nothing else of a foreign table may be read before. */
static int abi_check(const struct assay_engine *t, const char *path, struct assay_err *err)
{
    if (t->abi_major != ASSAY_ENGINE_ABI_MAJOR)
        return assay_fail(
            err, ASSAY_EFAIL,
            "engine %s: built for engine ABI %u.%u, this program has %d.%d; rebuild the "
            "engine",
            path, t->abi_major, t->abi_minor, ASSAY_ENGINE_ABI_MAJOR, ASSAY_ENGINE_ABI_MINOR);
    if (t->size < sizeof(*t))
        return assay_fail(
            err, ASSAY_EFAIL,
            "engine %s: its table has %llu bytes where ABI %u.%u has at least %zu; set "
            "size to sizeof(struct assay_engine)",
            path, (unsigned long long)t->size, t->abi_major, t->abi_minor, sizeof(*t));
    return ASSAY_OK;
}

int engine_load(const char *name, const struct assay_engine **table, char path[1024],
                struct assay_err *err)
{
    const struct assay_engine *(*entry)(void);
    const struct assay_engine *t;
    void *object;
    int rc;

    if ((rc = find_file(name, path, err)))
        return rc;
    object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!object)
        return assay_fail(err, ASSAY_EFAIL, "engine %s: cannot be loaded: %s", path, dlerror());
    /* POSIX's way to get a function out of dlsym without a cast that ISO C forbids. */
    *(void **)&entry = dlsym(object, "assay_engine_entry");
    if (!entry)
        return assay_fail(err, ASSAY_EFAIL,
                          "engine %s: is no engine: it exports no assay_engine_entry", path);
    t = entry();
    if (!t)
        return assay_fail(err, ASSAY_EFAIL, "engine %s: assay_engine_entry gave no table", path);
    if ((rc = abi_check(t, path, err)) || (rc = table_check(t, path, err)))
        return rc;
    *table = t;
    return ASSAY_OK;
}

char *engine_runtime_dir(const char *name)
{
    char *below = text_format("lib/assay/runtimes/%s", name), *dir;

    dir = below ? file_prefix_join(below) : NULL;
    free(below);
    return dir;
}

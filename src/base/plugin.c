/* Finding and loading shared objects that export one entry function. */
#include "base/plugin.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

/* Calls visit for every folder to look in until it returns true. */
static bool each_folder(const struct plugin_kind *kind, bool (*visit)(const char *dir, void *ctx),
                        void *ctx)
{
    const char *env = getenv(kind->env), *colon;
    char *own, dir[1024];
    bool found = false;

    while (env && *env && !found) {
        colon = strchr(env, ':');
        snprintf(dir, sizeof(dir), "%.*s", (int)(colon ? colon - env : (long)strlen(env)), env);
        if (*dir)
            found = visit(dir, ctx);
        env = colon ? colon + 1 : NULL;
    }
    own = found ? NULL : file_prefix_join(kind->folder);
    if (own)
        found = visit(own, ctx);
    free(own);
    return found;
}

/* Not a link to a file that is gone. */
static bool leads_somewhere(const char *dir, const char *name)
{
    char *path = file_join(dir, name);
    bool there = path && file_exists(path);

    free(path);
    return there;
}

static bool add_names(const char *dir, void *ctx)
{
    json_t *names = ctx;
    DIR *d = opendir(dir);
    struct dirent *e;

    while (d && (e = readdir(d))) {
        size_t n = strlen(e->d_name);

        if (n > 3 && !strcmp(e->d_name + n - 3, ".so") && leads_somewhere(dir, e->d_name)) {
            char name[256];

            snprintf(name, sizeof(name), "%.*s", (int)(n - 3), e->d_name);
            json_object_set_new(names, name, json_true());
        }
    }
    if (d)
        closedir(d);
    return false;
}

static int by_name(const void *a, const void *b)
{
    const char *x, *y;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return strcmp(x, y);
}

json_t *plugin_list(const struct plugin_kind *kind)
{
    json_t *names = json_object(), *list = json_array(), *v;
    const char **sorted, *key;
    size_t n = 0, i;

    each_folder(kind, add_names, names);
    sorted = calloc(json_object_size(names) + 1, sizeof(*sorted));
    if (sorted) {
        json_object_foreach(names, key, v) sorted[n++] = key;
        qsort(sorted, n, sizeof(*sorted), by_name);
        for (i = 0; i < n; i++)
            json_array_append_new(list, json_string(sorted[i]));
    }
    free(sorted);
    json_decref(names);
    return list;
}

struct search {
    const char *name;
    char *path; /* 1024 bytes */
};

static bool find_one(const char *dir, void *ctx)
{
    struct search *s = ctx;

    snprintf(s->path, 1024, "%s/%s.so", dir, s->name);
    return file_exists(s->path);
}

static int unknown(const struct plugin_kind *kind, const char *name, struct assay_err *err)
{
    json_t *list = plugin_list(kind), *v;
    const char *names[64], *near;
    size_t i, n = 0;
    struct text all;
    int rc;

    text_init(&all, 256);
    json_array_foreach(list, i, v)
    {
        if (n < 64)
            names[n++] = json_string_value(v);
        text_addf(&all, "%s%s", i ? ", " : "", json_string_value(v));
    }
    near = text_nearest(name, names, n, sizeof(names[0]));
    if (near)
        rc = assay_fail(err, ASSAY_EUSAGE, "there is no %s '%s'; did you mean '%s'?", kind->what,
                        name, near);
    else
        rc = assay_fail(err, ASSAY_EUSAGE, "there is no %s '%s'; there are: %s", kind->what, name,
                        all.len ? all.s : "none (is the installation complete?)");
    text_release(&all);
    json_decref(list);
    return rc;
}

/* Where the file ends by what its header says; 0: it is no object of this machine's kind. */
static uint64_t object_end(int fd)
{
    ElfW(Ehdr) h;
    ElfW(Phdr) p;
    uint64_t end = 0;

    if (pread(fd, &h, sizeof(h), 0) != sizeof(h) || memcmp(h.e_ident, ELFMAG, SELFMAG) ||
        h.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32))
        return 0;
    for (int i = 0; i < h.e_phnum; i++) {
        off_t at = (off_t)(h.e_phoff + (uint64_t)i * sizeof(p));

        if (pread(fd, &p, sizeof(p), at) != sizeof(p))
            return (uint64_t)at + sizeof(p);
        if (p.p_type == PT_LOAD && p.p_offset + p.p_filesz > end)
            end = p.p_offset + p.p_filesz;
    }
    return end;
}

int plugin_check_whole(const char *path, struct assay_err *err)
{
    int64_t size = file_size(path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint64_t end = fd < 0 ? 0 : object_end(fd);

    if (fd >= 0)
        close(fd);
    if (size < 0 || end <= (uint64_t)size)
        return ASSAY_OK;
    return assay_fail(err, ASSAY_EFAIL,
                      "%s is cut off: it has %lld of at least %llu bytes; install it again", path,
                      (long long)size, (unsigned long long)end);
}

/* While a plugin is loaded, what it prints on stdout goes to stderr: stdout is for results. Returns
 * what stdout_back takes. */
static int stdout_away(void)
{
    int kept = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);

    fflush(stdout);
    if (kept >= 0)
        dup2(STDERR_FILENO, STDOUT_FILENO);
    return kept;
}

static void stdout_back(int kept)
{
    fflush(stdout);
    if (kept >= 0) {
        dup2(kept, STDOUT_FILENO);
        close(kept);
    }
}

/* NULL: err says why. */
static const void *load(const struct plugin_kind *kind, const char *path, struct assay_err *err)
{
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL), *symbol;
    const void *(*entry)(void), *table;

    if (!object) {
        assay_fail(err, ASSAY_EFAIL, "%s: cannot be loaded as %s: %s", path, kind->what, dlerror());
        return NULL;
    }
    symbol = dlsym(object, kind->symbol);
    if (!symbol) {
        assay_fail(err, ASSAY_EFAIL, "%s: is no %s: it does not export %s", path, kind->what,
                   kind->symbol);
        return NULL;
    }
    memcpy(&entry, &symbol, sizeof(entry));
    if (!(table = entry()))
        assay_fail(err, ASSAY_EFAIL, "%s: %s returned no table", path, kind->symbol);
    return table;
}

int plugin_open(const struct plugin_kind *kind, const char *name, const void **table,
                char path[1024], struct assay_err *err)
{
    struct search s = {name, path};
    int kept;

    if (strchr(name, '/'))
        snprintf(path, 1024, "%s", name);
    else if (!each_folder(kind, find_one, &s))
        return unknown(kind, name, err);
    if (!file_exists(path))
        return assay_fail(err, ASSAY_EUSAGE, "%s: there is no such %s file", path, kind->what);
    if (plugin_check_whole(path, err))
        return ASSAY_EFAIL;
    kept = stdout_away();
    *table = load(kind, path, err);
    stdout_back(kept);
    return *table ? ASSAY_OK : ASSAY_EFAIL;
}

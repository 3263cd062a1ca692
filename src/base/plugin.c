/* Finding and loading shared objects that export one entry function. */
#include "base/plugin.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/ask.h"
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

/* Where a loaded object's address lies in its file; `size`: not in it. */
static uint64_t file_offset(const ElfW(Phdr) * p, int n, uint64_t address, uint64_t size)
{
    for (int i = 0; i < n; i++)
        if (p[i].p_type == PT_LOAD && address - p[i].p_vaddr < p[i].p_filesz)
            return p[i].p_offset + (address - p[i].p_vaddr);
    return size;
}

/* Whether the names that the loader sees of an object have this one.  True as well where the file
 * is no whole object of this machine's kind: that is for the loader to say. */
static bool has_symbol(const char *file, uint64_t size, const char *symbol)
{
    ElfW(Ehdr) h;
    const ElfW(Phdr) * p;
    uint64_t at = size, names = size, length = 0;

    if (size < sizeof(h))
        return true;
    memcpy(&h, file, sizeof(h));
    if (memcmp(h.e_ident, ELFMAG, SELFMAG) ||
        h.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) ||
        h.e_phoff % sizeof(void *) || h.e_phoff > size || h.e_phnum * sizeof(*p) > size - h.e_phoff)
        return true;
    p = (const void *)(file + h.e_phoff);
    for (int i = 0; i < h.e_phnum; i++)
        if (p[i].p_type == PT_DYNAMIC)
            at = p[i].p_offset;
    for (ElfW(Dyn) d; at < size && size - at >= sizeof(d); at += sizeof(d)) {
        memcpy(&d, file + at, sizeof(d));
        if (d.d_tag == DT_NULL)
            break;
        if (d.d_tag == DT_STRTAB)
            names = file_offset(p, h.e_phnum, d.d_un.d_ptr, size);
        if (d.d_tag == DT_STRSZ)
            length = d.d_un.d_val;
    }
    return names >= size || length > size - names ||
           memmem(file + names, length, symbol, strlen(symbol) + 1);
}

/* Neither a link to a file that is gone nor a library that lies beside the plugin that needs it. */
static bool may_be_plugin(const struct plugin_kind *kind, const char *dir, const char *name)
{
    char *path = file_join(dir, name);
    int64_t size = path ? file_size(path) : -1;
    int fd = size > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *file = fd >= 0 ? mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    bool may = path && file_exists(path);

    if (file != MAP_FAILED) {
        may = has_symbol(file, (uint64_t)size, kind->symbol);
        munmap(file, (size_t)size);
    }
    if (fd >= 0)
        close(fd);
    free(path);
    return may;
}

struct listing {
    const struct plugin_kind *kind;
    json_t *names;
};

static bool add_names(const char *dir, void *ctx)
{
    struct listing *l = ctx;
    DIR *d = opendir(dir);
    struct dirent *e;

    while (d && (e = readdir(d))) {
        size_t n = strlen(e->d_name);

        if (n > 3 && !strcmp(e->d_name + n - 3, ".so") && may_be_plugin(l->kind, dir, e->d_name)) {
            char name[256];

            snprintf(name, sizeof(name), "%.*s", (int)(n - 3), e->d_name);
            json_object_set_new(l->names, name, json_true());
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
    struct listing l = {kind, names};
    size_t n = 0, i;

    each_folder(kind, add_names, &l);
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

/* ---- first in a child ---- */

#define TRY_LIMIT_S 30
#define TRIED       "tried"

static bool may_crash; /* this process is such a child */

void plugin_load_here(void)
{
    may_crash = true;
}

int plugin_try_here(const char *path, const char *symbol, int fd, struct assay_err *err)
{
    const struct plugin_kind kind = {.what = "plugin", .symbol = symbol};
    int own = ask_keep_descriptor(fd);

    load(&kind, path, NULL); /* what it lacks is the parent's to say */
    return write(own, TRIED, sizeof(TRIED) - 1) == sizeof(TRIED) - 1
               ? ASSAY_OK
               : assay_fail(err, ASSAY_EFAIL, "the answer cannot be written");
}

/* Ours, or loaded before. */
static bool is_trusted(const struct plugin_kind *kind, const char *path)
{
    char *own = kind->foreign ? NULL : file_prefix_join(kind->folder);
    size_t n = own ? strlen(own) : 0;
    bool ours = own && !strncmp(path, own, n) && path[n] == '/';

    free(own);
    return may_crash || ours || dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
}

/* Static initialisation (also that of a library which the plugin is linked with), the entry
 * function and what runs at exit may crash, end the process or hang. */
static int try_begin(struct plugin_opening *o, struct assay_err *err)
{
    const char *const argv[] = {"assay-child", "load", o->path, o->kind->symbol, NULL};
    char what[200];
    int rc;

    snprintf(what, sizeof(what), "%s %.150s: its loading", o->kind->what, o->path);
    rc = ask_begin(&o->ask, argv, TRY_LIMIT_S, what, err);
    o->asking = !rc;
    return rc;
}

static int try_end(struct plugin_opening *o, struct assay_err *err)
{
    struct text answer;
    int rc;

    text_init(&answer, 64);
    rc = ask_end(&o->ask, &answer, err);
    if (!rc && strcmp(answer.s, TRIED) != 0)
        rc = assay_fail(err, ASSAY_EFAIL,
                        "%s ended the process (a constructor of it, or of a library of it, called "
                        "exit)",
                        o->ask.what);
    text_release(&answer);
    return rc;
}

int plugin_open_begin(const struct plugin_kind *kind, const char *name, struct plugin_opening *o,
                      struct assay_err *err)
{
    struct search s = {name, o->path};

    o->kind = kind;
    o->asking = false;
    o->path[0] = 0;
    if (strchr(name, '/'))
        snprintf(o->path, sizeof(o->path), "%s", name);
    else if (!each_folder(kind, find_one, &s))
        return unknown(kind, name, err);
    if (!file_exists(o->path))
        return assay_fail(err, ASSAY_EUSAGE, "%s: there is no such %s file", o->path, kind->what);
    if (plugin_check_whole(o->path, err))
        return ASSAY_EFAIL;
    return !is_trusted(kind, o->path) && try_begin(o, err) ? ASSAY_EFAIL : ASSAY_OK;
}

int plugin_open_end(struct plugin_opening *o, const void **table, struct assay_err *err)
{
    int kept;

    if (o->asking && try_end(o, err))
        return ASSAY_EFAIL;
    kept = stdout_away();
    *table = load(o->kind, o->path, err);
    stdout_back(kept);
    return *table ? ASSAY_OK : ASSAY_EFAIL;
}

int plugin_open(const struct plugin_kind *kind, const char *name, const void **table,
                char path[1024], struct assay_err *err)
{
    struct plugin_opening o;
    int rc = plugin_open_begin(kind, name, &o, err);

    snprintf(path, 1024, "%s", o.path);
    return rc ? rc : plugin_open_end(&o, table, err);
}

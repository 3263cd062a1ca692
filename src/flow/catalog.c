/* The index of recipes.
 *
 * The file: a first line, then one line a folder ("D") or recipe ("F"), fields parted by tabs:
 *   kind depth path size mtime ctime inode [name version tags options summary]
 * in the order of a walk, so that what follows a folder with a greater depth is in it.  What was
 * changed in the last seconds before it was looked at is written with times of 0: it could be
 * changed again without a trace, so it is looked at once more. */
#include "flow/catalog.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

#define FIRST_LINE  "assay-recipes 1 " ASSAY_VERSION "\n"
#define SETTLED_NS  2000000000
#define MAX_INDEX   (256u << 20)
#define MAX_RECORDS 1000000

struct stamp {
    int64_t size, mtime, ctime, inode;
};

enum {
    KIND,
    DEPTH,
    PATH,
    SIZE,
    MTIME,
    CTIME,
    INODE,
    NAME,
    VERSION,
    TAGS,
    OPTIONS,
    SUMMARY,
    FIELDS
};

struct record {
    char kind;
    int depth;
    struct stamp stamp;
    char *path, *name, *version, *tags, *options, *summary, *error;
    char *own;  /* the memory of all of these when it was not read from the index */
    size_t end; /* of an old folder: the first record that is not in it */
};

struct table {
    struct record *rows;
    size_t count, cap;
};

/* What one call of catalog_open works with. */
struct scan {
    struct table old, now;
    size_t *slots, slot_count; /* path -> old row + 1; made when first asked */
    int64_t settled;           /* what is older is as it will be */
    int root;                  /* the recipe folder that is looked at, and how long its name is: */
    size_t root_len;           /* short names are looked up faster */
    bool changed;
};

static char nothing[1];

static struct record *table_add(struct table *t)
{
    struct record *rows;

    if (t->count == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 1024;
        if (t->count >= MAX_RECORDS || !(rows = realloc(t->rows, t->cap * sizeof(*rows))))
            return NULL;
        t->rows = rows;
    }
    memset(&t->rows[t->count], 0, sizeof(t->rows[0]));
    return &t->rows[t->count++];
}

static struct stamp stamp_of(const struct stat *st)
{
    return (struct stamp){S_ISDIR(st->st_mode) ? 0 : st->st_size,
                          (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
                          (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec,
                          (int64_t)st->st_ino};
}

static bool same_stamp(const struct stamp *a, const struct stamp *b)
{
    return a->size == b->size && a->mtime == b->mtime && a->ctime == b->ctime &&
           a->inode == b->inode;
}

static bool look(const struct scan *s, const char *path, struct stat *st)
{
    const char *below = path + s->root_len;

    return !fstatat(s->root, *below ? below + 1 : ".", st, 0);
}

/* Reading the old index. */

/* Cuts a line at its tabs; the number of fields. */
static int cut(char *line, char *fields[FIELDS])
{
    int n = 0;

    for (char *p = line; p && n < FIELDS; n++) {
        fields[n] = p;
        if ((p = strchr(p, '\t')))
            *p++ = 0;
    }
    return n;
}

/* What write_record wrote; strtoll would look at the locale each time. */
static int64_t number(const char *s)
{
    uint64_t n = 0;

    for (; *s >= '0' && *s <= '9'; s++)
        n = n * 10 + (uint64_t)(*s - '0');
    return (int64_t)n;
}

static bool read_line(struct table *t, char *line)
{
    char *f[FIELDS];
    int n = cut(line, f);
    struct record *r;

    if ((n != INODE + 1 || f[KIND][0] != 'D') && (n != FIELDS || f[KIND][0] != 'F'))
        return false;
    if (!(r = table_add(t)))
        return false;
    r->kind = f[KIND][0];
    r->depth = f[DEPTH][0] == '0' ? 0 : f[DEPTH][0] == '1' ? 1 : 2;
    r->path = f[PATH];
    r->stamp =
        (struct stamp){number(f[SIZE]), number(f[MTIME]), number(f[CTIME]), number(f[INODE])};
    r->name = r->version = r->tags = r->options = r->summary = r->error = nothing;
    if (n == FIELDS) {
        r->name = f[NAME];
        r->version = f[VERSION];
        r->tags = f[TAGS];
        r->options = f[OPTIONS];
        r->summary = f[SUMMARY];
    }
    return true;
}

static void set_ends(struct table *t)
{
    size_t open[16], depth = 0;

    for (size_t i = 0; i < t->count; i++) {
        while (depth && t->rows[open[depth - 1]].depth >= t->rows[i].depth)
            t->rows[open[--depth]].end = i;
        if (t->rows[i].kind == 'D' && depth < 16)
            open[depth++] = i;
    }
    while (depth)
        t->rows[open[--depth]].end = t->count;
}

/* FNV-1a. */
static size_t slot_of(const struct scan *s, const char *path)
{
    uint64_t h = 14695981039346656037u;

    for (; *path; path++)
        h = (h ^ (unsigned char)*path) * 1099511628211u;
    return (size_t)h & (s->slot_count - 1);
}

static void make_slots(struct scan *s)
{
    for (s->slot_count = 64; s->slot_count < 2 * s->old.count; s->slot_count *= 2)
        ;
    s->slots = calloc(s->slot_count, sizeof(*s->slots));
    for (size_t i = 0; s->slots && i < s->old.count; i++) {
        size_t at = slot_of(s, s->old.rows[i].path);

        while (s->slots[at])
            at = (at + 1) & (s->slot_count - 1);
        s->slots[at] = i + 1;
    }
}

static struct record *old_row(struct scan *s, const char *path, char kind)
{
    if (!s->slots)
        make_slots(s);
    for (size_t at = s->slots ? slot_of(s, path) : 0; s->slots && s->slots[at];
         at = (at + 1) & (s->slot_count - 1)) {
        struct record *r = &s->old.rows[s->slots[at] - 1];

        if (r->kind == kind && !strcmp(r->path, path))
            return r;
    }
    return NULL;
}

/* *text is what the rows point into. */
static void read_index(struct scan *s, const char *path, char **text)
{
    char *line, *end;
    size_t len;

    if (file_read(path, MAX_INDEX, text, &len, NULL))
        return;
    if (!strncmp(*text, FIRST_LINE, strlen(FIRST_LINE))) {
        for (line = *text + strlen(FIRST_LINE); (end = strchr(line, '\n')); line = end + 1) {
            *end = 0;
            if (!read_line(&s->old, line))
                break;
        }
    }
    set_ends(&s->old);
}

/* Looking at the folders. */

static char *comma_list(const json_t *words)
{
    struct text t;
    json_t *v;
    size_t i;

    text_init(&t, 1 << 16);
    text_add(&t, ",");
    json_array_foreach(words, i, v) text_addf(&t, "%s,", json_string_value(v));
    return text_take(&t);
}

static char *option_list(const json_t *tree)
{
    const char *group, *option;
    json_t *g, *o;
    struct text t;

    text_init(&t, 1 << 16);
    text_add(&t, ",");
    json_object_foreach(json_object_get(tree, "variations"), group, g)
    {
        json_object_foreach(json_object_get(g, "options"), option, o) text_addf(&t, "%s,", option);
    }
    return text_take(&t);
}

/* Fills the record's texts, all in one piece of memory. */
static bool set_texts(struct record *r, const char *path, const char *const text[6])
{
    char **to[] = {&r->name, &r->version, &r->tags, &r->options, &r->summary, &r->error};
    size_t need = strlen(path) + 1;
    char *p;

    for (size_t i = 0; i < 6; i++)
        need += strlen(text[i]) + 1;
    if (!(p = r->own = malloc(need)))
        return false;
    r->path = memcpy(p, path, strlen(path) + 1);
    p += strlen(path) + 1;
    for (size_t i = 0; i < 6; i++) {
        *to[i] = memcpy(p, text[i], strlen(text[i]) + 1);
        p += strlen(text[i]) + 1;
    }
    return true;
}

static bool add_new_file(struct scan *s, const char *path, int depth, struct stamp stamp)
{
    struct assay_err err = {0};
    struct recipe recipe = {0};
    struct record *r = table_add(&s->now);
    int rc = recipe_read(path, &recipe, &err);
    char *tags = comma_list(json_object_get(recipe.tree, "tags")),
         *options = option_list(recipe.tree);
    const char *text[6] = {rc ? "" : recipe.name,
                           rc ? "" : recipe.version,
                           tags ? tags : ",",
                           options ? options : ",",
                           rc ? "" : json_string_value(json_object_get(recipe.tree, "summary")),
                           rc ? err.text : ""};
    bool good = r && set_texts(r, path, text);

    if (r) {
        r->kind = 'F';
        r->depth = depth;
        r->stamp = stamp;
    }
    free(tags);
    free(options);
    recipe_release(&recipe);
    return good;
}

/* old: its row in the old index, or NULL. */
static bool look_at_file(struct scan *s, const char *path, int depth, const struct record *old)
{
    struct stamp stamp;
    struct record *r;
    struct stat st;

    if (!look(s, path, &st) || !S_ISREG(st.st_mode)) {
        s->changed = true;
        return true;
    }
    stamp = stamp_of(&st);
    if (old && same_stamp(&old->stamp, &stamp)) {
        if (!(r = table_add(&s->now)))
            return false;
        *r = *old;
        return true;
    }
    if (!add_new_file(s, path, depth, stamp))
        return false;
    /* What is read each time anyway needs no new index each time. */
    if (!old || old->stamp.mtime || !*s->now.rows[s->now.count - 1].error)
        s->changed = true;
    return true;
}

static bool look_at_folder(struct scan *s, const char *path, int depth, const struct record *old);

static bool is_recipe_name(const char *name)
{
    size_t n = strlen(name);

    return name[0] != '.' &&
           ((n > 5 && !strcmp(name + n - 5, ".yaml")) || (n > 4 && !strcmp(name + n - 4, ".yml")));
}

static int shown(const struct dirent *d)
{
    for (const char *p = d->d_name; *p; p++)
        if ((unsigned char)*p < ' ')
            return 0;
    return d->d_name[0] != '.';
}

static bool read_folder(struct scan *s, const char *path, int depth)
{
    struct dirent **list = NULL;
    int n = scandir(path, &list, shown, alphasort);
    bool good = true;

    for (int i = 0; i < n; i++) {
        char *below = file_join(path, list[i]->d_name);

        if (!below)
            good = false;
        else if (good && is_recipe_name(list[i]->d_name))
            good = look_at_file(s, below, depth + 1, old_row(s, below, 'F'));
        else if (good && depth == 0 && file_is_dir(below))
            good = look_at_folder(s, below, depth + 1, old_row(s, below, 'D'));
        free(below);
        free(list[i]);
    }
    free(list);
    return good;
}

/* Whether all that the index has in this folder is below it: an index that was damaged may say
 * anything. */
static bool is_sound(const struct scan *s, const struct record *old)
{
    size_t n = strlen(old->path);

    for (size_t i = (size_t)(old - s->old.rows) + 1; i < old->end; i++)
        if (strncmp(s->old.rows[i].path, old->path, n) != 0 || s->old.rows[i].path[n] != '/')
            return false;
    return true;
}

/* The folder's names are as they were: only what they stand for is looked at. */
static bool repeat_folder(struct scan *s, const struct record *old)
{
    size_t i = (size_t)(old - s->old.rows) + 1;
    bool good = true;

    for (; good && i < old->end; i++) {
        const struct record *r = &s->old.rows[i];

        if (r->depth != old->depth + 1)
            continue;
        good = r->kind == 'F' ? look_at_file(s, r->path, r->depth, r)
                              : look_at_folder(s, r->path, r->depth, r);
    }
    return good;
}

static bool look_at_folder(struct scan *s, const char *path, int depth, const struct record *old)
{
    static const char *const no_text[6] = {"", "", "", "", "", ""};
    struct record *r;
    struct stamp stamp;
    struct stat st;

    if (!look(s, path, &st) || !S_ISDIR(st.st_mode)) {
        s->changed = s->changed || old;
        return true;
    }
    stamp = stamp_of(&st);
    if (!(r = table_add(&s->now)))
        return false;
    if (old && same_stamp(&old->stamp, &stamp) && is_sound(s, old)) {
        *r = *old;
        return repeat_folder(s, old);
    }
    if (!set_texts(r, path, no_text))
        return false;
    r->kind = 'D';
    r->depth = depth;
    r->stamp = stamp;
    s->changed = true;
    return read_folder(s, path, depth);
}

/* The row of a recipe folder itself: the few of them are found without a table. */
static const struct record *root_row(const struct scan *s, const char *path)
{
    size_t i = 0;

    while (i < s->old.count) {
        const struct record *r = &s->old.rows[i];

        if (r->depth == 0 && !strcmp(r->path, path))
            return r;
        i = r->end > i ? r->end : i + 1;
    }
    return NULL;
}

static bool look_at_root(struct scan *s, const char *path)
{
    bool good = true;

    s->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    s->root_len = strlen(path);
    if (s->root >= 0) {
        /* No leak: catalog_open frees the old rows. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
        good = look_at_folder(s, path, 0, root_row(s, path));
        close(s->root);
    } else if (root_row(s, path)) {
        s->changed = true;
    }
    return good;
}

/* Writing it. */

static void write_record(const struct scan *s, const struct record *r, struct text *t)
{
    bool settled = r->stamp.mtime < s->settled && r->stamp.ctime < s->settled && !*r->error;

    text_addf(t, "%c\t%d\t%s\t%lld\t%lld\t%lld\t%lld", r->kind, r->depth, r->path,
              (long long)r->stamp.size, settled ? (long long)r->stamp.mtime : 0LL,
              (long long)r->stamp.ctime, (long long)r->stamp.inode);
    if (r->kind == 'F')
        text_addf(t, "\t%s\t%s\t%s\t%s\t%s", r->name, r->version, r->tags, r->options, r->summary);
    text_add(t, "\n");
}

/* A cache that cannot be written costs time, nothing else. */
static void write_index(const struct scan *s, const char *cache, const char *path)
{
    struct text t;

    text_init(&t, MAX_INDEX);
    text_add(&t, FIRST_LINE);
    for (size_t i = 0; i < s->now.count; i++)
        write_record(s, &s->now.rows[i], &t);
    if (!t.cut && !file_make_dirs(cache, NULL))
        file_write_whole(path, t.s, t.len, NULL);
    text_release(&t);
}

/* Takes the memory; a folder that is named twice is looked at once. */
static void add_folder(json_t *folders, char *path)
{
    bool there = !path;
    size_t i;
    json_t *v;

    json_array_foreach(folders, i, v) there = there || !strcmp(json_string_value(v), path);
    if (!there)
        json_array_append_new(folders, json_string(path));
    free(path);
}

static json_t *folders_of(struct sources_hold *hold, struct assay_err *err)
{
    const char *path = getenv("ASSAY_RECIPE_PATH");
    json_t *folders = json_array(), *sources = sources_folders(hold, err), *v;
    char *dir;
    size_t i;

    for (size_t n; path && *path; path += n + (path[n] == ':')) {
        n = strcspn(path, ":");
        if (n && (dir = strndup(path, n))) {
            add_folder(folders, file_absolute(dir));
            free(dir);
        }
    }
    if ((dir = file_config_dir()))
        add_folder(folders, file_join(dir, "recipes"));
    free(dir);
    add_folder(folders, file_prefix_join("share/assay/recipes"));
    json_array_foreach(sources, i, v) add_folder(folders, strdup(json_string_value(v)));
    if (!sources) {
        json_decref(folders);
        folders = NULL;
    }
    json_decref(sources);
    return folders;
}

json_t *catalog_folders(struct assay_err *err)
{
    return folders_of(NULL, err);
}

static bool make_entries(struct catalog *c)
{
    if (!(c->entries = calloc(c->record_count + 1, sizeof(*c->entries))))
        return false;
    for (size_t i = 0; i < c->record_count; i++) {
        const struct record *r = &c->records[i];

        if (r->kind == 'F')
            c->entries[c->count++] = (struct catalog_entry){
                r->path, r->name, r->version, r->summary, r->tags, r->options, r->error, NULL};
    }
    return true;
}

/* cache: NULL: without an index. */
static int open_folders(const char *cache, const json_t *folders, struct catalog *c,
                        struct assay_err *err)
{
    struct scan s = {.changed = false};
    char *path = cache ? file_join(cache, "recipes-index") : NULL;
    struct timespec now;
    bool good = path || !cache;
    json_t *folder;
    size_t i;

    memset(c, 0, sizeof(*c));
    clock_gettime(CLOCK_REALTIME, &now);
    s.settled = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - SETTLED_NS;
    if (path)
        read_index(&s, path, &c->text);
    json_array_foreach(folders, i, folder) good =
        good && look_at_root(&s, json_string_value(folder));
    if (good && path && (s.changed || s.now.count != s.old.count))
        write_index(&s, cache, path);
    c->records = s.now.rows;
    c->record_count = s.now.count;
    good = good && make_entries(c);
    free(s.old.rows);
    free(s.slots);
    free(path);
    if (good)
        return ASSAY_OK;
    catalog_close(c);
    return assay_fail(err, ASSAY_EFAIL, "not enough memory for the index of recipes");
}

int catalog_open(const char *cache, struct catalog *c, struct assay_err *err)
{
    struct sources_hold hold = {0};
    json_t *folders = folders_of(&hold, err);
    int rc = folders ? open_folders(cache, folders, c, err) : ASSAY_EFAIL;

    if (rc)
        sources_let_go(&hold);
    else
        c->hold = hold;
    json_decref(folders);
    return rc;
}

int catalog_open_in(const json_t *folders, struct catalog *c, struct assay_err *err)
{
    return open_folders(NULL, folders, c, err);
}

void catalog_close(struct catalog *c)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->entries[i].recipe)
            recipe_release(c->entries[i].recipe);
        free(c->entries[i].recipe);
    }
    for (size_t i = 0; i < c->record_count; i++)
        free(c->records[i].own);
    sources_let_go(&c->hold);
    free(c->entries);
    free(c->records);
    free(c->text);
    memset(c, 0, sizeof(*c));
}

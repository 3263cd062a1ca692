/* Reads state dicts as torch.save writes them, without executing their pickles (unpickle.h).
 *
 * Since PyTorch 1.6 a file is a zip archive of stored members in one folder: data.pkl, the dict, in
 * which a storage is named by a key; data/KEY, its numbers; byteorder.
 *
 * Before, it was five pickles and the numbers: a magic number, the version of the layout, facts
 * about the machine, the dict, a list of keys; then for each key of that list a count in 8 bytes
 * and so many numbers.
 *
 * A checkpoint that holds the dict under a key, beside other things, is fine.  Ours (checkpoint.c)
 * say in extra/assay.txt when they are made up. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "net/state.h"
#include "net/unpickle.h"
#include "net/zip.h"

/* Where the numbers of a storage lie: a key of the file. */
struct block {
    const unsigned char *key;
    size_t key_len, at, bytes;
};

struct source {
    struct state *state;
    struct pickle pickle;
    struct zip_member *members; /* of a zip file */
    size_t member_count;
    char folder[256];     /* in it, with its '/' */
    struct block *blocks; /* of an old file, sorted by key */
    size_t block_count;
    struct assay_err *err;
};

static int bad(const struct source *s, const char *what)
{
    return assay_fail(s->err, ASSAY_EFAIL, "%s: is no whole file of torch.save: %s", s->state->name,
                      what);
}

static int by_key(const void *x, const void *y)
{
    const struct block *a = x, *b = y;
    size_t n = a->key_len < b->key_len ? a->key_len : b->key_len;
    int order = memcmp(a->key, b->key, n);

    return order ? order : a->key_len < b->key_len ? -1 : a->key_len > b->key_len;
}

static int find_member(struct source *s, const unsigned char *key, size_t n, struct block *out)
{
    struct zip_member *m;
    char name[400];
    int len;

    if (n > 100)
        return bad(s, "a storage's key is longer than 100 bytes");
    len = snprintf(name, sizeof(name), "%sdata/%.*s", s->folder, (int)n, (const char *)key);
    m = zip_find(s->members, s->member_count, name, (size_t)len);
    if (!m)
        return bad(s, "a storage is not in the archive");
    *out = (struct block){key, n, m->at, m->len};
    return zip_check(s->state->data, m, s->state->name, s->err);
}

static int find_block(struct source *s, const struct pickle_storage *p, struct block *out)
{
    struct block key = {.key = s->pickle.data + p->key, .key_len = p->key_len};
    const struct block *found;
    uint64_t bytes;
    int rc = ASSAY_OK;

    if (s->members) {
        rc = find_member(s, key.key, key.key_len, out);
    } else {
        found =
            s->block_count ? bsearch(&key, s->blocks, s->block_count, sizeof(key), by_key) : NULL;
        if (!found)
            return bad(s, "a storage is not in the file");
        *out = *found;
    }
    if (!rc && (__builtin_mul_overflow((uint64_t)p->count, assay_dtype_size(p->dtype), &bytes) ||
                bytes != out->bytes))
        rc = bad(s, "a storage has another size than the dict says");
    return rc;
}

static int add_tensor(struct source *s, const struct pickle_value *name,
                      const struct pickle_tensor *from)
{
    const struct pickle_storage *storage;
    struct state_tensor t = {.rank = from->rank};
    struct block block = {0};
    size_t size, skip;

    if (from->storage == PICKLE_NOTHING)
        return bad(s, "a tensor was never filled");
    storage = &s->pickle.storages[from->storage];
    if (find_block(s, storage, &block))
        return ASSAY_EFAIL;
    t.dtype = storage->dtype;
    size = assay_dtype_size(t.dtype);
    if (from->offset < 0 || from->offset > storage->part)
        return bad(s, "a tensor begins outside its storage");
    skip = (size_t)storage->skip * size;
    t.at = block.at + skip + (size_t)from->offset * size;
    memcpy(t.dims, from->dims, sizeof(t.dims));
    memcpy(t.strides, from->strides, sizeof(t.strides));
    return state_add(s->state, (const char *)s->pickle.data + name->at, name->n, &t,
                     block.at + skip, (size_t)storage->part * size, s->err);
}

/* Every tensor of the dict; other values are no weights. */
static int add_tensors(struct source *s, uint32_t dict)
{
    const struct pickle *p = &s->pickle;
    const struct pickle_value *key, *value;
    uint32_t cell = p->values[dict].first;
    int rc = ASSAY_OK;

    while (!rc && cell != PICKLE_NOTHING) {
        key = &p->values[p->cells[cell].value];
        cell = p->cells[cell].next;
        value = &p->values[p->cells[cell].value];
        cell = p->cells[cell].next;
        if (key->kind == PICKLE_TEXT && value->kind == PICKLE_TENSOR)
            rc = add_tensor(s, key, &p->tensors[value->integer]);
    }
    return rc;
}

/* At the top only where no dict lies below: a checkpoint's top may have tensors too (an accuracy).
 */
static int add_dict(struct source *s)
{
    static const char *const below[] = {"state_dict", "model", "best_model_state_dict",
                                        "model_state_dict"};
    const struct pickle *p = &s->pickle;
    uint32_t inner;
    int rc = ASSAY_OK;

    if (p->values[p->root].kind != PICKLE_DICT)
        return bad(s, "it holds something else than a state dict");
    for (size_t i = 0; !rc && !s->state->count && i < sizeof(below) / sizeof(below[0]); i++) {
        inner = pickle_get(p, p->root, below[i]);
        if (inner != PICKLE_NOTHING && p->values[inner].kind == PICKLE_DICT)
            rc = add_tensors(s, inner);
    }
    return rc || s->state->count ? rc : add_tensors(s, p->root);
}

static void release(struct source *s)
{
    pickle_release(&s->pickle);
    free(s->members);
    free(s->blocks);
}

/* ---- the zip format ---- */

/* The member FOLDER/data.pkl; sets the folder. */
static struct zip_member *find_pickle(struct source *s)
{
    static const char end[] = "/data.pkl";
    const size_t n = sizeof(end) - 1;
    struct zip_member *m = s->members;

    for (size_t i = 0; i < s->member_count; i++, m++) {
        if (m->name_len <= n || m->name_len - n + 1 >= sizeof(s->folder) ||
            memcmp(m->name + m->name_len - n, end, n) != 0 ||
            memchr(m->name, '/', m->name_len - n) || memchr(m->name, 0, m->name_len))
            continue;
        snprintf(s->folder, sizeof(s->folder), "%.*s/", (int)(m->name_len - n), m->name);
        return m;
    }
    return NULL;
}

static int check_byteorder(struct source *s)
{
    struct zip_member *m;
    char name[300];
    int n = snprintf(name, sizeof(name), "%sbyteorder", s->folder);

    m = zip_find(s->members, s->member_count, name, (size_t)n);
    if (m && (m->len != 6 || memcmp(s->state->data + m->at, "little", 6) != 0))
        return assay_fail(s->err, ASSAY_EUNSUPPORTED,
                          "%s: was saved on a machine with another byte order", s->state->name);
    return ASSAY_OK;
}

static bool says_synthetic(struct source *s)
{
    static const char mark[] = "synthetic true\n";
    char name[300];
    int n = snprintf(name, sizeof(name), "%sextra/assay.txt", s->folder);
    const struct zip_member *m = zip_find(s->members, s->member_count, name, (size_t)n);

    return m && m->len >= sizeof(mark) - 1 &&
           !memcmp(s->state->data + m->at, mark, sizeof(mark) - 1);
}

int state_read_torch_zip(struct state *state, struct assay_err *err)
{
    struct source s = {.state = state, .err = err};
    struct zip_member *pickle;
    int rc = zip_read(state->data, state->len, state->name, &s.members, &s.member_count, err);

    state->format = "PyTorch (zip)";
    if (rc)
        return rc;
    pickle = find_pickle(&s);
    rc = pickle ? check_byteorder(&s)
                : bad(&s, "the archive has no FOLDER/data.pkl (is the "
                          "file in it? then unpack it first)");
    if (!rc)
        rc = zip_check(state->data, pickle, state->name, err);
    if (!rc)
        state->synthetic = says_synthetic(&s);
    if (!rc)
        rc = pickle_read(state->data + pickle->at, pickle->len, state->name, &s.pickle, err);
    if (!rc)
        rc = add_dict(&s);
    release(&s);
    return rc;
}

/* ---- the older format ---- */

/* Moves *at behind the next pickle. */
static int next_pickle(struct source *s, size_t *at, struct pickle *p)
{
    int rc = pickle_read(s->state->data + *at, s->state->len - *at, s->state->name, p, s->err);

    *at += p->bytes;
    return rc;
}

static int check_version(struct source *s, size_t *at)
{
    struct pickle p;
    uint32_t order;
    int rc = next_pickle(s, at, &p);

    if (!rc && (p.values[p.root].kind != PICKLE_INT || p.values[p.root].integer != 1001))
        rc = bad(s, "its layout is not that of version 1001");
    pickle_release(&p);
    if (rc)
        return rc;
    rc = next_pickle(s, at, &p);
    if (!rc && p.values[p.root].kind == PICKLE_DICT) {
        order = pickle_get(&p, p.root, "little_endian");
        if (order != PICKLE_NOTHING && p.values[order].kind == PICKLE_BOOL &&
            !p.values[order].integer)
            rc = assay_fail(s->err, ASSAY_EUNSUPPORTED,
                            "%s: was saved on a machine with another byte order", s->state->name);
    }
    pickle_release(&p);
    return rc;
}

/* The type that the dict gives to the storage of a key; ASSAY_NONE: none, or two. */
static int32_t dtype_of(const struct block *sorted, size_t n, const struct pickle_storage *storages,
                        const struct block *key)
{
    const struct block *found = n ? bsearch(key, sorted, n, sizeof(*sorted), by_key) : NULL;

    return found ? storages[found->at].dtype : ASSAY_NONE;
}

/* The storages that the dict names, sorted by key; `at` is the index of each. */
static struct block *sort_storages(const struct pickle *p)
{
    struct block *b = calloc(p->storage_count + 1, sizeof(*b));

    for (size_t i = 0; b && i < p->storage_count; i++)
        b[i] = (struct block){p->data + p->storages[i].key, p->storages[i].key_len, i, 0};
    if (b)
        qsort(b, p->storage_count, sizeof(*b), by_key);
    return b;
}

/* The count and the numbers of one key, behind *at. */
static int take_block(struct source *s, struct block *b, int32_t dtype, size_t *at)
{
    size_t size = assay_dtype_size(dtype), left = s->state->len - *at;
    uint64_t count;

    if (!size)
        return bad(s, "a storage is not named by the dict");
    if (left < 8)
        return bad(s, "it ends before its numbers");
    count = state_number(s->state->data + *at, 8);
    if (count > (left - 8) / size)
        return bad(s, "it ends inside its numbers");
    b->at = *at + 8;
    b->bytes = (size_t)count * size;
    *at = b->at + b->bytes;
    return ASSAY_OK;
}

static int take_blocks(struct source *s, const struct pickle *keys, size_t at)
{
    const struct pickle_value *list = &keys->values[keys->root], *v;
    struct block *sorted = sort_storages(&s->pickle), *b;
    uint32_t cell = list->first;
    int rc = ASSAY_OK;

    s->blocks = list->kind == PICKLE_LIST ? calloc((size_t)list->n + 1, sizeof(*b)) : NULL;
    if (list->kind != PICKLE_LIST)
        rc = bad(s, "it has no list of storages");
    else if (!sorted || !s->blocks)
        rc = assay_fail(s->err, ASSAY_EFAIL, "%s: out of memory", s->state->name);
    for (; !rc && cell != PICKLE_NOTHING; cell = keys->cells[cell].next) {
        v = &keys->values[keys->cells[cell].value];
        if (v->kind != PICKLE_TEXT) {
            rc = bad(s, "a storage's key is no text");
            break;
        }
        b = &s->blocks[s->block_count++];
        *b = (struct block){.key = keys->data + v->at, .key_len = v->n};
        rc =
            take_block(s, b, dtype_of(sorted, s->pickle.storage_count, s->pickle.storages, b), &at);
    }
    if (!rc)
        qsort(s->blocks, s->block_count, sizeof(*b), by_key);
    free(sorted);
    return rc;
}

int state_read_torch_legacy(struct state *state, struct assay_err *err)
{
    struct source s = {.state = state, .err = err};
    struct pickle keys = {0};
    size_t at = 15; /* behind the magic number, which state.c has seen */
    int rc = check_version(&s, &at);

    state->format = "PyTorch (before 1.6)";
    if (!rc)
        rc = next_pickle(&s, &at, &s.pickle);
    if (!rc)
        rc = next_pickle(&s, &at, &keys);
    if (!rc)
        rc = take_blocks(&s, &keys, at);
    if (!rc)
        rc = add_dict(&s);
    pickle_release(&keys);
    release(&s);
    return rc;
}

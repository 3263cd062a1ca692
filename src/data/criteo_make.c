/* Makes the dictionaries of Criteo's categories; see criteo_make.h.
 *
 * A bit for each value that there can be tells what was seen (5 MB a category), and what is new
 * goes to the end of the category's list (4 bytes a value).  So Criteo's own logs, 187.8 million
 * values at a range of 40,000,000, take 0.9 GB, and no logs can take more than 4.3 GB.  Nothing is
 * written to the final names before all days were read. */
#include "data/criteo_make.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "base/text.h"
#include "data/npz.h"

enum { PIECE = 1 << 20, LAST_DAY = CRITEO_DAYS - 1, FIRST = 1 + CRITEO_DENSE };

struct list {
    uint64_t *seen; /* a bit for each value */
    int32_t *values;
    uint32_t n, cap;
};

struct making {
    struct criteo_make *m;
    struct list list[CRITEO_CATEGORIES];
    struct criteo_ids ids;
    struct file_whole unpacked; /* day_23 */
    bool linked;                /* day_23 was made as a link */
    uint64_t last_bytes;        /* of day_23, unpacked */
    uint64_t done;              /* bytes of the days before */
    char *piece;                /* [PIECE] */
};

/* ---- looking ---- */

static int find_day(struct criteo_make *m, int day, struct assay_err *err)
{
    char *plain = text_format("%s/day_%d", m->folder, day);
    char *packed = text_format("%s/day_%d.gz", m->folder, day);
    bool is_packed = packed && file_exists(packed);
    int64_t size;

    /* A plain one beside it can be half of it: gunzip writes to its name. */
    m->path[day] = is_packed ? packed : plain;
    size = m->path[day] ? file_size(m->path[day]) : -1;
    free(is_packed ? plain : packed);
    if (size < 0)
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: has neither day_%d nor day_%d.gz; wanted: Criteo's click logs of "
                          "all 24 days, of which the dictionaries are made",
                          m->folder, day, day);
    m->bytes[day] = (uint64_t)size;
    m->all_bytes += (uint64_t)size;
    return ASSAY_OK;
}

static bool has_gz_name(const char *path)
{
    size_t n = strlen(path);

    return n > 3 && !strcmp(path + n - 3, ".gz");
}

/* Of the dictionaries, and behind them of their lengths; the caller frees it. */
static char *made_path(const struct criteo_make *m, int i)
{
    return i < CRITEO_CATEGORIES ? text_format("%s/day_fea_dict_%d.npz", m->output, i)
                                 : text_format("%s/day_fea_count.npz", m->output);
}

static int refuse_old(const struct criteo_make *m, struct assay_err *err)
{
    int i, rc = ASSAY_OK;

    for (i = 0; i <= CRITEO_CATEGORIES && !rc; i++) {
        char *path = made_path(m, i);

        if (!path || file_exists(path))
            rc = assay_fail(err, ASSAY_EFAIL,
                            "%s: is there already; remove the dictionaries, or have them made in "
                            "another folder",
                            path ? path : m->output);
        free(path);
    }
    return rc;
}

int criteo_make_open(struct criteo_make *m, struct assay_err *err)
{
    char *last = file_join(m->output, "day_23");
    uint64_t values;
    int i, rc = refuse_old(m, err);

    for (i = 0; i < CRITEO_DAYS && !rc; i++)
        rc = find_day(m, i, err);
    /* Packed or not, a value takes a byte at least where it stands first. */
    values = m->range < m->all_bytes ? m->range : m->all_bytes;
    m->disk = CRITEO_CATEGORIES * sizeof(int32_t) * values;
    m->memory = m->disk + CRITEO_CATEGORIES * (uint64_t)m->range / 8;
    m->unpacks = !rc && has_gz_name(m->path[LAST_DAY]) && last && !file_exists(last);
    if (m->unpacks)
        m->disk += m->bytes[LAST_DAY] * 32 / 10; /* Criteo's is 3.03 times as large as its .gz */
    free(last);
    return rc;
}

void criteo_make_close(struct criteo_make *m)
{
    int i;

    for (i = 0; i < CRITEO_DAYS; i++)
        free(m->path[i]);
}

/* ---- reading ---- */

static int list_add(struct list *l, uint32_t value, uint32_t range, struct assay_err *err)
{
    uint64_t bit = 1ull << value % 64, *word = &l->seen[value / 64];

    if (*word & bit)
        return ASSAY_OK;
    if (l->n == l->cap) {
        uint32_t cap = l->cap < range / 2 ? l->cap + l->cap / 2 + 1024 : range;
        int32_t *more = realloc(l->values, cap * sizeof(*more));

        if (!more)
            return assay_fail(err, ASSAY_EFAIL, "not enough memory for the dictionaries");
        l->values = more;
        l->cap = cap;
    }
    *word |= bit;
    l->values[l->n++] = (int32_t)value;
    return ASSAY_OK;
}

static int read_line(struct making *k, const char *line, size_t n, const char *file, uint64_t row,
                     struct assay_err *err)
{
    int32_t numbers[CRITEO_COLUMNS];
    int i, rc;

    n -= n && line[n - 1] == '\r';
    rc = criteo_parse(line, n, file, row, &k->ids, numbers, err);
    for (i = 0; i < CRITEO_CATEGORIES && !rc; i++)
        rc = list_add(&k->list[i], (uint32_t)numbers[FIRST + i], k->m->range, err);
    return rc;
}

/* The whole lines of `n` bytes; *used: where the last, unfinished one begins. */
static int read_lines(struct making *k, size_t n, const char *file, uint64_t *rows, size_t *used,
                      struct assay_err *err)
{
    const char *at = k->piece, *end = at + n, *next;
    int rc = ASSAY_OK;

    for (; !rc && (next = memchr(at, '\n', (size_t)(end - at))); at = next + 1)
        rc = read_line(k, at, (size_t)(next - at), file, ++*rows, err);
    *used = (size_t)(at - k->piece);
    return rc;
}

/* zlib reads plain files as they are. */
static int read_piece(gzFile f, const char *file, char *to, size_t room, size_t *got,
                      struct assay_err *err)
{
    int n = gzread(f, to, (unsigned)room), why = Z_OK;
    const char *text = n > 0 ? "" : gzerror(f, &why);

    *got = n > 0 ? (size_t)n : 0;
    if (n > 0 || why == Z_OK || why == Z_STREAM_END)
        return ASSAY_OK;
    return assay_fail(err, ASSAY_EFAIL, "%s: is cut off or damaged (%s); get the file again", file,
                      why == Z_ERRNO ? strerror(errno) : text);
}

static int read_pieces(struct making *k, int day, gzFile f, struct assay_err *err)
{
    struct criteo_make *m = k->m;
    const char *file = m->path[day];
    size_t have = 0, got, used;
    uint64_t rows = 0;
    int rc;

    do {
        if (have == PIECE)
            return assay_fail(err, ASSAY_EFAIL, "%s:%llu: has more than a million characters", file,
                              (unsigned long long)rows + 1);
        rc = read_piece(f, file, k->piece + have, PIECE - have, &got, err);
        if (!rc && day == LAST_DAY && m->unpacks)
            rc = file_whole_write(&k->unpacked, k->piece + have, got, err);
        k->last_bytes += day == LAST_DAY ? got : 0;
        have += got;
        if (!rc)
            rc = read_lines(k, have, file, &rows, &used, err);
        if (!rc && !got && used < have) { /* the last line has no end */
            rc = read_line(k, k->piece + used, have - used, file, ++rows, err);
            used = have;
        }
        if (rc)
            return rc;
        memmove(k->piece, k->piece + used, have -= used);
        if (m->progress)
            m->progress(m->ctx, file_base(file), rows,
                        (double)(k->done + (uint64_t)gzoffset(f)) / (double)m->all_bytes);
    } while (got && !(m->stop && *m->stop));
    m->rows += rows;
    k->done += m->bytes[day];
    return rows ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "%s: is empty", file);
}

static int read_day(struct making *k, int day, struct assay_err *err)
{
    const char *file = k->m->path[day];
    gzFile f = gzopen(file, "rbe");
    int rc;

    if (!f)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be read: %s", file, strerror(errno));
    gzbuffer(f, PIECE / 4);
    rc = read_pieces(k, day, f, err);
    gzclose(f);
    return rc;
}

/* ---- writing ---- */

/* File number i of made_path. */
static int write_list(const struct criteo_make *m, int i, const char *member, const void *values,
                      uint32_t n, struct assay_err *err)
{
    struct assay_tensor t = {.data = (void *)values,
                             .bytes = n * sizeof(int32_t),
                             .dtype = ASSAY_I32,
                             .rank = 1,
                             .dims = {n}};
    char *path = made_path(m, i);
    int rc =
        path ? npz_write(path, member, &t, err) : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    free(path);
    return rc;
}

/* Before anything is read: a folder may refuse links. */
static int link_day_23(struct making *k, const char *to, struct assay_err *err)
{
    char *from = file_absolute(k->m->path[LAST_DAY]);
    int rc = ASSAY_OK;

    if (!from)
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    else if (!file_exists(to) && !(k->linked = !symlink(from, to)))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be made: %s", to, strerror(errno));
    free(from);
    return rc;
}

/* One that is there may be what an interrupted gunzip left. */
static int check_day_23(const struct making *k, const char *last, struct assay_err *err)
{
    if (!has_gz_name(k->m->path[LAST_DAY]) || file_size(last) == (int64_t)k->last_bytes)
        return ASSAY_OK;
    return assay_fail(err, ASSAY_EFAIL,
                      "%s: has %lld bytes, and %s unpacks to %llu: remove it, or have the "
                      "dictionaries made in another folder",
                      last, (long long)file_size(last), file_base(k->m->path[LAST_DAY]),
                      (unsigned long long)k->last_bytes);
}

static int write_all(struct making *k, struct assay_err *err)
{
    struct criteo_make *m = k->m;
    char *path = file_join(m->output, "day_23");
    int i, rc = path ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    if (!rc && !m->unpacks)
        rc = check_day_23(k, path, err);
    free(path);
    for (i = 0; i < CRITEO_CATEGORIES && !rc; i++) {
        m->counts[i] = k->list[i].n;
        rc = write_list(m, i, "unique.npy", k->list[i].values, k->list[i].n, err);
    }
    if (!rc)
        rc = write_list(m, i++, "counts.npy", m->counts, CRITEO_CATEGORIES, err);
    if (!rc && m->unpacks)
        rc = file_whole_commit(&k->unpacked, err);
    for (; rc && i > 0; i--) { /* some alone would be taken for all */
        if ((path = made_path(m, i - 1)))
            unlink(path);
        free(path);
    }
    return rc;
}

static int begin(struct making *k, struct assay_err *err)
{
    char *last = file_join(k->m->output, "day_23");
    int i, rc = last ? file_make_dirs(k->m->output, err) : ASSAY_EFAIL;

    k->piece = malloc(PIECE);
    k->ids.range = k->m->range;
    for (i = 0; i < CRITEO_CATEGORIES; i++) {
        k->ids.rows[i] = INT32_MAX;
        k->list[i].seen = calloc(k->m->range / 64 + 1, sizeof(uint64_t));
        if (!k->list[i].seen || !k->piece || !last)
            rc = assay_fail(err, ASSAY_EFAIL, "not enough memory for the dictionaries");
    }
    if (!rc)
        rc = k->m->unpacks ? file_whole_begin(&k->unpacked, last, err) : link_day_23(k, last, err);
    free(last);
    return rc;
}

int criteo_make(struct criteo_make *m, struct assay_err *err)
{
    struct making k = {.m = m, .unpacked = {.fd = -1}};
    int i, rc = begin(&k, err);
    char *link;

    for (i = 0; i < CRITEO_DAYS && !rc; i++)
        rc = read_day(&k, i, err);
    if (m->stop && *m->stop) /* also where a call ended for it */
        rc = assay_fail(err, ASSAY_ESTOP, "interrupted; nothing was written");
    if (!rc)
        rc = write_all(&k, err);
    file_whole_abandon(&k.unpacked);
    if (rc && k.linked && (link = file_join(m->output, "day_23"))) {
        unlink(link);
        free(link);
    }
    for (i = 0; i < CRITEO_CATEGORIES; i++) {
        free(k.list[i].seen);
        free(k.list[i].values);
    }
    free(k.piece);
    return rc;
}

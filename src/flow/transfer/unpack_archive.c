/* Reading archives by libarchive into an unpack_tree: the formats, the limits, the hidden folder.
 *
 * tar and zip; and "raw", a single file behind a compression.  libarchive reads in this thread's
 * locale, so names are UTF-8 whatever the program's is. */
#include "flow/transfer/parts.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "flow/transfer/unpack_tree.h"

#define MAX_BYTES  ((int64_t)1000000000000)
#define MAX_FILES  5000000
#define MAX_RATIO  250
#define RATIO_FROM ((int64_t)64 << 20) /* so much may come out of the smallest archive */
#define BLOCK      (1 << 18)

struct unpacking {
    struct archive *a;
    struct unpack_tree tree;
    const char *archive; /* its path */
    int64_t size;        /* of the archive */
    struct assay_err *err;
};

/* libarchive's word for what went wrong. */
static int bad_archive(struct unpacking *u)
{
    const char *why = archive_error_string(u->a);

    return assay_fail(u->err, ASSAY_EFAIL, "cannot be read: %.200s", why ? why : "no reason given");
}

/* ---- one file's data ---- */

static int check_ratio(struct unpacking *u, const char *name)
{
    double ratio = u->tree.limits.max_ratio;

    if (u->tree.bytes <= RATIO_FROM || (double)u->tree.bytes <= ratio * (double)u->size)
        return ASSAY_OK;
    return assay_fail(u->err, ASSAY_EFAIL,
                      "'%.160s': more than %g bytes come out of each of the archive's: a bomb?",
                      name, ratio);
}

static int write_at(struct unpacking *u, int fd, const char *name, const char *data, size_t n,
                    int64_t at)
{
    ssize_t done;

    while (n) {
        done = pwrite(fd, data, n, at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return assay_fail(u->err, ASSAY_EFAIL, "'%.160s' cannot be written: %s", name,
                              errno == ENOSPC || errno == EDQUOT ? "the disk is full"
                                                                 : strerror(errno));
        data += done;
        n -= (size_t)done;
        at += done;
    }
    return ASSAY_OK;
}

/* Holes count as bytes: what reads the file has to get through them. */
static int grow_to(struct unpacking *u, const char *name, int64_t *end, int64_t new_end)
{
    int rc;

    if (new_end <= *end)
        return ASSAY_OK;
    rc = unpack_tree_grow(&u->tree, name, new_end - *end, u->err);
    *end = new_end;
    return rc ? rc : check_ratio(u, name);
}

static int copy_data(struct unpacking *u, struct archive_entry *entry, const char *name, int fd)
{
    const void *data;
    int64_t at, end = 0;
    size_t n;
    int got, rc = ASSAY_OK;

    while (!rc && (got = archive_read_data_block(u->a, &data, &n, &at)) != ARCHIVE_EOF) {
        if (got != ARCHIVE_OK)
            rc = bad_archive(u);
        else if (at < 0 || n > INT64_MAX / 2 || at > INT64_MAX / 2)
            rc = assay_fail(u->err, ASSAY_EFAIL, "'%.160s' has an impossible size", name);
        else if (!(rc = grow_to(u, name, &end, at + (int64_t)n)))
            rc = write_at(u, fd, name, data, n, at);
        if (!rc && u->tree.limits.stop && *u->tree.limits.stop)
            rc = assay_fail(u->err, ASSAY_ESTOP, "interrupted");
    }
    if (rc || !archive_entry_size_is_set(entry) || archive_entry_size(entry) <= end)
        return rc;
    rc = grow_to(u, name, &end, archive_entry_size(entry)); /* ends with a hole */
    if (!rc && ftruncate(fd, end) < 0)
        rc = assay_fail(u->err, ASSAY_EFAIL, "'%.160s' cannot be written: %s", name,
                        strerror(errno));
    return rc;
}

static int take_file(struct unpacking *u, struct archive_entry *entry, const char *name)
{
    int fd, rc;

    if (archive_entry_size_is_set(entry) &&
        archive_entry_size(entry) > u->tree.limits.max_bytes - u->tree.bytes)
        return unpack_tree_grow(&u->tree, name, archive_entry_size(entry), u->err);
    rc = unpack_tree_file(&u->tree, name, (archive_entry_perm(entry) & 0111) != 0, &fd, u->err);
    if (rc)
        return rc;
    rc = copy_data(u, entry, name, fd);
    if (close(fd) < 0 && !rc)
        rc = assay_fail(u->err, ASSAY_EFAIL, "'%.160s' cannot be written: %s", name,
                        strerror(errno));
    return rc;
}

/* ---- one entry ---- */

static const char *either(const char *utf8, const char *raw)
{
    return utf8 ? utf8 : raw;
}

/* How long the archive's own name is without ".gz"; 0: it has no such ending. */
static size_t stem_length(const char *base)
{
    static const char *const endings[] = {".gz", ".bz2", ".xz", ".zst", ".lz4", ".lzma"};
    size_t n = strlen(base), cut;

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        cut = strlen(endings[i]);
        if (n > cut && !strcasecmp(base + n - cut, endings[i]))
            return n - cut;
    }
    return 0;
}

/* "x.gz" is a file x, whatever its bytes look like; "x.tar.gz" is not. */
static bool is_single(const char *base)
{
    size_t n = stem_length(base);

    return n && !(n > 4 && !strncasecmp(base + n - 4, ".tar", 4));
}

/* A compressed single file is called as the archive is, without ".gz". */
static void raw_name(const struct unpacking *u, char *out, size_t size)
{
    const char *base = file_base(u->archive);
    size_t n = stem_length(base);

    snprintf(out, size, "%.*s", (int)(n ? n : strlen(base)), base);
}

static int take_kind(struct unpacking *u, struct archive_entry *entry, const char *name)
{
    const char *hard = either(archive_entry_hardlink_utf8(entry), archive_entry_hardlink(entry));
    const char *target = either(archive_entry_symlink_utf8(entry), archive_entry_symlink(entry));

    if (archive_entry_is_encrypted(entry))
        return assay_fail(u->err, ASSAY_EFAIL, "'%.160s' is encrypted", name);
    if (hard)
        return unpack_tree_hard_link(&u->tree, name, hard, u->err);
    switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
        return take_file(u, entry, name);
    case AE_IFDIR:
        return unpack_tree_folder(&u->tree, name, u->err);
    case AE_IFLNK:
        return unpack_tree_link(&u->tree, name, target ? target : "", u->err);
    default:
        return assay_fail(u->err, ASSAY_EFAIL, "'%.160s' is a device or another special file",
                          name);
    }
}

static int take_entry(struct unpacking *u, struct archive_entry *entry)
{
    const char *name = either(archive_entry_pathname_utf8(entry), archive_entry_pathname(entry));
    char own[1100];

    if (archive_format(u->a) == ARCHIVE_FORMAT_RAW) {
        if (archive_filter_count(u->a) < 2) /* anything would be "raw" */
            return assay_fail(u->err, ASSAY_EFAIL,
                              "is no archive that is known here (tar, zip, "
                              "gz, bz2, xz, zst, lz4)");
        raw_name(u, own, sizeof(own));
        return take_file(u, entry, own);
    }
    if (!name)
        return assay_fail(u->err, ASSAY_EFAIL, "a file's name in it cannot be read");
    return take_kind(u, entry, name);
}

static int take_all(struct unpacking *u)
{
    struct archive_entry *entry;
    int rc = ASSAY_OK, got;

    while (!rc && (got = archive_read_next_header(u->a, &entry)) != ARCHIVE_EOF) {
        if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
            rc = bad_archive(u);
        else
            rc = take_entry(u, entry);
        if (!rc && u->tree.limits.stop && *u->tree.limits.stop)
            rc = assay_fail(u->err, ASSAY_ESTOP, "interrupted");
    }
    if (!rc && !u->tree.files)
        rc = assay_fail(u->err, ASSAY_EFAIL, "holds nothing");
    return rc ? rc : unpack_tree_finish(&u->tree, u->err);
}

/* ---- the archive ---- */

/* Formats and compressions of our own choosing: fewer parsers, and none that calls a program. */
static int open_archive(struct unpacking *u, int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return assay_fail(u->err, ASSAY_EFAIL, "is not a file");
    u->size = st.st_size;
    if (!(u->a = archive_read_new()))
        return assay_fail(u->err, ASSAY_EFAIL, "not enough memory");
    archive_read_support_filter_gzip(u->a);
    archive_read_support_filter_bzip2(u->a);
    archive_read_support_filter_xz(u->a);
    archive_read_support_filter_lzma(u->a);
    archive_read_support_filter_zstd(u->a);
    archive_read_support_filter_lz4(u->a);
    if (!is_single(file_base(u->archive))) {
        archive_read_support_format_tar(u->a);
        archive_read_support_format_zip(u->a);
    }
    archive_read_support_format_raw(u->a);
    return archive_read_open_fd(u->a, fd, BLOCK) == ARCHIVE_OK ? ASSAY_OK : bad_archive(u);
}

static int read_archive(struct unpacking *u)
{
    int fd = open(u->archive, O_RDONLY | O_CLOEXEC), rc;

    if (fd < 0)
        return assay_fail(u->err, ASSAY_EFAIL, "cannot be opened: %s", strerror(errno));
    rc = open_archive(u, fd);
    if (!rc)
        rc = take_all(u);
    archive_read_free(u->a);
    u->a = NULL;
    close(fd);
    return rc;
}

/* All of it below `hidden` first, then into the folder. */
static int unpack_hidden(struct unpacking *u, const char *hidden, const char *folder)
{
    int to = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

    u->tree.root = open(hidden, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (to < 0 || u->tree.root < 0)
        rc = assay_fail(u->err, ASSAY_EFAIL, "%s cannot be opened: %s", folder, strerror(errno));
    else
        rc = read_archive(u);
    if (!rc)
        rc = unpack_tree_merge(u->tree.root, to, u->err);
    if (u->tree.root >= 0)
        close(u->tree.root);
    if (to >= 0)
        close(to);
    unpack_tree_release(&u->tree);
    return rc;
}

static int unpack_into(const char *archive, const char *folder, const struct unpack_limits *limits,
                       struct assay_err *err)
{
    struct unpacking u = {.archive = archive, .tree.root = -1, .err = err};
    char *hidden = text_format("%s/.unpack-XXXXXX", folder);
    int rc;

    if (limits)
        u.tree.limits = *limits;
    if (u.tree.limits.max_bytes <= 0)
        u.tree.limits.max_bytes = MAX_BYTES;
    if (u.tree.limits.max_files <= 0)
        u.tree.limits.max_files = MAX_FILES;
    if (!(u.tree.limits.max_ratio > 0))
        u.tree.limits.max_ratio = MAX_RATIO;
    if (!hidden || !mkdtemp(hidden)) {
        rc = assay_fail(err, ASSAY_EFAIL, "%s cannot be written: %s", folder, strerror(errno));
    } else {
        rc = unpack_hidden(&u, hidden, folder);
        file_remove_tree(hidden, NULL);
    }
    free(hidden);
    return rc;
}

int transfer_unpack(const char *archive, const char *folder, const struct unpack_limits *limits,
                    struct assay_err *err)
{
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), old = (locale_t)0;
    bool made = !file_is_dir(folder);
    struct assay_err why = {0};
    int rc = file_make_dirs(folder, err);

    if (utf8)
        old = uselocale(utf8);
    if (!rc && (rc = unpack_into(archive, folder, limits, &why))) {
        assay_fail(err, rc, "%.200s: %s; nothing of it was unpacked", archive, why.text);
        if (made)
            rmdir(folder);
    }
    if (utf8) {
        uselocale(old);
        freelocale(utf8);
    }
    return rc;
}

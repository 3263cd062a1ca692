/* Fetching: the sources in order, the tries for each, and the judgement of what came.  The transfer
 * itself is transfer/http.c's, the file that grows fetch_part.c's.
 *
 *   a fault of the network, a busy server: again, after 0.5, 1, 2 … 30 s, from where it stopped;
 *   a fault of the source (not there, size, digest, certificate): the next one;
 *   a fault of ours (a full disk), or Ctrl-C: the end.
 *
 * A part that an earlier call left is gone on with when the server says that it is the same file,
 * or when a digest will tell; a digest that is wrong after that means once more from nothing. */
#include "flow/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "flow/fetch_part.h"
#include "flow/fetch_url.h"
#include "flow/transfer.h"

#define STALL_S      30
#define RETRIES      4
#define MAX_WAIT_S   30
#define MAX_ASKED_S  60                 /* a server that wants a longer wait is left */
#define PROGRESS     ((int64_t)1 << 20) /* a try that brought so much more counts as a first one */
#define TELL_EACH_NS 50000000
#define COPY         ((size_t)1 << 18)

struct job {
    const struct fetch_ask *ask;
    struct fetch_part part;
    const char *url; /* that is tried now */
    int64_t total;   /* -1: not known */
    int64_t told_ns;
    bool fatal; /* no other source, no other try would help */
    int again;  /* so many further tries of the same source may */
    bool anew;  /* what was here of the file was wrong: at once again, from nothing */
};

static bool stopped(const struct job *j)
{
    return j->ask->stop && *j->ask->stop;
}

static bool has_digest(const struct fetch_ask *ask)
{
    return ask->sha256 || ask->md5;
}

static int fatal(struct job *j, int rc)
{
    j->fatal = j->fatal || rc;
    return rc;
}

static void tell(struct job *j, bool last)
{
    int64_t now = clock_ns();

    if (!j->ask->progress || (!last && now - j->told_ns < TELL_EACH_NS))
        return;
    j->told_ns = now;
    j->ask->progress(j->ask->ctx, j->part.have, j->total);
}

/* ---- what comes ---- */

/* 206: the rest that was asked for, and of a file of the size that is wanted? */
static int begin_rest(struct job *j, const struct transfer_head *head, struct assay_err *err)
{
    if (head->range_from == j->part.have)
        return ASSAY_OK;
    j->anew = j->part.have > 0; /* else it would be the same again, for ever */
    if (fatal(j, part_restart(&j->part, err)))
        return ASSAY_EFAIL;
    return assay_fail(err, ASSAY_EFAIL, "sends another part of the file than was asked for");
}

/* By its name; anything else that comes as a page is a login, or an error that says 200. */
static bool is_page(const char *path)
{
    const char *dot = strrchr(file_base(path), '.');

    return dot && (!strcasecmp(dot, ".html") || !strcasecmp(dot, ".htm"));
}

static int on_begin(void *ctx, const struct transfer_head *head, struct assay_err *err)
{
    struct job *j = ctx;
    const struct fetch_ask *ask = j->ask;
    int64_t total = head->status == 206 ? head->total : head->length;
    int rc = ASSAY_OK;

    if (head->status == 206)
        rc = begin_rest(j, head, err);
    else if (j->part.have) /* the whole file, though a part is here: it has changed */
        rc = fatal(j, part_restart(&j->part, err));
    if (rc)
        return rc;
    if (ask->bytes >= 0 && total >= 0 && total != ask->bytes)
        return assay_fail(err, ASSAY_EFAIL, "has %lld bytes instead of %lld", (long long)total,
                          (long long)ask->bytes);
    if (!head->has_end && ask->bytes < 0 && !has_digest(ask))
        return assay_fail(err, ASSAY_EFAIL,
                          "tells neither size nor end, so a broken download could not be noticed");
    if (head->page && ask->bytes < 0 && !has_digest(ask) && !is_page(j->part.final))
        return assay_fail(err, ASSAY_EFAIL,
                          "answers with a web page, and no size or digest tells whether that is "
                          "the file");
    j->total = ask->bytes >= 0 ? ask->bytes : total;
    if (j->total >= 0)
        rc = fatal(j, part_check_room(&j->part, j->total - j->part.have, err));
    if (!rc && !ask->small)
        rc = fatal(j, part_describe(&j->part, j->url, head->mark, err));
    tell(j, true);
    return rc;
}

static int on_data(void *ctx, const void *data, size_t n, struct assay_err *err)
{
    struct job *j = ctx;

    if (j->ask->bytes >= 0 && j->part.have + (int64_t)n > j->ask->bytes)
        return assay_fail(err, ASSAY_EFAIL, "sends more than the %lld bytes of the file",
                          (long long)j->ask->bytes);
    if (fatal(j, part_write(&j->part, data, n, err)))
        return ASSAY_EFAIL;
    tell(j, false);
    return ASSAY_OK;
}

/* ---- one try ---- */

/* What is here of the file may stay if it can be told later whether it was right. */
static int part_for(struct job *j, const char **mark, struct assay_err *err)
{
    struct fetch_part *p = &j->part;
    bool same = part_is_of(p, j->url) && p->mark[0];

    *mark = same ? p->mark : NULL;
    if (!p->have || (j->ask->bytes >= 0 && p->have > j->ask->bytes) ||
        (!same && !has_digest(j->ask))) {
        *mark = NULL;
        return p->have ? fatal(j, part_restart(p, err)) : ASSAY_OK;
    }
    return ASSAY_OK;
}

/* The server has no more than is here; digest or mark tell that it is the same file. */
static int all_was_here(struct job *j, int64_t total, struct assay_err *err)
{
    if (j->ask->bytes >= 0 && j->ask->bytes != total)
        return assay_fail(err, ASSAY_EFAIL, "has %lld bytes instead of %lld", (long long)total,
                          (long long)j->ask->bytes);
    j->total = total;
    return ASSAY_OK;
}

static int get_http(struct job *j, double *wait_s, struct assay_err *err)
{
    const struct fetch_ask *ask = j->ask;
    const struct transfer_table *table;
    struct transfer_end end = {0};
    struct transfer_get get = {.url = j->url,
                               .stall_s = ask->stall_s > 0 ? ask->stall_s : STALL_S,
                               .stop = ask->stop,
                               .cert = ask->cert,
                               .line = ask->line,
                               .begin = on_begin,
                               .data = on_data,
                               .ctx = j};
    char mark[256];
    int rc = fatal(j, transfer_load(&table, err));

    if (!rc)
        rc = part_for(j, &get.mark, err);
    if (rc || (j->part.have && j->part.have == ask->bytes && has_digest(ask)))
        return rc; /* all is here */
    get.from = j->part.have;
    if (get.mark) {
        snprintf(mark, sizeof(mark), "%s", get.mark); /* the part's may change meanwhile */
        get.mark = mark;
    }
    rc = table->get(&get, &end, err);
    if (rc && end.status == 416 && get.from) {
        if (end.total == get.from)
            return all_was_here(j, end.total, err);
        j->anew = true; /* there is no such rest: it is another file */
        return fatal(j, part_restart(&j->part, err)) ? ASSAY_EFAIL : rc;
    }
    j->again = end.ours ? 0 : end.again;
    *wait_s = end.wait_s;
    return rc;
}

static int open_source(const char *url, int *fd, int64_t *size, struct assay_err *err)
{
    char path[1100];
    struct stat st;
    int rc = fetch_url_path(url, path, sizeof(path), err);

    if (rc)
        return rc;
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0 || fstat(*fd, &st) < 0)
        return assay_fail(err, ASSAY_EFAIL, "%s", strerror(errno));
    *size = st.st_size;
    return S_ISREG(st.st_mode) ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "is not a file");
}

static int copy_source(struct job *j, int fd, char *buf, struct assay_err *err)
{
    int rc = ASSAY_OK;
    ssize_t n;

    while ((n = read(fd, buf, COPY)) > 0 || (n < 0 && errno == EINTR)) {
        if (n > 0)
            rc = on_data(j, buf, (size_t)n, err);
        if (!rc && stopped(j))
            rc = assay_fail(err, ASSAY_ESTOP, "interrupted");
        if (rc)
            return rc;
    }
    return n < 0 ? assay_fail(err, ASSAY_EFAIL, "%s", strerror(errno)) : ASSAY_OK;
}

static int get_file(struct job *j, struct assay_err *err)
{
    struct transfer_head head = {.status = 200, .range_from = -1, .has_end = true};
    char *buf = malloc(COPY);
    int fd = -1, rc;

    if (!buf)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    rc = open_source(j->url, &fd, &head.length, err);
    if (!rc)
        rc = on_begin(j, &head, err);
    if (!rc)
        rc = copy_source(j, fd, buf, err);
    if (fd >= 0)
        close(fd);
    free(buf);
    return rc;
}

/* Size and digests of what came. */
static int judge(struct job *j, struct fetch_result *out, struct assay_err *err)
{
    const struct fetch_ask *ask = j->ask;
    struct fetch_part *p = &j->part;
    bool resumed = p->resumed;
    char md5[HASH_HEX] = "", found[160];

    if (j->total >= 0 && p->have != j->total) {
        j->again = TRANSFER_AGAIN;
        return assay_fail(err, ASSAY_EFAIL, "ends after %lld of %lld bytes", (long long)p->have,
                          (long long)j->total);
    }
    out->bytes = p->have;
    part_digests(p, out->sha256, md5);
    if (ask->sha256 && strcasecmp(ask->sha256, out->sha256))
        snprintf(found, sizeof(found), "SHA-256 %s instead of %.64s", out->sha256, ask->sha256);
    else if (ask->md5 && strcasecmp(ask->md5, md5))
        snprintf(found, sizeof(found), "MD5 %s instead of %.32s", md5, ask->md5);
    else
        return ASSAY_OK;
    j->anew = resumed;
    if (fatal(j, part_restart(p, err)))
        return ASSAY_EFAIL;
    return assay_fail(err, ASSAY_EFAIL, "gives another file: %s", found);
}

/* ---- the tries for one source ---- */

int fetch_wait(double seconds, const volatile int *stop, struct assay_err *err)
{
    const struct timespec slice = {0, 20000000};
    int64_t end = clock_ns() + (int64_t)(seconds * 1e9);

    while (clock_ns() < end) {
        if (stop && *stop)
            return assay_fail(err, ASSAY_ESTOP, "interrupted");
        nanosleep(&slice, NULL);
    }
    return ASSAY_OK;
}

/* Each try doubles the wait; a quarter of it is chance, so that many clients don't come at once. */
static double wait_before(int tries, double asked_s)
{
    double wait_s = 0.5 * (double)(1 << (tries < 6 ? tries : 6));

    wait_s = wait_s < MAX_WAIT_S ? wait_s : MAX_WAIT_S;
    wait_s *= 0.75 + 0.25 * (double)(clock_ns() % 1000) / 1000;
    return asked_s > wait_s ? asked_s : wait_s;
}

static void tell_again(const struct job *j, const char *why, const char *when)
{
    char shown[200], text[800];

    if (!j->ask->again)
        return;
    fetch_url_public(j->url, shown, sizeof(shown));
    snprintf(text, sizeof(text), "%s %s; %s", shown, why, when);
    j->ask->again(j->ask->ctx, text);
}

static int from_source(struct job *j, struct fetch_result *out, struct assay_err *err)
{
    int limit = j->ask->retries < 0 ? RETRIES : j->ask->retries, tries = 0, rc, stop;
    double wait_s = 0;
    char when[80];
    int64_t most = j->part.have;

    for (;;) {
        j->again = 0;
        j->anew = false;
        j->total = j->ask->bytes;
        rc = fetch_url_is_file(j->url) ? get_file(j, err) : get_http(j, &wait_s, err);
        if (!rc)
            rc = judge(j, out, err);
        if (!rc || rc == ASSAY_ESTOP || j->fatal)
            return rc;
        if (j->anew) {
            tell_again(j, err->text, "from its beginning again");
            continue;
        }
        if (j->part.have - most >= PROGRESS) { /* more than ever, so this comes to an end */
            tries = 0;
            most = j->part.have;
        }
        if (tries >= j->again || tries >= limit || wait_s > MAX_ASKED_S)
            return rc;
        wait_s = wait_before(tries++, wait_s);
        snprintf(when, sizeof(when), "again in %.1f s (%d of %d more tries)", wait_s, tries,
                 j->again < limit ? j->again : limit);
        tell_again(j, err->text, when);
        if ((stop = fetch_wait(wait_s, j->ask->stop, err)))
            return stop;
        wait_s = 0;
    }
}

/* ---- the whole ---- */

void fetch_hang_up(void **line)
{
    const struct transfer_table *table;

    if (*line && !transfer_load(&table, NULL))
        table->hang_up(*line);
    *line = NULL;
}

static bool is_digest(const char *hex, size_t digits)
{
    return strlen(hex) == digits && strspn(hex, "0123456789abcdefABCDEF") == digits;
}

static int check_ask(const struct fetch_ask *ask, const char *path, struct assay_err *err)
{
    char shown[300];

    if (ask->sha256 && !is_digest(ask->sha256, 64))
        return assay_fail(err, ASSAY_EUSAGE, "%s: '%.80s' is no SHA-256", path, ask->sha256);
    if (ask->md5 && !is_digest(ask->md5, 32))
        return assay_fail(err, ASSAY_EUSAGE, "%s: '%.80s' is no MD5", path, ask->md5);
    if (!ask->urls || !ask->urls[0])
        return assay_fail(err, ASSAY_EUSAGE, "%s: no URL to fetch it from", path);
    for (const char *const *u = ask->urls; *u; u++) {
        if (fetch_url_is_file(*u) || fetch_url_is_http(*u))
            continue;
        fetch_url_public(*u, shown, sizeof(shown));
        return assay_fail(err, ASSAY_EUSAGE, "%s: only http:, https: and file: URLs are fetched",
                          shown);
    }
    return ASSAY_OK;
}

int fetch_check(const char *path, int64_t bytes, const char *sha256, const char *md5,
                const volatile int *stop, struct fetch_result *out, struct assay_err *err)
{
    struct fetch_result got = {.first_seen = !sha256};
    char md5_hex[HASH_HEX] = "";
    int64_t size = file_size(path);
    int rc;

    if (bytes >= 0 && size >= 0 && size != bytes)
        return assay_fail(err, ASSAY_EFAIL, "%s: has %lld bytes instead of %lld", path,
                          (long long)size, (long long)bytes);
    rc = part_read_digests(path, md5 != NULL, stop, &got.bytes, got.sha256, md5_hex, err);
    if (!rc && sha256 && strcasecmp(sha256, got.sha256))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: has SHA-256 %s instead of %.64s", path, got.sha256,
                        sha256);
    if (!rc && md5 && strcasecmp(md5, md5_hex))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: has MD5 %s instead of %.32s", path, md5_hex, md5);
    if (!rc)
        *out = got;
    return rc;
}

/* Inode and time tell whether another process has put the file there meanwhile. */
static struct stat look(const char *path)
{
    struct stat st = {0};

    if (stat(path, &st) < 0)
        st.st_ino = 0;
    return st;
}

static bool is_other(const struct stat *a, const struct stat *b)
{
    return b->st_ino && (a->st_ino != b->st_ino || a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
                         a->st_mtim.tv_nsec != b->st_mtim.tv_nsec);
}

/* Every source in turn; `reasons` grows to what is said when none gives it. */
static int each_source(struct job *j, struct fetch_result *out, struct text *reasons,
                       struct assay_err *err)
{
    char shown[200];
    int rc = ASSAY_EFAIL;

    for (const char *const *u = j->ask->urls; *u && rc; u++) {
        j->url = *u;
        rc = from_source(j, out, err);
        if (rc == ASSAY_ESTOP || j->fatal)
            break;
        fetch_url_public(*u, rc ? shown : out->url, rc ? sizeof(shown) : sizeof(out->url));
        if (rc)
            text_addf(reasons, "%s%s %s", reasons->len ? "; " : "", shown, err->text);
    }
    return rc;
}

static int fetch_locked(struct job *j, const char *path, struct fetch_result *out,
                        struct assay_err *err)
{
    struct text reasons;
    struct assay_err why = {0};
    int rc;

    text_init(&reasons, 4096);
    rc = each_source(j, out, &reasons, &why);
    if (!rc) {
        tell(j, true);
        rc = part_commit(&j->part, !j->ask->small, err);
    } else if (rc == ASSAY_ESTOP) {
        assay_fail(err, rc, "interrupted; what has come of %s is kept", file_base(path));
    } else if (j->fatal) {
        assay_fail(err, rc, "%s", why.text);
    } else {
        rc = assay_fail(err, ASSAY_EFAIL, "%s cannot be fetched: %s", file_base(path),
                        reasons.len ? reasons.s : "no reason is known");
    }
    text_release(&reasons);
    return rc;
}

int fetch_file(const struct fetch_ask *ask, const char *path, struct fetch_result *out,
               struct assay_err *err)
{
    struct job j = {.ask = ask};
    struct fetch_result got = {.first_seen = !ask->sha256};
    struct stat before = look(path), now;
    int rc = check_ask(ask, path, err);

    if (rc)
        return rc;
    if (before.st_ino && has_digest(ask) &&
        !fetch_check(path, ask->bytes, ask->sha256, ask->md5, ask->stop, out, NULL))
        return ASSAY_OK;
    rc = part_open(&j.part, path, ask->md5 != NULL, ask->stop, err);
    if (rc)
        return rc;
    now = look(path);
    if (is_other(&before, &now) &&
        !fetch_check(path, ask->bytes, ask->sha256, ask->md5, ask->stop, &got, NULL)) {
        /* another process fetched it while we waited */
    } else {
        rc = fetch_locked(&j, path, &got, err);
    }
    part_close(&j.part);
    if (!rc)
        *out = got;
    return rc;
}

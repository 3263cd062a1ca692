/* A few threads that take the next name each; see fetch_list.h. */
#include "flow/fetch_list.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "flow/fetch.h"
#include "flow/name_list.h"

#define MAX_URLS 16

struct many {
    const struct fetch_list_ask *ask;
    char (*digests)[HASH_HEX]; /* by name */
    pthread_mutex_t lock;      /* of all below */
    size_t next, done, failed;
    int64_t bytes;
    struct assay_err err; /* of the first that failed */
};

static bool stopped(const struct many *m)
{
    return m->ask->stop && *m->ask->stop;
}

/* Of one file, what has been told. */
struct told {
    const struct fetch_list_ask *ask;
    int64_t bytes;
};

static void tell(struct told *t, int64_t bytes, int files)
{
    if (t->ask->progress)
        t->ask->progress(t->ask->ctx, bytes - t->bytes, files);
    t->bytes = bytes;
}

static void on_progress(void *ctx, int64_t done, int64_t total)
{
    (void)total;
    tell(ctx, done, 0);
}

static void on_again(void *ctx, const char *text)
{
    struct told *t = ctx;

    if (t->ask->again)
        t->ask->again(t->ask->ctx, text);
}

/* ask->count: none. */
static size_t take(struct many *m)
{
    const struct fetch_list_ask *ask = m->ask;
    size_t at = ask->count;

    pthread_mutex_lock(&m->lock);
    if (m->next < ask->count && m->failed < FETCH_LIST_FAILS && !stopped(m))
        at = m->next++;
    pthread_mutex_unlock(&m->lock);
    return at;
}

static void finish(struct many *m, int64_t bytes, int rc, const struct assay_err *err)
{
    pthread_mutex_lock(&m->lock);
    if (!rc) {
        m->done++;
        m->bytes += bytes;
    } else if (rc != ASSAY_ESTOP && !m->failed++) {
        m->err = *err;
    }
    pthread_mutex_unlock(&m->lock);
}

/* Bytes of a file that came before; -1: it is not there. */
static int64_t there(const char *path)
{
    struct stat st;

    return !lstat(path, &st) && S_ISREG(st.st_mode) ? (int64_t)st.st_size : -1;
}

static int fetch_named(const struct fetch_list_ask *ask, const char *name, const char *path,
                       struct told *told, void **line, struct fetch_result *got,
                       struct assay_err *err)
{
    char *urls[MAX_URLS + 1] = {NULL};
    struct fetch_ask one = {.urls = (const char *const *)urls,
                            .bytes = -1,
                            .stop = ask->stop,
                            .line = line,
                            .small = true,
                            .progress = on_progress,
                            .again = on_again,
                            .ctx = told,
                            .retries = -1};
    int rc = ASSAY_OK;

    for (size_t i = 0; !rc && i < MAX_URLS && ask->urls[i]; i++)
        if (!(urls[i] = name_list_fill(ask->urls[i], name, true)))
            rc = assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", name);
    if (!rc)
        rc = fetch_file(&one, path, got, err);
    for (size_t i = 0; urls[i]; i++)
        free(urls[i]);
    return rc;
}

static void one_file(struct many *m, size_t at, void **line)
{
    const char *name = m->ask->names[at];
    char *path = file_join(m->ask->folder, name);
    struct told told = {m->ask, 0};
    struct fetch_result got = {.bytes = path ? there(path) : -1};
    struct assay_err err = {0};
    int rc = path ? ASSAY_OK : assay_fail(&err, ASSAY_EFAIL, "%s: not enough memory", name);

    if (!rc && got.bytes >= 0)
        rc = hash_file_until(path, m->ask->stop, got.sha256, NULL, &err);
    else if (!rc)
        rc = fetch_named(m->ask, name, path, &told, line, &got, &err);
    if (!rc)
        memcpy(m->digests[at], got.sha256, HASH_HEX);
    tell(&told, rc ? 0 : got.bytes, !rc);
    finish(m, got.bytes, rc, &err);
    free(path);
}

static void *work(void *arg)
{
    struct many *m = arg;
    void *line = NULL;
    size_t at;

    while ((at = take(m)) < m->ask->count)
        one_file(m, at, &line);
    fetch_hang_up(&line);
    return NULL;
}

static int fetch_all(struct many *m, struct assay_err *err)
{
    pthread_t threads[FETCH_LIST_AT_ONCE];
    int started = 0;

    for (size_t i = 0; i < FETCH_LIST_AT_ONCE && i < m->ask->count; i++)
        if (!pthread_create(&threads[started], NULL, work, m))
            started++;
    if (!started)
        return assay_fail(err, ASSAY_EFAIL, "no thread can be started");
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (stopped(m) && m->done < m->ask->count)
        return assay_fail(err, ASSAY_ESTOP, "interrupted; %zu of %zu files are kept", m->done,
                          m->ask->count);
    if (m->failed > 1)
        return assay_fail(err, m->err.code, "%.380s; %zu more failed; %zu of %zu files are kept",
                          m->err.text, m->failed - 1, m->done, m->ask->count);
    return m->failed ? assay_fail(err, m->err.code, "%.400s; %zu of %zu files are kept",
                                  m->err.text, m->done, m->ask->count)
                     : ASSAY_OK;
}

static int digest_all(const struct many *m, char hex[HASH_HEX], struct assay_err *err)
{
    struct hash *h = hash_create();

    for (size_t i = 0; h && i < m->ask->count; i++) {
        hash_add(h, m->digests[i], HASH_HEX - 1);
        hash_add(h, "  ", 2);
        hash_add(h, m->ask->names[i], strlen(m->ask->names[i]));
        hash_add(h, "\n", 1);
    }
    if (h)
        hash_take(h, hex);
    return h ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory");
}

int fetch_list(const struct fetch_list_ask *ask, struct fetch_list_result *out,
               struct assay_err *err)
{
    struct many m = {.ask = ask, .digests = calloc(ask->count, sizeof(*m.digests))};
    int rc = m.digests ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    pthread_mutex_init(&m.lock, NULL);
    if (!rc)
        rc = fetch_all(&m, err);
    if (!rc)
        rc = digest_all(&m, out->sha256, err);
    out->bytes = m.bytes;
    pthread_mutex_destroy(&m.lock);
    free(m.digests);
    return rc;
}

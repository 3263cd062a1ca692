/* Fetching one file: over HTTP(S) by libcurl, or from a file: URL; verified, whole or not there.
 *
 * While it comes, the file is PATH.part, which one process at a time writes (flock); it is kept
 * when the download is cut off, and the next call goes on from there: the server is told what the
 * part is of (PATH.part.json: its ETag or date), and a digest is checked over all of it.  PATH
 * appears by a rename when size and digests are right.
 *
 * Only the hosts of `urls` are contacted, and those they redirect to, at most 10 times; from https
 * only to https.  The certificate is checked against the system's (or $SSL_CERT_FILE).  Passwords
 * and tokens of a URL stand in no message and in no file. */
#ifndef FLOW_FETCH_H
#define FLOW_FETCH_H

#include "assay/types.h"

struct fetch_ask {
    const char *const *urls;  /* NULL-terminated, tried in this order; http:, https:, file: */
    int64_t bytes;            /* -1: not known */
    const char *sha256, *md5; /* hex, or NULL */
    const char *cert;         /* a file with certificates; NULL: as said above */
    const volatile int *stop; /* != 0: ASSAY_ESTOP, and the part is kept; may be NULL */
    void **line; /* a connection for many calls of one thread: *line is NULL at first, and ended by
                  * fetch_hang_up; NULL: each call has its own */
    bool small;  /* one of very many: what a call leaves of it is not gone on with by the next */
    void (*progress)(void *ctx, int64_t done, int64_t total); /* total -1: not known; may be NULL */
    /* Before each further try: what was wrong with the last, and when it is tried again; may be
     * NULL.
     */
    void (*again)(void *ctx, const char *text);
    void *ctx;
    double stall_s; /* so long with less than 1 KiB is given up; <= 0: 30 */
    int retries;    /* further tries for each URL, each after a longer wait; < 0: 4 */
};

struct fetch_result {
    char sha256[65];
    int64_t bytes;
    char url[1024];  /* that gave it, without secrets; "" when the file was there already */
    bool first_seen; /* no sha256 was given: what is in sha256 is to be locked from now on */
};

/* A file that is at `path` and has the digests asked for is kept as it is.  Any thread; several
 * processes that ask for one path wait for each other. */
int fetch_file(const struct fetch_ask *ask, const char *path, struct fetch_result *out,
               struct assay_err *err);

/* For what the user has already: compares size and digests, copies nothing. */
int fetch_check(const char *path, int64_t bytes, const char *sha256, const char *md5,
                const volatile int *stop, struct fetch_result *out, struct assay_err *err);

void fetch_hang_up(void **line);

/* A URL as it may be shown: no user, no password, and no value of what looks like a token. */
void fetch_url_public(const char *url, char *out, size_t size);

/* Sleeps, and looks every 20 ms whether it shall stop (NULL: never): then ASSAY_ESTOP. */
int fetch_wait(double seconds, const volatile int *stop, struct assay_err *err);

#endif

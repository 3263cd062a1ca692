/* The part of this room that needs libcurl and libarchive.  These bring some thirty libraries
 * along, whose loading takes longer than all of a resolution that has nothing to fetch; so they
 * live in an object of their own, lib/assay/flow/transfer.so, loaded when something is first
 * fetched or unpacked.  Private to this room. */
#ifndef FLOW_TRANSFER_H
#define FLOW_TRANSFER_H

#include "assay/types.h"
#include "flow/unpack.h"

/* An answer's head, once its last redirect is behind us. */
struct transfer_head {
    long status;
    int64_t length;     /* of what comes now; -1: not said */
    int64_t range_from; /* of a 206; -1: none */
    int64_t total;      /* of the whole file, of a 206; -1: not said */
    bool page;          /* it says that it is a page for browsers */
    bool has_end;       /* the end of the body can be told from a broken connection */
    char mark[256];     /* a strong ETag or Last-Modified, for If-Range; "" */
    char url[4096];     /* that answers, behind all redirects; "": longer than this */
};

struct transfer_get {
    const char *url;
    int64_t from;       /* > 0: only the bytes from there on */
    const char *mark;   /* only if it is still the same file; NULL: in any case */
    const char *accept; /* kinds of content, as the head's field has them; NULL: any */
    const char *cert;   /* a file with certificates; NULL: $SSL_CERT_FILE or the system's */
    void **line;        /* *line: NULL, or an open connection, used again and kept open for the next
                         * call of this thread, until hang_up; line NULL: one of its own */
    double stall_s;
    const volatile int *stop;
    /* Both return 0, or a code with err set, which ends the transfer.  begin comes once, before the
     * first data; only for the status 200 and 206. */
    int (*begin)(void *ctx, const struct transfer_head *head, struct assay_err *err);
    int (*data)(void *ctx, const void *data, size_t n, struct assay_err *err);
    void *ctx;
};

#define TRANSFER_AGAIN 1000
struct transfer_end {
    long status;   /* of HTTP; 0: no answer */
    bool ours;     /* begin, data or *stop ended it */
    int again;     /* so many further tries may help: 0, 1, TRANSFER_AGAIN */
    double wait_s; /* as the server asks for; 0: it does not */
    int64_t total; /* of the whole file, of a 416; -1: not said */
};

struct transfer_table {
    uint32_t version;
    /* The message is the reason alone, without the URL. */
    int (*get)(const struct transfer_get *get, struct transfer_end *end, struct assay_err *err);
    int (*unpack)(const char *archive, const char *folder, const struct unpack_limits *limits,
                  struct assay_err *err);
    void (*hang_up)(void *line); /* NULL: nothing */
};
#define TRANSFER_VERSION 4

/* Loads it at the first call; any thread. */
int transfer_load(const struct transfer_table **table, struct assay_err *err);

#endif

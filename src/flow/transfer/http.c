/* One GET by libcurl: redirects, certificates, stalls, and what an answer's head says.
 *
 * The caller's begin comes with the first byte of a 200 or 206, or at the end of an empty one; the
 * bodies of other answers are not read. */
#include "flow/transfer/parts.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"

#define MAX_REDIRECTS 10
#define CONNECT_S     30
#define CRAWL         1024 /* fewer bytes than this within stall_s count as none */

struct transfer {
    const struct transfer_get *get;
    CURL *curl;
    struct transfer_head head;
    struct assay_err *err;
    int rc; /* of begin, data or *stop */
    bool begun, stalled, chunked;
    int64_t moved_ns, got, marked; /* when CRAWL more bytes had come; all bytes; those by then */
};

/* ---- the head ---- */

/* The value of a header line, if it is this one; without the line's end. */
static bool header_is(const char *line, size_t n, const char *name, char *value, size_t size)
{
    size_t len = strlen(name);

    if (n <= len || line[len] != ':' || strncasecmp(line, name, len))
        return false;
    for (line += len + 1, n -= len + 1; n && (*line == ' ' || *line == '\t'); line++, n--)
        ;
    while (n && (unsigned char)line[n - 1] <= ' ')
        n--;
    snprintf(value, size, "%.*s", (int)(n < size ? n : 0), line); /* too long: as if empty */
    return true;
}

static void head_clear(struct transfer *t)
{
    t->head = (struct transfer_head){.length = -1, .range_from = -1, .total = -1};
    t->chunked = false;
}

static void read_range(struct transfer_head *h, const char *value)
{
    long long from, to, total;

    if (sscanf(value, "bytes %lld-%lld/%lld", &from, &to, &total) == 3) {
        h->range_from = from;
        h->total = total;
    } else if (sscanf(value, "bytes %lld-%lld/", &from, &to) == 2) {
        h->range_from = from;
    } else if (sscanf(value, "bytes */%lld", &total) == 1) {
        h->total = total;
    }
}

/* Every line of every answer on the way: a new status line forgets the answer before. */
static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    size_t n = size * count;
    char value[256];

    if (n > 5 && !strncasecmp(line, "HTTP/", 5)) {
        head_clear(t);
    } else if (header_is(line, n, "etag", value, sizeof(value))) {
        if (strncmp(value, "W/", 2)) /* a weak one says nothing about bytes */
            snprintf(t->head.mark, sizeof(t->head.mark), "%s", value);
    } else if (header_is(line, n, "last-modified", value, sizeof(value))) {
        if (!t->head.mark[0])
            snprintf(t->head.mark, sizeof(t->head.mark), "%s", value);
    } else if (header_is(line, n, "content-range", value, sizeof(value))) {
        read_range(&t->head, value);
    } else if (header_is(line, n, "content-type", value, sizeof(value))) {
        t->head.page = !strncasecmp(value, "text/html", 9);
    } else if (header_is(line, n, "transfer-encoding", value, sizeof(value))) {
        t->chunked = strcasestr(value, "chunked") != NULL;
    }
    return n;
}

/* ---- the body ---- */

/* Tells the caller of the head, once; false: end here. */
static bool begin(struct transfer *t)
{
    curl_off_t length = -1;
    const char *url = NULL;
    long version = 0;

    if (t->begun)
        return true;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->head.status);
    if (t->head.status != 200 && t->head.status != 206)
        return false;
    curl_easy_getinfo(t->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    curl_easy_getinfo(t->curl, CURLINFO_HTTP_VERSION, &version);
    curl_easy_getinfo(t->curl, CURLINFO_EFFECTIVE_URL, &url);
    if (url && strlen(url) < sizeof(t->head.url))
        snprintf(t->head.url, sizeof(t->head.url), "%s", url);
    t->head.length = length;
    t->head.has_end = length >= 0 || t->chunked || version > CURL_HTTP_VERSION_1_1;
    t->begun = true;
    t->rc = t->get->begin(t->get->ctx, &t->head, t->err);
    return !t->rc;
}

static size_t on_data(char *data, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    size_t n = size * count;

    if (!begin(t))
        return 0;
    t->rc = t->get->data(t->get->ctx, data, n, t->err);
    if (t->rc)
        return 0;
    t->got += (int64_t)n;
    return n;
}

/* Called at least once a second, also while nothing comes. */
static int on_time(void *ctx, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal,
                   curl_off_t ulnow)
{
    struct transfer *t = ctx;
    int64_t now = clock_ns();

    (void)dltotal, (void)dlnow, (void)ultotal, (void)ulnow;
    if (t->get->stop && *t->get->stop) {
        t->rc = assay_fail(t->err, ASSAY_ESTOP, "interrupted");
        return 1;
    }
    if (t->got - t->marked >= CRAWL) {
        t->marked = t->got;
        t->moved_ns = now;
    }
    t->stalled = (double)(now - t->moved_ns) / 1e9 > t->get->stall_s;
    return t->stalled;
}

/* ---- how it ended ---- */

static const char *status_word(long status)
{
    switch (status) {
    case 401:
    case 403:
        return " (not allowed)";
    case 404:
    case 410:
        return " (not there)";
    case 429:
        return " (too many requests)";
    default:
        return status >= 500 ? " (the server has a problem)" : "";
    }
}

static int bad_status(struct transfer *t, struct transfer_end *end)
{
    curl_off_t wait = 0;

    curl_easy_getinfo(t->curl, CURLINFO_RETRY_AFTER, &wait);
    end->wait_s = (double)wait;
    if (end->status >= 500 || end->status == 408 || end->status == 425 || end->status == 429)
        end->again = TRANSFER_AGAIN;
    if (wait > 0)
        return assay_fail(t->err, ASSAY_EFAIL, "answers %ld%s, and to come back in %lld s",
                          end->status, status_word(end->status), (long long)wait);
    return assay_fail(t->err, ASSAY_EFAIL, "answers %ld%s", end->status, status_word(end->status));
}

/* What people can do something about, in words; the rest in libcurl's. */
static int curl_failed(struct transfer *t, CURLcode code, const char *detail,
                       struct transfer_end *end)
{
    const char *why = *detail ? detail : curl_easy_strerror(code);

    end->again = TRANSFER_AGAIN;
    switch (code) {
    case CURLE_TOO_MANY_REDIRECTS:
        end->again = 0;
        return assay_fail(t->err, ASSAY_EFAIL, "redirects more than %d times", MAX_REDIRECTS);
    case CURLE_UNSUPPORTED_PROTOCOL:
        end->again = 0;
        return assay_fail(t->err, ASSAY_EFAIL,
                          "redirects to a kind of URL that is not followed "
                          "(from https only https is)");
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        end->again = 0;
        return assay_fail(t->err, ASSAY_EFAIL, "the server's certificate is not trusted: %s", why);
    case CURLE_URL_MALFORMAT:
        end->again = 0;
        return assay_fail(t->err, ASSAY_EFAIL, "is not a usable URL");
    case CURLE_COULDNT_RESOLVE_HOST: /* most often there is no network, and waiting is in vain */
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
        end->again = 1;
        return assay_fail(t->err, ASSAY_EFAIL, "cannot be reached: %s", why);
    case CURLE_PARTIAL_FILE:
        return assay_fail(t->err, ASSAY_EFAIL, "ends too early: %s", why);
    case CURLE_OPERATION_TIMEDOUT:
        return assay_fail(t->err, ASSAY_EFAIL, "does not answer: %s", why);
    default:
        return assay_fail(t->err, ASSAY_EFAIL, "cannot be had: %s", why);
    }
}

static int ended(struct transfer *t, CURLcode code, const char *detail, struct transfer_end *end)
{
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &end->status);
    end->total = t->head.total;
    end->ours = t->rc != 0;
    if (t->rc)
        return t->rc;
    if (t->stalled) {
        end->again = TRANSFER_AGAIN;
        return assay_fail(t->err, ASSAY_EFAIL, "stalls: less than 1 KiB in %.3g s",
                          t->get->stall_s);
    }
    if (end->status && end->status != 200 && end->status != 206 &&
        (code == CURLE_OK || code == CURLE_WRITE_ERROR))
        return bad_status(t, end);
    if (code != CURLE_OK)
        return curl_failed(t, code, detail, end);
    if (!begin(t)) {
        end->ours = true;
        return t->rc;
    }
    return ASSAY_OK;
}

/* ---- asking ---- */

/* The system's certificates: where $SSL_CERT_FILE says, where this libcurl expects them, or where
 * other systems have them (a program that was built on one system runs on others). */
static const char *certificates(void)
{
    static const char *const places[] = {"/etc/ssl/certs/ca-certificates.crt",
                                         "/etc/pki/tls/certs/ca-bundle.crt",
                                         "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem", NULL};
    const char *own = getenv("SSL_CERT_FILE");

    if (own && *own)
        return own;
    for (const char *const *p = places; *p; p++)
        if (access(*p, R_OK) == 0)
            return *p;
    return NULL;
}

static void set_protocols(CURL *c, bool secure)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
#else
    curl_easy_setopt(c, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
    curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS,
                     (long)(secure ? CURLPROTO_HTTPS : CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static void set_callbacks(struct transfer *t)
{
    curl_easy_setopt(t->curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(t->curl, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(t->curl, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(t->curl, CURLOPT_XFERINFOFUNCTION, on_time);
    curl_easy_setopt(t->curl, CURLOPT_XFERINFODATA, t);
    curl_easy_setopt(t->curl, CURLOPT_NOPROGRESS, 0L);
}

static void set_options(struct transfer *t, char *detail)
{
    const char *ca = t->get->cert ? t->get->cert : certificates();
    double stall_s = t->get->stall_s;

    curl_easy_setopt(t->curl, CURLOPT_URL, t->get->url);
    curl_easy_setopt(t->curl, CURLOPT_USERAGENT, "assay/" ASSAY_VERSION);
    curl_easy_setopt(t->curl, CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(t->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(t->curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(t->curl, CURLOPT_MAXREDIRS, (long)MAX_REDIRECTS);
    curl_easy_setopt(t->curl, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)((stall_s < CONNECT_S ? stall_s : CONNECT_S) * 1000) + 1);
    set_protocols(t->curl, !strncasecmp(t->get->url, "https:", 6));
    if (ca)
        curl_easy_setopt(t->curl, CURLOPT_CAINFO, ca);
    set_callbacks(t);
}

/* Adds a line; *list is NULL, and *good false, once the memory has not sufficed. */
static void add_header(struct curl_slist **list, bool *good, const char *fmt, ...)
    ASSAY_PRINTF(3, 4);
static void add_header(struct curl_slist **list, bool *good, const char *fmt, ...)
{
    struct curl_slist *more;
    char line[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    more = *good ? curl_slist_append(*list, line) : NULL;
    if (!more) {
        curl_slist_free_all(*list);
        *good = false;
    }
    *list = more;
}

/* "Range" by hand: libcurl's own resuming would refuse a 200, which is how a server tells that the
 * file has changed. */
static struct curl_slist *headers(const struct transfer_get *get, bool *good)
{
    struct curl_slist *list = NULL;

    *good = true;
    if (get->accept)
        add_header(&list, good, "Accept: %s", get->accept);
    if (get->from > 0)
        add_header(&list, good, "Range: bytes=%lld-", (long long)get->from);
    if (get->from > 0 && get->mark)
        add_header(&list, good, "If-Range: %s", get->mark);
    return list;
}

static void start_library(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

int transfer_http_get(const struct transfer_get *get, struct transfer_end *end,
                      struct assay_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct transfer t = {.get = get, .err = err, .moved_ns = clock_ns()};
    char detail[CURL_ERROR_SIZE] = "";
    bool good;
    struct curl_slist *list = headers(get, &good);
    int rc;

    pthread_once(&once, start_library);
    *end = (struct transfer_end){0};
    head_clear(&t);
    t.curl = get->line && *get->line ? *get->line : curl_easy_init();
    if (!t.curl || !good) {
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    } else {
        set_options(&t, detail);
        curl_easy_setopt(t.curl, CURLOPT_HTTPHEADER, list);
        rc = ended(&t, curl_easy_perform(t.curl), detail, end);
    }
    if (get->line && t.curl) {
        curl_easy_reset(t.curl); /* of all that points into this call; what is open stays open */
        *get->line = t.curl;
    } else {
        curl_easy_cleanup(t.curl);
    }
    curl_slist_free_all(list);
    return rc;
}

void transfer_http_hang_up(void *line)
{
    curl_easy_cleanup(line);
}

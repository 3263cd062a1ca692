/* From a package's file to addresses; see index.h.
 *
 *   pip's configuration -> folders that have the file -> pages of indexes -> addresses on them
 *
 * A page is read like any download (redirects, certificates, stalls), but into memory, and no more
 * than INDEX_MAX_PAGE of it.  A user and password in an index's address go along to the files that
 * lie on the same host, as pip does. */
#include "flow/index.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "flow/fetch.h"
#include "flow/fetch_url.h"
#include "flow/index_page.h"
#include "flow/pip.h"
#include "flow/transfer.h"

#define STALL_S 30
#define TRIES   3
#define ACCEPT                                                                                     \
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, "             \
    "text/html;q=0.1"

static int no_memory(struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "not enough memory");
}

/* ---- folders ---- */

/* A folder of find-links as a path; NULL: it is an address of the network. */
static char *folder_of(const char *link)
{
    char path[1100];

    if (fetch_url_is_http(link))
        return NULL;
    if (!fetch_url_is_file(link))
        return strdup(link);
    return fetch_url_path(link, path, sizeof(path), NULL) ? NULL : strdup(path);
}

/* "file:/folder/name", with what an address may not hold as %XX. */
static char *file_url(const char *path)
{
    struct text t;

    text_init(&t, INDEX_MAX_URL);
    text_add(&t, "file:");
    for (; *path; path++) {
        if (*path == '%' || *path == '?' || *path == '#' || (unsigned char)*path <= ' ')
            text_addf(&t, "%%%02X", (unsigned char)*path);
        else
            text_addn(&t, path, 1);
    }
    return text_take(&t);
}

/* Adds the file in each folder that has it. */
static void add_local(const struct pip_config *c, const char *file, json_t *urls)
{
    json_t *link;
    size_t i;

    json_array_foreach(c->links, i, link)
    {
        char *folder = folder_of(json_string_value(link));
        char *below = folder ? file_join(folder, file) : NULL;
        char *path = below && file_exists(below) ? file_absolute(below) : NULL;
        char *url = path ? file_url(path) : NULL;

        if (url)
            json_array_append_new(urls, json_string(url));
        free(url);
        free(path);
        free(below);
        free(folder);
    }
}

bool index_is_local(const char *file)
{
    json_t *urls = json_array();
    struct pip_config c;
    bool is;

    if (!pip_config_read(&c, NULL)) {
        add_local(&c, file_base(file), urls);
        pip_config_release(&c);
    }
    is = json_array_size(urls) > 0;
    json_decref(urls);
    return is;
}

/* ---- pages ---- */

struct page {
    struct text text;
    char url[INDEX_MAX_URL]; /* that gave it, at last */
};

static int on_begin(void *ctx, const struct transfer_head *head, struct assay_err *err)
{
    struct page *p = ctx;

    text_clear(&p->text);
    if (!*head->url || strlen(head->url) >= sizeof(p->url))
        return assay_fail(err, ASSAY_EFAIL, "comes from an address that is too long");
    snprintf(p->url, sizeof(p->url), "%s", head->url);
    if (head->length > (int64_t)INDEX_MAX_PAGE)
        return assay_fail(err, ASSAY_EFAIL, "is too large for a page of an index: %lld bytes",
                          (long long)head->length);
    return ASSAY_OK;
}

static int on_data(void *ctx, const void *data, size_t n, struct assay_err *err)
{
    struct page *p = ctx;

    text_addn(&p->text, data, n);
    return p->text.cut ? assay_fail(err, ASSAY_EFAIL,
                                    "is too large for a page of an index: more than %zu MB",
                                    INDEX_MAX_PAGE >> 20)
                       : ASSAY_OK;
}

static int page_get(const char *url, const char *cert, const volatile int *stop, struct page *p,
                    struct assay_err *err)
{
    struct transfer_get get = {.url = url,
                               .accept = ACCEPT,
                               .cert = cert,
                               .stall_s = STALL_S,
                               .stop = stop,
                               .begin = on_begin,
                               .data = on_data,
                               .ctx = p};
    const struct transfer_table *table;
    struct transfer_end end = {0};
    int rc = transfer_load(&table, err);

    for (int tries = 0; !rc && tries < TRIES; tries++) {
        rc = table->get(&get, &end, err);
        if (!rc || end.ours || tries >= end.again || tries + 1 == TRIES)
            return rc;
        /* A busy server or a broken connection may be better a moment later. */
        rc = fetch_wait(0.5 * (tries + 1), stop, err);
    }
    return rc;
}

/* ---- a user and password ---- */

/* The host of an address, with its port; *user: how much before it is user and password. */
static const char *host_of(const char *url, size_t *n, size_t *user)
{
    const char *host = strstr(url, "://"), *at;
    size_t all;

    host = host ? host + 3 : url;
    all = strcspn(host, "/?#");
    for (at = host + all; at > host && at[-1] != '@'; at--)
        ;
    *user = (size_t)(at - host);
    *n = all - *user;
    return at;
}

/* Of an index's address: what lies on its host is asked for with its user and password. */
static void add_user(const char *index, char url[INDEX_MAX_URL])
{
    size_t n, user, m, own, kind;
    const char *from = host_of(index, &n, &user), *to = host_of(url, &m, &own);
    char *with;

    kind = (size_t)(from - index) - user; /* "https://" */
    if (!user || own || n != m || memcmp(from, to, n))
        return;
    if (kind != (size_t)(to - url) || memcmp(index, url, kind))
        return;
    with = text_format("%.*s%.*s%s", (int)(to - url), url, (int)user, from - user, to);
    if (with && strlen(with) < INDEX_MAX_URL)
        snprintf(url, INDEX_MAX_URL, "%s", with);
    free(with);
}

/* ---- asking ---- */

struct asking {
    const struct index_ask *ask;
    const char *cert;
    json_t *urls;
    struct text reasons;
};

static int ask_page(struct asking *a, const char *url, struct assay_err *err)
{
    char found[INDEX_MAX_URL], shown[300];
    struct page p = {.url = ""};
    int rc;

    text_init(&p.text, INDEX_MAX_PAGE);
    rc = page_get(url, a->cert, a->ask->stop, &p, err);
    if (!rc)
        rc = index_page_find(p.text.s, p.text.len, p.url, a->ask->file, a->ask->sha256, found, err);
    if (!rc) {
        add_user(url, found);
        json_array_append_new(a->urls, json_string(found));
    } else if (rc != ASSAY_ESTOP) {
        fetch_url_public(url, shown, sizeof(shown));
        text_addf(&a->reasons, "%s%s %s", a->reasons.len ? "; " : "", shown, err->text);
    }
    text_release(&p.text);
    return rc;
}

/* "INDEX/package/" */
static char *page_of(const char *index, const char *package)
{
    size_t n = strlen(index);
    char name[128];

    index_name(package, name);
    while (n && index[n - 1] == '/')
        n--;
    return text_format("%.*s/%s/", (int)n, index, name);
}

static int ask_index(struct asking *a, const char *index, struct assay_err *err)
{
    char *url = fetch_url_is_http(index) ? page_of(index, a->ask->package) : NULL, shown[300];
    int rc;

    if (url) {
        rc = ask_page(a, url, err);
    } else {
        fetch_url_public(index, shown, sizeof(shown));
        text_addf(&a->reasons, "%s%s is no index that is asked here (http: and https: are)",
                  a->reasons.len ? "; " : "", shown);
        rc = ASSAY_EFAIL;
    }
    free(url);
    return rc;
}

/* Until one has it: digests make them all the same. */
static int ask_all(struct asking *a, const struct pip_config *c, struct assay_err *err)
{
    char index[1024];
    json_t *v;
    size_t i;
    int rc = ASSAY_EFAIL;

    json_array_foreach(c->links, i, v)
    {
        if (rc && rc != ASSAY_ESTOP && fetch_url_is_http(json_string_value(v)))
            rc = ask_page(a, json_string_value(v), err);
    }
    if (rc && rc != ASSAY_ESTOP && c->by_default) {
        rc = pip_default_index(index, a->ask->stop, err);
        if (!rc)
            rc = ask_index(a, index, err);
        else if (rc != ASSAY_ESTOP)
            text_addf(&a->reasons, "%s%s", a->reasons.len ? "; " : "", err->text);
    }
    json_array_foreach(c->indexes, i, v)
    {
        if (rc && rc != ASSAY_ESTOP)
            rc = ask_index(a, json_string_value(v), err);
    }
    return rc;
}

static int nowhere(const struct asking *a, struct assay_err *err)
{
    if (a->ask->offline)
        return assay_fail(err, ASSAY_EFAIL,
                          "%s is in no folder of pip's find-links, and --offline "
                          "forbids to ask the index that pip is set up with",
                          a->ask->file);
    return assay_fail(err, ASSAY_EFAIL, "%.150s is not to be had through pip's configuration: %s",
                      a->ask->file, a->reasons.len ? a->reasons.s : "it names no index");
}

int index_find(const struct index_ask *ask, json_t **urls, char **cert, struct assay_err *err)
{
    struct asking a = {.ask = ask, .urls = json_array()};
    struct assay_err why = {0};
    struct pip_config c;
    int rc = a.urls ? pip_config_read(&c, err) : no_memory(err);

    if (rc) {
        json_decref(a.urls);
        return rc;
    }
    text_init(&a.reasons, 4096);
    a.cert = c.cert;
    add_local(&c, ask->file, a.urls);
    if (!json_array_size(a.urls) && !ask->offline)
        rc = ask_all(&a, &c, &why);
    if (rc == ASSAY_ESTOP)
        assay_fail(err, rc, "interrupted");
    else
        rc = json_array_size(a.urls) ? ASSAY_OK : nowhere(&a, err);
    if (!rc) {
        *urls = json_incref(a.urls);
        *cert = c.cert ? strdup(c.cert) : NULL;
    }
    json_decref(a.urls);
    text_release(&a.reasons);
    pip_config_release(&c);
    return rc;
}

/* ---- for people ---- */

static void show_page(json_t *places, const char *url)
{
    char shown[1024];

    fetch_url_public(url, shown, sizeof(shown));
    json_array_append_new(places, json_string(shown));
}

json_t *index_places(const char *package, const char *file)
{
    json_t *places = json_array(), *v;
    struct pip_config c;
    size_t i;

    if (pip_config_read(&c, NULL))
        return places;
    add_local(&c, file_base(file), places);
    if (!json_array_size(places)) {
        json_array_foreach(c.links, i, v)
        {
            if (fetch_url_is_http(json_string_value(v)))
                show_page(places, json_string_value(v));
        }
        if (c.by_default)
            json_array_append_new(places, json_string(""));
        json_array_foreach(c.indexes, i, v)
        {
            char *url = page_of(json_string_value(v), package);

            if (url)
                show_page(places, url);
            free(url);
        }
    }
    pip_config_release(&c);
    return places;
}

/* URLs: what may be shown of them, and the path of a file: URL. */
#include "flow/fetch_url.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hash.h"
#include "base/text.h"
#include "flow/fetch.h"

#define MAX_URL 8192

/* Names of parameters whose values are nobody's business. */
static bool is_secret(const char *name, size_t n)
{
    static const char *const words[] = {"token", "key",  "sig",  "secret", "pass",
                                        "auth",  "cred", "code", "session"};
    char low[64];

    snprintf(low, sizeof(low), "%.*s", (int)n, name);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcasestr(low, words[i]))
            return true;
    return false;
}

/* The query, '?' included, with "NAME=…" for what looks like a secret. */
static void add_query(struct text *t, const char *query)
{
    for (const char *p = query; *p;) {
        size_t n = 1 + strcspn(p + 1, "&;#"), name = 1 + strcspn(p + 1, "=&;#");

        if (name < n && is_secret(p + 1, name - 1)) {
            text_addn(t, p, name);
            text_add(t, "=***");
        } else {
            text_addn(t, p, n);
        }
        p += n;
    }
}

void fetch_url_public(const char *url, char *out, size_t size)
{
    const char *host = strstr(url, "://"), *rest, *at;
    size_t path;
    struct text t;

    text_init(&t, MAX_URL);
    host = host ? host + 3 : url;
    rest = host + strcspn(host, "/?#");
    for (at = rest; at > host && at[-1] != '@'; at--)
        ;
    text_addn(&t, url, (size_t)(host - url));
    path = strcspn(rest, "?#");
    text_addn(&t, at, (size_t)(rest - at) + path);
    add_query(&t, rest + path);
    snprintf(out, size, "%s", t.cut ? "(a URL that is too long)" : t.s);
    for (char *p = out; *p; p++)
        if ((unsigned char)*p < 32 || *p == 127)
            *p = '?';
    text_release(&t);
}

char *fetch_url_name(const char *url)
{
    char shown[MAX_URL + 1], hex[HASH_HEX];

    fetch_url_public(url, shown, sizeof(shown));
    if (!strcmp(shown, url))
        return strdup(url);
    hash_bytes(url, strlen(url), hex);
    return text_format("%s#%s", shown, hex);
}

bool fetch_url_is_file(const char *url)
{
    return !strncasecmp(url, "file:", 5);
}

bool fetch_url_is_http(const char *url)
{
    return !strncasecmp(url, "http://", 7) || !strncasecmp(url, "https://", 8);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int fetch_url_path(const char *url, char *out, size_t size, struct assay_err *err)
{
    const char *p = url + 5;
    size_t n = 0;

    if (!strncmp(p, "//", 2)) {
        p += 2;
        if (!strncasecmp(p, "localhost/", 10))
            p += 9;
        if (*p != '/')
            return assay_fail(err, ASSAY_EUSAGE, "%.200s: names another machine", url);
    }
    for (; *p && n + 1 < size; p++) {
        if (*p == '%' && hex_digit(p[1]) >= 0 && hex_digit(p[2]) >= 0 && (p[1] | p[2]) != '0') {
            out[n++] = (char)(hex_digit(p[1]) * 16 + hex_digit(p[2]));
            p += 2;
        } else {
            out[n++] = *p;
        }
    }
    out[n] = 0;
    return *p || !n ? assay_fail(err, ASSAY_EUSAGE, "%.200s: no usable path", url) : ASSAY_OK;
}

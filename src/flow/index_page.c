/* The links of an index's page, one pass; see index_page.h. */
#include "flow/index_page.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "base/tree.h"
#include "flow/fetch_url.h"

#define MAX_ATTRIBUTE 64 /* of a link; more are none that a page of an index has */

/* ---- addresses ---- */

struct parts {
    const char *scheme, *authority, *path, *query; /* authority NULL: none */
    size_t scheme_n, authority_n, path_n, query_n; /* the query with its '?'; no fragment */
};

static void split(const char *url, struct parts *p)
{
    size_t n = strspn(url, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");

    memset(p, 0, sizeof(*p));
    if (n && url[n] == ':' && isalpha((unsigned char)url[0])) {
        p->scheme = url;
        p->scheme_n = n;
        url += n + 1;
    }
    if (!strncmp(url, "//", 2)) {
        p->authority = url + 2;
        p->authority_n = strcspn(p->authority, "/?#");
        url = p->authority + p->authority_n;
    }
    p->path = url;
    p->path_n = strcspn(url, "?#");
    p->query = url + p->path_n;
    p->query_n = *p->query == '?' ? strcspn(p->query, "#") : 0;
}

/* Without "." and ".." (RFC 3986, 5.2.4), in place. */
static void without_dots(char *path)
{
    char *out = path, *in = path;
    size_t n;

    while (*in) {
        n = 1 + strcspn(in + 1, "/");
        if ((n == 2 && !memcmp(in, "/.", 2)) || (n == 3 && !memcmp(in, "/..", 3))) {
            if (n == 3)
                while (out > path && *--out != '/')
                    ;
            in += n;
            if (!*in)
                *out++ = '/';
            continue;
        }
        memmove(out, in, n);
        out += n;
        in += n;
    }
    *out = 0;
}

/* Of the page and the reference: the path that is meant, from its first '/'. */
static void join_path(const struct parts *base, const struct parts *ref, char out[INDEX_MAX_URL])
{
    size_t keep = 0;

    if (!ref->path_n && !ref->authority) {
        keep = base->path_n;
    } else if (!ref->authority && *ref->path != '/') {
        for (keep = base->path_n; keep && base->path[keep - 1] != '/'; keep--)
            ;
    }
    snprintf(out, INDEX_MAX_URL, "%s%.*s%.*s",
             keep || (ref->path_n && *ref->path == '/') ? "" : "/", (int)keep, base->path,
             (int)ref->path_n, ref->path);
    without_dots(out);
}

static bool is_clean(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || *text == 127 || *text == '\\')
            return false;
    return true;
}

static bool is_scheme(const struct parts *p, const char *name)
{
    return p->scheme_n == strlen(name) && !strncasecmp(p->scheme, name, p->scheme_n);
}

int index_resolve(const char *base, const char *reference, char url[INDEX_MAX_URL],
                  struct assay_err *err)
{
    char path[INDEX_MAX_URL];
    struct parts b, r;
    const struct parts *from;
    bool own_query;
    int n;

    if (strlen(reference) >= INDEX_MAX_URL / 2 || strlen(base) >= INDEX_MAX_URL / 2)
        return assay_fail(err, ASSAY_EFAIL, "has an address that is too long");
    split(base, &b);
    split(reference, &r);
    if (!r.scheme) {
        r.scheme = b.scheme;
        r.scheme_n = b.scheme_n;
    } else if (!r.authority) {
        r.scheme_n = 0; /* "mailto:x", "https:x" */
    }
    if (!(is_scheme(&r, "https") || is_scheme(&r, "http")) || !is_clean(reference))
        return assay_fail(err, ASSAY_EFAIL, "has a link of a kind that is not followed");
    if (is_scheme(&b, "https") && !is_scheme(&r, "https"))
        return assay_fail(err, ASSAY_EFAIL, "leads from https to http");
    from = r.authority ? &r : &b;
    if (!from->authority_n)
        return assay_fail(err, ASSAY_EFAIL, "has a link without a host");
    join_path(&b, &r, path);
    own_query = r.query_n || r.path_n || r.authority;
    n = snprintf(url, INDEX_MAX_URL, "%.*s://%.*s%s%.*s", (int)r.scheme_n, r.scheme,
                 (int)from->authority_n, from->authority, path,
                 (int)(own_query ? r.query_n : b.query_n), own_query ? r.query : b.query);
    return n < INDEX_MAX_URL ? ASSAY_OK
                             : assay_fail(err, ASSAY_EFAIL, "has an address that is too long");
}

void index_name(const char *name, char out[128])
{
    size_t n = 0;

    for (; *name && n < 127; name++) {
        bool part = strchr("-_.", *name) != NULL;

        if (part && n && out[n - 1] == '-')
            continue;
        out[n++] = part ? '-' : (char)tolower((unsigned char)*name);
    }
    out[n] = 0;
}

/* ---- what is looked for ---- */

struct search {
    const char *base, *file, *sha256;
    char own_base[INDEX_MAX_URL]; /* of a <base> */
    char *url;
    bool found;
    char other[65];       /* the digest of a file of that name that is another */
    struct assay_err bad; /* why a link of that name is not followed */
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Whether the last part of an address, with %XX decoded, is this name. */
static bool ends_in(const char *url, const char *file)
{
    struct parts p;
    const char *at, *end;

    split(url, &p);
    end = p.path + p.path_n;
    for (at = end; at > p.path && at[-1] != '/'; at--)
        ;
    for (; at < end && *file; file++) {
        char c = *at++;

        if (c == '%' && end - at >= 2 && hex_digit(at[0]) >= 0 && hex_digit(at[1]) >= 0) {
            c = (char)(hex_digit(at[0]) * 16 + hex_digit(at[1]));
            at += 2;
        }
        if (c != *file)
            return false;
    }
    return at == end && !*file;
}

/* A link to a file of that name; sha256 is 64 digits, or "" where the page does not tell. */
static void consider(struct search *s, const char *url, const char *sha256)
{
    if (s->found)
        return;
    if (*sha256 && strcasecmp(sha256, s->sha256)) {
        snprintf(s->other, sizeof(s->other), "%s", sha256);
        return;
    }
    s->found = !index_resolve(s->base, url, s->url, &s->bad);
}

static bool is_sha256(const char *hex, size_t n)
{
    return n == 64 && strspn(hex, "0123456789abcdefABCDEF") >= 64;
}

/* ---- JSON ---- */

static int search_json(struct search *s, const char *page, size_t len, struct assay_err *err)
{
    json_t *tree = json_loadb(page, len, 0, NULL), *file;
    size_t i;

    if (!tree)
        return assay_fail(err, ASSAY_EFAIL, "is no JSON that can be read");
    json_array_foreach(json_object_get(tree, "files"), i, file)
    {
        const char *url = tree_text(file, "url", NULL);
        const char *hex = tree_text(json_object_get(file, "hashes"), "sha256", "");

        if (url && !strcmp(tree_text(file, "filename", ""), s->file))
            consider(s, url, is_sha256(hex, strlen(hex)) ? hex : "");
    }
    json_decref(tree);
    return ASSAY_OK;
}

/* ---- HTML ---- */

/* &amp; &lt; &gt; &quot; &apos; &#38; &#x26; of printable ASCII; anything else stays. Returns how
 * much of it was read. */
static size_t add_entity(struct text *t, const char *p, size_t n)
{
    static const struct {
        const char *name;
        char c;
    } names[] = {{"amp;", '&'}, {"lt;", '<'}, {"gt;", '>'}, {"quot;", '"'}, {"apos;", '\''}};
    unsigned long code = 0;
    size_t at = 2;
    bool hex = n > 2 && (p[2] | 32) == 'x';

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t len = strlen(names[i].name);

        if (n > len && !memcmp(p + 1, names[i].name, len)) {
            text_addn(t, &names[i].c, 1);
            return len + 1;
        }
    }
    if (n > 2 && p[1] == '#') {
        for (at += hex; at < n && hex_digit(p[at]) >= 0 && code < 0x110000; at++)
            code = code * (hex ? 16 : 10) + (unsigned long)hex_digit(p[at]);
        if (at < n && p[at] == ';' && code >= ' ' && code < 127) {
            char c = (char)code;

            text_addn(t, &c, 1);
            return at + 1;
        }
    }
    text_addn(t, p, 1);
    return 1;
}

static void set_value(struct text *t, const char *p, size_t n)
{
    size_t used;

    text_clear(t);
    while (n) {
        if (*p == '&')
            used = add_entity(t, p, n);
        else
            text_addn(t, p, used = 1);
        p += used;
        n -= used;
    }
}

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && (isspace((unsigned char)*p) || *p == '/'))
        p++;
    return p;
}

/* One attribute of a tag, from p: its name, its value in t.  Returns where the next begins; NULL:
 * the tag has ended. */
static const char *attribute(const char *p, const char *end, const char **name, size_t *name_n,
                             struct text *t)
{
    const char *value;

    p = skip_space(p, end);
    if (p == end || *p == '>')
        return NULL;
    for (*name = p; p < end && !isspace((unsigned char)*p) && !strchr("=>/", *p); p++)
        ;
    *name_n = (size_t)(p - *name);
    text_clear(t);
    p = skip_space(p, end);
    if (p == end || *p != '=')
        return p == *name ? NULL : p;
    for (p++; p < end && isspace((unsigned char)*p); p++)
        ;
    value = p;
    if (p < end && (*p == '"' || *p == '\'')) {
        value = p + 1;
        p = memchr(value, *p, (size_t)(end - value));
        if (!p)
            return NULL;
        set_value(t, value, (size_t)(p - value));
        return p + 1;
    }
    while (p < end && !isspace((unsigned char)*p) && *p != '>')
        p++;
    set_value(t, value, (size_t)(p - value));
    return p;
}

/* A link's href; #sha256=… behind it. */
static void take_href(struct search *s, const char *href)
{
    const char *fragment = strchr(href, '#');
    const char *hex = fragment ? strstr(fragment, "sha256=") : NULL;
    size_t n = hex ? strcspn(hex + 7, "&") : 0;
    char digest[65] = "";

    if (!ends_in(href, s->file))
        return;
    if (hex && is_sha256(hex + 7, n))
        snprintf(digest, sizeof(digest), "%.64s", hex + 7);
    consider(s, href, digest);
}

/* From behind the name of a tag; the page's own base replaces the address that it came from. */
static const char *take_tag(struct search *s, const char *p, const char *end, bool is_base,
                            struct text *t)
{
    const char *name, *next;
    char own[INDEX_MAX_URL];
    size_t n = 0;

    for (int i = 0; i < MAX_ATTRIBUTE && (next = attribute(p, end, &name, &n, t)); i++, p = next) {
        if (n != 4 || strncasecmp(name, "href", 4) || t->cut)
            continue;
        if (!is_base) {
            take_href(s, t->s);
        } else if (!index_resolve(s->base, t->s, own, NULL)) {
            snprintf(s->own_base, sizeof(s->own_base), "%s", own);
            s->base = s->own_base;
        }
    }
    return p;
}

static const char *after_comment(const char *p, const char *end)
{
    for (; end - p >= 3; p++)
        if (!memcmp(p, "-->", 3))
            return p + 3;
    return end;
}

static void search_html(struct search *s, const char *page, size_t len)
{
    const char *p = page, *end = page + len;
    struct text value;

    text_init(&value, INDEX_MAX_URL);
    while (!s->found && (p = memchr(p, '<', (size_t)(end - p)))) {
        p++;
        if (end - p >= 3 && !memcmp(p, "!--", 3))
            p = after_comment(p + 3, end);
        else if (end - p > 2 && (*p | 32) == 'a' && isspace((unsigned char)p[1]))
            p = take_tag(s, p + 1, end, false, &value);
        else if (end - p > 5 && !strncasecmp(p, "base", 4) && isspace((unsigned char)p[4]))
            p = take_tag(s, p + 4, end, true, &value);
    }
    text_release(&value);
}

int index_page_find(const char *page, size_t len, const char *base, const char *file,
                    const char *sha256, char url[INDEX_MAX_URL], struct assay_err *err)
{
    struct search s = {.base = base, .file = file, .sha256 = sha256, .url = url};
    const char *first = page + strspn(page, " \t\r\n");
    int rc = ASSAY_OK;

    if (*first == '{')
        rc = search_json(&s, page, len, err);
    else
        search_html(&s, page, len);
    if (rc || s.found)
        return rc;
    if (*s.bad.text)
        return assay_fail(err, ASSAY_EFAIL, "%.200s (%.150s)", s.bad.text, file);
    if (*s.other)
        return assay_fail(err, ASSAY_EFAIL, "has %.150s with SHA-256 %s instead of %.64s", file,
                          s.other, sha256);
    return assay_fail(err, ASSAY_EFAIL, "has no %.150s", file);
}

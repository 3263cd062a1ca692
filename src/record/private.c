/* Taking names out of a record: see private.h. */
#include "record/private.h"

#include <ctype.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "base/tree.h"

/* What the record is found, judged and sorted by is never touched. */
static const char *const kept[] = {"schema",  "id",       "created", "committed", "benchmark",
                                   "profile", "scenario", "mode",    "status",    NULL};

void private_names_get(struct private_names *names)
{
    struct passwd row, *who = NULL;
    char buf[16384]; /* getpwuid's own is any thread's */
    const char *home = getenv("HOME"), *user = getenv("USER");

    getpwuid_r(geteuid(), &row, buf, sizeof(buf), &who);
    memset(names, 0, sizeof(*names));
    if (!home || home[0] != '/')
        home = who ? who->pw_dir : "";
    if (who && who->pw_name)
        user = who->pw_name;
    /* "root" and "nobody" name no person, and are parts of many paths. */
    if (user && strlen(user) > 1 && strcmp(user, "root") && strcmp(user, "nobody"))
        snprintf(names->user, sizeof(names->user), "%s", user);
    if (strlen(home) > 1 && strlen(home) < sizeof(names->home))
        snprintf(names->home, sizeof(names->home), "%s", home);
    if (gethostname(names->host, sizeof(names->host) - 1) || strlen(names->host) < 3 ||
        !strcmp(names->host, "localhost"))
        names->host[0] = 0;
}

static bool in_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (c & 0x80);
}

/* Whether s[at] begins `word`, with no letter or digit on either side. */
static bool word_at(const char *s, size_t at, const char *word)
{
    size_t n = strlen(word);

    return n && !strncmp(s + at, word, n) && !(at && in_word(s[at - 1])) && !in_word(s[at + n]);
}

/* Bytes of the user's own home folder at s[at], where a path begins; 0: it is not there. */
static size_t own_home_at(const char *s, size_t at, const char *home)
{
    size_t n = strlen(home);

    if (!n || strncmp(s + at, home, n) || in_word(s[at + n]) || s[at + n] == '-')
        return 0;
    return at && (in_word(s[at - 1]) || strchr(".-~", s[at - 1])) ? 0 : n;
}

/* Bytes of anybody's name behind /home/ or /Users/ that ends before s[at]; 0: none. */
static size_t name_at(const char *s, size_t at)
{
    static const char *const tops[] = {"/home/", "/Users/"};
    size_t n, i;

    for (i = 0; i < 2; i++) {
        n = strlen(tops[i]);
        if (at >= n && !strncmp(s + at - n, tops[i], n) && strncmp(s + at, "-user-", 6))
            return strcspn(s + at, "/ '\",:;)<>");
    }
    return 0;
}

/* The word of s around `at`, up to blanks, is a path or an address. */
static bool in_path(const char *s, size_t at)
{
    size_t from = at, n;

    while (from && s[from - 1] != ' ')
        from--;
    n = strcspn(s + from, " ");
    return memchr(s + from, '/', n) || memchr(s + from, '@', n);
}

static bool host_at(const char *s, size_t at, const char *host, size_t *n)
{
    char first[256];

    *n = strlen(host);
    if (word_at(s, at, host))
        return true;
    snprintf(first, sizeof(first), "%.*s", (int)strcspn(host, "."), host);
    *n = strlen(first);
    return *n >= 3 && word_at(s, at, first);
}

char *private_text(const char *s, const struct private_names *names, struct private_count *count)
{
    bool homes = false, users = false, hosts = false;
    size_t at, n;
    struct text t;

    text_init(&t, 4 * strlen(s) + 64);
    for (at = 0; s[at]; at += n) {
        if ((n = own_home_at(s, at, names->home))) {
            text_add(&t, "~");
            homes = true;
        } else if ((n = name_at(s, at))) {
            text_add(&t, "-user-");
            users = true;
        } else if (word_at(s, at, names->user) && in_path(s, at)) {
            text_add(&t, "-user-");
            n = strlen(names->user);
            users = true;
        } else if (*names->host && host_at(s, at, names->host, &n)) {
            text_add(&t, "-host-");
            hosts = true;
        } else {
            n = 1;
            text_addn(&t, s + at, 1);
        }
    }
    count->homes += homes;
    count->users += users;
    count->hosts += hosts;
    return text_take(&t);
}

static bool is_kept(const char *name)
{
    for (const char *const *k = kept; *k; k++)
        if (!strcmp(*k, name))
            return true;
    return false;
}

static json_t *copy(const json_t *v, const struct private_names *names, struct private_count *count,
                    int depth)
{
    json_t *out = NULL, *item;
    const char *name;
    char *text;
    size_t i;

    if (json_is_object(v)) {
        out = json_object();
        json_object_foreach((json_t *)v, name, item)
        {
            json_object_set_new(out, name,
                                !depth && is_kept(name) ? json_incref(item)
                                                        : copy(item, names, count, depth + 1));
        }
    } else if (json_is_array(v)) {
        out = json_array();
        json_array_foreach(v, i, item)
            json_array_append_new(out, copy(item, names, count, depth + 1));
    } else if (json_is_string(v)) {
        text = private_text(json_string_value(v), names, count);
        out = text ? json_string(text) : NULL;
        free(text);
    } else {
        out = json_incref((json_t *)v);
    }
    return out;
}

/* A record that was made here, from logs of another harness: its names are of this machine.  After
 * an export and import its `foreign` names the export's file. */
static bool is_of_own_import(const json_t *record)
{
    const char *folder = tree_text(json_object_get(record, "logs"), "folder", NULL);

    return folder && !strcmp(tree_text(json_object_get(record, "foreign"), "file", ""), folder);
}

json_t *private_copy(const json_t *record, const struct private_names *names,
                     struct private_count *count)
{
    bool foreign = json_object_get(record, "foreign") && !is_of_own_import(record);
    json_t *out = foreign ? json_copy((json_t *)record) : copy(record, names, count, 0);

    json_object_del(out, "folder");
    json_object_del(out, "foreign");
    return out;
}

/* ---- the same but for names ---- */

/* Bytes of what stands for a name. */
static size_t mark_at(const char *s)
{
    static const char *const marks[] = {"~", "-user-", "-host-"};

    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
        if (!strncmp(s, marks[i], strlen(marks[i])))
            return strlen(marks[i]);
    return 0;
}

/* Whether `without` is s with names taken out: each mark stands for one byte or more. */
static bool is_without_names(const char *s, const char *without)
{
    const char *t = without, *behind = NULL, *from = NULL;
    size_t n;

    while (*s) {
        if ((n = mark_at(t))) {
            behind = t += n;
            from = ++s;
        } else if (*t == *s) {
            t++;
            s++;
        } else if (behind) { /* the last mark stands for one more */
            t = behind;
            s = ++from;
        } else {
            return false;
        }
    }
    return !*t;
}

static json_t *as_in(const json_t *v, const json_t *other)
{
    const char *s = json_string_value(v), *t = json_string_value(other), *name;
    json_t *out, *item;
    size_t i;

    if (s && t)
        return json_incref(
            (json_t *)(uintptr_t)(is_without_names(s, t) || is_without_names(t, s) ? other : v));
    out = json_copy((json_t *)(uintptr_t)v);
    if (json_is_object(v))
        json_object_foreach((json_t *)(uintptr_t)v, name, item)
            json_object_set_new(out, name, as_in(item, json_object_get(other, name)));
    json_array_foreach(v, i, item)
        json_array_set_new(out, i, as_in(item, json_array_get(other, i)));
    return out;
}

json_t *private_as_in(const json_t *record, const json_t *other)
{
    json_t *out = as_in(record, other);

    json_object_del(out, "folder");
    json_object_del(out, "foreign");
    return out;
}

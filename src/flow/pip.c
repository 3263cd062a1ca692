/* Reading pip's configuration: its files, its environment, its help; see pip.h. */
#include "flow/pip.h"

#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "flow/tool.h"

#define MAX_CONF  ((size_t)1 << 20)
#define MAX_VALUE 65536
#define MAX_HELP  ((size_t)1 << 20)
#define LIMIT_S   30
#define CONF      "pip/pip.conf"

static int no_memory(struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "not enough memory");
}

/* ---- pip.conf ---- */

struct conf {
    json_t *values;
    char section[32]; /* "": none that counts */
    char key[100];    /* of the setting that may go on; "" */
    size_t indent;    /* of its line */
    struct text value;
};

static void end_setting(struct conf *c)
{
    if (c->key[0]) {
        while (c->value.len && isspace((unsigned char)c->value.s[c->value.len - 1]))
            c->value.s[--c->value.len] = 0;
        /* What is no UTF-8 is no address either. */
        json_object_set_new(c->values, c->key, json_string(c->value.s));
    }
    c->key[0] = 0;
    text_clear(&c->value);
}

static void begin_section(struct conf *c, const char *name, size_t n)
{
    static const char *const counts[] = {"global", "download"};

    end_setting(c);
    c->section[0] = 0;
    for (size_t i = 0; i < 2; i++)
        if (strlen(counts[i]) == n && !memcmp(counts[i], name, n))
            snprintf(c->section, sizeof(c->section), "%s", counts[i]);
}

/* "index_url", "--Index-URL": "index-url" */
static size_t add_key(char *out, size_t size, const char *name, size_t n)
{
    size_t k = 0;

    if (n > 2 && !memcmp(name, "--", 2)) {
        name += 2;
        n -= 2;
    }
    for (size_t i = 0; i < n && k + 1 < size; i++)
        out[k++] = name[i] == '_' ? '-' : (char)tolower((unsigned char)name[i]);
    out[k] = 0;
    return k;
}

static void begin_setting(struct conf *c, const char *line, size_t n)
{
    size_t k = 0, first;

    end_setting(c);
    while (k < n && line[k] != '=' && line[k] != ':')
        k++;
    if (k == n || !c->section[0])
        return;
    for (first = k; first && isspace((unsigned char)line[first - 1]); first--)
        ;
    snprintf(c->key, sizeof(c->key), "%s.", c->section);
    if (!add_key(c->key + strlen(c->key), sizeof(c->key) - strlen(c->key), line, first)) {
        c->key[0] = 0;
        return;
    }
    for (k++; k < n && isspace((unsigned char)line[k]); k++)
        ;
    text_addn(&c->value, line + k, n - k);
}

/* One line, without its end. */
static void take_line(struct conf *c, const char *line, size_t n)
{
    size_t indent = 0;
    const char *end;

    while (indent < n && isspace((unsigned char)line[indent]))
        indent++;
    line += indent;
    n -= indent;
    while (n && isspace((unsigned char)line[n - 1]))
        n--;
    if (!n || *line == '#' || *line == ';')
        return;
    if (c->key[0] && indent > c->indent) {
        text_add(&c->value, "\n");
        text_addn(&c->value, line, n);
        return;
    }
    c->indent = indent;
    if (*line == '[' && (end = memchr(line, ']', n)))
        begin_section(c, line + 1, (size_t)(end - line - 1));
    else
        begin_setting(c, line, n);
}

void pip_conf_parse(const char *text, size_t len, json_t *values)
{
    struct conf c = {.values = values};
    const char *p = text, *end = text + len, *stop;

    text_init(&c.value, MAX_VALUE);
    for (; p < end; p = stop + (stop < end)) {
        if (!(stop = memchr(p, '\n', (size_t)(end - p))))
            stop = end;
        take_line(&c, p, (size_t)(stop - p));
    }
    end_setting(&c);
    text_release(&c.value);
}

/* ---- its places ---- */

static void read_conf_file(const char *path, json_t *values)
{
    char *text = NULL;
    size_t len = 0;

    if (file_exists(path) && !file_read(path, MAX_CONF, &text, &len, NULL))
        pip_conf_parse(text, len, values);
    free(text);
}

static void read_conf(const char *dir, const char *name, json_t *values)
{
    char *path = dir ? file_join(dir, name) : NULL;

    if (path)
        read_conf_file(path, values);
    free(path);
}

static void read_machine(json_t *values)
{
    const char *dirs = getenv("XDG_CONFIG_DIRS");
    size_t n;

    for (dirs = dirs && *dirs ? dirs : "/etc/xdg"; *dirs; dirs += n + (dirs[n] == ':')) {
        char *dir = strndup(dirs, n = strcspn(dirs, ":"));

        if (dir && *dir)
            read_conf(dir, CONF, values);
        free(dir);
    }
    read_conf("/etc", "pip.conf", values);
}

static void read_user(json_t *values)
{
    const char *home = getenv("HOME"), *config = getenv("XDG_CONFIG_HOME");
    char *usual = home ? file_join(home, ".config") : NULL;

    read_conf(home, ".pip/pip.conf", values);
    read_conf(config && *config ? config : usual, CONF, values);
    free(usual);
}

/* A later place replaces what an earlier one says. */
static void read_files(json_t *values)
{
    const char *own = getenv("PIP_CONFIG_FILE"), *env = getenv("VIRTUAL_ENV");
    const char *conda = getenv("CONDA_PREFIX");

    if (own && !strcmp(own, "/dev/null"))
        return;
    read_machine(values);
    read_user(values);
    read_conf(env && *env ? env : conda && *conda ? conda : "/usr", "pip.conf", values);
    if (own && *own)
        read_conf_file(own, values);
}

/* ---- the settings ---- */

/* The environment stands above [download], that above [global]; what is empty counts as not there.
 */
static const char *setting(const json_t *values, const char *name)
{
    char key[64], variable[64];
    const char *v;
    size_t i;

    snprintf(variable, sizeof(variable), "PIP_%s", name);
    for (i = 0; variable[i]; i++)
        variable[i] = variable[i] == '-' ? '_' : (char)toupper((unsigned char)variable[i]);
    if ((v = getenv(variable)) && *v)
        return v;
    snprintf(key, sizeof(key), "download.%s", name);
    if ((v = tree_text(values, key, NULL)) && *v)
        return v;
    snprintf(key, sizeof(key), "global.%s", name);
    v = tree_text(values, key, NULL);
    return v && *v ? v : NULL;
}

static bool is_true(const char *v)
{
    static const char *const words[] = {"1", "y", "yes", "t", "true", "on"};

    for (size_t i = 0; v && i < sizeof(words) / sizeof(words[0]); i++)
        if (!strcasecmp(v, words[i]))
            return true;
    return false;
}

static void add_one(json_t *list, const char *word, size_t n)
{
    const char *home = getenv("HOME");
    char *text = n > 1 && !memcmp(word, "~/", 2) && home
                     ? text_format("%s%.*s", home, (int)n - 1, word + 1)
                     : strndup(word, n);

    if (text)
        json_array_append_new(list, json_string(text));
    free(text);
}

static void add_words(json_t *list, const char *words)
{
    while (words && *words) {
        size_t n;

        words += strspn(words, " \t\r\n");
        n = strcspn(words, " \t\r\n");
        if (n)
            add_one(list, words, n);
        words += n;
    }
}

int pip_config_read(struct pip_config *c, struct assay_err *err)
{
    json_t *values = json_object();
    const char *cert;

    *c = (struct pip_config){.indexes = json_array(), .links = json_array()};
    if (!values || !c->indexes || !c->links) {
        json_decref(values);
        pip_config_release(c);
        return no_memory(err);
    }
    read_files(values);
    add_words(c->links, setting(values, "find-links"));
    if (!is_true(setting(values, "no-index"))) {
        c->by_default = !setting(values, "index-url");
        add_words(c->indexes, setting(values, "index-url"));
        add_words(c->indexes, setting(values, "extra-index-url"));
    }
    if ((cert = setting(values, "cert")))
        c->cert = strdup(cert);
    json_decref(values);
    return ASSAY_OK;
}

void pip_config_release(struct pip_config *c)
{
    json_decref(c->indexes);
    json_decref(c->links);
    free(c->cert);
    memset(c, 0, sizeof(*c));
}

/* ---- pip's own default ---- */

/* "(default https://…)" behind the option's name; the line may be wrapped there. */
bool pip_help_index(const char *help, char out[1024])
{
    const char *p = strstr(help, "--index-url"), *next = p ? strstr(p + 1, "\n  --") : NULL;
    size_t n;

    p = p ? strstr(p, "(default") : NULL;
    if (!p || (next && p > next))
        return false;
    p += strlen("(default");
    p += strspn(p, ": \t\r\n");
    n = strcspn(p, " \t\r\n)");
    if ((strncmp(p, "https://", 8) && strncmp(p, "http://", 7)) || n >= 1024)
        return false;
    snprintf(out, 1024, "%.*s", (int)n, p);
    return true;
}

static void keep(void *ctx, const char *text, size_t len)
{
    text_addn(ctx, text, len);
}

/* pip may belong to another Python than the first in PATH. */
static int ask_pip(char out[1024], const volatile int *stop, struct assay_err *err)
{
    static const char *const pythons[] = {"python3", "/usr/bin/python3"};
    const char *path = getenv("PATH"), *home = getenv("HOME");
    char *env[] = {text_format("PATH=%s", path ? path : "/usr/bin:/bin"),
                   text_format("HOME=%s", home ? home : "/"), (char *)"LC_ALL=C.UTF-8",
                   (char *)"COLUMNS=1000", NULL};
    struct text said;
    bool found = false;
    int rc = ASSAY_OK;

    text_init(&said, MAX_HELP);
    for (size_t i = 0; !found && rc != ASSAY_ESTOP && env[0] && env[1] && i < 2; i++) {
        char *argv[] = {(char *)pythons[i], (char *)"-m",     (char *)"pip",
                        (char *)"download", (char *)"--help", NULL};
        struct tool t = {.argv = argv,
                         .env = env,
                         .path = path ? path : "/usr/bin:/bin",
                         .dir = "/",
                         .said = keep,
                         .ctx = &said,
                         .stop = stop,
                         .limit_s = LIMIT_S};

        text_clear(&said);
        rc = tool_run(&t, NULL);
        found = !rc && pip_help_index(said.s, out);
    }
    text_release(&said);
    free(env[0]);
    free(env[1]);
    if (found)
        return ASSAY_OK;
    return rc == ASSAY_ESTOP
               ? assay_fail(err, rc, "interrupted")
               : assay_fail(err, ASSAY_EFAIL,
                            "no package index is set up, and there is no pip to ask for its own: "
                            "set PIP_INDEX_URL, or install pip (Debian: python3-pip)");
}

int pip_default_index(char out[1024], const volatile int *stop, struct assay_err *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static char known[1024];
    int rc = ASSAY_OK;

    pthread_mutex_lock(&lock);
    if (!known[0])
        rc = ask_pip(known, stop, err);
    snprintf(out, 1024, "%s", known);
    pthread_mutex_unlock(&lock);
    return rc;
}

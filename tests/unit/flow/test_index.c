/* Packages: addresses on an index's page, whoever wrote it, and how pip is set up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "flow/index.h"
#include "flow/index_page.h"
#include "flow/pip.h"

#define SHA   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OTHER "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define BASE  "https://index.example/simple/demo/"

/* RFC 3986, 5.4, as far as such references can be links to files. */
static void addresses(void **state)
{
    static const struct {
        const char *base, *reference, *url; /* NULL: refused */
    } rows[] = {{"http://a/b/c/d;p?q", "g", "http://a/b/c/g"},
                {"http://a/b/c/d;p?q", "./g", "http://a/b/c/g"},
                {"http://a/b/c/d;p?q", "g/", "http://a/b/c/g/"},
                {"http://a/b/c/d;p?q", "/g", "http://a/g"},
                {"http://a/b/c/d;p?q", "//g", "http://g/"},
                {"http://a/b/c/d;p?q", "?y", "http://a/b/c/d;p?y"},
                {"http://a/b/c/d;p?q", "g?y", "http://a/b/c/g?y"},
                {"http://a/b/c/d;p?q", "#s", "http://a/b/c/d;p?q"},
                {"http://a/b/c/d;p?q", "g#s", "http://a/b/c/g"},
                {"http://a/b/c/d;p?q", "", "http://a/b/c/d;p?q"},
                {"http://a/b/c/d;p?q", ".", "http://a/b/c/"},
                {"http://a/b/c/d;p?q", "..", "http://a/b/"},
                {"http://a/b/c/d;p?q", "../g", "http://a/b/g"},
                {"http://a/b/c/d;p?q", "../../../../g", "http://a/g"},
                {"http://a/b/c/d;p?q", "/./g/../h", "http://a/h"},
                {"http://a/b/c/d;p?q", "g..", "http://a/b/c/g.."},
                {"http://a", "g", "http://a/g"},
                {"http://a?q", "g", "http://a/g"},
                {"https://a/b/", "https://c:80/d", "https://c:80/d"},
                {"http://a/b/", "https://c/d", "https://c/d"},
                {"https://a/b/", "http://c/d", NULL},
                {"https://a/b/", "file:///etc/passwd", NULL},
                {"https://a/b/", "javascript:alert(1)", NULL},
                {"https://a/b/", "mailto:a@b", NULL},
                {"https://a/b/", "https:g", NULL},
                {"https://a/b/", "https:///g", NULL},
                {"https://a/b/", "g h", NULL},
                {"https://a/b/", "g\nh", NULL},
                {"https://a/b/", "\\\\g", NULL},
                {"file:/a/b", "g", NULL},
                {"", "g", NULL}};
    char url[INDEX_MAX_URL];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int rc = index_resolve(rows[i].base, rows[i].reference, url, NULL);

        if (!rc != !!rows[i].url || (!rc && strcmp(url, rows[i].url) != 0))
            fail_msg("'%s' on %s: %s", rows[i].reference, rows[i].base, rc ? "refused" : url);
    }
}

static void names(void **state)
{
    char name[128];

    (void)state;
    index_name("MLCommons_LoadGen", name);
    assert_string_equal(name, "mlcommons-loadgen");
    index_name("a.-_b", name);
    assert_string_equal(name, "a-b");
}

/* Each page with the address of demo-1.0.whl on it, or what is said. */
static void pages(void **state)
{
    static const struct {
        const char *page, *url, *said;
    } rows[] = {
        {"<a href=\"demo-1.0.whl\">demo-1.0.whl</a>", BASE "demo-1.0.whl", NULL},
        {"<!DOCTYPE html><html><body><a href=\"demo-0.9.whl\">x</a><br>\n"
         "<A  data-x = 'y' HREF = '../../f/demo-1.0.whl#sha256=" SHA "'\n>demo</A>",
         "https://index.example/f/demo-1.0.whl", NULL},
        {"<a href=https://files.example/demo-1.0.whl>", "https://files.example/demo-1.0.whl", NULL},
        {"<a href=\"demo%2D1.0.whl?a=1&amp;b=&#50;&#x33;\">", BASE "demo%2D1.0.whl?a=1&b=23", NULL},
        {"<base href=\"/files/\"><a href=\"demo-1.0.whl\">",
         "https://index.example/files/demo-1.0.whl", NULL},
        {"<base href=\"file:///\"><a href=\"demo-1.0.whl\">", BASE "demo-1.0.whl", NULL},
        {"<a href=\"demo-1.0.whl#sha256=" OTHER "\"><a href=\"b/demo-1.0.whl#sha256=" SHA "\">",
         BASE "b/demo-1.0.whl", NULL},
        {"<!-- <a href=\"demo-1.0.whl\"> --><a href=\"c/demo-1.0.whl\">", BASE "c/demo-1.0.whl",
         NULL},
        {"<a href=\"demo-1.0.whl#sha256=" OTHER "\">", NULL,
         "has demo-1.0.whl with SHA-256 " OTHER " instead of " SHA},
        {"<a href=\"demo-1.0.whl.asc\"><a href=\"demo-1.0.wh\"><a href=\"x?demo-1.0.whl\">", NULL,
         "has no demo-1.0.whl"},
        {"<a href=\"javascript:/demo-1.0.whl\">", NULL, "of a kind that is not followed"},
        {"<a href=\"file:///x/demo-1.0.whl\">", NULL, "of a kind that is not followed"},
        {"<a href=\"http://x/demo-1.0.whl\">", NULL, "leads from https to http"},
        {"<a href=\"demo-1.0.whl", NULL, "has no"},
        {"<a href=", NULL, "has no"},
        {"<a ", NULL, "has no"},
        {"<", NULL, "has no"},
        {"", NULL, "has no"},
        {"<!--", NULL, "has no"},
        {"<a = = / ' href=\"\">", NULL, "has no"},
        {"{\"files\": [{\"filename\": \"demo-1.0.whl\", \"url\": \"/f/demo-1.0.whl\", \"hashes\": "
         "{\"sha256\": \"" SHA "\"}}]}",
         "https://index.example/f/demo-1.0.whl", NULL},
        {"{\"files\": [{\"filename\": \"demo-1.0.whl\", \"url\": \"https://f/q\", \"hashes\": "
         "{}}]}",
         "https://f/q", NULL},
        {"{\"files\": [{\"filename\": \"demo-1.0.whl\", \"url\": 3}, 7, null]}", NULL, "has no"},
        {"{\"files\": {\"filename\": \"demo-1.0.whl\"}}", NULL, "has no"},
        {"{\"files\": [", NULL, "is no JSON that can be read"},
        {"{\"files\": [{\"filename\": \"demo-1.0.whl\", \"url\": \"f\", \"hashes\": {\"sha256\": "
         "\"" OTHER "\"}}]}",
         NULL, "instead of"}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct assay_err err = {0};
        char url[INDEX_MAX_URL] = "";
        int rc = index_page_find(rows[i].page, strlen(rows[i].page), BASE, "demo-1.0.whl", SHA, url,
                                 &err);

        if (!rc != !!rows[i].url || (!rc && strcmp(url, rows[i].url) != 0))
            fail_msg("%s: %s", rows[i].page, rc ? err.text : url);
        if (rc && !strstr(err.text, rows[i].said))
            fail_msg("%s: '%s' does not say '%s'", rows[i].page, err.text, rows[i].said);
    }
}

static void conf_files(void **state)
{
    static const char text[] = "# pip's\n"
                               "stray = 1\n"
                               "[global]\n"
                               "Index_URL = https://one/simple\n"
                               "extra-index-url =\n"
                               "    https://two/simple\n"
                               "    # a comment\n"
                               "\n"
                               "    https://three/simple  \n"
                               "timeout: 60\n"
                               "no value\n"
                               "[install]\n"
                               "index-url = https://not/simple\n"
                               "[download]\r\n"
                               "  --cert=/c.pem\r\n"
                               "[";
    json_t *values = json_object();

    (void)state;
    pip_conf_parse(text, strlen(text), values);
    assert_string_equal(tree_text(values, "global.index-url", ""), "https://one/simple");
    assert_string_equal(tree_text(values, "global.extra-index-url", ""),
                        "\nhttps://two/simple\nhttps://three/simple");
    assert_string_equal(tree_text(values, "global.timeout", ""), "60");
    assert_string_equal(tree_text(values, "download.cert", ""), "/c.pem");
    assert_int_equal(json_object_size(values), 4);
    json_decref(values);
}

static void helps(void **state)
{
    char out[1024];

    (void)state;
    assert_true(pip_help_index(
        "  -i, --index-url <url>    Base URL (default https://i/simple). This\n", out));
    assert_string_equal(out, "https://i/simple");
    assert_true(
        pip_help_index("  -i, --index-url <url>\n   Base (default:\n     http://i/s).", out));
    assert_string_equal(out, "http://i/s");
    assert_false(
        pip_help_index("  -i, --index-url <url>  Base\n  --extra <x>  (default https://j)", out));
    assert_false(pip_help_index("  --index-url (default /etc/passwd)", out));
    assert_false(pip_help_index("no such option (default https://i)", out));
}

static char dir[64];

static char *write_conf(const char *name, const char *text)
{
    char *path = file_join(dir, name), *folder = strdup(path);

    *strrchr(folder, '/') = 0;
    assert_int_equal(file_make_dirs(folder, NULL), 0);
    assert_int_equal(file_write_whole(path, text, strlen(text), NULL), 0);
    free(folder);
    return path;
}

static void joined(const json_t *list, const char *wanted)
{
    struct text t;
    json_t *v;
    size_t i;

    text_init(&t, 1000);
    json_array_foreach(list, i, v) text_addf(&t, "%s%s", i ? " " : "", json_string_value(v));
    assert_string_equal(t.s, wanted);
    text_release(&t);
}

/* The places stand above each other as pip has it: machine < user < Python < own file < variable.
 */
static void places(void **state)
{
    static const char *const variables[] = {
        "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS",  "PIP_NO_INDEX",
        "PIP_CERT",      "PIP_CONFIG_FILE",     "XDG_CONFIG_HOME", "CONDA_PREFIX"};
    struct pip_config c;
    char *own, *links;

    (void)state;
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        unsetenv(variables[i]);
    snprintf(dir, sizeof(dir), "/tmp/assay-pip-XXXXXX");
    assert_non_null(mkdtemp(dir));
    setenv("HOME", dir, 1);
    setenv("XDG_CONFIG_DIRS", dir, 1);
    setenv("VIRTUAL_ENV", dir, 1);
    free(write_conf("pip/pip.conf", "[global]\nindex-url=https://machine/\n"));
    free(write_conf(".config/pip/pip.conf", "[global]\nindex-url=https://user/\ncert=/user\n"));
    assert_int_equal(pip_config_read(&c, NULL), 0);
    joined(c.indexes, "https://user/");
    assert_false(c.by_default);
    assert_string_equal(c.cert, "/user");
    pip_config_release(&c);
    free(write_conf("pip.conf",
                    "[global]\nindex-url=https://python/\n[download]\nfind-links=/a ~/b"));
    own = write_conf("own.conf", "[global]\nindex-url=https://own/\nextra-index-url=https://more/");
    setenv("PIP_CONFIG_FILE", own, 1);
    links = text_format("/a %s/b", dir);
    assert_int_equal(pip_config_read(&c, NULL), 0);
    joined(c.indexes, "https://own/ https://more/");
    joined(c.links, links);
    pip_config_release(&c);
    setenv("PIP_INDEX_URL", "https://variable/", 1);
    setenv("PIP_EXTRA_INDEX_URL", "", 1);
    assert_int_equal(pip_config_read(&c, NULL), 0);
    joined(c.indexes, "https://variable/ https://more/");
    pip_config_release(&c);
    setenv("PIP_NO_INDEX", "yes", 1);
    assert_int_equal(pip_config_read(&c, NULL), 0);
    joined(c.indexes, "");
    assert_false(c.by_default);
    pip_config_release(&c);
    unsetenv("PIP_NO_INDEX");
    unsetenv("PIP_INDEX_URL");
    setenv("PIP_CONFIG_FILE", "/dev/null", 1);
    assert_int_equal(pip_config_read(&c, NULL), 0);
    assert_true(c.by_default);
    pip_config_release(&c);
    free(own);
    free(links);
    file_remove_tree(dir, NULL);
}

/* A folder of find-links needs no index, and its name may hold anything. */
static void folders(void **state)
{
    json_t *urls = NULL;
    char *cert = NULL, *file, *wanted, *links;
    struct assay_err err = {0};
    struct index_ask ask = {"demo", "demo-1.0.whl", SHA, true, NULL};

    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/assay-pip-XXXXXX");
    assert_non_null(mkdtemp(dir));
    setenv("PIP_CONFIG_FILE", "/dev/null", 1);
    setenv("PIP_NO_INDEX", "1", 1);
    file = write_conf("w%h/demo-1.0.whl", "x");
    links = text_format("/nowhere file://%s/w%%25h", dir);
    setenv("PIP_FIND_LINKS", links, 1);
    assert_true(index_is_local("below/demo-1.0.whl"));
    assert_false(index_is_local("demo-1.1.whl"));
    assert_int_equal(index_find(&ask, &urls, &cert, &err), 0);
    wanted = text_format("file:%s/w%%25h/demo-1.0.whl", dir);
    joined(urls, wanted);
    json_decref(urls);
    ask.file = "demo-1.1.whl";
    assert_int_equal(index_find(&ask, &urls, &cert, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "--offline"));
    ask.offline = false;
    assert_int_equal(index_find(&ask, &urls, &cert, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "it names no index"));
    free(cert);
    free(wanted);
    free(links);
    free(file);
    file_remove_tree(dir, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(addresses), cmocka_unit_test(names),
                                       cmocka_unit_test(pages),     cmocka_unit_test(conf_files),
                                       cmocka_unit_test(helps),     cmocka_unit_test(places),
                                       cmocka_unit_test(folders)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

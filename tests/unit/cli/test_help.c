/* Everything that is made from the tables: complete, well formed, and equal to the pages in docs/.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "cli/cli.h"

static char *page;
static size_t page_size;

static FILE *page_begin(void)
{
    free(page);
    page = NULL;
    return open_memstream(&page, &page_size);
}

static void assert_has(const char *text)
{
    if (!strstr(page, text))
        fail_msg("'%s' is not in: %.300s", text, page);
}

/* Rules that every table keeps, so that the parser need not check them. */
static void test_tables(void **state)
{
    (void)state;
    for (const struct cli_command *const *p = cli_commands; *p; p++) {
        const struct cli_command *c = *p;
        char letters[256] = {['h'] = 1};
        size_t n, rows;
        const struct settings_row *row = settings_rows(&rows);

        assert_true(c->name[0] && c->summary[0] && c->help[0] && c->arguments && c->run);
        for (n = 0; c->options && c->options[n].name; n++) {
            assert_true(c->options[n].help[0]);
            assert_int_equal(letters[(unsigned char)c->options[n].letter] && c->options[n].letter,
                             0);
            letters[(unsigned char)c->options[n].letter] = 1;
            for (size_t i = 0; i < rows; i++)
                if (!strcmp(row[i].name, c->options[n].name))
                    assert_false(cli_takes_setting(c, row[i].name));
        }
        assert_true(n <= CLI_MAX_OPTIONS);
        for (size_t i = 0; i < rows; i++) {
            if (row[i].letter && cli_takes_setting(c, row[i].name) &&
                letters[(unsigned char)row[i].letter])
                fail_msg("assay %s: -%c is there twice", c->name, row[i].letter);
        }
        for (const char *const *s = c->settings; s && *s; s++)
            if (!settings_find(*s))
                fail_msg("assay %s takes a setting that is not there: %s", c->name, *s);
        for (const struct cli_verb *v = c->verbs; v && v->name; v++)
            assert_true(v->run && v->help[0] && v->arguments);
    }
}

static void test_help_is_complete(void **state)
{
    char text[128];
    size_t rows;
    const struct settings_row *row = settings_rows(&rows);
    FILE *out;

    (void)state;
    for (const struct cli_command *const *p = cli_commands; *p; p++) {
        out = page_begin();
        cli_help_command(*p, out);
        fclose(out);
        snprintf(text, sizeof(text), "assay %s", (*p)->name);
        assert_has(text);
        for (const struct cli_option *o = (*p)->options; o && o->name; o++) {
            snprintf(text, sizeof(text), "--%s", o->name);
            assert_has(text);
        }
        for (size_t i = 0; i < rows; i++) {
            snprintf(text, sizeof(text), "--%s", row[i].name);
            if (cli_takes_setting(*p, row[i].name))
                assert_has(text);
        }
    }
    out = page_begin();
    cli_help_short(out);
    fclose(out);
    for (const struct cli_command *const *p = cli_commands; *p; p++)
        assert_has((*p)->name);
}

static void test_wrap(void **state)
{
    FILE *out = page_begin();

    (void)state;
    cli_wrap(out, 0, 4, "one");
    fclose(out);
    assert_string_equal(page, "    one\n");
    out = page_begin();
    cli_wrap(out, 0, 70, "aaaa bbbb cccc");
    fclose(out);
    assert_non_null(strstr(page, "aaaa bbbb\n"));
    out = page_begin();
    cli_wrap(out, 0, 0, "");
    fclose(out);
    assert_string_equal(page, "\n");
}

static void test_table_print(void **state)
{
    static const char *const heading[] = {"A", "EMPTY", "LAST", NULL};
    struct cli_table t;
    FILE *out = page_begin();

    (void)state;
    cli_table_init(&t, heading);
    cli_table_row(&t, (const char *[]){"…x", "", "1"});
    cli_table_row(&t, (const char *[]){"long", NULL, NULL});
    cli_table_print(&t, out);
    fclose(out);
    assert_string_equal(page, "A     LAST\n…x    1\nlong\n");
}

static void test_man(void **state)
{
    FILE *out = page_begin();

    (void)state;
    cli_man(out);
    fclose(out);
    assert_memory_equal(page, ".TH ASSAY 1", 11);
    assert_has("\\-\\-min\\-duration\\-ms");
    assert_has(".SH EXIT STATUS");
}

static void test_completion(void **state)
{
    static const char *const shells[] = {"bash", "zsh", "fish"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        FILE *out = page_begin();

        cli_completion(shells[i], out);
        fclose(out);
        assert_has("min-duration-ms");
        assert_has("SingleStream");
        assert_has("reindex");
        assert_has("help --words ");
        assert_has(" ENGINE");
    }
}

static void assert_equal_to_file(const char *name, const char *how)
{
    char path[512], *text = NULL;
    struct assay_err err;
    size_t len;

    snprintf(path, sizeof(path), "%s/docs/%s", ASSAY_SOURCE, name);
    if (file_read(path, 1 << 20, &text, &len, &err))
        fail_msg("%s", err.text);
    if (len != page_size || memcmp(text, page, len))
        fail_msg("docs/%s is not what the program says: run `%s > docs/%s`", name, how, name);
    free(text);
}

static void test_docs_equal(void **state)
{
    FILE *out = page_begin();

    (void)state;
    cli_markdown_commands(out);
    fclose(out);
    assert_equal_to_file("commands.md", "assay help --markdown commands");
    out = page_begin();
    cli_markdown_settings(out);
    fclose(out);
    assert_equal_to_file("settings.md", "assay help --markdown settings");
}

static void test_words(void **state)
{
    struct settings s;
    struct assay_err err;
    FILE *out = page_begin();

    (void)state;
    assert_int_equal(settings_init(&s, &err), 0);
    assert_int_equal(cli_words("SETTING", &s, out, &err), 0);
    assert_int_equal(cli_words("NET", &s, out, &err), 0);
    assert_int_equal(cli_words("COMMAND", &s, out, &err), 0);
    fclose(out);
    assert_has("min-duration-ms\n");
    assert_has("resnet50\n");
    assert_has("version\n");
    assert_int_equal(cli_words("NOTHING", &s, stdout, &err), ASSAY_EUSAGE);
    settings_release(&s);
}

static int teardown(void **state)
{
    (void)state;
    free(page);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),     cmocka_unit_test(test_help_is_complete),
        cmocka_unit_test(test_wrap),       cmocka_unit_test(test_table_print),
        cmocka_unit_test(test_man),        cmocka_unit_test(test_completion),
        cmocka_unit_test(test_docs_equal), cmocka_unit_test(test_words),
    };

    return cmocka_run_group_tests(tests, NULL, teardown);
}

/* Parsing: every way to write an option, what beats what, and every mistake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "cli/cli.h"

static struct cli_input in;
static char message[4096]; /* what went to stderr */

/* Parses the words of a line for a command, with stderr kept in `message`. */
static int parse(const char *line)
{
    static char words[1024];
    char *argv[32], *save = NULL;
    int argc = 0, kept = dup(2), rc;
    FILE *file = tmpfile();
    size_t n;

    cli_input_release(&in);
    snprintf(words, sizeof(words), "%s", line);
    for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    argv[argc] = NULL;
    fflush(stderr);
    dup2(fileno(file), 2);
    rc = cli_parse(cli_command_find(argv[0]), argc, argv, &in);
    fflush(stderr);
    dup2(kept, 2);
    close(kept);
    rewind(file);
    n = fread(message, 1, sizeof(message) - 1, file);
    message[n] = 0;
    fclose(file);
    return rc;
}

static void assert_refused(const char *line, const char *says)
{
    if (parse(line) != EXIT_USAGE || !strstr(message, says))
        fail_msg("%s: '%s' is not in: %s", line, says, message);
}

static void test_ways_to_write(void **state)
{
    (void)state;
    assert_int_equal(parse("run resnet50 --lanes 3 --json"), -1);
    assert_int_equal(in.settings.lanes, 3);
    assert_int_equal(in.settings.json, 1);
    assert_int_equal(in.count, 1);
    assert_string_equal(in.args[0], "resnet50");
    assert_int_equal(parse("run --lanes=4 resnet50 --no-json"), -1);
    assert_int_equal(in.settings.lanes, 4);
    assert_int_equal(in.settings.json, 0);
    assert_int_equal(parse("run -l5 -b 7 --scenario=server resnet50 --json=no"), -1);
    assert_int_equal(in.settings.lanes, 5);
    assert_int_equal(in.settings.batch, 7);
    assert_int_equal(in.settings.scenario, SERVER);
    assert_int_equal(in.settings.json, 0);
    assert_int_equal(parse("run --lanes 1 --lanes 2 resnet50"), -1);
    assert_int_equal(in.settings.lanes, 2);
    assert_int_equal(parse("run --tag=--odd resnet50"), -1);
    assert_string_equal(in.settings.tag, "--odd");
    assert_int_equal(parse("run -- --odd"), -1);
    assert_string_equal(in.args[0], "--odd");
    assert_int_equal(parse("samples resnet50 --index 7 --output -"), -1);
    assert_string_equal(cli_value(&in, "output"), "-");
    assert_int_equal(settings_origin_of(&in.settings, "seed"), SETTINGS_DEFAULT);
}

static void test_help_wins(void **state)
{
    (void)state;
    assert_int_equal(parse("run --lanes 2 --help"), -1);
    assert_true(in.help);
    assert_int_equal(parse("net show -h"), -1);
    assert_true(in.help);
}

static void test_mistakes(void **state)
{
    (void)state;
    assert_refused("run --lanse 2", "did you mean --lanes?");
    assert_refused("run --scenari Server", "has no option --scenari; did you mean --scenario?");
    assert_refused("run --lan 2", "--lan"); /* never taken for --lanes */
    assert_refused("run --lanes", "--lanes wants a value");
    assert_refused("run --lanes --json", "--lanes wants a value");
    assert_refused("run --lanes two", "--lanes");
    assert_refused("run --lanes 99999", "--lanes");
    assert_refused("run --scenario Sever", "Server");
    assert_refused("run --json=perhaps", "perhaps");
    assert_refused("run --no-lanes", "--no-lanes");
    assert_refused("run -q", "no option -q");
    assert_refused("run resnet50 bert", "does not take 'bert'");
    assert_refused("net --lanes 2", "takes no --lanes");
    assert_refused("net wirte resnet50", "did you mean 'write'?");
    assert_refused("net show", "wants NET");
    assert_refused("net list resnet50", "does not take 'resnet50'");
    assert_refused("samples --index 3", "wants BENCHMARK");
    assert_refused("help --completion bsh", "did you mean 'bash'?");
    assert_refused("help --markdown everything", "commands, settings");
    assert_refused("help --man=yes", "takes no value");
    assert_refused("run --option lanes", "NAME=VALUE");
    assert_refused("run --option =3", "NAME=VALUE");
}

static void test_option_adds(void **state)
{
    (void)state;
    assert_int_equal(parse("run -o a=1 --option b=2 x"), -1);
    assert_string_equal(in.settings.engine_options, "a=1,b=2");
    assert_int_equal(parse("run --engine-options a=1,b=2 -o a=3 x"), -1);
    assert_string_equal(in.settings.engine_options, "b=2,a=3");
    assert_int_equal(parse("run -o aa=1 -o a=2 x"), -1);
    assert_string_equal(in.settings.engine_options, "aa=1,a=2");
}

static void write_file(const char *path, const char *text)
{
    struct assay_err err;

    if (file_write_whole(path, text, strlen(text), &err))
        fail_msg("%s", err.text);
}

/* Default < user file < job file < command line. */
static void test_precedence(void **state)
{
    char dir[] = "/tmp/assay-cli-XXXXXX", path[64], job[64], line[160];

    (void)state;
    assert_non_null(mkdtemp(dir));
    setenv("ASSAY_CONFIG", dir, 1);
    snprintf(path, sizeof(path), "%s/config.yaml", dir);
    snprintf(job, sizeof(job), "%s/job.yaml", dir);
    write_file(path, "lanes: 2\nbatch: 2\nthreads: 2\n");
    write_file(job, "benchmark: resnet50\nbatch: 3\nthreads: 3\nengine-options: a=1,b=1\n");
    snprintf(line, sizeof(line), "run --threads 4 --job %s -o a=2", job);
    assert_int_equal(parse(line), -1);
    assert_int_equal(in.settings.lanes, 2);
    assert_int_equal(in.settings.batch, 3);
    assert_int_equal(in.settings.threads, 4);
    assert_string_equal(in.settings.benchmark, "resnet50");
    assert_string_equal(in.settings.engine_options, "b=1,a=2");
    write_file(path, "lnaes: 2\n");
    assert_refused("run resnet50", "config.yaml");
    assert_int_equal(parse("results"), -1); /* it takes no lanes */
    assert_non_null(strstr(message, "lnaes"));
    write_file(path, "stroe: x\njson: true\n");
    assert_refused("results", "stroe");
    assert_int_equal(parse("results --store y"), -1);
    assert_int_equal(in.settings.json, 1);     /* the rest holds */
    assert_int_equal(parse("run --help"), -1); /* help works whatever the files say */
    snprintf(line, sizeof(line), "run --job %s/none.yaml", dir);
    unlink(path);
    assert_int_not_equal(parse(line), -1);
    assert_non_null(strstr(message, "none.yaml"));
    file_remove_tree(dir, NULL);
    unsetenv("ASSAY_CONFIG");
    cli_input_release(&in);
}

static void test_counts(void **state)
{
    int min, max;

    (void)state;
    cli_arguments_count("", &min, &max);
    assert_int_equal(min + max, 0);
    cli_arguments_count("NET [RUN]", &min, &max);
    assert_int_equal(min, 1);
    assert_int_equal(max, 2);
}

static void test_whole_numbers(void **state)
{
    int64_t out = 9;

    (void)state;
    assert_int_equal(parse("samples x --index 12 --output f"), -1);
    assert_int_equal(cli_value_int(&in, "index", 0, 100, &out), EXIT_OK);
    assert_int_equal(out, 12);
    assert_int_equal(cli_value_int(&in, "input", 0, 100, &out), EXIT_OK); /* not given: as it was */
    assert_int_equal(out, 12);
    assert_int_equal(cli_value_int(&in, "index", 0, 11, &out), EXIT_USAGE);
    assert_int_equal(parse("samples x --index 1x --output f"), -1);
    assert_int_equal(cli_value_int(&in, "index", 0, 100, &out), EXIT_USAGE);
    cli_input_release(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ways_to_write), cmocka_unit_test(test_help_wins),
        cmocka_unit_test(test_mistakes),      cmocka_unit_test(test_option_adds),
        cmocka_unit_test(test_precedence),    cmocka_unit_test(test_counts),
        cmocka_unit_test(test_whole_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

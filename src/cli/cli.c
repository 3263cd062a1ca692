/* From the words typed to a command, and the ways out: messages, JSON, exit codes, the end of
 * stdout. */
#include "cli/recipes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"

void cli_guard_streams(void)
{
    /* Opened the wrong way round on purpose: a write to a closed stdout must fail as it did before.
     */
    static const int flags[] = {O_RDONLY, O_RDONLY, O_WRONLY};

    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", flags[fd]) != fd)
            _exit(EXIT_COULD_NOT);
}

static int
    json_errno; /* why a result could not be written; nothing may be left for fclose to fail on */
static json_t *warnings; /* what was said on stderr, for a failure that has no result */
static bool json_printed;

int cli_finish(int code)
{
    int failed = ferror(stdout);

    errno = 0;
    if (fclose(stdout) || failed) {
        int why = json_errno ? json_errno : errno;

        cli_warn("cannot write the result to standard output: %s",
                 why ? strerror(why) : "an earlier write failed");
        return EXIT_COULD_NOT;
    }
    return code;
}

bool cli_colour(FILE *f)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    return !(no && *no) && !(term && !strcmp(term, "dumb")) && isatty(fileno(f));
}

/* A message may quote a file of anybody's: a terminal must not obey it. */
void cli_disarm(char *s)
{
    for (; *s; s++)
        if (((unsigned char)*s < 0x20 && *s != '\n' && *s != '\t') || *s == 0x7f ||
            ((unsigned char)*s == 0xc2 && (s[1] & 0xe0) == 0x80 && (s[1] = '?'))) /* C1 */
            *s = '?';
}

void cli_warn(const char *fmt, ...)
{
    bool colour = cli_colour(stderr);
    char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        text = NULL;
    va_end(ap);
    if (text)
        cli_disarm(text);
    if (text && !warnings)
        warnings = json_array();
    if (text)
        json_array_append_new(warnings, tree_string(text));
    fprintf(stderr, "%sassay:%s %s\n", colour ? "\033[1;31m" : "", colour ? "\033[0m" : "",
            text ? text : "not enough memory for a message");
    free(text);
}

int cli_fail(const struct assay_err *err)
{
    cli_warn("%s", err->text);
    return err->code == ASSAY_EUSAGE  ? EXIT_USAGE
           : err->code == ASSAY_ESTOP ? EXIT_INTERRUPTED
                                      : EXIT_COULD_NOT;
}

int cli_usage(const struct cli_command *command, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    cli_warn("%s", text);
    if (command)
        fprintf(stderr, "See `assay %s --help`.\n", command->name);
    else
        fprintf(stderr, "See `assay help`.\n");
    return EXIT_USAGE;
}

char *cli_store(const struct settings *s)
{
    return file_store_at(s->store);
}

int cli_json(json_t *object, const char *thing)
{
    char schema[64], *text;
    int rc = EXIT_OK;

    if (!object) { /* jansson takes nothing else */
        cli_warn("the result cannot be written as JSON: a text in it is not UTF-8");
        return EXIT_COULD_NOT;
    }
    snprintf(schema, sizeof(schema), "assay.%s/1", thing);
    if (!json_object_get(object, "schema"))
        json_object_set_new(object, "schema", json_string(schema));
    json_printed = true;
    text = tree_dump(object, 15);
    if (text)
        json_errno = fputs(text, stdout) < 0 || fflush(stdout) ? errno : 0; /* told at the end */
    else
        rc = (cli_warn("not enough memory for the result"), EXIT_COULD_NOT);
    json_decref(object);
    free(text);
    return rc;
}

bool cli_wants_json(const struct cli_input *in)
{
    return in->has_settings && in->settings.json;
}

/* Also where the command's line could not be read to its end. */
static bool asks_json(const struct cli_input *in, int argc, char **argv)
{
    bool asked = cli_wants_json(in);

    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        asked = asked || !strcmp(argv[i], "--json");
    return asked;
}

/* Who asked for JSON gets one object in any case: without a result what was said on stderr. */
static int end_json(const struct cli_input *in, int argc, char **argv, int code)
{
    if (code && !json_printed && asks_json(in, argc, argv))
        cli_json(json_pack("{s:i, s:o}", "exit", code, "errors",
                           warnings ? json_incref(warnings) : json_array()),
                 "error");
    json_decref(warnings);
    warnings = NULL;
    return code;
}

static int unknown_command(const char *word)
{
    const char *names[32], *near;
    size_t n = 0;

    for (const struct cli_command *const *c = cli_commands; *c && n < 32; c++)
        names[n++] = (*c)->name;
    near = text_nearest(word, names, n, sizeof(names[0]));
    if (near)
        return cli_usage(NULL, "there is no command '%s'; did you mean '%s'?", word, near);
    return cli_usage(NULL, "there is no command '%s'", word);
}

/* Words before a command: only the two that every program has. */
static int without_command(const char *word)
{
    if (!strcmp(word, "--version") || !strcmp(word, "-V")) {
        printf("assay %s\n", ASSAY_VERSION);
        return EXIT_OK;
    }
    if (!strcmp(word, "--help") || !strcmp(word, "-h")) {
        cli_help_short(stdout);
        return EXIT_OK;
    }
    return cli_usage(NULL, "'%s' stands before the command; write: assay COMMAND %s", word, word);
}

int cli_main(int argc, char **argv)
{
    const struct cli_command *command;
    struct cli_input in;
    const char *word = argc > 1 ? argv[1] : NULL;
    int rc;

    if (!word) {
        cli_help_short(stderr);
        return EXIT_USAGE;
    }
    if (word[0] == '-')
        return without_command(word);
    if (!(command = cli_command_find(word)))
        return unknown_command(word);
    rc = cli_parse(command, argc - 1, argv + 1, &in);
    in.argc = argc;
    in.argv = argv;
    if (rc == -1 && in.help) {
        cli_help_command(command, stdout);
        rc = EXIT_OK;
    } else if (rc == -1) {
        cli_say(&in);
        rc = in.verb ? in.verb->run(&in) : command->run(&in);
    }
    rc = end_json(&in, argc, argv, rc);
    cli_input_release(&in);
    return rc;
}

/* Options: --name value, --name=value, --no-name and --name for yes and no, short letters (-l 2,
 * -l2, and flags together), anywhere behind the command; `--` ends them.  A name must be whole: a
 * shortened one would mean something else as soon as another option is added.
 *
 * argv is read twice: first to learn the command's own options (a job file may be named there) and
 * to find every mistake in the names; then, when the files have been read, to put the settings
 * above theirs. */
#include "cli/cli.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"

struct scan {
    struct cli_input *in;
    int argc, at; /* argv[at] is looked at */
    char **argv;
    struct settings *s; /* NULL: the first reading */
};

static const struct cli_option *own_option(const struct cli_command *c, const char *name,
                                           char letter)
{
    const struct cli_option *o = c->options;

    for (; o && o->name; o++)
        if (name ? !strcmp(o->name, name) : o->letter == letter)
            return o;
    return NULL;
}

static const struct settings_row *setting_row(const struct cli_command *c, const char *name,
                                              char letter)
{
    size_t n;
    const struct settings_row *rows = settings_rows(&n);

    for (size_t i = 0; i < n; i++)
        if ((name ? !strcmp(rows[i].name, name) : rows[i].letter == letter) &&
            cli_takes_setting(c, rows[i].name))
            return &rows[i];
    return NULL;
}

/* What the user may have meant; NULL: nothing is near. */
static const char *nearest_option(const struct cli_command *c, const char *name)
{
    const char *names[CLI_MAX_OPTIONS + 256], *near;
    size_t n = 0, rows;
    const struct settings_row *row = settings_rows(&rows);

    names[n++] = "help";
    for (const struct cli_option *o = c->options; o && o->name; o++)
        names[n++] = o->name;
    for (size_t i = 0; i < rows && n < sizeof(names) / sizeof(names[0]); i++)
        if (cli_takes_setting(c, row[i].name))
            names[n++] = row[i].name;
    near = text_nearest(name, names, n, sizeof(names[0]));
    if (near)
        return near;
    /* A word that was left off at its end is far by letters, and near for a reader. */
    for (size_t i = 0; i < n; i++) {
        if (strlen(name) >= 3 && !strncmp(names[i], name, strlen(name))) {
            if (near)
                return NULL;
            near = names[i];
        }
    }
    return near;
}

static int unknown_option(const struct cli_command *c, const char *name)
{
    const char *near = nearest_option(c, name);

    if (near)
        return cli_usage(c, "`assay %s` has no option --%s; did you mean --%s?", c->name, name,
                         near);
    if (settings_find(name))
        return cli_usage(c, "`assay %s` takes no --%s", c->name, name);
    return cli_usage(c, "`assay %s` has no option --%s", c->name, name);
}

/* "a=1,b=2" and "b=3" are "a=1,b=3": the last one counts. */
static int add_pair(struct scan *x, const struct cli_option *o, const char *value,
                    struct assay_err *err)
{
    size_t name = strcspn(value, "=");
    const struct settings_row *row = settings_find(o->adds_to);
    struct text all;
    char now[4096];
    int rc;

    if (!name || value[name] != '=')
        return assay_fail(err, ASSAY_EUSAGE, "--%s wants NAME=VALUE, not '%s'", o->name, value);
    if (!x->s)
        return ASSAY_OK;
    settings_text(x->s, row, now, sizeof(now));
    text_init(&all, sizeof(now));
    for (char *p = now, *end; *p; p = end) {
        end = p + strcspn(p, ",");
        if (strncmp(p, value, name + 1))
            text_addf(&all, "%s%.*s", all.len ? "," : "", (int)(end - p), p);
        end += *end == ',';
    }
    text_addf(&all, "%s%s", all.len ? "," : "", value);
    rc = settings_set(x->s, row->name, all.s, SETTINGS_CLI, o->name, err);
    text_release(&all);
    return rc;
}

static int bad_choice(const struct cli_option *o, const char *value, struct assay_err *err)
{
    const char *near;
    struct text list;
    size_t n = 0;

    text_init(&list, 256);
    for (; o->choices[n]; n++)
        text_addf(&list, "%s%s", n ? ", " : "", o->choices[n]);
    near = text_nearest(value, o->choices, n, sizeof(o->choices[0]));
    assay_fail(err, ASSAY_EUSAGE, "--%s cannot be '%s'; %s%s%s%s", o->name, value,
               near ? "did you mean '" : "", near ? near : "",
               near ? "'? One of: " : "one of: ", list.s);
    text_release(&list);
    return ASSAY_EUSAGE;
}

static int own_value(struct scan *x, const struct cli_option *o, const char *value,
                     struct assay_err *err)
{
    size_t n = 0;

    if (o->adds_to)
        return add_pair(x, o, value, err);
    while (o->choices && o->choices[n] && strcasecmp(o->choices[n], value))
        n++;
    if (o->choices && !o->choices[n])
        return bad_choice(o, value, err);
    value = o->choices ? o->choices[n] : value;
    x->in->values[o - x->in->command->options] = value;
    if (x->in->given_count == CLI_MAX_GIVEN)
        return assay_fail(err, ASSAY_EUSAGE, "more than %d options", CLI_MAX_GIVEN);
    x->in->given[x->in->given_count].option = o;
    x->in->given[x->in->given_count++].value = value;
    return ASSAY_OK;
}

/* The option's argument: behind '=', or the next word.  A next word that looks like an option is
 * not eaten: it is nearly always a forgotten value. */
static const char *take_argument(struct scan *x, const char *name, const char *attached,
                                 const char *argument, struct assay_err *err)
{
    const char *next = x->at + 1 < x->argc ? x->argv[x->at + 1] : NULL;

    if (attached)
        return attached;
    if (next && !(next[0] == '-' && (next[1] == '-' || isalpha((unsigned char)next[1])))) {
        x->at++;
        return next;
    }
    assay_fail(err, ASSAY_EUSAGE, "--%s wants a value: --%s=%s%s%s", name, name, argument,
               next ? "; a value may begin with '-' behind the '=', as in " : "", next ? next : "");
    return NULL;
}

/* One option that was found in the tables; exactly one of o and row is not NULL.  value: what was
 * attached. */
static int apply(struct scan *x, const struct cli_option *o, const struct settings_row *row,
                 const char *value, struct assay_err *err)
{
    const char *name = o ? o->name : row->name, *argument = o ? o->argument : row->argument;
    bool flag = o ? !o->argument : row->type == SETTINGS_BOOL;
    char where[80];

    snprintf(where, sizeof(where), "--%s", name);
    if (flag && o && value)
        return assay_fail(err, ASSAY_EUSAGE, "--%s takes no value", name);
    if (flag && !value)
        value = o ? "" : "true";
    if (!flag && !(value = take_argument(x, name, value, argument ? argument : "VALUE", err)))
        return ASSAY_EUSAGE;
    if (o)
        return own_value(x, o, value, err);
    return x->s ? settings_set(x->s, name, value, SETTINGS_CLI, where, err) : ASSAY_OK;
}

static int long_option(struct scan *x, const char *word, struct assay_err *err)
{
    const struct cli_command *c = x->in->command;
    const struct cli_option *o;
    const struct settings_row *row;
    const char *equals = strchr(word, '=');
    char name[64];

    snprintf(name, sizeof(name), "%.*s", (int)(equals ? equals - word : (ptrdiff_t)strlen(word)),
             word);
    if (!strcmp(name, "help") && !equals) {
        x->in->help = true;
        return ASSAY_OK;
    }
    if ((o = own_option(c, name, 0)))
        return apply(x, o, NULL, equals ? equals + 1 : NULL, err);
    if ((row = setting_row(c, name, 0)))
        return apply(x, NULL, row, equals ? equals + 1 : NULL, err);
    if (!strncmp(name, "no-", 3) && (row = setting_row(c, name + 3, 0)) &&
        row->type == SETTINGS_BOOL && !equals)
        return apply(x, NULL, row, "false", err);
    return unknown_option(c, name);
}

static int short_options(struct scan *x, const char *word, struct assay_err *err)
{
    const struct cli_command *c = x->in->command;
    int rc;

    for (; *word; word++) {
        const struct cli_option *o = own_option(c, NULL, *word);
        const struct settings_row *row = o ? NULL : setting_row(c, NULL, *word);
        bool flag = o ? !o->argument : row && row->type == SETTINGS_BOOL;

        if (*word == 'h') {
            x->in->help = true;
            continue;
        }
        if (!o && !row)
            return cli_usage(c, "`assay %s` has no option -%c", c->name, *word);
        rc = apply(x, o, row, flag || !word[1] ? NULL : word + 1, err);
        if (rc || !flag)
            return rc;
    }
    return ASSAY_OK;
}

static int argument(struct scan *x, const char *word)
{
    struct cli_input *in = x->in;
    const struct cli_verb *v = in->command->verbs;

    for (; !in->count && !in->verb && v && v->name; v++) {
        if (!strcmp(v->name, word)) {
            in->verb = v;
            return ASSAY_OK;
        }
    }
    if (in->count <= CLI_MAX_ARGUMENTS) /* one more than can be, to name it in the error */
        in->args[in->count++] = word;
    return ASSAY_OK;
}

/* One reading of argv.  A mistake whose message is already out returns an exit code > 0. */
static int scan(struct scan *x, struct assay_err *err)
{
    bool options = true;
    int rc = ASSAY_OK;

    x->in->count = 0;
    x->in->given_count = 0;
    x->in->verb = NULL;
    for (x->at = 1; !rc && x->at < x->argc; x->at++) {
        const char *word = x->argv[x->at];

        if (!options || word[0] != '-' || !word[1])
            rc = argument(x, word);
        else if (!strcmp(word, "--"))
            options = false;
        else if (word[1] == '-')
            rc = long_option(x, word + 2, err);
        else
            rc = short_options(x, word + 1, err);
    }
    return rc;
}

/* How many words there may be, by the command or its verb. */
static int check_arguments(const struct cli_input *in)
{
    const struct cli_command *c = in->command;
    const char *wanted = in->verb ? in->verb->arguments : c->arguments, *near;
    const char *space = in->verb ? " " : "", *verb = in->verb ? in->verb->name : "";
    size_t verbs = 0;
    int min, max;

    cli_arguments_count(wanted, &min, &max);
    if (in->count > max && !in->verb && c->verbs) {
        while (c->verbs[verbs].name)
            verbs++;
        near = text_nearest(in->args[0], c->verbs, verbs, sizeof(c->verbs[0]));
        return cli_usage(c, "`assay %s` has no '%s'%s%s%s", c->name, in->args[0],
                         near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    if (in->count > max)
        return cli_usage(c, "`assay %s%s%s` does not take '%s'", c->name, space, verb,
                         in->args[max]);
    if (in->count < min)
        return cli_usage(c, "`assay %s%s%s` wants %s", c->name, space, verb, wanted);
    return -1;
}

/* "VERB: what it does; VERB2: …": the word of such a verb in an option's help; NULL: none. */
static const char *help_of_verb(const struct cli_option *o, const struct cli_verb *v)
{
    size_t n = strlen(v->name);

    for (const char *at = o->help; at; at = strstr(at, "; ")) {
        at += at == o->help ? 0 : 2;
        if (!strncmp(at, v->name, n) && at[n] == ':')
            return at;
    }
    return NULL;
}

/* An option that names verbs in its help is of these alone.  Without a verb the command does what
 * one of them does, or something else. */
static int check_option(const struct cli_command *c, const struct cli_verb *verb,
                        const struct cli_option *o)
{
    const struct cli_verb *v = c->verbs, *of = NULL;

    for (; v && v->name; v++) {
        if (!help_of_verb(o, v))
            continue;
        if (v == verb || (!verb && v->run == c->run))
            return -1;
        of = of ? of : v;
    }
    return of ? cli_usage(c, "`assay %s%s%s` has no use for --%s, which is of `assay %s %s`",
                          c->name, verb ? " " : "", verb ? verb->name : "", o->name, c->name,
                          of->name)
              : -1;
}

static int check_options(const struct cli_input *in)
{
    int rc = -1;

    for (int i = 0; rc < 0 && i < in->given_count; i++)
        rc = check_option(in->command, in->verb, in->given[i].option);
    return rc;
}

/* ---- the user's file ---- */

/* name: of the setting that is wrong; NULL: it may be any.  Adds what is wrong. */
static void add_fault(json_t *faults, const char *name, const struct assay_err *why)
{
    json_array_append_new(
        faults, json_pack("{s:s?, s:s, s:i}", "name", name, "text", why->text, "code", why->code));
}

/* One fault hides no other setting: what the command needs is taken. */
static void read_user_file(struct settings *s, json_t *faults)
{
    char *dir = file_config_dir(), *path = dir ? file_join(dir, "config.yaml") : NULL;
    json_t *tree = NULL, *value, *one;
    struct assay_err why;
    const char *name;

    if (path && file_exists(path) &&
        (tree_read_yaml(path, &tree, &why) ||
         (!json_is_object(tree) && settings_set_tree(s, tree, SETTINGS_USER_FILE, path, &why))))
        add_fault(faults, NULL, &why);
    json_object_foreach(tree, name, value)
    {
        one = json_pack("{s:O}", name, value);
        if (settings_set_tree(s, one, SETTINGS_USER_FILE, path, &why))
            add_fault(faults, name, &why);
        json_decref(one);
    }
    json_decref(tree);
    free(path);
    free(dir);
}

/* Whether the command would go another way by what the file may say of the setting. */
static bool asks(const struct cli_input *in, const struct settings_row *row)
{
    return cli_takes_setting(in->command, row->name) &&
           settings_origin_of(&in->settings, row->name) < SETTINGS_JOB;
}

/* name: as of a fault; one that is no setting's may be a slip for the nearest. */
static bool needs(const struct cli_input *in, const char *name)
{
    static const char shown[] = " json progress tag dry-run ";
    size_t n, i;
    const struct settings_row *rows = settings_rows(&n), *row = name ? settings_find(name) : NULL;
    const char *near = name && !row ? text_nearest(name, &rows->name, n, sizeof(*rows)) : NULL;
    char word[80];

    if (!strcmp(in->command->name, "help")) /* needed most when something is wrong */
        return false;
    if (row || near)
        return asks(in, row ? row : settings_find(near));
    for (i = 0; i < n; i++) {
        snprintf(word, sizeof(word), " %s ", rows[i].name);
        if (!strstr(shown, word) && asks(in, &rows[i]))
            return true;
    }
    return false;
}

/* Refuses for what the command needs; else one line tells the first fault. */
static int check_user_file(const struct cli_input *in, const json_t *faults, struct assay_err *err)
{
    const json_t *fault;
    size_t i;

    json_array_foreach(faults, i, fault)
    {
        if (needs(in, tree_text(fault, "name", NULL)))
            return assay_fail(err, (int)tree_int(fault, "code", ASSAY_EUSAGE), "%s",
                              tree_text(fault, "text", ""));
    }
    if (i)
        cli_warn("%s", tree_text(json_array_get(faults, 0), "text", ""));
    return ASSAY_OK;
}

/* From the lowest: the user's file, the job file, the command line. */
static int read_settings(struct scan *x, struct assay_err *err)
{
    struct cli_input *in = x->in;
    const struct cli_option *job = own_option(in->command, "job", 0);
    json_t *faults = json_array();
    int rc = settings_init(&in->settings, err);

    if (!rc) {
        read_user_file(&in->settings, faults);
        if (job && cli_value(in, "job"))
            rc = settings_read_file(&in->settings, cli_value(in, "job"), SETTINGS_JOB, err);
    }
    x->s = &in->settings;
    if (!rc)
        rc = scan(x, err);
    if (!rc)
        rc = check_user_file(in, faults, err);
    json_decref(faults);
    return rc;
}

int cli_parse(const struct cli_command *command, int argc, char **argv, struct cli_input *in)
{
    struct scan x = {.in = in, .argc = argc, .argv = argv};
    struct assay_err err;
    int rc;

    memset(in, 0, sizeof(*in));
    in->command = command;
    rc = scan(&x, &err);
    if (!rc && in->help)
        return -1;
    if (!rc && command->settings) {
        in->has_settings = true;
        rc = read_settings(&x, &err);
    }
    if (rc < 0) {
        rc = cli_fail(&err);
        if (rc == EXIT_USAGE)
            fprintf(stderr, "See `assay %s --help`.\n", command->name);
        return rc;
    }
    if (!rc)
        rc = check_arguments(in);
    return rc < 0 ? check_options(in) : rc;
}

void cli_input_release(struct cli_input *in)
{
    if (in->has_settings)
        settings_release(&in->settings);
    in->has_settings = false;
}

const char *cli_value(const struct cli_input *in, const char *name)
{
    const struct cli_option *o = own_option(in->command, name, 0);

    return o ? in->values[o - in->command->options] : NULL;
}

void cli_values(const struct cli_input *in, const char *name, const char *values[CLI_MAX_GIVEN + 1])
{
    int n = 0;

    for (int i = 0; i < in->given_count; i++)
        if (!strcmp(in->given[i].option->name, name))
            values[n++] = in->given[i].value;
    values[n] = NULL;
}

int cli_value_int(const struct cli_input *in, const char *name, int64_t min, int64_t max,
                  int64_t *out)
{
    const char *text = cli_value(in, name);
    char *end;
    long long value;

    if (!text)
        return EXIT_OK;
    errno = 0;
    value = strtoll(text, &end, 10);
    if (end == text || *end || errno || value < min || value > max)
        return cli_usage(in->command, "--%s wants a whole number from %lld to %lld, not '%s'", name,
                         (long long)min, (long long)max, text);
    *out = value;
    return EXIT_OK;
}

int cli_value_real(const struct cli_input *in, const char *name, double min, double max,
                   double *out)
{
    const char *text = cli_value(in, name);
    char *end;
    double value;

    if (!text)
        return EXIT_OK;
    value = strtod(text, &end);
    if (end == text || *end || !(value >= min && value <= max))
        return cli_usage(in->command, "--%s wants a number from %g to %g, not '%s'", name, min, max,
                         text);
    *out = value;
    return EXIT_OK;
}

/* A plan of recipes as text, and what the commands around it read from the command line. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "cli/recipes.h"

int cli_ask_init(struct cli_ask *a, const struct cli_input *in, struct assay_err *err)
{
    const struct settings *s = &in->settings;

    memset(a, 0, sizeof(*a));
    for (int i = 0; i < in->count; i++)
        a->requests[i] = in->args[i];
    cli_values(in, "set", a->sets);
    cli_values(in, "have", a->haves);
    cli_values(in, "accept", a->accepts);
    a->cache = s->cache ? file_absolute(s->cache) : file_cache_dir();
    a->ask = (struct plan_ask){.requests = a->requests,
                               .sets = a->sets,
                               .haves = a->haves,
                               .accepts = a->accepts,
                               .cache = a->cache,
                               .offline = cli_value(in, "offline") != NULL};
    return a->cache ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory");
}

void cli_ask_release(struct cli_ask *a)
{
    free(a->cache);
    a->cache = NULL;
}

static bool has_work(const json_t *step)
{
    const char *state = tree_text(step, "state", "");

    return !strcmp(state, "make") || !strcmp(state, "verify") || !strcmp(state, "lacking");
}

/* Of a package: what pip's configuration says, none of it asked yet. */
static void print_places(const json_t *d, FILE *out)
{
    const json_t *places = json_object_get(d, "places"), *place;
    size_t i;

    fprintf(out, "       of the package %s, as pip is set up here\n", tree_text(d, "pypi", "?"));
    json_array_foreach(places, i, place)
    {
        const char *url = json_string_value(place);

        if (!*url)
            fprintf(out, "       %s pip's own index\n", i ? "or" : "from");
        else if (!strncmp(url, "file:", 5))
            fprintf(out, "       %s %s\n", i ? "or" : "from", url);
        else
            fprintf(out, "       %s a link on %s\n", i ? "or" : "from", url);
    }
    if (!json_array_size(places))
        fprintf(out, "       from nowhere: its configuration names no index\n");
}

static void print_download(const json_t *d, FILE *out)
{
    const char *sha = tree_text(d, "sha256", NULL), *md5 = tree_text(d, "md5", NULL);
    const char *seen = tree_text(d, "first_seen_sha256", NULL),
               *unpack = tree_text(d, "unpack", NULL), *list = tree_text(d, "list", NULL);
    const json_t *bytes = json_object_get(d, "bytes"), *about = json_object_get(d, "about_bytes");
    char size[32], files[40] = "";
    json_t *url;
    size_t i;

    text_bytes(size, json_number_value(bytes ? bytes : about));
    if (list)
        snprintf(files, sizeof(files), "%lld files, ", (long long)tree_int(d, "files", 0));
    fprintf(out, "       %s  %s%s%s%s%s\n", tree_text(d, "file", "?"), files,
            bytes   ? ""
            : about ? "about "
                    : "",
            bytes || about ? size : "of unknown size", unpack ? ", unpacked to " : "",
            unpack ? unpack : "");
    if (json_object_get(d, "pypi"))
        print_places(d, out);
    if (list)
        fprintf(out, "       each name in %s\n", list);
    json_array_foreach(json_object_get(d, "urls"), i, url)
        fprintf(out, "       %s%s\n", i ? "or " : "from ", json_string_value(url));
    if (sha)
        fprintf(out, "       SHA-256 %s\n", sha);
    if (md5)
        fprintf(out, "       MD5 %s\n", md5);
    if (!sha && seen)
        fprintf(out, "       SHA-256 %s, first seen here\n", seen);
    else if (!sha)
        fprintf(out,
                "       no SHA-256 is published: the first one seen is kept, and wanted then\n");
}

static void print_command(const json_t *command, FILE *out)
{
    char *text = json_is_array(command) ? plan_command_text(command) : NULL;

    if (text)
        fprintf(out, "       $ %s\n", text);
    else
        fprintf(out, "       writes %s\n", tree_text(command, "write", "?"));
    free(text);
}

static void print_after(const json_t *step, FILE *out)
{
    json_t *v;
    size_t i;

    json_array_foreach(json_object_get(step, "after"), i, v)
        fprintf(out, "%s%s", i ? ", " : "  after ", json_string_value(v));
    fputc('\n', out);
}

static void print_step(const json_t *step, size_t number, FILE *out)
{
    const char *state = tree_text(step, "state", ""), *what = tree_text(step, "what", "");
    json_t *v;
    size_t i;

    fprintf(out, "%3zu. %-7s %s", number, !strcmp(state, "make") ? what : state,
            tree_text(step, "id", "?"));
    print_after(step, out);
    if (strcmp(tree_text(step, "why", ""), tree_text(step, "recipe", "")) != 0)
        fprintf(out, "       for %s\n", tree_text(step, "why", "?"));
    if (!strcmp(state, "verify"))
        fprintf(out, "       %s\n", tree_text(step, "path", "?"));
    json_array_foreach(json_object_get(step, "downloads"), i, v) print_download(v, out);
    json_array_foreach(json_object_get(step, "commands"), i, v) print_command(v, out);
    v = json_object_get(step, "licence");
    if (v)
        fprintf(out, "       licence: %s%s%s\n", tree_text(v, "name", "?"),
                json_object_get(v, "url") ? ", " : "", tree_text(v, "url", ""));
}

static void print_there(const json_t *steps, FILE *out)
{
    bool first = true;
    json_t *step;
    size_t i;

    json_array_foreach(steps, i, step)
    {
        if (has_work(step))
            continue;
        if (first)
            fprintf(out, "There already\n");
        first = false;
        fprintf(out, "     %-7s %s  %s\n", tree_text(step, "state", ""), tree_text(step, "id", "?"),
                tree_text(step, "path", "?"));
    }
}

static void print_totals(const json_t *totals, FILE *out)
{
    char bytes[32], disk[32], is_free[32];
    int files = (int)tree_int(totals, "download_files", 0),
        unknown = (int)tree_int(totals, "unknown_sizes", 0);
    double takes = tree_real(totals, "disk_bytes", 0);
    bool at_least = tree_bool(totals, "disk_at_least", false);

    text_bytes(bytes, tree_real(totals, "download_bytes", 0));
    text_bytes(disk, takes);
    text_bytes(is_free, tree_real(totals, "disk_free_bytes", 0));
    fprintf(out, "In all: %d step%s; ", (int)tree_int(totals, "steps", 0),
            tree_int(totals, "steps", 0) == 1 ? "" : "s");
    if (files)
        fprintf(out, "%d download%s", files, files == 1 ? "" : "s");
    else
        fprintf(out, "no download");
    if (files > unknown)
        fprintf(out, ": %s", bytes);
    if (files > unknown && unknown)
        fprintf(out, " and %d", unknown);
    if (unknown)
        fprintf(out, " of unknown size");
    if (at_least && !takes)
        fprintf(out, "; nothing says how much disk (%s are free)\n", is_free);
    else
        fprintf(out, "; %s%s of disk (%s are free)\n", at_least ? "at least " : "", disk, is_free);
}

void cli_plan_print(const json_t *plan, const char *heading, FILE *out)
{
    const json_t *steps = json_object_get(plan, "steps"),
                 *problems = json_object_get(plan, "problems");
    size_t i, n = 0;
    json_t *v;

    json_array_foreach(steps, i, v)
    {
        if (!has_work(v))
            continue;
        if (!n)
            fprintf(out, "%s\n", heading);
        print_step(v, ++n, out);
    }
    if (!n)
        fprintf(out, "Nothing is to be done.\n");
    print_there(steps, out);
    print_totals(json_object_get(plan, "totals"), out);
    if (json_array_size(problems))
        fprintf(out, "What stands against it\n");
    json_array_foreach(problems, i, v)
    {
        fprintf(out, "  - ");
        cli_wrap(out, 4, 4, json_string_value(v));
    }
}

void cli_command_print(const char *what, const json_t *command)
{
    char *text = command ? plan_command_text(command) : NULL;

    if (text) {
        cli_disarm(text);
        printf("\n%s\n  %s\n", what, text);
    }
    free(text);
}

int cli_plan_exit(const json_t *plan)
{
    return json_array_size(json_object_get(plan, "problems")) ? EXIT_COULD_NOT : EXIT_OK;
}

/* assay cache adopt: what a user has already. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "flow/adopt.h"
#include "flow/get.h"

#define LONG_BYTES 500000000 /* reading more than this is announced */

static void say_hashing(const char *path, int64_t bytes)
{
    char size[32];

    if (bytes < LONG_BYTES)
        return;
    text_bytes(size, (double)bytes);
    fprintf(stderr, "reading %s (%s)\n", path, size);
}

/* The words by which the recipe is asked for. */
static void request_of(const json_t *row, char out[200])
{
    size_t n = (size_t)snprintf(out, 200, "%.64s", tree_text(row, "recipe", ""));
    const char *group;
    json_t *option;

    json_object_foreach(json_object_get(row, "options"), group, option) if (n < 200) n +=
        (size_t)snprintf(out + n, 200 - n, ",%s", json_string_value(option));
}

/* Without the path, which stands beside it. */
static const char *how_of(const json_t *row)
{
    const char *how = tree_text(row, "how", ""), *path = tree_text(row, "path", "");
    size_t n = strlen(path);

    if (!n || strncmp(how, path, n) != 0)
        return how;
    return !strncmp(how + n, ": ", 2)       ? how + n + 2
           : how[n] == '/' || how[n] == ' ' ? how + n + 1
                                            : how;
}

static void print_rows(const json_t *rows)
{
    static const char *const heading[] = {"STATE", "RECIPE", "PATH", "HOW", NULL};
    struct cli_table t;
    const json_t *row;
    char request[200];
    size_t i;

    cli_table_init(&t, heading);
    t.wrap = true;
    json_array_foreach(rows, i, row)
    {
        request_of(row, request);
        cli_table_row(&t, (const char *[]){tree_text(row, "state", ""), request,
                                           tree_text(row, "path", ""), how_of(row)});
    }
    if (i)
        cli_table_print(&t, stdout);
    else
        json_decref(t.rows);
}

static size_t count_of(const json_t *rows, const char *state)
{
    const json_t *row;
    size_t i, n = 0;

    json_array_foreach(rows, i, row) n += !strcmp(tree_text(row, "state", ""), state);
    return n;
}

/* What was looked at, and how much of it can be used. */
static void print_end(const json_t *report)
{
    const json_t *rows = json_object_get(report, "rows"), *row;
    size_t i, taken = count_of(rows, "adopted") + count_of(rows, "fits"),
              known = count_of(rows, "known"), unverified = count_of(rows, "unverified");

    json_array_foreach(json_object_get(report, "unread"), i, row)
        cli_warn("%s: not looked at: %s", tree_text(row, "path", ""), tree_text(row, "why", ""));
    fprintf(stderr,
            "Looked at %lld files in %lld folders:", (long long)tree_int(report, "files", 0),
            (long long)tree_int(report, "folders", 0));
    json_array_foreach(json_object_get(report, "looked"), i, row)
        fprintf(stderr, "%s %s", i ? "," : "", tree_text(row, "path", ""));
    fprintf(stderr, "\n%zu %s, %zu known before, %zu not taken.\n", taken,
            tree_bool(report, "dry", false) ? "would be adopted" : "adopted", known,
            json_array_size(rows) - taken - known);
    if (unverified)
        fprintf(stderr, "What is unverified can be taken at your word: assay get RECIPE --have "
                        "RECIPE=PATH\n");
}

int cli_cache_adopt(struct cli_input *in)
{
    const struct settings *s = &in->settings;
    char *cache = s->cache ? file_absolute(s->cache) : file_cache_dir();
    struct adopt_ask ask = {
        .dirs = in->args, .cache = cache, .dry = s->dry_run, .hashing = say_hashing};
    json_t *report = NULL;
    struct assay_err err;
    int rc;

    if (!cache)
        return EXIT_COULD_NOT;
    ask.stop = get_listen(true);
    rc = adopt(&ask, &report, &err);
    get_listen(false);
    free(cache);
    if (rc)
        return cli_fail(&err);
    if (cli_wants_json(in))
        return cli_json(report, "cache-adopt");
    print_rows(json_object_get(report, "rows"));
    print_end(report);
    json_decref(report);
    return EXIT_OK;
}

/* Looking for programs and folders; see find.h. */
#include "flow/find.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/tree.h"
#include "flow/digest.h"
#include "flow/fill.h"
#include "flow/tool.h"
#include "flow/version.h"

#define VERSION_LIMIT_S 10
#define ANY_VERSION     "([0-9]+(\\.[0-9]+)+[A-Za-z0-9.+_-]*)"

static void keep(void *ctx, const char *text, size_t len)
{
    text_addn(ctx, text, len);
}

/* The first group of the expression in the text. */
static bool match(const char *expression, const char *text, char out[64])
{
    regmatch_t at[2];
    regex_t re;
    bool good;

    if (regcomp(&re, expression, REG_EXTENDED | REG_NEWLINE))
        return false;
    good = !regexec(&re, text, 2, at, 0) && at[1].rm_so >= 0 && at[1].rm_eo - at[1].rm_so < 64;
    if (good)
        snprintf(out, 64, "%.*s", (int)(at[1].rm_eo - at[1].rm_so), text + at[1].rm_so);
    regfree(&re);
    return good;
}

/* The last line that is not empty, for a person. */
static void last_line(const char *text, char out[160])
{
    const char *end = text + strlen(text), *p;

    while (end > text && (unsigned char)end[-1] <= ' ')
        end--;
    for (p = end; p > text && p[-1] != '\n'; p--)
        ;
    snprintf(out, 160, "%.*s", (int)(end - p < 159 ? end - p : 159), p);
    for (; *out; out++)
        if ((unsigned char)*out < ' ' || *out == 127)
            *out = '?';
}

/* Asks the program itself; said: what it says last. */
static bool ask_version(const char *program, const json_t *args, const char *expression,
                        char out[64], char last[160])
{
    const char *path = getenv("PATH");
    char *env[4] = {(char *)"LC_ALL=C.UTF-8", NULL, NULL, NULL}, *argv[18] = {(char *)program};
    struct tool t = {
        .argv = argv, .env = env, .dir = "/", .said = keep, .limit_s = VERSION_LIMIT_S};
    struct text said;
    bool good;
    size_t i;
    json_t *v;

    text_init(&said, 1 << 16);
    env[1] = text_format("PATH=%s", path ? path : "/usr/bin:/bin");
    json_array_foreach(args, i, v) if (i < 16) argv[i + 1] = (char *)json_string_value(v);
    t.ctx = &said;
    /* Some tell it and end with another code than 0. */
    tool_run(&t, NULL);
    good = match(expression, said.s, out);
    last_line(said.s, last);
    free(env[1]);
    text_release(&said);
    return good;
}

/* <cache>/found/<digest of the question>: "STAMP VERSION\n" */
static char *answer_file(const char *cache, const char *program, const json_t *args,
                         const char *expression)
{
    char *list = json_dumps(args, JSON_COMPACT), hex[HASH_HEX];
    char *question = text_format("%s\n%s\n%s", program, list ? list : "", expression), *file;

    hash_bytes(question ? question : "", question ? strlen(question) : 0, hex);
    file = text_format("%s/found/%s", cache, hex);
    free(question);
    free(list);
    return file;
}

static bool known_version(const char *file, const char *stamp, char out[64])
{
    char *text = NULL, *end;
    size_t n = strlen(stamp);
    bool good = false;

    if (!file_read(file, 400, &text, NULL, NULL) && !strncmp(text, stamp, n) && text[n] == '|' &&
        (end = strchr(text + n, '\n')) && end > text + n + 1 && end - (text + n) < 64) {
        *end = 0;
        snprintf(out, 64, "%s", text + n + 1);
        good = true;
    }
    free(text);
    return good;
}

/* What could not be told is asked for again the next time: a program that lacks something may have
 * got it without being another. */
static void version_of(const char *cache, const char *program, const char *stamp, const json_t *way,
                       char out[64], char last[160])
{
    const json_t *args = json_object_get(way, "version");
    const char *expression = tree_text(way, "match", ANY_VERSION);
    char *file = answer_file(cache, program, args, expression), *dir, *line;

    out[0] = 0;
    if (file && !known_version(file, stamp, out)) {
        if (!ask_version(program, args, expression, out, last))
            out[0] = 0;
        dir = file_join(cache, "found");
        line = text_format("%s|%s\n", stamp, out);
        if (*out && dir && line && !file_make_dirs(dir, NULL))
            file_write_whole(file, line, strlen(line), NULL);
        free(dir);
        free(line);
    }
    free(file);
}

static bool suits(const char *version, const json_t *ranges, const char **range)
{
    json_t *v;
    size_t i;

    json_array_foreach(ranges, i, v)
    {
        *range = tree_text(v, "range", "");
        if (!version_in(version, *range))
            return false;
    }
    return true;
}

static bool find_program(const json_t *way, const json_t *scope, const char *cache, struct found *f,
                         char last[160])
{
    char *name = NULL;
    json_t *filled = NULL, *asked = json_copy((json_t *)(uintptr_t)way);

    if (!fill(tree_text(way, "program", ""), scope, &name, NULL))
        f->program = tool_find(name, getenv("PATH"));
    if (f->program) {
        f->folder = strdup(f->program);
        if (f->folder && strrchr(f->folder, '/'))
            *strrchr(f->folder, '/') = 0;
        digest_stamp(f->program, f->stamp);
        if (json_object_get(way, "version") &&
            !fill_list(json_object_get(way, "version"), scope, &filled, NULL)) {
            json_object_set_new(asked, "version", filled);
            version_of(cache, f->program, f->stamp, asked, f->version, last);
        }
    }
    json_decref(asked);
    free(name);
    return f->program && f->folder;
}

static bool find_folder(const json_t *way, const json_t *scope, struct found *f)
{
    char *name = NULL;
    bool good = false;
    size_t i;
    json_t *v;

    if (!fill(tree_text(way, "folder", ""), scope, &name, NULL) && *name && file_is_dir(name)) {
        f->folder = file_absolute(name);
        good = f->folder != NULL;
        json_array_foreach(json_object_get(way, "has"), i, v)
        {
            char *file = good ? file_join(f->folder, json_string_value(v)) : NULL;

            good = file && file_exists(file);
            free(file);
        }
        if (good)
            digest_stamp(f->folder, f->stamp);
    }
    free(name);
    return good;
}

bool find_thing(const json_t *body, const json_t *scope, const json_t *ranges, const char *cache,
                struct found *f, char why[300])
{
    const char *range = "";
    char last[160];
    json_t *way;
    size_t i;

    why[0] = 0;
    json_array_foreach(json_object_get(body, "find"), i, way)
    {
        bool there;

        memset(f, 0, sizeof(*f));
        last[0] = 0;
        there = json_object_get(way, "program") ? find_program(way, scope, cache, f, last)
                                                : find_folder(way, scope, f);
        if (there && !*f->version)
            snprintf(f->version, sizeof(f->version), "%s", tree_text(body, "version", ""));
        if (there && suits(f->version, ranges, &range))
            return true;
        if (there && !*f->version && *last)
            snprintf(why, 300, "%.120s does not tell its version: %s",
                     f->program ? f->program : f->folder, last);
        else if (there)
            snprintf(why, 300, "%.140s is of version %s, wanted is %.60s",
                     f->program ? f->program : f->folder, *f->version ? f->version : "unknown",
                     range);
        found_release(f);
    }
    return false;
}

void found_release(struct found *f)
{
    free(f->program);
    free(f->folder);
    memset(f, 0, sizeof(*f));
}

/* assay version: what this program is and how it was built. */
#include "cli/cli.h"

#include <string.h>

#include "load/bridge.h"
#include "load/rounds.h"

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define COMPILER "gcc " __VERSION__
#else
#define COMPILER "unknown compiler"
#endif

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZER "address"
#elif defined(__SANITIZE_THREAD__)
#define SANITIZER "thread"
#else
#define SANITIZER ""
#endif

#ifdef __OPTIMIZE__
#define OPTIMIZED 1
#else
#define OPTIMIZED 0
#endif

/* The versions of LoadGen that are installed, newest first, each with its rounds. */
static json_t *loadgens(void)
{
    json_t *list = json_array(), *item = NULL;
    const struct load_bridge *bridge;

    for (const struct load_round *r = load_rounds; r->name; r++) {
        if (!item || strcmp(json_string_value(json_object_get(item, "version")), r->loadgen)) {
            if (load_open(r, NULL, &bridge, NULL))
                continue;
            item = json_pack("{s:s, s:[]}", "version", bridge->version, "rounds");
            json_array_append_new(list, item);
        }
        json_array_append_new(json_object_get(item, "rounds"), json_string(r->name));
    }
    return list;
}

static int cmd_version(struct cli_input *in)
{
    json_t *list = loadgens(), *item;
    size_t i;

    if (cli_wants_json(in))
        return cli_json(json_pack("{s:s, s:o, s:s, s:b, s:s}", "version", ASSAY_VERSION, "loadgen",
                                  list, "compiler", COMPILER, "optimized", OPTIMIZED, "sanitizer",
                                  SANITIZER),
                        "version");
    printf("assay %s\n", ASSAY_VERSION);
    json_array_foreach(list, i, item)
    {
        char rounds[256];

        cli_join(json_object_get(item, "rounds"), rounds, sizeof(rounds));
        printf("LoadGen %s (rounds %s)\n", json_string_value(json_object_get(item, "version")),
               rounds);
    }
    printf("built with %s%s%s%s\n", COMPILER, OPTIMIZED ? ", optimized" : ", not optimized",
           *SANITIZER ? ", sanitizer " : "", SANITIZER);
    json_decref(list);
    return EXIT_OK;
}

static const char *const settings[] = {"json", NULL};

const struct cli_command cli_cmd_version = {
    .name = "version",
    .summary = "show the version and how it was built",
    .arguments = "",
    .settings = settings,
    .help = "The version of Assay, the LoadGen versions that came with it (runs get others by a "
            "recipe), and the compiler.",
    .run = cmd_version};

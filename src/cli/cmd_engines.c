/* assay engines: what can execute models here, one engine in full, and the conformance suite. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/tree.h"
#include "engine/host.h"
#include "engine/offer.h"
#include "run/supply.h"

static const struct {
    uint64_t bit;
    const char *name, *help;
} caps[] = {{ASSAY_CAP_ASYNC, "async", "completes on its own threads"},
            {ASSAY_CAP_DYNAMIC_BATCH, "dynamic-batch", "any number of samples in one batch"},
            {ASSAY_CAP_DYNAMIC_SHAPE, "dynamic-shape", "shapes may differ from batch to batch"},
            {ASSAY_CAP_RAGGED, "ragged", "shapes may differ within a batch"},
            {ASSAY_CAP_GATHER, "gather", "takes samples where they lie"},
            {ASSAY_CAP_REMOTE, "remote", "inference happens elsewhere"},
            {ASSAY_CAP_ANY_MODEL, "any-model", "needs no model file"}};

static json_t *option_json(const struct assay_option *o)
{
    static const char *const types[] = {"?", "bool", "int", "real", "choice", "text"};
    json_t *json = json_pack("{s:o, s:s, s:o, s:o}", "name", tree_string(o->name), "type",
                             o->type > 0 && o->type < 6 ? types[o->type] : types[0], "default",
                             tree_string(o->initial ? o->initial : ""), "help",
                             tree_string(o->help ? o->help : ""));

    if (o->min != 0 || o->max != 0) {
        json_object_set_new(json, "min", json_real(o->min));
        json_object_set_new(json, "max", json_real(o->max));
    }
    if (o->choices)
        json_object_set_new(json, "choices", cli_strings(o->choices));
    return json;
}

/* What the table says. */
static json_t *table_json(const struct assay_engine *e)
{
    json_t *bits = json_array(), *rows = json_array(), *tunables = json_object();

    for (const struct assay_tunable *t = engine_tunables(e); t && t->option; t++)
        json_object_set_new(tunables, t->option, tree_string(t->values));
    for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++)
        if (e->caps & caps[i].bit)
            json_array_append_new(bits, json_string(caps[i].name));
    for (const struct assay_option *o = e->options; o && o->name; o++)
        json_array_append_new(rows, option_json(o));
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", tree_string(e->name), "summary",
                     tree_string(e->summary), "capabilities", bits, "formats",
                     cli_strings(e->formats), "precisions", cli_strings(e->precisions), "options",
                     rows, "tunables", tunables);
}

/* An engine of a list: its library is asked in a child, all at once. */
struct asked {
    json_t *json;
    const char *name;
    bool asking;
    struct ask ask;
};

static void unusable(json_t *json, const struct assay_err *err)
{
    json_object_set_new(json, "usable", json_false());
    json_object_set_new(json, "note", tree_string(err->text));
    json_object_set_new(json, "devices", json_array());
}

/* Asks the library here, and says which recipe's it is. */
static void ask_library(struct asked *a, const struct settings *s)
{
    struct assay_err err;
    char *runtime = NULL, *request = NULL;

    a->asking = !supply_runtime(s->cache, a->name, s->device, &runtime, &request, NULL, &err) &&
                !engine_probe_begin(a->name, runtime, &a->ask, &err);
    if (!a->asking)
        unusable(a->json, &err);
    if (request)
        json_object_set_new(a->json, "recipe", tree_string(request));
    free(runtime);
    free(request);
}

static void hear_library(struct asked *a)
{
    struct assay_engine_probe probe;
    struct assay_err err;

    if (!a->asking)
        return;
    if (engine_probe_end(a->name, &a->ask, &probe, &err)) {
        unusable(a->json, &err);
        return;
    }
    json_object_update_new(a->json, engine_probe_json(&probe));
    json_object_set_new(a->json, "usable", json_boolean(probe.device_count > 0));
}

/* What the table says; of an engine that cannot be loaded nothing is asked, and its err says why.
 */
static void ask_engine(struct asked *a, const char *name, const struct engine_loaded *e,
                       const struct settings *s)
{
    *a = (struct asked){.name = name};
    if (e->rc) {
        a->json = json_pack("{s:s, s:b, s:b, s:o}", "name", name, "installed", 1, "usable", 0,
                            "note", tree_string(e->err.text));
        return;
    }
    a->json = table_json(e->table);
    json_object_set_new(a->json, "installed", json_true());
    json_object_set_new(a->json, "plugin", tree_string(e->path));
    ask_library(a, s);
}

static void device_words(const json_t *engine, char *out, size_t size)
{
    const json_t *device;
    json_t *names = json_array();
    size_t i;

    json_array_foreach(json_object_get(engine, "devices"), i, device)
        json_array_append(names, json_object_get(device, "device"));
    cli_join(names, out, size);
    json_decref(names);
}

static const char *word_or(const json_t *e, const char *key, const char *otherwise)
{
    const char *s = tree_text(e, key, "");

    return *s ? s : otherwise;
}

/* What is missing and how to get it: a line for each engine that cannot be used. */
static void print_notes(const json_t *engines)
{
    const json_t *e;
    bool first = true;
    size_t i;

    json_array_foreach(engines, i, e)
    {
        if (tree_bool(e, "usable", true) && !*tree_text(e, "note", ""))
            continue;
        printf("%s%s: %s\n", first ? "\n" : "", tree_text(e, "name", "?"),
               tree_text(e, "note", "has no device here"));
        first = false;
    }
}

static const char *state_word(const json_t *e)
{
    if (!tree_bool(e, "installed", false))
        return "not installed";
    if (!tree_bool(e, "usable", false))
        return "unusable";
    return json_object_get(e, "recipe") ? "by recipe" : "installed";
}

static void print_list(const json_t *engines)
{
    static const char *const heading[] = {"ENGINE",  "STATE",        "VERSION", "DEVICES",
                                          "FORMATS", "CAPABILITIES", NULL};
    struct cli_table t;
    const json_t *e;
    size_t i;

    cli_table_init(&t, heading);
    json_array_foreach(engines, i, e)
    {
        char devices[256], formats[256], bits[256];

        device_words(e, devices, sizeof(devices));
        cli_join(json_object_get(e, "formats"), formats, sizeof(formats));
        cli_join(json_object_get(e, "capabilities"), bits, sizeof(bits));
        cli_table_row(&t, (const char *[]){tree_text(e, "name", "?"), state_word(e),
                                           word_or(e, "version", "-"), devices[0] ? devices : "-",
                                           formats, bits});
    }
    cli_table_print(&t, stdout);
    print_notes(engines);
}

/* What is known of an engine that is not installed. */
static json_t *offer_json(const json_t *offer)
{
    json_t *e = json_copy((json_t *)offer);
    char how[300];

    engine_offer_how(offer, how, sizeof(how));
    json_object_set_new(e, "installed", json_false());
    json_object_set_new(e, "usable", json_false());
    json_object_set_new(e, "note", json_sprintf("%s gets it", how));
    return e;
}

/* The engines that are here, added to a list; a broken plugin does not hide the others. */
static void add_installed(const json_t *names, const struct settings *s, json_t *list)
{
    size_t n = json_array_size(names), i;
    struct asked *all = calloc(n + 1, sizeof(*all));
    struct engine_loaded *loaded = all ? engine_load_all(names) : NULL;

    for (i = 0; loaded && i < n; i++)
        ask_engine(&all[i], json_string_value(json_array_get(names, i)), &loaded[i], s);
    for (i = 0; loaded && i < n; i++) {
        hear_library(&all[i]);
        json_array_append_new(list, all[i].json);
    }
    free(loaded);
    free(all);
}

static int list_engines(struct cli_input *in)
{
    json_t *names = engine_list(), *offers = engine_offers(), *list = json_array(), *item;
    size_t i;

    add_installed(names, &in->settings, list);
    json_array_foreach(offers, i, item)
    {
        if (!list_holds(names, tree_text(item, "name", "")))
            json_array_append_new(list, offer_json(item));
    }
    json_decref(names);
    json_decref(offers);
    if (cli_wants_json(in))
        return cli_json(json_pack("{s:o}", "engines", list), "engines");
    print_list(list);
    json_decref(list);
    return EXIT_OK;
}

static void print_options(const json_t *options)
{
    static const char *const heading[] = {"  OPTION", "DEFAULT", "LIMITS", "MEANING", NULL};
    struct cli_table t;
    const json_t *o;
    size_t i;

    if (!json_array_size(options))
        return;
    printf("\nOptions, given as --option NAME=VALUE\n");
    cli_table_init(&t, heading);
    json_array_foreach(options, i, o)
    {
        char name[80], limits[256] = "";

        snprintf(name, sizeof(name), "  %s", tree_text(o, "name", "?"));
        if (json_object_get(o, "choices"))
            cli_join(json_object_get(o, "choices"), limits, sizeof(limits));
        else if (json_object_get(o, "max"))
            snprintf(limits, sizeof(limits), "%.15g … %.15g", tree_real(o, "min", 0),
                     tree_real(o, "max", 0));
        else
            snprintf(limits, sizeof(limits), "%s", tree_text(o, "type", ""));
        cli_table_row(&t, (const char *[]){name, tree_text(o, "default", ""), limits,
                                           tree_text(o, "help", "")});
    }
    cli_table_print(&t, stdout);
}

static void print_engine(const json_t *e)
{
    char text[512];
    const char *option;
    json_t *device;
    size_t i;

    printf("%s: %s\n\n", tree_text(e, "name", "?"), tree_text(e, "summary", ""));
    printf("  version       %s\n", word_or(e, "version", "unknown"));
    printf("  plugin        %s\n", tree_text(e, "plugin", "not installed"));
    if (*tree_text(e, "library", ""))
        printf("  library       %s\n", tree_text(e, "library", ""));
    if (*tree_text(e, "recipe", ""))
        printf("  got by        assay get %s\n", tree_text(e, "recipe", ""));
    cli_join(json_object_get(e, "formats"), text, sizeof(text));
    printf("  formats       %s\n", text[0] ? text : "none needed");
    cli_join(json_object_get(e, "precisions"), text, sizeof(text));
    if (text[0])
        printf("  precisions    %s\n", text);
    if (*tree_text(e, "note", ""))
        printf("  note          %s\n", tree_text(e, "note", ""));
    if (json_array_size(json_object_get(e, "devices")))
        printf("\nDevices\n");
    json_array_foreach(json_object_get(e, "devices"), i, device)
        printf("  %-12s  %s\n", tree_text(device, "device", "?"), tree_text(device, "name", ""));
    printf("\nCapabilities\n");
    json_array_foreach(json_object_get(e, "capabilities"), i,
                       device) for (size_t c = 0; c < sizeof(caps) / sizeof(caps[0]);
                                    c++) if (!strcmp(caps[c].name, json_string_value(device)))
        printf("  %-14s  %s\n", caps[c].name, caps[c].help);
    print_options(json_object_get(e, "options"));
    if (json_object_size(json_object_get(e, "tunables")))
        printf("\nWhat --tune tries\n");
    json_object_foreach(json_object_get(e, "tunables"), option, device)
        printf("  %-20s  %s\n", option, json_string_value(device));
}

/* NULL: it is installed, or nobody knows it. */
static json_t *not_installed(const char *name)
{
    json_t *names = engine_list(), *offer = list_holds(names, name) ? NULL : engine_offer(name);
    json_t *e = offer ? offer_json(offer) : NULL;

    json_decref(names);
    json_decref(offer);
    return e;
}

static int cmd_engines(struct cli_input *in)
{
    struct engine_loaded one;
    struct asked asked;
    json_t *e;

    if (!in->count)
        return list_engines(in);
    if (!(e = not_installed(in->args[0]))) {
        if ((one.rc = engine_load(in->args[0], &one.table, one.path, &one.err)))
            return cli_fail(&one.err);
        ask_engine(&asked, in->args[0], &one, &in->settings);
        hear_library(&asked);
        e = asked.json;
    }
    if (cli_wants_json(in))
        return cli_json(e, "engine");
    print_engine(e);
    json_decref(e);
    return EXIT_OK;
}

static const struct cli_verb verbs[] = {
    {"check", "ENGINE", "run the conformance suite on an engine; fails when a case fails",
     cli_check_engine},
    {"install", "ENGINE",
     "fetch an engine's library, for the CPU or with --device cuda, and build its plugin, in "
     "Assay's source tree",
     cli_engine_install},
    {NULL, NULL, NULL, NULL}};

static const struct cli_option options[] = {
    {"model", 'm', "FILE", NULL, NULL,
     "check: the model's file, not its manifest; default: a small net of Assay's own"},
    {"format", 0, "NAME", NULL, NULL,
     "check: the format of the model file; default: by the engine"},
    {"option", 'o', "NAME=VALUE", NULL, "engine-options",
     "check: one option of the engine; may be given again"},
    {"with", 0, "ENGINE", NULL, NULL,
     "check: the engine that its answers are compared with; default: every other one"},
    {"offline", 0, NULL, NULL, NULL, "install: download nothing; name what is missing"},
    {NULL, 0, NULL, NULL, NULL, NULL}};

static const char *const settings[] = {"device", "engine-options", "cache",
                                       "json",   "dry-run",        NULL};

const struct cli_command cli_cmd_engines = {
    .name = "engines",
    .summary = "list engines, show, check or install one",
    .arguments = "[ENGINE]",
    .verbs = verbs,
    .options = options,
    .settings = settings,
    .help =
        "Lists the engines that are installed, with the version and the devices that each "
        "finds here, and those that can be had, with what gets them. The library is the one that "
        "a run would take: the set-up's, else one got by a recipe (`by recipe`), else the "
        "system's; NAME@VERSION: the recipe's of that version. With a name: everything about that "
        "engine, with its options.\n"
        "\n"
        "    assay engines\n"
        "    assay engines onnxruntime\n"
        "    assay engines onnxruntime --device cuda\n"
        "    assay engines install openvino\n"
        "    assay engines install onnxruntime --device cuda --dry-run\n"
        "    assay engines check onnxruntime\n"
        "    assay engines check onnxruntime --with openvino --model model.onnx\n"
        "    assay engines check ./mine.so --model model.bin -o threads=1",
    .run = cmd_engines};

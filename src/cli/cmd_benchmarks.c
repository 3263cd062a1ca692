/* assay benchmarks: which there are, and one in full. */
#include "cli/cli.h"

#include <string.h>

#include "base/tree.h"
#include "data/bench_host.h"

/* NULL: err says why it cannot be loaded. */
static json_t *bench_json(const char *name, struct assay_err *err)
{
    const struct assay_benchmark *b;
    char path[1024];

    if (bench_load(name, &b, path, err))
        return NULL;
    return json_pack("{s:s, s:s, s:s, s:s*, s:o, s:s}", "name", b->name, "summary", b->summary,
                     "loadgen_model", b->loadgen_model, "default_model", b->default_model,
                     "scenarios", cli_strings(b->scenarios), "plugin", path);
}

/* The manifests that name this benchmark. */
static json_t *models_of(const char *benchmark)
{
    json_t *all = manifest_list(), *mine = json_array(), *m;
    size_t i;

    json_array_foreach(all, i, m) if (!strcmp(tree_text(m, "benchmark", ""), benchmark))
        json_array_append(mine, json_object_get(m, "name"));
    json_decref(all);
    return mine;
}

static int list(struct cli_input *in)
{
    static const char *const heading[] = {"BENCHMARK", "DEFAULT MODEL", "SCENARIOS", "WHAT IT IS",
                                          NULL};
    json_t *names = bench_list(), *all = json_array(), *item;
    struct assay_err err;
    struct cli_table t;
    size_t i;

    json_array_foreach(names, i, item)
    {
        json_t *b = bench_json(json_string_value(item), &err);

        if (!b) /* a broken plugin does not hide the others */
            b = json_pack("{s:O, s:s}", "name", item, "summary", err.text);
        json_array_append_new(all, b);
    }
    json_decref(names);
    if (cli_wants_json(in))
        return cli_json(json_pack("{s:o}", "benchmarks", all), "benchmarks");
    cli_table_init(&t, heading);
    json_array_foreach(all, i, item)
    {
        char scenarios[128];

        cli_join(json_object_get(item, "scenarios"), scenarios, sizeof(scenarios));
        cli_table_row(&t, (const char *[]){tree_text(item, "name", "?"),
                                           tree_text(item, "default_model", "-"), scenarios,
                                           tree_text(item, "summary", "")});
    }
    cli_table_print(&t, stdout);
    json_decref(all);
    return EXIT_OK;
}

static int cmd_benchmarks(struct cli_input *in)
{
    struct assay_err err;
    char text[512];
    json_t *b;

    if (!in->count)
        return list(in);
    if (!(b = bench_json(in->args[0], &err)))
        return cli_fail(&err);
    json_object_set_new(b, "models", models_of(tree_text(b, "name", "")));
    if (cli_wants_json(in))
        return cli_json(b, "benchmark");
    printf("%s: %s\n\n", tree_text(b, "name", ""), tree_text(b, "summary", ""));
    printf("  default model  %s\n", tree_text(b, "default_model", "none"));
    cli_join(json_object_get(b, "models"), text, sizeof(text));
    printf("  models         %s\n", text);
    cli_join(json_object_get(b, "scenarios"), text, sizeof(text));
    printf("  scenarios      %s\n", text);
    printf("  in LoadGen     %s\n", tree_text(b, "loadgen_model", ""));
    printf("  plugin         %s\n", tree_text(b, "plugin", ""));
    json_decref(b);
    return EXIT_OK;
}

static const char *const settings[] = {"json", NULL};

const struct cli_command cli_cmd_benchmarks = {.name = "benchmarks",
                                               .summary = "list benchmarks, or show one",
                                               .arguments = "[BENCHMARK]",
                                               .settings = settings,
                                               .help =
                                                   "Lists the benchmarks that are installed. With "
                                                   "a name: that benchmark's scenarios and models.",
                                               .run = cmd_benchmarks};

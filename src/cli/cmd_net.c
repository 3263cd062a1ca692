/* assay net: topologies that Assay can write itself, with synthetic weights or those of a file. */
#include "cli/cli.h"

#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "net/net.h"

static int list(struct cli_input *in)
{
    static const char *const heading[] = {"NET",  "FORMATS",    "PARAMETERS",
                                          "MACS", "WHAT IT IS", NULL};
    json_t *all = json_array(), *net;
    struct assay_err err;
    struct cli_table t;
    size_t i, n;
    const char *const *names = net_names(&n);

    for (i = 0; i < n; i++) {
        if (net_describe(names[i], &net, &err)) {
            json_decref(all);
            return cli_fail(&err);
        }
        json_object_del(net, "layers");
        json_array_append_new(all, net);
    }
    if (cli_wants_json(in))
        return cli_json(json_pack("{s:o}", "nets", all), "nets");
    cli_table_init(&t, heading);
    json_array_foreach(all, i, net)
    {
        char formats[128], parameters[32], macs[32];

        cli_join(json_object_get(net, "formats"), formats, sizeof(formats));
        snprintf(parameters, sizeof(parameters), "%.1f M",
                 (double)tree_int(net, "parameters", 0) / 1e6);
        snprintf(macs, sizeof(macs), "%.2f G", (double)tree_int(net, "macs", 0) / 1e9);
        cli_table_row(&t, (const char *[]){tree_text(net, "name", "?"), formats, parameters, macs,
                                           tree_text(net, "summary", "")});
    }
    cli_table_print(&t, stdout);
    json_decref(all);
    return EXIT_OK;
}

/* "float32 [N, 3, 224, 224]" */
static void shape_text(const json_t *dims, char *out, size_t size)
{
    const json_t *d;
    size_t i, n;

    n = (size_t)snprintf(out, size, "[");
    json_array_foreach(dims, i, d)
    {
        if (n >= size)
            return;
        if (json_is_string(d))
            n += (size_t)snprintf(out + n, size - n, "%s%s", i ? ", " : "", json_string_value(d));
        else
            n += (size_t)snprintf(out + n, size - n, "%s%lld", i ? ", " : "",
                                  (long long)json_integer_value(d));
    }
    if (n < size)
        snprintf(out + n, size - n, "]");
}

static void print_tensors(const char *label, const json_t *tensors)
{
    const json_t *tensor;
    char shape[128];
    size_t i;

    json_array_foreach(tensors, i, tensor)
    {
        shape_text(json_object_get(tensor, "dims"), shape, sizeof(shape));
        printf("  %-11s %s: %s %s\n", label, tree_text(tensor, "name", "?"),
               tree_text(tensor, "dtype", "?"), shape);
    }
}

static void print_net(const json_t *net)
{
    static const char *const heading[] = {"LAYER",      "OPERATION", "OUTPUT",
                                          "PARAMETERS", "MACS",      NULL};
    struct cli_table t;
    const json_t *layer;
    size_t i;

    printf("%s: %s\n\n", tree_text(net, "name", ""), tree_text(net, "summary", ""));
    printf("  parameters  %lld\n  MACs        %lld\n", (long long)tree_int(net, "parameters", 0),
           (long long)tree_int(net, "macs", 0));
    print_tensors("input", json_object_get(net, "inputs"));
    print_tensors("output", json_object_get(net, "outputs"));
    puts("  weights     synthetic, by --seed, or of a file: `assay net write --weights`\n");
    cli_table_init(&t, heading);
    json_array_foreach(json_object_get(net, "layers"), i, layer)
    {
        char output[64], parameters[32], macs[32];

        shape_text(json_object_get(layer, "output"), output, sizeof(output));
        snprintf(parameters, sizeof(parameters), "%lld",
                 (long long)tree_int(layer, "parameters", 0));
        snprintf(macs, sizeof(macs), "%lld", (long long)tree_int(layer, "macs", 0));
        cli_table_row(&t, (const char *[]){tree_text(layer, "name", "?"),
                                           tree_text(layer, "op", "?"), output, parameters, macs});
    }
    cli_table_print(&t, stdout);
}

static int show(struct cli_input *in)
{
    struct assay_err err;
    json_t *net;

    if (net_describe(in->args[0], &net, &err))
        return cli_fail(&err);
    if (cli_wants_json(in))
        return cli_json(net, "net");
    print_net(net);
    json_decref(net);
    return EXIT_OK;
}

/* With the weights of a file: what was written, and how a benchmark feeds it. */
static int write_bound(struct cli_input *in, const char *format, const char *precision,
                       const char *output)
{
    const char *to = cli_value(in, "manifest"), *yaml;
    struct assay_err err;
    json_t *said;
    int rc = net_write_weights(in->args[0], format, precision, cli_value(in, "weights"), to != NULL,
                               output, &said, &err);

    if (rc)
        return cli_fail(&err);
    fprintf(stderr, "%s: %s (%s) with the %sweights of %s (%s)\n", output,
            tree_text(said, "net", ""), tree_text(said, "summary", ""),
            tree_bool(said, "synthetic", false) ? "synthetic " : "", cli_value(in, "weights"),
            tree_text(json_object_get(said, "weights"), "format", ""));
    yaml = tree_text(said, "manifest", "");
    if (to)
        rc = file_write_whole(to, yaml, strlen(yaml), &err);
    if (!rc && cli_wants_json(in))
        return cli_json(said, "net-file");
    json_decref(said);
    return rc ? cli_fail(&err) : EXIT_OK;
}

static int write_net(struct cli_input *in)
{
    const char *format = cli_value(in, "format"), *output = cli_value(in, "output"), *near;
    const char *precision = in->settings.precision ? in->settings.precision : "fp32";
    bool bound = cli_value(in, "weights") != NULL;
    struct assay_err err;
    struct text known;
    size_t n, i;
    int rc;
    const char *const *formats = net_formats(&n);

    for (i = 0; format && i < n && strcmp(formats[i], format); i++)
        ;
    if (format && i == n) {
        near = text_nearest(format, formats, n, sizeof(formats[0]));
        text_init(&known, 200);
        for (i = 0; i < n; i++)
            text_addf(&known, "%s'%s'", i ? ", " : "", formats[i]);
        rc =
            near
                ? cli_usage(in->command, "--format cannot be '%s'; did you mean '%s'", format, near)
                : cli_usage(in->command, "--format cannot be '%s'; there are %s", format, known.s);
        text_release(&known);
        return rc;
    }
    format = format ? format : formats[0];
    if (!output)
        return cli_usage(in->command, "`assay net write` wants --output FILE");
    if (!net_has_form(formats[0], precision))
        return cli_usage(in->command, "nets are written in fp32, fp16 and int8, not in '%s'",
                         precision);
    if (!net_has_form(format, precision))
        return cli_usage(in->command, "nets are written in %s as %s only, not as %s", precision,
                         formats[0], format);
    if (bound && !strcmp(precision, "int8"))
        return cli_usage(in->command,
                         "weights of a file are written in fp32 or fp16: `assay quantize` makes "
                         "int8 of the model written in fp32, from samples of its own");
    if (!bound && cli_value(in, "manifest"))
        return cli_usage(in->command, "--manifest is written for --weights");
    if (bound)
        return write_bound(in, format, precision, output);
    if (net_write(in->args[0], format, precision, (uint64_t)in->settings.seed, output, &err))
        return cli_fail(&err);
    fprintf(stderr, "%s: %s with synthetic %s%sweights of seed %lld\n", output, in->args[0],
            strcmp(precision, "fp32") ? precision : "", strcmp(precision, "fp32") ? " " : "",
            (long long)in->settings.seed);
    if (cli_wants_json(in))
        return cli_json(json_pack("{s:s, s:s, s:s, s:s, s:I, s:b}", "net", in->args[0], "format",
                                  format, "precision", precision, "file", output, "seed",
                                  (json_int_t)in->settings.seed, "synthetic", 1),
                        "net-file");
    return EXIT_OK;
}

static const struct cli_verb verbs[] = {
    {"list", "", "the nets, with their size", list},
    {"show", "NET", "one net, layer by layer", show},
    {"write", "NET", "write it to --output, with those of --weights, or synthetic ones of --seed",
     write_net},
    {NULL, NULL, NULL, NULL}};

static const struct cli_option options[] = {
    {"format", 0, "NAME", NULL, NULL, "write: the file format; default: onnx"},
    {"output", 'o', "FILE", NULL, NULL, "write: the file to write; it appears whole or not at all"},
    {"weights", 0, "FILE", NULL, NULL,
     "write: official weights: a PyTorch state dict, safetensors or ONNX"},
    {"manifest", 0, "FILE", NULL, NULL,
     "write: with --weights, also write the manifest that `assay run --model` takes"},
    {NULL, 0, NULL, NULL, NULL, NULL}};

static const char *const settings[] = {"seed", "precision", "json", NULL};

const struct cli_command cli_cmd_net = {
    .name = "net",
    .summary = "list, show and write networks, with official or synthetic weights",
    .arguments = "",
    .verbs = verbs,
    .options = options,
    .settings = settings,
    .help = "Networks whose full topology Assay knows. It can write them as model files with "
            "synthetic weights: "
            "enough to measure speed where the official weights are not at hand, and never to "
            "measure accuracy. "
            "The same seed gives the same bytes everywhere.\n"
            "\n"
            "With --weights the weights of a file are bound to the topology instead: a PyTorch "
            "state dict (.pth, .pt; both formats of torch.save), safetensors or ONNX. So every "
            "engine gets a model, also where nobody published one. Nothing of the file is "
            "executed; what does not fit is refused, with names. Weights of 1000 classes make "
            "resnet50 the net resnet50-torchvision, whose pre-processing differs; the manifest "
            "says so. The written model carries the SHA-256 of the weights.\n"
            "\n"
            "    assay net write resnet50 --format onnx --output resnet50.onnx\n"
            "    assay net write resnet50 --precision int8 --output resnet50-int8.onnx\n"
            "    assay net write resnet50 --precision fp16 --output resnet50-fp16.onnx\n"
            "    assay net write resnet50 --weights resnet50.pth --format tensorflow --output "
            "resnet50.pb --manifest resnet50.yaml",
    .run = list};

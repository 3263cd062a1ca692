/* assay engines check: the conformance suite, and agreement with the other engines on a net that is
 * written for it here. */
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "engine/host.h"
#include "net/net.h"
#include "run/supply.h"

#define NET     "check"
#define SEED    1
#define SAMPLES 512 /* they fall into some 70 classes */
#define FILES   5

/* The net in every form, and samples, in a folder of their own. */
struct net_files {
    char dir[1024];
    char *paths[FILES], *samples;
    struct engine_net_file files[FILES];
};

static int write_files(struct net_files *f, struct assay_err *err)
{
    static const struct engine_net_file kinds[FILES] = {{"onnx", "fp32", "net.onnx"},
                                                        {"onnx", "fp16", "fp16.onnx"},
                                                        {"onnx", "int8", "int8.onnx"},
                                                        {"tensorflow", "fp32", "net.tensorflow"},
                                                        {"torchscript", "fp32", "net.torchscript"}};
    const char *tmp = getenv("TMPDIR");
    int rc = ASSAY_OK;

    snprintf(f->dir, sizeof(f->dir), "%.1000s/assay-check-XXXXXX", tmp && *tmp ? tmp : P_tmpdir);
    if (!mkdtemp(f->dir)) {
        f->dir[0] = 0;
        return assay_fail(err, ASSAY_EFAIL, "no folder can be made in %s: %s; set TMPDIR",
                          tmp && *tmp ? tmp : P_tmpdir, strerror(errno));
    }
    for (int i = 0; i < FILES && !rc; i++) {
        f->files[i] = kinds[i];
        f->files[i].path = f->paths[i] = file_join(f->dir, kinds[i].path);
        if (!f->paths[i])
            rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
        else
            rc = net_write(NET, kinds[i].format, kinds[i].precision, SEED, f->paths[i], err);
    }
    f->samples = file_join(f->dir, "samples");
    if (!rc && !f->samples)
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    return rc ? rc : net_write_images(NET, SEED, SAMPLES, f->samples, err);
}

static void remove_files(struct net_files *f)
{
    struct assay_err ignored;

    if (f->dir[0])
        file_remove_tree(f->dir, &ignored);
    for (int i = 0; i < FILES; i++)
        free(f->paths[i]);
    free(f->samples);
}

/* What a Ctrl-C removes before it ends us: with functions that a handler may call. */
static struct net_files *made;

static void on_signal(int number)
{
    for (int i = 0; i < FILES; i++)
        if (made->paths[i])
            unlink(made->paths[i]);
    if (made->samples)
        unlink(made->samples);
    if (made->dir[0])
        rmdir(made->dir);
    raise(number); /* SA_RESETHAND: this ends the process as it would have ended */
}

static void guard_files(struct net_files *f)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction now, action = {.sa_handler = f ? on_signal : SIG_DFL,
                                    .sa_flags = (int)SA_RESETHAND | SA_NODEFER};

    made = f ? f : made;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (!sigaction(numbers[i], NULL, &now) && now.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
}

/* What the suite is run with when the user gives no model: the net, in a format that the engine
 * reads.  NULL: there is none. */
static const struct engine_net_file *own_model(const char *engine, const struct net_files *f,
                                               struct assay_err *err)
{
    const struct assay_engine *table;
    char path[1024];

    if (engine_load(engine, &table, path, err) || (table->caps & ASSAY_CAP_ANY_MODEL))
        return NULL;
    for (const char *const *format = table->formats; format && *format; format++)
        for (int i = 0; i < FILES; i++)
            if (strcmp(f->files[i].format, *format) == 0)
                return &f->files[i];
    return NULL;
}

static int find_runtime(void *ctx, const char *engine, char **runtime, struct assay_err *err)
{
    const struct settings *s = ctx;

    return supply_runtime(s->cache, engine, "cpu", runtime, NULL, NULL, err);
}

static int check_all(struct cli_input *in, const struct net_files *f, FILE *out,
                     struct engine_conform *sum, struct assay_err *err)
{
    struct settings *s = &in->settings;
    struct engine_agree_ask ask = {.with = cli_value(in, "with"),
                                   .device = s->device,
                                   .options = s->engine_options,
                                   .files = f->files,
                                   .file_count = FILES,
                                   .samples = f->samples,
                                   .find = find_runtime,
                                   .ctx = s};
    const char *model = cli_value(in, "model"), *format = cli_value(in, "format");
    const struct engine_net_file *own = model ? NULL : own_model(in->args[0], f, err);
    char *runtime = NULL;
    int rc = supply_runtime(s->cache, in->args[0], s->device, &runtime, NULL, NULL, err);

    ask.runtime = runtime;
    if (!rc)
        rc = engine_conform(in->args[0], own ? own->path : model, own ? own->format : format,
                            s->device, s->engine_options, runtime, out, sum, err);
    if (!rc && !sum->stopped)
        rc = engine_agree(in->args[0], &ask, out, sum, err);
    free(runtime);
    return rc;
}

int cli_check_engine(struct cli_input *in)
{
    bool json = cli_wants_json(in);
    const char *model = cli_value(in, "model"), *end = model ? strrchr(model, '.') : NULL;
    struct net_files files = {0};
    struct engine_conform sum;
    struct assay_err err;
    int rc;

    if (end && (!strcmp(end, ".yaml") || !strcmp(end, ".yml")))
        return cli_usage(in->command,
                         "--model %s: is a manifest; `engines check` wants the model's own file",
                         model);
    guard_files(&files);
    rc = write_files(&files, &err);
    if (!rc)
        rc = check_all(in, &files, json ? stderr : stdout, &sum, &err);
    guard_files(NULL);
    remove_files(&files);
    if (rc)
        return cli_fail(&err);
    if (json)
        cli_json(json_pack("{s:s, s:i, s:i, s:i}", "engine", in->args[0], "passed", sum.passed,
                           "failed", sum.failed, "skipped", sum.skipped),
                 "conform");
    else
        printf("%d passed, %d failed, %d skipped\n", sum.passed, sum.failed, sum.skipped);
    return sum.failed ? EXIT_COULD_NOT : EXIT_OK;
}

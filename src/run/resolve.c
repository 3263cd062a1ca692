/* Settings, benchmark, model, engine and LoadGen brought together; see resolve.h. */
#include "run/resolve.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "data/bench_host.h"
#include "engine/host.h"
#include "load/conf.h"
#include "load/profile.h"
#include "load/rounds.h"
#include "net/net.h"
#include "run/preflight.h"

/* "dlrm:rows=1000" as a part of a file's name: "dlrm-rows1000". */
static char *net_file_name(const char *net)
{
    char *name = strdup(net), *to = name;

    for (const char *p = net; name && *p; p++)
        if (*p != '=')
            *to++ = *p == ':' || *p == ',' ? '-' : *p;
    if (name)
        *to = 0;
    return name;
}

/* What the net's file has to be in.  Engines make bf16 of fp32, and fp16 too of formats that have
 * no other form; a processor computes fp16 as fp32. */
static const char *net_precision(const struct resolved *r)
{
    if (!strcmp(r->precision, "int8"))
        return "int8";
    if (!strcmp(r->precision, "fp16") && strcmp(r->s.device, "cpu") != 0 &&
        net_has_form(r->format, "fp16"))
        return "fp16";
    return "fp32";
}

/* The file that a net is written to, or the folder of several: one for each net, size, format,
 * precision, seed and program version. */
static int net_file(struct resolved *r, struct assay_err *err)
{
    bool int8 = !strcmp(r->precision, "int8");
    const char *const *e;
    char *name;

    for (e = r->engine->formats; *e && !r->format; e++)
        if (net_has_form(*e, int8 ? "int8" : "fp32"))
            r->format = *e;
    if (!r->format && int8)
        return assay_fail(err, ASSAY_EUNSUPPORTED,
                          "the net '%s' is written in int8 as ONNX only, which the engine %s does "
                          "not read; give a model with --model",
                          r->manifest.net, r->engine->name);
    if (!r->format)
        return assay_fail(err, ASSAY_EUNSUPPORTED,
                          "the net '%s' cannot be written in any format that the engine "
                          "%s reads; give a model with --model",
                          r->manifest.net, r->engine->name);
    r->net_precision = net_precision(r);
    name = net_file_name(r->manifest.net);
    r->model_path = name ? text_format("%s/nets/%s%s%s-seed%lld-%s.%s", r->cache, name,
                                       strcmp(r->net_precision, "fp32") ? "-" : "",
                                       strcmp(r->net_precision, "fp32") ? r->net_precision : "",
                                       (long long)r->s.seed, NET_REVISION, r->format)
                         : NULL;
    free(name);
    if (!r->model_path)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    r->write_net = !file_exists(r->model_path);
    return ASSAY_OK;
}

static int resolve_manifest(struct resolved *r, struct assay_err *err)
{
    const char *name = r->s.model ? r->s.model : r->benchmark->default_model, *precision;
    int rc;

    if (!name)
        return assay_fail(err, ASSAY_EUSAGE, "%s has no default model: give one with --model",
                          r->benchmark->name);
    rc = manifest_open(name, &r->manifest, err);
    if (rc)
        return rc;
    if (strcmp(r->manifest.benchmark, r->benchmark->name))
        return assay_fail(err, ASSAY_EUSAGE, "%s: is a model for %s, not for %s", r->manifest.file,
                          r->manifest.benchmark, r->benchmark->name);
    r->loadgen_model = tree_text(r->manifest.tree, "loadgen_model", r->benchmark->loadgen_model);
    if (r->s.sizes && (rc = manifest_set_sizes(&r->manifest, r->s.sizes, err)))
        return rc;
    precision = json_string_value(json_object_get(r->manifest.tree, "precision"));
    r->precision = strdup(r->s.precision ? r->s.precision : precision ? precision : "fp32");
    return r->precision ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory");
}

static int find_model(struct resolved *r, struct assay_err *err)
{
    const char *recipe;

    if (r->engine->caps & ASSAY_CAP_ANY_MODEL)
        return ASSAY_OK;
    if (r->manifest.net)
        return net_file(r, err);
    if (manifest_wants(&r->manifest, r->engine->formats, &r->format, &recipe)) {
        size_t before = json_array_size(r->get);
        int rc = supply_model(r->cache, recipe, &r->model_path, &(struct supplied){r->get, r->lock},
                              &r->model_hold, err);

        r->model_download = tree_real(json_array_get(r->get, before), "bytes", 0);
        return rc;
    }
    return manifest_file(&r->manifest, r->engine->formats, &r->model_path, &r->format, err);
}

static int resolve_model(struct resolved *r, struct assay_err *err)
{
    int rc = find_model(r, err);

    manifest_settle(&r->manifest, r->format);
    if (!rc && r->model_path && !r->manifest.synthetic)
        r->manifest.synthetic = net_says_synthetic(r->model_path);
    return rc;
}

/* The name of a recipe in the place of a folder. */
static int resolve_dataset(struct resolved *r, struct assay_err *err)
{
    size_t before = json_array_size(r->get);
    char *path = NULL;
    int rc;

    if (!r->s.dataset || file_is_dir(r->s.dataset))
        return ASSAY_OK;
    rc = supply_dataset(r->cache, r->s.dataset, &path, &(struct supplied){r->get, r->lock},
                        &r->dataset_hold, err);
    r->dataset_images = tree_int(json_array_get(r->get, before), "images", 0);
    if (!rc) {
        free(r->s.dataset);
        r->s.dataset = path;
    }
    return rc;
}

static int check_scenario(struct resolved *r, struct assay_err *err)
{
    const char *name = settings_scenario_names[r->s.scenario];
    const char *const *p;

    for (p = r->benchmark->scenarios; *p; p++)
        if (!strcmp(*p, name))
            return ASSAY_OK;
    return assay_fail(err, ASSAY_EUSAGE, "%s is not run in the %s scenario", r->benchmark->name,
                      name);
}

static int check_options(struct resolved *r, struct assay_err *err)
{
    struct assay_value *values = NULL;
    char *storage = NULL;
    uint32_t count;
    int rc = engine_parse_options(r->engine, r->s.engine_options, &values, &count, &storage, err);

    free(values);
    free(storage);
    return rc;
}

/* LoadGen uses such threads in the first run of a process only, and a search needs many runs. */
static int check_issue_threads(const struct settings *s, struct assay_err *err)
{
    bool search = s->mode == MODE_FIND_PEAK || (s->mode != MODE_ACCURACY && !(s->target_qps > 0));

    if (s->scenario != SERVER || !s->server_issue_threads || !search)
        return ASSAY_OK;
    return assay_fail(err, ASSAY_EUSAGE,
                      "--server-issue-threads: cannot be had while the load is searched for; %s",
                      s->mode == MODE_FIND_PEAK ? "leave it out" : "give --target-qps too");
}

/* The set-up's, else by its recipe; or at once by that. */
static int find_load(struct resolved *r, struct assay_err *err)
{
    const char *name = profile_round(&r->s);

    if (!(r->round = load_round_find(name)))
        return assay_fail(err, ASSAY_EUSAGE, "--round: '%s' is not known (allowed: %s)", name,
                          load_round_allowed(name));
    if (supply_load_may(&r->s))
        return supply_load(r->cache, r->round, &r->load_file, &(struct supplied){r->get, r->lock},
                           &r->load_hold, err);
    r->load_file = load_path(r->round->loadgen);
    return r->load_file ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory");
}

/* Of a LoadGen that is to be got first the round's values are not known: they are in it. */
static int resolve_load(struct resolved *r, struct assay_err *err)
{
    size_t before = json_array_size(r->get);
    int known = 0, rc = find_load(r, err);

    if (!rc && (file_exists(r->load_file) || json_array_size(r->get) == before))
        rc = load_open(r->round, r->load_file, &r->load, err);
    if (!rc && r->load)
        rc = r->load->official(r->loadgen_model, (int)r->s.scenario, &r->official, &known, err);
    if (!rc && r->s.user_conf)
        rc = conf_read(r->s.user_conf, r->loadgen_model, (int)r->s.scenario, &r->s, err);
    if (!rc && r->s.audit_config && !file_exists(r->s.audit_config))
        rc = assay_fail(err, ASSAY_EUSAGE, "--audit-config: %s is not there", r->s.audit_config);
    if (!rc)
        rc = r->load ? profile_apply(&r->s, &r->official, err) : profile_check(&r->s, err);
    return rc ? rc : check_issue_threads(&r->s, err);
}

static int resolve_benchmark(struct resolved *r, struct assay_err *err)
{
    int rc = r->s.benchmark ? bench_load(r->s.benchmark, &r->benchmark, r->benchmark_file, err)
                            : assay_fail(err, ASSAY_EUSAGE,
                                         "which benchmark? for example: assay run resnet50");

    if (!rc)
        r->loadgen_model = r->benchmark->loadgen_model;
    return rc;
}

static int check_peak(struct resolved *r, struct assay_err *err)
{
    return r->s.mode == MODE_FIND_PEAK && r->s.scenario != SERVER
               ? assay_fail(err, ASSAY_EUSAGE,
                            "--mode find-peak is for --scenario Server; the other scenarios find "
                            "their load by themselves")
               : ASSAY_OK;
}

static int resolve_engine(struct resolved *r, struct assay_err *err)
{
    return engine_load(r->s.engine, &r->engine, r->engine_file, err);
}

static int resolve_library(struct resolved *r, struct assay_err *err)
{
    return supply_engine(r->cache, r->engine, r->s.engine, r->s.device, &r->runtime,
                         &(struct supplied){r->get, r->lock}, &r->engine_hold, err);
}

uint32_t resolve_most_batch(const struct resolved *r)
{
    if (r->engine->caps & ASSAY_CAP_ANY_MODEL)
        return 1024;
    return strcmp(r->s.device, "cpu") ? 256 : 32;
}

bool resolve_waits(const struct resolved *r)
{
    return r->runtime && !file_exists(r->runtime);
}

/* In this order; what a step gives is there when it went well. */
enum { BENCHMARK = 1, ENGINE = 2, MANIFEST = 4 };
static const struct {
    int (*go)(struct resolved *r, struct assay_err *err);
    int needs, gives;
    const char *of; /* the setting that is to blame */
} parts[] = {
    {resolve_benchmark, 0, BENCHMARK, "benchmark"},
    {check_scenario, BENCHMARK, 0, "scenario"},
    {resolve_dataset, 0, 0, "dataset"},
    {check_peak, 0, 0, "mode"},
    {resolve_engine, 0, ENGINE, "engine"},
    {check_options, ENGINE, 0, "engine-options"},
    {resolve_library, ENGINE, 0, "engine"},
    {resolve_manifest, BENCHMARK, MANIFEST, "model"},
    {resolve_model, MANIFEST | ENGINE, 0, "model"},
    {resolve_load, BENCHMARK, 0, "round"},
};

/* What was typed the user sees; what a file says has to be told. */
static void name_source(const struct resolved *r, const char *setting, struct assay_err *e)
{
    int origin = settings_origin_of(&r->s, setting);
    char *dir = file_config_dir(), *text = strdup(e->text);

    if (text && dir && origin == SETTINGS_USER_FILE)
        assay_fail(e, e->code, "%s (%s is set in %s/config.yaml)", text, setting, dir);
    else if (text && origin == SETTINGS_JOB)
        assay_fail(e, e->code, "%s (%s is set in the job file)", text, setting);
    free(text);
    free(dir);
}

int resolve_all(const struct settings *s, struct resolved *r, json_t *faults, struct assay_err *err)
{
    struct assay_err e = {0};
    int rc, have = 0, code = ASSAY_OK;

    memset(r, 0, sizeof(*r));
    rc = settings_copy(&r->s, s, err);
    if (rc)
        return rc;
    r->get = json_array();
    r->lock = json_array();
    r->cache = s->cache ? file_absolute(s->cache) : file_cache_dir();
    r->store = file_store_at(s->store);
    if (!r->cache || !r->store)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if ((have & parts[i].needs) != parts[i].needs)
            continue;
        if (!(rc = parts[i].go(r, &e))) {
            have |= parts[i].gives;
            continue;
        }
        name_source(r, parts[i].of, &e);
        if (!code)
            code = assay_fail(err, rc, "%s", e.text);
        if (!faults)
            return code;
        json_array_append_new(faults, tree_string(e.text));
    }
    return code;
}

int resolve(const struct settings *s, struct resolved *r, struct assay_err *err)
{
    int rc = resolve_all(s, r, NULL, err);

    if (rc)
        resolve_release(r);
    return rc;
}

void resolve_use(const struct resolved *r)
{
    supply_use(&r->model_hold);
    supply_use(&r->dataset_hold);
    supply_use(&r->engine_hold);
    supply_use(&r->load_hold);
}

void resolve_release(struct resolved *r)
{
    supply_let_go(&r->model_hold);
    supply_let_go(&r->dataset_hold);
    supply_let_go(&r->engine_hold);
    supply_let_go(&r->load_hold);
    settings_release(&r->s);
    manifest_release(&r->manifest);
    json_decref(r->get);
    json_decref(r->probe);
    json_decref(r->lock);
    free(r->runtime);
    free(r->load_file);
    free(r->model_path);
    free(r->precision);
    free(r->cache);
    free(r->store);
    memset(r, 0, sizeof(*r));
}

/* Of one sample's inputs; a free dimension counts as 1, and the benchmark says more. */
static double input_bytes(const struct assay_benchmark_desc *d)
{
    double all = 0, one;

    for (uint32_t i = 0; i < d->input_count; i++) {
        one = (double)assay_dtype_size(d->inputs[i].dtype);
        for (uint32_t k = 0; k < d->inputs[i].rank; k++)
            one *= d->inputs[i].dims[k] > 0 ? (double)d->inputs[i].dims[k] : 1;
        all += one;
    }
    return all;
}

/* samples: of a data set that is not here yet; 0: it is. */
static int take_look(struct resolved *r, void *bench, uint64_t samples, struct assay_err *err)
{
    struct assay_benchmark_desc d;
    int rc = bench_describe(r->benchmark, bench, &d, err);

    if (rc)
        return rc;
    r->look.samples = samples ? samples : d.samples;
    r->look.model_bytes = (double)d.model_bytes;
    r->look.loaded_bytes = d.loaded_bytes ? (double)d.loaded_bytes : input_bytes(&d);
    /* A sample of several rows (DLRM's pairs) is kept in another form, if at all. */
    r->look.cached_bytes = d.rows > 1 ? 0 : (double)r->look.samples * r->look.loaded_bytes;
    return ASSAY_OK;
}

int resolve_check(struct resolved *r, struct assay_err *err)
{
    char *manifest = json_dumps(r->manifest.tree, JSON_COMPACT);
    struct assay_benchmark_config config = {.size = sizeof(config),
                                            .dataset = r->s.dataset,
                                            .manifest = manifest,
                                            .cache_dir = r->cache,
                                            .threads = 1,
                                            .count = (uint64_t)r->s.count,
                                            .seed = (uint64_t)r->s.seed,
                                            .look = 1};
    uint64_t samples = 0;
    void *bench = NULL;
    int rc;

    rc =
        engine_know_device(r->engine, r->s.engine, r->runtime, !resolve_waits(r), r->s.device, err);
    if (rc) {
        free(manifest);
        return rc;
    }
    if (r->s.dataset && !file_is_dir(r->s.dataset)) { /* its recipe would get it */
        samples = r->s.count && r->s.count < r->dataset_images ? (uint64_t)r->s.count
                                                               : (uint64_t)r->dataset_images;
        config.dataset = NULL; /* a sample made up is as large */
        if (!samples) {
            free(manifest);
            return ASSAY_OK;
        }
    }
    rc = manifest ? manifest_place(&r->manifest, r->benchmark->open(&config, &bench, err), err)
                  : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    if (!rc) {
        rc = take_look(r, bench, samples, err);
        r->benchmark->close(bench);
    }
    free(manifest);
    return rc;
}

static json_t *missing(const struct resolved *r)
{
    json_t *list = json_array();

    preflight(r, true, list, NULL);
    return list;
}

/* ", 1.3 GB"; nothing where it is not known. */
static const char *size_words(double bytes, char out[40])
{
    char text[32];

    *out = 0;
    if (bytes > 0) {
        text_bytes(text, bytes);
        snprintf(out, 40, ", %s", text);
    }
    return out;
}

json_t *resolve_plan(const struct resolved *r)
{
    json_t *plan = json_pack(
        "{s:s, s:s, s:{s:s, s:s*, s:s*, s:s, s:b}, s:{s:s*, s:s*, s:b}, s:{s:s, "
        "s:s, s:s, s:s*}, s:s, s:s, "
        "s:o, s:o, s:[], s:[]}",
        "schema", "assay.plan/1", "benchmark", r->benchmark->name, "model", "name",
        r->manifest.name, "file", r->model_path, "format", r->format, "precision", r->precision,
        "synthetic", (int)r->manifest.synthetic, "dataset", "path", r->s.dataset, "recipe",
        supply_request(r->lock, "dataset"), "synthetic", r->s.dataset == NULL, "engine", "name",
        r->engine->name, "plugin", r->engine_file, "device", r->s.device, "recipe",
        supply_request(r->lock, "engine"), "loadgen", r->round->loadgen, "profile", r->s.profile,
        "settings", settings_to_json(&r->s), "missing", missing(r), "steps", "get");
    json_t *steps = json_object_get(plan, "steps");
    char size[40];

    supply_tell(r->get, plan);
    json_object_set_new(plan, "recipe_steps", json_integer((json_int_t)json_array_size(steps)));
    if (!r->load)
        json_array_append_new(steps, json_sprintf("take the values of round %s from LoadGen %s: "
                                                  "they are not among these settings yet",
                                                  r->round->name, r->round->loadgen));
    if (r->write_net)
        json_array_append_new(steps, json_sprintf("write the net %s with synthetic weights to %s%s",
                                                  r->manifest.net, r->model_path,
                                                  size_words(room_model_bytes(r), size)));
    size_words(r->look.cached_bytes, size);
    json_array_append_new(
        steps, r->s.dataset
                   ? json_sprintf("pre-process %s into %s%s, if it is not there yet", r->s.dataset,
                                  r->cache, size)
                   : json_sprintf("make synthetic samples in %s%s, if they are not there yet",
                                  r->cache, size));
    if (r->s.tune)
        json_array_append_new(
            steps, json_sprintf("search lanes, threads, batch and engine options for at most %g s",
                                r->s.tune_s));
    json_array_append_new(steps, json_string("warm up every lane and measure its rate, untimed"));
    json_array_append_new(steps, json_sprintf("run LoadGen %s, %s, %s", r->round->loadgen,
                                              settings_scenario_names[r->s.scenario],
                                              settings_mode_names[r->s.mode]));
    json_array_append_new(steps, json_sprintf("keep the record in %s/runs", r->store));
    return plan;
}

/* Rows of references, and their words; see reference_inside.h.
 *
 * What a reference is called with is a row of `references`: words in which {NAME} stands for a
 * path or a setting.  A further benchmark is a further row. */
#include "lib/reference_inside.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "data/criteo.h"
#include "data/squad.h"
#include "lib/outside.h"
#include "load/rounds.h"
#include "run/chosen.h"
#include "submit/rounds.h"

#define LOGS "{logs}"
/* There is none: what lies in a folder by chance is not read. */
#define NO_AUDIT "{work}/audit.config"

#define VISION(profile)                                                                            \
    "--profile", profile, "--model", "{model}", "--dataset-path", "{photos}", "--dataset-list",    \
        "{list}", "--scenario", "{scenario}", "--samples-per-query", "{samples-per-query}",        \
        "--user_conf", "{conf}", "--audit_conf", NO_AUDIT, "--output", LOGS, "--cache_dir",        \
        "{work}", "{--accuracy}"
static const char *const resnet50_args[] = {VISION("resnet50-onnxruntime"), "--outputs", "{output}",
                                            NULL};
static const char *const retinanet_args[] = {VISION("retinanet-onnxruntime"), "--inputs", "{input}",
                                             NULL};
/* Without it the reference asks for CUDA, which its library here has not. */
static const char *const vision_env[] = {"USE_GPU=no", NULL};
static const char *const resnet50_score[] = {"--mlperf-accuracy-file", (LOGS "/" REFERENCE_LOG),
                                             "--imagenet-val-file", "{list}", NULL};
static const char *const retinanet_score[] = {"--mlperf-accuracy-file",
                                              (LOGS "/" REFERENCE_LOG),
                                              "--openimages-dir",
                                              "{dataset}",
                                              "--output-file",
                                              "{work}/detections.json",
                                              NULL};
static const char *const retinanet_score_env[] = {"DATASET_ANNOTATIONS_FILE_PATH={list}", NULL};
static const char *const bert_args[] = {
    "--backend",    "onnxruntime", "--scenario",   "{scenario}",    "--user_conf",       "{conf}",
    "--audit_conf", NO_AUDIT,      "{--accuracy}", "{--quantized}", "{--max_examples=}", NULL};
static const char *const bert_env[] = {"USE_GPU=no",
                                       "ML_MODEL_FILE_WITH_PATH={model}",
                                       "DATASET_FILE={list}",
                                       "VOCAB_FILE={vocab}",
                                       ("LOG_PATH=" LOGS),
                                       "SKIP_VERIFY_ACCURACY=1",
                                       NULL};

static const char *const unet_prepare[] = {"--raw_data_dir", "{work}/raw", "--results_dir",
                                           "{work}/prepared", NULL};
/* LoadGen has mlperf.conf inside, but the program always reads two files. */
static const char *const unet_args[] = {"--backend",
                                        "onnxruntime",
                                        "--scenario",
                                        "{scenario}",
                                        "--model",
                                        "{model}",
                                        "--preprocessed_data_dir",
                                        "{work}/prepared",
                                        "--mlperf_conf",
                                        "{conf}",
                                        "--user_conf",
                                        "{conf}",
                                        "--audit_conf",
                                        NO_AUDIT,
                                        "{--accuracy}",
                                        NULL};
static const char *const unet_env[] = {"USE_GPU=no", ("LOG_PATH=" LOGS), "SKIP_VERIFY_ACCURACY=1",
                                       NULL};
static const char *const unet_score[] = {"--log_file",
                                         (LOGS "/" REFERENCE_LOG),
                                         "--preprocessed_data_dir",
                                         "{work}/prepared",
                                         "--postprocessed_data_dir",
                                         "{work}/predicted",
                                         NULL};
/* LoadGen has mlperf.conf inside, but the program always reads two files. */
static const char *const rnnt_args[] = {
    "--backend",     "pytorch",   "--scenario",           "{scenario}",
    "--mlperf_conf", "{conf}",    "--user_conf",          "{conf}",
    "--audit_conf",  NO_AUDIT,    "--pytorch_checkpoint", "{weights}",
    "--dataset_dir", "{dataset}", "--manifest",           "{list}",
    "--log_dir",     LOGS,        "{--accuracy}",         NULL};
static const char *const rnnt_written[] = {
    "{list}: its list of the recordings, where they lie, with our transcripts",
    "{made-weights}: the synthetic net's weights as a checkpoint", NULL};
/* Numba keeps what it compiled beside the modules else, which is the shelf. */
static const char *const rnnt_env[] = {"USE_GPU=no", "NUMBA_CACHE_DIR={work}/numba", NULL};
static const char *const rnnt_score[] = {
    "--log_dir", LOGS, "--dataset_dir", "{dataset}", "--manifest", "{list}", NULL};

/* It chooses the sizes of its tables by the range, has LoadGen's settings by the name of the
 * model's file, and draws our samples from the repository's list of lengths. */
#define DLRM(backend)                                                                              \
    "--profile", ("dlrm-terabyte-" backend), "--model", "dlrm", "--model-path", "{reads}",         \
        "--dataset-path", "{clicks}", "--scenario", "{scenario}", "--max-ind-range", "{range}",    \
        "--samples-to-aggregate-quantile-file", "{lengths}", "--samples-to-aggregate-trace-file",  \
        "{work}/trace.txt", "--samples-per-query-offline", "{performance-samples}",                \
        "--mlperf_conf", "{conf}", "--user_conf", "{conf}", "--output", LOGS,                      \
        "{--count-samples=}", "{--accuracy}", NULL
static const char *const dlrm_args[] = {DLRM("pytorch")};
static const char *const dlrm_onnx_args[] = {DLRM("onnxruntime")};
/* The published checkpoint has numbers of numpy's beside the weights, which torch.load refuses
 * since 2.6 unless it is told that the file is trusted: its digest was compared. */
static const char *const dlrm_env[] = {
    "DLRM_DIR={code}", "CUDA_VISIBLE_DEVICES=", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1", NULL};
static const char *const dlrm_written[] = {
    "{clicks}: the rows of day 23 that are tested, as the reference's pre-processing leaves them; "
    "other days, which it looks for and does not read, are links to them",
    "{made-weights}: the synthetic net's weights as a checkpoint", NULL};
static const char *const dlrm_score[] = {"--mlperf-accuracy-file", (LOGS "/" REFERENCE_LOG), NULL};
#define DLRM_DATA                                                                                  \
    {"input", "hots", "(none)", true},                                                             \
    {                                                                                              \
        "input", "max_index_range", "40000000", true, "10000000"                                   \
    }

/* Disk, in bytes a pair, of which ours takes 260: 40 numbers, and the log's two digits for each of
 * 8 bytes. */
#define DLRM_BOTH                                                                                  \
    .benchmark = "dlrm", .python = "reference-pytorch,dlrm",                                       \
    .program = REFERENCE_DLRM "/python/main.py", .env = dlrm_env, .written = dlrm_written,         \
    .write = reference_clicks, .score = "accuracy-dlrm", .score_args = dlrm_score,                 \
    .disk = (40 * 4 + 8 * 2) / 260.0, .code = "dlrm", .any_model = true

static const struct reference references[] = {
    {.benchmark = "resnet50",
     .engine = "onnxruntime",
     .python = "reference-python,vision",
     .program = "vision/classification_and_detection/python/main.py",
     .args = resnet50_args,
     .env = vision_env,
     .write = reference_list,
     .wants = {{"output", "kind", "argmax", false},
               {"output", "label_offset", "-1", false},
               {"input", "method", "vgg", false}},
     .score = "accuracy-resnet50",
     .score_args = resnet50_score,
     .disk = 1},
    {.benchmark = "retinanet",
     .engine = "onnxruntime",
     .python = "reference-python,vision",
     .program = "vision/classification_and_detection/python/main.py",
     .args = retinanet_args,
     .env = vision_env,
     .write = reference_list,
     .wants = {{"output", "kind", "detections", false}},
     .score = "accuracy-retinanet",
     .score_args = retinanet_score,
     .score_env = retinanet_score_env,
     .disk = 1},
    {.benchmark = "bert",
     .engine = "onnxruntime",
     .python = "reference-python,bert",
     .program = "language/bert/run.py",
     .args = bert_args,
     .env = bert_env,
     .wants = {{"output", "kind", "split", false}, {"input", "ids", "input_ids", false}}},
    /* Disk, in bytes a voxel, of which ours takes 4: a pickle of float32 and of classes, the same
     * as NIfTI, which is compressed, the log's two digits, and the answers as NIfTI. */
    {.benchmark = "3d-unet",
     .engine = "onnxruntime",
     .python = "reference-python,3d-unet",
     .prepare = REFERENCE_UNET "/preprocess.py",
     .prepare_args = unet_prepare,
     .program = REFERENCE_UNET "/run.py",
     .args = unet_args,
     .env = unet_env,
     .write = reference_cases,
     .wants = {{"input", "name", "input", true},
               {"output", "name", "output", true},
               {"input", "layout", "NCDHW", true}},
     .score = "accuracy-3d-unet",
     .score_args = unet_score,
     .disk = (5 + 5 + 2 + 1) / 4.0},
    {.benchmark = "rnnt",
     .engine = "pytorch",
     .python = "reference-pytorch",
     .weights = "rnnt-pytorch",
     .graph_file = "encoder.pt",
     .program = REFERENCE_RNNT "/run.py",
     .args = rnnt_args,
     .env = rnnt_env,
     .written = rnnt_written,
     .write = reference_speech,
     .wants = {{"input", "preemphasis", "0.97", true},
               {"input", "dither", "1e-05", true},
               {"output", "payload", "int64", true}},
     .score = "accuracy-rnnt",
     .score_args = rnnt_score},
    {DLRM_BOTH, .engine = "onnxruntime", .args = dlrm_onnx_args,
     .wants = {DLRM_DATA,
               {"input", "layout", "tables", false},
               {"input", "dense", "dense_x", false},
               {"input", "offsets", "offsets", false},
               {"input", "indices", "indices", false},
               {"output", "kind", "probability", true}}},
    {DLRM_BOTH, .engine = "pytorch", .weights = "dlrm-pytorch", .args = dlrm_args,
     .wants = {DLRM_DATA,
               {"input", "width", "128", true},
               {"sizes", "rows", "40000000", true},
               {"output", "kind", "probability", true}}},
};
#define REFERENCES (sizeof(references) / sizeof(references[0]))

/* ---- which one ---- */

static const struct reference *find_row(const char *benchmark, const char *engine)
{
    for (size_t i = 0; i < REFERENCES; i++)
        if (!strcmp(references[i].benchmark, benchmark) && !strcmp(references[i].engine, engine))
            return &references[i];
    return NULL;
}

static int no_row(const char *benchmark, const char *engine, struct assay_err *err)
{
    char known[200] = "";
    size_t len = 0;

    for (size_t i = 0; i < REFERENCES; i++)
        len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s with %s", i ? ", " : "",
                                references[i].benchmark, references[i].engine);
    return assay_fail(err, ASSAY_EUSAGE, "no official reference is run here for %s with %s: %s",
                      benchmark, engine, known);
}

/* Of the manifest: a text or a number. */
static bool is_wanted(const json_t *manifest, const struct want *w)
{
    const json_t *v = json_object_get(json_object_get(manifest, w->part), w->key);
    const char *text;
    char number[32];

    if (!v)
        return w->silent;
    snprintf(number, sizeof(number), "%.9g", json_number_value(v));
    text = json_is_string(v) ? json_string_value(v) : number;
    return !strcmp(text, w->value) || (w->other && !strcmp(text, w->other));
}

static int check_model(const struct beside *b, struct assay_err *err)
{
    const struct manifest *m = &b->r.manifest;
    const char *as = b->row->weights ? "official" : "onnx";

    for (const struct want *w = b->row->wants; w->part; w++)
        if (!is_wanted(m->tree, w))
            return assay_fail(
                err, ASSAY_EUSAGE,
                "%s: the official reference runs models of %s.%s %s%s%s alone, as %s-%s is",
                m->name, w->part, w->key, w->value, w->other ? " or " : "",
                w->other ? w->other : "", b->row->benchmark, as);
    return b->row->weights && strcmp(b->r.precision, "fp32") != 0
               ? assay_fail(err, ASSAY_EUSAGE, "precision %s: the official reference of %s is fp32",
                            b->r.precision, b->row->benchmark)
               : ASSAY_OK;
}

static int check_settings(const struct beside *b, struct assay_err *err)
{
    const struct settings *s = &b->s;
    const char *newest = load_rounds[0].name;

    if (strcmp(s->device, "cpu") != 0)
        return assay_fail(err, ASSAY_EUSAGE, "device %s: the official reference is run on cpu here",
                          s->device);
    if (s->mode != MODE_PERFORMANCE && s->mode != MODE_ACCURACY)
        return assay_fail(err, ASSAY_EUSAGE,
                          "mode %s: the official reference is run in mode performance or accuracy",
                          settings_mode_names[s->mode]);
    if (s->round && strcmp(s->round, newest) != 0)
        return assay_fail(err, ASSAY_EUSAGE,
                          "round %s: the official reference is run under the LoadGen of %s alone",
                          s->round, newest);
    if (s->audit_config)
        return assay_fail(err, ASSAY_EUSAGE, "the official reference is run without audit-config");
    if (!s->dataset)
        return assay_fail(
            err, ASSAY_EUSAGE,
            "the official reference reads files, not made-up samples: give --dataset");
    return ASSAY_OK;
}

/* ---- what its words stand for ---- */

void reference_name(struct beside *b, const char *key, const char *value)
{
    if (value)
        json_object_set_new(b->names, key, tree_string(value));
}

static void set_below(struct beside *b, const char *key, const char *dir, const char *below)
{
    char *path = file_join(dir, below);

    reference_name(b, key, path);
    free(path);
}

/* The photos of Open Images lie beside `annotations`, or in validation/data. */
static void name_photos(struct beside *b, const char *dataset)
{
    char *below = file_join(dataset, "validation/data");

    reference_name(b, "photos", below && file_is_dir(below) ? below : dataset);
    free(below);
}

/* The data set's list, as it is; of its first --count samples another is written later. */
static int name_list(struct beside *b, struct assay_err *err)
{
    const char *dataset = b->dataset;
    char *path = NULL;
    int rc = ASSAY_OK;

    if (!strcmp(b->row->benchmark, "resnet50")) {
        set_below(b, "list", dataset, "val_map.txt");
    } else if (!strcmp(b->row->benchmark, "retinanet")) {
        set_below(b, "list", dataset, "annotations/openimages-mlperf.json");
    } else if (!strcmp(b->row->benchmark, "3d-unet") || !strcmp(b->row->benchmark, "dlrm")) {
        /* It has none: its files are the list. */
    } else if (!strcmp(b->row->benchmark, "rnnt")) {
        set_below(b, "list", b->work.dir ? b->work.dir : "(work)", "list.json");
    } else if (file_is_dir(dataset)) {
        rc = squad_find(dataset, &path, err);
        reference_name(b, "list", path);
        free(path);
    } else {
        set_below(b, "list", dataset, "dev-v1.1.json");
    }
    return rc;
}

int reference_names(struct beside *b, struct assay_err *err)
{
    const json_t *m = b->r.manifest.tree, *input = json_object_get(m, "input"),
                 *output = json_object_get(m, "output");
    const char *vocab = tree_text(input, "vocab", "vocab.txt");
    char number[32];

    reference_name(b, "model", b->model);
    reference_name(b, "dataset", b->dataset);
    reference_name(b, "input", tree_text(input, "name", "images"));
    reference_name(b, "output", tree_text(output, "name", "ArgMax:0"));
    reference_name(b, "scenario", settings_scenario_names[b->s.scenario]);
    reference_name(b, "work", b->work.dir ? b->work.dir : "(work)");
    reference_name(b, "logs", b->logs.dir ? b->logs.dir : "(logs)");
    if (b->s.mode == MODE_ACCURACY)
        reference_name(b, "--accuracy", "--accuracy");
    if (!strcmp(tree_text(input, "mask", ""), "attention_mask"))
        reference_name(b, "--quantized", "--quantized");
    snprintf(number, sizeof(number), "--max_examples=%lld", (long long)b->s.count);
    if (b->s.count)
        reference_name(b, "--max_examples=", number);
    snprintf(number, sizeof(number), "--count-samples=%lld", (long long)b->s.count);
    if (b->s.count)
        reference_name(b, "--count-samples=", number);
    snprintf(number, sizeof(number), "%lld",
             (long long)(b->r.s.samples_per_query ? b->r.s.samples_per_query : 8));
    reference_name(b, "samples-per-query", number);
    if (b->row->weights && !b->weights)
        set_below(b, "made-weights", b->work.dir ? b->work.dir : "(work)", "weights.pt");
    reference_name(b, "weights", b->weights ? b->weights : tree_text(b->names, "made-weights", ""));
    reference_name(b, "reads", b->row->weights ? tree_text(b->names, "weights", "") : b->model);
    snprintf(number, sizeof(number), "%lld",
             (long long)tree_int(input, "max_index_range", CRITEO_RANGE));
    reference_name(b, "range", number);
    if (!json_object_get(b->names, "performance-samples"))
        reference_name(b, "performance-samples", "(those of our run)");
    set_below(b, "clicks", b->work.dir ? b->work.dir : "(work)", "clicks");
    set_below(b, "conf", b->work.dir ? b->work.dir : "(work)", "user.conf");
    if (vocab[0] == '/')
        reference_name(b, "vocab", vocab);
    else
        set_below(b, "vocab", b->dataset, vocab);
    name_photos(b, b->dataset);
    return name_list(b, err);
}

/* "{logs}/x" -> its text; NULL: a name has no value. */
char *reference_word(const struct beside *b, const char *word)
{
    struct text out;
    const char *value;
    char key[40];
    size_t n;

    text_init(&out, 1 << 16);
    for (; *word; word += n) {
        n = strcspn(word, "{");
        text_addn(&out, word, n);
        if (!word[n])
            break;
        snprintf(key, sizeof(key), "%.*s", (int)strcspn(word + n + 1, "}"), word + n + 1);
        value = tree_text(b->names, key, NULL);
        if (!value) {
            text_release(&out);
            return NULL;
        }
        text_add(&out, value);
        n += strlen(key) + 2;
    }
    return text_take(&out);
}

static void add_words(const struct beside *b, const char *const *words, json_t *out)
{
    for (; words && *words; words++) {
        char *word = reference_word(b, *words);

        if (word)
            json_array_append_new(out, tree_string(word));
        free(word);
    }
}

/* A program with the words that its row has. */
static json_t *command_of(const struct beside *b, const char *program, const char *const *words)
{
    const char *const head[] = {b->python, program, NULL};
    json_t *list = json_array();

    add_words(b, head, list);
    add_words(b, words, list);
    return list;
}

json_t *reference_command(const struct beside *b)
{
    json_t *list = command_of(b, "{repository}", b->row->args);

    for (const char *const *w = b->ask->words; w && *w; w++)
        json_array_append_new(list, tree_string(*w));
    return list;
}

json_t *reference_prepare_command(const struct beside *b)
{
    return b->row->prepare ? command_of(b, "{preparing}", b->row->prepare_args) : NULL;
}

json_t *reference_written(const struct beside *b)
{
    json_t *list = b->row->written ? json_array() : NULL;

    add_words(b, b->row->written, list);
    return list;
}

json_t *reference_score_command(const struct beside *b)
{
    return b->row->score && b->s.mode == MODE_ACCURACY
               ? command_of(b, b->script, b->row->score_args)
               : NULL;
}

/* ---- both ---- */

int reference_begin(struct beside *b, const struct lib_reference_ask *ask, struct assay_err *err)
{
    bool chosen;
    int rc;

    memset(b, 0, sizeof(*b));
    b->ask = ask;
    b->names = json_object();
    rc = settings_copy(&b->s, ask->s, err);
    if (!rc)
        rc = chosen_recall(&b->s, &chosen, err);
    if (!rc && !(b->row = find_row(b->s.benchmark, b->s.engine)))
        rc = no_row(b->s.benchmark, b->s.engine, err);
    if (!rc)
        rc = check_settings(b, err);
    if (!rc)
        rc = resolve(&b->s, &b->r, err);
    if (rc)
        return rc;
    b->model = b->r.model_path ? file_absolute(b->r.model_path) : NULL;
    b->dataset = file_absolute(b->r.s.dataset);
    if (!b->model || !b->dataset)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory, or no model file");
    snprintf(b->inference, sizeof(b->inference), "mlperf-inference@==%s", submit_rounds[0].checker);
    return check_model(b, err);
}

void reference_requests(const struct beside *b, const char *requests[REFERENCE_REQUESTS + 1])
{
    requests[0] = b->inference;
    requests[1] = b->row->python;
    requests[2] = b->r.manifest.net ? NULL : b->row->weights; /* a net's are written */
    requests[3] = NULL;
}

void reference_end(struct beside *b)
{
    outside_let_go(&b->held);
    json_decref(b->names);
    json_decref(b->recipes);
    if (b->r.benchmark)
        resolve_release(&b->r);
    settings_release(&b->s);
    free(b->model);
    free(b->dataset);
    free(b->python);
    free(b->repository);
    free(b->site);
    free(b->script);
    free(b->weights);
    free(b->code);
    free(b->engine_version);
}

/* What the recipes give, or will. */
int reference_outputs(struct beside *b, const struct plan *p, struct assay_err *err)
{
    const char *requests[REFERENCE_REQUESTS + 1];
    int rc = outside_output(p, 0, "folder", &b->repository, err);

    reference_requests(b, requests);
    if (!rc)
        rc = outside_output(p, 1, "program", &b->python, err);
    if (!rc)
        rc = outside_output(p, 1, "site", &b->site, err);
    if (!rc)
        rc = outside_output(p, 1, b->row->engine, &b->engine_version, err);
    if (!rc && b->row->code)
        rc = outside_output(p, 1, b->row->code, &b->code, err);
    if (!rc && b->row->score)
        rc = outside_output(p, 0, b->row->score, &b->script, err);
    if (!rc && requests[2])
        rc = outside_output(p, 2, "model", &b->weights, err);
    if (rc)
        return rc;
    b->recipes = json_array();
    for (size_t i = 0; requests[i]; i++)
        json_array_append_new(b->recipes, json_string(p->nodes[p->roots[i]].id));
    set_below(b, "repository", b->repository, b->row->program);
    set_below(b, "lengths", b->repository, REFERENCE_DLRM "/tools/dist_quantile.txt");
    reference_name(b, "code", b->code);
    if (b->row->prepare)
        set_below(b, "preparing", b->repository, b->row->prepare);
    return ASSAY_OK;
}

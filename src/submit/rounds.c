/* The tables of rounds and models; see rounds.h. */
#include "submit/rounds.h"

#include <string.h>
#include <strings.h>

#include "load/rounds.h"

const char *const submit_scenario_names[] = {"SingleStream", "MultiStream", "Server",
                                             "Offline",      "Interactive", NULL};

const struct submit_round submit_rounds[] = {
    {"v6.1", SUBMIT_V61, "src", true, {"6.0.16", "6.0.17", NULL}, "6.1"},
    {"v6.0",
     SUBMIT_V60,
     "src",
     true,
     {"6.0.5", "6.0.6", "6.0.10", "6.0.13", "6.0.15", NULL},
     "6.1"},
    {"v5.1",
     SUBMIT_V51,
     "code",
     false,
     {"5.0.23", "5.0.24", "5.0.25", "5.1.2", "6.0.3", "6.0.4", NULL},
     "5.1.1"},
    {NULL, 0, NULL, false, {NULL}, NULL},
};

#define SS  (1u << SINGLE_STREAM)
#define MS  (1u << MULTI_STREAM)
#define SV  (1u << SERVER)
#define OF  (1u << OFFLINE)
#define IA  (1u << SUBMIT_INTERACTIVE)
#define ALL (SUBMIT_V51 | SUBMIT_V60 | SUBMIT_V61)
#define T1  SUBMIT_TEST(1)
#define T4  SUBMIT_TEST(4)
#define T6  SUBMIT_TEST(6)
#define T7  SUBMIT_TEST(7)
#define T8  SUBMIT_TEST(8)
#define T9  SUBMIT_TEST(9)

/* clang-format off */
static const struct submit_model models[] = {
    /* name, rounds, benchmark, LoadGen's name, required: datacenter, edge, both; optional,
       performance, data set and accuracy samples, Offline samples, Server ms, equal issue,
       tests, TEST01's target, metrics */
    {"resnet", ALL, "resnet50", "resnet50", 0, SS | MS | OF, SS | MS | OF | SV, 0,
     1024, 50000, 0, 24576, 15, false, T1 | T4, 4096, {{"acc", 76.46 * 0.99, 0}}},
    {"retinanet", SUBMIT_V51, "retinanet", "retinanet", SV | OF, SS | MS | OF, SS | MS | OF | SV, 0,
     64, 24781, 0, 24576, 100, false, T1, 256, {{"mAP", 37.55 * 0.99, 0}}},
    {"retinanet", SUBMIT_V60, "retinanet", "retinanet", 0, 0, SS | MS | OF | SV, 0,
     64, 24781, 0, 24576, 100, false, T1, 256, {{"mAP", 37.55 * 0.99, 0}}},
    {"bert-99", ALL, "bert", "bert", 0, SS | OF, SS | OF, 0,
     10833, 10833, 0, 10833, 130, false, T1, 4096, {{"F1", 90.874 * 0.99, 0}}},
    {"bert-99.9", ALL, "bert", "bert", 0, SS | OF, SS | OF, 0,
     10833, 10833, 0, 10833, 130, false, T1, 4096, {{"F1", 90.874 * 0.999, 0}}},
    {"3d-unet-99", ALL, "3d-unet", "3d-unet", OF, SS | OF, SS | OF, 0,
     43, 43, 0, 43, 0, true, T1, 64, {{"DICE", 0.86170 * 0.99, 0}}},
    {"3d-unet-99.9", ALL, "3d-unet", "3d-unet", OF, SS | OF, SS | OF, 0,
     43, 43, 0, 43, 0, true, T1, 64, {{"DICE", 0.86170 * 0.999, 0}}},
    {"dlrm-v2-99", SUBMIT_V51, "dlrm", "dlrm-v2", SV | OF, 0, SV | OF, 0,
     204800, 330067, 0, 24576, 60, false, T1, 4096, {{"AUC", 80.31 * 0.99, 0}}},
    {"dlrm-v2-99.9", SUBMIT_V51, "dlrm", "dlrm-v2", SV | OF, 0, SV | OF, 0,
     204800, 330067, 0, 24576, 60, false, T1, 4096, {{"AUC", 80.31 * 0.999, 0}}},
    {"dlrm-v3", SUBMIT_V60 | SUBMIT_V61, NULL, "dlrm-v3", SV | OF, 0, SV | OF, 0,
     349823, 349823, 0, 349823, 60000, false, T8, 0,
     {{"DLRM_NE", 0.86687 * 0.999, 0}, {"DLRM_ACC", 0.69651 * 0.999, 0}, {"DLRM_AUC", 0.78663 * 0.999, 0}}},
    {"yolo-95", SUBMIT_V60 | SUBMIT_V61, NULL, "yolo", 0, SS | MS | OF, SS | MS | OF, 0,
     64, 1525, 0, 1525, 0, false, T1, 64, {{"mAP", 53.4 * 0.95, 0}}},
    {"yolo-99", SUBMIT_V60 | SUBMIT_V61, NULL, "yolo", 0, SS | MS | OF, SS | MS | OF, 0,
     64, 1525, 0, 1525, 0, false, T1, 64, {{"mAP", 53.4 * 0.99, 0}}},
    {"rgat", ALL, NULL, "rgat", OF, 0, OF, 0,
     788379, 788379, 0, 788379, 0, true, T1, 4096, {{"acc", 0.7286 * 0.99, 0}}},
    {"pointpainting", SUBMIT_V51 | SUBMIT_V60, NULL, "pointpainting", 0, SS, SS, 0,
     1024, 39987, 0, 6636, 0, false, T1 | T4, 256, {{"mAP", 0.5425 * 0.999, 0}}},
    {"whisper", ALL, NULL, "whisper", OF, OF, OF, 0,
     1633, 1633, 0, 1633, 0, true, T1, 4096, {{"ACCURACY", (100.0 - 2.0671) * 0.99, 0}}},
    {"stable-diffusion-xl", SUBMIT_V51, NULL, "stable-diffusion-xl", SV | OF, SS | OF, SS | OF | SV, 0,
     5000, 5000, 0, 5000, 20000, false, T1 | T4, 128,
     {{"CLIP_SCORE", 31.68631873, 31.81331801}, {"FID_SCORE", 23.01085758, 23.95007626}}},
    {"stable-diffusion-xl", SUBMIT_V60 | SUBMIT_V61, NULL, "stable-diffusion-xl", 0, SS | OF, SS | OF | SV, 0,
     5000, 5000, 0, 5000, 20000, false, T1 | T4, 128,
     {{"CLIP_SCORE", 31.68631873, 31.81331801}, {"FID_SCORE", 23.01085758, 23.95007626}}},
    {"wan-2.2-t2v-a14b", SUBMIT_V60 | SUBMIT_V61, NULL, "wan-2.2-t2v-a14b", OF | SS, 0, 0, 0,
     50, 248, 248, 50, 0, false, T4, 0, {{"vbench_score", 70.48 * 0.99, 0}}},
    {"llama3.1-8b", ALL, NULL, "llama3_1-8b", OF, 0, OF, IA | SV,
     13368, 13368, 0, 13368, 20000, true, T6, 0,
     {{"ROUGE1", 38.7792 * 0.99, 0}, {"ROUGE2", 15.9075 * 0.99, 0}, {"ROUGEL", 24.4957 * 0.99, 0},
      {"ROUGELSUM", 35.793 * 0.99, 0}, {"GEN_LEN", 8167644 * 0.9, 8167644 * 1.1}}},
    {"llama3.1-8b-edge", ALL, NULL, "llama3_1-8b-edge", 0, SS | OF, SS | OF, 0,
     5000, 5000, 0, 5000, 0, true, 0, 0,
     {{"ROUGE1", 39.06 * 0.99, 0}, {"ROUGE2", 16.1147 * 0.99, 0}, {"ROUGEL", 24.6375 * 0.99, 0},
      {"ROUGELSUM", 36.124 * 0.99, 0}, {"GEN_LEN", 3051113 * 0.9, 3051113 * 1.1}}},
    {"llama2-70b-99", SUBMIT_V51 | SUBMIT_V60, NULL, "llama2-70b", OF, 0, OF, IA | SV,
     24576, 24576, 0, 24576, 20000, true, T6, 0,
     {{"ROUGE1", 44.4312 * 0.99, 0}, {"ROUGE2", 22.0352 * 0.99, 0}, {"ROUGEL", 28.6162 * 0.99, 0},
      {"TOKENS_PER_SAMPLE", 294.45 * 0.9, 294.45 * 1.1}}},
    {"llama2-70b-99.9", ALL, NULL, "llama2-70b", OF, 0, OF, IA | SV,
     24576, 24576, 0, 24576, 20000, true, T6, 0,
     {{"ROUGE1", 44.4312 * 0.999, 0}, {"ROUGE2", 22.0352 * 0.999, 0}, {"ROUGEL", 28.6162 * 0.999, 0},
      {"TOKENS_PER_SAMPLE", 294.45 * 0.9, 294.45 * 1.1}}},
    {"mixtral-8x7b", SUBMIT_V51 | SUBMIT_V60, NULL, "mixtral-8x7b", SV | OF, 0, SV | OF, 0,
     15000, 15000, 0, 15000, 20000, true, T6, 0,
     {{"ROUGE1", 45.5989 * 0.99, 0}, {"ROUGE2", 23.3526 * 0.99, 0}, {"ROUGEL", 30.4608 * 0.99, 0},
      {"TOKENS_PER_SAMPLE", 144.84 * 0.9, 145.9 * 1.1}, {"gsm8k_accuracy", 73.66 * 0.99, 0},
      {"mbxp_accuracy", 60.16 * 0.99, 0}}},
    {"llama3.1-405b", SUBMIT_V51 | SUBMIT_V60, NULL, "llama3_1-405b", OF, 0, OF, IA | SV,
     8313, 8313, 0, 8313, 60000, true, T6, 0,
     {{"ROUGEL", 21.6666 * 0.99, 0}, {"exact_match", 90.1335 * 0.99, 0},
      {"TOKENS_PER_SAMPLE", 684.68 * 0.9, 684.68 * 1.1}}},
    {"deepseek-r1", SUBMIT_V51, NULL, "deepseek-r1", SV | OF, 0, SS | SV | OF, 0,
     4388, 4388, 0, 4388, 60000, true, T6, 0,
     {{"exact_match", 81.3582 * 0.99, 0}, {"TOKENS_PER_SAMPLE", 3886.2274 * 0.9, 3886.2274 * 1.1}}},
    {"deepseek-r1", SUBMIT_V60 | SUBMIT_V61, NULL, "deepseek-r1", OF, 0, OF, IA | SV,
     4388, 4388, 0, 4388, 60000, true, T6, 0,
     {{"exact_match", 81.3582 * 0.99, 0}, {"TOKENS_PER_SAMPLE", 3886.2274 * 0.9, 3886.2274 * 1.1}}},
    {"gpt-oss-120b", SUBMIT_V60 | SUBMIT_V61, NULL, "gpt-oss-120b", OF, 0, OF, IA | SV,
     6396, 6396, 4395, 6396, 60000, true, T7 | T9, 0, {{"exact_match", 83.13 * 0.99, 0}}},
    {"qwen3-vl-235b-a22b", SUBMIT_V60, NULL, "qwen3-vl-235b-a22b", SV | OF, 0, OF, IA | SV,
     48289, 48289, 0, 48289, 12000, true, 0, 0, {{"F1_HIERARCHICAL", 0.7903 * 0.99, 0}}},
    {"qwen3-vl-235b-a22b", SUBMIT_V61, NULL, "qwen3-vl-235b-a22b", OF, 0, OF, IA | SV,
     48289, 48289, 0, 48289, 12000, true, 0, 0, {{"F1_HIERARCHICAL", 0.7903 * 0.99, 0}}},
    {"qwen3.6-27b", SUBMIT_V61, NULL, "qwen3.6-27b", 0, SS, SS, 0,
     995, 995, 995, 0, 0, false, 0, 0, {{"mAP", 86.23 * 0.99, 0}}},
    {"e2e-rag-qna", SUBMIT_V61, NULL, "e2e-rag-qna", OF, 0, 0, 0,
     824, 824, 0, 824, 0, false, T9, 0, {{"E2E_ACCURACY", 33.95, 0}}},
    {"e2e-rag-db", SUBMIT_V61, NULL, "e2e-rag-db", OF, 0, 0, 0,
     2515, 2515, 0, 2515, 0, false, 0, 0, {{"E2E_ACCURACY", 98, 0}}},
};
/* clang-format on */
#define MODELS (sizeof(models) / sizeof(models[0]))

/* Other names that the folders of results may have. */
static const char *const other_names[][2] = {
    {"resnet50", "resnet"},         {"mobilenet", "resnet"},
    {"ssd-resnet34", "retinanet"},  {"llama3_1-405b", "llama3.1-405b"},
    {"llama3_1-8b", "llama3.1-8b"}, {"llama3_1-8b-edge", "llama3.1-8b-edge"},
};

/* What a name holds; the first that does. */
static const char *const guesses[][2] = {
    {"mobilenet", "resnet"},    {"efficientnet", "resnet"}, {"resnet50", "resnet"},
    {"bert-99.9", "bert-99.9"}, {"bert-99", "bert-99"},     {"llama3_1-405b", "llama3.1-405b"},
};

const struct submit_round *submit_round_find(const char *name)
{
    for (const struct submit_round *r = submit_rounds; name && r->name; r++)
        if (!strcmp(r->name, name))
            return r;
    return NULL;
}

const struct submit_round *submit_round_by_seed(uint64_t qsl_rng_seed)
{
    const struct load_round *seeds;

    for (const struct submit_round *r = submit_rounds; r->name; r++)
        if ((seeds = load_round_find(r->name)) && seeds->qsl_rng_seed == qsl_rng_seed)
            return r;
    return NULL;
}

static const struct submit_model *by_name(const struct submit_round *round, const char *name)
{
    for (size_t i = 0; i < MODELS; i++)
        if (models[i].rounds & round->bit && !strcmp(models[i].name, name))
            return &models[i];
    return NULL;
}

const struct submit_model *submit_model_find(const struct submit_round *round, const char *name)
{
    const struct submit_model *m = by_name(round, name);

    for (size_t i = 0; !m && i < sizeof(other_names) / sizeof(other_names[0]); i++)
        if (!strcmp(other_names[i][0], name))
            m = by_name(round, other_names[i][1]);
    for (size_t i = 0; !m && i < sizeof(guesses) / sizeof(guesses[0]); i++)
        if (strstr(name, guesses[i][0]))
            return by_name(round, guesses[i][1]);
    return m;
}

const struct submit_model *submit_model_of(const struct submit_round *round, const char *assay,
                                           size_t number)
{
    for (size_t i = 0; i < MODELS; i++)
        if (models[i].rounds & round->bit && models[i].assay && !strcmp(models[i].assay, assay) &&
            !number--)
            return &models[i];
    return NULL;
}

/* SingleStream percentiles that are not the usual one. */
static const struct {
    const char *model;
    double percentile;
} percentiles[] = {{"pointpainting", 0.999}};

double submit_percentile(const struct submit_model *m, int scenario)
{
    for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++)
        if (scenario == SINGLE_STREAM && m->name && !strcmp(percentiles[i].model, m->name))
            return percentiles[i].percentile;
    return scenario == SINGLE_STREAM ? 0.90 : 0.99;
}

unsigned submit_required(const struct submit_model *m, unsigned category)
{
    return category == SUBMIT_DATACENTER ? m->datacenter
           : category == SUBMIT_EDGE     ? m->edge
                                         : m->both;
}

/* The engine of linear.c in C++17: the same models, the same answers, one thread a lane.
 *
 * What C++ adds to the contract: no exception leaves a function of the table.  They all end in
 * guarded(), which turns them into an error with a text. */
#include <assay/engine.h>

#include <exception>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace
{

struct Linear {
    int64_t channels = 0, side = 0, grid = 0, classes = 0;
    std::vector<float> weights;             // [classes][1 + channels × grid × grid]
    std::vector<std::vector<float>> scores; // [lanes][max_batch × classes]
    assay_tensor_spec input{}, output{};
    assay_graph_desc graph{};
};

template <typename F> int guarded(assay_err *err, F f)
{
    try {
        return f();
    } catch (const std::exception &e) {
        return assay_fail(err, ASSAY_EFAIL, "%s", e.what());
    } catch (...) {
        return assay_fail(err, ASSAY_EFAIL, "an exception without words");
    }
}

Linear read_model(const std::string &path)
{
    std::ifstream file(path);
    std::string word;
    Linear s;

    file >> word >> s.channels >> s.side >> s.grid >> s.classes;
    if (!file || word != "linear" || s.grid > s.side)
        throw std::runtime_error(path + ": is no linear model");
    for (int64_t n : {s.channels, s.side, s.grid, s.classes})
        if (n < 1 || n > 1024)
            throw std::runtime_error(path + ": " + std::to_string(n) + " is not 1 … 1024");
    s.weights.resize(static_cast<size_t>(s.classes * (1 + s.channels * s.grid * s.grid)));
    for (float &w : s.weights)
        if (!(file >> w))
            throw std::runtime_error(path + ": ends before the last weight");
    return s;
}

int open(const assay_engine_config *c, void **self, assay_err *err)
{
    return guarded(err, [&] {
        if (c->device != std::string("cpu"))
            return assay_fail(err, ASSAY_EUNSUPPORTED, "device '%s': has only cpu", c->device);
        auto s = std::make_unique<Linear>(read_model(c->model_path));
        s->scores.assign(c->lanes,
                         std::vector<float>(static_cast<size_t>(c->max_batch * s->classes)));
        s->input = {"image", ASSAY_F32, 4, {-1, s->channels, s->side, s->side}};
        s->output = {"scores", ASSAY_F32, 2, {-1, s->classes}};
        s->graph = {"linear", 1, 1, &s->input, &s->output};
        *self = s.release(); // on success alone: without it the host does not call close
        return +ASSAY_OK;
    });
}

int describe(void *self, assay_model_desc *desc, assay_err *)
{
    desc->graph_count = 1;
    desc->graphs = &static_cast<Linear *>(self)->graph;
    desc->precision = "fp32";
    desc->device = "cpu";
    return ASSAY_OK;
}

float cell(const Linear &s, const float *plane, int64_t row, int64_t column)
{
    int64_t top = row * s.side / s.grid, bottom = (row + 1) * s.side / s.grid;
    int64_t left = column * s.side / s.grid, right = (column + 1) * s.side / s.grid;
    float sum = 0;

    for (int64_t y = top; y < bottom; y++)
        for (int64_t x = left; x < right; x++)
            sum += plane[y * s.side + x];
    return sum / static_cast<float>((bottom - top) * (right - left));
}

void classify(const Linear &s, const float *image, float *scores)
{
    int64_t cells = s.grid * s.grid, terms = 1 + s.channels * cells;

    for (int64_t k = 0; k < s.classes; k++)
        scores[k] = s.weights[k * terms];
    for (int64_t t = 0; t < terms - 1; t++) {
        const float *plane = image + t / cells * s.side * s.side;
        float average = cell(s, plane, t % cells / s.grid, t % s.grid);

        for (int64_t k = 0; k < s.classes; k++)
            scores[k] += s.weights[k * terms + 1 + t] * average;
    }
}

int submit(void *self, assay_batch *b, assay_err *err)
{
    auto &s = *static_cast<Linear *>(self);
    auto *image = static_cast<const float *>(b->inputs[0].data);
    std::vector<float> &scores = s.scores[b->lane];
    int64_t pixels = s.channels * s.side * s.side;
    int code = guarded(err, [&] {
        if (b->inputs[0].bytes != b->samples * pixels * sizeof(float))
            throw std::runtime_error("input 'image' has another shape than the model's");
        for (int64_t i = 0; i < b->samples; i++)
            classify(s, image + i * pixels, &scores[i * s.classes]);
        return +ASSAY_OK;
    });

    if (code)
        return code; // refused: done must not be called
    b->outputs[0] = {ASSAY_F32,
                     2,
                     {b->samples, s.classes},
                     scores.data(),
                     b->samples * s.classes * sizeof(float)};
    b->done(b, ASSAY_OK, nullptr);
    return ASSAY_OK;
}

void close(void *self)
{
    delete static_cast<Linear *>(self);
}

const char *const formats[] = {"linear", nullptr};

// C++17 has no designated initialisers: members that are not set are null.
assay_engine make_table()
{
    assay_engine t{};

    t.abi_major = ASSAY_ENGINE_ABI_MAJOR;
    t.abi_minor = ASSAY_ENGINE_ABI_MINOR;
    t.size = sizeof(t);
    t.name = "linear-cpp";
    t.summary = "the engine linear in C++";
    t.caps = ASSAY_CAP_DYNAMIC_BATCH;
    t.formats = formats;
    t.open = open;
    t.describe = describe;
    t.submit = submit;
    t.close = close;
    return t;
}

} // namespace

const assay_engine *assay_engine_entry()
{
    static const assay_engine table = make_table();

    return &table;
}

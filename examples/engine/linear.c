/* An engine with a model format of its own: a linear classifier of averages.
 *
 * A square image is averaged over a grid of cells in each channel; a class's score is its bias and
 * a weighted sum of those averages.  A model is a text file:
 *
 *     linear CHANNELS SIDE GRID CLASSES
 *     BIAS WEIGHT …          for each class: CHANNELS × GRID × GRID weights, cells row by row
 * Lanes share the weights; each has its own scores and one thread, whatever `threads` says. */
#include <assay/engine.h>
#include <stdlib.h>
#include <string.h>

struct linear {
    int channels, side, grid, classes, terms; /* terms: bias and weights of a class */
    uint32_t max_batch;
    float *weights; /* [classes][terms] */
    float *scores;  /* [lanes][max_batch][classes] */
    struct assay_tensor_spec input, output;
    struct assay_graph_desc graph;
};

static int read_model(struct linear *s, FILE *f, const char *path, struct assay_err *err)
{
    int *n[] = {&s->channels, &s->side, &s->grid, &s->classes};
    size_t count;

    if (fscanf(f, "linear %d %d %d %d", n[0], n[1], n[2], n[3]) != 4 || s->grid > s->side)
        return assay_fail(err, ASSAY_EFAIL, "%s: is no linear model", path);
    for (int i = 0; i < 4; i++)
        if (*n[i] < 1 || *n[i] > 1024)
            return assay_fail(err, ASSAY_EFAIL, "%s: %d is not 1 … 1024", path, *n[i]);
    s->terms = 1 + s->channels * s->grid * s->grid;
    count = (size_t)s->classes * (size_t)s->terms;
    if (!(s->weights = calloc(count, sizeof(float))))
        return assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", path);
    for (size_t i = 0; i < count; i++)
        if (fscanf(f, "%f", &s->weights[i]) != 1)
            return assay_fail(err, ASSAY_EFAIL, "%s: number %zu of %zu is missing", path, i, count);
    return ASSAY_OK;
}

static void linear_close(void *self)
{
    struct linear *s = self;

    if (s) {
        free(s->weights);
        free(s->scores);
        free(s);
    }
}

static int linear_open(const struct assay_engine_config *c, void **self, struct assay_err *err)
{
    FILE *f = fopen(c->model_path, "r");
    struct linear *s = calloc(1, sizeof(*s));
    int rc = ASSAY_OK;

    if (strcmp(c->device, "cpu") != 0)
        rc = assay_fail(err, ASSAY_EUNSUPPORTED, "device '%s': has only cpu", c->device);
    else if (!f || !s)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be opened", c->model_path);
    else if (!(rc = read_model(s, f, c->model_path, err)))
        s->scores = calloc((size_t)c->lanes * c->max_batch * (size_t)s->classes, sizeof(float));
    if (!rc && !s->scores)
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory for %u lanes", c->lanes);
    if (f)
        fclose(f);
    if (rc)
        return linear_close(s), rc;
    s->max_batch = c->max_batch;
    s->input =
        (struct assay_tensor_spec){"image", ASSAY_F32, 4, {-1, s->channels, s->side, s->side}};
    s->output = (struct assay_tensor_spec){"scores", ASSAY_F32, 2, {-1, s->classes}};
    s->graph = (struct assay_graph_desc){"linear", 1, 1, &s->input, &s->output};
    *self = s;
    return ASSAY_OK;
}

static int linear_describe(void *self, struct assay_model_desc *desc, struct assay_err *err)
{
    (void)err;
    desc->graph_count = 1;
    desc->graphs = &((struct linear *)self)->graph;
    desc->precision = "fp32";
    desc->device = "cpu";
    return ASSAY_OK;
}

/* The average of one cell.  Cells differ by a row or column where the grid does not divide. */
static float cell(const struct linear *s, const float *plane, int row, int column)
{
    int top = row * s->side / s->grid, bottom = (row + 1) * s->side / s->grid;
    int left = column * s->side / s->grid, right = (column + 1) * s->side / s->grid;
    float sum = 0;

    for (int y = top; y < bottom; y++)
        for (int x = left; x < right; x++)
            sum += plane[y * s->side + x];
    return sum / (float)((bottom - top) * (right - left));
}

static void classify(const struct linear *s, const float *image, float *scores)
{
    for (int k = 0; k < s->classes; k++)
        scores[k] = s->weights[k * s->terms];
    for (int t = 1; t < s->terms; t++) {
        int at = t - 1, cells = s->grid * s->grid;
        const float *plane = image + at / cells * s->side * s->side;
        float average = cell(s, plane, at % cells / s->grid, at % s->grid);

        for (int k = 0; k < s->classes; k++)
            scores[k] += s->weights[k * s->terms + t] * average;
    }
}

static int linear_submit(void *self, struct assay_batch *b, struct assay_err *err)
{
    const struct linear *s = self;
    float *scores = s->scores + (size_t)b->lane * s->max_batch * (size_t)s->classes;
    size_t pixels = (size_t)s->channels * (size_t)s->side * (size_t)s->side;

    if (b->inputs[0].bytes != b->samples * pixels * sizeof(float))
        return assay_fail(err, ASSAY_EFAIL, "input 'image' has another shape than the model's");
    for (uint32_t i = 0; i < b->samples; i++)
        classify(s, (const float *)b->inputs[0].data + i * pixels, scores + i * s->classes);
    b->outputs[0] = (struct assay_tensor){
        ASSAY_F32, 2, {b->samples, s->classes}, scores, b->samples * s->classes * sizeof(float)};
    b->done(b, ASSAY_OK, NULL);
    return ASSAY_OK;
}

static const struct assay_engine table = {
    .abi_major = ASSAY_ENGINE_ABI_MAJOR,
    .abi_minor = ASSAY_ENGINE_ABI_MINOR,
    .size = sizeof(struct assay_engine),
    .name = "linear",
    .summary = "a linear classifier of averages, read from a text file",
    .caps = ASSAY_CAP_DYNAMIC_BATCH,
    .formats = (const char *const[]){"linear", NULL},
    .open = linear_open,
    .describe = linear_describe,
    .submit = linear_submit,
    .close = linear_close,
};

const struct assay_engine *assay_engine_entry(void)
{
    return &table;
}

/* Do engines agree on the same net and the same samples?
 *
 * Bounds are parts of the range of the scores.  fp32 differs by the order of additions alone.  bf16
 * and fp16 keep 8 and 11 bits of a number, the leading one among them, and are held against the
 * other engine's fp32.  Each rounding is off by 2^-8 and 2^-11 of the number at most, so the bound
 * of fp16 is an eighth of bf16's, 0.1 / 2^(11-8).  Either is 25 such roundings that all point the
 * same way, and the net has 10 layers whose weights and results are rounded: PyTorch's bf16 was off
 * by 0.044, and by 0.0055 in float16, which its Python package computes on a processor too.  int8
 * is held against the other engine's int8 of the same file: both round to the same levels, but may
 * fuse and round in other places.  A sample counts for the class where its lead is above twice the
 * bound: what lies closer together may turn round within the bound. */
#include <stdlib.h>
#include <string.h>

#include "engine/answers.h"
#include "engine/host.h"

static const struct level {
    const char *mine, *theirs; /* precisions */
    double bound;
} levels[] = {
    {"fp32", "fp32", 1e-3}, {"fp16", "fp32", 0.0125}, {"bf16", "fp32", 0.1}, {"int8", "int8", 0.1}};

#define LEVELS (sizeof(levels) / sizeof(levels[0]))

/* One engine and what it answered at each precision. */
struct side {
    const char *name;
    const struct assay_engine *table;
    const char *device, *options, *runtime;
    struct {
        bool asked;
        int rc;
        struct assay_err err;
        struct answers answers;
    } at[LEVELS]; /* by the row of levels whose `mine` it is */
};

static bool lists(const char *const *list, const char *word)
{
    for (; list && *list; list++)
        if (strcmp(*list, word) == 0)
            return true;
    return false;
}

static size_t level_of(const char *precision)
{
    size_t i = 0;

    while (i + 1 < LEVELS && strcmp(levels[i].mine, precision) != 0)
        i++;
    return i;
}

static const struct engine_net_file *
file_in(const struct engine_agree_ask *ask, const struct assay_engine *table, const char *precision)
{
    for (size_t i = 0; i < ask->file_count; i++)
        if (strcmp(ask->files[i].precision, precision) == 0 &&
            lists(table->formats, ask->files[i].format))
            return &ask->files[i];
    return NULL;
}

/* The net in a format that the engine reads, at this precision.  16 bits may be a choice of the
 * engine's, made from the file in fp32, and are where there is no other. */
static const struct engine_net_file *find_file(const struct engine_agree_ask *ask,
                                               const struct assay_engine *table,
                                               const char *precision)
{
    const struct engine_net_file *file = file_in(ask, table, precision);

    return file || !strstr(precision, "16") ? file : file_in(ask, table, "fp32");
}

static bool offers(const struct side *s, const struct engine_agree_ask *ask, const char *precision)
{
    return lists(s->table->precisions, precision) && find_file(ask, s->table, precision);
}

/* At a precision that it offers.  NULL: *rc says why; ASSAY_EUNSUPPORTED: not on this machine. */
static const struct answers *side_ask(struct side *s, const struct engine_agree_ask *ask,
                                      const char *precision, int *rc, struct assay_err *err)
{
    size_t i = level_of(precision);
    const struct engine_net_file *file = find_file(ask, s->table, precision);
    struct answers_ask a = {s->name,   s->device, s->options,   NULL,
                            precision, NULL,      ask->samples, s->runtime};

    a.format = file->format;
    a.model = file->path;
    if (!s->at[i].asked) {
        s->at[i].asked = true;
        s->at[i].rc = answers_get(&a, &s->at[i].answers, &s->at[i].err);
    }
    if (s->at[i].rc) /* what a processor lacks is no failure, but everything computes fp32 */
        *rc = assay_fail(err, i ? s->at[i].rc : ASSAY_EFAIL, "%s in %s: %.400s", s->table->name,
                         precision, s->at[i].err.text);
    else if (strcmp(s->at[i].answers.precision, precision) != 0)
        *rc = assay_fail(err, ASSAY_EUNSUPPORTED, "%s executes %s here, asked for %s",
                         s->table->name, s->at[i].answers.precision, precision);
    else
        *rc = ASSAY_OK;
    return *rc ? NULL : &s->at[i].answers;
}

static void side_release(struct side *s)
{
    for (size_t i = 0; i < LEVELS; i++)
        answers_release(&s->at[i].answers);
}

static void report(FILE *out, struct engine_conform *sum, int rc, const char *with,
                   const char *words)
{
    fprintf(out, "%s  agrees with %s%s%s%s\n",
            !rc                        ? "ok  "
            : rc == ASSAY_EUNSUPPORTED ? "skip"
                                       : "FAIL",
            with, *words ? " (" : "", words, *words ? ")" : "");
    fflush(out);
    (*(!rc ? &sum->passed : rc == ASSAY_EUNSUPPORTED ? &sum->skipped : &sum->failed))++;
}

static void compare_level(struct side *mine, struct side *theirs, const struct level *l,
                          const struct engine_agree_ask *ask, FILE *out, struct engine_conform *sum)
{
    const struct answers *a, *b = NULL;
    struct answers_gap gap;
    struct assay_err err = {0};
    char with[128];
    int rc;

    if (!offers(mine, ask, l->mine) || !offers(theirs, ask, l->theirs))
        return;
    snprintf(with, sizeof(with), "%s in %s", theirs->name, l->mine);
    a = side_ask(mine, ask, l->mine, &rc, &err);
    if (a)
        b = side_ask(theirs, ask, l->theirs, &rc, &err);
    if (b)
        rc = answers_compare(a, b, l->bound, 2 * l->bound, &gap, &err);
    if (!rc)
        snprintf(err.text, sizeof(err.text),
                 "largest difference %.2g of the range, bound %g; same class for %zu of %zu "
                 "samples with a lead above %g, of %zu classes",
                 gap.largest, l->bound, gap.leading, b->samples, 2 * l->bound, gap.classes);
    report(out, sum, rc, with, err.text);
}

/* Whether the engine can be run here; the words say what is missing.  The caller frees *runtime. */
static int usable(const char *name, const struct engine_loaded *e,
                  const struct engine_agree_ask *ask, char **runtime, struct assay_err *err)
{
    struct assay_engine_probe probe;
    int rc = e->rc;

    *runtime = NULL;
    if (rc)
        *err = e->err;
    if (!rc && ask->find)
        rc = ask->find(ask->ctx, name, runtime, err);
    if (!rc)
        rc = engine_probe(name, *runtime, &probe, err);
    if (!rc && !probe.device_count)
        rc = assay_fail(err, ASSAY_EUNSUPPORTED, "%s", probe.note);
    return rc;
}

static void compare_with(struct side *mine, const char *name, const struct engine_loaded *e,
                         const struct engine_agree_ask *ask, FILE *out, struct engine_conform *sum)
{
    struct side theirs = {.name = name, .table = e->table};
    struct assay_err err = {0};
    char *runtime;
    bool here = !usable(name, e, ask, &runtime, &err);

    theirs.runtime = runtime;
    if (!here) /* one that was asked for must be there */
        report(out, sum, ask->with ? ASSAY_EFAIL : ASSAY_EUNSUPPORTED, name, err.text);
    for (size_t i = 0; here && !(theirs.table->caps & ASSAY_CAP_ANY_MODEL) && i < LEVELS; i++)
        compare_level(mine, &theirs, &levels[i], ask, out, sum);
    side_release(&theirs);
    free(runtime);
}

/* The engines to hold it against: names, sorted. */
static json_t *partners(const struct side *mine, const struct engine_agree_ask *ask)
{
    json_t *list = json_array(), *installed = engine_list(), *name;
    size_t i;

    if (ask->with)
        json_array_append_new(list, json_string(ask->with));
    json_array_foreach(installed, i,
                       name) if (!ask->with && strcmp(json_string_value(name), mine->table->name))
        json_array_append(list, name);
    json_decref(installed);
    return list;
}

int engine_agree(const char *name, const struct engine_agree_ask *ask, FILE *out,
                 struct engine_conform *sum, struct assay_err *err)
{
    struct side mine = {
        .name = name, .device = ask->device, .options = ask->options, .runtime = ask->runtime};
    const struct assay_engine *with;
    char path[1024];
    struct engine_loaded *others;
    json_t *list, *other;
    size_t i;
    int rc = engine_load(name, &mine.table, path, err);

    if (!rc && ask->with)
        rc = engine_load(ask->with, &with, path, err);
    if (rc)
        return rc;
    if (!find_file(ask, mine.table, "fp32")) {
        report(out, sum, ASSAY_EUNSUPPORTED, "other engines",
               mine.table->caps & ASSAY_CAP_ANY_MODEL ? "it computes no net"
                                                      : "no net is written in a format it reads");
        return ASSAY_OK;
    }
    list = partners(&mine, ask);
    if (!(others = engine_load_all(list)))
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    json_array_foreach(list, i, other)
    {
        if (others)
            compare_with(&mine, json_string_value(other), &others[i], ask, out, sum);
    }
    free(others);
    json_decref(list);
    side_release(&mine);
    return rc;
}

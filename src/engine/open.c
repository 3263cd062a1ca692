/* Opens and closes engines: checks what the engine is given before it sees it, and what it says of
 * itself before anyone believes it. */
#include "engine/open.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "engine/offer.h"

/* A synchronous engine has one batch in flight; the rest keeps a used guard away from its next
 * flight.  An asynchronous one may have that many on one lane; more is answered AGAIN. */
#define GUARDS_SYNC  16
#define GUARDS_ASYNC 4096

#define ERR_TEXT sizeof(((struct assay_err *)0)->text)

bool engine_is_of_memory(const char *text)
{
    static const char *const hints[] = {
        "bad_alloc",     "bad allocation", "t alloc",      "to allocate",
        "out of memory", "OOM when",       "ALLOC_FAILED", "could not create a primitive"};

    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
        if (strstr(text, hints[i]))
            return true;
    return false;
}

/* Puts in front what a library's words only hint at, and what helps; samples: 0: of no batch. */
static void say_memory(const struct engine *e, uint32_t samples, char text[ERR_TEXT])
{
    bool batch = samples ? samples > 1 : e->asked_batch > 1, lanes = e->lane_count > 1;
    char words[ERR_TEXT], of[32] = "";
    const char *less = batch && lanes ? ", give a smaller --batch or fewer --lanes"
                       : batch        ? ", give a smaller --batch"
                       : lanes        ? ", give fewer --lanes"
                                      : "";

    if (!engine_is_of_memory(text) || !strncmp(text, "not enough memory", 17))
        return;
    snprintf(words, sizeof(words), "%s", text);
    if (samples)
        snprintf(of, sizeof(of), " for a batch of %u", samples);
    snprintf(text, ERR_TEXT, "not enough memory%s%s: %.380s", of, less, words);
}

int engine_name_error(const struct engine *e, const char *hook, uint32_t samples, int code,
                      const struct assay_err *words, struct assay_err *err)
{
    struct assay_err line = *words;

    text_one_line(line.text);
    say_memory(e, samples, line.text);
    if (line.text[0])
        return assay_fail(err, code, "%s: %.480s", e->table->name, line.text);
    return assay_fail(err, code, "%s: %s failed with code %d and no words", e->table->name, hook,
                      code);
}

static int check_format(const struct assay_engine *t, const struct assay_engine_config *c,
                        struct assay_err *err)
{
    struct text known;
    bool found = false;

    text_init(&known, 200);
    for (int i = 0; t->formats && t->formats[i]; i++) {
        text_addf(&known, "%s%s", i ? ", " : "", t->formats[i]);
        found |= c->format && strcmp(c->format, t->formats[i]) == 0;
    }
    if (!found)
        assay_fail(err, ASSAY_EUNSUPPORTED, "%s: does not read models of format '%s', but %s",
                   t->name, c->format ? c->format : "", known.s);
    text_release(&known);
    return found ? ASSAY_OK : ASSAY_EUNSUPPORTED;
}

int engine_check_precision(const struct assay_engine *t, const char *precision,
                           struct assay_err *err)
{
    if (!t->precisions || !t->precisions[0] || !precision)
        return ASSAY_OK;
    for (int i = 0; t->precisions[i]; i++)
        if (strcmp(precision, t->precisions[i]) == 0)
            return ASSAY_OK;
    return assay_fail(err, ASSAY_EUNSUPPORTED,
                      "%s: has no precision '%s'; `assay engines %s` lists them", t->name,
                      precision, t->name);
}

static int find_device(const struct assay_engine_probe *p, const char *device)
{
    size_t word = strcspn(device, ":");

    for (uint32_t i = 0; i < p->device_count && i < ASSAY_PROBE_DEVICES; i++)
        if (strcmp(p->devices[i], device) == 0 ||
            (!strncmp(p->devices[i], device, word) && (!device[word] || !p->devices[i][word]) &&
             !strcmp(device[word] ? device + word : p->devices[i] + word, ":0")))
            return (int)i;
    return -1;
}

bool engine_has_device(const struct assay_engine_probe *p, const char *device)
{
    return find_device(p, device) >= 0;
}

const char *engine_device_name(const struct assay_engine_probe *p, const char *device)
{
    int i = find_device(p, device);

    return i < 0 ? "" : p->device_names[i];
}

/* "cpu", "cuda:0": letters, then perhaps ':' and a number. */
int engine_check_device(const struct assay_engine *t, const char *device, struct assay_err *err)
{
    size_t word = device ? strspn(device, "abcdefghijklmnopqrstuvwxyz") : 0;
    const char *number = word && device[word] == ':' ? device + word + 1 : NULL;

    if (word && !device[word])
        return ASSAY_OK;
    if (number && *number && strlen(number) < 5 && !number[strspn(number, "0123456789")])
        return ASSAY_OK;
    return assay_fail(err, ASSAY_EUSAGE, "%s: device '%s' is not written as cpu or cuda:0", t->name,
                      device ? device : "");
}

static int check_config(const struct assay_engine *t, const struct assay_engine_config *c,
                        struct assay_err *err)
{
    uint32_t rows = 0;
    int rc;

    while (t->options && t->options[rows].name)
        rows++;
    if (!c->lanes || !c->threads || !c->max_batch)
        return assay_fail(err, ASSAY_EUSAGE, "%s: lanes, threads and batch must be at least 1",
                          t->name);
    if (c->option_count != rows)
        return assay_fail(err, ASSAY_EFAIL, "%s: %u option values for a table of %u", t->name,
                          c->option_count, rows);
    if ((rc = engine_check_device(t, c->device, err)) ||
        (rc = engine_check_precision(t, c->precision, err)))
        return rc;
    if (!c->model_path && (t->caps & ASSAY_CAP_ANY_MODEL))
        return ASSAY_OK;
    if (!c->model_path)
        return assay_fail(err, ASSAY_EUSAGE, "%s: needs a model file", t->name);
    if (t->formats && t->formats[0] && (rc = check_format(t, c, err)))
        return rc;
    if (!file_exists(c->model_path))
        return assay_fail(err, ASSAY_EFAIL, "%s: model %s: no such file", t->name, c->model_path);
    return ASSAY_OK;
}

static int lanes_init(struct engine *e, uint32_t lanes, struct assay_err *err)
{
    uint32_t guards = e->async ? GUARDS_ASYNC : GUARDS_SYNC;

    e->lanes = calloc(lanes, sizeof(*e->lanes));
    if (!e->lanes)
        return assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", e->table->name);
    e->lane_count = lanes;
    for (uint32_t i = 0; i < lanes; i++) {
        struct engine_lane *l = &e->lanes[i];

        l->engine = e;
        l->guard_count = guards;
        l->guards = calloc(guards, sizeof(*l->guards));
        if (!l->guards)
            return assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", e->table->name);
        for (uint32_t g = 0; g < guards; g++)
            l->guards[g].lane = l;
    }
    return ASSAY_OK;
}

static void engine_free(struct engine *e)
{
    for (uint32_t i = 0; e->lanes && i < e->lane_count; i++)
        free(e->lanes[i].guards);
    free(e->lanes);
    free(e->told);
    free(e->told_specs);
    free(e);
}

/* The engines name the command of the source tree. */
static void say_install(const char *name, struct assay_err *words)
{
    char *there = text_format("`assay engines install %s --device cuda`", name);
    char *at = there ? strstr(words->text, there) : NULL, how[1200];
    struct text all;

    text_init(&all, sizeof(words->text));
    if (at) {
        engine_cuda_how(name, how, sizeof(how));
        text_addn(&all, words->text, (size_t)(at - words->text));
        text_addf(&all, "%s%s", how, at + strlen(there));
        snprintf(words->text, sizeof(words->text), "%s", all.s);
    }
    text_release(&all);
    free(there);
}

static int describe(struct engine *e, struct assay_err *err)
{
    struct assay_err words = {0};
    int rc;

    e->desc.size = sizeof(e->desc);
    rc = e->table->describe(e->self, &e->desc, &words);
    if (!rc)
        rc = engine_check_desc(&e->desc, &words);
    e->own = e->desc.graphs;
    if (!rc)
        rc = engine_hide_halves(e, &words);
    return rc ? engine_name_error(e, "describe", 0, rc, &words, err) : ASSAY_OK;
}

int engine_open(const struct assay_engine *table, const struct assay_engine_config *config,
                struct engine **out, struct assay_err *err)
{
    struct engine *e = NULL;
    struct assay_err words = {0};
    int rc = check_config(table, config, err);

    if (rc)
        return rc;
    e = calloc(1, sizeof(*e));
    if (!e)
        return assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", table->name);
    e->table = table;
    e->async = (table->caps & ASSAY_CAP_ASYNC) != 0;
    e->asked_batch = config->settles ? 1 : config->max_batch;
    atomic_flag_clear(&e->faulted);
    if ((rc = lanes_init(e, config->lanes, err)))
        goto out;
    rc = engine_runtime_check(config->runtime_dir, &words);
    if (!rc)
        rc = table->open(config, &e->self, &words);
    if (rc) {
        say_install(table->name, &words);
        engine_name_error(e, "open", 0, rc, &words, err);
        goto out;
    }
    if ((rc = describe(e, err))) {
        table->close(e->self);
        goto out;
    }
    *out = e;
    return ASSAY_OK;
out:
    engine_free(e);
    return rc;
}

const struct assay_model_desc *engine_desc(const struct engine *e)
{
    return &e->desc;
}

int engine_lane_open(struct engine *e, uint32_t lane, struct assay_err *err)
{
    struct assay_err words = {0};
    int rc = ASSAY_OK;

    if (lane >= e->lane_count || e->lanes[lane].open)
        return assay_fail(err, ASSAY_EFAIL, "%s: lane %u of %u cannot be opened", e->table->name,
                          lane, e->lane_count);
    for (uint32_t g = 0; g < e->lanes[lane].guard_count; g++)
        e->lanes[lane].guards[g].view.lane = lane;
    if (e->table->lane_open && (rc = e->table->lane_open(e->self, lane, &words)))
        return engine_name_error(e, "lane_open", 0, rc, &words, err);
    e->lanes[lane].open = true;
    return ASSAY_OK;
}

void engine_lane_close(struct engine *e, uint32_t lane)
{
    if (lane >= e->lane_count || !e->lanes[lane].open)
        return;
    if (e->table->lane_close)
        e->table->lane_close(e->self, lane);
    engine_free_halves(&e->lanes[lane]);
    e->lanes[lane].open = false;
}

bool engine_settles(const struct assay_engine *t)
{
    return t->size > offsetof(struct assay_engine, settle) && t->settle;
}

int engine_settle(struct engine *e, uint32_t samples, struct assay_err *err)
{
    struct assay_err words = {0};
    int rc = engine_settles(e->table) ? e->table->settle(e->self, samples, &words) : ASSAY_OK;

    return rc ? engine_name_error(e, "settle", 0, rc, &words, err) : ASSAY_OK;
}

void *engine_alloc(struct engine *e, size_t bytes)
{
    if (e->table->alloc)
        return e->table->alloc(e->self, bytes);
    return aligned_alloc(64, (bytes + 63) / 64 * 64);
}

void engine_release(struct engine *e, void *memory)
{
    if (e->table->alloc)
        e->table->release(e->self, memory);
    else
        free(memory);
}

void engine_on_fault(struct engine *e, void (*fault)(void *ctx, const struct assay_err *err),
                     void *ctx)
{
    e->fault = fault;
    e->fault_ctx = ctx;
}

const struct engine_lane_stats *engine_stats(const struct engine *e, uint32_t lane)
{
    return &e->lanes[lane].stats;
}

static bool idle(const struct engine *e)
{
    for (uint32_t i = 0; i < e->lane_count; i++)
        for (uint32_t g = 0; g < e->lanes[i].guard_count; g++)
            if (atomic_load(&e->lanes[i].guards[g].word) & (GUARD_FLYING | GUARD_BUSY))
                return false;
    return true;
}

void engine_close(struct engine *e)
{
    static struct engine *kept; /* what a late completion may still reach; only ever grows */

    if (!e)
        return;
    for (uint32_t i = 0; i < e->lane_count; i++)
        engine_lane_close(e, i);
    e->table->close(e->self);
    if (idle(e)) {
        engine_free(e);
        return;
    }
    e->self = kept;
    kept = e;
}

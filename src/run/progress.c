/* What the user sees while a run goes on. */
#include "run/progress.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/tree.h"

#define EVERY_NS       1000000000
#define EVERY_PLAIN_NS 10000000000

void progress_begin(struct progress *p, const char *how)
{
    memset(p, 0, sizeof(*p));
    p->phase = -1;
    p->style = !strcmp(how, "none")    ? PROGRESS_NONE
               : !strcmp(how, "json")  ? PROGRESS_JSON
               : !strcmp(how, "plain") ? PROGRESS_PLAIN
               : isatty(STDERR_FILENO) ? PROGRESS_LINE
                                       : PROGRESS_PLAIN;
}

/* "run SingleStream  12 of 60 s  1234 samples, 45.6/s" */
static void describe(const struct progress *p, const struct run_shared *s, int64_t now, char *out,
                     size_t size)
{
    int phase = atomic_load(&s->phase);
    int64_t since = atomic_load(&s->phase_since_ns), target = atomic_load(&s->target_ns);
    uint64_t done = atomic_load(&s->done), total = atomic_load(&s->total),
             completed = atomic_load(&s->completed);
    double seconds = since ? (double)(now - since) * 1e-9 : 0;
    int n =
        snprintf(out, size, "%s %.100s", run_phase_names[phase < PHASE_COUNT ? phase : 0], s->what);

    if (total)
        n += snprintf(out + n, size - (size_t)n, "  %llu of %llu", (unsigned long long)done,
                      (unsigned long long)total);
    if (target)
        n += snprintf(out + n, size - (size_t)n, "  %.*f of %.*f s", target < 10000000000 ? 1 : 0,
                      seconds, target < 10000000000 ? 1 : 0, (double)target * 1e-9);
    else if (seconds >= 1)
        n += snprintf(out + n, size - (size_t)n, "  %.0f s", seconds);
    if (phase >= PHASE_WARMUP && phase <= PHASE_RUN && now > p->last_ns && p->last_ns)
        snprintf(out + n, size - (size_t)n, "  %llu samples, %.4g/s", (unsigned long long)completed,
                 (double)(completed - p->last_completed) / ((double)(now - p->last_ns) * 1e-9));
}

static void show_json(const struct run_shared *s, int64_t now)
{
    int phase = atomic_load(&s->phase);

    fprintf(stderr,
            "{\"schema\": \"assay.progress/1\", \"phase\": \"%s\", \"seconds\": %.1f, "
            "\"target_seconds\": %.1f, "
            "\"done\": %llu, \"total\": %llu, \"issued\": %llu, \"completed\": %llu}\n",
            run_phase_names[phase < PHASE_COUNT ? phase : 0],
            (double)(now - atomic_load(&s->phase_since_ns)) * 1e-9,
            (double)atomic_load(&s->target_ns) * 1e-9, (unsigned long long)atomic_load(&s->done),
            (unsigned long long)atomic_load(&s->total), (unsigned long long)atomic_load(&s->issued),
            (unsigned long long)atomic_load(&s->completed));
}

void progress_show(struct progress *p, const struct run_shared *s)
{
    int64_t now = clock_ns(), since = atomic_load(&s->phase_since_ns);
    int phase = atomic_load(&s->phase);
    bool fresh = phase != p->phase || since != p->since_ns;
    char text[256];

    if (p->style == PROGRESS_NONE || phase == PHASE_START || phase == PHASE_DONE ||
        (!fresh && now - p->last_ns < (p->style == PROGRESS_PLAIN ? EVERY_PLAIN_NS : EVERY_NS)))
        return;
    if (p->style == PROGRESS_JSON) {
        show_json(s, now);
    } else {
        describe(p, s, now, text, sizeof(text));
        p->open = p->style == PROGRESS_LINE;
        if (p->open)
            text_fit_line(text);
        fprintf(stderr, p->open ? "\r\033[K%s" : "%s\n", text);
    }
    fflush(stderr);
    p->phase = phase;
    p->since_ns = since;
    p->last_ns = now;
    p->last_completed = atomic_load(&s->completed);
}

void progress_end(struct progress *p)
{
    if (p->open)
        fprintf(stderr, "\r\033[K");
    p->open = false;
}

static void line_json(const char *phase, double seconds, const char *text)
{
    json_t *o = json_pack("{s:s, s:s, s:f, s:o}", "schema", "assay.progress/1", "phase", phase,
                          "seconds", seconds, "text", tree_string(text));
    char *json = o ? json_dumps(o, JSON_COMPACT) : NULL;

    if (json)
        fprintf(stderr, "%s\n", json);
    free(json);
    json_decref(o);
}

void progress_line(const char *how, const char *phase, double seconds, const char *text)
{
    if (how && !strcmp(how, "json"))
        line_json(phase, seconds, text);
    else if (!how || strcmp(how, "none") != 0)
        fprintf(stderr, "%s\n", text);
    fflush(stderr);
}

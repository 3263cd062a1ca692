/* The meter; see energy.h.
 *
 * Begin, mark and the thread all do the same: ask each source what it took since it was asked last.
 * One mutex makes them follow each other.  A source that fails in between is unknown until the next
 * begin: a sum with a hole in it would be a number that nobody measured.  So is one that did not
 * move at all, since nothing that runs takes no energy. */
#include "record/energy_source.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/tree.h"

struct energy {
    struct energy_source source[ENERGY_SOURCES_MAX];
    size_t count;
    const char *need; /* the kind that is the device's own */
    bool begun;       /* sources are looked at */
    int64_t began_ns, looked_ns;
    struct {
        bool made, known[ENERGY_SOURCES_MAX];
        double joules[ENERGY_SOURCES_MAX], seconds;
    } mark;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stop, threaded;
};

bool energy_refuse(struct energy_source *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(s->reason, sizeof(s->reason), fmt, ap);
    va_end(ap);
    return false;
}

/* ---- looking ---- */

/* When: half-way, as asking takes its time too. */
static void look(struct energy *e, bool first)
{
    int64_t now = clock_ns();
    double seconds = first ? -1 : (double)(now - e->looked_ns) * 1e-9;

    for (size_t i = 0; i < e->count; i++) {
        struct energy_source *s = &e->source[i];

        if (s->look && !s->reason[0])
            s->look(s, seconds);
    }
    e->looked_ns = now + (clock_ns() - now) / 2;
}

static double period(const struct energy *e)
{
    double least = INFINITY;

    for (size_t i = 0; i < e->count; i++)
        if (e->source[i].look)
            least = fmin(least, e->source[i].every_s);
    return least;
}

static void *look_on(void *arg)
{
    struct energy *e = arg;
    int64_t every = (int64_t)(period(e) * 1e9), next = clock_ns();

    pthread_mutex_lock(&e->mutex);
    while (!e->stop) {
        struct timespec until;

        next += every;
        until = (struct timespec){next / 1000000000, next % 1000000000};
        while (!e->stop && clock_ns() < next)
            pthread_cond_timedwait(&e->wake, &e->mutex, &until);
        if (!e->stop && e->begun)
            look(e, false);
    }
    pthread_mutex_unlock(&e->mutex);
    return NULL;
}

/* Signals are for the thread that waits for the run.  Without this thread there is no meter: wraps
 * would be missed. */
static void start(struct energy *e)
{
    sigset_t all, before;

    if (!isfinite(period(e)))
        return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    e->threaded = !pthread_create(&e->thread, NULL, look_on, e);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    for (size_t i = 0; i < e->count && !e->threaded; i++)
        if (e->source[i].look) {
            energy_refuse(&e->source[i], "the thread that reads it cannot be started");
            e->source[i].look = NULL;
        }
}

/* ---- the calls ---- */

/* A device whose energy is told nowhere. */
static void add_unreadable(struct energy *e, const char *name, const char *reason)
{
    struct energy_source *s = &e->source[e->count++];

    s->kind = ENERGY_OTHER;
    snprintf(s->name, sizeof(s->name), "%.60s", name);
    energy_refuse(s, "%s", reason);
}

struct energy *energy_open(const struct energy_ask *ask)
{
    struct energy *e = calloc(1, sizeof(*e));
    const char *device = ask->device ? ask->device : "cpu",
               *root = ask->root ? ask->root : getenv("ASSAY_SYSROOT");
    pthread_condattr_t attr;

    if (!e)
        return NULL;
    e->need = ENERGY_OTHER;
    e->count = energy_rapl_open(root ? root : "", e->source, ENERGY_SOURCES_MAX - 1);
    if (ask->remote)
        add_unreadable(e, "server", "the energy of another machine cannot be read here");
    else if (!strncmp(device, "cpu", 3))
        e->need = ENERGY_RAPL;
    else if (!strncmp(device, "cuda", 4))
        e->need = ENERGY_NVML;
    else
        add_unreadable(e, device, "only processors and NVIDIA's cards tell their energy here");
    if (!strcmp(e->need, ENERGY_NVML))
        e->count += energy_nvml_open(ask, &e->source[e->count]);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&e->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&e->mutex, NULL);
    start(e);
    return e;
}

void energy_close(struct energy *e)
{
    if (!e)
        return;
    if (e->threaded) {
        pthread_mutex_lock(&e->mutex);
        e->stop = true;
        pthread_cond_signal(&e->wake);
        pthread_mutex_unlock(&e->mutex);
        pthread_join(e->thread, NULL);
    }
    for (size_t i = 0; i < e->count; i++)
        if (e->source[i].close)
            e->source[i].close(&e->source[i]);
    pthread_cond_destroy(&e->wake);
    pthread_mutex_destroy(&e->mutex);
    free(e);
}

void energy_begin(struct energy *e)
{
    if (!e)
        return;
    pthread_mutex_lock(&e->mutex);
    e->mark.made = false;
    for (size_t i = 0; i < e->count; i++)
        if (e->source[i].look) {
            e->source[i].reason[0] = 0;
            e->source[i].joules = 0;
        }
    look(e, true);
    e->began_ns = e->looked_ns;
    e->begun = true;
    pthread_mutex_unlock(&e->mutex);
}

void energy_mark(struct energy *e)
{
    if (!e)
        return;
    pthread_mutex_lock(&e->mutex);
    if (e->begun) {
        look(e, false);
        for (size_t i = 0; i < e->count; i++) {
            e->mark.known[i] = e->source[i].look && !e->source[i].reason[0];
            e->mark.joules[i] = e->source[i].joules;
        }
        e->mark.seconds = (double)(e->looked_ns - e->began_ns) * 1e-9;
        e->mark.made = true;
    }
    pthread_mutex_unlock(&e->mutex);
}

/* ---- the result ---- */

/* The reason why a source is unknown; NULL: it is known. */
static const char *why(const struct energy *e, size_t i, char out[240])
{
    if (!e->mark.made && e->source[i].look)
        return "nothing was measured";
    if (!e->mark.known[i])
        return e->source[i].reason;
    if (e->mark.joules[i] > 0)
        return NULL;
    snprintf(out, 240, "%.100s: its counter did not move in %.3g s", e->source[i].source,
             e->mark.seconds);
    return out;
}

static json_t *source_json(const struct energy *e, size_t i)
{
    const struct energy_source *s = &e->source[i];
    char text[240];
    const char *reason = why(e, i, text);
    double joules = e->mark.joules[i];
    json_t *out = json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:s}", "name", s->name, "kind", s->kind, "from",
        reason ? "unknown" : "detected", "joules", reason ? json_null() : json_real(joules),
        "watts", reason ? json_null() : json_real(joules / e->mark.seconds), "source", s->source);

    if (reason)
        json_object_set_new(out, "reason", json_string(reason));
    return out;
}

/* Adds a kind's joules when all of its sources are known, and there is one; else says why not. */
static bool add_kind(const struct energy *e, const char *kind, double *joules, char reason[240])
{
    double sum = 0;
    size_t n = 0;

    for (size_t i = 0; i < e->count; i++) {
        char text[240];
        const char *is;

        if (strcmp(e->source[i].kind, kind))
            continue;
        if ((is = why(e, i, text))) {
            snprintf(reason, 240, "%s", is);
            return false;
        }
        sum += e->mark.joules[i];
        n++;
    }
    *joules += sum;
    return n > 0;
}

json_t *energy_json(struct energy *e)
{
    char own[240] = "", packages[240] = "";
    double joules = 0;
    bool known, whole;
    json_t *out, *sources;

    if (!e)
        return NULL;
    sources = json_array();
    pthread_mutex_lock(&e->mutex);
    known = whole = add_kind(e, e->need, &joules, own);
    if (strcmp(e->need, ENERGY_RAPL))
        whole = add_kind(e, ENERGY_RAPL, &joules, packages) && known;
    for (size_t i = 0; i < e->count; i++)
        json_array_append_new(sources, source_json(e, i));
    out = json_pack("{s:s, s:b, s:f, s:o, s:o, s:o}", "from", known ? "detected" : "unknown",
                    "complete", (int)whole, "seconds", e->mark.made ? e->mark.seconds : 0.0,
                    "joules", known ? json_real(joules) : json_null(), "watts",
                    known ? json_real(joules / e->mark.seconds) : json_null(), "sources", sources);
    if (!known)
        json_object_set_new(out, "reason", json_string(own));
    else if (!whole)
        json_object_set_new(out, "reason", json_sprintf("without the processors: %s", packages));
    pthread_mutex_unlock(&e->mutex);
    return out;
}

void energy_put_samples(json_t *energy, uint64_t samples)
{
    double joules = tree_real(energy, "joules", NAN) / (double)samples;

    json_object_set_new(energy, "samples", json_integer((json_int_t)samples));
    json_object_set_new(energy, "joules_per_sample",
                        isfinite(joules) ? json_real(joules) : json_null());
}

/* ---- of a record ---- */

const json_t *energy_of(const json_t *record)
{
    const json_t *energy = json_object_get(record, "energy");

    return json_is_object(energy) ? energy : NULL;
}

double energy_per_sample(const json_t *record)
{
    const json_t *energy = energy_of(record);
    double joules = tree_real(energy, "joules_per_sample", NAN);

    return !strcmp(tree_text(energy, "from", ""), "detected") && isfinite(joules) && joules > 0
               ? joules
               : NAN;
}

const char *energy_covers(const json_t *energy)
{
    const json_t *s;
    bool card = false;
    size_t i;

    if (strcmp(tree_text(energy, "from", ""), "detected"))
        return "";
    json_array_foreach(json_object_get(energy, "sources"), i, s)
    {
        card = card || !strcmp(tree_text(s, "kind", ""), ENERGY_NVML);
    }
    return !card                                  ? "processors"
           : tree_bool(energy, "complete", false) ? "processors and card"
                                                  : "card";
}

bool energy_comparable(const json_t *a, const json_t *b)
{
    const json_t *x = energy_of(a), *y = energy_of(b);

    return isfinite(energy_per_sample(a)) && isfinite(energy_per_sample(b)) &&
           ((tree_bool(x, "complete", false) && tree_bool(y, "complete", false)) ||
            !strcmp(energy_covers(x), energy_covers(y)));
}

/* The scheduler: a few threads that take the next step whose needs are there, and the caller's
 * thread that shows how it goes on. */
#include "flow/make.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "flow/make_inside.h"

#define MAX_JOBS     64
#define DEFAULT_JOBS 4
#define TICK_NS      250000000

/* QUEUED: RUNNING as it is told while somebody else makes it. */
enum status { WAITING, QUEUED, RUNNING, DONE, FAILED, STOPPED };

struct job {
    struct plan *plan;
    struct step *steps; /* by node */
    enum status *status;
    enum status *told; /* what the caller was shown of it */
    pthread_mutex_t lock;
    pthread_cond_t change;
    size_t total;
    int running, first_failed;
    volatile int stop; /* all that runs */
    struct assay_err err;
};

/* Goes from 0 to 1 once, and whoever reads it, a library's callback included, may see that a moment
 * later: no order is wanted, so ThreadSanitizer need not watch it. */
__attribute__((no_sanitize_thread)) static void end_all(struct job *j)
{
    j->stop = 1;
}

static bool is_there(const struct job *j, size_t node)
{
    return !plan_has_work(&j->plan->nodes[node]) || j->status[node] == DONE;
}

static bool can_start(const struct job *j, size_t node)
{
    const struct plan_node *n = &j->plan->nodes[node];

    if (j->status[node] != WAITING || !plan_has_work(n))
        return false;
    if (n->downloads >= 0 && !is_there(j, (size_t)n->downloads))
        return false;
    for (size_t i = 0; i < n->need_count; i++)
        if (!is_there(j, n->needs[i].to))
            return false;
    return true;
}

/* The next step; SIZE_MAX: none can be started now. */
static size_t next_step(const struct job *j)
{
    for (size_t i = 0; i < j->plan->count; i++)
        if (can_start(j, i))
            return i;
    return SIZE_MAX;
}

/* Nothing more is begun. */
static bool is_ending(const struct job *j)
{
    return j->stop || j->first_failed >= 0;
}

static void note(struct step *s, const char *text)
{
    struct job *j = s->job;

    pthread_mutex_lock(&j->lock);
    snprintf(s->note, sizeof(s->note), "%s", text);
    pthread_cond_broadcast(&j->change);
    pthread_mutex_unlock(&j->lock);
}

/* With the lock held.  Of the first that fails it is said at the end why; others may go on long. */
static void finish(struct job *j, size_t at, int rc, const struct assay_err *err)
{
    struct step *s = &j->steps[at];

    j->status[at] = !rc ? DONE : rc == ASSAY_ESTOP ? STOPPED : FAILED;
    j->running--;
    if (j->status[at] == FAILED && (j->first_failed >= 0 || j->running))
        snprintf(s->note, sizeof(s->note), "%.330s%s", err->text,
                 j->running ? " (what is under way is finished first)" : "");
    if (j->status[at] == FAILED && j->first_failed < 0) {
        j->first_failed = (int)at;
        j->err = *err;
    }
    pthread_cond_broadcast(&j->change);
}

static void *work(void *arg)
{
    struct job *j = arg;

    pthread_mutex_lock(&j->lock);
    for (;;) {
        size_t at = is_ending(j) ? SIZE_MAX : next_step(j);
        struct assay_err err = {0};
        int rc;

        if (at == SIZE_MAX && (is_ending(j) || !j->running))
            break;
        if (at == SIZE_MAX) {
            pthread_cond_wait(&j->change, &j->lock);
            continue;
        }
        j->status[at] = RUNNING;
        j->running++;
        pthread_mutex_unlock(&j->lock);
        rc = step_do(&j->steps[at], &err);
        pthread_mutex_lock(&j->lock);
        finish(j, at, rc, &err);
    }
    pthread_cond_broadcast(&j->change);
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

/* Shows. */

/* What is done has the size that it has, whatever was published. */
static void add_bytes(struct job *j, size_t i, struct make_progress *p)
{
    struct step *s = &j->steps[i];
    int64_t bytes = atomic_load(&s->bytes), all = atomic_load(&s->all_bytes);

    if (!s->node->fetches || s->node->state != PLAN_MAKE)
        return;
    p->bytes += bytes;
    p->came += atomic_load(&s->came);
    if (j->status[i] != DONE && (atomic_load(&s->unknown) || bytes > all))
        p->all_bytes = -1;
    if (p->all_bytes >= 0)
        p->all_bytes += j->status[i] == DONE ? bytes : all;
}

/* "openimages (1203 of 24781 files)": one line for all of them. */
static void add_running(const struct job *j, size_t i, struct text *running)
{
    int all = atomic_load(&j->steps[i].all_files);

    text_addf(running, "%s%s", running->len ? ", " : "", j->plan->nodes[i].id);
    if (all)
        text_addf(running, " (%d of %d files)", atomic_load(&j->steps[i].files), all);
}

/* With the lock held: the state of all, and the names of what runs in `running`. */
static void sum_up(struct job *j, struct make_progress *p, struct text *running)
{
    memset(p, 0, sizeof(*p));
    p->total = j->total;
    text_clear(running);
    for (size_t i = 0; i < j->plan->count; i++) {
        if (!plan_has_work(&j->plan->nodes[i]))
            continue;
        p->done += j->status[i] == DONE;
        add_bytes(j, i, p);
        if (j->status[i] == RUNNING)
            add_running(j, i, running);
    }
    p->running = running->s;
}

static const char *what_of(const struct job *j, size_t i)
{
    const struct plan_node *n = &j->plan->nodes[i];

    if (j->status[i] == DONE)
        return j->steps[i].by_other ? "made by somebody else meanwhile" : "done";
    if (j->status[i] == FAILED || j->status[i] == STOPPED)
        return j->status[i] == FAILED ? "failed" : "stopped";
    if (j->told[i] == QUEUED)
        return "waits for another process or step that makes it";
    if (n->state == PLAN_VERIFY || n->state == PLAN_CHECK)
        return "verify";
    return n->fetches ? "fetch" : json_object_get(n->body, "build") ? "build" : "convert";
}

/* The status as it is to be told. */
static enum status status_of(struct job *j, size_t i)
{
    int phase = atomic_load(&j->steps[i].phase);

    if (j->status[i] != RUNNING || phase == STEP_WORKS)
        return j->status[i];
    return phase == STEP_WAITS ? QUEUED : j->told[i];
}

static void tell_of(struct job *j, const struct make_options *o, size_t i, const char *text,
                    struct text *running)
{
    struct make_progress p;

    sum_up(j, &p, running);
    p.id = j->plan->nodes[i].id;
    p.what = text ? NULL : what_of(j, i);
    p.note = text;
    if (o->show)
        o->show(o->ctx, &p);
}

/* Tells of what has changed since the last time; with the lock held. */
static void tell(struct job *j, const struct make_options *o, struct text *running)
{
    struct make_progress p;

    for (size_t i = 0; i < j->plan->count; i++) {
        enum status now = status_of(j, i);

        if (*j->steps[i].note)
            tell_of(j, o, i, j->steps[i].note, running);
        j->steps[i].note[0] = 0;
        if (now == j->told[i])
            continue;
        j->told[i] = now;
        tell_of(j, o, i, NULL, running);
    }
    sum_up(j, &p, running);
    if (o->show)
        o->show(o->ctx, &p);
}

static bool all_over(const struct job *j)
{
    return !j->running && (is_ending(j) || next_step(j) == SIZE_MAX);
}

/* The caller's thread, until nothing runs and nothing can. */
static void attend(struct job *j, const struct make_options *o)
{
    struct text running;
    struct timespec until;

    text_init(&running, 4096);
    pthread_mutex_lock(&j->lock);
    for (;;) {
        if (o->stop && *o->stop)
            end_all(j);
        tell(j, o, &running);
        if (all_over(j))
            break;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += TICK_NS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&j->change, &j->lock, &until);
    }
    pthread_cond_broadcast(&j->change);
    pthread_mutex_unlock(&j->lock);
    text_release(&running);
}

/* What is there already and will be used stays there. */
static int hold(struct job *j, struct assay_err *err)
{
    for (size_t i = 0; i < j->plan->count; i++) {
        struct plan_node *n = &j->plan->nodes[i];
        char *files = NULL;
        int rc;

        if (!n->wanted || (n->state != PLAN_THERE && n->state != PLAN_CHECK))
            continue;
        rc = shelf_hold(&j->plan->shelf, n->key, &j->steps[i].hold, err);
        if (!rc)
            rc = shelf_find(&j->plan->shelf, n->key, &files, NULL, err);
        if (!rc && !files)
            rc = assay_fail(err, ASSAY_EFAIL, "%s was removed this moment; run the command again",
                            n->id);
        free(files);
        if (rc)
            return rc;
    }
    return ASSAY_OK;
}

static void use(const struct plan *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->nodes[i].wanted &&
            (p->nodes[i].state == PLAN_THERE || p->nodes[i].state == PLAN_CHECK))
            shelf_use(&p->shelf, p->nodes[i].key);
}

static void let_go(struct job *j)
{
    for (size_t i = 0; i < j->plan->count; i++)
        if (j->steps[i].hold >= 0)
            shelf_let_go(&j->plan->shelf, j->plan->nodes[i].key, j->steps[i].hold);
}

static int job_init(struct job *j, struct plan *p, struct assay_err *err)
{
    memset(j, 0, sizeof(*j));
    j->plan = p;
    j->first_failed = -1;
    j->steps = calloc(p->count + 1, sizeof(*j->steps));
    j->status = calloc(p->count + 1, sizeof(*j->status));
    j->told = calloc(p->count + 1, sizeof(*j->told));
    if (!j->steps || !j->status || !j->told)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory to carry out the plan");
    for (size_t i = 0; i < p->count; i++) {
        struct step *s = &j->steps[i];
        int unknown;

        s->plan = p;
        s->node = &p->nodes[i];
        s->stop = &j->stop;
        s->tell = note;
        s->job = j;
        s->hold = -1;
        atomic_store(&s->all_bytes, plan_bytes(s->node, &unknown));
        atomic_store(&s->unknown, unknown);
        j->total += plan_has_work(s->node);
    }
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->change, NULL);
    return ASSAY_OK;
}

static void job_release(struct job *j)
{
    for (size_t i = 0; j->steps && i < j->plan->count; i++)
        make_failure_release(&j->steps[i].failure);
    free(j->steps);
    free(j->status);
    free(j->told);
}

static int run_all(struct job *j, const struct make_options *o, struct assay_err *err)
{
    int jobs = o->jobs > 0 ? o->jobs : DEFAULT_JOBS, started = 0;
    pthread_t threads[MAX_JOBS];

    if (jobs > MAX_JOBS)
        jobs = MAX_JOBS;
    for (int i = 0; i < jobs && (size_t)i < j->total; i++)
        if (!pthread_create(&threads[started], NULL, work, j))
            started++;
    if (!started)
        return assay_fail(err, ASSAY_EFAIL, "no thread can be started");
    attend(j, o);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (o->stop && *o->stop)
        return assay_fail(err, ASSAY_ESTOP, "interrupted; what was downloaded is kept");
    if (j->first_failed >= 0)
        *err = j->err;
    return j->first_failed >= 0 ? j->err.code : ASSAY_OK;
}

void make_failure_release(struct make_failure *f)
{
    free(f->repeat);
    memset(f, 0, sizeof(*f));
}

int make_plan(struct plan *p, const struct make_options *o, struct make_failure *failure,
              struct assay_err *err)
{
    struct job j;
    int rc;

    memset(failure, 0, sizeof(*failure));
    if ((rc = job_init(&j, p, err))) {
        job_release(&j);
        return rc;
    }
    use(p);
    if (j.total) {
        rc = shelf_open(p->shelf.dir, &p->shelf, err);
        if (!rc)
            rc = hold(&j, err);
        if (!rc)
            rc = run_all(&j, o, err);
        let_go(&j);
    }
    if (rc && rc != ASSAY_ESTOP && j.first_failed >= 0) {
        struct plan_node *n = &p->nodes[j.first_failed];

        *failure = j.steps[j.first_failed].failure;
        memset(&j.steps[j.first_failed].failure, 0, sizeof(*failure));
        snprintf(failure->id, sizeof(failure->id), "%s", n->id);
        failure->repeat = plan_repeat_text(p, n);
    }
    for (size_t i = 0; i < p->count; i++)
        if (j.status[i] == DONE)
            p->nodes[i].state = p->nodes[i].state == PLAN_VERIFY ? PLAN_HAVE : PLAN_THERE;
    pthread_mutex_destroy(&j.lock);
    pthread_cond_destroy(&j.change);
    job_release(&j);
    return rc;
}

/* The reference kernel and the kernel's counters around a run; see conditions.h.
 *
 * The kernel has two parts, because machines get slower in two ways.  `compute` is four chains of
 * dependent multiplications in registers: its time follows the clock frequency, and a neighbour on
 * the same core.  `memory` sums a buffer larger than most processors' share of the last cache: its
 * time follows the memory's bandwidth.  Both do a fixed number of steps, and the quickest of some
 * repetitions counts: whatever else runs can only make a repetition slower, so the minimum is the
 * machine's own speed, and 8 tries of 5 ms are seldom all disturbed.  A change of either part is a
 * new PROBE_REVISION, so that times of different kernels are never compared. */
#include "record/conditions.h"

#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/tree.h"
#include "record/facts.h"

#define PROBE_REVISION 1
#define REPEATS        16
#define COMPUTE_STEPS  3000000
#define MEMORY_BYTES   ((size_t)64 << 20)
#define LOOKED_AT      8 /* processors whose frequency is sampled */

struct kernel_times {
    double compute_ns, memory_ns; /* NaN: could not be taken */
};

struct counters {
    int64_t at_ns;
    double busy_s, steal_s, own_s;  /* NaN: unknown */
    double thermal, quota, quota_s; /* counts since the start of the machine; NaN: unknown */
};

struct conditions {
    struct probe root; /* only its root is used */
    struct kernel_times before;
    struct counters began;
    char source[128]; /* of the frequency; "": it cannot be read */
    double low, high, sum;
    uint64_t readings;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stop, sampling;
};

/* ---- the kernel ---- */

static uint64_t compute(uint64_t x)
{
    uint64_t a = x | 1, b = x + 3, c = x + 5, d = x + 7;

    for (int i = 0; i < COMPUTE_STEPS; i++) {
        a = (a ^ (a >> 29)) * 0xbf58476d1ce4e5b9u;
        b = (b ^ (b >> 29)) * 0xbf58476d1ce4e5b9u;
        c = (c ^ (c >> 29)) * 0xbf58476d1ce4e5b9u;
        d = (d ^ (d >> 29)) * 0xbf58476d1ce4e5b9u;
    }
    return a ^ b ^ c ^ d;
}

static uint64_t sum_of(const uint64_t *p, size_t n)
{
    uint64_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;

    for (size_t i = 0; i + 3 < n; i += 4) {
        s0 += p[i];
        s1 += p[i + 1];
        s2 += p[i + 2];
        s3 += p[i + 3];
    }
    return s0 ^ s1 ^ s2 ^ s3;
}

/* The volatile sink keeps the compiler from leaving the work out. */
static struct kernel_times kernel(void)
{
    static volatile uint64_t sink;
    struct kernel_times t = {INFINITY, INFINITY};
    uint64_t *buffer = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    int64_t from;

    for (int i = 0; i < REPEATS; i++) {
        from = clock_ns();
        sink = compute(sink + (uint64_t)i);
        t.compute_ns = fmin(t.compute_ns, (double)(clock_ns() - from));
    }
    if (buffer == MAP_FAILED) {
        t.memory_ns = NAN;
        return t;
    }
    memset(buffer, 1, MEMORY_BYTES); /* pages of its own, not the one page of zeros */
    for (int i = 0; i < REPEATS; i++) {
        from = clock_ns();
        sink = sum_of(buffer, MEMORY_BYTES / sizeof(*buffer));
        t.memory_ns = fmin(t.memory_ns, (double)(clock_ns() - from));
    }
    munmap(buffer, MEMORY_BYTES);
    return t;
}

/* ---- the counters ---- */

/* "cpu  user nice system idle iowait irq softirq steal …" in ticks. */
static void read_stat(const struct probe *p, struct counters *c)
{
    unsigned long long v[8];
    double tick = (double)sysconf(_SC_CLK_TCK);
    char *text = facts_slurp(p, "/proc/stat");

    if (text && sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2],
                       &v[3], &v[4], &v[5], &v[6], &v[7]) == 8) {
        c->busy_s = (double)(v[0] + v[1] + v[2] + v[5] + v[6]) / tick;
        c->steal_s = (double)v[7] / tick;
    }
    free(text);
}

/* All processors' counts of one kind; NaN: none can be read. */
static double throttle_count(const struct probe *p)
{
    DIR *d = facts_list(p, "/sys/devices/system/cpu");
    double sum = NAN;
    struct dirent *e;
    char path[400], *text;

    while (d && (e = readdir(d))) {
        if (strncmp(e->d_name, "cpu", 3) || e->d_name[3] < '0' || e->d_name[3] > '9')
            continue;
        snprintf(path, sizeof(path),
                 "/sys/devices/system/cpu/%s/thermal_throttle/core_throttle_count", e->d_name);
        if ((text = facts_slurp(p, path)))
            sum = (isnan(sum) ? 0 : sum) + strtod(text, NULL);
        free(text);
    }
    if (d)
        closedir(d);
    return sum;
}

/* "nr_throttled N" and "throttled_usec N" (version 1: throttled_time, in ns) of our control group,
 * as far as it is shown at the root of what is mounted. */
static void read_quota(const struct probe *p, struct counters *c)
{
    static const char *const paths[] = {"/sys/fs/cgroup/cpu.stat", "/sys/fs/cgroup/cpu/cpu.stat"};
    char *text = facts_slurp(p, paths[0]), *at;

    if (!text || !strstr(text, "nr_throttled ")) {
        free(text);
        text = facts_slurp(p, paths[1]);
    }
    if (text && (at = strstr(text, "nr_throttled ")))
        c->quota = strtod(at + strlen("nr_throttled "), NULL);
    if (text && (at = strstr(text, "throttled_usec ")))
        c->quota_s = strtod(at + strlen("throttled_usec "), NULL) * 1e-6;
    else if (text && (at = strstr(text, "throttled_time ")))
        c->quota_s = strtod(at + strlen("throttled_time "), NULL) * 1e-9;
    free(text);
}

static struct counters read_counters(const struct probe *p)
{
    struct counters c = {clock_ns(), NAN, NAN, NAN, NAN, NAN, NAN};
    struct rusage use;

    read_stat(p, &c);
    if (!getrusage(RUSAGE_CHILDREN, &use))
        c.own_s = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                  (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1e-6;
    c.thermal = throttle_count(p);
    read_quota(p, &c);
    return c;
}

/* ---- the clock frequency ---- */

/* MHz of the first processors, averaged; NaN: cannot be read. */
static double frequency(const struct probe *p, char source[128])
{
    char path[128], *text;
    double sum = 0;
    int n = 0;

    for (int cpu = 0; cpu < LOOKED_AT; cpu++) {
        snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq", cpu);
        if (!(text = facts_slurp(p, path)))
            break;
        sum += strtod(text, NULL) * 1e-3;
        n++;
        free(text);
    }
    snprintf(source, 128, "/sys/devices/system/cpu/cpu*/cpufreq/scaling_cur_freq");
    if (!n && (text = facts_slurp(p, "/proc/cpuinfo"))) {
        char *mhz = facts_keyed(text, "cpu MHz", ':');

        snprintf(source, 128, "/proc/cpuinfo");
        sum = mhz ? strtod(mhz, NULL) : 0;
        n = sum > 0;
        free(mhz);
        free(text);
    }
    if (!n || !(sum > 0)) {
        source[0] = 0;
        return NAN;
    }
    return sum / n;
}

static void add_reading(struct conditions *c)
{
    double mhz = frequency(&c->root, c->source);

    if (isnan(mhz))
        return;
    c->low = c->readings ? fmin(c->low, mhz) : mhz;
    c->high = c->readings ? fmax(c->high, mhz) : mhz;
    c->sum += mhz;
    c->readings++;
}

static void *sample(void *arg)
{
    struct conditions *c = arg;
    struct timespec until;

    pthread_mutex_lock(&c->mutex);
    while (!c->stop) {
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        pthread_cond_timedwait(&c->wake, &c->mutex, &until);
        if (!c->stop)
            add_reading(c);
    }
    pthread_mutex_unlock(&c->mutex);
    return NULL;
}

/* ---- the two calls ---- */

/* Only where a reading costs next to nothing: /proc/cpuinfo makes the kernel ask every processor.
 * Signals are for the thread that waits for the run. */
static void start_sampling(struct conditions *c)
{
    sigset_t all, before;

    if (strncmp(c->source, "/sys/", 5) != 0)
        return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    c->sampling = !pthread_create(&c->thread, NULL, sample, c);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct conditions *conditions_begin(void)
{
    struct conditions *c = calloc(1, sizeof(*c));
    const char *root = getenv("ASSAY_SYSROOT");

    if (!c)
        return NULL;
    c->root.root = root ? root : "";
    pthread_mutex_init(&c->mutex, NULL);
    pthread_cond_init(&c->wake, NULL);
    c->before = kernel();
    c->began = read_counters(&c->root);
    add_reading(c);
    start_sampling(c);
    return c;
}

/* JSON has no NaN: what is unknown is null. */
static json_t *known(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static json_t *times_json(struct kernel_times t)
{
    return json_pack("{s:o, s:o}", "compute_ns", known(t.compute_ns), "memory_ns",
                     known(t.memory_ns));
}

static json_t *frequency_json(const struct conditions *c)
{
    if (!c->readings)
        return json_null();
    return json_pack("{s:f, s:f, s:f, s:I, s:s}", "min", c->low, "mean",
                     c->sum / (double)c->readings, "max", c->high, "readings",
                     (json_int_t)c->readings, "source", c->source);
}

json_t *conditions_end(struct conditions *c)
{
    struct counters now;
    json_t *out;

    if (!c)
        return NULL;
    if (c->sampling) {
        pthread_mutex_lock(&c->mutex);
        c->stop = true;
        pthread_cond_signal(&c->wake);
        pthread_mutex_unlock(&c->mutex);
        pthread_join(c->thread, NULL);
    }
    add_reading(c);
    now = read_counters(&c->root);
    out =
        json_pack("{s:{s:i, s:o, s:o}, s:o, s:{s:f, s:o, s:o, s:o}, s:{s:o, s:o, s:o}}", "probe",
                  "revision", PROBE_REVISION, "before", times_json(c->before), "after",
                  times_json(kernel()), "frequency_mhz", frequency_json(c), "cpu", "seconds",
                  (double)(now.at_ns - c->began.at_ns) * 1e-9, "busy_s",
                  known(now.busy_s - c->began.busy_s), "own_s", known(now.own_s - c->began.own_s),
                  "steal_s", known(now.steal_s - c->began.steal_s), "throttled", "thermal",
                  known(now.thermal - c->began.thermal), "quota", known(now.quota - c->began.quota),
                  "quota_s", known(now.quota_s - c->began.quota_s));
    pthread_mutex_destroy(&c->mutex);
    pthread_cond_destroy(&c->wake);
    free(c);
    return out;
}

/* ---- what it says ---- */

#define STEAL_SAID 0.01

double conditions_steal(const json_t *conditions)
{
    const json_t *cpu = json_object_get(conditions, "cpu");
    double steal = tree_real(cpu, "steal_s", 0), busy = tree_real(cpu, "busy_s", 0);

    return steal > 0 && busy >= 0 ? steal / (steal + busy) : 0;
}

double conditions_others(const json_t *conditions)
{
    const json_t *cpu = json_object_get(conditions, "cpu");
    double busy = tree_real(cpu, "busy_s", NAN) - tree_real(cpu, "own_s", NAN);
    double seconds = tree_real(cpu, "seconds", 0);

    return seconds > 0 && busy > 0 ? busy / seconds : 0;
}

void conditions_notes(const json_t *conditions, const char *name, double least, uint32_t processors,
                      json_t *notes)
{
    double steal = conditions_steal(conditions), busy = conditions_others(conditions);
    const json_t *t = json_object_get(conditions, "throttled");
    char of[24] = "";

    if (processors)
        snprintf(of, sizeof(of), " of %u", processors);
    if (steal > STEAL_SAID)
        json_array_append_new(notes,
                              json_sprintf("while %s ran, %.1f %% of the processors' work went to "
                                           "other virtual machines (steal)",
                                           name, 100 * steal));
    if (busy > least)
        json_array_append_new(notes, json_sprintf("while %s ran, other programs used %.2f%s "
                                                  "processors",
                                                  name, busy, of));
    if (tree_real(t, "thermal", 0) > 0)
        json_array_append_new(notes, json_sprintf("while %s ran, a processor lowered its clock for "
                                                  "heat %.0f times",
                                                  name, tree_real(t, "thermal", 0)));
    if (tree_real(t, "quota", 0) > 0)
        json_array_append_new(
            notes, json_sprintf("while %s ran, the control group's quota stopped processes %.0f "
                                "times, for %.3g s",
                                name, tree_real(t, "quota", 0), tree_real(t, "quota_s", 0)));
}

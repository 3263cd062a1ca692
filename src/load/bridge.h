/* The bridge to LoadGen: a C table in front of one C++ file.
 *
 * One LoadGen version is one shared object: lib/assay/loadgen/<version>.so of the set-up, or what
 * the recipe loadgen-bridge builds of this header, settings_values.h, bridge.cc, bridge.map and
 * assay/types.h (CMakeLists.txt lays them in share/assay/loadgen-bridge; they include nothing else
 * of ours). It is opened by load_open and never closed.  LoadGen is unmodified; everything that it
 * gets wrong (it hangs on a lost response, crashes on exit) is the caller's to prevent: run it in a
 * child process. */
#ifndef LOAD_BRIDGE_H
#define LOAD_BRIDGE_H

#include "assay/types.h"
#include "load/settings_values.h"

#define LOAD_BRIDGE_ABI 1

/* Layouts of mlperf::QuerySample and mlperf::QuerySampleResponse (asserted in the bridge). */
struct load_sample {
    uintptr_t id;
    size_t index;
};
struct load_response {
    uintptr_t id;
    uintptr_t data;
    size_t size;
    int64_t n_tokens;
};

/* The system under test and the sample library.  All calls come from the thread that calls run,
 * except issue when server_issue_threads > 0. */
struct load_sut {
    void *ctx;
    const char *sut_name;
    const char *qsl_name;
    size_t total_samples;
    size_t performance_samples;
    void (*issue)(void *ctx, const struct load_sample *samples, size_t n);
    void (*flush)(void *ctx);
    void (*load)(void *ctx, const size_t *index, size_t n);
    void (*unload)(void *ctx, const size_t *index, size_t n);
};

/* What LoadGen's built-in configuration says for a model and scenario. */
struct load_official {
    uint64_t min_duration_ms, min_query_count, samples_per_query, performance_sample_count;
    double target_latency_ms, target_latency_percentile;
    uint64_t sample_concatenate_permutation;
    uint64_t qsl_rng_seed, sample_index_rng_seed, schedule_rng_seed;
};

struct load_bridge {
    uint32_t abi;
    const char *version; /* "6.0.17" */
    /* Built-in values; known is set to 0 when LoadGen has no entry of its own for this model name.
     */
    int (*official)(const char *model, int scenario, struct load_official *out, int *known,
                    struct assay_err *err);
    /* Blocks until the test is over.  Every LoadGen setting comes from s (resolved: no zero that
     * means "found by itself"); seeds from the built-in configuration.  Writes LoadGen's files to
     * outdir.  audit is NULL or the path of an audit.config.  May be called any number of times in
     * a process, one after the other; but a run with server_issue_threads must be the only one
     * (LoadGen cannot do it twice). */
    int (*run)(const struct settings *s, const char *model, const struct load_sut *sut,
               const char *outdir, const char *audit, struct assay_err *err);
    /* Any thread; data must live during the call only. */
    void (*complete)(const struct load_response *responses, size_t n);
    /* Of a sample in flight (before its completion): its number in the run, from 0, and the time
     * from which LoadGen counts its latency, on the clock of now(). */
    uint64_t (*sequence)(uintptr_t id);
    int64_t (*start_ns)(uintptr_t id, int scenario);
    int64_t (*now)(void);
    /* For samples in flight that are being completed now: writes now − start of each at
     * table[sequence], where sequence < capacity.  Returns the highest sequence number written + 1.
     */
    uint64_t (*latencies)(const struct load_response *responses, size_t n, int64_t *table,
                          uint64_t capacity);
};

struct load_round;
/* The round's LoadGen in `file`; NULL: the set-up's. */
int load_open(const struct load_round *round, const char *file, const struct load_bridge **out,
              struct assay_err *err);
/* Where the set-up puts the object of a LoadGen version, malloc'ed; NULL: no memory. */
char *load_path(const char *version);
/* Whether it is there. */
bool load_is_here(const char *version);

/* The symbol that the object exports. */
const struct load_bridge *assay_load_bridge(void);

#endif

/* What the bare loops of all engines have in common: options, inputs, lanes, clocks.
 *
 *   bare_NAME --library SO --model FILE --scenario Offline|SingleStream|Jobs [--batch N]
 *             [--lanes N] [--threads N] [--spin 0|1] [--optimise 0..3] [--samples N] [--count N]
 *             [--seconds X]
 *
 * They are the peers that Assay is held against: inputs that lie ready in memory, no copies, no
 * queue, no clock between two inferences of an Offline loop.
 *
 * Offline: `lanes` threads run batches until `count` samples are done;
 * SingleStream: one thread runs single samples for `seconds` and keeps each time;
 * Jobs: `lanes` threads run `count` jobs, which the engine's part has a list of, from the first on
 * and again from there when that ends.  Inputs (of the first two) are random numbers in the range
 * of ImageNet's mean-subtracted pixels; the speed does not depend on them.  An untimed warm-up
 * comes first.  Prints one line of JSON. */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

#include <stdbool.h>
#include <stddef.h>

struct bare_options {
    const char *library, *model, *scenario;
    long batch, lanes, threads, spin, optimise, samples, count;
    double seconds;
};

/* One engine's part; failures end the program by bare_die. */
struct bare_engine {
    const char *name; /* of the program */
    /* Opens the model and returns the floats of one sample of its only input. */
    size_t (*open)(const struct bare_options *o);
    /* Runs n samples that lie at `at`, on a lane's thread. */
    void (*infer)(long lane, float *at, long n);
    /* Takes an option of its own, before open; false: it is none.  NULL: it has none. */
    bool (*option)(const char *name, const char *value);
    /* How many jobs there are, after open, and one of them, on a lane's thread; warm: each kind of
     * call in it once.  NULL: it has none. */
    long (*jobs)(void);
    void (*job)(long lane, long number, bool warm);
};

/* Is main. */
int bare_main(const struct bare_engine *engine, int argc, char **argv);
__attribute__((noreturn, format(printf, 1, 2))) void bare_die(const char *format, ...);

#endif

/* The jobs of a bare loop: a text file with a line for each, in which the model's calls stand one
 * after the other.
 *
 *     4x187                                            4 samples of length 187
 *     encoder/1x207 prediction/1 joint/1*3             a model of three graphs
 *
 * A call is [GRAPH/]SAMPLES[xLENGTH][*TIMES]: a graph's name where there are several, what its free
 * dimensions become (the first one of a tensor the samples, all others the length), and how often
 * it is made. */
#ifndef BENCH_JOBS_H
#define BENCH_JOBS_H

#include <stddef.h>

struct call {
    char graph[32]; /* "": the only one */
    long samples, length, times;
    size_t before; /* samples of all calls before it, in the file */
};

struct job {
    struct call *calls;
    size_t count;
};

struct jobs {
    struct job *list;
    size_t count;
};

/* Ends the program by bare_die when the file is not like that, or has no job.  Never freed. */
void jobs_read(const char *path, struct jobs *jobs);

#endif

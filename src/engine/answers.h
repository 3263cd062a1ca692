/* Inside of the engine room: what an engine answers to a file of samples, and how far two such
 * answers lie apart. */
#ifndef ENGINE_ANSWERS_H
#define ENGINE_ANSWERS_H

#include "engine/host.h"

/* Scores and the class with the highest, of each sample. */
struct answers {
    char precision[16]; /* what was really executed */
    size_t samples, classes;
    double *scores; /* samples x classes */
    int64_t *top;   /* samples: of the model's own argmax where it has one */
};

struct answers_ask {
    const char *engine, *device, *options; /* device and options may be NULL */
    const char *format, *precision, *model;
    const char *samples; /* a file of float32 rows as the model's only input takes them */
    const char *runtime; /* as engine_probe takes it */
};
/* Runs the samples in a child process.  The caller releases *a, also after an error. */
int answers_get(const struct answers_ask *ask, struct answers *a, struct assay_err *err);
void answers_release(struct answers *a);

/* How far apart, as a part of the range of b's scores (the highest less the lowest of all). */
struct answers_gap {
    double largest; /* of all differences */
    size_t leading; /* samples whose best score in b leads the next by more than `margin` */
    size_t classes; /* how many different classes b names */
};
/* Fails when a difference is above bound, when a score is not finite, or when the two name
 * different classes for a leading sample. */
int answers_compare(const struct answers *a, const struct answers *b, double bound, double margin,
                    struct answers_gap *gap, struct assay_err *err);

#endif

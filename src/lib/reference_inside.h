/* Inside of reference.h: which reference it is, and what it is called with. */
#ifndef LIB_REFERENCE_INSIDE_H
#define LIB_REFERENCE_INSIDE_H

#include "flow/plan.h"
#include "flow/work.h"
#include "lib/outside.h"
#include "lib/reference.h"
#include "run/resolve.h"

#define REFERENCE_LOG  "mlperf_log_accuracy.json"
#define REFERENCE_UNET "vision/medical_imaging/3d-unet-kits19"
#define REFERENCE_RNNT "retired_benchmarks/speech_recognition/rnnt"

#define REFERENCE_DLRM "retired_benchmarks/recommendation/dlrm/pytorch"

#define REFERENCE_REQUESTS 3 /* at most: what is asked of recipes */

/* What a manifest must say, so that the reference's own pre- and post-processing is the model's. */
struct want {
    const char *part, *key, *value;
    bool silent;       /* it may also say nothing */
    const char *other; /* another value that will do; NULL: none */
};

struct beside;

struct reference {
    const char *benchmark, *engine;
    const char *python;      /* what is asked for, beside the repository */
    const char *weights;     /* the recipe whose `model` it reads, where our engine reads what is
                                made of that; NULL: it reads our model's file */
    const char *graph_file;  /* below our model's folder, a graph that is made of them; NULL: our
                                model's file is */
    const char *program;     /* below the repository */
    const char *const *args; /* {NAME} that has no value: the word is left out */
    const char *prepare;     /* a program that is run before, in the same way; NULL: none */
    const char *const *prepare_args;
    const char *const *env;
    const char *const *written; /* what is written for it before, for the plan; NULL: nothing of
                                   note */
    /* Writes what it reads and no recipe gives; NULL: user.conf will do. */
    int (*write)(struct beside *b, struct assay_err *err);
    struct want wants[9];
    const char *score; /* the repository's output with the accuracy script; NULL: none is run */
    const char *const *score_args;
    const char *const *score_env;
    double disk;      /* what its files take at most, by the bytes of our pre-processed samples */
    const char *code; /* the output of the Python with another repository that it reads; NULL */
    bool any_model;   /* LoadGen's settings are asked for by a name of its own, so they are for
                         every model */
};

/* One call's things. */
struct beside {
    const struct lib_reference_ask *ask;
    const struct reference *row;
    struct settings s; /* with this machine's choice */
    struct resolved r;
    char inference[80];     /* the repository, as it is asked for */
    json_t *names;          /* {NAME} -> text */
    char *model, *dataset;  /* absolute: the reference runs elsewhere */
    struct work work, logs; /* folders; none: nothing is run */
    bool answered;          /* its program ended well, and so its logs are worth something */
    char *python, *repository, *site, *script, *engine_version;
    char *weights; /* the checkpoint; NULL: our model's file is read, or a net's is to be written */
    char *code;    /* a repository that the row wants beside; NULL: none */
    json_t *recipes; /* what the two are */
    struct outside_held held;
};

/* Finds the row and resolves; the error says why it cannot be.  To be ended in any case. */
int reference_begin(struct beside *b, const struct lib_reference_ask *ask, struct assay_err *err);
void reference_end(struct beside *b);
/* What is asked for: the repository, then the Python, then weights; NULL-terminated. */
void reference_requests(const struct beside *b, const char *requests[REFERENCE_REQUESTS + 1]);
/* What the recipes give, or will. */
int reference_outputs(struct beside *b, const struct plan *p, struct assay_err *err);

/* Sets {KEY}. */
void reference_name(struct beside *b, const char *key, const char *value);
/* All names but "repository" (reference_outputs); once the folders are known, where there are to be
 * any. */
int reference_names(struct beside *b, struct assay_err *err);
/* "{logs}/x" -> its text, for free(); NULL: a name has no value. */
char *reference_word(const struct beside *b, const char *word);
json_t *reference_command(const struct beside *b);
/* NULL: nothing is written before. */
json_t *reference_written(const struct beside *b);
/* Of the program that is run before; NULL: none is. */
json_t *reference_prepare_command(const struct beside *b);
/* Of the official accuracy script; NULL: it is not run. */
json_t *reference_score_command(const struct beside *b);

/* reference_files.c: writes what it reads into the working folder; own: the record of our run. */
int reference_files(struct beside *b, const json_t *own, struct assay_err *err);
/* A link at path to target, both of which it frees. */
int reference_link(char *target, char *path, struct assay_err *err);
/* The same of some: a list of the first --count samples, 3D-UNet's cases; RNN-T's
 * (reference_speech.c); DLRM's (reference_clicks.c). */
int reference_list(struct beside *b, struct assay_err *err);
int reference_cases(struct beside *b, struct assay_err *err);
int reference_speech(struct beside *b, struct assay_err *err);
int reference_clicks(struct beside *b, struct assay_err *err);
/* reference_weights.c: whether our model was made of the weights that the reference gets; what
 * recipes are yet to get is. */
int reference_same_weights(const struct beside *b, struct assay_err *err);
/* A synthetic net's weights as the checkpoint that it reads, where it reads one. */
int reference_weights(const struct beside *b, struct assay_err *err);

#endif

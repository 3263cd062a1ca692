/* A model of several graphs, on disk: for engines that read one.
 *
 * Most models are a file.  One of several graphs (RNN-T has an encoder, a prediction and a joint
 * network) is a folder: each file in it that has an ending of its format is a graph, called after
 * the file without that ending; other files (weights kept apart, a licence) are left alone.  Where
 * the benchmark says which graphs it calls, one that is missing or is there besides ends open with
 * the file's name, the same in every engine.
 *
 * All of this is inline over the C library and POSIX, so that an engine links with nothing for it:
 *
 *     static const char *const endings[] = {".onnx", NULL};
 *     int rc = assay_graphs_find(config, endings, &self->files, err);
 *
 *     for (uint32_t i = 0; !rc && i < self->files.count; i++) {
 *         struct assay_engine_config own = assay_graphs_config(config, &self->files, i);
 *         rc = open_graph(self, i, self->files.name[i], &own, err);      reads own.model_path
 *     } */
#ifndef ASSAY_GRAPHS_H
#define ASSAY_GRAPHS_H

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "assay/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ASSAY_GRAPHS_MAX 16

/* In the order of names, as strcmp has it.  Zeroed before its first use. */
struct assay_graphs {
    uint32_t count;
    char *name[ASSAY_GRAPHS_MAX];
    char *path[ASSAY_GRAPHS_MAX];
};

static inline void assay_graphs_release(struct assay_graphs *g)
{
    for (uint32_t i = 0; i < g->count; i++) {
        free(g->name[i]);
        free(g->path[i]);
    }
    g->count = 0;
}

/* Adds the file FOLDER/FILE, or FILE where folder is NULL.  Its graph is called after it, without
 * folders and without what begins at the last dot. */
static inline int assay_graphs_add(struct assay_graphs *g, const char *folder, const char *file,
                                   struct assay_err *err)
{
    const char *slash = strrchr(file, '/'), *from = slash ? slash + 1 : file,
               *dot = strrchr(from, '.');
    size_t n = dot && dot > from ? (size_t)(dot - from) : strlen(from);
    size_t length = (folder ? strlen(folder) + 1 : 0) + strlen(file) + 1;
    char *name = (char *)malloc(n + 1), *path = (char *)malloc(length);
    uint32_t at = g->count;

    if (!name || !path || g->count == ASSAY_GRAPHS_MAX) {
        bool memory = name && path;

        free(name);
        free(path);
        return memory ? assay_fail(err, ASSAY_EUNSUPPORTED,
                                   "model %.300s: has more than %d graphs' files",
                                   folder ? folder : file, ASSAY_GRAPHS_MAX)
                      : assay_fail(err, ASSAY_EFAIL, "not enough memory");
    }
    memcpy(name, from, n);
    name[n] = 0;
    snprintf(path, length, "%s%s%s", folder ? folder : "", folder ? "/" : "", file);
    for (; at && strcmp(g->name[at - 1], name) > 0; at--) {
        g->name[at] = g->name[at - 1];
        g->path[at] = g->path[at - 1];
    }
    g->name[at] = name;
    g->path[at] = path;
    g->count++;
    if (at && !strcmp(g->name[at - 1], name))
        return assay_fail(err, ASSAY_EUSAGE, "model %.200s and %.200s: two files for one graph",
                          g->path[at - 1], path);
    return ASSAY_OK;
}

static inline bool assay_graphs_ends(const char *file, const char *const *endings)
{
    size_t n = strlen(file), m;

    for (; *endings; endings++) {
        m = strlen(*endings);
        if (n > m && !strcmp(file + n - m, *endings))
            return true;
    }
    return false;
}

static inline int assay_graphs_list(struct assay_graphs *g, const char *folder,
                                    const char *const *endings, struct assay_err *err)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    int rc = ASSAY_OK;

    if (!dir)
        return assay_fail(err, ASSAY_EFAIL, "model %.300s: cannot be read: %s", folder,
                          strerror(errno));
    while (!rc && (entry = readdir(dir)))
        if (entry->d_name[0] != '.' && assay_graphs_ends(entry->d_name, endings))
            rc = assay_graphs_add(g, folder, entry->d_name, err);
    closedir(dir);
    return rc;
}

/* "NAME.a or NAME.b" */
static inline const char *assay_graphs_words(char *out, size_t cap, const char *name,
                                             const char *const *endings)
{
    size_t n = 0;

    out[0] = 0;
    for (const char *const *e = endings; *e && n < cap; e++)
        n += (size_t)snprintf(out + n, cap - n, "%s%.60s%s", e == endings ? "" : " or ", name, *e);
    return out;
}

/* What the benchmark calls, where it calls several: none of a host before ABI 1.2. */
static inline uint32_t assay_graphs_wanted(const struct assay_engine_config *c)
{
    return c->size > offsetof(struct assay_engine_config, want_graphs) && c->want_graphs
               ? c->want_graph_count
               : 0;
}

static inline int assay_graphs_missing(const struct assay_graphs *g, const char *folder,
                                       const char *name, const char *const *endings,
                                       struct assay_err *err)
{
    char file[160], has[160] = "";
    size_t n = 0;

    for (uint32_t i = 0; i < g->count && n < sizeof(has); i++)
        n += (size_t)snprintf(has + n, sizeof(has) - n, "%s%s", i ? ", " : "",
                              strrchr(g->path[i], '/') + 1);
    return assay_fail(err, ASSAY_EFAIL, "model %.160s: has no %s for the graph '%.60s', but %s",
                      folder, assay_graphs_words(file, sizeof(file), name, endings), name, has);
}

static inline int assay_graphs_extra(const struct assay_engine_config *c, const char *path,
                                     struct assay_err *err)
{
    char wants[200] = "";
    size_t n = 0;

    for (uint32_t i = 0; i < c->want_graph_count && n < sizeof(wants); i++)
        n += (size_t)snprintf(wants + n, sizeof(wants) - n, "%s'%s'", i ? ", " : "",
                              c->want_graphs[i].name);
    return assay_fail(err, ASSAY_EFAIL,
                      "model %.200s: is none of the graphs %s: take it out of the folder", path,
                      wants);
}

/* The files of a folder against what the benchmark calls. */
static inline int assay_graphs_check(const struct assay_engine_config *c,
                                     const struct assay_graphs *g, const char *const *endings,
                                     struct assay_err *err)
{
    uint32_t wanted = assay_graphs_wanted(c), i, k;

    if (wanted < 2)
        return ASSAY_OK;
    for (k = 0; k < wanted; k++) {
        for (i = 0; i < g->count && strcmp(g->name[i], c->want_graphs[k].name); i++)
            ;
        if (i == g->count)
            return assay_graphs_missing(g, c->model_path, c->want_graphs[k].name, endings, err);
    }
    for (i = 0; i < g->count; i++) {
        for (k = 0; k < wanted && strcmp(g->name[i], c->want_graphs[k].name); k++)
            ;
        if (k == wanted)
            return assay_graphs_extra(c, g->path[i], err);
    }
    return ASSAY_OK;
}

/* The files of config's model: those of the folder with one of the endings (with their dots; NULL
 * ends them), or else the file that it is, whatever it is called.  After a failure, too, g is to be
 * released. */
static inline int assay_graphs_find(const struct assay_engine_config *c, const char *const *endings,
                                    struct assay_graphs *g, struct assay_err *err)
{
    struct stat st;
    char ends[100];
    int rc;

    if (stat(c->model_path, &st) || !S_ISDIR(st.st_mode))
        return assay_graphs_add(g, NULL, c->model_path, err);
    rc = assay_graphs_list(g, c->model_path, endings, err);
    if (rc)
        return rc;
    if (!g->count)
        return assay_fail(err, ASSAY_EFAIL,
                          "model %.300s: has no %s file; wanted: one for each graph", c->model_path,
                          assay_graphs_words(ends, sizeof(ends), "", endings));
    return assay_graphs_check(c, g, endings, err);
}

/* What open was given, as if the graph were the whole model: its file, and the tensors that the
 * benchmark wants of it.  As good as config and g are. */
static inline struct assay_engine_config
assay_graphs_config(const struct assay_engine_config *c, const struct assay_graphs *g, uint32_t i)
{
    struct assay_engine_config own;
    uint32_t wanted = assay_graphs_wanted(c);

    memset(&own, 0, sizeof(own));
    memcpy(&own, c, c->size < sizeof(own) ? (size_t)c->size : sizeof(own));
    own.model_path = g->path[i];
    for (uint32_t k = 0; k < wanted; k++) {
        const struct assay_graph_desc *want = &c->want_graphs[k];

        if (strcmp(want->name, g->name[i]) && wanted + g->count > 2)
            continue;
        own.want_input_count = want->input_count;
        own.want_inputs = want->inputs;
        own.want_output_count = want->output_count;
        own.want_outputs = want->outputs;
    }
    return own;
}

/* An error of a graph, behind its file's name where it is one of several and was not named. */
static inline int assay_graphs_fail(const struct assay_graphs *g, uint32_t i, int code,
                                    struct assay_err *err)
{
    const char *slash = strrchr(g->path[i], '/');
    struct assay_err words;

    if (!err || g->count < 2 || strstr(err->text, slash ? slash + 1 : g->path[i]))
        return code;
    words = *err;
    return assay_fail(err, code, "model %.200s: %.290s", g->path[i], words.text);
}

/* The most samples at a time, by the inputs' first dimension: a number is one that the model
 * insists on.  Not so where a dimension behind it is free (DLRM's [26, batch]): that is no batch,
 * and only a benchmark that drives can use it. */
static inline int assay_graphs_find_batch(const struct assay_graph_desc *g, uint32_t *max_batch,
                                          struct assay_err *err)
{
    for (uint32_t i = 0; i < g->input_count; i++) {
        const struct assay_tensor_spec *in = &g->inputs[i];

        if (in->rank == 2 && in->dims[0] > 1 && in->dims[1] < 0)
            continue;
        if (in->rank && in->dims[0] > 1)
            return assay_fail(
                err, ASSAY_EUNSUPPORTED,
                "the model takes exactly %lld samples at a time (input '%.100s'); export it "
                "with a free batch dimension, or with 1",
                (long long)in->dims[0], in->name);
        if (in->rank && in->dims[0] == 1)
            *max_batch = 1;
    }
    return ASSAY_OK;
}

/* Puts a graph's word into the model's: the strictest batch (0: any), and the first precision that
 * is not fp32. */
static inline void assay_graphs_join(struct assay_model_desc *desc, uint32_t max_batch,
                                     const char *precision)
{
    if (max_batch && (!desc->max_batch || max_batch < desc->max_batch))
        desc->max_batch = max_batch;
    if (!desc->precision || !strcmp(desc->precision, "fp32"))
        desc->precision = precision;
}

#ifdef __cplusplus
}
#endif
#endif

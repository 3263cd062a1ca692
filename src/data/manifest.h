/* Model manifests: YAML files that describe one model for one benchmark.
 *
 * A manifest names its benchmark, its files by format, and what the benchmark needs to know
 * (pre-processing, layout, label offset): the last is the benchmark's to read, here only the frame
 * is checked.
 *
 * A manifest of several formats may say more of each below `formats`, and have a name for each
 * below `names`: opened by that, it is of this format alone. */
#ifndef DATA_MANIFEST_H
#define DATA_MANIFEST_H

#include <jansson.h>

#include "assay/types.h"

struct manifest {
    char *file;                   /* absolute path of the manifest */
    json_t *tree;                 /* the whole document */
    const char *name, *benchmark; /* point into tree */
    const char *net;              /* synthetic weights by this net; NULL: real files.  With
                                   * sizes, if the manifest has some: "dlrm:rows=1000" */
    const json_t *nets;           /* several: graph -> net, and net is their names in one */
    char *net_names;              /* what net then points to */
    bool synthetic;
};

/* `model` is a manifest's file (ends in .yaml/.yml or contains '/'), or a name found in
 * share/assay/models or <config>/models. */
int manifest_open(const char *model, struct manifest *m, struct assay_err *err);
/* The same from text that stands for the file (for tests and fuzzing). */
int manifest_parse(const char *text, size_t len, const char *file, struct manifest *m,
                   struct assay_err *err);
void manifest_release(struct manifest *m);
/* "name=N,name=N": other numbers for those of the manifest's `sizes`; none else can be set. */
int manifest_set_sizes(struct manifest *m, const char *sizes, struct assay_err *err);
/* Once the format is known that is run: what `formats` says of it is merged into the tree, and what
 * is said of other formats goes.  NULL: the first of `files`, for engines that take anything.
 * Without `formats`, and the second time, nothing changes. */
void manifest_settle(struct manifest *m, const char *format);
/* The file, or folder, for one of the engine's formats (NULL-terminated list): absolute path and
 * format name, the first that both have.  Checks that it is there, and its md5/sha256 when the
 * manifest gives one.  Not for nets. The caller frees *path. */
int manifest_file(const struct manifest *m, const char *const *formats, char **path,
                  const char **format, struct assay_err *err);
/* When the file that manifest_file would take is not there, and the manifest names a recipe for it:
 * that format and the recipe; else false. */
bool manifest_wants(const struct manifest *m, const char *const *formats, const char **format,
                    const char **recipe);
/* Puts FILE:LINE in front of what a benchmark said of the manifest that it was opened with, which
 * it has as text alone ("manifest of 'NAME': input.size must …").  Any other error stays; returns
 * rc. */
int manifest_place(const struct manifest *m, int rc, struct assay_err *err);
/* Names of known manifests, those of one format too: array of {"name", "benchmark", "file",
 * "synthetic", "formats"}. */
json_t *manifest_list(void);

#endif

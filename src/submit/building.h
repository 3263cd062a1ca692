/* Inside of the submit room: what the files that write a tree share. */
#ifndef SUBMIT_BUILDING_H
#define SUBMIT_BUILDING_H

#include "base/text.h"
#include "submit/build.h"

struct build {
    const struct submit_plan *p;
    const json_t *facts;
    const struct submit_scorer *scorer;
    json_t *placeholders; /* names of fields that a rehearsal filled */
    const char *out;      /* the folder that is being written */
    char system[200];
    char base[1200]; /* out/division/submitter */
    struct assay_err *err;
};

int build_text(const struct build *b, const char *dir, const char *name, const struct text *text);
int build_json(const struct build *b, const char *dir, const char *name, const json_t *tree);
/* A file of a record, whole and as it was when the record was made; *data is malloc'ed. */
int build_read(const struct build *b, const json_t *record, const char *name, char **data,
               size_t *len);
int build_copy(const struct build *b, const json_t *record, const char *name, const char *dir);
/* The detail log and the summary. */
int build_logs(const struct build *b, const json_t *record, const char *dir);
/* The accuracy log, shortened if it is long, and accuracy.txt: the line (NULL: none), and the hash
 * of the whole. */
int build_cut_log(const struct build *b, const json_t *record, const char *dir, const char *line);

/* The folder's name of a benchmark: resnet50 is what submitters call resnet. */
const char *build_folder(const struct submit_model *m);
/* The folder of a slot's result below `top`: "results", "measurements" … */
void build_place(const struct build *b, const char *top, const struct submit_slot *slot,
                 char out[2048]);
/* The folder of a compliance test. */
int build_test(const struct build *b, const struct submit_slot *slot);

#endif

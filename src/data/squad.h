/* SQuAD v1.1: paragraphs, and questions with the answers that people gave.
 *
 * Strict: what would make a score mean something else (a question without answer, an id listed
 * twice, a paragraph without words) is an error that names file and question. */
#ifndef DATA_SQUAD_H
#define DATA_SQUAD_H

#include <jansson.h>

#include "assay/types.h"

#define SQUAD_MAX_BYTES (256u << 20)

struct squad_question {
    const char *id, *text; /* UTF-8, NUL-terminated */
    uint32_t paragraph;
    uint32_t answer_count; /* >= 1 */
    const char **answers;
};

struct squad {
    uint32_t paragraph_count, question_count;
    const char **paragraphs;
    struct squad_question *questions; /* in the file's order */
    const char **answers;             /* of all questions */
    json_t *tree;                     /* holds every text; NULL: they are somebody else's */
};

int squad_read(const char *path, struct squad *s, struct assay_err *err);
/* The same from memory; `file` is what errors call it. */
int squad_parse(const char *text, size_t len, const char *file, struct squad *s,
                struct assay_err *err);
void squad_release(struct squad *s);

/* The data set's file in a folder: dev-v1.1.json, else the only one whose name ends so.  The caller
 * frees *path. */
int squad_find(const char *folder, char **path, struct assay_err *err);

#endif

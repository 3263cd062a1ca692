/* Recipes: YAML files that say how to find, fetch, build or convert one thing.
 *
 * The keys are one table (recipe_keys.c): the reader, its errors and the JSON Schema for editors
 * are made of it.  An error names file, line and key, with did-you-mean.
 *
 * Variations are groups of options of which at most one is taken each.  An option's body may have
 * the same keys as the recipe: its lists are appended to the recipe's, its mappings' members take
 * the place of those of the same name, everything else takes the place of what was there. */
#ifndef FLOW_RECIPE_H
#define FLOW_RECIPE_H

#include <jansson.h>

#include "assay/types.h"

#define RECIPE_WORD_MAX 64

struct recipe {
    char *file, *folder; /* absolute */
    json_t *tree;        /* the whole document */
    const char *name;    /* points into tree */
    const char *version; /* the same; "": none */
};

/* `file` stands for the text in errors and gives the folder. */
int recipe_parse(const char *text, size_t len, const char *file, struct recipe *r,
                 struct assay_err *err);
int recipe_read(const char *file, struct recipe *r, struct assay_err *err);
void recipe_release(struct recipe *r);

/* The group that has this option; NULL: none. */
const char *recipe_group(const struct recipe *r, const char *option);
/* Completes options (group -> option) with the defaults, and refuses excluded pairs. */
int recipe_choose(const struct recipe *r, json_t *options, struct assay_err *err);
/* As it is asked for with these options, "RECIPE,OPTION"; for free(). */
char *recipe_name_with(const struct recipe *r, const json_t *options);
/* The recipe's body with those options merged in: a new tree without variations. */
json_t *recipe_body(const struct recipe *r, const json_t *options);
/* A value for the input `name` of a body: checked and given its type, from a text or a typed value.
 * The caller lets go of *out. */
int recipe_input(const json_t *body, const char *name, const json_t *value, json_t **out,
                 struct assay_err *err);
/* Bytes of a size: a whole number, or "1.3 GB", "64 KiB"; -1: it is none. */
int64_t recipe_size(const json_t *value);

/* The addresses of a row of `fetch`: its own, or with {name} those of its `each`; belongs to the
 * row. NULL: it has none, as a package. */
json_t *recipe_urls(const json_t *row);

/* The JSON Schema of recipe files. */
json_t *recipe_schema(void);

#endif

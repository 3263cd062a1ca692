/* What the files of adopting share.  Private to this room. */
#ifndef FLOW_ADOPT_INSIDE_H
#define FLOW_ADOPT_INSIDE_H

#include "flow/adopt.h"
#include "flow/adopt_walk.h"
#include "flow/catalog.h"

/* A recipe with one choice of its options. */
struct adopt_variant {
    const struct recipe *recipe;
    json_t *options, *body, *rows; /* rows: of have_rows */
    json_t *roots;                 /* path -> tags of the cache's entry */
    char id[65];
};

/* A number of files below a folder. */
struct adopt_counted {
    size_t variant;
    const char *folder, *suffix;
    int64_t wanted, seen;
};

struct adopt_match {
    const struct adopt_ask *ask;
    struct catalog catalog;
    struct adopt_variant *variants;
    size_t count, cap;
    struct adopt_counted *counted;
    size_t counted_count;
    json_t *names; /* last part -> [[variant, name below the root], …] */
    struct adopt_walk walk;
    json_t *known; /* digests, by path */
    json_t *good;  /* path -> true: it is what some recipe wants */
    json_t *rows;
};

/* The recipes, and under which names their files go; then adopt_walk tells of files and folders,
 * and what looks like one of them is in `roots`. */
int adopt_read_recipes(struct adopt_match *m, struct assay_err *err);
void adopt_on_file(void *ctx, const char *folder, const char *name, const char *entry);
void adopt_on_folder(void *ctx, const char *folder, const char *entry);
void adopt_variant_release(struct adopt_variant *v);

/* Why nothing here tells whether files are those of the recipe; NULL: something does. */
const char *adopt_not_told(const struct adopt_variant *v);
/* Whether what the row names is there and, where the size is known, has that: many things have
 * names like vocab.txt. */
bool adopt_may_be(const json_t *row, const char *root);
/* Verifies one of its rows; what is right is remembered in `good`. */
int adopt_check_row(struct adopt_match *m, const json_t *row, const char *root,
                    struct assay_err *err);
/* root: the sign that led to it; file: the one that is not right, or NULL. */
void adopt_add_row(struct adopt_match *m, const struct adopt_variant *v, const char *state,
                   const char *root, const char *path, const char *how, const char *file);
/* Remembers a root that was verified, and adds its row; more: what is said behind how. */
int adopt_take(struct adopt_match *m, const struct adopt_variant *v, const char *root,
               const char *more, struct assay_err *err);

/* Whether digests say of each of its files that it is the one, so that they may lie anywhere, and
 * something that is called so lies somewhere. */
bool adopt_can_put_together(const struct adopt_variant *v);
/* *taken: right files were found in its roots, and links to them are one root now; else there is a
 * row for each that was not right. */
int adopt_put_together(struct adopt_match *m, const struct adopt_variant *v, bool *taken,
                       struct assay_err *err);

#endif

/* All recipes that are known, by an index.
 *
 * Recipes are the *.yaml files of the recipe folders and of the folders in them.  The index, one
 * file in the cache folder, keeps what is asked of every recipe (name, version, tags, options): a
 * file or folder whose size, times and inode are as they were is not read again, so a thousand
 * recipes cost two thousand stat() calls.  It is made again when it is missing or old, and nobody
 * misses it. */
#ifndef FLOW_CATALOG_H
#define FLOW_CATALOG_H

#include <jansson.h>

#include "assay/types.h"
#include "flow/recipe.h"
#include "flow/sources.h"

struct catalog_entry {
    const char *file, *name, *version, *summary;
    const char *tags, *options; /* ",a,b," */
    const char *error;          /* it cannot be read: why; else "" */
    struct recipe *recipe;      /* by catalog_recipe; else NULL */
};

struct catalog {
    struct catalog_entry *entries;
    size_t count;
    struct record *records; /* what the entries point into */
    size_t record_count;
    char *text;
    struct sources_hold hold; /* what git fetched stays until catalog_close */
};

/* The folders: those of ASSAY_RECIPE_PATH (parted by ':'), `recipes` in the user's configuration
 * folder, share/assay/recipes of the installation, those of other people (sources.h).  `cache` is
 * the folder for the index. */
int catalog_open(const char *cache, struct catalog *c, struct assay_err *err);
/* The same of these folders (texts), without an index. */
int catalog_open_in(const json_t *folders, struct catalog *c, struct assay_err *err);
void catalog_close(struct catalog *c);
/* Names of catalog_open's folders: an array of texts; NULL, with err (which may be NULL): the list
 * of other people's cannot be read. */
json_t *catalog_folders(struct assay_err *err);

/* All of them as data: [{"name", "version", "summary", "tags", "options", "file"}], and {"file",
 * "error"} of one that cannot be read. */
json_t *catalog_json(const struct catalog *c);

/* The entries of which every word is the name, a tag or an option: their indices to `at`, which has
 * room for all of them; returns how many. */
size_t catalog_find(const struct catalog *c, const json_t *words, size_t *at);
/* The entry's recipe, read at the first call; belongs to the catalog. */
int catalog_recipe(struct catalog *c, size_t entry, const struct recipe **r, struct assay_err *err);
/* Two entries that say they are one thing. */
int catalog_clash(const struct catalog_entry *a, const struct catalog_entry *b,
                  struct assay_err *err);
/* The words are of recipes with several names (an object's keys). */
int catalog_several(const json_t *words, const json_t *names, struct assay_err *err);
/* The one entry that a request of these words would take: of several versions the highest. */
int catalog_one(const struct catalog *c, const json_t *words, size_t *entry, struct assay_err *err);
/* Why no entry is all of these words: the error, with did-you-mean. */
int catalog_none(const struct catalog *c, const json_t *words, struct assay_err *err);

/* Words parted by commas: "model,bert,onnx"; NULL, with err, when they are none. */
json_t *catalog_words(const char *text, struct assay_err *err);

#endif

/* What is there already: the ways of a recipe's `find`, tried in order. */
#ifndef FLOW_FIND_H
#define FLOW_FIND_H

#include <jansson.h>

#include "assay/types.h"

struct found {
    char *program; /* its file; NULL: a folder was found */
    char *folder;  /* in which it is, or the folder itself */
    char version[64];
    char stamp[96]; /* of program or folder: size, times, inode */
};

/* scope: what ${…} stands for; ranges: [{"range"}] that a version must be in.  What a program tells
 * of its version is remembered in `cache` while its file is as it was.  false: not found; why
 * then says what was seen ("" if nothing was). */
bool find_thing(const json_t *body, const json_t *scope, const json_t *ranges, const char *cache,
                struct found *f, char why[300]);
void found_release(struct found *f);

#endif

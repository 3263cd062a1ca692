/* The names in a list: of files that are fetched one by one.
 *
 * A name is UTF-8 and one part of a path: at most 200 bytes, without '/' and control characters,
 * not beginning with a '.' and not ending in ".part" (what is under way is called so).  Everything
 * else in the list is refused, as is a name that stands there twice. */
#ifndef FLOW_NAME_LIST_H
#define FLOW_NAME_LIST_H

#include "assay/types.h"
#include "base/hash.h"

struct name_list {
    char **names; /* sorted by their bytes */
    size_t count, cap;
    char *text; /* the file as it is, of len bytes */
    size_t len;
};

/* json: the path to the names in a JSON file ("images[].file_name"); NULL: a text file with one in
 * a line.  After an error there is nothing to release. */
int name_list_read(const char *path, const char *json, struct name_list *list,
                   struct assay_err *err);
/* The same of a text of len bytes, which it takes, whatever comes of it; a NUL stands behind it. */
int name_list_take(char *text, size_t len, const char *path, const char *json,
                   struct name_list *list, struct assay_err *err);
void name_list_release(struct name_list *list);
/* SHA-256 of the names, one in a line: whatever else stands in the file. */
void name_list_digest(const struct name_list *list, char hex[HASH_HEX]);

/* The text with the name in the place of each "{name}"; url: as an address has it, with "%20" for a
 * blank.  For free(); NULL: not enough memory. */
char *name_list_fill(const char *text, const char *name, bool url);

#endif

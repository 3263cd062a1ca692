/* Lists of words, as json_t arrays of texts. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <jansson.h>
#include <stdbool.h>

/* "a,b" as an array, a new reference; empty for NULL and "". */
json_t *list_split(const char *text);
bool list_holds(const json_t *list, const char *word);

#endif

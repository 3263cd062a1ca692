/* Documents: YAML and JSON files as one kind of tree (jansson's json_t), with errors that name
 * file, line and column.
 *
 * YAML: one document; mappings, sequences and scalars; plain scalars are typed as in YAML 1.2's
 * core schema (null, true/false, integers, floats), quoted ones are strings.  Anchors, aliases,
 * tags, duplicate keys and more than 64 levels are refused: none is needed here, and each has been
 * somebody's surprise. */
#ifndef BASE_TREE_H
#define BASE_TREE_H

#include <jansson.h>

#include "assay/types.h"
#include "base/text.h"

#define TREE_MAX_BYTES (16u << 20)

/* `name` is what errors call the text. The caller json_decref()s *out. */
int tree_parse_yaml(const char *text, size_t len, const char *name, json_t **out,
                    struct assay_err *err);
int tree_read_yaml(const char *path, json_t **out, struct assay_err *err);
int tree_read_json(const char *path, json_t **out, struct assay_err *err);
/* The line of a YAML text (that tree_parse_yaml takes) in which the value at `path` begins: keys,
 * and numbers in lists, NULL-terminated.  Of a path that is there in part: that part's. */
size_t tree_line(const char *text, size_t len, const char *const *path);
/* The text of a result: indented, keys sorted, with a last newline; free() it.  Real numbers have
 * so many digits: 15 for results, 17 where every bit counts.  NULL: not enough memory, or no JSON.
 */
char *tree_dump(const json_t *tree, int digits);
/* The same with 17 digits, by file_write_whole. */
int tree_write_json(const char *path, const json_t *tree, struct assay_err *err);

/* A text that somebody else's code or files made: bytes that are not UTF-8, which json_string and
 * json_pack's "s" refuse, become U+FFFD. */
json_t *tree_string(const char *s);

/* Adds a text in double quotes, as JSON and YAML have it; "?" for one that is not UTF-8. */
void tree_add_quoted(struct text *t, const char *s);

/* Members of an object, with a default for a missing one. */
const char *tree_text(const json_t *object, const char *key, const char *otherwise);
double tree_real(const json_t *object, const char *key, double otherwise);
int64_t tree_int(const json_t *object, const char *key, int64_t otherwise);
bool tree_bool(const json_t *object, const char *key, bool otherwise);
/* Whether an object of the list has this member. */
bool tree_any_has(const json_t *list, const char *key);

#endif

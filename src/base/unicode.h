/* Unicode as Python's str has it: code points in UTF-8, lower case, white space, categories.
 *
 * The tables are utf8proc's; Python's own may be of a neighbouring version of Unicode, which
 * differs in newly assigned code points alone.  All functions are pure. */
#ifndef BASE_UNICODE_H
#define BASE_UNICODE_H

#include "assay/types.h"
#include "base/text.h"

/* General categories as bits, for unicode_is. */
#define UNICODE_MN          (1u << 0) /* non-spacing mark */
#define UNICODE_CONTROL     (1u << 1) /* Cc, Cf */
#define UNICODE_OTHER       (1u << 2) /* Cs, Co, Cn: surrogate, private use, unassigned */
#define UNICODE_PUNCTUATION (1u << 3) /* P* */
#define UNICODE_SPACE       (1u << 4) /* Zs */
#define UNICODE_WORD        (1u << 5) /* L*, N*: what \w of a regular expression takes, less '_' */

bool unicode_is(uint32_t c, unsigned categories);
/* str.isspace: what str.split() splits at. */
bool unicode_is_white(uint32_t c);

/* The code point at *at, which moves on; what is no UTF-8 gives U+FFFD, a byte at a time.
 * Needs *at < end. */
uint32_t unicode_next(const char **at, const char *end);
/* Bytes written: 1 to 4. */
size_t unicode_put(uint32_t c, char out[4]);

/* The lower case of c[at] among n code points, as str.lower() gives it: a capital sigma at the end
 * of a word becomes a final one.  U+0130 is the one capital that becomes two (i, U+0307): the
 * second is left out here, see unicode_add_lower. */
uint32_t unicode_lower_at(const uint32_t *c, size_t n, size_t at);
/* str.lower() of a text, appended. */
void unicode_add_lower(struct text *out, const char *s, size_t n);

/* Canonical decomposition (NFD) in place: n code points in c, which holds at least
 * n * UNICODE_NFD_MOST.  Returns how many there are then. */
#define UNICODE_NFD_MOST 4
size_t unicode_nfd(uint32_t *c, size_t n);

#endif

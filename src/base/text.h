/* A string that grows, born with a maximum: what outgrows it is cut and remembered in `cut`, so a
 * hostile input cannot eat the memory.  Allocation failure counts as cut too. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "assay/types.h"

struct text {
    char *s; /* always NUL-terminated; "" before the first append */
    size_t len, cap, max;
    bool cut;
};

void text_init(struct text *t, size_t max);
void text_release(struct text *t);
void text_clear(struct text *t);
void text_add(struct text *t, const char *s);
void text_addn(struct text *t, const char *s, size_t n);
void text_addf(struct text *t, const char *fmt, ...) ASSAY_PRINTF(2, 3);
/* A word as a POSIX shell reads it back: in quotes where it must be. */
void text_add_word(struct text *t, const char *word);
/* The string, for free(); t is empty afterwards.  NULL when it was cut. */
char *text_take(struct text *t);

/* Like asprintf, but NULL on failure. */
char *text_format(const char *fmt, ...) ASSAY_PRINTF(1, 2);

/* A length of time as people say it: "40 s", "12 min", "3.2 h". */
void text_duration(char out[32], double seconds);

/* A number of bytes as people say it: "1.34 GB". */
void text_bytes(char out[32], double bytes);

/* The candidate nearest to `word` by edit distance (transpositions count one), or NULL when none is
 * near enough to be meant.  `names` are n strings, `stride` bytes apart (sizeof(char *) for an
 * array of them). */
const char *text_nearest(const char *word, const void *names, size_t n, size_t stride);

/* Makes one line of a text: line ends and other control characters become spaces, those at its end
 * go. */
void text_one_line(char *text);

/* Cuts a text to what one line of the terminal on stderr holds: a line that was broken by the
 * terminal could not be rewritten. */
void text_fit_line(char *text);

#endif

/* Values as a reader wants them, and text that cannot upset a terminal.  Private to this room. */
#ifndef REPORT_FORMAT_H
#define REPORT_FORMAT_H

#include <jansson.h>
#include <stddef.h>

#include "base/text.h"

/* Control characters become '?', in place; a character that was cut off at the end goes. */
void format_clean(char *s);
/* Columns on a terminal: one a UTF-8 character. */
size_t format_columns(const char *s);
/* Up to four significant digits, and more where an exponent would be needed. */
void format_plain(char out[40], double value);
/* Four significant digits; "ns" is scaled to ns, us, ms or s, "J" to J, mJ or uJ. */
void format_value(char out[64], double value, const char *unit);
/* Accuracies are compared in their last digits: six significant ones. */
/* The names of what an energy is the sum of: "package-0, package-1, cuda:0". */
void format_energy_sources(const json_t *energy, char out[200]);
void format_exact(char out[64], double value, const char *unit);
/* Behind an accuracy's target: ": reached", ": NOT REACHED", of several "reached 99 %, not 99.9 %";
 * "" where it was not judged. */
void format_reached(char out[160], const json_t *accuracy);
/* Any JSON value, short; texts without quotes. */
void format_json(char *out, size_t size, const json_t *value);
/* Puts text in the place of '#' in `pattern`. */
void format_fill(char *text, size_t size, const char *pattern);
/* "1 lane x 2 threads, batch 8" of a record's engine; "" where it is not known. */
void format_shape(char out[80], const json_t *engine);
/* A whole command line of these words. */
void format_command(struct text *t, const json_t *words);

#endif

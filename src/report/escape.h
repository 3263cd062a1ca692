/* Text of a record inside HTML, Markdown and CSV: whatever it holds, it stays text.
 *
 * Control characters, those that turn the direction of writing, and bytes that are no UTF-8 become
 * U+FFFD, line ends a blank; what is longer than ESCAPE_MOST characters is cut and ends with "…",
 * so that one hostile member cannot fill a report.  Private to this room. */
#ifndef REPORT_ESCAPE_H
#define REPORT_ESCAPE_H

#include <stdio.h>

#include "assay/types.h"

#define ESCAPE_MOST 600

/* Fit for text and for attributes in double quotes. */
void escape_html(FILE *out, const char *s);
void escape_htmlf(FILE *out, const char *fmt, ...) ASSAY_PRINTF(2, 3); /* formats, then escapes */
/* Fit for a paragraph and for a table's cell. */
void escape_markdown(FILE *out, const char *s);
void escape_markdownf(FILE *out, const char *fmt, ...) ASSAY_PRINTF(2, 3);
/* One field of RFC 4180, quoted where it must be; a text that a spreadsheet would take for a
 * formula begins with '. */
void escape_csv(FILE *out, const char *s);
/* As it is, but for what cannot be shown: for a block of code.  Not cut. */
void escape_plain(FILE *out, const char *s);
void escape_html_whole(FILE *out, const char *s); /* as escape_html, not cut */

#endif

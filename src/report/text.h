/* Records as plain text for a terminal: one run as a page, many as a table.
 *
 * Records come from files that anybody may have edited: missing members are left out, members of
 * another kind are taken as missing, and control characters are shown as '?'. */
#ifndef REPORT_TEXT_H
#define REPORT_TEXT_H

#include <jansson.h>
#include <stdio.h>

/* A record as record_find gives it.  Returns 0, or a negative assay_code when `out` cannot be
 * written. */
int report_text(const json_t *record, FILE *out);
/* Rows as record_list gives them, at most 100 columns wide; where one has a `target`, an accuracy
 * below it is marked. */
int report_table(const json_t *rows, FILE *out);
/* The words of a command as a shell reads them back, and a newline. */
int report_command(const json_t *words, FILE *out);

#endif

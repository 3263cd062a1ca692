/* What differs between two records, apart from their figures. */
#ifndef REPORT_DIFFER_H
#define REPORT_DIFFER_H

#include <jansson.h>

#include "assay/types.h"

/* Array of {"what": "engine.version", "kind": "set-up"|"software"|"machine", "a": …, "b": …}, in
 * that order of kinds.  What a run finds by itself (a measured load), and where its files lie, is
 * left out.  A member that is missing on one side is null there; on both sides it does not differ.
 * The caller json_decref()s it. */
json_t *differ_records(const json_t *a, const json_t *b);
#define DIFFER_COLUMNS 36
#define DIFFER_SIDE    (DIFFER_COLUMNS + 8)
/* The two values of such a row, each short enough for a line: of long ones the part in which they
 * begin to differ. */
void differ_sides(const json_t *difference, char a[DIFFER_SIDE], char b[DIFFER_SIDE]);
/* Whether both were made on the same kind of machine: processor, number of threads and memory. */
bool differ_same_machine(const json_t *a, const json_t *b);

#endif

/* The matrix of what works, as people read it: setups against benchmarks, then each benchmark's
 * cells with figures, reasons and ids, and the versions that were seen to work.
 *
 * Cells are as record/cell.h describes them, in any order; they may come from records that anybody
 * has edited, so every text is made harmless for where it goes. */
#ifndef REPORT_MATRIX_H
#define REPORT_MATRIX_H

#include <jansson.h>
#include <stdio.h>

/* Each returns 0, or a negative assay_code when `out` cannot be written. */
int report_matrix_text(const json_t *cells, FILE *out);
int report_matrix_markdown(const json_t *cells, FILE *out);
int report_matrix_html(const json_t *cells, FILE *out);

#endif

/* What `assay check` and `assay submit` share. */
#ifndef CLI_SUBMISSION_H
#define CLI_SUBMISSION_H

#include <jansson.h>
#include <stdio.h>

/* A report of submit/check.h for people. */
void cli_print_check(const json_t *report, FILE *out);

#endif

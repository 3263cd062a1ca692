/* Runs that the program itself decides on, as a user would have typed them. */
#ifndef RUN_WORDS_H
#define RUN_WORDS_H

#include <jansson.h>

#include "load/settings.h"

/* `assay run BENCHMARK --name=value …` with all that is not a default; where things lie and how
 * they are shown is left out.  A new reference. */
json_t *words_of(const struct settings *s);
/* run_job with these words as the record's command. */
int words_run(const struct settings *s, const json_t *words, json_t **record,
              struct assay_err *err);

#endif

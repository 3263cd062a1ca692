/* LoadGen's user.conf: read by us, with a lint, into the settings table; and written back with the
 * values that a run really used.
 *
 * Lines are `model.Scenario.key = value`, with * for any; '#' starts a comment only at the start of
 * a line. Precedence as LoadGen's: model.Scenario > *.Scenario > model.* > *.*; among equals the
 * last line. */
#ifndef LOAD_CONF_H
#define LOAD_CONF_H

#include "assay/types.h"
#include "base/text.h"
#include "load/settings.h"

/* What LoadGen would silently get wrong is an error here, with file:line: `key=value` without
 * spaces, a trailing comment, an unknown key (did-you-mean), a value that is no number, a Server
 * latency below or between milliseconds, a seed key (LoadGen takes seeds from its built-in
 * configuration only), a dead key. */
int conf_read(const char *path, const char *loadgen_model, int scenario, struct settings *s,
              struct assay_err *err);
int conf_parse(const char *text, size_t len, const char *name, const char *loadgen_model,
               int scenario, struct settings *s, struct assay_err *err);

/* The user.conf that repeats this run. */
void conf_write(const struct settings *s, const char *loadgen_model, struct text *out);

#endif

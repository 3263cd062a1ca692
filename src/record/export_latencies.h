/* latency.bin inside an export, as base64.  Private to this room. */
#ifndef RECORD_EXPORT_LATENCIES_H
#define RECORD_EXPORT_LATENCIES_H

#include <jansson.h>

#include "assay/types.h"

/* Of a record's folder; *base64 is malloc'ed, NULL when there is no such file.  A file that is not
 * the one that the record names is an error. */
int export_latencies_read(const json_t *record, char **base64, struct assay_err *err);
/* Whether an entry's latencies, if it has any, are those that its record names. */
int export_latencies_check(const json_t *entry, const char *who, struct assay_err *err);
/* The bytes, malloc'ed; NULL: the entry has none, or no memory.  For an entry that was checked. */
char *export_latencies_bytes(const json_t *entry, size_t *len);

#endif

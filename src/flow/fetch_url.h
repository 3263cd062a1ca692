/* Kinds of URLs.  Private to this room; what may be shown of one is in fetch.h. */
#ifndef FLOW_FETCH_URL_H
#define FLOW_FETCH_URL_H

#include "assay/types.h"

/* What stands for a URL in files: it; where something of it may not be shown, what may and the
 * SHA-256 of all.  The caller frees it; NULL: not enough memory. */
char *fetch_url_name(const char *url);
bool fetch_url_is_file(const char *url);
bool fetch_url_is_http(const char *url);
/* The path of a file: URL, with %XX decoded. */
int fetch_url_path(const char *url, char *out, size_t size, struct assay_err *err);

#endif

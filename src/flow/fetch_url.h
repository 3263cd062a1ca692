/* Kinds of URLs.  Private to this room; what may be shown of one is in fetch.h. */
#ifndef FLOW_FETCH_URL_H
#define FLOW_FETCH_URL_H

#include "assay/types.h"

bool fetch_url_is_file(const char *url);
bool fetch_url_is_http(const char *url);
/* The path of a file: URL, with %XX decoded. */
int fetch_url_path(const char *url, char *out, size_t size, struct assay_err *err);

#endif

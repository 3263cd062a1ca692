/* Reading a page of a package index: where the file of this name is.
 *
 * A page is HTML, whose links' addresses end in the file's name (PEP 503), or JSON (PEP 691).
 * Whoever wrote it is not trusted: an address is taken only if it is of the network, and of https
 * when the page is; the file's digest comes from the recipe, never from here. */
#ifndef FLOW_INDEX_PAGE_H
#define FLOW_INDEX_PAGE_H

#include "assay/types.h"

#define INDEX_MAX_PAGE ((size_t)64 << 20)
#define INDEX_MAX_URL  4096

/* page: NUL-terminated behind its len bytes; base: the address that it came from.  A link whose
 * digest is told and is another than sha256 is passed over.  The message is the reason alone: "has
 * no x.whl". */
int index_page_find(const char *page, size_t len, const char *base, const char *file,
                    const char *sha256, char url[INDEX_MAX_URL], struct assay_err *err);

/* The address that `reference` means on the page `base` (RFC 3986, section 5). */
int index_resolve(const char *base, const char *reference, char url[INDEX_MAX_URL],
                  struct assay_err *err);
/* A package's name as an index writes it in addresses (PEP 503): small letters, one dash for each
 * run of dashes, dots and underscores. */
void index_name(const char *name, char out[128]);

#endif

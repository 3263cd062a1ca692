/* Finding the file of a package through the index that pip is set up with on this machine. */
#ifndef FLOW_INDEX_H
#define FLOW_INDEX_H

#include <jansson.h>

#include "assay/types.h"

struct index_ask {
    const char *package, *file; /* "onnxruntime", "onnxruntime-1.32.0-….whl" */
    const char *sha256;
    bool offline; /* folders of find-links alone */
    const volatile int *stop;
};

/* *urls: where the file may be had, in the order in which it is tried; never empty.  *cert: as
 * pip_config has it, for free().  Pages of the index are read, by https or as the configuration
 * says. */
int index_find(const struct index_ask *ask, json_t **urls, char **cert, struct assay_err *err);

/* The same without any request, for people: the file itself in a folder of find-links, else the
 * pages that would be asked, without secrets; "" for pip's own default index.  Array of texts. */
json_t *index_places(const char *package, const char *file);
/* Whether it lies in a folder of find-links. */
bool index_is_local(const char *file);

#endif

/* Engines that Assay knows how to get, installed here or not.
 *
 * Each is a file share/assay/engines/NAME.yaml, which the build makes from the engine's
 * CMakeLists.txt and tools/deps.lock:
 *   name, summary, formats: […], capabilities: […], version (of its library), bytes (to download)
 * A file NAME.cuda beside it, from the same place, says that there is a library for CUDA, too. */
#ifndef ENGINE_OFFER_H
#define ENGINE_OFFER_H

#include <jansson.h>

#include "assay/types.h"

/* The files' content, sorted by name; array of objects.  One that cannot be read is left out. */
json_t *engine_offers(void);
/* A new reference; NULL: there is no such offer. */
json_t *engine_offer(const char *name);

/* Whether a library for CUDA can be had; the second says of which engines one can. */
bool engine_offers_cuda(const char *name);
int engine_check_cuda(const char *name, struct assay_err *err);

/* The source tree that this program was built in and still lies in; NULL: it is installed. */
char *engine_source_dir(void);

/* One line: the command that installs this offer, with the size, as it holds here. */
void engine_offer_how(const json_t *offer, char *out, size_t size);

/* The command that gets the library for CUDA, as it holds here. */
void engine_cuda_how(const char *name, char *out, size_t size);

/* Fails with that line: `name` is an offer that is not installed.  Returns ASSAY_OK when it is no
 * offer. */
int engine_offer_check(const char *name, struct assay_err *err);

#endif

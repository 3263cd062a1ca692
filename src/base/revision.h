/* The revision of the models that this program writes. */
#ifndef BASE_REVISION_H
#define BASE_REVISION_H

/* Changes whenever the bytes do that `assay net write`, with made-up weights or with --weights, or
 * `assay quantize` makes of the same inputs: it is a part of cached nets' names, and of the keys of
 * recipes that run ${assay}.  Unit tests hold the bytes.  So neither a build nor a release makes
 * such files again that would come out the same. */
#define NET_REVISION "r1"

#endif

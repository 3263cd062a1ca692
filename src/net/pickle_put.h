/* Parts of pickles as PyTorch writes them, for files of ours: texts, and tensors whose numbers lie
 * in the archive's member data/N.  Reading is unpickle.h's. */
#ifndef NET_PICKLE_PUT_H
#define NET_PICKLE_PUT_H

#include "base/text.h"

void pickle_put_text(struct text *t, const char *s);
/* A float32 tensor in row-major order. */
void pickle_put_tensor(struct text *t, uint32_t rank, const int64_t *dims, int number);

#endif

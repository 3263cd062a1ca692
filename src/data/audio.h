/* Recordings: WAV and FLAC files of one channel with 16 bits, as LibriSpeech has them.
 *
 * Strict: a file that is cut off, or has another rate, more channels or other bits, would be
 * another sample than the data set's, and is an error that names it.  Functions may be called from
 * any thread. */
#ifndef DATA_AUDIO_H
#define DATA_AUDIO_H

#include "assay/types.h"

#define AUDIO_MAX_SAMPLES (1u << 28)

/* How many samples the file says it has; at least 1. */
int audio_length(const char *path, uint32_t rate, uint64_t *samples, struct assay_err *err);
/* Decodes all samples, of which there must be exactly this many. */
int audio_read(const char *path, uint32_t rate, uint64_t samples, int16_t *out,
               struct assay_err *err);

#endif

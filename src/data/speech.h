/* LibriSpeech: utterances with their transcripts, in one of two forms below a folder.
 *
 *   The reference's list (dev-clean-wav.json, else the only file *-wav.json): an array of
 *     {"files": [{"fname": NAME, "num_samples": N, …}], "original_duration": SECONDS,
 *      "transcript": TEXT}, in its order; names are relative to the list's folder.  Where the
 *     reference's conversion A/B/ID.wav is not there, LibriSpeech's own file of that ID is taken.
 *   LibriSpeech's own: *.trans.txt anywhere below, with a line "ID TRANSCRIPT" for each utterance,
 *     and ID.flac or ID.wav beside; in order of the files' paths, then of lines.
 *
 * An utterance that is there twice is an error.  Utterances longer than 15 s are left out, as in
 * the reference.  Transcripts become lower case, words parted by one space; the reference's
 * normaliser does nothing else to LibriSpeech.  What cannot be scored (no words, characters that
 * the vocabulary lacks) is an error that names it. */
#ifndef DATA_SPEECH_H
#define DATA_SPEECH_H

#include "assay/types.h"

#define SPEECH_RATE        16000u
#define SPEECH_MOST_S      15.0
#define SPEECH_LIST        "dev-clean-wav.json"
#define SPEECH_MAX_BYTES   (64u << 20)
#define SPEECH_LEAST       481u /* samples: LOGMEL_LEAST */
#define SPEECH_MAX_SAMPLES ((uint64_t)(SPEECH_MOST_S * SPEECH_RATE))

struct utterance {
    char *name;       /* of the recording, below the folder */
    char *transcript; /* normalised */
    uint64_t samples; /* 0: not known yet */
};

struct speech {
    uint64_t n, cap;
    bool listed; /* in the order of a list, which numbers the samples of a log */
    struct utterance *list;
};

/* The list of a folder, with every length known.  threads >= 1. */
int speech_open(const char *folder, uint32_t threads, const volatile int *stop, struct speech *s,
                struct assay_err *err);
/* The reference's list from memory; no recording is looked at.  `file` is what errors call it. */
int speech_parse_list(const char *text, size_t len, const char *file, struct speech *s,
                      struct assay_err *err);
/* One .trans.txt from memory, added to s: names are folder/ID without an ending; on failure s can
 * be released all the same. */
int speech_parse_trans(const char *text, size_t len, const char *file, const char *folder,
                       struct speech *s, struct assay_err *err);
void speech_release(struct speech *s);

#endif

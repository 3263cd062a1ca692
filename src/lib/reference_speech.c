/* What RNN-T's reference reads and no recipe gives: its list; see reference_inside.h.
 *
 * The reference reads a JSON list of recordings with their lengths and transcripts, which its own
 * conversion of LibriSpeech makes along with .wav files.  Ours is of the same form, in the order in
 * which our run has them, and names the recordings as they lie: the reference's reader takes .flac
 * as well, and gets the same numbers of it. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "data/speech.h"
#include "lib/reference_inside.h"

/* ---- the list ---- */

static json_t *entry_of(const struct utterance *u, const char *dataset)
{
    double seconds = (double)u->samples / SPEECH_RATE;

    return json_pack("{s:[{s:o, s:f, s:i}], s:f, s:s}", "files", "fname",
                     json_sprintf("%s/%s", dataset, u->name), "duration", seconds, "speed", 1,
                     "original_duration", seconds, "transcript", u->transcript);
}

static int write_list(const struct beside *b, struct assay_err *err)
{
    json_t *list = json_array();
    struct speech s = {0};
    int rc = speech_open(b->dataset, 1, NULL, &s, err);

    for (uint64_t i = 0; !rc && i < s.n && !(b->s.count && i >= (uint64_t)b->s.count); i++)
        if (json_array_append_new(list, entry_of(&s.list[i], b->dataset)))
            rc = assay_fail(err, ASSAY_EFAIL, "%s/%s: its path is no UTF-8, as JSON wants",
                            b->dataset, s.list[i].name);
    if (!rc)
        rc = tree_write_json(tree_text(b->names, "list", ""), list, err);
    speech_release(&s);
    json_decref(list);
    return rc;
}

/* ---- where it runs ---- */

/* Its programs look for each other in the folder in which they are run. */
static int link_program(const struct beside *b, const char *name, struct assay_err *err)
{
    return reference_link(text_format("%s/" REFERENCE_RNNT "/%s", b->repository, name),
                          file_join(b->work.dir, name), err);
}

int reference_speech(struct beside *b, struct assay_err *err)
{
    int rc = link_program(b, "pytorch", err);

    if (!rc)
        rc = link_program(b, "accuracy_eval.py", err);
    if (!rc)
        rc = write_list(b, err);
    return rc;
}

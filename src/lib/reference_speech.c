/* What RNN-T's reference reads and no recipe gives: its list, and its weights; see
 * reference_inside.h.
 *
 * The reference reads a JSON list of recordings with their lengths and transcripts, which its own
 * conversion of LibriSpeech makes along with .wav files.  Ours is of the same form, in the order in
 * which our run has them, and names the recordings as they lie: the reference's reader takes .flac
 * as well, and gets the same numbers of it.
 *
 * The weights are the published checkpoint, whose nets our engine reads as three TorchScript files
 * that were made of it; of a synthetic net it is written from the same seed. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/tree.h"
#include "data/mapped.h"
#include "data/speech.h"
#include "lib/reference_inside.h"
#include "net/net.h"
#include "net/zip.h"

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

/* ---- the weights ---- */

/* Whether the file of one of our graphs was made of weights of this digest. */
static int check_graph(const char *path, const char *sha256, struct assay_err *err)
{
    static const char facts[] = "rnnt-encoder/extra/assay.txt";
    struct zip_member *members = NULL, *m = NULL;
    struct mapped file = {0};
    size_t count;
    char line[100];
    int rc = mapped_open(path, &file, err);

    if (!rc)
        rc = zip_read(file.data, file.bytes, path, &members, &count, err);
    if (!rc)
        m = zip_find(members, count, facts, sizeof(facts) - 1);
    snprintf(line, sizeof(line), "\nweights_sha256 %s\n", sha256);
    if (!rc && !(m && memmem(file.data + m->at, m->len, line, strlen(line))))
        rc = assay_fail(err, ASSAY_EFAIL,
                        "%s: was not made of the checkpoint that the official reference is given: "
                        "give the one that it was made of (--have rnnt-pytorch=FILE)",
                        path);
    free(members);
    mapped_close(&file);
    return rc;
}

int reference_same_weights(const struct beside *b, struct assay_err *err)
{
    char *path = b->weights ? file_join(b->model, "encoder.pt") : NULL, sha256[HASH_HEX];
    int rc = ASSAY_OK;

    if (path && file_exists(path) && file_exists(b->weights)) {
        rc = hash_file(b->weights, sha256, err);
        if (!rc)
            rc = check_graph(path, sha256, err);
    }
    free(path);
    return rc;
}

int reference_speech(const struct beside *b, struct assay_err *err)
{
    int rc = link_program(b, "pytorch", err);

    if (!rc)
        rc = link_program(b, "accuracy_eval.py", err);
    if (!rc)
        rc = write_list(b, err);
    if (!rc && !b->weights)
        rc = net_write("rnnt", "checkpoint", "fp32", (uint64_t)b->r.s.seed,
                       tree_text(b->names, "weights", ""), err);
    return rc;
}

/* The weights of references that read a checkpoint, of which our engine reads what was made of it;
 * see reference_inside.h.  Of a synthetic net it is written from the same seed. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/tree.h"
#include "data/mapped.h"
#include "lib/reference_inside.h"
#include "net/net.h"
#include "net/zip.h"

int reference_weights(const struct beside *b, struct assay_err *err)
{
    const struct manifest *m = &b->r.manifest;

    return b->row->weights && !b->weights
               ? net_write(m->nets ? b->row->benchmark : m->net, "checkpoint", "fp32",
                           (uint64_t)b->r.s.seed, tree_text(b->names, "weights", ""), err)
               : ASSAY_OK;
}

/* Whether the TorchScript file of a graph of ours was made of weights of this digest. */
static int check_graph(const struct reference *row, const char *path, const char *sha256,
                       struct assay_err *err)
{
    static const char facts[] = "/extra/assay.txt"; /* in the folder of the net's name */
    const size_t end = sizeof(facts) - 1;
    struct zip_member *members = NULL;
    struct mapped file = {0};
    bool made = false;
    char line[100];
    size_t count = 0;
    int rc = mapped_open(path, &file, err);

    snprintf(line, sizeof(line), "\nweights_sha256 %s\n", sha256);
    if (!rc)
        rc = zip_read(file.data, file.bytes, path, &members, &count, err);
    for (const struct zip_member *m = members; !rc && m < members + count; m++)
        made |= m->name_len > end && !memcmp(m->name + m->name_len - end, facts, end) &&
                memmem(file.data + m->at, m->len, line, strlen(line));
    if (!rc && !made)
        rc = assay_fail(err, ASSAY_EFAIL,
                        "%s: was not made of the checkpoint that the official reference is given: "
                        "give the one that it was made of (--have %s=FILE)",
                        path, row->weights);
    free(members);
    mapped_close(&file);
    return rc;
}

int reference_same_weights(const struct beside *b, struct assay_err *err)
{
    const char *below = b->row->graph_file;
    char *path = NULL, sha256[HASH_HEX];
    int rc = ASSAY_OK;

    if (b->weights)
        path = below ? file_join(b->model, below) : strdup(b->model);
    if (path && file_exists(path) && file_exists(b->weights)) {
        rc = hash_file(b->weights, sha256, err);
        if (!rc)
            rc = check_graph(b->row, path, sha256, err);
    }
    free(path);
    return rc;
}

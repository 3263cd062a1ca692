/* A net in int8: its fp32 ONNX file, quantised with ranges that the calibration's own forward pass
 * finds, so that the bytes are the same on every machine. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "net/calibrate.h"
#include "net/onnx.h"
#include "net/quantize.h"

#define MAX_FILE 0x7fffffffu
/* Other inputs than those that the batch norms' statistics were taken from. */
#define OTHER_IMAGES 0x517cc1b727220a95u

/* A tensor of the file is called as the layer behind which it lies. */
static void use_spreads(const struct net *net, const struct spread *spreads, struct quantizer *q)
{
    size_t n, i;
    struct quantize_tensor *t = quantize_tensors(q, &n);

    for (i = 0; i < n; i++) {
        for (int l = 0; l < net->layer_count; l++) {
            if (strcmp(net->layers[l].name, t[i].name) || !spreads[l].seen)
                continue;
            t[i].known = true;
            t[i].range = spread_choose(&spreads[l], false);
        }
    }
}

static int quantize_file(const struct net *net, const struct spread *spreads, const char *from,
                         const char *path, struct assay_err *err)
{
    struct quantizer *q = NULL;
    char *data = NULL;
    size_t len;
    int rc = file_read(from, MAX_FILE, &data, &len, err);

    if (!rc)
        rc = quantize_open(data, len, path, &q, err);
    if (!rc) {
        use_spreads(net, spreads, q);
        rc = quantize_write(q, path, NULL, err);
    }
    quantize_close(q);
    free(data);
    return rc;
}

int onnx_write_int8(const struct net *net, const struct net_weights *w, uint64_t seed,
                    const char *path, struct assay_err *err)
{
    struct spread *spreads = calloc((size_t)net->layer_count, sizeof(*spreads));
    char *fp32 = text_format("%s.fp32-%ld", path, (long)getpid());
    int rc = ASSAY_OK;

    if (!fp32 || !spreads)
        rc = assay_fail(err, ASSAY_EFAIL, "net %s: out of memory", net->name);
    if (!rc)
        rc = (net->analytic ? net_observe_sequences : net_observe)(net, w, seed ^ OTHER_IMAGES,
                                                                   spreads, err);
    if (!rc)
        rc = onnx_write(net, w, seed, fp32, err);
    if (!rc)
        rc = quantize_file(net, spreads, fp32, path, err);
    if (fp32)
        unlink(fp32);
    free(fp32);
    free(spreads);
    return rc;
}

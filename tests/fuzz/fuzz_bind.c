/* fuzz: links assay_net assay_base m */
/* The weights of any file for a small net: by name, or by following an ONNX graph. */
#include <stdlib.h>

#include "net/bind.h"

#include "../unit/net/tiny.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct net_weights *w;
    struct assay_err err;
    struct state *s;
    struct net *net;
    size_t fit;

    if (state_read(data, size, "fuzz", &s, &err))
        return 0;
    if (net_create_from("tiny", "fuzz", tiny_build, &net, &err) ||
        net_weights_allocate(net, &w, &err))
        abort();
    (void)bind_weights(net, s, w, &fit, &err);
    net_weights_destroy(w);
    net_destroy(net);
    state_close(s);
    return 0;
}

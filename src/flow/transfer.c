/* Loads lib/assay/flow/transfer.so, once: see transfer.h. */
#include "flow/transfer.h"

#include <pthread.h>

#include "base/plugin.h"

int transfer_load(const struct transfer_table **table, struct assay_err *err)
{
    static const struct plugin_kind kind = {"transfer library", "lib/assay/flow",
                                            "ASSAY_TRANSFER_PATH", "assay_transfer_entry", false};
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static const struct transfer_table *loaded;
    char path[1024];
    const void *got = NULL;
    int rc = ASSAY_OK;

    pthread_mutex_lock(&lock);
    if (!loaded && !(rc = plugin_open(&kind, "transfer", &got, path, err)))
        loaded = got;
    if (loaded && loaded->version != TRANSFER_VERSION)
        rc = assay_fail(err, ASSAY_EFAIL,
                        "lib/assay/flow/transfer.so is of another Assay: install "
                        "it again");
    *table = rc ? NULL : loaded;
    pthread_mutex_unlock(&lock);
    return rc;
}

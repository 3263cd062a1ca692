/* The one function that transfer.so exports. */
#include "flow/transfer/parts.h"

#include "assay/engine.h"

ASSAY_EXPORT const struct transfer_table *assay_transfer_entry(void);
ASSAY_EXPORT const struct transfer_table *assay_transfer_entry(void)
{
    static const struct transfer_table table = {TRANSFER_VERSION, transfer_http_get,
                                                transfer_unpack, transfer_http_hang_up};

    return &table;
}

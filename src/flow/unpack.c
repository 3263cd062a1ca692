/* Unpacking, by the library that is loaded for it: see transfer/unpack_archive.c. */
#include "flow/unpack.h"

#include "flow/transfer.h"

int unpack_archive(const char *archive, const char *folder, const struct unpack_limits *limits,
                   struct assay_err *err)
{
    const struct transfer_table *table;
    int rc = transfer_load(&table, err);

    return rc ? rc : table->unpack(archive, folder, limits, err);
}

/* What transfer.so is made of: http.c by libcurl, unpack_archive.c by libarchive. */
#ifndef FLOW_TRANSFER_PARTS_H
#define FLOW_TRANSFER_PARTS_H

#include "flow/transfer.h"

int transfer_http_get(const struct transfer_get *get, struct transfer_end *end,
                      struct assay_err *err);
void transfer_http_hang_up(void *line);
int transfer_unpack(const char *archive, const char *folder, const struct unpack_limits *limits,
                    struct assay_err *err);

#endif

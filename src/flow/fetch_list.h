/* Fetching many files of one kind, named by a list: several at once, each over a connection that
 * stays open, each by fetch_file.
 *
 * A file that is in the folder is whole, since names appear by a rename, and is kept: so a call
 * that was killed, or had an error, is gone on with by the next.  What of one file cannot be had
 * ends nothing for the others, until FETCH_LIST_FAILS have failed: then it is not a matter of
 * files. */
#ifndef FLOW_FETCH_LIST_H
#define FLOW_FETCH_LIST_H

#include "assay/types.h"

#define FETCH_LIST_AT_ONCE 8
#define FETCH_LIST_FAILS   5

struct fetch_list_ask {
    char *const *names; /* as name_list_read gives them: sorted, safe, each once */
    size_t count;
    const char *const *urls;  /* NULL-terminated, in this order; with {name} */
    const char *folder;       /* which is there; each file is called as its name */
    const volatile int *stop; /* as of fetch_file */
    /* So many more bytes (fewer, where one begins anew) and files have come or were there.  Called
     * from all the threads. */
    void (*progress)(void *ctx, int64_t bytes, int files);
    void (*again)(void *ctx, const char *text); /* as of fetch_file; from all the threads */
    void *ctx;
};

struct fetch_list_result {
    char sha256[65]; /* of the lines "SHA-256  NAME" in this order, as sha256sum prints them */
    int64_t bytes;
};

/* On an error the message names a file and its URL, how many more failed, and how many are kept. */
int fetch_list(const struct fetch_list_ask *ask, struct fetch_list_result *out,
               struct assay_err *err);

#endif

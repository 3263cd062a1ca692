/* Plugins (engines, benchmarks): shared objects in a folder of the installation, or in folders that
 * an environment variable names first (colon-separated). */
#ifndef BASE_PLUGIN_H
#define BASE_PLUGIN_H

#include <jansson.h>

#include "assay/types.h"
#include "base/ask.h"

struct plugin_kind {
    const char *what;   /* "engine": for messages */
    const char *folder; /* below the prefix: "lib/assay/engines" */
    const char *env;    /* "ASSAY_ENGINE_PATH" */
    const char *symbol; /* "assay_engine_entry" */
    bool foreign;       /* what lies in our own folder may be somebody else's too */
};

/* Finds NAME.so (or takes name as a path when it contains '/'), loads it for good (RTLD_LOCAL,
 * never closed: its threads may live), and calls its entry function: *table is what it returned. An
 * unknown name is an error with did-you-mean and the names that are there.  What is not ours is
 * loaded in a child first (assay-child load): one that crashes or exits there is an error. */
int plugin_open(const struct plugin_kind *kind, const char *name, const void **table,
                char path[1024], struct assay_err *err);
/* The same in two steps, so that several children try at once: begin, then end in any case where
 * begin was good.  By value. */
struct plugin_opening {
    const struct plugin_kind *kind;
    char path[1024];
    bool asking; /* a child tries it */
    struct ask ask;
};
int plugin_open_begin(const struct plugin_kind *kind, const char *name, struct plugin_opening *o,
                      struct assay_err *err);
int plugin_open_end(struct plugin_opening *o, const void **table, struct assay_err *err);
/* Fails when the file is a shared object that is cut off: the loader would crash on one.  Anything
 * else is for the loader to say. */
int plugin_check_whole(const char *path, struct assay_err *err);
/* From now on this process loads without a child: it is one, and may crash. */
void plugin_load_here(void);
/* The child's side (libexec/assay/assay-child load PATH SYMBOL).  The process is to end by exit, so
 * that what runs then is tried as well. */
int plugin_try_here(const char *path, const char *symbol, int fd, struct assay_err *err);
/* Sorted names of what is installed: of the files NAME.so those that have the kind's symbol, or
 * cannot be looked into; array of strings. */
json_t *plugin_list(const struct plugin_kind *kind);

#endif

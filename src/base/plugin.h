/* Plugins (engines, benchmarks): shared objects in a folder of the installation, or in folders that
 * an environment variable names first (colon-separated). */
#ifndef BASE_PLUGIN_H
#define BASE_PLUGIN_H

#include <jansson.h>

#include "assay/types.h"

struct plugin_kind {
    const char *what;   /* "engine": for messages */
    const char *folder; /* below the prefix: "lib/assay/engines" */
    const char *env;    /* "ASSAY_ENGINE_PATH" */
    const char *symbol; /* "assay_engine_entry" */
};

/* Finds NAME.so (or takes name as a path when it contains '/'), loads it for good (RTLD_LOCAL,
 * never closed: its threads may live), and calls its entry function: *table is what it returned. An
 * unknown name is an error with did-you-mean and the names that are there. */
int plugin_open(const struct plugin_kind *kind, const char *name, const void **table,
                char path[1024], struct assay_err *err);
/* Fails when the file is a shared object that is cut off: the loader would crash on one.  Anything
 * else is for the loader to say. */
int plugin_check_whole(const char *path, struct assay_err *err);
/* Sorted names of what is installed; array of strings. */
json_t *plugin_list(const struct plugin_kind *kind);

#endif

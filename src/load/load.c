/* Finds the loadable object of a LoadGen version.
 *
 * It is opened with local symbols, so that two versions can live in one process, and never closed,
 * because LoadGen's threads and static objects may outlive any run. */
#include "load/bridge.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "load/rounds.h"

static int check_bridge(const struct load_bridge *b, const char *path, const char *version,
                        struct assay_err *err)
{
    if (b->abi != LOAD_BRIDGE_ABI)
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: has bridge ABI %u, this Assay needs %d; rebuild it", path, b->abi,
                          LOAD_BRIDGE_ABI);
    if (strcmp(b->version, version))
        return assay_fail(err, ASSAY_EFAIL, "%s: holds LoadGen %s, not %s", path, b->version,
                          version);
    return 0;
}

static int open_object(const char *path, const char *version, const struct load_bridge **out,
                       struct assay_err *err)
{
    const struct load_bridge *(*entry)(void);
    void *object, *symbol;
    int rc;

    object = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!object)
        return assay_fail(err, ASSAY_EFAIL, "LoadGen %s cannot be loaded: %s", version, dlerror());
    symbol = dlsym(object, "assay_load_bridge");
    if (!symbol)
        return assay_fail(err, ASSAY_EFAIL, "%s: is no LoadGen bridge", path);
    memcpy(&entry, &symbol, sizeof(entry)); /* ISO C has no cast from object to function pointers */
    rc = check_bridge(entry(), path, version, err);
    if (!rc)
        *out = entry();
    return rc;
}

char *load_path(const char *version)
{
    char *below = text_format("lib/assay/loadgen/%s.so", version);
    char *path = below ? file_prefix_join(below) : NULL;

    free(below);
    return path;
}

bool load_is_here(const char *version)
{
    char *path = load_path(version);
    bool here = path && file_exists(path);

    free(path);
    return here;
}

int load_open(const struct load_round *round, const char *file, const struct load_bridge **out,
              struct assay_err *err)
{
    char *path = file ? strdup(file) : load_path(round->loadgen);
    int rc;

    if (!path)
        rc = assay_fail(err, ASSAY_EFAIL, "LoadGen: out of memory");
    else if (!file_exists(path))
        rc = assay_fail(err, ASSAY_EFAIL,
                        "round %s needs LoadGen %s, which is not here (no %.200s): `assay get "
                        "loadgen-bridge,%s` gets it, or `make loadgen-%s` in Assay's source tree",
                        round->name, round->loadgen, path, round->loadgen, round->loadgen);
    else
        rc = open_object(path, round->loadgen, out, err);
    free(path);
    return rc;
}

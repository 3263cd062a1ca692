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

int load_open(const char *round, const struct load_bridge **out, struct assay_err *err)
{
    const struct load_round *r = round ? load_round_find(round) : &load_rounds[0];
    char *path;
    int rc;

    if (!r)
        return assay_fail(err, ASSAY_EUSAGE, "--round: '%s' is not known (allowed: %s)", round,
                          load_round_allowed(round));
    path = load_path(r->loadgen);
    if (!path)
        rc = assay_fail(err, ASSAY_EFAIL, "LoadGen: out of memory");
    else if (!file_exists(path))
        rc = assay_fail(err, ASSAY_EFAIL,
                        "round %s needs LoadGen %s, which is not here (no %s): `make "
                        "loadgen-%s` in Assay's source tree gets it",
                        r->name, r->loadgen, path, r->loadgen);
    else
        rc = open_object(path, r->loadgen, out, err);
    free(path);
    return rc;
}

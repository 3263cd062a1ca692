/* What would end a run at once; see preflight.h. */
#include "run/preflight.h"

#include <dlfcn.h>
#include <string.h>

#include "assay/cuda.h"
#include "base/text.h"
#include "base/tree.h"
#include "engine/host.h"
#include "engine/offer.h"
#include "net/net.h"

static int check_precision(const struct resolved *r, struct assay_err *err)
{
    return engine_check_precision(r->engine, r->precision, err);
}

/* Engines make bf16 and fp16 of a file by themselves; int8 is in it, as its manifest says.  Of a
 * net its layers tell, so in no time. */
static int check_int8(const struct resolved *r, struct assay_err *err)
{
    const char *graph;
    json_t *net;
    int rc = ASSAY_OK;

    if (strcmp(r->precision, "int8") != 0)
        return ASSAY_OK;
    if (!r->manifest.net && !(r->engine->caps & ASSAY_CAP_ANY_MODEL) &&
        strcmp(tree_text(r->manifest.tree, "precision", "fp32"), "int8") != 0)
        return assay_fail(err, ASSAY_EUNSUPPORTED,
                          "the model '%s' is not quantised: give one that is, with `precision: "
                          "int8` in its manifest (docs/quantize.md)",
                          r->manifest.name);
    if (!r->write_net)
        return ASSAY_OK;
    if (!r->manifest.nets)
        return net_check_int8(r->manifest.net, err);
    json_object_foreach((json_t *)r->manifest.nets, graph, net)
    {
        if (!rc)
            rc = net_check_int8(json_string_value(net), err);
    }
    return rc;
}

static bool has_driver(void)
{
    void *driver = dlopen(ASSAY_CUDA_DRIVER, RTLD_LAZY | RTLD_LOCAL);

    if (driver)
        dlclose(driver);
    return driver;
}

/* Gigabytes for CUDA are not fetched where no library can use them. */
static int check_driver(const struct resolved *r, struct assay_err *err)
{
    if (!resolve_waits(r) || strncmp(r->s.device, "cuda", 4) != 0 || has_driver())
        return ASSAY_OK;
    return assay_fail(err, ASSAY_EFAIL,
                      "%s has no %.40s here: there is no NVIDIA driver (" ASSAY_CUDA_DRIVER
                      " is missing)",
                      r->engine->name, r->s.device);
}

/* Says what it has, and of an engine that can have CUDA what lacks. */
static int no_device(const struct resolved *r, const struct assay_engine_probe *probe,
                     struct assay_err *err)
{
    bool cuda = !strncmp(r->s.device, "cuda", 4) && engine_offers_cuda(r->engine->name);
    char how[1200];
    struct text has;

    text_init(&has, 1600);
    for (uint32_t i = 0; i < probe->device_count && i < ASSAY_PROBE_DEVICES; i++)
        text_addf(&has, "%s%s", i ? ", " : "", probe->devices[i]);
    if (cuda && !has_driver()) {
        text_add(&has, "; there is no NVIDIA driver (" ASSAY_CUDA_DRIVER " is missing)");
    } else if (cuda && !strstr(has.s, "cuda")) {
        engine_cuda_how(r->engine->name, how, sizeof(how));
        text_addf(&has, "; %s gets a library that has it", how);
    }
    assay_fail(err, ASSAY_EFAIL, "%s has no %.40s here, but %s", r->engine->name, r->s.device,
               has.s);
    text_release(&has);
    return ASSAY_EFAIL;
}

static int check_engine(const struct resolved *r, char how[300], struct assay_err *err)
{
    struct assay_engine_probe probe = {.size = sizeof(probe)};
    json_t *offer;
    int rc;

    if (resolve_waits(r))
        return ASSAY_OK;
    rc = engine_usable(r->s.engine, r->runtime, &probe, err);

    if (rc && (offer = engine_offer(r->engine->name))) {
        engine_offer_how(offer, how, 300);
        json_decref(offer);
    }
    if (rc || !r->engine->probe || engine_has_device(&probe, r->s.device))
        return rc;
    return no_device(r, &probe, err);
}

/* Of several the first counts. */
static int fault(int code, int rc, const struct assay_err *why, const char *how, json_t *faults,
                 struct assay_err *err)
{
    if (faults)
        json_array_append_new(faults, json_pack("{s:o, s:s*}", "what", tree_string(why->text),
                                                "how", *how ? how : NULL));
    return code ? code : assay_fail(err, rc, "%s", why->text);
}

int preflight(const struct resolved *r, bool ask, json_t *faults, struct assay_err *err)
{
    static int (*const checks[])(const struct resolved *r, struct assay_err *err) = {
        check_precision, check_int8, check_driver, room_check};
    struct assay_err why = {0};
    char how[300] = "";
    int rc, code = ASSAY_OK;

    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
        if ((faults || !code) && (rc = checks[i](r, &why)))
            code = fault(code, rc, &why, "", faults, err);
    /* A library or device that is not here says nothing of the engine. */
    if (ask && (faults || !code) && (rc = check_engine(r, how, &why)))
        code = fault(code, rc == ASSAY_EFAIL ? ASSAY_ELACK : rc, &why, how, faults, err);
    return code;
}

int preflight_run(const struct resolved *r, struct assay_err *err)
{
    return preflight(r, r->write_net || json_array_size(r->get), NULL, err);
}

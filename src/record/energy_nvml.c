/* The energy of an NVIDIA card; see energy_source.h and nvml.h.
 *
 * The counter of millijoules (nvmlDeviceGetTotalEnergyConsumption, since Volta) is 64 bits wide and
 * never wraps.  A card without it tells its power, which is integrated by trapezoids over samples
 * every EVERY_POWER_S. */
#include "record/energy_source.h"

#include <stdlib.h>

#include "record/nvml.h"

#define EVERY_COUNTER_S 10.0
#define EVERY_POWER_S   0.1

struct card {
    struct nvml nvml;
    unsigned long long last_mj;
    unsigned last_mw;
};

static bool failed(struct energy_source *s, int code)
{
    return code == NVML_NO_PERMISSION
               ? energy_refuse(s, "%s: the driver does not allow it (NVML error %d)", s->source,
                               code)
               : energy_refuse(s, "%s: cannot be read (NVML error %d)", s->source, code);
}

static bool look_counter(struct energy_source *s, double seconds)
{
    struct card *c = s->self;
    unsigned long long now = 0;
    int code = c->nvml.energy(c->nvml.device, &now);

    if (code)
        return failed(s, code);
    if (seconds >= 0 && now < c->last_mj)
        return energy_refuse(s, "%s: went back (was the driver loaded anew?)", s->source);
    if (seconds >= 0)
        s->joules += (double)(now - c->last_mj) * 1e-3;
    c->last_mj = now;
    return true;
}

static bool look_power(struct energy_source *s, double seconds)
{
    struct card *c = s->self;
    unsigned now = 0;
    int code = c->nvml.power(c->nvml.device, &now);

    if (code)
        return failed(s, code);
    if (seconds >= 0)
        s->joules += ((double)c->last_mw + now) / 2 * 1e-3 * seconds;
    c->last_mw = now;
    return true;
}

static void release(struct energy_source *s)
{
    struct card *c = s->self;

    nvml_close(&c->nvml);
    free(c);
}

/* Counter or power, whichever the card has. */
static bool choose(const struct nvml *n, struct energy_source *s)
{
    struct nvml_pci pci = {.bus_id = "?"};
    char name[NVML_TEXT] = "?";
    unsigned power;
    unsigned long long energy;
    bool counts = n->energy && !n->energy(n->device, &energy);

    n->pci(n->device, &pci);
    n->name(n->device, name, sizeof(name));
    snprintf(s->source, sizeof(s->source), "NVML, %s of %.60s at %.31s, found %s",
             counts ? "energy counter" : "power", name, pci.bus_id, n->how);
    if (nvml_sliced(n))
        return energy_refuse(s, "%.20s is a slice (MIG) of a card that tells only its whole energy",
                             s->name);
    if (!counts && (!n->power || n->power(n->device, &power)))
        return energy_refuse(s, "%.60s at %.31s tells neither its energy nor its power", name,
                             pci.bus_id);
    s->every_s = counts ? EVERY_COUNTER_S : EVERY_POWER_S;
    s->look = counts ? look_counter : look_power;
    return true;
}

size_t energy_nvml_open(const struct energy_ask *ask, struct energy_source *out)
{
    struct card *c = calloc(1, sizeof(*c));
    struct assay_err err = {0};

    out->kind = ENERGY_NVML;
    snprintf(out->name, sizeof(out->name), "%.60s", ask->device);
    snprintf(out->source, sizeof(out->source), "NVML");
    if (!c)
        energy_refuse(out, "not enough memory");
    else if (nvml_open(&c->nvml, out->name, ask->nvml, ask->cuda, &err)) {
        energy_refuse(out, "%s", err.text);
        free(c);
    } else {
        out->self = c;
        out->close = release;
        choose(&c->nvml, out);
    }
    return 1;
}

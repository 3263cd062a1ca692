/* Probing in a child process: a vendor library that crashes, hangs or prints takes nothing down.
 *
 * The child's answer is one JSON object:
 *   {"version", "library", "devices": [{"device", "name"}, …], "note"}   or   {"code", "error"}. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ask.h"
#include "base/text.h"
#include "base/tree.h"
#include "engine/host.h"

#define PROBE_LIMIT_S   20
#define PROBE_MAX_BYTES 65536

static int probe_table(const struct assay_engine *t, const char *name, const char *runtime,
                       struct assay_engine_probe *p, struct assay_err *err)
{
    char *dir;
    int rc;

    memset(p, 0, sizeof(*p));
    p->size = sizeof(*p);
    if (!t->probe) {
        p->device_count = 1;
        snprintf(p->devices[0], sizeof(p->devices[0]), "cpu");
        return ASSAY_OK;
    }
    dir = *runtime ? strdup(runtime) : engine_runtime_dir(t->name ? t->name : name);
    rc = engine_runtime_check(dir, err);
    if (!rc)
        rc = t->probe(dir ? dir : "", p, err);
    free(dir);
    return rc;
}

static json_t *probe_json(const struct assay_engine_probe *p)
{
    json_t *devices = json_array();

    for (uint32_t i = 0; i < p->device_count && i < ASSAY_PROBE_DEVICES; i++)
        json_array_append_new(
            devices, json_pack("{s:s, s:s}", "device", p->devices[i], "name", p->device_names[i]));
    return json_pack("{s:s, s:s, s:o, s:s}", "version", p->version, "library", p->library,
                     "devices", devices, "note", p->note);
}

int engine_probe_here(const char *name, const char *runtime, int fd, struct assay_err *err)
{
    const struct assay_engine *t;
    struct assay_engine_probe p;
    struct assay_err words = {0};
    char path[1024];
    json_t *doc;
    int own = ask_keep_descriptor(fd), rc = engine_load(name, &t, path, &words);

    if (!rc)
        rc = probe_table(t, name, runtime, &p, &words);
    doc = rc ? json_pack("{s:i, s:s}", "code", rc, "error", words.text) : probe_json(&p);
    rc =
        doc && json_dumpfd(doc, own, JSON_COMPACT) == 0
            ? ASSAY_OK
            : assay_fail(err, ASSAY_EFAIL, "engine %s: the probe's answer cannot be written", name);
    json_decref(doc);
    close(own);
    return rc;
}

static int parse_answer(const char *name, const struct text *answer, struct assay_engine_probe *p,
                        struct assay_err *err)
{
    json_t *doc = json_loadb(answer->s, answer->len, 0, NULL), *device;
    size_t i;
    int rc = ASSAY_OK;

    memset(p, 0, sizeof(*p));
    p->size = sizeof(*p);
    if (!json_is_object(doc)) {
        rc = assay_fail(err, ASSAY_EFAIL, "engine %s: its probe ended without an answer", name);
    } else if (json_object_get(doc, "error")) {
        rc = (int)tree_int(doc, "code", ASSAY_EFAIL);
        assay_fail(err, rc, "%s", tree_text(doc, "error", ""));
    } else {
        snprintf(p->version, sizeof(p->version), "%s", tree_text(doc, "version", ""));
        snprintf(p->library, sizeof(p->library), "%s", tree_text(doc, "library", ""));
        snprintf(p->note, sizeof(p->note), "%s", tree_text(doc, "note", ""));
        json_array_foreach(json_object_get(doc, "devices"), i, device)
        {
            if (i >= ASSAY_PROBE_DEVICES)
                break;
            snprintf(p->devices[i], sizeof(p->devices[i]), "%s", tree_text(device, "device", ""));
            snprintf(p->device_names[i], sizeof(p->device_names[i]), "%s",
                     tree_text(device, "name", ""));
            p->device_count++;
        }
    }
    json_decref(doc);
    return rc;
}

int engine_probe(const char *name, const char *runtime, struct assay_engine_probe *probe,
                 struct assay_err *err)
{
    const char *const argv[] = {"assay-child", "probe", name, runtime ? runtime : "", NULL};
    struct text answer;
    char what[200];
    int rc;

    snprintf(what, sizeof(what), "engine %s: its probe", name);
    text_init(&answer, PROBE_MAX_BYTES);
    rc = ask_child(argv, PROBE_LIMIT_S, what, &answer, err);
    if (!rc)
        rc = parse_answer(name, &answer, probe, err);
    text_release(&answer);
    return rc;
}

int engine_usable(const char *name, const char *runtime, struct assay_engine_probe *probe,
                  struct assay_err *err)
{
    int rc = engine_probe(name, runtime, probe, err);

    if (rc || probe->device_count)
        return rc;
    return assay_fail(err, ASSAY_EFAIL, "%s",
                      *probe->note ? probe->note : "the engine finds nothing to execute on");
}

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

/* An engine may fill a text to its last byte, or claim more devices than there is room for. */
static void make_safe(struct assay_engine_probe *p)
{
    p->version[sizeof(p->version) - 1] = p->library[sizeof(p->library) - 1] =
        p->note[sizeof(p->note) - 1] = 0;
    if (p->device_count > ASSAY_PROBE_DEVICES)
        p->device_count = ASSAY_PROBE_DEVICES;
    for (uint32_t i = 0; i < p->device_count; i++)
        p->devices[i][sizeof(p->devices[i]) - 1] =
            p->device_names[i][sizeof(p->device_names[i]) - 1] = 0;
    text_one_line(p->note);
}

static int probe_table(const struct assay_engine *t, const char *name, const char *runtime,
                       struct assay_engine_probe *p, struct assay_err *err)
{
    struct assay_err words = {0};
    char *dir;
    int rc;

    *p = (struct assay_engine_probe){.size = sizeof(*p)};
    if (!t->probe) {
        p->device_count = 1;
        snprintf(p->devices[0], sizeof(p->devices[0]), "cpu");
        return ASSAY_OK;
    }
    dir = *runtime ? strdup(runtime) : engine_runtime_dir(t->name);
    if ((rc = engine_runtime_check(dir, &words))) {
        assay_fail(err, rc, "engine %.150s: %.330s", name, words.text);
    } else if ((rc = t->probe(dir ? dir : "", p, &words))) {
        text_one_line(words.text);
        assay_fail(err, rc, "engine %.150s: its probe: %.330s", name,
                   words.text[0] ? words.text : "failed without a word");
    }
    free(dir);
    make_safe(p);
    return rc;
}

json_t *engine_probe_json(const struct assay_engine_probe *p)
{
    json_t *devices = json_array();

    for (uint32_t i = 0; i < p->device_count && i < ASSAY_PROBE_DEVICES; i++)
        json_array_append_new(devices, json_pack("{s:o, s:o}", "device", tree_string(p->devices[i]),
                                                 "name", tree_string(p->device_names[i])));
    return json_pack("{s:o, s:o, s:o, s:o}", "version", tree_string(p->version), "library",
                     tree_string(p->library), "devices", devices, "note", tree_string(p->note));
}

/* What does not fit is cut between two characters. */
static void copy_text(char *out, size_t size, const char *text)
{
    size_t n = strlen(text);

    if (n >= size)
        for (n = size - 1; n && ((unsigned char)text[n] & 0xc0) == 0x80; n--)
            ;
    snprintf(out, size, "%.*s", (int)n, text);
}

void engine_probe_parse(const json_t *doc, struct assay_engine_probe *p)
{
    const json_t *device;
    size_t i;

    memset(p, 0, sizeof(*p));
    p->size = sizeof(*p);
    copy_text(p->version, sizeof(p->version), tree_text(doc, "version", ""));
    copy_text(p->library, sizeof(p->library), tree_text(doc, "library", ""));
    copy_text(p->note, sizeof(p->note), tree_text(doc, "note", ""));
    json_array_foreach(json_object_get(doc, "devices"), i, device)
    {
        if (i >= ASSAY_PROBE_DEVICES)
            break;
        copy_text(p->devices[i], sizeof(p->devices[i]), tree_text(device, "device", ""));
        copy_text(p->device_names[i], sizeof(p->device_names[i]), tree_text(device, "name", ""));
        p->device_count++;
    }
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
    doc = rc ? json_pack("{s:i, s:o}", "code", rc, "error", tree_string(words.text))
             : engine_probe_json(&p);
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
    json_t *doc = json_loadb(answer->s, answer->len, 0, NULL);
    int rc = ASSAY_OK;

    if (!json_is_object(doc)) {
        rc = assay_fail(err, ASSAY_EFAIL, "engine %s: its probe ended without an answer", name);
    } else if (json_object_get(doc, "error")) {
        rc = (int)tree_int(doc, "code", ASSAY_EFAIL);
        assay_fail(err, rc, "%s", tree_text(doc, "error", ""));
    } else {
        engine_probe_parse(doc, p);
    }
    json_decref(doc);
    return rc;
}

int engine_probe_begin(const char *name, const char *runtime, struct ask *a, struct assay_err *err)
{
    const char *const argv[] = {"assay-child", "probe", name, runtime ? runtime : "", NULL};
    char what[200];

    snprintf(what, sizeof(what), "engine %s: its probe", name);
    return ask_begin(a, argv, PROBE_LIMIT_S, what, err);
}

int engine_probe_end(const char *name, struct ask *a, struct assay_engine_probe *probe,
                     struct assay_err *err)
{
    struct text answer;
    int rc;

    text_init(&answer, PROBE_MAX_BYTES);
    rc = ask_end(a, &answer, err);
    if (!rc)
        rc = parse_answer(name, &answer, probe, err);
    text_release(&answer);
    return rc;
}

int engine_probe(const char *name, const char *runtime, struct assay_engine_probe *probe,
                 struct assay_err *err)
{
    struct ask a;
    int rc = engine_probe_begin(name, runtime, &a, err);

    return rc ? rc : engine_probe_end(name, &a, probe, err);
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

int engine_know_device(const struct assay_engine *table, const char *name, const char *runtime,
                       bool asks, const char *device, struct assay_err *err)
{
    struct assay_engine_probe probe = {.size = sizeof(probe)};
    bool cuda = !strncmp(device, "cuda", 4) && (!device[4] || device[4] == ':'),
         cpu = !strncmp(device, "cpu", 3) && (!device[3] || device[3] == ':');
    int rc = engine_check_device(table, device, err);

    if (rc || cuda || (cpu && !device[3]))
        return rc;
    if (asks && !cpu && table->probe && !engine_probe(name, runtime, &probe, NULL) &&
        engine_has_device(&probe, device))
        return ASSAY_OK;
    return assay_fail(err, ASSAY_EUSAGE, "%s: there is no device '%s'; did you mean cpu or cuda:0?",
                      table->name, device);
}

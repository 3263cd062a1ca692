/* The file of winners; see tuned.h. */
#include "run/tuned.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cpus.h"
#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "engine/host.h"

#define SCHEMA "assay.tuned/1"

char *tuned_path(void)
{
    char *dir = file_config_dir(), *path = dir ? file_join(dir, "tuned.json") : NULL;

    free(dir);
    return path;
}

json_t *tuned_machine(void)
{
    struct utsname u = {0};
    char line[256], *name = NULL;
    FILE *f = fopen("/proc/cpuinfo", "re");
    json_t *out;

    uname(&u);
    while (f && !name && fgets(line, sizeof(line), f))
        if (!strncmp(line, "model name", 10) && (name = strchr(line, ':')))
            name[strcspn(name, "\n")] = 0;
    if (f)
        fclose(f);
    out = json_sprintf("%s, %s, %u CPUs", u.nodename, name ? name + 2 : u.machine, cpus_usable());
    return out ? out : json_string("unknown");
}

const char *tuned_card(const struct assay_engine_probe *probe, const char *device)
{
    return strcmp(device, "cpu") ? engine_device_name(probe, device) : "";
}

/* What is not so is a hand's work or a broken disk's. */
static bool is_flat(const json_t *o)
{
    const char *name;
    json_t *v;

    if (!json_is_object(o))
        return false;
    json_object_foreach((json_t *)(uintptr_t)o, name, v)
    {
        if (!json_is_string(v))
            return false;
    }
    return true;
}

static bool is_entry(const json_t *e)
{
    return is_flat(json_object_get(e, "key")) && is_flat(json_object_get(e, "fixed")) &&
           is_flat(json_object_get(e, "found"));
}

int tuned_read(const char *path, json_t **entries, struct assay_err *err)
{
    struct assay_err why = {0};
    json_t *tree = NULL, *list, *e;
    const char *wrong = NULL;
    size_t i;

    *entries = NULL;
    if (!file_exists(path)) {
        *entries = json_array();
        return ASSAY_OK;
    }
    if (tree_read_json(path, &tree, &why))
        return assay_fail(
            err, ASSAY_EFAIL,
            "%.300s; tuned configurations are not used: tune again, or remove the file", why.text);
    list = json_object_get(tree, "entries");
    if (strcmp(tree_text(tree, "schema", ""), SCHEMA))
        wrong = "is not of the kind " SCHEMA;
    else if (!json_is_array(list))
        wrong = "has no list of entries";
    json_array_foreach(list, i, e)
    {
        if (!is_entry(e))
            wrong = "has an entry without key, fixed and found";
    }
    if (!wrong)
        *entries = json_incref(list);
    json_decref(tree);
    return wrong
               ? assay_fail(err, ASSAY_EFAIL,
                            "%s: %s; tuned configurations are not used: tune again, or remove the "
                            "file",
                            path, wrong)
               : ASSAY_OK;
}

/* Every member of part is in whole, with the same value. */
static bool agrees(const json_t *whole, const json_t *part, const char **differs)
{
    const char *name;
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)part, name, v)
    {
        if (!json_equal(json_object_get(whole, name), v)) {
            *differs = name;
            return false;
        }
    }
    return true;
}

bool tuned_any(const json_t *entries, const json_t *part)
{
    const char *differs;
    const json_t *e;
    size_t i;

    json_array_foreach(entries, i, e)
    {
        if (agrees(json_object_get(e, "key"), part, &differs))
            return true;
    }
    return false;
}

/* As the user writes it: an engine's option without the "option." before it. */
static const char *bare(const char *name)
{
    return strncmp(name, "option.", 7) ? name : name + 7;
}

static bool fits(const json_t *entry, const json_t *given, char why[200])
{
    json_t *all = json_copy(json_object_get(entry, "found"));
    const json_t *fixed = json_object_get(entry, "fixed");
    const char *name = "?";
    bool good = false;

    json_object_update(all, (json_t *)(uintptr_t)fixed);
    if (!agrees(given, fixed, &name))
        snprintf(why, 200, "it was found with %s %s given", bare(name),
                 tree_text(fixed, name, "?"));
    else if (!agrees(all, given, &name))
        snprintf(why, 200, "%s %s is given, and it was found with %s", bare(name),
                 tree_text(given, name, "?"), tree_text(all, name, "the default"));
    else
        good = true;
    json_decref(all);
    return good;
}

/* All but the engine's version, or its plugin where it has none. */
static bool older(const json_t *entry, const json_t *key)
{
    json_t *part = json_copy((json_t *)(uintptr_t)key);
    const char *differs;
    bool is;

    json_object_del(part, "engine_version");
    json_object_del(part, "plugin_sha256");
    is = agrees(json_object_get(entry, "key"), part, &differs);
    json_decref(part);
    return is;
}

const json_t *tuned_find(const json_t *entries, const json_t *key, const json_t *given,
                         char why[200])
{
    const json_t *e, *found = NULL;
    size_t i;

    why[0] = 0;
    json_array_foreach(entries, i, e)
    {
        if (!json_equal(json_object_get(e, "key"), key)) {
            if (!why[0] && older(e, key) && json_object_get(key, "plugin_sha256"))
                snprintf(why, 200, "it was found with another build of the engine: tune again");
            else if (!why[0] && older(e, key))
                snprintf(why, 200, "it was found with version %.60s, this is %.60s: tune again",
                         tree_text(json_object_get(e, "key"), "engine_version", "?"),
                         tree_text(key, "engine_version", "?"));
            continue;
        }
        /* Where several would do, the one whose search had the same left open. */
        if (fits(e, given, why) && (!found || json_equal(json_object_get(e, "fixed"), given)))
            found = e;
    }
    if (found)
        why[0] = 0;
    return found;
}

static bool same_place(const json_t *a, const json_t *b)
{
    return json_equal(json_object_get(a, "key"), json_object_get(b, "key")) &&
           json_equal(json_object_get(a, "fixed"), json_object_get(b, "fixed"));
}

/* Readers need no lock, files appear whole; two writers would lose one another's entries. */
static int lock(const char *path, struct assay_err *err)
{
    char *name = text_format("%s.lock", path);
    int fd = name ? open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0644) : -1;

    if (fd < 0 || flock(fd, LOCK_EX)) {
        assay_fail(err, ASSAY_EFAIL, "%s.lock: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    free(name);
    return fd;
}

int tuned_keep(const char *path, json_t *entry, struct assay_err *err)
{
    char *dir = strndup(path, (size_t)(file_base(path) - path));
    json_t *entries = NULL, *tree;
    int fd = -1, rc;
    size_t i;

    rc = dir ? file_make_dirs(*dir ? dir : ".", err)
             : assay_fail(err, ASSAY_EFAIL, "not enough memory");
    free(dir);
    if (!rc && (fd = lock(path, err)) < 0)
        rc = err->code;
    if (rc)
        return rc;
    if (tuned_read(path, &entries, NULL))
        entries = json_array();
    for (i = json_array_size(entries); i-- > 0;)
        if (same_place(json_array_get(entries, i), entry))
            json_array_remove(entries, i);
    json_array_append(entries, entry);
    tree = json_pack("{s:s, s:o}", "schema", SCHEMA, "entries", entries);
    rc = tree ? tree_write_json(path, tree, err)
              : assay_fail(err, ASSAY_EFAIL, "%s: cannot be put together", path);
    json_decref(tree);
    close(fd);
    return rc;
}

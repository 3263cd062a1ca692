/* Making and checking exports: see export.h.  What goes into a store is in import.c. */
#include "record/export.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/tree.h"
#include "record/canonical.h"
#include "record/export_latencies.h"
#include "record/private.h"
#include "record/record.h"
#include "record/store.h"

/* ---- schemas ---- */

/* "assay.record/2" against "assay.record/1": 0 the same, 1 newer, -1 another thing. */
static int compare_schema(const char *found, const char *known)
{
    size_t n = (size_t)(strchr(known, '/') - known) + 1;
    char *end;
    long number;

    if (!found || strncmp(found, known, n))
        return -1;
    number = strtol(found + n, &end, 10);
    if (!found[n] || *end || number < 1)
        return -1;
    return number > strtol(known + n, NULL, 10);
}

static int check_schema(const json_t *tree, const char *known, const char *name,
                        struct assay_err *err)
{
    const char *found = tree_text(tree, "schema", NULL);
    int how = compare_schema(found, known);

    if (how > 0)
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: was made by a newer Assay (%.40s, this one knows %s): update Assay",
                          name, found, known);
    if (how < 0)
        return assay_fail(err, ASSAY_EFAIL, "%s: its schema is '%.40s', not %s", name,
                          found ? found : "", known);
    return ASSAY_OK;
}

/* ---- making ---- */

static void say_withheld(json_t *list, size_t n, const char *what)
{
    if (n)
        json_array_append_new(list, json_sprintf("%s (%zu text%s)", what, n, n == 1 ? "" : "s"));
}

static int add_record(json_t *records, const json_t *record, bool latencies,
                      const struct private_names *names, struct private_count *count,
                      struct assay_err *err)
{
    json_t *clean = private_copy(record, names, count), *entry;
    const char *id = tree_text(record, "id", "?");
    char hex[HASH_HEX], *bytes = NULL;
    struct assay_err why;
    int rc = ASSAY_OK;

    if (!clean || canonical_hash(clean, hex, &why)) {
        rc = assay_fail(err, ASSAY_EFAIL, "record %.16s cannot be exported: %.200s", id,
                        clean ? why.text : "not enough memory");
        json_decref(clean);
        return rc;
    }
    if (latencies)
        rc = export_latencies_read(record, &bytes, err);
    if (!rc) {
        entry = json_pack("{s:s, s:O, s:s*}", "sha256", hex, "record", clean, "latencies", bytes);
        if (json_array_append_new(records, entry))
            rc = assay_fail(err, ASSAY_EFAIL, "not enough memory for the export");
    }
    free(bytes);
    json_decref(clean);
    return rc;
}

int export_make(const json_t *records, bool latencies, json_t **out, struct assay_err *err)
{
    json_t *list = json_array(), *withheld = json_array(), *tree;
    struct private_count count = {0};
    struct private_names names;
    char created[32];
    size_t i;
    int rc = ASSAY_OK;

    private_names_get(&names);
    clock_utc(created);
    for (i = 0; !rc && i < json_array_size(records); i++)
        rc = add_record(list, json_array_get(records, i), latencies, &names, &count, err);
    say_withheld(withheld, count.homes, "home folders: ~ in their place");
    say_withheld(withheld, count.users, "the user's name in paths: -user- in its place");
    say_withheld(withheld, count.hosts, "the host's name: -host- in its place");
    json_array_append_new(withheld, json_string("LoadGen's logs"));
    if (!latencies)
        json_array_append_new(withheld, json_string("every single latency (latency.bin)"));
    tree = json_pack("{s:s, s:s, s:s, s:o, s:o}", "schema", EXPORT_SCHEMA, "created", created,
                     "assay", ASSAY_VERSION, "withheld", withheld, "records", list);
    if (!rc && !tree)
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory for the export");
    if (rc)
        json_decref(tree);
    else
        *out = tree;
    return rc;
}

/* ---- checking ---- */

/* "2026-01-31T12:00:00Z", with or without fractions. */
static bool is_time(const char *s)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd";
    size_t i;

    for (i = 0; form[i]; i++)
        if (form[i] == 'd' ? s[i] < '0' || s[i] > '9' : s[i] != form[i])
            return false;
    s += i;
    if (*s == '.')
        s += 1 + strspn(s + 1, "0123456789");
    return !strcmp(s, "Z");
}

/* What every reader of records relies on. */
static const char *record_fault(const json_t *r)
{
    static const char *const words[] = {"benchmark", "profile", "scenario", "mode", "status"};
    static const char *const parts[] = {"verdict",     "model",    "dataset", "engine",
                                        "performance", "accuracy", "stages",  "energy"};
    const json_t *part;
    size_t i;

    if (!store_is_id(tree_text(r, "id", "")))
        return "its id is not 16 hex digits";
    if (json_object_get(r, "foreign") || json_object_get(r, "folder"))
        return "it has a member that only a store adds";
    if (!is_time(tree_text(r, "created", "")) || !is_time(tree_text(r, "committed", "")))
        return "it has no date";
    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (!*tree_text(r, words[i], "") || strlen(tree_text(r, words[i], "")) > 100)
            return "it does not say its benchmark, profile, scenario, mode and status";
    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        part = json_object_get(r, parts[i]);
        if (part && !json_is_object(part) && !json_is_null(part))
            return "a part of it is of another kind than in a record";
    }
    if (!json_is_object(json_object_get(r, "files")) ||
        !json_is_object(json_object_get(r, "synthetic")))
        return "it does not say its files, or what in it is synthetic";
    return NULL;
}

static int check_entry(const json_t *entry, const char *name, size_t index, struct assay_err *err)
{
    const json_t *record = json_object_get(entry, "record");
    const char *stated = tree_text(entry, "sha256", ""), *fault;
    char who[600], hex[HASH_HEX];
    struct assay_err why;
    int rc;

    snprintf(who, sizeof(who), "%.300s: record %.16s (number %zu)", name,
             store_is_id(tree_text(record, "id", "")) ? tree_text(record, "id", "") : "without id",
             index + 1);
    if (!json_is_object(record))
        return assay_fail(err, ASSAY_EFAIL, "%s: is not there", who);
    if ((rc = check_schema(record, RECORD_SCHEMA, who, err)))
        return rc;
    if (canonical_hash(record, hex, &why))
        return assay_fail(err, ASSAY_EFAIL, "%s: %s; nothing was taken", who, why.text);
    if (strcmp(hex, stated))
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: its SHA-256 is not the one that the file states: it was changed or "
                          "damaged; nothing was taken",
                          who);
    if ((fault = record_fault(record)))
        return assay_fail(err, ASSAY_EFAIL, "%s: %s; nothing was taken", who, fault);
    return export_latencies_check(entry, who, err);
}

static int check(const json_t *tree, const char *name, struct assay_err *err)
{
    const json_t *records = json_object_get(tree, "records"), *entry;
    size_t i;
    int rc;

    if (!json_is_object(tree) || compare_schema(tree_text(tree, "schema", NULL), EXPORT_SCHEMA) < 0)
        return assay_fail(err, ASSAY_EFAIL, "%s: is not an export of `assay export`", name);
    rc = check_schema(tree, EXPORT_SCHEMA, name, err);
    if (!rc && !json_is_array(records))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: holds no records", name);
    json_array_foreach(rc ? NULL : records, i, entry)
    {
        if ((rc = check_entry(entry, name, i, err)))
            break;
    }
    return rc;
}

int export_parse(const char *text, size_t len, const char *name, json_t **out,
                 struct assay_err *err)
{
    json_error_t e;
    json_t *tree = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
    int rc;

    if (!tree)
        return assay_fail(err, ASSAY_EFAIL, "%s:%d:%d: not valid JSON: %s", name, e.line, e.column,
                          e.text);
    rc = check(tree, name, err);
    if (rc)
        json_decref(tree);
    else
        *out = tree;
    return rc;
}

int export_read(const char *path, json_t **out, struct assay_err *err)
{
    char *text;
    size_t len;
    int rc = file_read(path, (size_t)EXPORT_MOST_BYTES, &text, &len, err);

    if (rc)
        return rc;
    rc = export_parse(text, len, path, out, err);
    free(text);
    return rc;
}

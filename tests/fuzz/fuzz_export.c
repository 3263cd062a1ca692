/* fuzz: links assay_report assay_record assay_base */
/* An export of another machine: read and checked; what passes is shown in every form. */
#include "record/export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/canonical.h"
#include "report/pages.h"

static void show(const json_t *export)
{
    json_t *records = json_array(), *entry;
    FILE *out = fopen("/dev/null", "w");
    size_t i;

    json_array_foreach(json_object_get(export, "records"), i, entry)
    {
        json_array_append(records, json_object_get(entry, "record"));
    }
    report_html(records, out, NULL);
    report_markdown(records, out, NULL);
    report_csv(records, out, NULL);
    fclose(out);
    json_decref(records);
}

/* A fuzzer does not find SHA-256s: it gets them, so that what lies behind the check is seen. */
static void give_hashes(json_t *export)
{
    char hex[HASH_HEX];
    json_t *entry;
    size_t i;

    json_array_foreach(json_object_get(export, "records"), i, entry)
    {
        if (json_object_get(entry, "record") &&
            !canonical_hash(json_object_get(entry, "record"), hex, NULL))
            json_object_set_new(entry, "sha256", json_string(hex));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *raw = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    struct assay_err err = {0};
    json_t *export = NULL;
    char *text;

    if (!export_parse((const char *)data, size, "fuzz.json", &export, &err))
        show(export);
    json_decref(export);
    export = NULL;
    give_hashes(raw);
    text = raw ? json_dumps(raw, JSON_REAL_PRECISION(17)) : NULL;
    if (text && !export_parse(text, strlen(text), "fuzz.json", &export, &err))
        show(export);
    json_decref(export);
    json_decref(raw);
    free(text);
    return 0;
}

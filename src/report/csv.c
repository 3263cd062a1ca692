/* The CSV report: one row below says where a column's value is in a record.
 *
 * Numbers are written so that reading them back gives the same double; times stay in ns. */
#include <stdlib.h>
#include <string.h>

#include "base/tree.h"
#include "report/escape.h"
#include "report/pages.h"
#include "report/view.h"

enum kind { TEXT, NUMBER, BOUND, BOOLEAN, VERDICT, SYNTHETIC };

static const struct column {
    const char *name;
    int kind;
    const char *path; /* parted by '/', since a percentile's name has a point */
} columns[] = {
    {"id", TEXT, "id"},
    {"created", TEXT, "created"},
    {"benchmark", TEXT, "benchmark"},
    {"model", TEXT, "model/name"},
    {"model_sha256", TEXT, "model/sha256"},
    {"dataset", TEXT, "dataset/name"},
    {"dataset_hash", TEXT, "dataset/hash"},
    {"engine", TEXT, "engine/name"},
    {"engine_version", TEXT, "engine/version"},
    {"device", TEXT, "engine/device"},
    {"precision", TEXT, "engine/precision"},
    {"lanes", NUMBER, "engine/lanes"},
    {"threads", NUMBER, "engine/threads"},
    {"batch", NUMBER, "engine/batch"},
    {"loadgen", TEXT, "loadgen/version"},
    {"assay", TEXT, "assay/version"},
    {"profile", TEXT, "profile"},
    {"scenario", TEXT, "scenario"},
    {"mode", TEXT, "mode"},
    {"status", TEXT, "status"},
    {"verdict", VERDICT, NULL},
    {"valid", BOOLEAN, "verdict/valid"},
    {"synthetic", SYNTHETIC, NULL},
    {"metric", TEXT, "performance/metric"},
    {"value", NUMBER, "performance/value"},
    {"unit", TEXT, "performance/unit"},
    {"min_ns", NUMBER, "performance/latency_ns/min"},
    {"mean_ns", NUMBER, "performance/latency_ns/mean"},
    {"p50_ns", NUMBER, "performance/latency_ns/p50"},
    {"p90_ns", NUMBER, "performance/latency_ns/p90"},
    {"p95_ns", NUMBER, "performance/latency_ns/p95"},
    {"p97_ns", NUMBER, "performance/latency_ns/p97"},
    {"p99_ns", NUMBER, "performance/latency_ns/p99"},
    {"p99.9_ns", NUMBER, "performance/latency_ns/p99.9"},
    {"max_ns", NUMBER, "performance/latency_ns/max"},
    {"bound_ms", BOUND, "settings/target-latency-ms/value"},
    {"queries", NUMBER, "performance/queries"},
    {"samples", NUMBER, "performance/samples"},
    {"duration_s", NUMBER, "performance/duration_s"},
    {"accuracy_metric", TEXT, "accuracy/metric"},
    {"accuracy", NUMBER, "accuracy/value"},
    {"accuracy_unit", TEXT, "accuracy/unit"},
    {"accuracy_target", NUMBER, "accuracy/target"},
    {"accuracy_passed", BOOLEAN, "accuracy/passed"},
    {"wait_ns", NUMBER, "stages/wait_ns"},
    {"pack_ns", NUMBER, "stages/pack_ns"},
    {"pack_ahead_ns", NUMBER, "stages/pack_ahead_ns"},
    {"engine_ns", NUMBER, "stages/engine_ns"},
    {"respond_ns", NUMBER, "stages/respond_ns"},
    {"complete_ns", NUMBER, "stages/complete_ns"},
    {"processor", TEXT, "system/processor/value"},
    {"cores", NUMBER, "system/cores/value"},
    {"memory_bytes", NUMBER, "system/memory_bytes/value"},
    {"gpu_models", TEXT, "system/gpu_models/value"},
    {"operating_system", TEXT, "system/operating_system/value"},
    {"imported_from", TEXT, "foreign/file"},
    {"tag", TEXT, "tag"},
    {"error", TEXT, "error/text"},
    {"energy_from", TEXT, "energy/from"},
    {"energy_complete", BOOLEAN, "energy/complete"},
    {"energy_j", NUMBER, "energy/joules"},
    {"energy_j_per_sample", NUMBER, "energy/joules_per_sample"},
    {"energy_watts", NUMBER, "energy/watts"},
    {"energy_reason", TEXT, "energy/reason"},
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static const json_t *member(const json_t *record, const char *path)
{
    char name[64];
    size_t n;

    while (*path) {
        n = strcspn(path, "/");
        snprintf(name, sizeof(name), "%.*s", (int)n, path);
        record = json_object_get(record, name);
        path += n + (path[n] == '/');
    }
    return record;
}

static void field(FILE *out, const struct column *c, const struct view *v)
{
    const json_t *value = c->path ? member(v->record, c->path) : NULL;

    if (c->kind == BOUND && !(v->bound_ns > 0)) /* the setting is an expected latency here */
        return;
    switch (c->kind) {
    case NUMBER:
    case BOUND:
        if (json_is_integer(value))
            fprintf(out, "%lld", (long long)json_integer_value(value));
        else if (json_is_real(value))
            fprintf(out, "%.17g", json_real_value(value));
        break;
    case BOOLEAN:
        if (json_is_boolean(value))
            fputs(json_is_true(value) ? "true" : "false", out);
        break;
    case VERDICT:
        escape_csv(out, v->word);
        break;
    case SYNTHETIC:
        escape_csv(out, view_synthetic(v) ? view_synthetic(v) : v->unsure ? "unknown" : "");
        break;
    default:
        escape_csv(out, json_is_string(value) ? json_string_value(value) : "");
    }
}

int report_csv(const json_t *records, FILE *out, struct assay_err *err)
{
    size_t n = json_array_size(records), i, c;
    struct view *views = NULL;
    json_t *machines = NULL;
    int rc = view_all(records, &views, &machines, err);

    if (rc)
        return rc;
    for (c = 0; c < COLUMNS; c++)
        fprintf(out, "%s%s", c ? "," : "", columns[c].name);
    fputs("\r\n", out);
    for (i = 0; i < n; i++) {
        for (c = 0; c < COLUMNS; c++) {
            fputs(c ? "," : "", out);
            field(out, &columns[c], &views[i]);
        }
        fputs("\r\n", out);
    }
    if (fflush(out) || ferror(out))
        rc = assay_fail(err, ASSAY_EFAIL, "the report cannot be written");
    json_decref(machines);
    free(views);
    return rc;
}

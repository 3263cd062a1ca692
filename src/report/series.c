/* Thinning a run's latencies: see series.h. */
#include "report/series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/tree.h"

#define MOST_BYTES ((size_t)1 << 30)

/* A latency of 0 is a sample that did not come back; one below is in no honest file. */
static bool came_back(int64_t ns)
{
    return ns > 0;
}

static uint32_t bucket_of(double ns)
{
    int exponent;
    double m = frexp(ns, &exponent); /* 0.5 <= m < 1 */

    return (uint32_t)(exponent - 1) * SERIES_FINE + (uint32_t)((m - 0.5) * 2 * SERIES_FINE);
}

static double bucket_middle(uint32_t bucket)
{
    double m = 0.5 + (bucket % SERIES_FINE + 0.5) / (2.0 * SERIES_FINE);

    return ldexp(m, (int)(bucket / SERIES_FINE) + 1);
}

/* The time that the query of sample i takes: its slowest sample's. */
static double query_time(const int64_t *latencies, uint64_t n, uint64_t i, uint32_t per_query)
{
    double most = 0;

    for (uint64_t k = i; k < n && k < i + per_query; k++)
        if ((double)latencies[k] > most)
            most = (double)latencies[k];
    return most;
}

static void first_reading(const int64_t *latencies, uint64_t n, struct series *s)
{
    for (uint64_t i = 0; i < n; i++) {
        double ns = (double)latencies[i];

        if (!came_back(latencies[i]))
            continue;
        if (!s->completed++ || ns < s->least)
            s->least = ns;
        if (ns > s->most)
            s->most = ns;
        s->count[bucket_of(ns)]++;
    }
}

static void put_in_part(struct series *s, double where, double ns)
{
    uint32_t p = where >= 1 ? s->parts - 1 : (uint32_t)(where * s->parts);
    struct series_part *part = &s->part[p];

    if (!part->samples++ || ns < part->least)
        part->least = ns;
    if (ns > part->most)
        part->most = ns;
    part->sum += ns;
}

static void second_reading(const int64_t *latencies, uint64_t n, uint32_t per_query, double total,
                           struct series *s)
{
    double time = 0;

    for (uint64_t i = 0; i < n; i++) {
        double ns = (double)latencies[i];
        double where = s->axis == SERIES_TIME    ? time / total
                       : s->axis == SERIES_ORDER ? (double)i / (double)n
                                                 : ns / total;

        if (came_back(latencies[i]))
            put_in_part(s, where, ns);
        if (s->axis == SERIES_TIME && i % per_query == per_query - 1)
            time += query_time(latencies, n, i + 1 - per_query, per_query);
    }
}

bool series_make(const int64_t *latencies, uint64_t n, int axis, uint32_t per_query, uint32_t parts,
                 double seconds, struct series *s)
{
    double total = 0;

    memset(s, 0, sizeof(*s));
    s->samples = n;
    s->axis = axis;
    s->parts = parts < 1 ? 1 : parts > SERIES_PARTS ? SERIES_PARTS : parts;
    per_query = per_query ? per_query : 1;
    first_reading(latencies, n, s);
    if (!s->completed)
        return false;
    if (s->completed < 4 * (uint64_t)s->parts) /* a part without samples then says something */
        s->parts = s->completed < 8 ? 1 : (uint32_t)(s->completed / 4);
    if (axis == SERIES_TIME)
        for (uint64_t i = 0; i < n; i += per_query)
            total += query_time(latencies, n, i, per_query);
    else
        total = s->most;
    second_reading(latencies, n, per_query, total, s);
    s->seconds = axis == SERIES_ORDER ? seconds : total * 1e-9;
    return true;
}

double series_percentile(const struct series *s, double p)
{
    double rank = floor((double)s->completed * p), below = 0;

    if (rank <= 0)
        return s->least;
    if (rank >= (double)s->completed - 1)
        return s->most;
    for (uint32_t b = 0; b < SERIES_BUCKETS; b++) {
        below += (double)s->count[b];
        if (below > rank)
            return fmin(fmax(bucket_middle(b), s->least), s->most);
    }
    return s->most;
}

/* The file as the record names it, or NULL. */
static char *read_latencies(const json_t *record, const char *path, size_t *len, char why[160])
{
    const json_t *named = json_object_get(json_object_get(record, "files"), "latency.bin");
    const char *sha256 = tree_text(named, "sha256", NULL);
    char hex[HASH_HEX], *data = NULL;
    struct assay_err err;
    struct stat st;

    if (lstat(path, &st) < 0)
        return NULL;
    if (!S_ISREG(st.st_mode) || file_read(path, MOST_BYTES, &data, len, &err)) {
        snprintf(why, 160, "latency.bin cannot be read");
        return NULL;
    }
    hash_bytes(data, *len, hex);
    if (sha256 && !strcmp(sha256, hex) && *len % sizeof(int64_t) == 0)
        return data;
    snprintf(why, 160, "latency.bin is not the file that the record names by its SHA-256");
    free(data);
    return NULL;
}

static int axis_of(const char *scenario)
{
    return !strcmp(scenario, "Offline")  ? SERIES_COMPLETED
           : !strcmp(scenario, "Server") ? SERIES_ORDER
                                         : SERIES_TIME;
}

static uint32_t per_query_of(const json_t *record, const char *scenario)
{
    const json_t *row = json_object_get(json_object_get(record, "settings"), "samples-per-query");
    int64_t n = tree_int(row, "value", 8);

    return !strcmp(scenario, "MultiStream") && n > 0 && n < 1 << 20 ? (uint32_t)n : 1;
}

bool series_read(const json_t *record, uint32_t parts, struct series *s, char why[160])
{
    const char *folder = tree_text(record, "folder", NULL);
    const char *scenario = tree_text(record, "scenario", "");
    char *path = folder ? file_join(folder, "latency.bin") : NULL;
    size_t len = 0;
    char *data;
    bool drawn;

    why[0] = 0;
    data = path ? read_latencies(record, path, &len, why) : NULL;
    free(path);
    if (!data)
        return false;
    /* malloc'ed, so it is aligned for any type */
    drawn = series_make((const int64_t *)(const void *)data, len / sizeof(int64_t),
                        axis_of(scenario), per_query_of(record, scenario), parts,
                        tree_real(json_object_get(record, "performance"), "duration_s", 0), s);
    if (!drawn)
        snprintf(why, 160, "no sample came back");
    free(data);
    return drawn;
}

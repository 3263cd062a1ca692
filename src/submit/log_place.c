/* What the folders above a run's logs say of it, and what a submission tree has beside them. */
#include "submit/log_run.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "data/bench_host.h"

#define MOST_PARTS 64

/* A path's folders, the last first: "/a/b" is b, a. */
struct parts {
    const char *path;
    size_t start[MOST_PARTS], end[MOST_PARTS];
    int n;
};

static void part_path(const char *path, struct parts *p)
{
    size_t end = strlen(path), start;

    p->path = path;
    for (p->n = 0; end && p->n < MOST_PARTS; end = start ? start - 1 : 0) {
        for (start = end; start && path[start - 1] != '/'; start--)
            ;
        if (start == end)
            continue;
        p->start[p->n] = start;
        p->end[p->n++] = end;
    }
}

static void name_of(const struct parts *p, int i, char out[128])
{
    snprintf(out, 128, "%.*s", i < p->n ? (int)(p->end[i] - p->start[i]) : 0,
             i < p->n ? p->path + p->start[i] : "");
}

static bool is_named(const struct parts *p, int i, const char *name)
{
    char own[128];

    name_of(p, i, own);
    return !strcmp(own, name);
}

static int scenario_of(const char *name)
{
    for (int s = 0; s < SUBMIT_SCENARIO_COUNT; s++)
        if (!strcasecmp(submit_scenario_names[s], name))
            return s;
    return -1;
}

/* ---- the benchmark ---- */

/* Of a round's model: our name for it. */
static const char *in_round(const struct submit_round *r, const char *name, bool guess)
{
    const struct submit_model *m = submit_model_find(r, name);

    if (!m || (!guess && strcmp(m->name, name) && (!m->assay || strcmp(m->assay, name))))
        return NULL;
    return m->assay ? m->assay : m->name;
}

static bool is_ours(const char *name)
{
    json_t *names = bench_list(), *one;
    bool found = false;
    size_t i;

    json_array_foreach(names, i, one) found = found || !strcmp(json_string_value(one), name);
    json_decref(names);
    return found;
}

const char *log_benchmark(const char *name, bool guess)
{
    const char *found = NULL;

    if (*name && is_ours(name))
        return name;
    for (const struct submit_round *r = submit_rounds; r->name && !found; r++)
        found = in_round(r, name, guess);
    return found;
}

/* ---- files beside ---- */

/* dir[0..len) + rest, when it is a JSON object. */
static json_t *read_beside(const char *dir, size_t len, const char *rest, char **path)
{
    json_t *tree = NULL;

    *path = text_format("%.*s%s", (int)len, dir, rest);
    if (*path && file_exists(*path) && !tree_read_json(*path, &tree, NULL) && json_is_object(tree))
        return tree;
    json_decref(tree);
    free(*path);
    *path = NULL;
    return NULL;
}

/* v5: SYSTEM….json in measurements/; of several the scenario's. */
static void read_v5_measurements(const struct parts *p, int scenario, struct log_place *out)
{
    const char *dir = p->path;
    char system[128], rest[300], end[64], *folder;
    struct dirent *e;
    DIR *d;

    name_of(p, scenario + 2, system);
    snprintf(end, sizeof(end), "_%.*s.json", (int)(p->end[scenario] - p->start[scenario]),
             dir + p->start[scenario]);
    folder =
        text_format("%.*s/measurements/%.*s", (int)p->end[scenario + 4], dir,
                    (int)(p->end[scenario] - p->start[scenario + 2]), dir + p->start[scenario + 2]);
    d = folder ? opendir(folder) : NULL;
    while (d && (e = readdir(d))) {
        size_t n = strlen(e->d_name), m = strlen(end);
        bool exact = n > m && !strcmp(e->d_name + n - m, end);

        if (strncmp(e->d_name, system, strlen(system)) || n < 6 ||
            strcmp(e->d_name + n - 5, ".json") || (out->measurements && !exact))
            continue;
        json_decref(out->measurements);
        free(out->measurements_path);
        snprintf(rest, sizeof(rest), "/%.255s", e->d_name);
        out->measurements = read_beside(folder, strlen(folder), rest, &out->measurements_path);
    }
    if (d)
        closedir(d);
    free(folder);
}

/* scenario: which part is the scenario's folder. */
static void look_beside(const struct parts *p, int scenario, struct log_place *out)
{
    char rest[300], system[128], own[128], *path = NULL;
    bool tree = is_named(p, scenario + 5, "closed") || is_named(p, scenario + 5, "network");
    json_t *mapping;

    if (scenario + 5 >= p->n)
        return;
    out->open = is_named(p, scenario + 5, "open");
    if ((!tree && !out->open) ||
        (!is_named(p, scenario + 3, "results") && !is_named(p, scenario + 3, "compliance"))) {
        out->open = false;
        return;
    }
    name_of(p, scenario + 2, system);
    snprintf(rest, sizeof(rest), "/systems/%s.json", system);
    out->system = read_beside(p->path, p->end[scenario + 4], rest, &out->system_path);
    out->measurements =
        read_beside(p->path, p->end[scenario], "/measurements.json", &out->measurements_path);
    if (!out->measurements)
        read_v5_measurements(p, scenario, out);
    mapping =
        out->open ? read_beside(p->path, p->end[scenario + 4], "/model_mapping.json", &path) : NULL;
    snprintf(own, sizeof(own), "%s", out->benchmark);
    snprintf(out->benchmark, sizeof(out->benchmark), "%s", tree_text(mapping, own, own));
    json_decref(mapping);
    free(path);
}

void log_place_find(const char *dir, struct log_place *out)
{
    struct parts p;
    char name[128];
    int i;

    memset(out, 0, sizeof(*out));
    out->scenario = -1;
    part_path(dir, &p);
    for (i = 0; i < p.n; i++) {
        name_of(&p, i, name);
        if ((out->scenario = scenario_of(name)) >= 0)
            break;
    }
    if (out->scenario >= 0 && i + 1 < p.n) {
        name_of(&p, i + 1, out->benchmark);
        look_beside(&p, i, out);
        if (log_benchmark(out->benchmark, true))
            return;
    }
    if (!out->system) /* a folder that is only called so */
        out->scenario = -1;
    for (i = 0; i < p.n; i++) {
        name_of(&p, i, out->benchmark);
        if (log_benchmark(out->benchmark, false))
            return;
    }
    out->benchmark[0] = 0;
}

void log_place_release(struct log_place *p)
{
    json_decref(p->system);
    json_decref(p->measurements);
    free(p->system_path);
    free(p->measurements_path);
}

/* Reads lists of jobs; see jobs.h. */
#include "jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bare.h"

static void *grow(void *list, size_t count, size_t each)
{
    list = count & (count - 1) ? list : realloc(list, (count ? 2 * count : 1) * each);
    if (!list)
        bare_die("not enough memory for the jobs");
    return list;
}

/* A number behind `mark`, or `missing` where that is not there. */
static long number(char **at, char mark, long missing)
{
    if (**at != mark)
        return missing;
    return strtol(*at + 1, at, 10);
}

static struct call parse_call(const char *path, size_t line, char *word)
{
    struct call c = {.times = 1};
    char *slash = strchr(word, '/'), *at;

    snprintf(c.graph, sizeof(c.graph), "%.*s", slash ? (int)(slash - word) : 0, word);
    c.samples = strtol(slash ? slash + 1 : word, &at, 10);
    c.length = number(&at, 'x', 1);
    c.times = number(&at, '*', 1);
    if (*at || c.samples < 1 || c.length < 1 || c.times < 1)
        bare_die("%s, line %zu: '%s' is no [GRAPH/]SAMPLES[xLENGTH][*TIMES]", path, line, word);
    return c;
}

static struct job parse_job(const char *path, size_t line, char *text, size_t *before)
{
    struct job job = {0};
    char *rest = NULL;

    for (char *word = strtok_r(text, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
        struct call c = parse_call(path, line, word);

        c.before = *before;
        *before += (size_t)c.samples;
        job.calls = grow(job.calls, job.count, sizeof(*job.calls));
        job.calls[job.count++] = c;
    }
    return job;
}

void jobs_read(const char *path, struct jobs *jobs)
{
    FILE *f = fopen(path, "re");
    size_t room = 0, line = 0, before = 0;
    char *text = NULL;
    struct job job;

    if (!f)
        bare_die("%s cannot be read", path);
    while (getline(&text, &room, f) > 0) {
        job = parse_job(path, ++line, text, &before);
        if (!job.count)
            continue;
        jobs->list = grow(jobs->list, jobs->count, sizeof(*jobs->list));
        jobs->list[jobs->count++] = job;
    }
    if (!jobs->count)
        bare_die("%s has no job", path);
    free(text);
    fclose(f);
}

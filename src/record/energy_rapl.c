/* The processors' packages; see energy_source.h.
 *
 * /sys/class/powercap has a folder for each zone, of all control types side by side:
 *
 *   intel-rapl:0            name "package-0": counted; AMD's packages have the same names
 *   intel-rapl:0:1          "core", "uncore", "dram": a part of its package, or beside it: not
 *   intel-rapl:2            "psys": the whole board, with the packages: not
 *   intel-rapl-mmio:0       "package-0" again, by another way: only where the first is unreadable
 *
 * energy_uj counts microjoules and begins anew beyond max_energy_range_uj, after minutes at full
 * load.  A package is looked at so often that at WATTS_MOST it has not gone half the way.  More
 * than that between two looks is no counter of energy (one that was set back looks like a wrap). */
#include "record/energy_source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDER       "/sys/class/powercap"
#define WATTS_MOST   10000.0
#define SECONDS_MORE 0.1 /* that a counter may lag behind */
#define EVERY_LEAST  0.1
#define EVERY_MOST   10.0

struct package {
    char path[700]; /* of energy_uj */
    uint64_t last, range;
};

/* Of a small file; an errno. */
static int read_text(const char *path, char out[64])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), error;
    ssize_t n = fd < 0 ? -1 : read(fd, out, 63);

    error = errno;
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return error;
    out[n] = 0;
    out[strcspn(out, "\n")] = 0;
    return 0;
}

/* EINVAL: it is no number. */
static int read_number(const char *path, uint64_t *out)
{
    char text[64] = "", *end;
    int error = read_text(path, text);

    if (error)
        return error;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return text[0] < '0' || text[0] > '9' || *end || errno ? EINVAL : 0;
}

static bool refuse(struct energy_source *s, int error)
{
    if (error == EACCES || error == EPERM)
        return energy_refuse(s, "%s: only root may read it", s->source);
    if (error == EINVAL)
        return energy_refuse(s, "%s: is no number", s->source);
    return energy_refuse(s, "%s: cannot be read: %s", s->source, strerror(error));
}

static bool look(struct energy_source *s, double seconds)
{
    struct package *p = s->self;
    uint64_t now = 0, moved;
    int error = read_number(p->path, &now);

    if (error)
        return refuse(s, error);
    if (seconds >= 0) {
        if (now < p->last && p->range < p->last)
            return energy_refuse(s, "%s: went back, and its range is not known", s->source);
        moved = now >= p->last ? now - p->last : p->range - p->last + now;
        if ((double)moved * 1e-6 > WATTS_MOST * (seconds + SECONDS_MORE))
            return energy_refuse(s, "%s: jumped by %.4g J in %.3g s", s->source,
                                 (double)moved * 1e-6, seconds);
        s->joules += (double)moved * 1e-6;
    }
    p->last = now;
    return true;
}

static void release(struct energy_source *s)
{
    free(s->self);
}

/* ---- finding them ---- */

struct zone {
    char name[64];   /* "package-0" */
    char folder[64]; /* "intel-rapl:0" */
    int error;       /* of its counter */
};

/* A way to a package that cannot be read, or by the memory-mapped registers, is second. */
static bool is_better(const struct zone *a, const struct zone *b)
{
    bool mmio_a = strstr(a->folder, "mmio") != NULL, mmio_b = strstr(b->folder, "mmio") != NULL;

    if (!a->error != !b->error)
        return !a->error;
    if (mmio_a != mmio_b)
        return mmio_b;
    return strcmp(a->folder, b->folder) < 0;
}

/* One package once. */
static void add_zone(struct zone *zones, size_t *n, size_t max, const struct zone *z)
{
    size_t i = 0;

    while (i < *n && strcmp(zones[i].name, z->name))
        i++;
    if (i == *n && *n < max)
        zones[(*n)++] = *z;
    else if (i < *n && is_better(z, &zones[i]))
        zones[i] = *z;
}

static void look_at_zone(const char *root, const char *folder, struct zone *zones, size_t *n,
                         size_t max)
{
    const char *colon = strchr(folder, ':');
    struct zone z = {.error = 0};
    char path[800];
    uint64_t now;

    if (!colon || strchr(colon + 1, ':') || strlen(folder) >= sizeof(z.folder))
        return;
    snprintf(path, sizeof(path), "%.400s" FOLDER "/%s/name", root, folder);
    if (read_text(path, z.name) || strncmp(z.name, "package", strlen("package")))
        return;
    snprintf(z.folder, sizeof(z.folder), "%s", folder);
    snprintf(path, sizeof(path), "%.400s" FOLDER "/%s/energy_uj", root, folder);
    z.error = read_number(path, &now);
    add_zone(zones, n, max, &z);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct zone *)a)->name, ((const struct zone *)b)->name);
}

static void open_zone(const char *root, const struct zone *z, struct energy_source *s)
{
    struct package *p = calloc(1, sizeof(*p));
    char path[800];

    s->kind = ENERGY_RAPL;
    snprintf(s->name, sizeof(s->name), "%.63s", z->name);
    snprintf(s->source, sizeof(s->source), FOLDER "/%.63s/energy_uj", z->folder);
    if (z->error || !p) {
        refuse(s, z->error ? z->error : ENOMEM);
        free(p);
        return;
    }
    snprintf(p->path, sizeof(p->path), "%.400s%s", root, s->source);
    snprintf(path, sizeof(path), "%.400s" FOLDER "/%.63s/max_energy_range_uj", root, z->folder);
    if (read_number(path, &p->range))
        p->range = 0;
    s->every_s =
        p->range ? fmin(fmax((double)p->range * 1e-6 / (2 * WATTS_MOST), EVERY_LEAST), EVERY_MOST)
                 : EVERY_MOST;
    s->self = p;
    s->look = look;
    s->close = release;
}

size_t energy_rapl_open(const char *root, struct energy_source *out, size_t max)
{
    struct zone zones[ENERGY_SOURCES_MAX];
    char path[800];
    struct dirent *d;
    size_t n = 0, i;
    DIR *dir;

    snprintf(path, sizeof(path), "%.400s" FOLDER, root);
    dir = opendir(path);
    while (dir && (d = readdir(dir)))
        look_at_zone(root, d->d_name, zones, &n, max);
    if (n)
        qsort(zones, n, sizeof(*zones), by_name);
    for (i = 0; i < n; i++)
        open_zone(root, &zones[i], &out[i]);
    if (!n) {
        out[0].kind = ENERGY_RAPL;
        snprintf(out[0].name, sizeof(out[0].name), "packages");
        snprintf(out[0].source, sizeof(out[0].source), FOLDER);
        energy_refuse(&out[0], dir ? "no RAPL: " FOLDER " shows no package of a processor"
                                   : "no RAPL: there is no " FOLDER
                                     " (a virtual machine, a container, or a kernel without it)");
    }
    if (dir)
        closedir(dir);
    return n ? n : 1;
}

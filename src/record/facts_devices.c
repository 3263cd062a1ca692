/* Readers of the store's disk and of network cards; see facts.h. */
#include "record/facts.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define SECTOR 512 /* the kernel's unit, whatever the disk's own is */

/* Of the disk, also where the store is on a part of it. */
json_t *facts_read_storage(struct probe *p, const struct fact *f)
{
    static const char *const at[] = {"../size", "size"};
    char device[32], *text = NULL;
    json_t *v = NULL;
    size_t i;

    facts_from(p, f->path);
    if (!facts_store_device(p, device))
        return NULL;
    for (i = 0; !v && i < sizeof(at) / sizeof(at[0]); i++) {
        snprintf(p->source, sizeof(p->source), "/sys/dev/block/%s/%s", device, at[i]);
        text = facts_slurp(p, p->source);
        v = facts_integer(text, SECTOR);
        free(text);
    }
    return v;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "eth0 10000 Mb/s"; without a speed where the card tells none. */
static void add_link(const struct probe *p, struct text *t, const char *name)
{
    char *path = text_format("/sys/class/net/%s/speed", name);
    char *speed = path ? facts_slurp(p, path) : NULL;
    json_t *n = facts_integer(speed, 1);

    text_addf(t, "%s%s", t->len ? ", " : "", name);
    if (json_integer_value(n) > 0)
        text_addf(t, " %lld Mb/s", (long long)json_integer_value(n));
    json_decref(n);
    free(speed);
    free(path);
}

/* Names of the links that have a device behind them: not bridges, tunnels, the loop. */
static size_t list_cards(const struct probe *p, DIR *d, char **names, size_t max)
{
    struct dirent *e;
    size_t n = 0;

    while ((e = readdir(d)) && n < max) {
        char *path =
            e->d_name[0] == '.' ? NULL : text_format("/sys/class/net/%s/device", e->d_name);

        if (path && facts_present(p, path) && (names[n] = strdup(e->d_name)))
            n++;
        free(path);
    }
    qsort(names, n, sizeof(*names), by_name);
    return n;
}

/* An empty folder is a network namespace without cards, and says nothing about the machine. */
json_t *facts_read_network(struct probe *p, const struct fact *f)
{
    DIR *d = facts_list(p, f->path);
    char *names[256];
    size_t n = d ? list_cards(p, d, names, sizeof(names) / sizeof(names[0])) : 0, i;
    struct text t;

    facts_from(p, f->path);
    text_init(&t, 4096);
    for (i = 0; i < n; i++) {
        add_link(p, &t, names[i]);
        free(names[i]);
    }
    if (d)
        closedir(d);
    if (f->number)
        return facts_text(text_take(&t));
    text_release(&t);
    return n ? json_integer((json_int_t)n) : NULL;
}

/* Readers of GPUs; see facts.h. */
#include "record/facts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

static unsigned long pci_number(const struct probe *p, const char *device, const char *what)
{
    char *path = text_format("/sys/bus/pci/devices/%s/%s", device, what);
    char *text = path ? facts_slurp(p, path) : NULL;
    unsigned long n = text ? strtoul(text, NULL, 16) : 0;

    free(text);
    free(path);
    return n;
}

static const char *gpu_vendor(unsigned long vendor)
{
    return vendor == 0x10de   ? "NVIDIA"
           : vendor == 0x1002 ? "AMD"
           : vendor == 0x8086 ? "Intel"
                              : NULL;
}

/* Names as the NVIDIA driver gives them; NULL: no such driver here. */
static json_t *nvidia_gpus(const struct probe *p)
{
    DIR *d = facts_list(p, "/proc/driver/nvidia/gpus");
    json_t *gpus = d ? json_array() : NULL;
    struct dirent *e;
    char *path, *text;
    json_t *name;

    while (d && (e = readdir(d))) {
        if (e->d_name[0] == '.')
            continue;
        path = text_format("/proc/driver/nvidia/gpus/%s/information", e->d_name);
        text = path ? facts_slurp(p, path) : NULL;
        name = text ? facts_text(facts_keyed(text, "Model", ':')) : NULL;
        json_array_append_new(gpus, name ? name : json_string("NVIDIA"));
        free(text);
        free(path);
    }
    if (d)
        closedir(d);
    return gpus;
}

/* Display controllers (class 03) and processing accelerators (12) of vendors that make GPUs.  A bus
 * that shows nothing at all proves nothing: NULL. */
static json_t *pci_gpus(const struct probe *p, bool without_nvidia)
{
    DIR *d = facts_list(p, "/sys/bus/pci/devices");
    json_t *gpus = json_array();
    struct dirent *e;
    unsigned long class, vendor;
    size_t seen = 0;

    while (d && (e = readdir(d))) {
        if (e->d_name[0] == '.')
            continue;
        class = pci_number(p, e->d_name, "class") >> 16;
        vendor = pci_number(p, e->d_name, "vendor");
        seen += vendor != 0;
        if ((class == 0x03 || class == 0x12) && gpu_vendor(vendor) &&
            !(without_nvidia && vendor == 0x10de))
            json_array_append_new(gpus, json_sprintf("%s %04lx:%04lx", gpu_vendor(vendor), vendor,
                                                     pci_number(p, e->d_name, "device")));
    }
    if (d)
        closedir(d);
    if (seen)
        return gpus;
    json_decref(gpus);
    return NULL;
}

static json_t *find_gpus(struct probe *p)
{
    json_t *named = nvidia_gpus(p), *bus = pci_gpus(p, json_array_size(named) > 0);

    snprintf(p->source, sizeof(p->source), "%s%s%s",
             json_array_size(named) ? "/proc/driver/nvidia/gpus" : "",
             json_array_size(named) && bus ? ", " : "", bus ? "/sys/bus/pci/devices" : "");
    if (json_array_size(named)) {
        json_array_extend(named, bus);
        json_decref(bus);
        return named;
    }
    json_decref(named);
    return bus;
}

json_t *facts_read_gpus(struct probe *p, const struct fact *f)
{
    json_t *gpus = find_gpus(p), *v = gpus ? json_integer((json_int_t)json_array_size(gpus)) : NULL;

    if (!v)
        facts_from(p, f->path);
    json_decref(gpus);
    return v;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, for folders are listed in no order. */
json_t *facts_read_gpu_models(struct probe *p, const struct fact *f)
{
    json_t *gpus = find_gpus(p);
    size_t i, n = json_array_size(gpus);
    const char **name = calloc(n + 1, sizeof(*name));
    struct text t;

    if (!n)
        facts_from(p, f->path);
    text_init(&t, 2048);
    for (i = 0; name && i < n; i++)
        name[i] = json_string_value(json_array_get(gpus, i));
    if (name && n)
        qsort(name, n, sizeof(*name), compare_names);
    for (i = 0; name && i < n; i++)
        text_addf(&t, "%s%s", i ? ", " : "", name[i]);
    free(name);
    json_decref(gpus);
    return facts_text(text_take(&t));
}

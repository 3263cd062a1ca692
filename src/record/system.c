/* Facts about the machine: one table row a fact, one small reader a kind of source.
 *
 * A reader either finds its value, and names the file it was read from, or finds nothing; there are
 * no defaults.  "None" and 0 are answers only where the source was there and says so: an absent
 * file, an empty folder or a masked /sys is unknown.  Paths in sources are those below the root, so
 * that they read the same on a fixture tree. */
#include "record/system.h"

#include <dirent.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <hwloc.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"

struct probe {
    const char *root;          /* "" or ASSAY_SYSROOT */
    char *cpuinfo;             /* the first processor's block; NULL: none */
    char *store;               /* absolute */
    hwloc_topology_t topology; /* NULL: none */
    char source[300];          /* set by the reader that found something */
};

struct fact {
    const char *name;
    json_t *(*read)(struct probe *p, const struct fact *f);
    const char *path, *key;
    int number;
};

/* The text of a small file below the root, without its last newline; NULL: cannot be read. */
static char *slurp(const struct probe *p, const char *path)
{
    char *full = text_format("%s%s", p->root, path), *data = NULL;
    size_t len = 0;

    if (full && !file_read(full, 1 << 20, &data, &len, NULL))
        while (len && (data[len - 1] == '\n' || data[len - 1] == ' '))
            data[--len] = 0;
    free(full);
    return data;
}

static bool present(const struct probe *p, const char *path)
{
    char *full = text_format("%s%s", p->root, path);
    bool is = full && file_exists(full);

    free(full);
    return is;
}

static DIR *list(const struct probe *p, const char *path)
{
    char *full = text_format("%s%s", p->root, path);
    DIR *d = full ? opendir(full) : NULL;

    free(full);
    return d;
}

static void from(struct probe *p, const char *source)
{
    snprintf(p->source, sizeof(p->source), "%s", source);
}

/* The value of "key<spaces>: value" or "key=value" in a text, malloc'ed. */
static char *keyed(const char *text, const char *key, char mark)
{
    size_t n = strlen(key), end;
    const char *line = text, *v;

    for (; line; line = (line = strchr(line, '\n')) ? line + 1 : NULL) {
        if (strncmp(line, key, n))
            continue;
        v = line + n + strspn(line + n, " \t");
        if (*v++ != mark)
            continue;
        v += strspn(v, " \t\"");
        end = strcspn(v, "\n");
        while (end && strchr(" \t\"", v[end - 1]))
            end--;
        return end ? strndup(v, end) : NULL;
    }
    return NULL;
}

static json_t *text_value(char *owned)
{
    json_t *v = owned && *owned ? json_string(owned) : NULL;

    free(owned);
    return v;
}

/* Digits only (perhaps followed by a unit): anything else is no value. */
static json_t *integer(const char *text, int64_t times)
{
    char *end;
    long long n;

    if (!text)
        return NULL;
    errno = 0;
    n = strtoll(text, &end, 10);
    if (end == text || errno || n < 0 || n > INT64_MAX / times ||
        (*end && *end != ' ' && *end != '\n'))
        return NULL;
    return json_integer(n * times);
}

static json_t *read_cpuinfo(struct probe *p, const struct fact *f)
{
    from(p, f->path);
    return p->cpuinfo ? text_value(keyed(p->cpuinfo, f->key, ':')) : NULL;
}

/* "model name" on x86; Arm kernels give only implementer and part numbers, which are shown as they
 * are. */
static json_t *read_processor(struct probe *p, const struct fact *f)
{
    json_t *v = read_cpuinfo(p, f);
    char *who, *part;

    if (v || !p->cpuinfo)
        return v;
    who = keyed(p->cpuinfo, "CPU implementer", ':');
    part = keyed(p->cpuinfo, "CPU part", ':');
    if (who && part)
        v = text_value(text_format("implementer %s, part %s", who, part));
    free(who);
    free(part);
    return v;
}

static json_t *read_text(struct probe *p, const struct fact *f)
{
    from(p, f->path);
    return text_value(slurp(p, f->path));
}

/* "always [madvise] never" */
static json_t *read_bracketed(struct probe *p, const struct fact *f)
{
    char *text = slurp(p, f->path), *open = text ? strchr(text, '[') : NULL;
    char *close = open ? strchr(open, ']') : NULL;
    json_t *v = close ? json_stringn(open + 1, (size_t)(close - open - 1)) : NULL;

    from(p, f->path);
    free(text);
    return v;
}

static json_t *read_number(struct probe *p, const struct fact *f)
{
    char *text = slurp(p, f->path);
    json_t *v = integer(text, 1);

    from(p, f->path);
    free(text);
    return v;
}

/* /proc/meminfo in kB, given in bytes */
static json_t *read_memory(struct probe *p, const struct fact *f)
{
    char *text = slurp(p, f->path), *kb = text ? keyed(text, f->key, ':') : NULL;
    json_t *v = integer(kb, 1024);

    from(p, f->path);
    free(kb);
    free(text);
    return v;
}

static json_t *read_key(struct probe *p, const struct fact *f)
{
    char *text = slurp(p, f->path);
    json_t *v = text ? text_value(keyed(text, f->key, '=')) : NULL;

    from(p, f->path);
    free(text);
    return v;
}

static json_t *read_frequency(struct probe *p, const struct fact *f)
{
    char *text = slurp(p, f->path);
    json_t *khz = integer(text, 1), *v = NULL;

    from(p, f->path);
    if (khz)
        v = json_real((double)json_integer_value(khz) / 1000.0);
    json_decref(khz);
    free(text);
    return v;
}

/* All governors in use, each once: a machine with two kinds says both. */
static json_t *read_governor(struct probe *p, const struct fact *f)
{
    char path[128];
    struct text t;
    char *one;
    int cpu, misses = 0;

    text_init(&t, 256);
    for (cpu = 0; misses < 64 && cpu < 8192; cpu++) {
        snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_governor", cpu);
        one = slurp(p, path);
        misses = one ? 0 : misses + 1;
        if (one && *one && !(t.len && strstr(t.s, one)))
            text_addf(&t, "%s%s", t.len ? ", " : "", one);
        free(one);
    }
    from(p, f->path);
    return text_value(text_take(&t));
}

static json_t *read_count(struct probe *p, const struct fact *f)
{
    int n = p->topology ? hwloc_get_nbobjs_by_type(p->topology, (hwloc_obj_type_t)f->number) : 0;

    snprintf(p->source, sizeof(p->source), "hwloc, %s", f->path);
    /* hwloc makes up one core or node where the kernel says nothing. */
    return n > 0 && present(p, f->path) ? json_integer(n) : NULL;
}

static json_t *read_caches(struct probe *p, const struct fact *f)
{
    static const struct {
        hwloc_obj_type_t type;
        const char *name;
    } level[] = {{HWLOC_OBJ_L1CACHE, "L1d"},
                 {HWLOC_OBJ_L1ICACHE, "L1i"},
                 {HWLOC_OBJ_L2CACHE, "L2"},
                 {HWLOC_OBJ_L3CACHE, "L3"},
                 {HWLOC_OBJ_L4CACHE, "L4"}};
    struct text t;
    hwloc_obj_t o;
    size_t i;
    int n;

    snprintf(p->source, sizeof(p->source), "hwloc, %s", f->path);
    text_init(&t, 256);
    for (i = 0; p->topology && i < sizeof(level) / sizeof(level[0]); i++) {
        n = hwloc_get_nbobjs_by_type(p->topology, level[i].type);
        o = n > 0 ? hwloc_get_obj_by_type(p->topology, level[i].type, 0) : NULL;
        if (o && o->attr->cache.size)
            text_addf(&t, "%s%s %llu KiB x %d", t.len ? ", " : "", level[i].name,
                      (unsigned long long)o->attr->cache.size / 1024, n);
    }
    return text_value(text_take(&t));
}

/* One line of mountinfo: "id parent MAJ:MIN root MOUNTPOINT options… - TYPE DEVICE …". */
struct mount {
    char device[32], type[64], source[256];
    size_t length;
};

static void better_mount(const char *line, const char *path, struct mount *best)
{
    char dev[32], point[1024], type[64], source[256];
    const char *tail = strstr(line, " - ");
    size_t n;

    if (sscanf(line, "%*s %*s %31s %*s %1023s", dev, point) != 2 || !tail ||
        sscanf(tail + 3, "%63s %255s", type, source) != 2)
        return;
    n = strcmp(point, "/") ? strlen(point) : 0;
    if (strncmp(path, point, n) || (path[n] && path[n] != '/') ||
        (best->type[0] && n < best->length))
        return;
    snprintf(best->device, sizeof(best->device), "%s", dev);
    snprintf(best->type, sizeof(best->type), "%s", type);
    snprintf(best->source, sizeof(best->source), "%s", source);
    best->length = n;
}

/* The last of the longest mount points that hold the store is the one on top. */
static bool find_mount(const struct probe *p, struct mount *best)
{
    char *text = slurp(p, "/proc/self/mountinfo"), *line, *rest = text;

    memset(best, 0, sizeof(*best));
    while (p->store && (line = strsep(&rest, "\n")))
        better_mount(line, p->store, best);
    free(text);
    return best->type[0] != 0;
}

static json_t *read_mount(struct probe *p, const struct fact *f)
{
    struct mount m;

    from(p, f->path);
    return find_mount(p, &m) ? json_string(f->number ? m.source : m.type) : NULL;
}

/* A partition has its queue in the folder of its disk, one up. */
static json_t *read_rotational(struct probe *p, const struct fact *f)
{
    static const char *const at[] = {"queue/rotational", "../queue/rotational"};
    struct mount m;
    char *text = NULL;
    json_t *v = NULL;
    size_t i;

    from(p, f->path);
    if (!find_mount(p, &m) || !strncmp(m.device, "0:", 2))
        return NULL; /* no block device: memory, network, overlay */
    for (i = 0; !text && i < sizeof(at) / sizeof(at[0]); i++) {
        snprintf(p->source, sizeof(p->source), "/sys/dev/block/%s/%s", m.device, at[i]);
        text = slurp(p, p->source);
    }
    if (text && (!strcmp(text, "0") || !strcmp(text, "1")))
        v = json_boolean(text[0] == '1');
    free(text);
    return v;
}

static json_t *read_virtualised(struct probe *p, const struct fact *f)
{
    char *flags = p->cpuinfo ? keyed(p->cpuinfo, "flags", ':') : NULL;
    json_t *v = NULL;
    char *hit;

    from(p, f->path);
    if (flags) { /* x86 only: other processors have no such flag */
        hit = strstr(flags, " hypervisor");
        v = json_boolean(hit && (hit[11] == ' ' || !hit[11]));
    } else if (present(p, "/sys/hypervisor/type")) {
        from(p, "/sys/hypervisor/type");
        v = json_true();
    }
    free(flags);
    return v;
}

/* The signature that a hypervisor shows its guests, "KVMKVMKVM". */
static json_t *ask_cpuid(struct probe *p)
{
    json_t *v = NULL;
#if defined(__x86_64__) || defined(__i386__)
    unsigned a, b, c, d;
    char name[13] = "";

    if (*p->root || !__get_cpuid(1, &a, &b, &c, &d) || !(c & (1u << 31)))
        return NULL;
    __cpuid(0x40000000, a, b, c, d);
    memcpy(name, &b, 4);
    memcpy(name + 4, &c, 4);
    memcpy(name + 8, &d, 4);
    from(p, "cpuid 0x40000000");
    v = json_string(name); /* NULL when it is no text */
    if (v && !*json_string_value(v)) {
        json_decref(v);
        v = NULL;
    }
#else
    (void)p;
#endif
    return v;
}

static json_t *read_hypervisor(struct probe *p, const struct fact *f)
{
    json_t *v = read_text(p, f), *virtual = NULL;

    if (!v)
        v = ask_cpuid(p);
    if (!v) {
        virtual = read_virtualised(p, &(struct fact){.path = "/proc/cpuinfo"});
        if (json_is_false(virtual))
            v = json_string("none");
        json_decref(virtual);
    }
    return v;
}

/* "none" only where the first process is the machine's own init and nothing says otherwise. */
static json_t *read_container(struct probe *p, const struct fact *f)
{
    static const struct {
        const char *path, *name;
    } mark[] = {{"/.dockerenv", "docker"},
                {"/run/.containerenv", "podman"},
                {"/var/run/secrets/kubernetes.io", "kubernetes"},
                {"/singularity", "singularity"},
                {"/.singularity.d", "singularity"}};
    char *first = slurp(p, f->path);
    json_t *v = NULL;
    size_t i;

    from(p, f->path);
    if (first && *first)
        v = json_string(first);
    free(first);
    for (i = 0; !v && i < sizeof(mark) / sizeof(mark[0]); i++)
        if (present(p, mark[i].path)) {
            from(p, mark[i].path);
            v = json_string(mark[i].name);
        }
    if (v)
        return v;
    first = slurp(p, "/proc/1/comm");
    from(p, "/proc/1/comm");
    if (first && (!strcmp(first, "systemd") || !strcmp(first, "init")))
        v = json_string("none");
    free(first);
    return v;
}

static json_t *read_mitigations(struct probe *p, const struct fact *f)
{
    DIR *d = list(p, f->path);
    json_t *all = json_object();
    struct dirent *e;
    char *path, *text;

    from(p, f->path);
    while (d && (e = readdir(d))) {
        if (e->d_name[0] == '.')
            continue;
        path = text_format("%s/%s", f->path, e->d_name);
        text = path ? slurp(p, path) : NULL;
        if (text && *text)
            json_object_set_new(all, e->d_name, json_string(text));
        free(text);
        free(path);
    }
    if (d)
        closedir(d);
    if (!json_object_size(all)) {
        json_decref(all);
        return NULL;
    }
    return all;
}

/* ---- GPUs
 * ------------------------------------------------------------------------------------------- */

static unsigned long pci_number(const struct probe *p, const char *device, const char *what)
{
    char *path = text_format("/sys/bus/pci/devices/%s/%s", device, what);
    char *text = path ? slurp(p, path) : NULL;
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
    DIR *d = list(p, "/proc/driver/nvidia/gpus");
    json_t *gpus = d ? json_array() : NULL;
    struct dirent *e;
    char *path, *text;
    json_t *name;

    while (d && (e = readdir(d))) {
        if (e->d_name[0] == '.')
            continue;
        path = text_format("/proc/driver/nvidia/gpus/%s/information", e->d_name);
        text = path ? slurp(p, path) : NULL;
        name = text ? text_value(keyed(text, "Model", ':')) : NULL;
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
    DIR *d = list(p, "/sys/bus/pci/devices");
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

static json_t *read_gpus(struct probe *p, const struct fact *f)
{
    json_t *gpus = find_gpus(p), *v = gpus ? json_integer((json_int_t)json_array_size(gpus)) : NULL;

    if (!v)
        from(p, f->path);
    json_decref(gpus);
    return v;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, for folders are listed in no order. */
static json_t *read_gpu_models(struct probe *p, const struct fact *f)
{
    json_t *gpus = find_gpus(p);
    size_t i, n = json_array_size(gpus);
    const char **name = calloc(n + 1, sizeof(*name));
    struct text t;

    if (!n)
        from(p, f->path);
    text_init(&t, 2048);
    for (i = 0; name && i < n; i++)
        name[i] = json_string_value(json_array_get(gpus, i));
    if (name && n)
        qsort(name, n, sizeof(*name), compare_names);
    for (i = 0; name && i < n; i++)
        text_addf(&t, "%s%s", i ? ", " : "", name[i]);
    free(name);
    json_decref(gpus);
    return text_value(text_take(&t));
}

/* ---- control groups
 * --------------------------------------------------------------------------------- */

/* The path of our group in a version-1 hierarchy, or in version 2 (controller ""). */
static char *cgroup_path(const struct probe *p, const char *controller)
{
    char *text = slurp(p, "/proc/self/cgroup"), *rest = text, *line, *found = NULL;

    while (!found && (line = strsep(&rest, "\n"))) {
        char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL, *name;

        if (!path)
            continue;
        *path++ = 0;
        names++;
        if (!*controller && !*names)
            found = strdup(path);
        while (*controller && !found && (name = strsep(&names, ",")))
            if (!strcmp(name, controller))
                found = strdup(path);
    }
    free(text);
    return found;
}

/* CPUs by quota / period; negative: no limit in this group; 0: it cannot be read.
 */
static double cpu_limit(const struct probe *p, const char *dir, bool v2)
{
    char *path = text_format("%s/%s", dir, v2 ? "cpu.max" : "cpu.cfs_quota_us");
    char *text = path ? slurp(p, path) : NULL, *other = NULL, *period = NULL;
    double quota, per, limit = 0;

    if (text && (!strncmp(text, "max", 3) || text[0] == '-')) {
        limit = -1;
    } else if (text) {
        quota = strtod(text, &other);
        if (!v2) {
            free(path);
            path = text_format("%s/cpu.cfs_period_us", dir);
            period = path ? slurp(p, path) : NULL;
            other = period;
        }
        per = other ? strtod(other, NULL) : 0;
        limit = quota > 0 && per > 0 ? quota / per : 0;
    }
    free(period);
    free(text);
    free(path);
    return limit;
}

static double memory_limit(const struct probe *p, const char *dir, bool v2)
{
    char *path = text_format("%s/%s", dir, v2 ? "memory.max" : "memory.limit_in_bytes");
    char *text = path ? slurp(p, path) : NULL;
    double limit = !text ? 0 : !strncmp(text, "max", 3) ? -1 : strtod(text, NULL);

    free(text);
    free(path);
    return limit > 0x1p62 ? -1
                          : limit; /* version 1 says "none" as the largest page-aligned number */
}

/* The tightest limit from our group up to the root; inside a container the group's own path may not
 * be visible, and then the root of what is mounted is ours. */
static json_t *read_cgroup(struct probe *p, const struct fact *f)
{
    bool v2 = present(p, "/sys/fs/cgroup/cgroup.controllers"), seen = v2;
    char base[64], *path = cgroup_path(p, v2 ? "" : f->key), *slash;
    double best = 0, limit;
    char dir[PATH_MAX];

    snprintf(base, sizeof(base), "/sys/fs/cgroup%s%s", v2 ? "" : "/", v2 ? "" : f->key);
    snprintf(p->source, sizeof(p->source), "%s", base);
    while (path) {
        slash = strrchr(path, '/');
        snprintf(dir, sizeof(dir), "%s%s", base, path);
        limit = f->number ? memory_limit(p, dir, v2) : cpu_limit(p, dir, v2);
        seen = seen || limit != 0;
        if (limit > 0 && (best <= 0 || limit < best)) {
            best = limit;
            snprintf(p->source, sizeof(p->source), "%.290s", dir);
        }
        if (!slash || !*path)
            break;
        *slash = 0;
    }
    seen = seen && path;
    free(path);
    if (!seen)
        return NULL;
    if (best <= 0)
        return json_string("none");
    return f->number ? json_integer((json_int_t)best) : json_real(best);
}

/* ---- the process and the build
 * ------------------------------------------------------------------------ */

/* "0-3,8" */
static json_t *read_affinity(struct probe *p, const struct fact *f)
{
    char *text = slurp(p, f->path), *mask = text ? keyed(text, f->key, ':') : NULL;
    char *rest = mask, *part;
    int64_t n = 0;
    int a, b;

    while ((part = strsep(&rest, ","))) {
        int got = sscanf(part, "%d-%d", &a, &b);

        n += got == 2 && b >= a ? (int64_t)b - a + 1 : got == 1;
    }
    from(p, f->path);
    free(mask);
    free(text);
    return n ? json_integer(n) : NULL;
}

static json_t *read_load(struct probe *p, const struct fact *f)
{
    char *text = slurp(p, f->path), *end = text;
    double load = text ? strtod(text, &end) : 0;
    json_t *v = end != text ? json_real(load) : NULL;

    from(p, f->path);
    free(text);
    return v;
}

static json_t *read_architecture(struct probe *p, const struct fact *f)
{
    struct utsname u;

    from(p, f->path);
    return !*p->root && uname(&u) == 0 ? json_string(u.machine) : NULL;
}

static json_t *read_compiler(struct probe *p, const struct fact *f)
{
    from(p, f->path);
#ifdef __clang__
    return json_string(__VERSION__);
#else
    return json_string("gcc " __VERSION__);
#endif
}

static json_t *read_libc(struct probe *p, const struct fact *f)
{
    from(p, f->path);
    return json_sprintf("glibc %s", gnu_get_libc_version());
}

#define CPU "/sys/devices/system/cpu"
static const struct fact facts_table[] = {
    {"processor", read_processor, "/proc/cpuinfo", "model name", 0},
    {"architecture", read_architecture, "uname(2)", NULL, 0},
    {"sockets", read_count, CPU "/cpu0/topology", NULL, HWLOC_OBJ_PACKAGE},
    {"cores", read_count, CPU "/cpu0/topology", NULL, HWLOC_OBJ_CORE},
    {"threads", read_count, CPU "/online", NULL, HWLOC_OBJ_PU},
    {"numa_nodes", read_count, "/sys/devices/system/node/node0", NULL, HWLOC_OBJ_NUMANODE},
    {"caches", read_caches, CPU "/cpu0/cache", NULL, 0},
    {"frequency_max_mhz", read_frequency, CPU "/cpu0/cpufreq/cpuinfo_max_freq", NULL, 0},
    {"governor", read_governor, CPU "/cpu*/cpufreq/scaling_governor", NULL, 0},
    {"microcode", read_cpuinfo, "/proc/cpuinfo", "microcode", 0},
    {"mitigations", read_mitigations, CPU "/vulnerabilities", NULL, 0},
    {"memory_bytes", read_memory, "/proc/meminfo", "MemTotal", 0},
    {"swap_bytes", read_memory, "/proc/meminfo", "SwapTotal", 0},
    {"transparent_huge_pages", read_bracketed, "/sys/kernel/mm/transparent_hugepage/enabled", NULL,
     0},
    {"swappiness", read_number, "/proc/sys/vm/swappiness", NULL, 0},
    {"storage_filesystem", read_mount, "/proc/self/mountinfo", NULL, 0},
    {"storage_device", read_mount, "/proc/self/mountinfo", NULL, 1},
    {"storage_rotational", read_rotational, "/proc/self/mountinfo", NULL, 0},
    {"operating_system", read_key, "/etc/os-release", "PRETTY_NAME", 0},
    {"kernel", read_text, "/proc/sys/kernel/osrelease", NULL, 0},
    {"clock_source", read_text, "/sys/devices/system/clocksource/clocksource0/current_clocksource",
     NULL, 0},
    {"virtualised", read_virtualised, "/proc/cpuinfo", NULL, 0},
    {"hypervisor", read_hypervisor, "/sys/hypervisor/type", NULL, 0},
    {"container", read_container, "/run/systemd/container", NULL, 0},
    {"gpus", read_gpus, "/proc/driver/nvidia/gpus, /sys/bus/pci/devices", NULL, 0},
    {"gpu_models", read_gpu_models, "/proc/driver/nvidia/gpus, /sys/bus/pci/devices", NULL, 0},
    {"nvidia_driver", read_text, "/sys/module/nvidia/version", NULL, 0},
    {"cgroup_cpus", read_cgroup, NULL, "cpu", 0},
    {"cgroup_memory_bytes", read_cgroup, NULL, "memory", 1},
    {"affinity_cpus", read_affinity, "/proc/self/status", "Cpus_allowed_list", 0},
    {"load_average", read_load, "/proc/loadavg", NULL, 0},
    {"compiler", read_compiler, "built in", NULL, 0},
    {"libc", read_libc, "gnu_get_libc_version(3)", NULL, 0},
};

static void load_topology(struct probe *p)
{
    hwloc_topology_t t;

    if (*p->root) { /* only the tree is to be asked, not this processor */
        setenv("HWLOC_FSROOT", p->root, 1);
        setenv("HWLOC_COMPONENTS", "linux,stop", 1);
        setenv("HWLOC_THISSYSTEM", "0", 1);
    }
    setenv("HWLOC_HIDE_ERRORS", "2", 0); /* a masked /sys is no news for the user's terminal */
    if (hwloc_topology_init(&t) < 0)
        return;
    /* Of the whole machine, not of the part that this process may use: that one is affinity_cpus.
     */
    hwloc_topology_set_flags(t, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
    hwloc_topology_set_icache_types_filter(t, HWLOC_TYPE_FILTER_KEEP_ALL);
    if (hwloc_topology_load(t) < 0)
        hwloc_topology_destroy(t);
    else
        p->topology = t;
}

static void probe_init(struct probe *p, const char *store)
{
    char *own = store ? strdup(store) : file_store_dir(), *blank, *slash;
    const char *root = getenv("ASSAY_SYSROOT");

    memset(p, 0, sizeof(*p));
    p->root = root ? root : "";
    p->cpuinfo = slurp(p, "/proc/cpuinfo");
    blank = p->cpuinfo ? strstr(p->cpuinfo, "\n\n") : NULL;
    if (blank)
        *blank = 0;
    /* Of a store that is not there yet, the folder above that is. */
    while (!*p->root && own && !file_exists(own) && (slash = strrchr(own, '/')) && slash != own)
        *slash = 0;
    p->store = own ? file_absolute(own) : NULL;
    free(own);
    load_topology(p);
}

static void probe_release(struct probe *p)
{
    if (p->topology)
        hwloc_topology_destroy(p->topology);
    free(p->cpuinfo);
    free(p->store);
}

static int add_declared(json_t *facts, const char *path, struct assay_err *err)
{
    json_t *said = NULL, *value, *fact;
    const char *name;
    int rc = tree_read_yaml(path, &said, err);

    if (!rc && !json_is_object(said))
        rc = assay_fail(err, ASSAY_EUSAGE, "%s: is no mapping; write one `name: value` a line",
                        path);
    if (rc)
        goto out;
    json_object_foreach(said, name, value)
    {
        if (json_is_object(value) || json_is_array(value) || json_is_null(value)) {
            rc = assay_fail(err, ASSAY_EUSAGE, "%s: %s: a text, a number, true or false is wanted",
                            path, name);
            goto out;
        }
        fact = json_object_get(facts, name);
        if (!strcmp(tree_text(fact, "from", ""), "detected")) {
            json_object_set(fact, "declared", value);
            json_object_set_new(fact, "declared_source", json_string(path));
        } else {
            json_object_set_new(
                facts, name,
                json_pack("{s:O, s:s, s:s}", "value", value, "from", "declared", "source", path));
        }
    }
out:
    json_decref(said);
    return rc;
}

int system_facts_at(const char *store, const char *declared, json_t **facts, struct assay_err *err)
{
    json_t *all = json_object(), *v;
    struct probe p;
    size_t i;
    int rc = ASSAY_OK;

    probe_init(&p, store);
    for (i = 0; i < sizeof(facts_table) / sizeof(facts_table[0]); i++) {
        const struct fact *f = &facts_table[i];

        p.source[0] = 0;
        v = f->read(&p, f);
        json_object_set_new(all, f->name,
                            json_pack("{s:o, s:s, s:s}", "value", v ? v : json_null(), "from",
                                      v ? "detected" : "unknown", "source", p.source));
    }
    probe_release(&p);
    if (declared)
        rc = add_declared(all, declared, err);
    if (rc)
        json_decref(all);
    else
        *facts = all;
    return rc;
}

int system_facts(const char *declared, json_t **facts, struct assay_err *err)
{
    return system_facts_at(NULL, declared, facts, err);
}

/* Readers of the host: processor, memory, disk, what it runs in; see facts.h. */
#include "record/facts.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#include "base/file.h"
#include "base/text.h"

/* The text of a small file below the root, without its last newline; NULL: cannot be read. */
char *facts_slurp(const struct probe *p, const char *path)
{
    char *full = text_format("%s%s", p->root, path), *data = NULL;
    size_t len = 0;

    if (full && !file_read(full, 1 << 20, &data, &len, NULL))
        while (len && (data[len - 1] == '\n' || data[len - 1] == ' '))
            data[--len] = 0;
    free(full);
    return data;
}

bool facts_present(const struct probe *p, const char *path)
{
    char *full = text_format("%s%s", p->root, path);
    bool is = full && file_exists(full);

    free(full);
    return is;
}

DIR *facts_list(const struct probe *p, const char *path)
{
    char *full = text_format("%s%s", p->root, path);
    DIR *d = full ? opendir(full) : NULL;

    free(full);
    return d;
}

void facts_from(struct probe *p, const char *source)
{
    snprintf(p->source, sizeof(p->source), "%s", source);
}

/* The value of "key<spaces>: value" or "key=value" in a text, malloc'ed. */
char *facts_keyed(const char *text, const char *key, char mark)
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

json_t *facts_text(char *owned)
{
    json_t *v = owned && *owned ? json_string(owned) : NULL;

    free(owned);
    return v;
}

/* Digits only (perhaps followed by a unit): anything else is no value. */
json_t *facts_integer(const char *text, int64_t times)
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

json_t *facts_read_cpuinfo(struct probe *p, const struct fact *f)
{
    facts_from(p, f->path);
    return p->cpuinfo ? facts_text(facts_keyed(p->cpuinfo, f->key, ':')) : NULL;
}

/* "model name" on x86; Arm kernels give only implementer and part numbers, which are shown as they
 * are. */
json_t *facts_read_processor(struct probe *p, const struct fact *f)
{
    json_t *v = facts_read_cpuinfo(p, f);
    char *who, *part;

    if (v || !p->cpuinfo)
        return v;
    who = facts_keyed(p->cpuinfo, "CPU implementer", ':');
    part = facts_keyed(p->cpuinfo, "CPU part", ':');
    if (who && part)
        v = facts_text(text_format("implementer %s, part %s", who, part));
    free(who);
    free(part);
    return v;
}

json_t *facts_read_text(struct probe *p, const struct fact *f)
{
    facts_from(p, f->path);
    return facts_text(facts_slurp(p, f->path));
}

/* "always [madvise] never" */
json_t *facts_read_bracketed(struct probe *p, const struct fact *f)
{
    char *text = facts_slurp(p, f->path), *open = text ? strchr(text, '[') : NULL;
    char *close = open ? strchr(open, ']') : NULL;
    json_t *v = close ? json_stringn(open + 1, (size_t)(close - open - 1)) : NULL;

    facts_from(p, f->path);
    free(text);
    return v;
}

json_t *facts_read_number(struct probe *p, const struct fact *f)
{
    char *text = facts_slurp(p, f->path);
    json_t *v = facts_integer(text, 1);

    facts_from(p, f->path);
    free(text);
    return v;
}

/* /proc/meminfo in kB, given in bytes */
json_t *facts_read_memory(struct probe *p, const struct fact *f)
{
    char *text = facts_slurp(p, f->path), *kb = text ? facts_keyed(text, f->key, ':') : NULL;
    json_t *v = facts_integer(kb, 1024);

    facts_from(p, f->path);
    free(kb);
    free(text);
    return v;
}

json_t *facts_read_key(struct probe *p, const struct fact *f)
{
    char *text = facts_slurp(p, f->path);
    json_t *v = text ? facts_text(facts_keyed(text, f->key, '=')) : NULL;

    facts_from(p, f->path);
    free(text);
    return v;
}

json_t *facts_read_frequency(struct probe *p, const struct fact *f)
{
    char *text = facts_slurp(p, f->path);
    json_t *khz = facts_integer(text, 1), *v = NULL;

    facts_from(p, f->path);
    if (khz)
        v = json_real((double)json_integer_value(khz) / 1000.0);
    json_decref(khz);
    free(text);
    return v;
}

/* All governors in use, each once: a machine with two kinds says both. */
json_t *facts_read_governor(struct probe *p, const struct fact *f)
{
    char path[128];
    struct text t;
    char *one;
    int cpu, misses = 0;

    text_init(&t, 256);
    for (cpu = 0; misses < 64 && cpu < 8192; cpu++) {
        snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_governor", cpu);
        one = facts_slurp(p, path);
        misses = one ? 0 : misses + 1;
        if (one && *one && !(t.len && strstr(t.s, one)))
            text_addf(&t, "%s%s", t.len ? ", " : "", one);
        free(one);
    }
    facts_from(p, f->path);
    return facts_text(text_take(&t));
}

json_t *facts_read_count(struct probe *p, const struct fact *f)
{
    int n = p->topology ? hwloc_get_nbobjs_by_type(p->topology, (hwloc_obj_type_t)f->number) : 0;

    snprintf(p->source, sizeof(p->source), "hwloc, %s", f->path);
    /* hwloc makes up one core or node where the kernel says nothing. */
    return n > 0 && facts_present(p, f->path) ? json_integer(n) : NULL;
}

json_t *facts_read_caches(struct probe *p, const struct fact *f)
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
    return facts_text(text_take(&t));
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
    char *text = facts_slurp(p, "/proc/self/mountinfo"), *line, *rest = text;

    memset(best, 0, sizeof(*best));
    while (p->store && (line = strsep(&rest, "\n")))
        better_mount(line, p->store, best);
    free(text);
    return best->type[0] != 0;
}

bool facts_store_device(const struct probe *p, char out[32])
{
    struct mount m;

    if (!find_mount(p, &m) || !strncmp(m.device, "0:", 2))
        return false; /* memory, network, overlay */
    memcpy(out, m.device, 32);
    return true;
}

json_t *facts_read_mount(struct probe *p, const struct fact *f)
{
    struct mount m;

    facts_from(p, f->path);
    return find_mount(p, &m) ? json_string(f->number ? m.source : m.type) : NULL;
}

/* A partition has its queue in the folder of its disk, one up. */
json_t *facts_read_rotational(struct probe *p, const struct fact *f)
{
    static const char *const at[] = {"queue/rotational", "../queue/rotational"};
    char *text = NULL, device[32];
    json_t *v = NULL;
    size_t i;

    facts_from(p, f->path);
    if (!facts_store_device(p, device))
        return NULL;
    for (i = 0; !text && i < sizeof(at) / sizeof(at[0]); i++) {
        snprintf(p->source, sizeof(p->source), "/sys/dev/block/%s/%s", device, at[i]);
        text = facts_slurp(p, p->source);
    }
    if (text && (!strcmp(text, "0") || !strcmp(text, "1")))
        v = json_boolean(text[0] == '1');
    free(text);
    return v;
}

json_t *facts_read_virtualised(struct probe *p, const struct fact *f)
{
    char *flags = p->cpuinfo ? facts_keyed(p->cpuinfo, "flags", ':') : NULL;
    json_t *v = NULL;
    char *hit;

    facts_from(p, f->path);
    if (flags) { /* x86 only: other processors have no such flag */
        hit = strstr(flags, " hypervisor");
        v = json_boolean(hit && (hit[11] == ' ' || !hit[11]));
    } else if (facts_present(p, "/sys/hypervisor/type")) {
        facts_from(p, "/sys/hypervisor/type");
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
    facts_from(p, "cpuid 0x40000000");
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

json_t *facts_read_hypervisor(struct probe *p, const struct fact *f)
{
    json_t *v = facts_read_text(p, f), *virtual = NULL;

    if (!v)
        v = ask_cpuid(p);
    if (!v) {
        virtual = facts_read_virtualised(p, &(struct fact){.path = "/proc/cpuinfo"});
        if (json_is_false(virtual))
            v = json_string("none");
        json_decref(virtual);
    }
    return v;
}

/* "none" only where the first process is the machine's own init and nothing says otherwise. */
json_t *facts_read_container(struct probe *p, const struct fact *f)
{
    static const struct {
        const char *path, *name;
    } mark[] = {{"/.dockerenv", "docker"},
                {"/run/.containerenv", "podman"},
                {"/var/run/secrets/kubernetes.io", "kubernetes"},
                {"/singularity", "singularity"},
                {"/.singularity.d", "singularity"}};
    char *first = facts_slurp(p, f->path);
    json_t *v = NULL;
    size_t i;

    facts_from(p, f->path);
    if (first && *first)
        v = json_string(first);
    free(first);
    for (i = 0; !v && i < sizeof(mark) / sizeof(mark[0]); i++)
        if (facts_present(p, mark[i].path)) {
            facts_from(p, mark[i].path);
            v = json_string(mark[i].name);
        }
    if (v)
        return v;
    first = facts_slurp(p, "/proc/1/comm");
    facts_from(p, "/proc/1/comm");
    if (first && (!strcmp(first, "systemd") || !strcmp(first, "init")))
        v = json_string("none");
    free(first);
    return v;
}

json_t *facts_read_mitigations(struct probe *p, const struct fact *f)
{
    DIR *d = facts_list(p, f->path);
    json_t *all = json_object();
    struct dirent *e;
    char *path, *text;

    facts_from(p, f->path);
    while (d && (e = readdir(d))) {
        if (e->d_name[0] == '.')
            continue;
        path = text_format("%s/%s", f->path, e->d_name);
        text = path ? facts_slurp(p, path) : NULL;
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

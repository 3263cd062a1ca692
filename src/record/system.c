/* Facts about the machine: one table row a fact, one small reader a kind of source.
 *
 * A reader either finds its value, and names the file it was read from, or finds nothing; there are
 * no defaults.  "None" and 0 are answers only where the source was there and says so: an absent
 * file, an empty folder or a masked /sys is unknown.  Paths in sources are those below the root, so
 * that they read the same on a fixture tree. */
#include "record/system.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "record/facts.h"

#define CPU "/sys/devices/system/cpu"
static const struct fact facts_table[] = {
    {"processor", facts_read_processor, "/proc/cpuinfo", "model name", 0},
    {"architecture", facts_read_architecture, "uname(2)", NULL, 0},
    {"sockets", facts_read_count, CPU "/cpu0/topology", NULL, HWLOC_OBJ_PACKAGE},
    {"cores", facts_read_count, CPU "/cpu0/topology", NULL, HWLOC_OBJ_CORE},
    {"threads", facts_read_count, CPU "/online", NULL, HWLOC_OBJ_PU},
    {"numa_nodes", facts_read_count, "/sys/devices/system/node/node0", NULL, HWLOC_OBJ_NUMANODE},
    {"caches", facts_read_caches, CPU "/cpu0/cache", NULL, 0},
    {"frequency_max_mhz", facts_read_frequency, CPU "/cpu0/cpufreq/cpuinfo_max_freq", NULL, 0},
    {"governor", facts_read_governor, CPU "/cpu*/cpufreq/scaling_governor", NULL, 0},
    {"microcode", facts_read_cpuinfo, "/proc/cpuinfo", "microcode", 0},
    {"mitigations", facts_read_mitigations, CPU "/vulnerabilities", NULL, 0},
    {"memory_bytes", facts_read_memory, "/proc/meminfo", "MemTotal", 0},
    {"swap_bytes", facts_read_memory, "/proc/meminfo", "SwapTotal", 0},
    {"transparent_huge_pages", facts_read_bracketed, "/sys/kernel/mm/transparent_hugepage/enabled",
     NULL, 0},
    {"swappiness", facts_read_number, "/proc/sys/vm/swappiness", NULL, 0},
    {"storage_filesystem", facts_read_mount, "/proc/self/mountinfo", NULL, 0},
    {"storage_device", facts_read_mount, "/proc/self/mountinfo", NULL, 1},
    {"storage_rotational", facts_read_rotational, "/proc/self/mountinfo", NULL, 0},
    {"storage_bytes", facts_read_storage, "/proc/self/mountinfo", NULL, 0},
    {"network_cards", facts_read_network, "/sys/class/net", NULL, 0},
    {"network_links", facts_read_network, "/sys/class/net", NULL, 1},
    {"machine_vendor", facts_read_text, "/sys/class/dmi/id/sys_vendor", NULL, 0},
    {"machine_model", facts_read_text, "/sys/class/dmi/id/product_name", NULL, 0},
    {"firmware", facts_read_text, "/sys/class/dmi/id/bios_version", NULL, 0},
    {"operating_system", facts_read_key, "/etc/os-release", "PRETTY_NAME", 0},
    {"kernel", facts_read_text, "/proc/sys/kernel/osrelease", NULL, 0},
    {"clock_source", facts_read_text,
     "/sys/devices/system/clocksource/clocksource0/current_clocksource", NULL, 0},
    {"virtualised", facts_read_virtualised, "/proc/cpuinfo", NULL, 0},
    {"hypervisor", facts_read_hypervisor, "/sys/hypervisor/type", NULL, 0},
    {"container", facts_read_container, "/run/systemd/container", NULL, 0},
    {"gpus", facts_read_gpus, "/proc/driver/nvidia/gpus, /sys/bus/pci/devices", NULL, 0},
    {"gpu_models", facts_read_gpu_models, "/proc/driver/nvidia/gpus, /sys/bus/pci/devices", NULL,
     0},
    {"nvidia_driver", facts_read_text, "/sys/module/nvidia/version", NULL, 0},
    {"cgroup_cpus", facts_read_cgroup, NULL, "cpu", 0},
    {"cgroup_memory_bytes", facts_read_cgroup, NULL, "memory", 1},
    {"affinity_cpus", facts_read_affinity, "/proc/self/status", "Cpus_allowed_list", 0},
    {"load_average", facts_read_load, "/proc/loadavg", NULL, 0},
    {"compiler", facts_read_compiler, "built in", NULL, 0},
    {"libc", facts_read_libc, "gnu_get_libc_version(3)", NULL, 0},
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
    p->cpuinfo = facts_slurp(p, "/proc/cpuinfo");
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

int system_declare(json_t *facts, const char *path, struct assay_err *err)
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

json_t *system_unknown(const char *why)
{
    json_t *all = json_object();

    for (size_t i = 0; i < sizeof(facts_table) / sizeof(facts_table[0]); i++)
        json_object_set_new(
            all, facts_table[i].name,
            json_pack("{s:n, s:s, s:s}", "value", "from", "unknown", "source", why));
    return all;
}

/* <config>/system.yaml, when there is one. */
static char *own_file(void)
{
    char *dir = file_config_dir(), *path = dir ? file_join(dir, "system.yaml") : NULL;

    free(dir);
    if (path && file_exists(path))
        return path;
    free(path);
    return NULL;
}

int system_facts_at(const char *store, const char *declared, json_t **facts, struct assay_err *err)
{
    json_t *all = json_object(), *v;
    char *own = declared ? NULL : own_file();
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
    if (own || (declared && *declared))
        rc = system_declare(all, own ? own : declared, err);
    free(own);
    if (rc)
        json_decref(all);
    else
        *facts = all;
    return rc;
}

double system_memory_limit(void)
{
    const struct fact f = {"cgroup_memory_bytes", facts_read_cgroup, NULL, "memory", 1};
    const char *root = getenv("ASSAY_SYSROOT");
    struct probe p = {.root = root ? root : ""};
    json_t *limit = facts_read_cgroup(&p, &f);
    double bytes = json_number_value(limit);

    json_decref(limit);
    return bytes;
}

int system_facts(const char *declared, json_t **facts, struct assay_err *err)
{
    return system_facts_at(NULL, declared, facts, err);
}

/* Readers of what bounds this process (control groups, affinity, load) and of what it was built
 * with; see facts.h. */
#include "record/facts.h"

#include <errno.h>
#include <gnu/libc-version.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/file.h"
#include "base/text.h"

/* ---- control groups ---- */

/* The path of our group in a version-1 hierarchy, or in version 2 (controller ""). */
static char *cgroup_path(const struct probe *p, const char *controller)
{
    char *text = facts_slurp(p, "/proc/self/cgroup"), *rest = text, *line, *found = NULL;

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
    char *text = path ? facts_slurp(p, path) : NULL, *other = NULL, *period = NULL;
    double quota, per, limit = 0;

    if (text && (!strncmp(text, "max", 3) || text[0] == '-')) {
        limit = -1;
    } else if (text) {
        quota = strtod(text, &other);
        if (!v2) {
            free(path);
            path = text_format("%s/cpu.cfs_period_us", dir);
            period = path ? facts_slurp(p, path) : NULL;
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
    char *text = path ? facts_slurp(p, path) : NULL;
    double limit = !text ? 0 : !strncmp(text, "max", 3) ? -1 : strtod(text, NULL);

    free(text);
    free(path);
    return limit > 0x1p62 ? -1
                          : limit; /* version 1 says "none" as the largest page-aligned number */
}

/* The tightest limit from our group up to the root; inside a container the group's own path may not
 * be visible, and then the root of what is mounted is ours. */
json_t *facts_read_cgroup(struct probe *p, const struct fact *f)
{
    bool v2 = facts_present(p, "/sys/fs/cgroup/cgroup.controllers"), seen = v2;
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

/* ---- the process and the build ---- */

/* "0-3,8" */
json_t *facts_read_affinity(struct probe *p, const struct fact *f)
{
    char *text = facts_slurp(p, f->path), *mask = text ? facts_keyed(text, f->key, ':') : NULL;
    char *rest = mask, *part;
    int64_t n = 0;
    int a, b;

    while ((part = strsep(&rest, ","))) {
        int got = sscanf(part, "%d-%d", &a, &b);

        n += got == 2 && b >= a ? (int64_t)b - a + 1 : got == 1;
    }
    facts_from(p, f->path);
    free(mask);
    free(text);
    return n ? json_integer(n) : NULL;
}

json_t *facts_read_load(struct probe *p, const struct fact *f)
{
    char *text = facts_slurp(p, f->path), *end = text;
    double load = text ? strtod(text, &end) : 0;
    json_t *v = end != text ? json_real(load) : NULL;

    facts_from(p, f->path);
    free(text);
    return v;
}

json_t *facts_read_architecture(struct probe *p, const struct fact *f)
{
    struct utsname u;

    facts_from(p, f->path);
    return !*p->root && uname(&u) == 0 ? json_string(u.machine) : NULL;
}

json_t *facts_read_compiler(struct probe *p, const struct fact *f)
{
    facts_from(p, f->path);
#ifdef __clang__
    return json_string(__VERSION__);
#else
    return json_string("gcc " __VERSION__);
#endif
}

json_t *facts_read_libc(struct probe *p, const struct fact *f)
{
    facts_from(p, f->path);
    return json_sprintf("glibc %s", gnu_get_libc_version());
}

/* How many processors this process may use: those of taskset, a cpuset or a batch system's share
 * count, not those of the whole machine. */
#ifndef BASE_CPUS_H
#define BASE_CPUS_H

#include <sched.h>
#include <stdint.h>
#include <unistd.h>

static inline uint32_t cpus_usable(void)
{
    cpu_set_t set;
    long all = sysconf(_SC_NPROCESSORS_ONLN);

    if (!sched_getaffinity(0, sizeof(set), &set)) /* fails beyond CPU_SETSIZE processors */
        return (uint32_t)CPU_COUNT(&set);
    return all > 0 ? (uint32_t)all : 1;
}

#endif

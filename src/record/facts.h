/* Inside of the record room: the readers of machine facts, and what they share. */
#ifndef RECORD_FACTS_H
#define RECORD_FACTS_H

#include <dirent.h>
#include <hwloc.h>
#include <jansson.h>
#include <stdbool.h>

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
char *facts_slurp(const struct probe *p, const char *path);
bool facts_present(const struct probe *p, const char *path);
DIR *facts_list(const struct probe *p, const char *path);
/* Where the value was found. */
void facts_from(struct probe *p, const char *source);
/* The value of "key<spaces>: value" or "key=value" in a text, malloc'ed. */
char *facts_keyed(const char *text, const char *key, char mark);
/* Takes the text; NULL for none or an empty one. */
json_t *facts_text(char *owned);
/* Digits only (perhaps followed by a unit): anything else is no value. */
json_t *facts_integer(const char *text, int64_t times);

/* The block device that holds the store, "MAJ:MIN"; false: it lies on none. */
bool facts_store_device(const struct probe *p, char out[32]);

/* Readers: the value, or NULL when it is not there. */
json_t *facts_read_cpuinfo(struct probe *p, const struct fact *f);
json_t *facts_read_processor(struct probe *p, const struct fact *f);
json_t *facts_read_text(struct probe *p, const struct fact *f);
json_t *facts_read_bracketed(struct probe *p, const struct fact *f);
json_t *facts_read_number(struct probe *p, const struct fact *f);
json_t *facts_read_memory(struct probe *p, const struct fact *f);
json_t *facts_read_key(struct probe *p, const struct fact *f);
json_t *facts_read_frequency(struct probe *p, const struct fact *f);
json_t *facts_read_governor(struct probe *p, const struct fact *f);
json_t *facts_read_count(struct probe *p, const struct fact *f);
json_t *facts_read_caches(struct probe *p, const struct fact *f);
json_t *facts_read_mount(struct probe *p, const struct fact *f);
json_t *facts_read_rotational(struct probe *p, const struct fact *f);
json_t *facts_read_storage(struct probe *p, const struct fact *f);
json_t *facts_read_network(struct probe *p, const struct fact *f);
json_t *facts_read_virtualised(struct probe *p, const struct fact *f);
json_t *facts_read_hypervisor(struct probe *p, const struct fact *f);
json_t *facts_read_container(struct probe *p, const struct fact *f);
json_t *facts_read_mitigations(struct probe *p, const struct fact *f);
json_t *facts_read_gpus(struct probe *p, const struct fact *f);
json_t *facts_read_gpu_models(struct probe *p, const struct fact *f);
json_t *facts_read_cgroup(struct probe *p, const struct fact *f);
json_t *facts_read_affinity(struct probe *p, const struct fact *f);
json_t *facts_read_load(struct probe *p, const struct fact *f);
json_t *facts_read_architecture(struct probe *p, const struct fact *f);
json_t *facts_read_compiler(struct probe *p, const struct fact *f);
json_t *facts_read_libc(struct probe *p, const struct fact *f);

#endif

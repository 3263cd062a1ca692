/* The files of an entry: a sorted list with their stats.  Private to this room. */
#ifndef FLOW_ENTRY_ITEMS_H
#define FLOW_ENTRY_ITEMS_H

#include <sys/stat.h>

#include "assay/types.h"

struct entry_item {
    char *path; /* below files/ */
    char *link; /* a symbolic link's target; else NULL */
    struct stat st;
};

struct entry_items {
    struct entry_item *list;
    size_t n, cap;
};

bool entry_has_control(const char *s);
/* Files, folders and links below root; to be released in any case.  Anything else is an error. */
int entry_items_read(struct entry_items *all, const char *root, struct assay_err *err);
void entry_items_release(struct entry_items *all);
/* Writes dir/stamp. */
int entry_stamp(const char *dir, const struct entry_items *all, struct assay_err *err);

#endif

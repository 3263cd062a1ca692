/* What leaves a machine with a record: everything but names of people and hosts.
 *
 * In every text of a record the home folder becomes "~"; the user's name inside a path or an
 * address, and anybody's behind /home/ or /Users/, becomes "-user-", the host's name "-host-".
 * Done twice it changes nothing more.  Paths as such, tags and declared facts stay: the user is
 * told so.  Private to this room. */
#ifndef RECORD_PRIVATE_H
#define RECORD_PRIVATE_H

#include <jansson.h>

#include "assay/types.h"

struct private_names {
    char home[512], user[64], host[256]; /* "": none to look for */
};

struct private_count {
    size_t homes, users, hosts; /* texts that were changed */
};

/* Of this process. */
void private_names_get(struct private_names *names);
/* A copy without "folder" and "foreign" and without the names; NULL: no memory.  A record that came
 * from another machine was treated there, and only loses those two members. */
json_t *private_copy(const json_t *record, const struct private_names *names,
                     struct private_count *count);
/* A copy without "folder" and "foreign" in which each text that is `other`'s but for names is as
 * there, whoever took the names out of either, and where; NULL: no memory. */
json_t *private_as_in(const json_t *record, const json_t *other);
/* One text, malloc'ed. */
char *private_text(const char *s, const struct private_names *names, struct private_count *count);

#endif

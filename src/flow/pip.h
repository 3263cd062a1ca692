/* How pip is set up on this machine, for what is published as a package: no address of an index
 * stands in our files.
 *
 * What `pip download` would take: the variables PIP_…, and before them pip.conf of the environment
 * ($PIP_CONFIG_FILE), of the Python environment ($VIRTUAL_ENV, $CONDA_PREFIX), of the user and of
 * the machine, each with the sections [global] and [download].  The file is searched for in the
 * folders of find-links, then in index-url, then in each extra-index-url. */
#ifndef FLOW_PIP_H
#define FLOW_PIP_H

#include <jansson.h>

#include "assay/types.h"

struct pip_config {
    json_t *indexes; /* addresses; an index that is pip's own default is not among them */
    json_t *links;   /* of find-links: folders and addresses */
    char *cert;      /* a file with certificates; NULL: the system's */
    bool by_default; /* no index-url is set up: pip_default_index() is the first index */
};

int pip_config_read(struct pip_config *c, struct assay_err *err);
void pip_config_release(struct pip_config *c);

/* The index that pip takes where none is set up, in pip's own words (`pip download --help`), asked
 * for once; any thread. */
int pip_default_index(char out[1024], const volatile int *stop, struct assay_err *err);

/* Adds to values {"global.KEY", "download.KEY": text} what a pip.conf says; a later one replaces.
 * KEY is in small letters with dashes.  Lines that are neither a section, a setting nor a comment
 * are passed over. */
void pip_conf_parse(const char *text, size_t len, json_t *values);
/* The address in the line of --index-url of pip's help; false: it is not there. */
bool pip_help_index(const char *help, char out[1024]);

#endif

/* MLPerf's description of a system: its fields, as one table that the checks and the writer read.
 */
#ifndef SUBMIT_SYSTEM_H
#define SUBMIT_SYSTEM_H

#include <jansson.h>

#include "assay/types.h"

/* How a field is found among the facts of record/system.h; see system.c. */
struct submit_field {
    const char *name;
    bool meaningful;  /* must not be empty */
    bool accelerator; /* of accelerators: "N/A" where none was seen, or took part */
    bool network;     /* only in the network division */
    char *(*make)(const json_t *facts, const char **source); /* malloc'ed; NULL: not found */
};
extern const struct submit_field submit_fields[]; /* ends with a row without name */

/* Declared names that no field of a submission has, each as a line with its file and the name that
 * may be meant; perhaps none.  json_decref() it. */
json_t *submit_strangers(const json_t *facts);

/* What is known beside the machine's facts; NULL: not known here. */
struct submit_who {
    const char *division, *submitter, *system_type, *framework, *nodes;
    const char *accelerators; /* that took part: "0", "1"; all others are left out */
    bool network;
};

/* *description: every field of the table as text, "" where it is not known.  *sources: {field:
 * {"from": "detected"|"declared"|"given"|"unknown", "source", "detected": … beside a declared
 * one}}.  Facts that are declared under a field's own name stand first: the submitter signs them.
 * Nothing is invented. */
int submit_describe(const json_t *facts, const struct submit_who *who, json_t **description,
                    json_t **sources, struct assay_err *err);

/* A name for folders: letters, digits, '.', '_', '+', '-'; anything else becomes '-'. */
void submit_slug(const char *text, char *out, size_t size);

#endif

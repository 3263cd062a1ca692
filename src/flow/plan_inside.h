/* Between the parts of a plan: its making (plan.c) and the nodes' keys and scopes (plan_key.c). */
#ifndef FLOW_PLAN_INSIDE_H
#define FLOW_PLAN_INSIDE_H

#include "flow/plan.h"

/* plan_scope for the folders of `find`: with the user's environment. */
json_t *plan_find_scope(const struct plan *p, const struct plan_node *n);
/* Sets n->outputs by its root and state; program: the one that was found, or NULL. */
int plan_set_outputs(struct plan *p, struct plan_node *n, const char *program,
                     struct assay_err *err);
/* That every place in what the node runs stands for something: what a need gives is known here
 * first. */
int plan_check_places(const struct plan *p, const struct plan_node *n, struct assay_err *err);
/* The programs that its steps would run and that are not here: a line for each.  What a step or a
 * need makes is not looked for. */
void plan_add_lacking_programs(const struct plan_node *n, json_t *problems);
/* SHA-256 of the tree's canonical text. */
void plan_key_from(const json_t *of, char key[65]);
/* n->needs stand already: the files that a list names are known by where the list is from. */
json_t *plan_key_of_downloads(const struct plan *p, const struct plan_node *n);
/* Whether a body's downloads want what its needs give. */
bool plan_fetches_by_list(const json_t *body);
/* Sets key and key_of of a node that is built or converted. */
int plan_key_of_making(const struct plan *p, struct plan_node *n, struct assay_err *err);
/* Where what is there was made of other files than those that are there now, the key is of these,
 * too.  Not in any case: they are not known before they were fetched for the first time.  plain:
 * what the key is of. */
void plan_key_by_content(const struct plan *p, struct plan_node *n, json_t *plain);
/* Where a tool that makes the node is absent: takes key and key_of of the entry that such a tool
 * made of all the same else, the last used one, if there is one. */
void plan_take_made(const struct plan *p, struct plan_node *n);

#endif

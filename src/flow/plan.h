/* A plan: the graph of all that a request needs, with what is there already and what would be done,
 * before anything is touched.
 *
 * A node is one recipe with its options and inputs, or the downloads of a recipe that also builds
 * or converts (so that another build does not fetch again).  Its key is the SHA-256 of everything
 * that goes into it: recipe, options, inputs, commands, local files, and the keys of what it needs.
 * Nodes are in an order in which each stands behind what it needs. */
#ifndef FLOW_PLAN_H
#define FLOW_PLAN_H

#include "flow/catalog.h"
#include "flow/shelf.h"

/* What the user asks for; belongs to the caller and lives as long as the plan. */
struct plan_ask {
    const char *const *requests; /* "model,bert-onnx", "tool@>=2", … NULL */
    const char *const *sets;     /* "[RECIPE.]INPUT=VALUE" … NULL; may be NULL */
    const char *const *haves;    /* "RECIPE=PATH" … NULL; may be NULL */
    const char *const *accepts;  /* recipes whose licence is accepted, or "all"; may be NULL */
    const char *cache;           /* the cache folder */
    bool offline;
    bool *used, *accepted; /* of each of haves, of accepts: set where the plan has a use for it;
                              NULL: one that is of no use is an error */
};

enum plan_state {
    PLAN_THERE,  /* on the shelf */
    PLAN_FOUND,  /* the system has it */
    PLAN_HAVE,   /* the user has it, verified before */
    PLAN_VERIFY, /* the user points to it: it will be verified */
    PLAN_CHECK,  /* on the shelf, and its recipe now gives or checks what was not looked at yet */
    PLAN_MAKE,   /* will be fetched, built or converted */
    PLAN_LACKING /* cannot be had without the user */
};
extern const char *const plan_state_names[];

struct plan_need {
    size_t to;
    char as[RECIPE_WORD_MAX + 1];
    bool use;
};

struct plan_node {
    char id[160]; /* "tool-1.2", "tool-1.2:fetch" */
    const struct recipe *recipe;
    json_t *options, *body, *inputs;
    char *chain;
    bool fetches; /* its files are its downloads */
    bool wanted;  /* something asked for needs it now */
    bool absent;  /* a program of any version, that is not here and that nothing makes */
    enum plan_state state;
    struct plan_need *needs;
    size_t need_count;
    int downloads;    /* the node with its downloads; -1: none, or it is one itself */
    char key[65];     /* of what it is made of */
    json_t *key_of;   /* the same in words */
    char have_id[65]; /* under which the user's own place is remembered */
    char *root;       /* where its files are, or will be */
    char version[64]; /* "": unknown */
    json_t *outputs;  /* name -> path or text */
    char note[300];   /* why it could not be found */
};

struct plan {
    struct plan_ask ask;
    struct catalog catalog;
    struct shelf shelf;
    struct plan_node *nodes;
    size_t count, cap;
    size_t *roots; /* by request */
    size_t root_count;
    json_t *sets, *haves, *mirrors;
    int jobs;       /* ${jobs}: processors */
    char *assay;    /* ${assay}: this program, also where a library asks */
    char *share;    /* ${share}: what is installed with it */
    bool any_haves; /* some place of the user's is remembered */
};

/* Touches nothing but the cache's own indexes; runs the programs that recipes find, for their
 * versions. */
int plan_make(const struct plan_ask *ask, struct plan *p, struct assay_err *err);
void plan_release(struct plan *p);

/* What keeps it from being carried out: texts; empty: nothing. */
json_t *plan_problems(const struct plan *p);
/* {"requests", "steps", "totals", "problems"} */
json_t *plan_json(const struct plan *p);

/* All that goes into what was asked for at `root`, as a record keeps it, it first: array of
 * {"role", "recipe", "version", "options", "how", "key", "files": [{"file", "url", "bytes",
 * "sha256"}]}; "request" asks for exactly the first one, "for" says what needs each of the others.
 * Digests are those of what was fetched, else those that are published. */
json_t *plan_lock(const struct plan *p, size_t root, const char *role);

/* Sizes of downloads that nobody publishes, as such a lock (NULL: none) has them. */
void plan_sizes_from(const struct plan *p, const json_t *lock);

/* Where the programs of steps are looked for, unless the recipe's `env` says otherwise. */
#define PLAN_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
/* What ${…} stands for in the steps of a node.  out and work: folders; secrets: with their values,
 * for the environment of programs. */
json_t *plan_scope(const struct plan *p, const struct plan_node *n, const char *out,
                   const char *work, bool secrets);
/* Under which the user's own place for a recipe with these options is remembered. */
void plan_have_id(const struct recipe *r, json_t *options, const json_t *body, char id[65]);
/* What a node is made of that has no published digest: digests by "NEED FILE" (":fetch": its own
 * downloads), as far as they are known.  A new reference. */
json_t *plan_made_of(const struct plan *p, const struct plan_node *n);
/* Digest of what the recipe says of files that are on the shelf and what is no part of their key:
 * by that they are found good.  "": nothing. */
void plan_checks_of(const struct plan_node *n, char hex[65]);
/* The addresses of a row of `fetch` in the order in which they are tried, the site's mirrors first;
 * a new reference. */
json_t *plan_urls(const struct plan *p, const json_t *row);
/* Bytes of all its downloads; *unknown: how many have no published size. */
int64_t plan_bytes(const struct plan_node *n, int *unknown);
/* A command as a person would type it: quoted where a shell would read something into it. */
char *plan_command_text(const json_t *argv);
/* What asks for exactly this node: its name, options and version. */
char *plan_request_text(const struct plan_node *n);
/* "To repeat just this step: " and the command that makes this node, once what it needs is there;
 * where it would not be the same by itself, "To repeat this step and go on: " and the whole
 * request.
 */
char *plan_repeat_text(struct plan *p, const struct plan_node *n);
/* Whether --have's words mean this node. */
bool plan_is_named(const struct plan_node *n, const json_t *words);
/* Whether something is to be done for the node. */
bool plan_has_work(const struct plan_node *n);

#endif

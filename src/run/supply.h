/* Models, data sets, engines' libraries and LoadGens that are had by their recipes: where they are,
 * or what getting them would do. */
#ifndef RUN_SUPPLY_H
#define RUN_SUPPLY_H

#include <jansson.h>

#include "assay/engine.h"
#include "flow/shelf.h"
#include "load/settings.h"

struct load_round;
struct plan;
struct plan_ask;
struct plan_node;

/* What the user says of all recipes that are looked for here: haves, used, accepts, offline; what
 * they point to is kept as it is.  For a program, before it resolves anything. */
void supply_say(const struct plan_ask *said);
/* That, for a plan of one's own; where nothing was said, all zero. */
const struct plan_ask *supply_said(void);

/* Keeps what a run uses on the shelf; all zero: nothing. */
struct supply_hold {
    struct shelf shelf;
    char key[65];
    int lock;
};
/* Nobody removes the node from the shelf until it is let go, in any case; one that is elsewhere is
 * left alone.  Fails when it was removed since it was planned. */
int supply_keep(const struct plan *p, const struct plan_node *n, struct supply_hold *hold,
                struct assay_err *err);
void supply_let_go(struct supply_hold *hold);
/* What is held is used now, and not only looked at for a plan. */
void supply_use(const struct supply_hold *hold);

/* What a run is supplied with: arrays of the caller's, to which is added. */
struct supplied {
    json_t *get;  /* of what is not here yet {"request", "steps": [texts], "bytes" (of a download),
                   * "images" (in its folder)}; 0: not known */
    json_t *lock; /* as plan_lock gives it */
};

/* recipe: a request as `assay get` takes it, of a recipe with an output called "model", or with one
 * output.  *path: where that is, or will be; the caller frees it.  Nothing is fetched; what is on
 * the shelf is held. */
int supply_model(const char *cache, const char *recipe, char **path, const struct supplied *out,
                 struct supply_hold *hold, struct assay_err *err);
/* The same for a data set that is named in the place of its folder, the output "folder". */
int supply_dataset(const char *cache, const char *name, char **path, const struct supplied *out,
                   struct supply_hold *hold, struct assay_err *err);
/* The folder of an engine's library, where it is a recipe's (its output "library"): of the recipe
 * that is called like the engine, for cuda:N with the option cuda.  engine: as --engine takes it;
 * table: what it is loaded to.  With a version it is always the recipe's.  Without one, in this
 * order, *runtime NULL for what is none of a recipe's: what the set-up left for the device; what is
 * here by the recipe; what the set-up left for the CPU alone, and what the system has; what the
 * recipe would get. */
int supply_engine(const char *cache, const struct assay_engine *table, const char *engine,
                  const char *device, char **runtime, const struct supplied *out,
                  struct supply_hold *hold, struct assay_err *err);
/* Whether supply_engine may find something to get: seen without a plan. */
bool supply_engine_may(const char *engine, const char *device);
/* The same folder for who asks the engine about itself.  waits: whether it is to be got first,
 * where one who goes on all the same wants to know; NULL: then it fails.  What is only to be
 * verified is here.  cache: the setting's value; request: may be NULL, else what asks for the
 * recipe's entry, or NULL when it comes from none.  The caller frees both. */
int supply_runtime(const char *cache, const char *engine, const char *device, char **runtime,
                   char **request, bool *waits, struct assay_err *err);
/* The file of the round's LoadGen that its recipe gives: the output "library" of loadgen-bridge,
 * with the version as its option. */
int supply_load(const char *cache, const struct load_round *round, char **file,
                const struct supplied *out, struct supply_hold *hold, struct assay_err *err);
/* Whether a run with these settings takes that: it says so, or the set-up has none. */
bool supply_load_may(const struct settings *s);
/* How the lock's thing of a role was asked for, exactly; NULL: there is none. */
const char *supply_request(const json_t *lock, const char *role);
/* Before the texts of "steps" that stand against all others. */
#define SUPPLY_CANNOT "cannot be done: "
/* Adds such plans to what a whole command would get first, {"get": [requests], "steps": [texts]},
 * each once. */
void supply_tell(const json_t *plans, json_t *first);
/* Nothing is got during a run: fails with the command that gets it.  NULL: nothing is missing. */
int supply_check(const char *request, struct assay_err *err);

#endif

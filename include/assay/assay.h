/* The library, for programs: what `assay` does on the command line, as calls.  The user's door.
 *
 *     cc program.c $(pkg-config --cflags --libs assay)
 *
 * Whatever has structure goes over this border as JSON text, in the schemas and the very bytes of
 * the command line's --json (units are in the names: _ms, _bytes …), so that a program needs no
 * header of Assay's besides, and a newer library only adds members.  A text that a function gives
 * is the caller's: assay_free().  NUL-terminated UTF-8.
 *
 * Lists are arrays of texts that end with NULL; NULL is an empty one unless said otherwise.
 * Settings are "name=value" with the names of `assay settings` ("benchmark=resnet50",
 * "scenario=Offline"); so is what else a call is asked for, with the names of the command's
 * options. A setting that is not given has the user file's value (~/.config/assay/config.yaml),
 * else the default.  `store` is a folder of records, `cache` one of what was fetched; NULL: the
 * user's.
 *
 * Errors: 0, or a negative assay_code and err->text in one line; texts are then not set.  err may
 * be NULL.  NULL for anything else that has no default is ASSAY_EUSAGE.
 * Threads: assay_run, assay_matrix, assay_explore, assay_submit, assay_get, assay_recipes_add,
 * assay_recipes_update, and assay_compare and assay_reproduce with repeats, start processes and
 * watch signals (SIGINT, SIGTERM and SIGHUP end them with ASSAY_ESTOP, and their handlers are put
 * back): call one at a time.  What was measured until then is in the store, and the same call goes
 * on from there (assay_submit: a tree that was made already stays, and assay_check_official goes on
 * with it).  All others may be called from several threads at once. */
#ifndef ASSAY_ASSAY_H
#define ASSAY_ASSAY_H

#include "assay/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ASSAY_API __attribute__((visibility("default")))
#else
#define ASSAY_API
#endif

/* "0.1.0"; lives for ever. */
ASSAY_API const char *assay_version(void);
ASSAY_API void assay_free(char *text); /* NULL is fine */

/* What a run would do (assay.plan/1), and in "missing" what it would fail for at once.  Touches
 * nothing. */
ASSAY_API int assay_plan(const char *const *settings, char **plan, struct assay_err *err);

/* One measured run; blocks until it is over.  *record (assay.record/1) is there also for a run that
 * failed or was interrupted: its "status" is then "error" or "interrupted".  A verdict of INVALID
 * is no error of the call.  Progress goes to stderr as the setting `progress` says; none is
 * "progress=none".  Nothing is fetched: a model, data set or engine's library that its recipe has
 * to get first is in the plan's "get", for assay_get; so it is with all calls that make runs. */
ASSAY_API int assay_run(const char *const *settings, char **record, struct assay_err *err);

/* ---- records ---- */

/* The records of a store, newest first (assay.results/1). */
ASSAY_API int assay_records(const char *store, char **records, struct assay_err *err);
/* One of them (assay.record/1): an id, the beginning of one, or "last". */
ASSAY_API int assay_record(const char *store, const char *id, char **record, struct assay_err *err);
/* What another call gave, as people read it.  form: "text" of a record, a matrix, a comparison, an
 * exploration; of a matrix also "markdown" or "html", of an exploration "html" (without the runs).
 */
ASSAY_API int assay_render(const char *json, const char *form, char **text, struct assay_err *err);

/* Records as one page: form "html", "markdown" or "csv".  runs: as for assay_record, or paths (with
 * a '/') of a run's folder or record.json; NULL: all of the store.  One of those that cannot be
 * read is left out. */
ASSAY_API int assay_report(const char *store, const char *const *runs, const char *form,
                           char **page, struct assay_err *err);
/* The same records for another machine (assay.export/1), without the names of people and hosts, and
 * with every single latency where that is wanted.  "withheld" says what was left out. */
ASSAY_API int assay_export(const char *store, const char *const *runs, bool latencies,
                           char **exported, struct assay_err *err);
/* A file of those into a store: *result (assay.import/1) has the ids of what became of each record.
 * All of the file is checked before any of it is taken; nothing that is there is replaced, and what
 * contradicts it is listed, which is no error of the call. */
ASSAY_API int assay_import(const char *store, const char *file, char **result,
                           struct assay_err *err);
/* LoadGen's logs that were made elsewhere, of one run or of many below the folder, into a store:
 * *result (assay.results-import/1) has what was "imported", the "duplicates" that the store had,
 * and what "failed", which is no error of the call (docs/record.md).  ask: "benchmark=NAME",
 * "round=v6.1", "engine=NAME", "model=NAME", "system=FILE". */
ASSAY_API int assay_import_logs(const char *store, const char *folder, const char *const *ask,
                                char **result, struct assay_err *err);
/* Any text to a file, which appears whole or not at all; a device, a FIFO and a link stay, and get
 * it as it is written. */
ASSAY_API int assay_write(const char *path, const char *text, struct assay_err *err);

/* ---- comparing and repeating ---- */

/* Whether run b is faster than run a (assay.compare/1; docs/compare.md).  Runs are named as for
 * assay_report.  rules: "p99>+3%", "throughput<100/s" …; how many are broken is in "broken",
 * how many nothing tells of in "unjudged".  repeats: 0 compares the two runs as they are; 2 to 100
 * makes so many further ones of each, in turn, and compares those.  settings: store, cache,
 * progress, tag. */
ASSAY_API int assay_compare(const char *a, const char *b, const char *const *rules, int repeats,
                            const char *const *settings, char **comparison, struct assay_err *err);
/* The runs that such a comparison would make (assay.compare-plan/1): the "command" of each side,
 * their "order", and what assay_get has to "get" first.  Touches nothing. */
ASSAY_API int assay_compare_plan(const char *a, const char *b, int repeats,
                                 const char *const *settings, char **plan, struct assay_err *err);
/* Makes a run's set-up again and tells whether the figures agree (assay.reproduce/1): "answer" is
 * "same", "differs" or "cannot tell".  "changed" is what is not as it was; where one of it "stops",
 * no run is made and that is an error, unless `anyway`.  repeats: so many runs, to 100; 0 only
 * finds what changed, with "missing", what is not to be had (texts), and "get", what recipes have
 * to get first (requests for assay_get; nothing is fetched here), and has no answer.  settings: as
 * for assay_compare, and model and dataset. */
ASSAY_API int assay_reproduce(const char *run, int repeats, bool anyway,
                              const char *const *settings, char **answer, struct assay_err *err);

/* ---- many configurations ---- */

/* The matrix of what works (assay.matrix/1).  axes: "benchmarks=bert,resnet50", "engines=…",
 * "devices=…", "precisions=…", "scenarios=…", "modes=…"; what is not named is all of it.  settings
 * are those of every run.  run: first run the cells that nothing is known of; what recipes have to
 * get before that is not got, but an error, before anything is run. */
ASSAY_API int assay_matrix(const char *const *axes, const char *const *settings, bool run,
                           char **matrix, struct assay_err *err);
/* What it would run (assay.plan/1): "commands", "out", how many cells cannot be run and why, and
 * what assay_get has to "get" first: models, data, and the libraries of engines that are named.
 * Touches nothing. */
ASSAY_API int assay_matrix_plan(const char *const *axes, const char *const *settings, char **plan,
                                struct assay_err *err);
/* The same of the records in files of assay_export, or in the *.json of folders; nothing is run and
 * no store is touched.  "files" says of each what is in it, or its "error", which is no error of
 * the call; a record that several files hold counts once, and where they contradict, both do. */
ASSAY_API int assay_matrix_files(const char *const *files, const char *const *axes, char **matrix,
                                 struct assay_err *err);
/* Searches the configurations of a benchmark (assay.explore/1; docs/explore.md): "points", the best
 * first, each with "front": no other is better in everything; and "best", null where none keeps the
 * constraints.  axes: "engines=…", "models=…", "devices=…", "precisions=…", "lanes=1,2",
 * "threads=…", "batches=…", "constraint=accuracy>=99%,latency<=15ms", "budget=15m", "short=2s".
 * Says a line on stderr for each run, also a known one.
 * settings: benchmark, scenario and what else is common to all runs. */
ASSAY_API int assay_explore(const char *const *axes, const char *const *settings,
                            char **exploration, struct assay_err *err);
/* What that would do (assay.explore-plan/1): "setups", those that are "out", the axes, how many
 * "runs" at most, and what assay_get has to "get" first; of engines that "engines=" names that is
 * their library, too.  Touches nothing. */
ASSAY_API int assay_explore_plan(const char *const *axes, const char *const *settings, char **plan,
                                 struct assay_err *err);
/* Makes a point of an exploration, or the "best" of a whole one, what later runs of the settings'
 * benchmark and scenario use on this machine (in the user's configuration folder). */
ASSAY_API int assay_choose(const char *point, const char *const *settings, struct assay_err *err);

/* ---- submission ---- */

/* From records of one system to a judged submission tree (assay.submit/1; docs/submission.md); what
 * is missing is run first.  runs: as for assay_record.  ask: "division=closed|open|network",
 * "category=edge|datacenter|both", "round=v6.1", "submitter=NAME", "system=FILE", "out=DIR" (must
 * not be there; default: submission), "rehearsal=true", "min-duration-ms=N", "offline=true"
 * (fetches nothing). "findings" are no error of the call; "official" is what assay_check_official
 * gives.  dry: only list the runs that would be made (assay.submit-plan/1).  settings: store,
 * cache, progress. */
ASSAY_API int assay_submit(const char *const *runs, const char *const *ask,
                           const char *const *settings, bool dry, char **report,
                           struct assay_err *err);
/* Judges a submission tree, also one made by other tools (assay.check/1): "findings" is what would
 * be refused, why, and what mends it.  round: NULL: by the logs' seeds, else the newest.
 * min_duration_ms: of a rehearsal, in the place of the round's; 0: the round's. */
ASSAY_API int assay_check(const char *tree, const char *round, int64_t min_duration_ms,
                          char **report, struct assay_err *err);
/* Runs the submission checker that MLCommons publishes on a tree (assay.official/1): "verdict" is
 * "accepted", "rejected" or "none" with "why"; "errors" and "last" are lines of it, "log" all of
 * them.  It is got by its recipe where it is not here; where it cannot be, "ran" is false and "get"
 * is the command: no error of the call.  Of the settings: cache, progress. */
ASSAY_API int assay_check_official(const char *tree, const char *round, bool offline,
                                   const char *const *settings, char **report,
                                   struct assay_err *err);

/* ---- recipes ---- */

/* The recipes that are known, and the folders they are looked for in (assay.recipes/1). */
ASSAY_API int assay_recipes(const char *cache, char **recipes, struct assay_err *err);
/* Other people's recipes that were added: where from, pinned to what, whether they "changed" since
 * (assay.recipe-sources/1). */
ASSAY_API int assay_recipes_sources(const char *cache, char **sources, struct assay_err *err);
/* Adds a folder, which is used where it lies, or the address of a git repository, perhaps with
 * "@COMMIT" (assay.recipes-add/1): its "recipes" and the "programs" that each runs.  name: NULL: as
 * its folder is called.  ASSAY_EUSAGE: a recipe of it is broken or known already, or the source
 * is.  dry: it is looked at (a repository is fetched for that), and not added. */
ASSAY_API int assay_recipes_add(const char *cache, const char *from, const char *name, bool dry,
                                char **added, struct assay_err *err);
/* Takes what a source is now; "NAME@COMMIT": that commit; NULL: of all (assay.recipes-update/1).
 * The first that fails ends it; those before it are then updated. */
ASSAY_API int assay_recipes_update(const char *cache, const char *name, bool dry, char **updated,
                                   struct assay_err *err);
ASSAY_API int assay_recipes_remove(const char *name, struct assay_err *err);
/* Gets what recipes give: finds, fetches, builds, converts; *got (assay.get/1) says where it is.
 * requests: names, or words parted by commas ("bert-onnx", "model,bert,int8", "loadgen@>=6").  ask,
 * each may be repeated: "set=[RECIPE.]INPUT=VALUE", "have=RECIPE=PATH", "accept=RECIPE" (its
 * licence; or "all"), "offline=true", "jobs=4".  dry: the plan of it (assay.recipe-plan/1), with
 * what stands against it in "problems"; nothing is fetched or made (the cache's own folders and
 * index are, and programs are asked for their versions).  settings: cache, progress. */
ASSAY_API int assay_get(const char *const *requests, const char *const *ask,
                        const char *const *settings, bool dry, char **got, struct assay_err *err);
/* What was fetched and built, last used first (assay.cache/1); in "kept" what is beside the shelf:
 * samples, nets, downloads under way; in "work" what runs of other programs left: logs that are
 * kept when a reference fails; in "logs" what recipes' programs said; in "remembered" the places of
 * the user's own.  Only looks. */
ASSAY_API int assay_cache(const char *cache, char **entries, struct assay_err *err);
/* Hashes the files of an entry, named by its recipe or the beginning of its key; NULL: of all
 * (assay.cache-verify/1).  What is "damaged" is no error of the call. */
ASSAY_API int assay_cache_verify(const char *cache, const char *entry, char **result,
                                 struct assay_err *err);
/* Finds in folders of a user what recipes fetch or check, verifies it, and remembers where it is
 * for assay_get and assay_run; nothing is copied and nothing is run (assay.cache-adopt/1).  dirs:
 * files or folders; NULL or empty: the caches of MLC and CM ($MLC_REPOS, $CM_REPOS, else below the
 * home folder).  "rows" has what was "adopted" (dry: what "fits"), was "known" before, or was not
 * taken because it "differs", is "incomplete" or "unverified"; "how" says by what, or why.  Reads
 * every byte of what could fit; may take minutes. */
ASSAY_API int assay_cache_adopt(const char *const *dirs, const char *cache, bool dry, char **report,
                                struct assay_err *err);

/* ---- what is here ---- */

/* The names of what can be used: {"engines": […]}, {"benchmarks": […]}. */
ASSAY_API int assay_engines(char **engines, struct assay_err *err);
ASSAY_API int assay_benchmarks(char **benchmarks, struct assay_err *err);

#ifdef __cplusplus
}
#endif
#endif

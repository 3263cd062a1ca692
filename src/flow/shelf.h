/* The shelf: a content-addressed store of what was fetched, built or converted.
 *
 * An entry's key is the SHA-256 of everything that went into it, chosen by the caller.  An entry is
 * whole or it is not there: its files grow in a folder under tmp/, are hashed, listed in entry.json
 * and synced, and the folder is renamed into place.
 *
 *   <shelf>/ab/abcd…/entry.json   what it is, why it is there, how large
 *                   /files.json   each file's size and SHA-256
 *                   /files/…      what was made; read-only, and the links within it stay within it
 *                   /stamp        sizes, times and inodes of the files; its own time: the last use
 *                   /pinned       there: never pruned
 *                   /checked      by what its files were found good: lines of shelf_note
 *   <shelf>/locks/KEY.lock        held with flock by who makes, uses or removes the entry
 *   <shelf>/tmp/KEY-XXXXXX/       what grows; belongs to who holds the key's lock
 *   <shelf>/parts/KEY/            downloads under way: kept when their process dies, until
 *                                 nothing was written to them for a week
 *
 * A lock goes with its process, so a crash leaves none; what dead processes left under tmp/ is
 * removed when the shelf is next opened.  All functions may be called from any thread and from
 * several processes; two calls of shelf_begin for one key wait for each other even in one process.
 */
#ifndef FLOW_SHELF_H
#define FLOW_SHELF_H

#include <jansson.h>

#include "assay/types.h"

struct shelf {
    char dir[1024];
};

/* What one process makes, from shelf_begin to shelf_commit or shelf_abandon. */
struct shelf_entry {
    char key[65];
    char dir[1200];   /* where to put files; with `found`: the files that are there */
    char parts[1200]; /* where to download to: what is unfinished there is there the next time */
    struct shelf shelf;
    const volatile int *stop;
    char temp[1200];
    int lock; /* -1: none */
    bool found;
};

/* Makes the folder when it is missing, and removes what dead processes left. */
int shelf_open(const char *dir, struct shelf *s, struct assay_err *err);

/* The same without touching anything, for who only looks: what makes, removes or locks wants
 * shelf_open.  The folder need not be there. */
int shelf_look(const char *dir, struct shelf *s, struct assay_err *err);

/* *files: the entry's files folder, malloc'ed; NULL: it is not there (ASSAY_OK all the same).
 * meta: entry.json, for json_decref; may be NULL.  Microseconds: files are judged by size, time and
 * inode (of a large entry 256 of them, others each time) and hashed only when these differ.  A
 * damaged entry is not there, and a line on stderr says so.  To look is no use of it. */
int shelf_find(const struct shelf *s, const char *key, char **files, json_t **meta,
               struct assay_err *err);

/* Notes that the entry is used now, by which it is pruned later than others. */
void shelf_use(const struct shelf *s, const char *key);

/* Keeps an entry from being pruned while it is used, by a shared lock that shelf_let_go ends.  Look
 * for the entry after it, not before; don't begin the same key while holding it. */
int shelf_hold(const struct shelf *s, const char *key, int *hold, struct assay_err *err);
void shelf_let_go(const struct shelf *s, const char *key, int hold);

/* Whether somebody makes, uses or removes it this moment: shelf_begin would wait. */
bool shelf_is_busy(const struct shelf *s, const char *key);
/* Takes the key's lock; waits for another who makes it, until *stop != 0 (ASSAY_ESTOP; stop may be
 * NULL; it holds for shelf_commit too). e->found: it is there, made meanwhile, whoever holds it;
 * nothing is to be done, nothing to be let go. */
int shelf_begin(const struct shelf *s, const char *key, const volatile int *stop,
                struct shelf_entry *e, struct assay_err *err);
/* Hashes the files, writes entry.json (meta's members {"recipe", "why", "inputs" …}, and how many
 * files, bytes, made), syncs, renames into place.  In any case the lock is let go; after a failure
 * nothing is there. */
int shelf_commit(struct shelf *s, struct shelf_entry *e, const json_t *meta, struct assay_err *err);
/* Removes what was begun, keeps unfinished downloads.  Harmless after commit, and when found. */
void shelf_abandon(struct shelf_entry *e);

/* Notes of an entry (or of what grows) that its files passed the checks that `checks` stands for, a
 * digest.  files: its files folder.  Where nothing can be written nothing is noted, and it is taken
 * as noted: nothing could be made anew there either. */
void shelf_note(const char *files, const char *checks);
bool shelf_is_noted(const char *files, const char *checks);

/* Array, by key: key, recipe, name (as it is asked for: "RECIPE,OPTION@VERSION"), why, bytes, files
 * (how many), made, used, pinned; with `damaged` (a text) what cannot be read. */
json_t *shelf_list(const struct shelf *s);
/* The same in whole, last used first: {"folder", "bytes", "entries"}. */
json_t *shelf_json(const struct shelf *s);
/* The files of an entry, by path: {path, bytes, sha256, executable} or {path, link}. */
int shelf_files(const struct shelf *s, const char *key, json_t **files, struct assay_err *err);
/* The key that begins with `name` (4 digits or more), or whose recipe or entry is called so. */
int shelf_named(const struct shelf *s, const char *name, char key[65], struct assay_err *err);
/* The same of other rows with a "name", too (and perhaps a "key"): which row is meant, for
 * json_decref. */
int shelf_row_named(const struct shelf *s, const json_t *others, const char *name, json_t **row,
                    struct assay_err *err);
/* Hashes every file of the entry (NULL: of all), until *stop != 0 (ASSAY_ESTOP; stop may be NULL).
 * *bad: array of {key, recipe, why}, not set on failure; the return value is about the checking
 * alone. */
int shelf_verify(const struct shelf *s, const char *key, const volatile int *stop, json_t **bad,
                 struct assay_err *err);
/* Removes what was not used for older_than_s seconds, then the longest unused until keep_bytes are
 * left; negative: no such limit.  Never what is pinned or in use.  others: may be NULL, else rows
 * of kept.h, and of work.h, of which folders go by age alone.  dry: only says what would go.
 * *removed: array of {name, bytes, why} with {key, recipe}, {path}, {folder} or {file}.  One that
 * cannot be removed hinders no other; the first of them is the error. */
int shelf_prune(const struct shelf *s, const json_t *others, double older_than_s,
                int64_t keep_bytes, bool dry, json_t **removed, struct assay_err *err);
/* Removes one entry, unless it is pinned or in use; dry: only tells whether. */
int shelf_remove(const struct shelf *s, const char *key, bool dry, struct assay_err *err);
int shelf_pin(const struct shelf *s, const char *key, bool pinned, struct assay_err *err);

#endif

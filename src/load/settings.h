/* The settings table: one row a setting; command line, user file, job file, --help, completion,
 * docs page and the record's "settings" block all read the same rows.
 *
 * struct settings is plain data.  Text values are owned by the struct (settings_release frees
 * them). Precedence is the caller's order of settings_set calls guarded by origin: a value is
 * replaced only by one whose origin is the same or higher. */
#ifndef LOAD_SETTINGS_H
#define LOAD_SETTINGS_H

#include <jansson.h>

#include "assay/types.h"
#include "load/settings_values.h"

enum settings_origin {
    SETTINGS_DEFAULT = 0,
    SETTINGS_OFFICIAL,  /* LoadGen's built-in configuration for this benchmark and scenario */
    SETTINGS_PROFILE,   /* what the profile says */
    SETTINGS_TUNED,     /* found by --tune, now or earlier on this machine */
    SETTINGS_MEASURED,  /* found by warm-up, calibration or peak search */
    SETTINGS_USER_FILE, /* ~/.config/assay/config.yaml */
    SETTINGS_JOB,       /* assay run --job FILE */
    SETTINGS_USER_CONF, /* LoadGen's user.conf, by --user-conf */
    SETTINGS_CLI,
    SETTINGS_GIVEN_TUNED /* engine options: the user's own and those found by --tune */
};
const char *settings_origin_name(int origin);

extern const char *const settings_scenario_names[]; /* "SingleStream", … NULL */
extern const char *const settings_mode_names[];     /* "performance", … NULL */
/* Row kinds; TEXT rows hold char *, INT/BOOL/CHOICE int64_t, U64 uint64_t, REAL double. */
enum settings_type {
    SETTINGS_TEXT,
    SETTINGS_BOOL,
    SETTINGS_INT,
    SETTINGS_U64,
    SETTINGS_REAL,
    SETTINGS_CHOICE
};
enum settings_group { GROUP_WHAT, GROUP_HOW, GROUP_OUTPUT, GROUP_LOADGEN, GROUP_COUNT };
extern const char *const settings_group_names[];

struct settings_row {
    const char
        *name;   /* "min-duration-ms": --min-duration-ms, and the key in files ('_' reads as '-') */
    char letter; /* short option or 0 */
    int type;
    size_t offset;
    const char *initial;        /* as text; NULL: none */
    double min, max;            /* both 0: no limit */
    const char *const *choices; /* CHOICE */
    const char *argument;       /* "DIR", "N", "MS" … for help; NULL for BOOL */
    const char *help;
    int group;
    const char *conf_key; /* the key in user.conf ("min_duration"), NULL: none */
    /* TEXT: what is allowed instead, or NULL when the value is fine.  NULL: any text is. */
    const char *(*allowed)(const char *value);
};
const struct settings_row *settings_rows(size_t *count);
const struct settings_row *
settings_find(const char *name); /* NULL: none; for did-you-mean use text_nearest */

int settings_init(struct settings *s, struct assay_err *err); /* defaults */
void settings_release(struct settings *s);
/* `to` is overwritten without being released; on failure it holds nothing. */
int settings_copy(struct settings *to, const struct settings *from, struct assay_err *err);

/* Parses, checks the limits and stores.  `where` names the source in errors ("--lanes",
 * "job.yaml"). An unknown name is an error with did-you-mean.  A lower origin than the present one
 * is silently kept out. */
int settings_set(struct settings *s, const char *name, const char *value, int origin,
                 const char *where, struct assay_err *err);
/* For values found by the program; same guard. */
int settings_set_real(struct settings *s, const char *name, double value, int origin,
                      struct assay_err *err);
int settings_origin_of(const struct settings *s, const char *name);
/* The value stays and its origin becomes this one, which may be lower: so that what is found can
 * take its place.  The name is one of the table's. */
void settings_set_origin(struct settings *s, const char *name, int origin);

/* Adds one "name=value" to engine-options: what a repeated --option gives.  The first one of a
 * higher origin starts a new list, so the command line replaces a file's options only as a whole.
 */
int settings_add_option(struct settings *s, const char *assignment, int origin, const char *where,
                        struct assay_err *err);

/* A mapping of names to values, as it stands in a user file or a job file (YAML); engine-options
 * and sizes may be mappings too. */
int settings_set_tree(struct settings *s, const json_t *mapping, int origin, const char *where,
                      struct assay_err *err);
int settings_read_file(struct settings *s, const char *path, int origin, struct assay_err *err);

/* The value as text into out; "" for an unset text. */
void settings_text(const struct settings *s, const struct settings_row *row, char *out,
                   size_t size);
/* {name: {"value": …, "origin": "…"}, …}: the record's block (NULL: out of memory), and back:
 * from_json overwrites s like settings_init and takes value and origin as they stand; a missing row
 * keeps its default. */
json_t *settings_to_json(const struct settings *s);
int settings_from_json(struct settings *s, const json_t *tree, struct assay_err *err);
/* The same of a whole record.json.  Relative paths are from the folder that it was run in: where
 * that is another one, and they are still there, they become absolute. */
int settings_of_record(struct settings *s, const json_t *record, struct assay_err *err);

#endif

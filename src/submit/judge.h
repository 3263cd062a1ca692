/* Inside of the submit room: what the checks of a tree share. */
#ifndef SUBMIT_JUDGE_H
#define SUBMIT_JUDGE_H

#include <jansson.h>

#include "load/detail.h"
#include "submit/rounds.h"

#define JUDGE_PATH 1024

/* What can be wrong.  findings.c says for each why it matters, and whether the official checker
 * sees it. */
enum judge_rule {
    RULE_LAYOUT,
    RULE_LINK,
    RULE_SIZE,
    RULE_MODEL,
    RULE_SCENARIO,
    RULE_SYSTEM_FILE,
    RULE_SYSTEM_FIELD,
    RULE_SYSTEM_VALUE,
    RULE_NO_RESULTS,
    RULE_SOURCE,
    RULE_FILE,
    RULE_MEASUREMENTS,
    RULE_USER_CONF,
    RULE_LOG,
    RULE_LOG_SCENARIO,
    RULE_MODE,
    RULE_SEED,
    RULE_LOADGEN,
    RULE_DURATION,
    RULE_TOO_SHORT,
    RULE_COUNT,
    RULE_LATENCY,
    RULE_EARLY_STOPPING,
    RULE_VALIDITY,
    RULE_ERRORS,
    RULE_SAMPLES,
    RULE_EQUAL_ISSUE,
    RULE_AUDIT,
    RULE_RUN,
    RULE_ACCURACY,
    RULE_ACCURACY_TEXT,
    RULE_HASH,
    RULE_UNTRUNCATED,
    RULE_ACCURACY_LOG,
    RULE_DATASET,
    RULE_NETWORK,
    RULE_TEST,
    RULE_TEST_FAILED,
    RULE_TEST_SETTINGS,
    RULE_TEST_SCORE,
    RULE_REHEARSAL,
    RULE_COUNT_OF_RULES
};
struct judge_rule_row {
    const char *id, *why;
    bool official;
};
extern const struct judge_rule_row judge_rules[RULE_COUNT_OF_RULES];

struct judge {
    const char *root;
    const struct submit_round *round;
    double min_duration_ms;
    json_t *findings, *notes;
    size_t omitted; /* findings beyond the most that are kept */
    uint64_t results, systems;
    bool failed; /* out of memory */
};

/* Where in the tree we are; what is not known yet is NULL or 0. */
struct place {
    const char *division, *submitter, *system, *benchmark, *scenario;
    const struct submit_model *model;
    json_t *mapping;   /* of an open submitter: own model names -> the round's */
    json_t *described; /* the system's description */
    int number;        /* of the scenario */
    unsigned category;
    bool closed; /* closed or network: all rules hold */
    bool network;
    char results[JUDGE_PATH], measurements[JUDGE_PATH], tests[JUDGE_PATH]; /* below root */
};

/* `mend` says what to do, best a command; where: below root. */
void judge_add(struct judge *j, enum judge_rule rule, const char *where, const char *mend,
               const char *fmt, ...) ASSAY_PRINTF(5, 6);
/* The same where the official checker sees this finding of the rule, or does not, unlike others. */
void judge_add_as(struct judge *j, enum judge_rule rule, bool official, const char *where,
                  const char *mend, const char *fmt, ...) ASSAY_PRINTF(6, 7);
void judge_note(struct judge *j, const char *fmt, ...) ASSAY_PRINTF(2, 3);

/* "a/b" and the same below root; a path that is too long is cut, and then simply not there. */
void judge_join(char out[JUDGE_PATH], const char *dir, const char *name);
void judge_full(const struct judge *j, const char *where, char out[2 * JUDGE_PATH]);
bool judge_there(const struct judge *j, const char *where); /* something of that name */
/* Sorted names of a folder's folders, or of its files; an empty array where there is no folder. */
json_t *judge_list(struct judge *j, const char *where, bool folders);
/* A regular file that is there and holds something; adds the finding.  official: the checker asks
 * for it too. */
bool judge_file(struct judge *j, const char *dir, const char *name, bool official,
                const char *mend);
/* A JSON object; NULL after the finding (of `rule`) was added. */
json_t *judge_json(struct judge *j, const char *where, enum judge_rule rule, const char *mend);
/* A text of at most 1 MiB, NUL-terminated; NULL: cannot be read. */
char *judge_text(const struct judge *j, const char *where);

/* The command that makes a run again: mode "performance", "accuracy" or "TEST01" …. */
void judge_mend_run(const struct judge *j, const struct place *p, const char *mode, char out[300]);

/* check_system.c: the description; fills category and described. */
void judge_system(struct judge *j, struct place *p);
/* check_files.c: measurements, user.conf, README of one result. */
void judge_measurements(struct judge *j, const struct place *p);
/* check_run.c: a performance or accuracy log of the folder `dir`; test: 0, or the number of the
 * compliance test that it belongs to.  True: d holds the log, to be released. */
enum judge_kind { JUDGE_PERFORMANCE, JUDGE_ACCURACY };
bool judge_run(struct judge *j, const struct place *p, const char *dir, enum judge_kind kind,
               int test, struct detail *d);
/* check_accuracy.c */
void judge_accuracy(struct judge *j, const struct place *p);
/* A LoadGen accuracy log that should be cut: whole ones must be small.  hash: what accuracy.txt
 * says, or NULL. */
void judge_cut_log(struct judge *j, const char *where, const char *hash, bool must_be_cut,
                   const char *mend);
/* check_tests.c; reference: the performance run's log, or NULL. */
void judge_tests(struct judge *j, const struct place *p, const struct detail *reference);

#endif

/* Running a program: an array of arguments, never a shell; an environment that is given; standard
 * input empty; what it prints handed to the caller; everything it started ended with it. */
#ifndef FLOW_TOOL_H
#define FLOW_TOOL_H

#include "assay/types.h"

struct tool {
    char *const *argv; /* argv[0]: a name that is looked for in `path`, or a path (from `dir`) */
    char *const *env;  /* NULL-terminated "NAME=VALUE" */
    const char *path;  /* folders parted by ':' */
    const char *dir;   /* where it runs */
    const char *to;    /* a file for its standard output; NULL: to `said` as well */
    void (*said)(void *ctx, const char *text, size_t len);
    void *ctx;
    const volatile int *stop; /* may be NULL */
    double limit_s;           /* 0: none */
    bool guarded;             /* it ends too when this process is killed; costs a process more */
    int *exit_code;           /* of a program that ended by itself; else -1; may be NULL */
};

/* ASSAY_OK: it ended with exit code 0.  Anything else says how it ended. */
int tool_run(const struct tool *t, struct assay_err *err);

/* The file of a program that is looked for; NULL: it is not there. */
char *tool_find(const char *name, const char *path);

#endif

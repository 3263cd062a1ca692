/* A vendor's library, opened from the host's folder: for engines, which all say the same of one
 * that is not there, leads nowhere or is broken.  Inline over the C library and POSIX. */
#ifndef ASSAY_LIBRARY_H
#define ASSAY_LIBRARY_H

#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "assay/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The last by name of the files that match (there is one, as a rule); a link that leads nowhere is
 * no file.  NULL: why says why, "" where there is none; path is the file's. */
static inline void *assay_library_open(const char *pattern, int flags, char *path, size_t path_cap,
                                       char *why, size_t why_cap)
{
    void *object = NULL;
    glob_t files;

    if (glob(pattern, 0, NULL, &files))
        return NULL;
    for (size_t i = files.gl_pathc; i > 0 && !object && !why[0]; i--) {
        if (access(files.gl_pathv[i - 1], F_OK))
            continue;
        snprintf(path, path_cap, "%s", files.gl_pathv[i - 1]);
        object = dlopen(path, flags);
        if (!object)
            snprintf(why, why_cap, "%s", dlerror());
    }
    globfree(&files);
    return object;
}

/* The loader's words, with what to do; remedy: the command that gets the library. */
static inline int assay_library_failed(const char *what, const char *why, const char *remedy,
                                       struct assay_err *err)
{
    if (strstr(why, "failed to map segment") || strstr(why, "annot allocate memory"))
        return assay_fail(err, ASSAY_EFAIL, "not enough memory: %s cannot be loaded: %s", what,
                          why);
    return assay_fail(err, ASSAY_EFAIL,
                      "%s cannot be loaded: %s; remove what is broken, then `%s` gets it again",
                      what, why, remedy);
}

#ifdef __cplusplus
}
#endif
#endif

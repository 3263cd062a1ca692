/* The nouns that engines, benchmarks and the host share: error, tensor, option.
 *
 * This header is included by plugins, so it compiles alone as C11 and as C++17, depends on the C
 * library only, and its structs only ever grow at the end.  Nothing here is allocated: callers hold
 * everything by value, so no memory crosses the border between two allocators. */
#ifndef ASSAY_TYPES_H
#define ASSAY_TYPES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a function that can fail returns: 0, or one of these.  One code for each thing that a caller
 * does differently; the words are in assay_err.text. */
enum assay_code {
    ASSAY_OK = 0,
    ASSAY_EUSAGE = -1,       /* the user asked for something that cannot be: exit code 2 */
    ASSAY_EFAIL = -2,        /* it could not be done (file, memory, library, engine): exit code 3 */
    ASSAY_EAGAIN = -3,       /* no slot now; ask again after a completion.  Never shown to a user */
    ASSAY_EUNSUPPORTED = -4, /* this engine, device or library has no such thing: exit code 3 */
    ASSAY_ESTOP = -5,        /* interrupted by the user: exit code 130 */
    ASSAY_ELACK = -6         /* what a run was given will not do (data, a manifest, room on the disk
                              * or in memory), which says nothing of the engine: exit code 3 */
};

/* Filled by the function that failed, untouched on success, so that calls chain.  The text is one
 * line that names the thing and says what to do; it can be printed as it is. */
struct assay_err {
    int code;
    char text[508];
};

#if defined(__GNUC__)
#define ASSAY_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#else
#define ASSAY_PRINTF(fmt, first)
#endif

/* Sets err (which may be NULL) and returns code, for `return assay_fail(err, ASSAY_EFAIL, "…",
 * …);`. */
static inline int assay_fail(struct assay_err *err, int code, const char *fmt, ...)
    ASSAY_PRINTF(3, 4);
static inline int assay_fail(struct assay_err *err, int code, const char *fmt, ...)
{
    va_list ap;

    if (err) {
        err->code = code;
        va_start(ap, fmt);
        vsnprintf(err->text, sizeof(err->text), fmt, ap);
        va_end(ap);
    }
    return code;
}

/* clang's analyser does not look into a function with `...`; so it knows what this one returns. */
#ifdef __clang_analyzer__
static inline int assay_fail_code(int code, int said)
{
    (void)said;
    return code;
}
#define assay_fail(err, code, ...) assay_fail_code(code, assay_fail(err, code, __VA_ARGS__))
#endif

enum assay_dtype {
    ASSAY_NONE = 0,
    ASSAY_F32 = 1,
    ASSAY_F16 = 2,
    ASSAY_BF16 = 3,
    ASSAY_F64 = 4,
    ASSAY_I8 = 5,
    ASSAY_U8 = 6,
    ASSAY_I16 = 7,
    ASSAY_I32 = 8,
    ASSAY_I64 = 9,
    ASSAY_BOOL = 10
};

/* Bytes of one element; 0 for an unknown type. */
static inline size_t assay_dtype_size(int dtype)
{
    static const unsigned char size[] = {0, 4, 2, 2, 8, 1, 1, 2, 4, 8, 1};

    return dtype >= 0 && dtype < (int)sizeof(size) ? size[dtype] : 0;
}

static inline const char *assay_dtype_name(int dtype)
{
    static const char *const name[] = {"none",  "float32", "float16", "bfloat16", "float64", "int8",
                                       "uint8", "int16",   "int32",   "int64",    "bool"};

    return dtype >= 0 && dtype < (int)(sizeof(name) / sizeof(name[0])) ? name[dtype] : "unknown";
}

#define ASSAY_MAX_RANK 8

/* What a tensor must look like.  A dimension of -1 is free.  Names live as long as their owner
 * says. */
struct assay_tensor_spec {
    const char *name;
    int32_t dtype; /* enum assay_dtype */
    uint32_t rank;
    int64_t dims[ASSAY_MAX_RANK];
};

/* A dense row-major tensor in memory that somebody else owns. */
struct assay_tensor {
    int32_t dtype;
    uint32_t rank;
    int64_t dims[ASSAY_MAX_RANK];
    void *data;
    size_t bytes;
};

/* One row of a table of options.  Tables end with a row whose name is NULL. */
enum assay_option_type {
    ASSAY_OPTION_BOOL = 1,   /* true/false, on/off, yes/no, 1/0 -> value.i */
    ASSAY_OPTION_INT = 2,    /* -> value.i, within min..max */
    ASSAY_OPTION_REAL = 3,   /* -> value.f, within min..max */
    ASSAY_OPTION_CHOICE = 4, /* one of choices -> value.i is its index, value.s its text */
    ASSAY_OPTION_TEXT = 5    /* -> value.s */
};

struct assay_option {
    const char *name;
    int32_t type;
    const char *initial;        /* the default, written as a user would */
    double min, max;            /* INT and REAL; both 0: no limit */
    const char *const *choices; /* CHOICE: NULL-terminated; else NULL */
    const char *help;           /* one line; says the unit */
};

/* The value of an option after parsing; strings live as long as the config that carries them. */
struct assay_value {
    int64_t i;
    double f;
    const char *s;
};

#ifdef __cplusplus
}
#endif
#endif

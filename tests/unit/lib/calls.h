/* What the tests of the library's calls share: folders of their own, runs of the null engine,
 * answers as trees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assay/assay.h"
#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"

static char root[] = "/tmp/assay-lib-XXXXXX";
static char store[64], cache[64];
static struct assay_err err;

/* The settings of a run that takes a moment. */
#define QUICK                                                                                      \
    "benchmark=resnet50", "scenario=Offline", "engine=null", "engine-options=latency_us=200",      \
        "min-duration-ms=200", "count=20", "warmup-s=0.05", "progress=none", store_setting
static char store_setting[80];

static inline int make_root(void **state)
{
    char config[64];

    (void)state;
    if (!mkdtemp(root))
        return -1;
    snprintf(store, sizeof(store), "%s/store", root);
    snprintf(cache, sizeof(cache), "%s/cache", root);
    snprintf(config, sizeof(config), "%s/config", root);
    snprintf(store_setting, sizeof(store_setting), "store=%s", store);
    setenv("ASSAY_CACHE", cache, 1);
    setenv("ASSAY_CONFIG", config, 1);
    setenv("ASSAY_STORE", store, 1);
    return 0;
}

static inline int remove_root(void **state)
{
    (void)state;
    file_remove_tree(root, NULL);
    return 0;
}

static inline void drop(char **text)
{
    assay_free(*text);
    *text = NULL;
}

/* Of a call that must have been good: its answer, which is let go of. */
static inline json_t *good(int rc, char **text, const char *schema)
{
    json_error_t why;
    json_t *tree;

    if (rc)
        fail_msg("%s", err.text);
    tree = json_loads(*text, 0, &why);
    if (!tree)
        fail_msg("%s", why.text);
    assert_string_equal(tree_text(tree, "schema", "none"), schema);
    drop(text);
    return tree;
}

/* Of a call that must have failed: code, a line that has the words, and nothing given. */
static inline void bad(int rc, int code, const char *words, char **text)
{
    assert_int_equal(rc, code);
    assert_int_equal(err.code, code);
    if (!strstr(err.text, words) || strchr(err.text, '\n'))
        fail_msg("'%s' instead of '%s'", err.text, words);
    assert_null(*text);
    err = (struct assay_err){0};
}

/* The folder of the path, below root; free() it. */
static inline char *below(const char *name)
{
    return text_format("%s/%s", root, name);
}

static inline void put(const char *path, const char *text)
{
    assert_int_equal(assay_write(path, text, &err), 0);
}

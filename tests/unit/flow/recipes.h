/* A folder of recipes for one test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"

static char dir[64], recipes[80], cache[80];

static inline int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/assay-recipes-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(recipes, sizeof(recipes), "%s/recipes", dir);
    snprintf(cache, sizeof(cache), "%s/cache", dir);
    setenv("ASSAY_RECIPE_PATH", recipes, 1);
    setenv("ASSAY_CONFIG", dir, 1);
    setenv("ASSAY_PREFIX", dir, 1);
    assert_int_equal(0, file_make_dirs(recipes, NULL));
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    return file_remove_tree(dir, NULL);
}

static inline void put(const char *name, const char *text)
{
    char *path = file_join(recipes, name), *folder = strdup(path);
    struct assay_err err = {0};

    *strrchr(folder, '/') = 0;
    if (file_make_dirs(folder, &err) || file_write_whole(path, text, strlen(text), &err))
        fail_msg("%s", err.text);
    free(path);
    free(folder);
}

/* A recipe of one name and version, with more lines. */
static inline void recipe(const char *name, const char *version, const char *more)
{
    char *text = text_format("schema: 1\nname: %s\nversion: \"%s\"\nsummary: made up\n"
                             "build:\n  - {write: file, text: x}\n%s\n",
                             name, version, more);
    char *file = text_format("%s-%s.yaml", name, version);

    put(file, text);
    free(text);
    free(file);
}

static inline void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("'%s' is not in: %s", part, text);
}

/* fuzz: links assay_flow assay_base */
/* The index of recipes: whatever is in it, the recipes that are there are found. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "flow/catalog.h"

static char dir[64], recipes[80], cache[80], index_file[100];

static void clean_up(void)
{
    file_remove_tree(dir, NULL);
}

static void set_up(void)
{
    static const char text[] = "schema: 1\nname: here\nsummary: x\nbuild: [{write: a, text: b}]\n";
    char path[120];

    snprintf(dir, sizeof(dir), "/tmp/assay-fuzz-XXXXXX");
    if (!mkdtemp(dir))
        abort();
    atexit(clean_up);
    snprintf(recipes, sizeof(recipes), "%s/recipes", dir);
    snprintf(cache, sizeof(cache), "%s/cache", dir);
    snprintf(index_file, sizeof(index_file), "%s/recipes-index", cache);
    snprintf(path, sizeof(path), "%s/here.yaml", recipes);
    setenv("ASSAY_RECIPE_PATH", recipes, 1);
    setenv("ASSAY_CONFIG", dir, 1);
    setenv("ASSAY_PREFIX", dir, 1);
    if (file_make_dirs(recipes, NULL) || file_make_dirs(cache, NULL) ||
        file_write_whole(path, text, sizeof(text) - 1, NULL))
        abort();
}

/* The input's first line may be missing; %R in it stands for the folder of recipes. */
static void write_index(const uint8_t *data, size_t size)
{
    FILE *f = fopen(index_file, "wb");

    if (!f)
        abort();
    fprintf(f, "assay-recipes 1 %s\n", ASSAY_VERSION);
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '%' && i + 1 < size && data[i + 1] == 'R')
            i += (size_t)(fputs(recipes, f) >= 0);
        else
            fputc(data[i], f);
    }
    fclose(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct assay_err err = {0};
    struct catalog c;
    bool found = false;

    if (!dir[0])
        set_up();
    write_index(data, size);
    if (catalog_open(cache, &c, &err))
        abort();
    for (size_t i = 0; i < c.count; i++)
        found = found || strstr(c.entries[i].file, "here.yaml");
    if (!found)
        abort();
    catalog_close(&c);
    return 0;
}

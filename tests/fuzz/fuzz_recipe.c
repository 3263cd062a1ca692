/* fuzz: links assay_flow assay_base */
/* The reader of recipes, their variations, and the places in their texts. */
#include <stdlib.h>

#include "flow/fill.h"
#include "flow/recipe.h"

/* Every option once, each with the defaults of the other groups. */
static void merge_all(const struct recipe *r)
{
    json_t *group, *option;
    const char *g, *o;

    json_object_foreach(json_object_get(r->tree, "variations"), g, group)
    {
        json_object_foreach(json_object_get(group, "options"), o, option)
        {
            json_t *options = json_pack("{s:s}", g, o);

            if (!recipe_choose(r, options, NULL))
                json_decref(recipe_body(r, options));
            json_decref(options);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *scope = json_pack("{s:s, s:s}", "out", "/o", "dep.a.", "x");
    struct assay_err err = {0};
    struct recipe r;
    char *text;

    if (!recipe_parse((const char *)data, size, "fuzz.yaml", &r, &err)) {
        merge_all(&r);
        if (!fill(json_string_value(json_object_get(r.tree, "summary")), scope, &text, &err))
            free(text);
        recipe_release(&r);
    }
    json_decref(scope);
    return 0;
}

/* The JSON Schema of recipes, from the table of keys. */
#include <string.h>

#include "flow/recipe.h"
#include "flow/recipe_keys.h"

static json_t *schema_of(const struct recipe_key *row);

/* Under `key`, made where it is missing. */
static json_t *list_of(json_t *object, const char *key)
{
    if (!json_object_get(object, key))
        json_object_set_new(object, key, json_array());
    return json_object_get(object, key);
}

static void add_ways(json_t *schema, const struct recipe_way *ways)
{
    json_t *one_of = json_array(), *depends = json_object(), *with = json_object(), *wants, *v;
    const char *key;

    for (; ways->key; ways++) {
        json_array_append_new(one_of, json_pack("{s:[s]}", "required", ways->key));
        if (ways->must)
            json_object_set_new(depends, ways->key, json_pack("[s]", ways->must));
        for (size_t i = 0; i < RECIPE_WITH && ways->with[i]; i++)
            json_array_append_new(list_of(with, ways->with[i]), json_string(ways->key));
    }
    json_object_set_new(schema, "oneOf", one_of);
    /* A key that goes with several of the ways wants any of them. */
    wants = json_object();
    json_object_foreach(with, key, v)
    {
        json_t *any = json_array(), *way;
        size_t i;

        json_array_foreach(v, i, way)
            json_array_append_new(any, json_pack("{s:[O]}", "required", way));
        json_object_set_new(wants, key, json_pack("{s:o}", "anyOf", any));
    }
    json_decref(with);
    json_object_set_new(schema, "dependentRequired", depends);
    json_object_set_new(schema, "dependentSchemas", wants);
}

static json_t *schema_of_object(const struct recipe_key *row)
{
    json_t *properties = json_object(), *must = json_array();
    json_t *schema = json_pack("{s:s, s:b}", "type", "object", "additionalProperties", 0);

    for (const struct recipe_key *of = row->of; of->name; of++) {
        json_object_set_new(properties, of->name, schema_of(of));
        if (of->must)
            json_array_append_new(must, json_string(of->name));
    }
    json_object_set_new(schema, "properties", properties);
    if (json_array_size(must))
        json_object_set(schema, "required", must);
    json_decref(must);
    if (row->ways)
        add_ways(schema, row->ways);
    return schema;
}

static json_t *schema_of_map(const struct recipe_key *row)
{
    json_t *schema =
        json_pack("{s:s, s:o}", "type", "object", "additionalProperties", schema_of(row->of));
    json_t *names = row->form == FORM_MAP
                        ? json_loads(recipe_forms[FORM_WORD].schema, 0, NULL)
                        : json_pack("{s:s}", "pattern", "^[A-Za-z_][A-Za-z0-9_]{0,63}$");

    json_object_set_new(schema, "propertyNames", names);
    json_object_set_new(schema, "minProperties", json_integer(1));
    return schema;
}

static json_t *schema_of(const struct recipe_key *row)
{
    json_t *schema;

    switch (row->form) {
    case FORM_OBJECT:
        schema = schema_of_object(row);
        break;
    case FORM_MAP:
    case FORM_ENV:
        schema = schema_of_map(row);
        break;
    case FORM_LIST:
        schema = json_pack("{s:s, s:o, s:i}", "type", "array", "items", schema_of(row->of),
                           "minItems", 1);
        break;
    default:
        schema = json_loads(recipe_forms[row->form].schema, 0, NULL);
    }
    if (row->help)
        json_object_set_new(schema, "description", json_string(row->help));
    return schema;
}

json_t *recipe_schema(void)
{
    json_t *schema = schema_of(&recipe_root);

    json_object_set_new(schema, "$schema",
                        json_string("https://json-schema.org/draft/2020-12/schema"));
    json_object_set_new(schema, "title", json_string("A recipe of Assay"));
    return schema;
}

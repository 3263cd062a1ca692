/* The table of a recipe's keys, for recipe.c alone. */
#ifndef FLOW_RECIPE_KEYS_H
#define FLOW_RECIPE_KEYS_H

#include <jansson.h>
#include <stdbool.h>

enum recipe_form {
    FORM_TEXT,
    FORM_LINE,  /* not empty, without control characters */
    FORM_WORD,  /* a name */
    FORM_FILL,  /* a text with places */
    FORM_BELOW, /* a name of a file below a folder */
    FORM_WHOLE,
    FORM_REAL,
    FORM_FLAG,
    FORM_VALUE, /* text, number or flag */
    FORM_GIVEN, /* the same; a text has places */
    FORM_SIZE,
    FORM_RANGE,
    FORM_SHA256,
    FORM_MD5,
    FORM_URL,
    FORM_EACH_URL, /* with {name} in it */
    FORM_GIFT,     /* "${dep.NAME.OUTPUT}" and nothing else */
    FORM_PATH,     /* to texts in a JSON file */
    FORM_TYPE,     /* of an input */
    FORM_ONE,      /* the number 1 */
    FORM_LIST,     /* of: the row of its elements; never empty, as is a mapping */
    FORM_MAP,      /* of: the row of its values; keys are words */
    FORM_ENV,      /* the same; keys are names of variables */
    FORM_OBJECT    /* of: its rows */
};

#define RECIPE_WITH 6

/* A key of an object of which exactly one such is wanted, and the keys that go with it and with no
 * other way that does not name them too. */
struct recipe_way {
    const char *key; /* NULL ends a table */
    const char *with[RECIPE_WITH];
    const char *must; /* a key that must go with it, or NULL */
};

struct recipe_key {
    const char *name; /* NULL ends a table */
    int form;
    bool must;
    const struct recipe_key *of;
    const char *help;
    const struct recipe_way *ways; /* of an object; NULL: any keys go together */
};
extern const struct recipe_key recipe_root; /* the document */

struct recipe_form_row {
    const char *wanted; /* for errors */
    const char *schema; /* JSON */
    bool (*fits)(const json_t *v);
};
extern const struct recipe_form_row recipe_forms[]; /* by enum, up to FORM_ONE */
bool recipe_is_word(const char *s);
bool recipe_is_variable(const char *s);

#endif

/* Lists of words; see list.h. */
#include "base/list.h"

#include <string.h>

json_t *list_split(const char *text)
{
    json_t *list = json_array();
    const char *end;

    for (; text && *text; text = end + (*end == ',')) {
        end = text + strcspn(text, ",");
        json_array_append_new(list, json_stringn(text, (size_t)(end - text)));
    }
    return list;
}

bool list_holds(const json_t *list, const char *word)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (json_is_string(item) && !strcmp(json_string_value(item), word))
            return true;
    }
    return false;
}

/* Where a value stands in a YAML text: asked only when an error is to be told, so reading costs
 * nothing more. */
#include "base/tree.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* Skips the value that ev begins. */
static bool skip(yaml_parser_t *parser, int type)
{
    int depth = 0;
    yaml_event_t ev;

    for (;;) {
        if (type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT)
            depth++;
        if (type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT)
            depth--;
        if (depth <= 0)
            return true;
        if (!yaml_parser_parse(parser, &ev))
            return false;
        type = ev.type;
        yaml_event_delete(&ev);
    }
}

/* Reads the next event and gives its type and line; its text, when it is a scalar, to `text`. */
static int step(yaml_parser_t *parser, size_t *line, char *text, size_t size)
{
    yaml_event_t ev;
    int type;

    if (!yaml_parser_parse(parser, &ev))
        return YAML_NO_EVENT;
    type = ev.type;
    *line = ev.start_mark.line + 1;
    text[0] = 0;
    if (type == YAML_SCALAR_EVENT)
        snprintf(text, size, "%s", (const char *)ev.data.scalar.value);
    yaml_event_delete(&ev);
    return type;
}

/* Goes to the member `key` of a mapping that has begun, *line being its key's; false: it is not
 * there. */
static bool enter_mapping(yaml_parser_t *parser, const char *key, size_t *line)
{
    char text[256];
    size_t at;

    for (;;) {
        if (step(parser, line, text, sizeof(text)) != YAML_SCALAR_EVENT)
            return false;
        if (!strcmp(text, key))
            return true;
        if (!skip(parser, step(parser, &at, text, sizeof(text))))
            return false;
    }
}

static bool enter_sequence(yaml_parser_t *parser, long index)
{
    char text[8];
    size_t at;

    for (; index > 0; index--) {
        int type = step(parser, &at, text, sizeof(text));

        if (type == YAML_SEQUENCE_END_EVENT || type == YAML_NO_EVENT || !skip(parser, type))
            return false;
    }
    return true;
}

static size_t find(yaml_parser_t *parser, const char *const *path)
{
    char text[8];
    size_t best = 1, line = 1;
    int type;

    do
        type = step(parser, &line, text, sizeof(text));
    while (type == YAML_STREAM_START_EVENT || type == YAML_DOCUMENT_START_EVENT);
    for (best = line; *path; path++) {
        bool keyed = type == YAML_MAPPING_START_EVENT;

        if (!keyed && type != YAML_SEQUENCE_START_EVENT)
            break;
        if (keyed ? !enter_mapping(parser, *path, &best)
                  : !enter_sequence(parser, strtol(*path, NULL, 10)))
            break;
        type = step(parser, &line, text, sizeof(text));
        if (!keyed)
            best = line;
    }
    return best;
}

size_t tree_line(const char *text, size_t len, const char *const *path)
{
    yaml_parser_t parser;
    size_t line;

    if (!yaml_parser_initialize(&parser))
        return 0;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    line = find(&parser, path);
    yaml_parser_delete(&parser);
    return line;
}

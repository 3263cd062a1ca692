/* The programs that a node's steps run, looked for before anything is begun: one that lacks would
 * else be told after an hour of downloads.
 *
 * What can be known before: a name that is looked for in folders which are there already, and an
 * absolute path.  A text with a place ("${dep.compiler.program}"), or a path in the folder of the
 * step ("./configure"), may be of what is yet to be made. */
#include "flow/plan_inside.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/tree.h"
#include "flow/tool.h"

static bool is_known_before(const char *program, const char *path)
{
    if (strstr(program, "${"))
        return false;
    return program[0] == '/' || (!strchr(program, '/') && !strstr(path, "${"));
}

static void look(const struct plan_node *n, const char *part, const json_t *run, json_t *problems)
{
    const char *program = json_string_value(json_array_get(run, 0)), *looked = "", *where = "";
    const char *path = tree_text(json_object_get(n->body, "env"), "PATH", PLAN_PATH);
    char *file, *text = NULL;
    json_t *last = json_array_get(problems, json_array_size(problems) - 1);

    if (!program || !is_known_before(program, path))
        return;
    if (program[0] != '/') {
        looked = " (looked in ";
        where = path;
    }
    if (!(file = tool_find(program, path)))
        text = text_format("%s: the program '%s', which its %s runs, is not here%s%s%s: install it",
                           n->recipe->name, program, part, looked, where, *where ? ")" : "");
    if (text && (!last || strcmp(json_string_value(last), text) != 0))
        json_array_append_new(problems, json_string(text));
    free(file);
    free(text);
}

void plan_add_lacking_programs(const struct plan_node *n, json_t *problems)
{
    static const char *const parts[] = {"build", "convert", "check"};
    json_t *row;
    size_t i;

    for (size_t k = 0; k < sizeof(parts) / sizeof(parts[0]); k++)
        json_array_foreach(json_object_get(n->body, parts[k]), i, row)
            look(n, parts[k], json_object_get(row, "run"), problems);
}

/* systems/<system>.json: the fields, and whether they fit the folder's place. */
#include "submit/judge.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/tree.h"
#include "submit/system.h"

#define DECLARE "write it in the file, or declare it in system.yaml and run assay submit again"

/* As Python sees it, which is how the official checker asks: 0, "" and null are nothing. */
static bool is_empty(const json_t *v)
{
    if (json_is_string(v))
        return !*json_string_value(v);
    if (json_is_number(v))
        return json_number_value(v) == 0;
    if (json_is_array(v))
        return !json_array_size(v);
    if (json_is_object(v))
        return !json_object_size(v);
    return !json_is_true(v);
}

static void check_field(struct judge *j, const char *where, const struct submit_field *f,
                        const json_t *v)
{
    if (!v)
        judge_add(j, RULE_SYSTEM_FIELD, where, DECLARE, "the field %s is missing", f->name);
    else if (f->meaningful && json_is_number(v) && json_number_value(v) == 0)
        judge_add(j, RULE_SYSTEM_FIELD, where, "write it as a text",
                  "the field %s is the number 0, which the official checker takes for nothing: "
                  "write \"0\"",
                  f->name);
    else if (f->meaningful && is_empty(v))
        judge_add(j, RULE_SYSTEM_FIELD, where, DECLARE, "the field %s is empty", f->name);
}

/* A whole number, also as a text. */
static void check_number(struct judge *j, const char *where, const json_t *system, const char *name,
                         int64_t least)
{
    const json_t *v = json_object_get(system, name);
    const char *text = json_string_value(v);
    char *end = NULL;
    long long n = text ? strtoll(text, &end, 10) : json_integer_value(v);

    if (!v || (text && !*text))
        return; /* said already */
    if ((text && *end) || (!text && !json_is_integer(v)) || n < least || n > 1000000)
        judge_add(j, RULE_SYSTEM_VALUE, where, DECLARE,
                  "the field %s is no whole number from %lld up", name, (long long)least);
}

static void check_place(struct judge *j, const char *where, const json_t *system, const char *name,
                        const char *folder)
{
    const char *said = tree_text(system, name, NULL);

    if (said && *said && strcasecmp(said, folder))
        judge_add(j, RULE_SYSTEM_VALUE, where, "make the file and the folder agree",
                  "the field %s is '%s', the folder is '%s'", name, said, folder);
    else if (json_object_get(system, name) && !said)
        judge_add(j, RULE_SYSTEM_VALUE, where, "write a text", "the field %s is no text", name);
}

static void check_category(struct judge *j, struct place *p, const char *where,
                           const json_t *system)
{
    static const struct {
        const char *name;
        unsigned category;
    } known[] = {{"datacenter", SUBMIT_DATACENTER},
                 {"edge", SUBMIT_EDGE},
                 {"datacenter,edge", SUBMIT_DATACENTER | SUBMIT_EDGE},
                 {"edge,datacenter", SUBMIT_DATACENTER | SUBMIT_EDGE}};
    const char *said = tree_text(system, "system_type", "");

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (!strcmp(known[i].name, said))
            p->category = known[i].category;
    if (!p->category && *said)
        judge_add(j, RULE_SYSTEM_VALUE, where, DECLARE,
                  "the field system_type is '%s' (allowed: datacenter, edge, \"datacenter,edge\")",
                  said);
}

static void check_status(struct judge *j, const char *where, const json_t *system)
{
    static const char *const allowed[] = {"available", "preview", "rdi"};
    const char *said = tree_text(system, "status", "");

    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
        if (!*said || !strcasecmp(said, allowed[i]))
            return;
    judge_add(j, RULE_SYSTEM_VALUE, where, DECLARE,
              "the field status is '%s' (allowed: available, preview, rdi)", said);
}

static void check_network(struct judge *j, const struct place *p, const char *where,
                          const json_t *system)
{
    const json_t *v = json_object_get(system, "is_network");
    bool yes = !strcasecmp(json_is_string(v) ? json_string_value(v) : "", "true");

    if (v && !json_is_string(v))
        judge_add(j, RULE_SYSTEM_VALUE, where, "write \"true\" or \"false\" with the quotes",
                  "the field is_network is no text");
    if (!p->closed || yes == p->network)
        return;
    judge_add(j, RULE_NETWORK, where, "put the system into the division that fits",
              "the field is_network is %s in the %s division", yes ? "true" : "not true",
              p->division);
}

void judge_system(struct judge *j, struct place *p)
{
    char where[JUDGE_PATH], name[300];
    const json_t *network;

    judge_join(where, p->division, p->submitter);
    snprintf(name, sizeof(name), "systems/%.280s.json", p->system);
    judge_join(where, where, name);
    p->described = judge_json(j, where, RULE_SYSTEM_FILE, "assay system --mlperf, or assay submit");
    if (!p->described)
        return;
    network = json_object_get(p->described, "is_network");
    for (const struct submit_field *f = submit_fields; f->name; f++)
        if (!f->network || p->network || (network && !is_empty(network)))
            check_field(j, where, f, json_object_get(p->described, f->name));
    check_category(j, p, where, p->described);
    check_status(j, where, p->described);
    check_place(j, where, p->described, "division", p->division);
    check_place(j, where, p->described, "submitter", p->submitter);
    check_number(j, where, p->described, "number_of_nodes", 1);
    check_number(j, where, p->described, "accelerators_per_node", 0);
    check_network(j, p, where, p->described);
    if (strcasestr(tree_text(p->described, "system_name", ""), "rehearsal"))
        judge_add(j, RULE_REHEARSAL, where, "make the submission without --rehearsal",
                  "the system is called '%s'", tree_text(p->described, "system_name", ""));
}

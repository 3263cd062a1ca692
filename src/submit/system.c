/* MLPerf's description of a system from facts: one table row a field, one small maker for each that
 * can be detected.
 *
 * A maker uses detected facts only, and finds nothing where one of them is missing.  Fields without
 * a maker (cooling, status, memory configuration …) are the submitter's to declare, under the
 * field's own name.  Where the kernel says that there is no accelerator, or the caller that none
 * took part, the fields about accelerators are "N/A": that is an observation too. */
#include "submit/system.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/tree.h"
#include "record/system.h"

static const json_t *detected(const json_t *facts, const char *name)
{
    const json_t *fact = json_object_get(facts, name);

    return strcmp(tree_text(fact, "from", ""), "detected") ? NULL : json_object_get(fact, "value");
}

static const char *source_of(const json_t *facts, const char *name)
{
    return tree_text(json_object_get(facts, name), "source", "");
}

/* The fact as a text; whole numbers without a point. */
static char *plain(const json_t *facts, const char *name, const char **source)
{
    const json_t *v = detected(facts, name);

    *source = source_of(facts, name);
    if (json_is_string(v))
        return strdup(json_string_value(v));
    if (json_is_number(v))
        return text_format("%.15g", json_number_value(v));
    return NULL;
}

static char *processor(const json_t *f, const char **s)
{
    return plain(f, "processor", s);
}

static char *sockets(const json_t *f, const char **s)
{
    return plain(f, "sockets", s);
}

static char *cores_per_processor(const json_t *f, const char **s)
{
    double cores = json_number_value(detected(f, "cores"));
    double sockets_there = json_number_value(detected(f, "sockets"));

    *s = source_of(f, "cores");
    return cores > 0 && sockets_there > 0 ? text_format("%.15g", cores / sockets_there) : NULL;
}

static char *frequency(const json_t *f, const char **s)
{
    double mhz = json_number_value(detected(f, "frequency_max_mhz"));

    *s = source_of(f, "frequency_max_mhz");
    return mhz > 0 ? text_format("%.15g MHz (highest)", mhz) : NULL;
}

static char *caches(const json_t *f, const char **s)
{
    return plain(f, "caches", s);
}

static char *bytes(const json_t *f, const char *name, double unit, const char *suffix,
                   const char **s)
{
    double n = json_number_value(detected(f, name));

    *s = source_of(f, name);
    if (n <= 0)
        return NULL;
    n /= unit;
    return text_format(n < 9999.5 ? "%.4g %s" : "%.0f %s", n, suffix); /* no exponent */
}

static char *memory(const json_t *f, const char **s)
{
    return bytes(f, "memory_bytes", 1024.0 * 1024 * 1024, "GiB", s);
}

static char *storage(const json_t *f, const char **s)
{
    return bytes(f, "storage_bytes", 1e9, "GB", s);
}

/* The disk of a virtual machine says that it rotates, whatever it is made of. */
static char *storage_type(const json_t *f, const char **s)
{
    const json_t *rotational = detected(f, "storage_rotational");

    *s = source_of(f, "storage_rotational");
    if (!rotational || !json_is_false(detected(f, "virtualised")))
        return NULL;
    return strdup(json_is_true(rotational) ? "rotating disk" : "solid-state (not rotational)");
}

static char *network_cards(const json_t *f, const char **s)
{
    return plain(f, "network_cards", s);
}

/* Names alone say nothing: at least one speed must be known. */
static char *network_links(const json_t *f, const char **s)
{
    char *links = plain(f, "network_links", s);

    if (links && strstr(links, " Mb/s"))
        return links;
    free(links);
    return NULL;
}

static char *gpu_count(const json_t *f, const char **s)
{
    return plain(f, "gpus", s);
}

static char *gpu_models(const json_t *f, const char **s)
{
    return plain(f, "gpu_models", s);
}

static char *operating_system(const json_t *f, const char **s)
{
    return plain(f, "operating_system", s);
}

static char *software(const json_t *f, const char **s)
{
    static const char *const parts[][2] = {{"kernel", "Linux "},
                                           {"libc", ""},
                                           {"compiler", "Assay built by "},
                                           {"nvidia_driver", "NVIDIA driver "}};
    struct text t;
    const char *ignored;

    *s = source_of(f, "kernel");
    text_init(&t, 1024);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        char *one = plain(f, parts[i][0], &ignored);

        if (one)
            text_addf(&t, "%s%s%s", t.len ? ", " : "", parts[i][1], one);
        free(one);
    }
    if (t.len)
        return text_take(&t);
    text_release(&t);
    return NULL;
}

static char *hardware_detail(const json_t *f, const char **s)
{
    char *vendor = plain(f, "machine_vendor", s), *model = plain(f, "machine_model", s), *both;

    both = vendor && model ? text_format("%s %s", vendor, model) : NULL;
    free(vendor);
    free(model);
    return both;
}

/* clang-format off */
const struct submit_field submit_fields[] = {
    /* name, meaningful, accelerator, network, make */
    {"division", true, false, false, NULL},
    {"submitter", true, false, false, NULL},
    {"status", true, false, false, NULL},
    {"system_name", true, false, false, NULL},
    {"system_type", true, false, false, NULL},
    {"system_type_detail", false, false, false, hardware_detail},
    {"number_of_nodes", true, false, false, NULL},
    {"host_processor_model_name", true, false, false, processor},
    {"host_processors_per_node", true, false, false, sockets},
    {"host_processor_core_count", true, false, false, cores_per_processor},
    {"host_processor_frequency", false, false, false, frequency},
    {"host_processor_caches", false, false, false, caches},
    {"host_processor_interconnect", false, false, false, NULL},
    {"host_memory_capacity", true, false, false, memory},
    {"host_memory_configuration", true, false, false, NULL},
    {"host_storage_capacity", true, false, false, storage},
    {"host_storage_type", true, false, false, storage_type},
    {"host_networking", true, false, false, network_links},
    {"host_networking_topology", true, false, false, NULL},
    {"host_network_card_count", true, false, false, network_cards},
    {"accelerators_per_node", true, false, false, gpu_count},
    {"accelerator_model_name", true, true, false, gpu_models},
    {"accelerator_memory_capacity", true, true, false, NULL},
    {"accelerator_memory_configuration", true, true, false, NULL},
    {"accelerator_host_interconnect", true, true, false, NULL},
    {"accelerator_interconnect", true, true, false, NULL},
    {"accelerator_interconnect_topology", false, true, false, NULL},
    {"accelerator_frequency", false, true, false, NULL},
    {"accelerator_on-chip_memories", false, true, false, NULL},
    {"cooling", true, false, false, NULL},
    {"framework", true, false, false, NULL},
    {"operating_system", true, false, false, operating_system},
    {"other_software_stack", true, false, false, software},
    {"hw_notes", false, false, false, NULL},
    {"sw_notes", false, false, false, NULL},
    {"is_network", true, false, true, NULL},
    {"network_type", false, false, true, NULL},
    {"network_media", false, false, true, NULL},
    {"network_rate", false, false, true, NULL},
    {"nic_loadgen", false, false, true, NULL},
    {"number_nic_loadgen", false, false, true, NULL},
    {"net_software_stack_loadgen", false, false, true, NULL},
    {"network_protocol", false, false, true, NULL},
    {"number_connections", false, false, true, NULL},
    {"nic_sut", false, false, true, NULL},
    {"number_nic_sut", false, false, true, NULL},
    {"net_software_stack_sut", false, false, true, NULL},
    {"network_topology", false, false, true, NULL},
    {NULL, false, false, false, NULL},
};
/* clang-format on */

/* What the caller knows: of the submission, not of the machine. */
static const char *given(const struct submit_who *who, const char *name)
{
    const struct {
        const char *name, *value;
    } known[] = {{"division", who->division},       {"submitter", who->submitter},
                 {"system_type", who->system_type}, {"framework", who->framework},
                 {"number_of_nodes", who->nodes},   {"is_network", who->network ? "true" : NULL}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (!strcmp(known[i].name, name))
            return known[i].value;
    return NULL;
}

/* What the user's file says under the field's own name, as a text; malloc'ed. */
static char *declared(const json_t *facts, const char *name, const char **source)
{
    const json_t *fact = json_object_get(facts, name), *v = json_object_get(fact, "declared");

    *source = tree_text(fact, "declared_source", "");
    if (!v && !strcmp(tree_text(fact, "from", ""), "declared")) {
        v = json_object_get(fact, "value");
        *source = tree_text(fact, "source", "");
    }
    if (json_is_string(v))
        return strdup(json_string_value(v));
    if (json_is_boolean(v))
        return strdup(json_is_true(v) ? "true" : "false");
    return json_is_number(v) ? text_format("%.15g", json_number_value(v)) : NULL;
}

/* "A, A" is one model; "A, B" leaves open which of them took part. */
static char *one_of(char *models)
{
    size_t n = models ? strcspn(models, ",") : 0;

    for (const char *next = models; models && (next = strchr(next, ','));) {
        next += strspn(next, ", ");
        if (strncmp(next, models, n) || (next[n] && next[n] != ',')) {
            free(models);
            return NULL;
        }
    }
    if (models)
        models[n] = 0;
    return models;
}

static char *made(const struct submit_field *f, const json_t *facts, const struct submit_who *who,
                  const char **source)
{
    const json_t *gpus = detected(facts, "gpus");

    if (who->accelerators && f->make == gpu_count) {
        *source = "the records' device";
        return strdup(who->accelerators);
    }
    if (who->accelerators && f->make == gpu_models && strcmp(who->accelerators, "0"))
        return one_of(gpu_models(facts, source));
    if (f->accelerator && who->accelerators && !strcmp(who->accelerators, "0")) {
        *source = "the records' device";
        return strdup("N/A");
    }
    if (f->accelerator && gpus && json_number_value(gpus) == 0) {
        *source = source_of(facts, "gpus");
        return strdup("N/A");
    }
    return f->make ? f->make(facts, source) : NULL;
}

static int describe_field(const struct submit_field *f, const json_t *facts,
                          const struct submit_who *who, json_t *description, json_t *sources)
{
    const char *said_in = "", *found_in = "", *fixed = given(who, f->name);
    char *said = declared(facts, f->name, &said_in), *found = made(f, facts, who, &found_in);
    const char *value = fixed ? fixed : said ? said : found;
    const char *from = fixed ? "given" : said ? "declared" : found ? "detected" : "unknown";
    json_t *source = json_pack("{s:s, s:s}", "from", from, "source",
                               fixed   ? "this submission"
                               : said  ? said_in
                               : found ? found_in
                                       : "");
    int rc = json_object_set_new(description, f->name, json_string(value ? value : ""));

    if (said && found && !fixed && strcmp(said, found))
        json_object_set_new(source, "detected", json_string(found));
    rc |= json_object_set_new(sources, f->name, source);
    free(said);
    free(found);
    return rc;
}

/* Of measurements; they may have "BENCHMARK." in front. */
static const char *const measured[] = {"weight_data_types", "input_data_types", "retraining",
                                       "weight_transformations"};
#define MEASURED   (sizeof(measured) / sizeof(measured[0]))
#define FIELDS_MAX 128

static size_t known_fields(const char *names[FIELDS_MAX])
{
    size_t n = 0;

    for (const struct submit_field *f = submit_fields; f->name && n < FIELDS_MAX - MEASURED; f++)
        names[n++] = f->name;
    for (size_t i = 0; i < MEASURED; i++)
        names[n++] = measured[i];
    return n;
}

json_t *submit_strangers(const json_t *facts)
{
    const char *names[FIELDS_MAX], *name, *near;
    size_t n = known_fields(names), i;
    json_t *list = json_array(), *facts_known = system_unknown("");
    const json_t *fact;

    json_object_foreach((json_t *)(uintptr_t)facts, name, fact)
    {
        const char *dot = strchr(name, '.'), *field = dot ? dot + 1 : name;

        for (i = 0; i < n && strcmp(names[i], field) != 0; i++)
            ;
        if (i < n || strcmp(tree_text(fact, "from", ""), "declared") != 0 ||
            json_object_get(facts_known, name))
            continue;
        near = text_nearest(field, names, n, sizeof(names[0]));
        json_array_append_new(
            list,
            json_sprintf("%s: %s is no field of a system's description or of measurements%s%s%s",
                         tree_text(fact, "source", "?"), name, near ? "; did you mean " : "",
                         near ? near : "", near ? "?" : ""));
    }
    json_decref(facts_known);
    return list;
}

int submit_describe(const json_t *facts, const struct submit_who *who, json_t **description,
                    json_t **sources, struct assay_err *err)
{
    int rc = 0;

    *description = json_object();
    *sources = json_object();
    for (const struct submit_field *f = submit_fields; f->name && !rc; f++)
        if (!f->network || who->network)
            rc = describe_field(f, facts, who, *description, *sources);
    if (!rc)
        return ASSAY_OK;
    json_decref(*description);
    json_decref(*sources);
    return assay_fail(err, ASSAY_EFAIL,
                      "the system's description cannot be put together (a fact is not UTF-8?)");
}

void submit_slug(const char *text, char *out, size_t size)
{
    size_t n = 0;

    for (; *text && n + 1 < size; text++) {
        bool good = isalnum((unsigned char)*text) || strchr("._+-", *text);

        if (good || (n && out[n - 1] != '-'))
            out[n++] = good ? *text : '-';
    }
    while (n && (out[n - 1] == '-' || out[n - 1] == '.'))
        n--;
    out[n] = 0;
}

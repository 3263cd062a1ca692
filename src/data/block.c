/* Reading a manifest's blocks; see block.h. */
#include "data/block.h"

#include <math.h>
#include <string.h>

#include "base/text.h"

int block_check_keys(const json_t *block, const char *name, const char *const *keys, size_t n,
                     struct assay_err *err)
{
    const char *key, *near;
    json_t *value;
    size_t i;

    if (!block)
        return ASSAY_OK;
    if (!json_is_object(block))
        return assay_fail(err, ASSAY_EUSAGE, "%s must be a mapping", name);
    json_object_foreach((json_t *)block, key, value)
    {
        for (i = 0; i < n && strcmp(keys[i], key) != 0; i++)
            ;
        if (i < n)
            continue;
        near = text_nearest(key, keys, n, sizeof(*keys));
        return assay_fail(err, ASSAY_EUSAGE, "unknown key %s.%.60s%s%s%s", name, key,
                          near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    return ASSAY_OK;
}

/* "output.kind must be detections, heads or anchors" */
static int not_among(const char *name, const char *key, const char *const *choices,
                     struct assay_err *err)
{
    char all[256];
    size_t n = 0;

    for (int i = 0; choices[i] && n < sizeof(all); i++)
        n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s",
                              !i               ? ""
                              : choices[i + 1] ? ", "
                                               : " or ",
                              choices[i]);
    return assay_fail(err, ASSAY_EUSAGE, "%s.%s must be %s", name, key, all);
}

int block_choice(const json_t *block, const char *name, const char *key, const char *const *choices,
                 int *out, struct assay_err *err)
{
    const json_t *v = json_object_get(block, key);
    const char *s = v ? json_string_value(v) : choices[0];
    int i;

    for (i = 0; s && choices[i]; i++)
        if (!strcmp(choices[i], s)) {
            *out = i;
            return ASSAY_OK;
        }
    return not_among(name, key, choices, err);
}

int block_integer(const json_t *block, const char *name, const char *key, int64_t low, int64_t high,
                  int64_t *out, struct assay_err *err)
{
    const json_t *v = json_object_get(block, key);

    if (!v)
        return ASSAY_OK;
    if (!json_is_integer(v) || json_integer_value(v) < low || json_integer_value(v) > high)
        return assay_fail(err, ASSAY_EUSAGE, "%s.%s must be a whole number from %lld to %lld", name,
                          key, (long long)low, (long long)high);
    *out = json_integer_value(v);
    return ASSAY_OK;
}

int block_text(const json_t *block, const char *name, const char *key, char out[128],
               struct assay_err *err)
{
    const json_t *v = json_object_get(block, key);

    if (v && (!json_is_string(v) || json_string_length(v) > 127))
        return assay_fail(err, ASSAY_EUSAGE, "%s.%s must be a text of up to 127 characters", name,
                          key);
    snprintf(out, 128, "%s", v ? json_string_value(v) : "");
    return ASSAY_OK;
}

static int name_manifest(const json_t *tree, int rc, struct assay_err *err)
{
    const char *name = json_string_value(json_object_get(tree, "name"));
    struct assay_err why;

    if (!err)
        return rc;
    why = *err;
    return name ? assay_fail(err, rc, "manifest of '%.100s': %s", name, why.text)
                : assay_fail(err, rc, "manifest: %s", why.text);
}

int block_read_manifest(const char *text,
                        int (*parse)(const json_t *tree, void *model, struct assay_err *err),
                        void *model, struct assay_err *err)
{
    json_error_t why;
    json_t *tree = json_loads(text ? text : "{}", 0, &why);
    int rc = json_is_object(tree)
                 ? parse(tree, model, err)
                 : assay_fail(err, ASSAY_EUSAGE, "is no JSON object: %s", why.text);

    if (rc)
        rc = name_manifest(tree, rc, err);
    json_decref(tree);
    return rc;
}

static bool is_share(const json_t *v)
{
    return json_is_number(v) && json_number_value(v) > 0 && json_number_value(v) <= 100;
}

/* The least of those above `above`; 0: none. */
static double next_share(const json_t *list, double above)
{
    double least = 0;
    const json_t *v;
    size_t i;

    json_array_foreach(list, i, v)
    {
        double share = json_number_value(v);

        if (share > above && (!(least > 0) || share < least))
            least = share;
    }
    return least;
}

int block_target(const json_t *tree, const char *what, double *reference, double *target,
                 struct assay_err *err)
{
    const json_t *v = json_object_get(tree, "reference_accuracy");
    const json_t *share = json_object_get(tree, "target"), *one;
    bool good = !share || is_share(share) || json_array_size(share) > 0;
    double least = 99;
    size_t i;

    if (v && !json_is_number(v))
        return assay_fail(err, ASSAY_EUSAGE, "reference_accuracy must be a number (%s)", what);
    if (v && json_number_value(v) > 0 && json_number_value(v) <= 1)
        return assay_fail(err, ASSAY_EUSAGE,
                          "reference_accuracy: %g is a fraction, and percent is meant: %g (%s)",
                          json_number_value(v), json_number_value(v) * 100, what);
    json_array_foreach(share, i, one) good = good && is_share(one);
    if (!good)
        return assay_fail(err, ASSAY_EUSAGE,
                          "target must be a share of reference_accuracy in percent, or a list of "
                          "them: 99, 99.9 or [99, 99.9]");
    if (share)
        least = json_is_array(share) ? next_share(share, 0) : json_number_value(share);
    *reference = v ? json_number_value(v) : NAN;
    *target = *reference * least / 100.0;
    return ASSAY_OK;
}

json_t *block_targets(const json_t *tree, double least, double value)
{
    const json_t *v = json_object_get(tree, "reference_accuracy"),
                 *list = json_object_get(tree, "target");
    double share = 0;
    json_t *all;

    if (isnan(least) || !json_is_number(v) || !json_is_array(list))
        return NULL;
    all = json_array();
    while ((share = next_share(list, share)) > 0) {
        double target = json_number_value(v) * share / 100.0;

        json_array_append_new(all, json_pack("{s:f, s:f, s:b}", "share", share, "target", target,
                                             "passed", (int)(value >= target)));
    }
    return all;
}

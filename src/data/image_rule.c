/* A manifest's `input` block -> struct image_rule. */
#include <string.h>

#include "data/block.h"
#include "data/image.h"

/* One number for all channels, or a list of three. */
static int channels(const json_t *block, const char *key, bool nonzero, double *out,
                    struct assay_err *err)
{
    const json_t *v = json_object_get(block, key), *one;
    int c;

    for (c = 0; v && c < 3; c++) {
        one = json_is_array(v) && json_array_size(v) == 3 ? json_array_get(v, (size_t)c) : v;
        if (!json_is_number(one) || (nonzero && json_number_value(one) == 0))
            return assay_fail(err, ASSAY_EUSAGE, "input.%s must be %s or a list of three", key,
                              nonzero ? "a number other than 0" : "a number");
        out[c] = json_number_value(one);
    }
    return ASSAY_OK;
}

/* The usual means and deviations are those of R, G, B; the rule's are in the stored order. */
static void turn_round(double *three)
{
    double first = three[0];

    three[0] = three[2];
    three[2] = first;
}

static int parse_values(const json_t *in, struct image_rule *rule, struct assay_err *err)
{
    const json_t *scale = json_object_get(in, "scale");
    int rc;

    if (rule->bgr) {
        turn_round(rule->mean);
        turn_round(rule->std);
    }
    if (scale && !json_is_number(scale))
        return assay_fail(err, ASSAY_EUSAGE, "input.scale must be a number");
    if (scale)
        rule->scale = json_number_value(scale);
    rc = channels(in, "mean", false, rule->mean, err);
    return rc ? rc : channels(in, "std", true, rule->std, err);
}

int image_rule_parse(const json_t *in, const char *const *methods, const struct image_rule *usual,
                     uint32_t usual_size, struct image_rule *rule, char name[128],
                     struct assay_err *err)
{
    static const char *const keys[] = {"name",  "layout", "dtype", "size",  "method",
                                       "color", "mean",   "std",   "scale", "resize"};
    static const char *const layouts[] = {"NCHW", "NHWC", NULL},
                             *const dtypes[] = {"float32", NULL},
                             *const colors[] = {"RGB", "BGR", NULL};
    size_t n = sizeof(keys) / sizeof(keys[0]);
    int64_t size = usual_size, resize;
    int nhwc = 0, dtype = 0, method = 0, bgr = 0, rc;

    if (usual[0].method == IMAGE_STRETCH)
        n--; /* there is no short side */
    if ((rc = block_check_keys(in, "input", keys, n, err)) ||
        (rc = block_text(in, "input", "name", name, err)) ||
        (rc = block_choice(in, "input", "layout", layouts, &nhwc, err)) ||
        (rc = block_choice(in, "input", "dtype", dtypes, &dtype, err)) ||
        (rc = block_choice(in, "input", "method", methods, &method, err)) ||
        (rc = block_choice(in, "input", "color", colors, &bgr, err)) ||
        (rc = block_integer(in, "input", "size", 1, IMAGE_MAX_SIDE, &size, err)))
        return rc;
    resize = (size * 256 + 112) / 224; /* the official 87.5 % */
    if ((rc = block_integer(in, "input", "resize", size, IMAGE_MAX_SIDE, &resize, err)))
        return rc;
    *rule = usual[method];
    rule->size = (uint32_t)size;
    rule->resize = (uint32_t)resize;
    rule->nhwc = nhwc;
    rule->bgr = bgr;
    return parse_values(in, rule, err);
}

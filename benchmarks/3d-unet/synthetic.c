/* Made-up scans: ellipsoids as kidneys, each with a smaller one in it as a tumour, in their usual
 * intensities, on noise.  They go through the same pre-processing as files, but have the common
 * spacing already. */
#include "data/synthetic.h"

#include <string.h>

#include "unet.h"

struct ellipsoid {
    double at[3], radius[3];
};

enum { KIDNEYS = 2 };

struct anatomy {
    struct ellipsoid kidneys[KIDNEYS], tumours[KIDNEYS];
};

static uint64_t first_state(uint64_t seed, uint64_t index)
{
    return seed * 0x2545f4914f6cdd1du + index;
}

void synthetic_head(uint64_t seed, uint64_t index, struct nifti *head)
{
    uint64_t random = first_state(seed, index);
    int a;

    memset(head, 0, sizeof(*head));
    for (a = 0; a < 3; a++) {
        head->dims[a] = 100 + (uint32_t)(synthetic_next(&random) % (a ? 120 : 60));
        head->spacing[a] = volume_spacing[a];
    }
}

static void make_anatomy(const struct nifti *head, uint64_t *random, struct anatomy *body)
{
    int i, a;

    for (i = 0; i < KIDNEYS; i++)
        for (a = 0; a < 3; a++) {
            struct ellipsoid *k = &body->kidneys[i], *t = &body->tumours[i];
            double n = head->dims[a], middle = a == 2 ? (i ? 0.7 : 0.3) : 0.5;

            k->radius[a] = n * (0.10 + 0.08 * synthetic_unit(random));
            k->at[a] = n * (middle + 0.1 * (synthetic_unit(random) - 0.5));
            t->radius[a] = k->radius[a] * (0.3 + 0.3 * synthetic_unit(random));
            t->at[a] = k->at[a] + 0.4 * k->radius[a] * (synthetic_unit(random) - 0.5);
        }
}

static bool inside(const struct ellipsoid *e, const uint32_t at[3])
{
    double far = 0;
    int a;

    for (a = 0; a < 3; a++)
        far += (at[a] - e->at[a]) * (at[a] - e->at[a]) / (e->radius[a] * e->radius[a]);
    return far <= 1;
}

static uint8_t label_at(const struct anatomy *body, const uint32_t at[3])
{
    uint8_t label = 0;
    int i;

    for (i = 0; i < KIDNEYS; i++)
        if (inside(&body->kidneys[i], at))
            label = inside(&body->tumours[i], at) ? 2 : 1;
    return label;
}

void synthetic_voxels(const struct nifti *head, uint64_t seed, uint64_t index, float *image,
                      uint8_t *labels)
{
    static const float middle[VOLUME_CLASSES] = {0, 180, 90}; /* Hounsfield units */
    uint64_t random = first_state(~seed, index);
    struct anatomy body;
    uint32_t at[3];
    size_t i = 0;

    make_anatomy(head, &random, &body);
    for (at[0] = 0; at[0] < head->dims[0]; at[0]++)
        for (at[1] = 0; at[1] < head->dims[1]; at[1]++)
            for (at[2] = 0; at[2] < head->dims[2]; at[2]++, i++) {
                uint8_t label = label_at(&body, at);

                if (labels)
                    labels[i] = label;
                else
                    image[i] = middle[label] + 60 * (synthetic_unit(&random) - 0.5f);
            }
}

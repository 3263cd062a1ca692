/* Counts voxels; see dice.h. */
#include "score/dice.h"

#define SMOOTH 1e-6

static int bad_voxel(const struct dice *sum, const char *whose, size_t at, uint8_t value,
                     struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "DICE: case %llu: voxel %zu of the %s is %u; wanted: 0..%d",
                      (unsigned long long)sum->cases, at, whose, value, DICE_CLASSES - 1);
}

int dice_add(struct dice *sum, const uint8_t *truth, const uint8_t *prediction, size_t n,
             struct assay_err *err)
{
    uint64_t pairs[DICE_CLASSES][DICE_CLASSES] = {{0}}; /* [truth][prediction] */
    size_t i;
    int c, k;

    for (i = 0; i < n; i++) {
        if (truth[i] >= DICE_CLASSES)
            return bad_voxel(sum, "truth", i, truth[i], err);
        if (prediction[i] >= DICE_CLASSES)
            return bad_voxel(sum, "prediction", i, prediction[i], err);
        pairs[truth[i]][prediction[i]]++;
    }
    for (c = 1; c < DICE_CLASSES; c++) {
        uint64_t both = 0;
        double dice;

        for (k = 0; k < DICE_CLASSES; k++)
            both += pairs[c][k] + pairs[k][c];
        dice = (2.0 * (double)pairs[c][c] + SMOOTH) / ((double)both + SMOOTH);
        sum->total[c] += dice;
        sum->total[0] += dice / (DICE_CLASSES - 1);
    }
    sum->cases++;
    return ASSAY_OK;
}

void dice_means(const struct dice *sum, double means[DICE_CLASSES])
{
    int c;

    for (c = 0; c < DICE_CLASSES; c++)
        means[c] = sum->total[c] / (double)sum->cases;
}

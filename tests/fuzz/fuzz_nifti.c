/* fuzz: links assay_data assay_base */
/* NIfTI, gzipped or plain: what is taken has as many voxels as the header says, all finite, and
 * becomes a volume of whole windows. */
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "data/volume.h"

#define MOST_VOXELS (1u << 21) /* of a volume that is made */

static void check(int rc, const struct assay_err *err)
{
    if (rc && (err->code != rc || !err->text[0]))
        abort();
}

static void check_volume(const struct nifti *head, const float *voxels)
{
    struct assay_err err = {0};
    uint32_t dims[3];
    uint64_t n, i;
    float *out;
    int rc = volume_dims(head, "fuzz", dims, &err);

    check(rc, &err);
    if (rc || (n = (uint64_t)dims[0] * dims[1] * dims[2]) > MOST_VOXELS)
        return;
    if (dims[0] % 64 || dims[1] % 64 || dims[2] % 64 || n < MOST_VOXELS)
        abort();
    if (!(out = malloc(n * sizeof(*out))))
        return;
    check(volume_from_image(head, voxels, out, &err), &err);
    for (i = 0; i < n; i++)
        if (!(out[i] >= -2.4f && out[i] <= 2.7f))
            abort();
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct assay_err err = {0};
    struct nifti head, again;
    float *voxels;
    uint8_t *labels;
    char path[40];
    int fd = memfd_create("fuzz", 0), rc;
    uint64_t i;

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    rc = nifti_read_image(path, &head, &voxels, &err);
    check(rc, &err);
    if (!rc) {
        for (i = 0; i < nifti_voxels(&head); i++)
            if (!isfinite(voxels[i]))
                abort();
        if (size % 4 == 0) /* a volume takes long */
            check_volume(&head, voxels);
        free(voxels);
    }
    rc = nifti_read_labels(path, 3, &again, &labels, &err);
    check(rc, &err);
    if (!rc) {
        for (i = 0; i < nifti_voxels(&again); i++)
            if (labels[i] > 2)
                abort();
        free(labels);
    }
    close(fd);
    return 0;
}

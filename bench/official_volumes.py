"""3D-UNet's volumes as they are made in Python: nibabel reads, scipy resamples, numpy does the rest.

    official_volumes.py PACKAGES CASE...

PACKAGES is the folder that holds the three; CASE a folder with imaging.nii.gz and segmentation.nii.gz.  One pass over
all cases for every line on standard input; the answer is its seconds.  One thread, as Assay's peer."""

import os
import sys
import time

for threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[threads] = "1"
sys.path.insert(0, sys.argv[1])
import nibabel  # noqa: E402
import numpy as np  # noqa: E402
from scipy import ndimage  # noqa: E402

SPACING, WINDOW, STEP = np.array([1.6, 1.2, 1.2]), 128, 64


def padded(n):
    """What is put before and behind (below zero: cut off) so that windows cover n voxels."""
    over = n % STEP
    over = -over if over < STEP // 2 else STEP - over
    return (over // 2, over - over // 2) if over >= 0 else (-(-over // 2), over + -over // 2)


def fit(volume, constant):
    missing = [max(0, WINDOW - n) for n in volume.shape]
    volume = np.pad(volume, [(m // 2, m - m // 2) for m in missing], mode="edge")
    change = [padded(n) for n in volume.shape]
    volume = volume[tuple(slice(max(0, -a), n - max(0, -b)) for (a, b), n in zip(change, volume.shape))]
    return np.pad(volume, [(max(0, a), max(0, b)) for a, b in change], mode="constant", constant_values=constant)


def sample(case):
    image = nibabel.load(case + "/imaging.nii.gz")
    zoom = np.asarray(image.header["pixdim"][1:4], dtype=np.float64) / SPACING
    image = image.get_fdata().astype(np.float32)
    label = nibabel.load(case + "/segmentation.nii.gz").get_fdata().astype(np.uint8)
    image = ndimage.zoom(image, zoom, order=1, mode="constant", cval=image.min(), grid_mode=False)
    label = ndimage.zoom(label, zoom, order=0, mode="constant", cval=label.min(), grid_mode=False)
    image = (np.clip(image, -79.0, 304.0) - 101.0) / 76.9
    return fit(image, -2.2), fit(label, 0)


def main():
    cases = sys.argv[2:]
    for _ in sys.stdin:
        start = time.perf_counter()
        for case in cases:
            sample(case)
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()

"""Makes the golden values of 3D-UNet: volumes by nibabel, scipy and numpy, and a sliding window by numpy.

Second opinion only: never used at run time, nor by the tests, which read what this wrote.  To repeat:
    python3 -m venv v && v/bin/pip install nibabel==5.4.2 numpy==2.4.6 scipy==1.17.1
    v/bin/python tests/python/golden_unet.py FOLDER_OF_VOLUME_MINI tests/golden/3d-unet [DUMPS]

Writes volumes.txt: for each volume a line with its name, its size and spacing in the file, its size when ready, the sums
of all values and of their squares, and how many voxels each class has; then lines of `at z y x value class` for every
9973rd voxel.  Volumes are the cases of volume-mini, and made-up ones of many sizes and spacings whose voxels are
noise(i) / 2 - 500 (image) and 1 + noise(i) / 2048 (class), noise as below.  windows.txt: volumes, the SHA-256 of
the classes of a sliding window over them whose model is noise too.  case_*.labels.gz: the classes of volume-mini.

DUMPS: a folder of CASE.npy that `assay samples` wrote: the largest difference over all voxels is printed."""
import gzip
import hashlib
import os
import sys

import nibabel
import numpy as np
from scipy import ndimage, signal

TARGET = [1.6, 1.2, 1.2]
ROI, STEP = 128, 64

# Sizes that are cut, padded, repeated at the edge, of one voxel; spacings that make more and fewer voxels.
MADE_UP = [((5, 130, 200), (1.6, 1.2, 1.2)), ((40, 61, 33), (5.0, 1.9, 1.4)), ((1, 7, 200), (3.0, 2.5, 0.78125)),
           ((49, 150, 161), (3.0, 1.2, 1.2)), ((100, 100, 100), (0.5, 0.9, 2.44)), ((159, 160, 191), (1.6, 1.2, 1.2)),
           ((11, 23, 29), (2.0, 3.1, 7.3)), ((6, 50, 110), (0.2, 1.2, 1.201)), ((23, 29, 31), (1.6, 1.25, 3.3)),
           ((5, 5, 5), (4.0, 3.0, 3.0)),  # 12.5 in every direction: rounded to even
           ((8, 8, 8), (34.6, 24.75, 26.7))]  # the last planes lie outside by rounding


def noise(n, first=0):
    x = (np.arange(first, first + n, dtype=np.uint64) & np.uint64(0xffffffff)).astype(np.uint32) * np.uint32(2654435761)
    x ^= x >> np.uint32(15)
    x *= np.uint32(2246822519)
    x ^= x >> np.uint32(13)
    return x >> np.uint32(20)  # 0..4095


def resample(image, label, spacing):
    zoom = np.array(spacing, dtype=np.float64) / TARGET
    if all(z == 1 for z in zoom):
        return image, label
    return (ndimage.zoom(image, zoom, order=1, mode="constant", cval=image.min(), grid_mode=False),
            ndimage.zoom(label, zoom, order=0, mode="constant", cval=label.min(), grid_mode=False))


def grid(image, label):
    """At least one window, then cut or padded to multiples of the step."""
    missing = [max(0, ROI - n) for n in image.shape]
    pad = [(m // 2, m - m // 2) for m in missing]
    image, label = np.pad(image, pad, mode="edge"), np.pad(label, pad, mode="edge")
    for axis in range(3):
        over = image.shape[axis] % STEP
        if over < STEP // 2:
            keep = slice(over // 2, image.shape[axis] - (over - over // 2))
            index = tuple(keep if a == axis else slice(None) for a in range(3))
            image, label = image[index], label[index]
    missing = [(STEP - n % STEP) % STEP for n in image.shape]
    missing = [m + STEP if n + m < ROI else m for m, n in zip(missing, image.shape)]
    pad = [(m // 2, m - m // 2) for m in missing]
    return (np.pad(image, pad, mode="constant", constant_values=-2.2),
            np.pad(label, pad, mode="constant", constant_values=0))


def prepare(image, label, spacing):
    image, label = resample(image, label, spacing)
    image = np.clip(image, -79.0, 304.0)
    image = (image - 101.0) / 76.9
    return grid(image, label)


def read(folder):
    image, label = (nibabel.load(f"{folder}/{name}.nii.gz") for name in ("imaging", "segmentation"))
    spacing = [float(v) for v in image.header["pixdim"][1:4]]
    return image.get_fdata().astype(np.float32), label.get_fdata().astype(np.uint8), spacing


def made_up(shape):
    n = int(np.prod(shape))
    return ((noise(n).astype(np.float32) / np.float32(2) - np.float32(500)).reshape(shape),
            (1 + noise(n) // 2048).astype(np.uint8).reshape(shape))


def write_volume(f, name, shape, spacing, image, label):
    assert image.dtype == np.float32 and label.dtype == np.uint8
    wide, counts = image.astype(np.float64), np.bincount(label.ravel(), minlength=3)
    f.write(f"volume {name} {' '.join(map(str, shape))} {' '.join(map(repr, spacing))} {' '.join(map(str, image.shape))} "
            f"{float(wide.sum())!r} {float((wide * wide).sum())!r} {' '.join(map(str, counts))}\n")
    for i in range(0, image.size, 9973):
        z, y, x = np.unravel_index(i, image.shape)
        f.write(f"at {z} {y} {x} {float(image[z, y, x])!r} {label[z, y, x]}\n")


def weights():
    g = signal.windows.gaussian(ROI, std=0.125 * ROI)
    cube = np.cbrt(np.outer(np.outer(g, g).ravel(), g).reshape(ROI, ROI, ROI))
    return (cube / cube.max()).astype(np.float32)


def slide(shape):
    """The model gives noise, another for each window: values -4..4 in steps of 1/512."""
    patch = weights()
    result = np.zeros((3,) + shape, dtype=np.float32)
    norm = np.zeros(shape, dtype=np.float32)
    number = 0
    for z in range(0, shape[0] - ROI + 1, STEP):
        for y in range(0, shape[1] - ROI + 1, STEP):
            for x in range(0, shape[2] - ROI + 1, STEP):
                out = noise(3 * ROI ** 3, number * 7919).astype(np.float32) / np.float32(512) - np.float32(4)
                at = (slice(z, z + ROI), slice(y, y + ROI), slice(x, x + ROI))
                result[(slice(None),) + at] += out.reshape(3, ROI, ROI, ROI) * patch
                norm[at] += patch
                number += 1
    return np.argmax(result / norm, axis=0).astype(np.uint8)


def main():
    data, out = sys.argv[1:3]
    os.makedirs(out, exist_ok=True)
    with open(out + "/volumes.txt", "w") as f:
        for case in ("case_00000", "case_00001"):
            image, label, spacing = read(f"{data}/{case}")
            ready, classes = prepare(image, label, spacing)
            write_volume(f, case, image.shape, spacing, ready, classes)
            with open(f"{out}/{case}.labels.gz", "wb") as gz:
                gz.write(gzip.compress(classes.tobytes(), 9, mtime=0))
            if len(sys.argv) > 3:
                found = np.load(f"{sys.argv[3]}/{case}.npy")
                print(case, found.shape, "largest difference", np.abs(found[0] - ready).max(), "unequal", (found[0] != ready).sum())
        for shape, spacing in MADE_UP:
            spacing = [float(v) for v in np.array(spacing, dtype=np.float32)]
            image, label = made_up(shape)
            write_volume(f, "made-up", shape, spacing, *prepare(image, label, spacing))
    with open(out + "/windows.txt", "w") as f:
        for shape in ((128, 128, 128), (192, 128, 128), (128, 192, 128), (128, 128, 256), (192, 192, 192), (256, 128, 192)):
            f.write(f"{' '.join(map(str, shape))} {hashlib.sha256(slide(shape).tobytes()).hexdigest()}\n")


main()

"""Makes the golden values of the RetinaNet pre-processing with the reference libraries.

Second opinion only: never used at run time, nor by the tests, which read what this wrote.  To repeat:
    python3 -m venv v && v/bin/pip install opencv-python-headless==4.12.0.88 numpy==2.2.6
    v/bin/python tests/python/golden_retinanet.py FOLDER_OF_IMAGENET_MINI tests/golden

The images are those of golden_resnet50.py: the photos of imagenet-mini, the small JPEGs of tests/golden/resnet50 and
noise that a formula gives.  Writes retinanet/photos.txt, small.txt and noise.txt: name, width, height, the square's
side and the SHA-256 of float32 [3, side, side].

OpenCV's wheels for x86 carry Intel's IPP, which resizes some sizes with other roundings (up to 7.2e-5 of 1
here).  The values are those of OpenCV's own code, which every build has; each file's header tells the difference."""
import hashlib
import os
import sys

import cv2
import numpy as np

SIZE = 800


def stretch(bgr, size):
    image = cv2.cvtColor(bgr.astype(np.float32), cv2.COLOR_BGR2RGB)
    image = cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
    image /= 255.0
    return np.ascontiguousarray(image.transpose(2, 0, 1))


def noise(w, h):
    x = np.arange(w * h * 3, dtype=np.uint64).astype(np.uint32) * np.uint32(2654435761)
    x ^= x >> np.uint32(15)
    x *= np.uint32(2246822519)
    x ^= x >> np.uint32(13)
    return (x >> np.uint32(24)).astype(np.uint8).reshape(h, w, 3)


def write(path, images):
    lines, most = [], 0.0
    for name, size, bgr in images:
        cv2.ipp.setUseIPP(True)
        other = stretch(bgr, size)
        cv2.ipp.setUseIPP(False)
        own = stretch(bgr, size)
        most = max(most, float(np.abs(own - other).max()))
        lines.append(f"{name} {bgr.shape[1]} {bgr.shape[0]} {size} {hashlib.sha256(own.tobytes()).hexdigest()}\n")
    with open(path, "w") as out:
        out.write(f"# OpenCV {cv2.__version__} without IPP (with it: up to {most:.3g} apart), numpy {np.__version__}\n"
                  "# name width height, side and SHA-256 of the float32 square, NCHW, 0..1\n")
        out.writelines(lines)


def main():
    photos, folder = sys.argv[1:3]
    os.makedirs(f"{folder}/retinanet", exist_ok=True)
    names = [line.split()[0] for line in open(f"{photos}/val_map.txt")]
    write(f"{folder}/retinanet/photos.txt", ((n, SIZE, cv2.imread(f"{photos}/{n}")) for n in names))
    names = sorted(n for n in os.listdir(f"{folder}/resnet50") if n.endswith(".jpg"))
    write(f"{folder}/retinanet/small.txt", ((n, SIZE, cv2.imread(f"{folder}/resnet50/{n}")) for n in names))
    # Sides: also odd ones, the very size of the image, exactly half of it, and half in one direction only.
    sizes = ((1024, 768, 800), (768, 1024, 800), (800, 800, 800), (1600, 1600, 800), (1600, 800, 800), (1600, 1599, 800),
             (400, 400, 800), (1, 1, 800), (2, 3, 7), (3, 2000, 800), (2000, 3, 800), (683, 1024, 800), (1283, 857, 799),
             (1024, 681, 801), (799, 801, 800), (4, 4, 2), (5, 4, 2), (2400, 2400, 800))
    write(f"{folder}/retinanet/noise.txt", ((f"{w}x{h}", s, noise(w, h)[:, :, ::-1].copy()) for w, h, s in sizes))


main()

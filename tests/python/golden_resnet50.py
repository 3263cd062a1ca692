"""Makes the golden values of the ResNet50 pre-processing with the reference libraries.

Second opinion only: never used at run time, nor by the tests, which read what this wrote.  To repeat:
    python3 -m venv v && v/bin/pip install opencv-python-headless==4.12.0.88 numpy==2.2.6 pillow==11.3.0
    v/bin/python tests/python/golden_resnet50.py FOLDER_OF_IMAGENET_MINI tests/golden/resnet50

OpenCV 5.0 gives the same.  Pillow is not newer on purpose: Pillow 13 resizes images more than twice as high as
wide in the other order (columns first), which changes pixels by 1; the reference results are older than that.

Writes photos.txt (hashes for the photos of imagenet-mini, which are not ours to copy), small.txt (the same for
small JPEGs that this script makes and writes beside it), noise.txt (resizing alone, of pixels that a formula
gives) and tables.npy (what each pixel value becomes under three normalisations)."""
import hashlib
import os
import struct
import sys

import cv2
import numpy as np
from PIL import Image

SIZE, SHORT = 224, 256


def sha(a):
    return hashlib.sha256(np.ascontiguousarray(a).tobytes()).hexdigest()


def vgg(rgb):
    h, w, _ = rgb.shape
    new = (SHORT, int(SHORT * h / w)) if h > w else (int(SHORT * w / h), SHORT)
    r = cv2.resize(rgb, new, interpolation=cv2.INTER_AREA)
    top, left = int((r.shape[0] - SIZE) / 2), int((r.shape[1] - SIZE) / 2)
    return r[top:top + SIZE, left:left + SIZE]


def pytorch(rgb):
    h, w, _ = rgb.shape
    new = (SHORT, int(SHORT * h / w)) if h > w else (int(SHORT * w / h), SHORT)
    r = np.asarray(Image.fromarray(rgb).resize(new, Image.BILINEAR))
    top, left = int(round((r.shape[0] - SIZE) / 2.0)), int(round((r.shape[1] - SIZE) / 2.0))
    return r[top:top + SIZE, left:left + SIZE]


def vgg_float(crop):
    return (crop.astype(np.float32) - np.array([123.68, 116.78, 103.94], np.float32)).transpose(2, 0, 1)


def pytorch_float(crop):
    x = crop.astype(np.float32) / 255.0
    x -= np.array([0.485, 0.456, 0.406], np.float32)
    x /= np.array([0.229, 0.224, 0.225], np.float32)
    return x.transpose(2, 0, 1)


def row(name, rgb, out):
    v, p = vgg(rgb), pytorch(rgb)
    out.write(f"{name} {rgb.shape[1]} {rgb.shape[0]} {sha(rgb)} {sha(v)} {sha(p)} {sha(vgg_float(v))}\n")


def header(out):
    out.write(f"# OpenCV {cv2.__version__}, Pillow {Image.__version__}, numpy {np.__version__}\n"
              "# name width height, SHA-256 of: RGB pixels, crop (area), crop (Pillow), float32 NCHW of the first\n")


def noise(w, h):
    i = np.arange(w * h * 3, dtype=np.uint64).astype(np.uint32)
    x = i * np.uint32(2654435761)
    x ^= x >> np.uint32(15)
    x *= np.uint32(2246822519)
    x ^= x >> np.uint32(13)
    return (x >> np.uint32(24)).astype(np.uint8).reshape(h, w, 3)


def drawing(w, h):
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    rgb = np.stack([128 + 100 * np.sin(x / 9 + y / 31), 255 * x / max(w - 1, 1), 255 * y / max(h - 1, 1)], -1)
    rgb[h // 4:h // 2, w // 3:w // 2] = (250, 20, 30)
    return rgb.clip(0, 255).astype(np.uint8)


def with_exif(data, orientation, order):
    tiff = struct.pack(order + "HHIHHHIHHI", 0x4949 if order == "<" else 0x4D4D, 42, 8, 1, 0x0112, 3, 1, orientation,
                       0, 0)
    body = b"Exif\0\0" + tiff
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


def encode(image, path, **options):
    image.save(path, "JPEG", **options)


def small(folder):
    d = drawing
    encode(Image.fromarray(d(61, 47)).convert("L"), f"{folder}/grey.jpg", quality=90)
    encode(Image.fromarray(d(61, 47)).convert("CMYK"), f"{folder}/cmyk.jpg", quality=90)
    encode(Image.fromarray(d(1, 1)), f"{folder}/one.jpg", quality=90)
    encode(Image.fromarray(d(3, 2000)), f"{folder}/narrow.jpg", quality=80)
    encode(Image.fromarray(d(2000, 3)), f"{folder}/flat.jpg", quality=80)
    encode(Image.fromarray(d(97, 133)), f"{folder}/progressive.jpg", quality=80, progressive=True)
    for name, sub in (("444", 0), ("422", 1), ("420", 2)):
        encode(Image.fromarray(d(83, 71)), f"{folder}/odd{name}.jpg", quality=85, subsampling=sub)
    encode(Image.fromarray(d(301, 277)), f"{folder}/shrink.jpg", quality=70)
    encode(Image.fromarray(d(40, 24)), f"{folder}/plain.jpg", quality=90)
    with open(f"{folder}/plain.jpg", "rb") as f:
        plain = f.read()
    os.remove(f"{folder}/plain.jpg")
    for o in range(1, 9):
        with open(f"{folder}/exif{o}.jpg", "wb") as f:
            f.write(with_exif(plain, o, "<" if o % 2 else ">"))


def main():
    photos, folder = sys.argv[1:3]
    with open(f"{folder}/photos.txt", "w") as out:
        header(out)
        for line in open(f"{photos}/val_map.txt"):
            name = line.split()[0]
            row(name, cv2.imread(f"{photos}/{name}")[:, :, ::-1].copy(), out)
    small(folder)
    with open(f"{folder}/small.txt", "w") as out:
        header(out)
        for name in sorted(n for n in os.listdir(folder) if n.endswith(".jpg")):
            row(name, cv2.imread(f"{folder}/{name}")[:, :, ::-1].copy(), out)
    with open(f"{folder}/noise.txt", "w") as out:
        header(out)
        for w, h in ((512, 512), (768, 1024), (512, 768), (1024, 768), (256, 256), (256, 300), (257, 256), (255, 300),
                     (300, 255), (100, 80), (1, 1), (2, 3), (5, 700), (700, 5), (500, 375), (375, 500), (333, 500), (640, 481),
                     (1283, 857), (400, 2000), (261, 1300)):
            row(f"{w}x{h}", noise(w, h), out)
    every = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, 2)
    lite = ((every.astype(np.float32) - np.float32(127)) / np.float32(128)).transpose(2, 0, 1)
    np.save(f"{folder}/tables.npy", np.stack([f[:, :, 0] for f in (vgg_float(every), pytorch_float(every), lite)]))


main()

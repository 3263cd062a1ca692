"""The official pre-processing of ResNet-50 ("whole") and RetinaNet ("square") as it is done in Python: OpenCV decodes and
resizes, numpy does the rest.

    official_preprocess.py PACKAGES FILE...

PACKAGES is the folder that holds numpy and cv2.  One pass over all files for every line on standard input; the answer
is its seconds.  One thread, as Assay's peer: the official harness too reads its data set with one process a part."""

import sys
import time

sys.path.insert(0, sys.argv[1])
import cv2  # noqa: E402
import numpy as np  # noqa: E402

MEANS = np.array([123.68, 116.78, 103.94], dtype=np.float32)
SHORT_SIDE, SIZE, SQUARE = 256, 224, 800


def sample(path):
    image = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)
    height, width, _ = image.shape
    if height > width:
        size = SHORT_SIDE, int(SHORT_SIDE * height / width)
    else:
        size = int(SHORT_SIDE * width / height), SHORT_SIDE
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    top, left = (size[1] - SIZE) // 2, (size[0] - SIZE) // 2
    image = np.asarray(image[top:top + SIZE, left:left + SIZE], dtype="float32")
    image -= MEANS
    return np.ascontiguousarray(image.transpose([2, 0, 1]))


def square(path):
    image = cv2.cvtColor(np.array(cv2.imread(path), dtype=np.float32), cv2.COLOR_BGR2RGB)
    image = cv2.resize(image, (SQUARE, SQUARE), interpolation=cv2.INTER_LINEAR)
    image /= 255.0
    return np.ascontiguousarray(image.transpose([2, 0, 1]))


def main():
    cv2.setNumThreads(1)
    files = sys.argv[2:]
    for word in sys.stdin:
        make = square if word == "square\n" else sample
        start = time.perf_counter()
        for path in files:
            make(path)
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()

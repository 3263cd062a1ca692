"""Makes the golden values of RetinaNet's post-processing with torchvision's own: its anchors, box coder, choice of
candidates and suppression.

Second opinion only: never used at run time, nor by the tests, which read what this wrote.  To repeat:
    python3 -m venv v && v/bin/pip install torch==2.15.0 torchvision==0.29.2 pillow
    v/bin/python tests/python/golden_detect.py tests/golden/retinanet

The heads' outputs come from a formula that the test has too (tests/unit/score/test_detect.c).  Writes
heads-SIZE-CLASSES-BASE.txt: size, classes and base, then a line for each detection: label, score, x1, y1, x2, y2."""
import sys
import types

import numpy as np
import torch
import torchvision
from torchvision.models.detection import _utils
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.retinanet import RetinaNet

ANCHORS = 9


def mix(i, salt):
    x = (i + np.uint64(salt)).astype(np.uint32) * np.uint32(2654435761)
    x ^= x >> np.uint32(15)
    x *= np.uint32(2246822519)
    x ^= x >> np.uint32(13)
    return x


def logits(first, n, base):
    x = mix(np.arange(first, first + n, dtype=np.uint64), 0).astype(np.float64)
    return np.where(x < 2 ** 27 if base < -4 else True, base - .5 * np.log((x + 1) / 2 ** 32), base).astype(np.float32)


def shifts(first, n):
    x = mix(np.arange(first, first + n, dtype=np.uint64), 0x9E3779B9)
    v = ((x >> np.uint32(8)).astype(np.float64) / 2 ** 24 - .5) * .6
    v[(x & np.uint32(15)) == 0] *= 50  # far away, and beyond what a box may grow by
    return v.astype(np.float32)


def write(folder, size, classes, base):
    cells = [(size + 7) // 8]
    for _ in range(4):
        cells.append((cells[-1] + 1) // 2)
    sizes = tuple((s, int(s * 2 ** (1 / 3)), int(s * 2 ** (2 / 3))) for s in (32, 64, 128, 256, 512))
    generator = AnchorGenerator(sizes, ((.5, 1., 2.),) * 5)
    images = ImageList(torch.zeros(1, 3, size, size), [(size, size)])
    anchors = generator(images, [torch.zeros(1, 1, c, c) for c in cells])[0]
    scores, boxes, at = [], [], 0
    for c in cells:
        n = c * c * ANCHORS
        scores.append(torch.from_numpy(logits(at * classes, n * classes, base)).view(1, n, classes))
        boxes.append(torch.from_numpy(shifts(at * 4, n * 4)).view(1, n, 4))
        at += n
    net = types.SimpleNamespace(score_thresh=.05, nms_thresh=.5, detections_per_img=300, topk_candidates=1000,
                                box_coder=_utils.BoxCoder(weights=(1., 1., 1., 1.)))
    split = list(anchors.split([c * c * ANCHORS for c in cells]))
    found = RetinaNet.postprocess_detections(net, {"cls_logits": scores, "bbox_regression": boxes}, [split],
                                             [(size, size)])[0]
    with open(f"{folder}/heads-{size}-{classes}{base}.txt", "w") as f:
        f.write(f"# golden_detect.py, torchvision {torchvision.__version__}\n{size} {classes} {base}\n")
        for label, score, box in zip(found["labels"].tolist(), found["scores"].tolist(), found["boxes"].tolist()):
            f.write(f"{label} {score:.9g} " + " ".join(f"{v:.9g}" for v in box) + "\n")
    print(size, classes, len(found["labels"]))


def main():
    torch.set_num_threads(1)
    write(sys.argv[1], 800, 264, -5)
    write(sys.argv[1], 203, 3, -3)
    write(sys.argv[1], 96, 1, -3)
    write(sys.argv[1], 203, 1, -4.5)  # scores near the threshold are kept
    write(sys.argv[1], 1600, 1, -5)  # a box that may not grow more
    write(sys.argv[1], 96, 1, -9)


main()

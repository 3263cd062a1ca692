"""Makes the golden values of COCO's evaluation with pycocotools: cases that are hard to get right, and what it says.

Second opinion only: never used at run time, nor by the tests, which read what this wrote.  To repeat:
    python3 -m venv v && v/bin/pip install pycocotools==2.0.11 numpy==2.2.6
    v/bin/python tests/python/golden_coco.py tests/golden/coco

Writes NAME.txt for each case:
    categories N
    truth IMAGE CATEGORY X Y W H AREA CROWD ID
    detection IMAGE CATEGORY X Y W H SCORE
    stats AP AP50 AP75 small medium large AR1 AR10 AR100 small medium large
Image numbers ascend with COCO's image ids; images without any line are among those evaluated all the same."""
import contextlib
import io
import sys

import numpy as np
import pycocotools
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def evaluate(categories, truths, detections):
    images = 1 + max([t[0] for t in truths] + [d[0] for d in detections] + [0])
    coco = COCO()
    coco.dataset = {
        "images": [{"id": i + 1} for i in range(images)],
        "categories": [{"id": c} for c in range(categories)],
        "annotations": [{"id": t[8], "image_id": t[0] + 1, "category_id": t[1], "bbox": list(t[2:6]), "area": t[6],
                         "iscrowd": t[7]} for t in truths]}
    coco.createIndex()
    if detections:
        found = coco.loadRes([{"image_id": d[0] + 1, "category_id": d[1], "bbox": list(d[2:6]), "score": d[6]}
                              for d in detections])
    else:  # loadRes cannot take an empty list
        found = COCO()
        found.dataset = dict(coco.dataset, annotations=[])
        found.createIndex()
    e = COCOeval(coco, found, iouType="bbox")
    e.evaluate()
    e.accumulate()
    e.summarize()
    return [float(s) for s in e.stats]


def write(folder, name, categories, truths, detections):
    with contextlib.redirect_stdout(io.StringIO()):
        stats = evaluate(categories, truths, detections)
    with open(f"{folder}/{name}.txt", "w") as f:
        f.write(f"# golden_coco.py, pycocotools {getattr(pycocotools, '__version__', '2.0.11')}\n")
        f.write(f"categories {categories}\n")
        for t in truths:
            f.write("truth " + " ".join(map(repr, t)) + "\n")
        for d in detections:
            f.write("detection " + " ".join(map(repr, d)) + "\n")
        f.write("stats " + " ".join(map(repr, stats)) + "\n")


def some(rng, images, categories, most, crowds, coarse, first_id=1):
    """Truth, and detections that mostly hit it; coarse scores and boxes make ties."""
    truths, detections = [], []
    for i in range(images):
        for c in range(categories):
            for _ in range(rng.integers(0, most + 1)):
                x, y = (float(v) for v in rng.integers(0, 400, 2))
                w, h = (float(v) for v in np.exp(rng.uniform(1, 6, 2)).round(0 if coarse else 3))
                crowd = int(rng.random() < crowds)
                truths.append((i, c, x, y, w, h, w * h * (1.0 if rng.random() < .7 else .6), crowd,
                               first_id + len(truths)))
                for _ in range(rng.integers(0, 4)):
                    k = rng.uniform(-.2, .2, 4) if rng.random() < .8 else rng.uniform(-1, 1, 4)
                    box = [x + w * k[0], y + h * k[1], w * (1 + k[2]), h * (1 + k[3])]
                    if coarse and rng.random() < .5:
                        box = [x, y, w, h]
                    score = float(rng.random().__round__(1 if coarse else 6))
                    detections.append((i, c if rng.random() < .9 else int(rng.integers(0, categories)),
                                       *(float(v) for v in box), score))
    order = rng.permutation(len(detections))
    return truths, [detections[i] for i in order]


def main():
    folder = sys.argv[1]
    rng = np.random.default_rng(5)
    box = (10.0, 10.0, 50.0, 40.0)
    write(folder, "nothing-at-all", 3, [], [])
    write(folder, "no-detection", 2, [(0, 0, *box, 2000.0, 0, 1)], [])
    write(folder, "no-truth", 2, [], [(0, 1, *box, .9)])
    write(folder, "empty-class", 3, [(0, 0, *box, 2000.0, 0, 1), (1, 2, *box, 2000.0, 0, 2)],
          [(0, 0, *box, .9), (1, 1, *box, .8)])
    write(folder, "only-crowd", 1, [(0, 0, *box, 2000.0, 1, 1)], [(0, 0, 15.0, 15.0, 20.0, 20.0, .9)])
    write(folder, "crowd", 1, [(0, 0, *box, 2000.0, 1, 1), (0, 0, 12.0, 12.0, 20.0, 20.0, 400.0, 0, 2)],
          [(0, 0, 12.0, 12.0, 20.0, 20.0, .5), (0, 0, 15.0, 15.0, 20.0, 20.0, .9), (0, 0, 16.0, 15.0, 20.0, 20.0, .8),
           (0, 0, 300.0, 15.0, 20.0, 20.0, .7)])
    write(folder, "equal-iou", 1, [(0, 0, 0.0, 0.0, 10.0, 10.0, 100.0, 0, 1), (0, 0, 10.0, 0.0, 10.0, 10.0, 100.0, 0, 2),
                                   (0, 0, 0.0, 0.0, 10.0, 10.0, 100.0, 0, 3)],
          [(0, 0, 0.0, 0.0, 20.0, 10.0, .5), (0, 0, 0.0, 0.0, 10.0, 10.0, .5), (0, 0, 0.0, 0.0, 10.0, 10.0, .4)])
    write(folder, "id-zero", 1, [(0, 0, *box, 2000.0, 0, 0), (1, 0, *box, 2000.0, 0, 1)],
          [(0, 0, *box, .9), (1, 0, *box, .8)])
    write(folder, "no-size", 1, [(0, 0, 5.0, 5.0, 0.0, 0.0, 0.0, 0, 1), (0, 0, *box, 2000.0, 0, 2)],
          [(0, 0, 5.0, 5.0, 0.0, 0.0, .9), (0, 0, *box, .8)])
    write(folder, "borders-of-sizes", 1,
          [(0, 0, 0.0, 0.0, 32.0, 32.0, 1024.0, 0, 1), (0, 0, 100.0, 0.0, 96.0, 96.0, 9216.0, 0, 2)],
          [(0, 0, 0.0, 0.0, 32.0, 32.0, .9), (0, 0, 100.0, 0.0, 96.0, 96.0, .8), (0, 0, 300.0, 300.0, 32.0, 32.0, .7)])
    many = [(0, 0, 20.0 * (i % 15), 20.0 * (i // 15), 18.0, 18.0, 324.0, 0, i + 1) for i in range(150)]
    write(folder, "above-100", 1, many, [(0, 0, *t[2:6], .5) for t in many])
    write(folder, "ties", 4, *some(rng, 12, 4, 3, .1, True))
    write(folder, "random", 6, *some(rng, 15, 6, 3, .1, False))
    write(folder, "crowds", 3, *some(rng, 12, 3, 4, .5, True))


if __name__ == "__main__":
    main()

"""The mAP of a RetinaNet accuracy log by pycocotools, for tests/cli/retinanet-map.test.

Second opinion only: never used at run time, nor by the tests.  To repeat, and compare with the numbers in that file:
    python3 -m venv v && v/bin/pip install pycocotools==2.0.11 numpy==2.2.6
    v/bin/python tests/python/golden_map.py tests/cli/retinanet-map.test

Takes make.py out of the case, runs it in a temporary folder, and evaluates its log in the way the benchmark's rules
say: a sample by its first entry, boxes scaled in float32 to the image at that place of the list, only images of the log."""
import json
import os
import re
import sys
import tempfile

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def found(coco, log):
    boxes, images = [], {}
    for entry in log:
        place = entry["qsl_idx"]
        image = coco.dataset["images"][place]
        if image["id"] in images:
            continue
        rows = np.frombuffer(bytes.fromhex(entry["data"]), np.float32).reshape(-1, 7)
        images[image["id"]] = len(rows)
        size = np.array([image["width"], image["height"]], np.float32)
        for row in rows:
            low, high = row[[2, 1]] * size, row[[4, 3]] * size
            boxes.append({"image_id": image["id"], "category_id": int(row[6]), "score": float(row[5]),
                          "bbox": [float(v) for v in (*low, *(high - low))]})
    return boxes, list(images)


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        source = re.search(r"<file make.py>\n(.*?)</file>", f.read(), re.S).group(1)
    os.environ["DATA"] = "/none"  # the photos' links lead nowhere, and nobody follows them
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        exec(compile(source, "make.py", "exec"), {})
        coco = COCO("set/annotations/openimages-mlperf.json")
        with open("log.json", encoding="utf-8") as f:
            boxes, images = found(coco, json.load(f))
        e = COCOeval(coco, coco.loadRes(boxes), "bbox")
    e.params.imgIds = images
    e.evaluate()
    e.accumulate()
    e.summarize()
    print(f"{len(images)} images, {len(boxes)} boxes: mAP={100 * e.stats[0]:.3f}% {100 * float(e.stats[0])!r}")


main()

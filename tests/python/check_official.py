#!/usr/bin/env python3
"""The official accuracy scripts beside `assay score`, on the same logs; and the official pre-processing of RNN-T and DLRM.

    python3 tests/python/check_official.py CHECKOUT [--revision REV] [--dlrm CHECKOUT] [--only NAME]...

Not part of the normal tests.  CHECKOUT: mlcommons/inference, checked out, or a git directory of it (then --revision says
which, default HEAD); --dlrm the same of facebookresearch/dlrm, whose pre-processing DLRM's uses.  Their files are copied to
a temporary folder and run there, as they are; nothing of them belongs to this project.  Python's packages go to a virtual
environment in the temporary folder, or stay in --venv DIR for the next time; the two comparisons of pre-processing want
torch and are left out where the environment has none (--torch installs it: 3 GB, since its registry has no smaller one).

Made here: small data sets and logs with what is awkward.  For each case a line says the official number, ours and how far
they are apart: mAP may be 1e-6, all others 1e-9 (of 1); and the line that `assay score` prints must be the official script's,
letter by letter.  RNN-T's features may be 1e-4 from the official ones with the transform in double (2e-3 from those in
float32), DLRM's logarithms one last bit.  Exit code 1 where something is further away.
"""
import argparse
import array
import contextlib
import glob
import importlib
import importlib.util
import json
import math
import os
import pickle
import random
import runpy
import shutil
import struct
import subprocess
import sys
import tempfile
import traceback
import wave

# numpy below 2 and pandas below 2 because the scripts say np.sctypes and DataFrame.append; scipy below 1.15 for
# scipy.ndimage.interpolation; the last transformers whose tokeniser is the one of the reference's 2.4.0.
PACKAGES = ["numpy==1.26.4", "pycocotools==2.0.8", "nibabel==5.2.1", "pandas==1.5.3", "scikit-learn==1.5.2", "scipy==1.14.1",
            "transformers==4.30.2", "setuptools==69.5.1", "six==1.16.0", "librosa==0.10.2.post1", "unidecode==1.3.8",
            "inflect==4.1.0", "tqdm==4.67.1"]
TORCH = "torch==2.15.0"
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

VISION = "vision/classification_and_detection/tools"
BERT = "language/bert"
UNET = "vision/medical_imaging/3d-unet-kits19"
RNNT = "retired_benchmarks/speech_recognition/rnnt"
DLRM = "retired_benchmarks/recommendation/dlrm/pytorch/tools"
DLRM2 = "recommendation/dlrm_v2/pytorch/tools"

# Before a script is run: what it prints with three decimals is printed in full too.
EXACT_MAP = """
from pycocotools.cocoeval import COCOeval
plain = COCOeval.summarize
def summarize(self):
    plain(self)
    print("exact", float(self.stats[0]))
COCOeval.summarize = summarize
"""
EXACT_AUC = """
import sklearn.metrics
plain = sklearn.metrics.roc_auc_score
def roc_auc_score(*words):
    area = plain(*words)
    print("exact", float(area))
    return area
sklearn.metrics.roc_auc_score = roc_auc_score
"""

# Where the official scripts end with an error of Python's.
NO_NUMBER = ("resnet50, no entry", "retinanet, no detection at all", "dlrm, one class of targets only")


def write_json(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f)
    return path


def floats(*values):
    return struct.pack(f"<{len(values)}f", *values)


def log_of(pairs):
    """LoadGen's form: [(index, bytes)]."""
    return [{"seq_id": i, "qsl_idx": index, "data": data.hex().upper()} for i, (index, data) in enumerate(pairs)]


class Place:
    """The temporary folder, the scripts in it, and what came of each case."""

    def __init__(self, args, folder):
        self.args, self.folder, self.bad, self.count = args, folder, 0, 0
        self.inference = os.path.join(folder, "inference")
        unpack(args.checkout, args.revision, self.inference, [VISION, BERT, UNET, RNNT, DLRM, DLRM2])

    def path(self, *names):
        path = os.path.join(self.folder, *names)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def inside(self, *names):
        path = os.path.join(self.folder, *names)
        os.makedirs(path, exist_ok=True)
        return path

    def official(self, script, *words, before="", cwd=None, quiet=False):
        """Runs a script in a process of its own; what it prints, or None where it ends with an error (said).  The process
        is forked, so what it imports was imported here where that takes seconds."""
        said = self.path("said.txt")
        sys.stdout.flush()
        child = os.fork()
        if not child:
            with open(said, "w", encoding="utf-8") as f:
                os.dup2(f.fileno(), 1)
                os.dup2(f.fileno(), 2)
            os._exit(run_script(os.path.join(self.inference, script), words, before, cwd or self.folder))
        code = os.waitpid(child, 0)[1]
        with open(said, encoding="utf-8") as f:
            text = f.read()
        if code and not quiet:
            print(f"  official script fails: {(text.strip() or 'no word').splitlines()[-1]}")
        return None if code else text

    def assay(self, *words):
        return subprocess.run([self.args.assay, *words, "--cache", os.path.join(self.folder, "cache")],
                              capture_output=True, text=True, check=False)

    def ours(self, benchmark, data, log, *more):
        done = self.assay("score", benchmark, "--dataset", data, "--log", log, "--json", *more)
        if done.returncode not in (0, 5):
            print(f"  assay fails: {done.stderr.strip()}")
            return None
        return json.loads(done.stdout)

    def said(self, good, text):
        self.count += 1
        self.bad += not good
        print(f"{'same' if good else 'DIFFERENT':9} {text}", flush=True)

    def compare(self, name, official, line, ours, bound):
        """official: a number of 1, and the script's line; None for both where the script itself fails."""
        if official is None and name in NO_NUMBER:
            print(f"no number {name}: {'assay fails too' if ours is None else 'assay: ' + ours['line']}")
            return
        if official is None or ours is None:
            self.said(False, f"{name}: official {official}, assay {ours and ours['line']}")
            return
        value = ours["value"] / 100
        apart = 0 if value == official else abs(value - official)
        self.said(apart <= bound and ours["line"] == line,
                  f"{name}: {official!r}, apart {apart:.1e}" +
                  ("" if ours["line"] == line else f"\n  official: {line}\n  assay:    {ours['line']}"))


def run_script(script, words, before, cwd):
    try:
        os.chdir(cwd)
        sys.argv = [script, *words]
        sys.path[0] = os.path.dirname(script)
        exec(before, {})
        runpy.run_path(script, run_name="__main__")
        return 0
    except BaseException:  # all that a script may do, sys.exit too: the child must not come back
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def unpack(checkout, revision, to, paths):
    """The paths of a work tree, or of a git directory at a revision."""
    os.makedirs(to)
    if os.path.isdir(os.path.join(checkout, paths[0])) or os.path.isfile(os.path.join(checkout, paths[0])):
        for path in paths:
            source, target = os.path.join(checkout, path), os.path.join(to, path)
            if os.path.isdir(source):
                shutil.copytree(source, target)
            else:
                shutil.copy(source, target)
        return
    names = subprocess.run(["git", "--git-dir", checkout, "ls-tree", "-r", "--name-only", "-z", revision, "--", *paths],
                           capture_output=True, text=True, check=True).stdout.split("\0")
    names = [n for n in names if n.endswith((".py", ".json", ".toml"))]  # a copy need not have the large ones
    tar = subprocess.run(["git", "--git-dir", checkout, "archive", revision, "--", *names], capture_output=True, check=True)
    subprocess.run(["tar", "-x", "-C", to], input=tar.stdout, check=True)


def last_line(text, beginning):
    found = [line for line in text.splitlines() if line.startswith(beginning)]
    return found[-1] if found else None


def exact(text):
    return float(last_line(text, "exact ").split()[1])


# ---- the benchmarks' logs ----

def check_resnet50(p):
    pick = random.Random(1)
    labels = [pick.randrange(1000) for _ in range(60)]
    data = p.inside("imagenet")
    with open(os.path.join(data, "val_map.txt"), "w", encoding="utf-8") as f:
        for i, label in enumerate(labels):
            f.write(f"{i}.jpg {label}\n")
            shutil.copy(os.path.join(ROOT, "tests/golden/resnet50/one.jpg"), os.path.join(data, f"{i}.jpg"))
    found = [label if pick.random() < .7 else pick.randrange(1000) for label in labels]
    cases = {
        "float32": ("float32", [(i, floats(v)) for i, v in enumerate(found)]),
        "a sample twice, some not at all, out of order":
            ("float32", [(i, floats(found[i])) for i in (5, 3, 59, 0, 17)] + [(3, floats(found[3] + 1)), (5, floats(labels[5]))]),
        "background, no label": ("float32", [(i, floats(-1 if i % 3 else v)) for i, v in enumerate(found)]),
        "int32": ("int32", [(i, struct.pack("<i", v)) for i, v in enumerate(found)]),
        "int64": ("int64", [(i, struct.pack("<q", v)) for i, v in enumerate(found)]),
        "none right": ("float32", [(i, floats((v + 1) % 1000)) for i, v in enumerate(labels)]),
        "no entry": ("float32", []),
    }
    for name, (dtype, pairs) in cases.items():
        log = write_json(p.path("imagenet-logs", "log.json"), log_of(pairs))
        text = p.official(VISION + "/accuracy-imagenet.py", "--mlperf-accuracy-file", log, "--imagenet-val-file",
                          os.path.join(data, "val_map.txt"), "--dtype", dtype)
        line = text and last_line(text, "accuracy=")
        value = line and int(line.split("good=")[1].split(",")[0]) / int(line.split("total=")[1])
        p.compare("resnet50, " + name, value, line, p.ours("resnet50", data, log), 1e-9)


def detection_set(p, name, pick, images, categories, labelled):
    """Images of which some have no box; boxes that hide others, of every size, some of crowds."""
    listed, boxes = [], []
    ids = pick.sample(range(1, 10 * images), images)
    for i, image in enumerate(ids):
        w, h = pick.randint(200, 1024), pick.randint(200, 1024)
        listed.append({"id": image, "file_name": f"{image}.jpg", "width": w, "height": h, "coco_url": ""})
        shutil.copy(os.path.join(ROOT, "tests/golden/resnet50/one.jpg"), p.path(name, "validation/data", f"{image}.jpg"))
        for _ in range(0 if i % 7 == 3 else pick.randint(1, 9)):
            bw, bh = w * pick.uniform(.01, .6), h * pick.uniform(.01, .6)
            boxes.append({"id": len(boxes) + 1, "image_id": image, "category_id": pick.choice(labelled),
                          "bbox": [pick.uniform(0, w - bw), pick.uniform(0, h - bh), bw, bh], "area": bw * bh,
                          "iscrowd": int(pick.random() < .1)})
    write_json(p.path(name, "annotations/openimages-mlperf.json"),
               {"images": listed, "annotations": boxes,
                "categories": [{"id": c, "name": f"c{c}", "supercategory": ""} for c in categories]})
    return listed, boxes


def rows_of(pick, index, image, boxes, categories, most, score):
    """Up to `most` detections for each true box, near it, and some of anything."""
    rows = []
    for b in [b for b in boxes if b["image_id"] == image["id"]] * most:
        x, y, w, h = b["bbox"]
        d = [pick.uniform(-.2, .2) for _ in range(4)] if pick.random() < .9 else [0] * 4
        label = b["category_id"] if pick.random() < .9 else pick.choice(categories)
        rows.append([index, (y + d[1] * h) / image["height"], (x + d[0] * w) / image["width"],
                     (y + h * (1 + d[3])) / image["height"], (x + w * (1 + d[2])) / image["width"], score(pick), label])
    for _ in range(pick.randint(0, 4)):
        rows.append([index, 0, 0, pick.random(), pick.random(), score(pick), pick.choice(categories)])
    pick.shuffle(rows)
    return b"".join(floats(*r) for r in rows)


def check_retinanet(p):
    importlib.import_module("pycocotools.cocoeval")
    pick = random.Random(2)
    categories = list(range(20))
    labelled = categories[:15]
    images, boxes = detection_set(p, "openimages", pick, 50, categories, labelled)
    data = p.path("openimages")

    def log(most=2, score=lambda r: r.uniform(.05, 1), which=categories):
        return [(i, rows_of(pick, i, image, boxes, which, most, score)) for i, image in enumerate(images)]

    def perfect(image, index):
        return b"".join(floats(index, b["bbox"][1] / image["height"], b["bbox"][0] / image["width"],
                               (b["bbox"][1] + b["bbox"][3]) / image["height"], (b["bbox"][0] + b["bbox"][2]) / image["width"],
                               .9, b["category_id"]) for b in boxes if b["image_id"] == image["id"] and not b["iscrowd"])

    some = log()
    cases = {
        "detections near the truth": some,
        "ties: five different scores": log(score=lambda r: r.randint(1, 5) / 5),
        "ties: one score": log(score=lambda r: .5),
        "no detection in a third of the images": [(i, b"" if i % 3 == 0 else d) for i, d in some],
        "images that the log has not, others twice, out of order":
            [(i, d) for i, d in reversed(some) if i % 4] + log()[10:20],
        "no detection but one": [(i, floats(i, .1, .1, .5, .5, .9, 3) if i == 8 else b"") for i, _ in some],
        "categories that nobody has labelled": log(which=categories[15:]),
        "more than 100 detections an image": log(most=40),
        "boxes without area": [(i, d + floats(i, .5, .5, .5, .5, .7, 1)) for i, d in some],
        "detections of images without boxes alone": [(i, d) for i, d in some if i % 7 == 3],
        "perfect": [(i, perfect(image, i)) for i, image in enumerate(images)],
        "no detection at all": [(i, b"") for i, _ in some],
    }
    for name, pairs in cases.items():
        path = write_json(p.path("openimages-logs", "log.json"), log_of(pairs))
        text = p.official(VISION + "/accuracy-openimages.py", "--mlperf-accuracy-file", path, "--openimages-dir", data,
                          "--output-file", p.path("openimages-logs", "results.json"), before=EXACT_MAP)
        p.compare("retinanet, " + name, text and exact(text), text and last_line(text, "mAP="),
                  p.ours("retinanet", data, path), 1e-6)


ARTICLE = {"title": "awkward", "paragraphs": [
    {"context": "The the, an  a. Weiß's “Straße” (1895–1943) costs $3.50; naïve café-owners' co-op\u202fpays 50 %. Ω₂ 東京 tower",
     "qas": [{"id": f"awkward-{i}", "question": q, "answers": [{"answer_start": 0, "text": t} for t in texts]}
             for i, (q, texts) in enumerate([
                 ("What has no words when normalised?", ["The the, an  a."]), ("Which is it?", ["", "$3.50"]),
                 ("Whose street?", ["Weiß's", "“Straße”"]), ("When?", ["1895–1943", "(1895–1943)"]),
                 ("Who?", ["naïve café-owners'"]), ("Where?", ["東京", "tower", "the  東京 tower"])])]}]}


def check_bert(p):
    importlib.import_module("transformers.models.bert.tokenization_bert")
    source = os.path.join(p.args.data, "squad-mini")
    data = p.inside("squad")
    with open(os.path.join(source, "dev-mini-v1.1.json"), encoding="utf-8") as f:
        squad = json.load(f)
    squad["data"].append(ARTICLE)
    questions = write_json(os.path.join(data, "dev-v1.1.json"), {"version": "1.1", "data": squad["data"]})
    shutil.copy(os.path.join(source, "vocab.txt"), data)
    with open(os.path.join(p.inference, BERT, "tokenization.py"), "w", encoding="utf-8") as f:
        # A submodule's, which CHECKOUT has not; the script wants this class of it, and HuggingFace's copy is the same.
        f.write("from transformers.models.bert.tokenization_bert import BasicTokenizer\n")
    features = p.path("squad-logs", "features.pickle")

    def official(pairs, *more):
        log = write_json(p.path("squad-logs", "log.json"), log_of(pairs))
        text = p.official(BERT + "/accuracy-squad.py", "--vocab_file", os.path.join(data, "vocab.txt"), "--val_data", questions,
                          "--log_file", log, "--out_file", p.path("squad-logs", "out.json"),
                          "--features_cache_file", features, *more)
        return log, text and last_line(text, "{")

    def case(name, pairs):
        log, line = official(pairs)
        ours = p.ours("bert", data, log)
        p.compare("bert, " + name + ", F1", line and json.loads(line)["f1"] / 100, line, ours, 1e-9)
        if line and ours:
            apart = abs(json.loads(line)["exact_match"] - json.loads(ours["line"])["exact_match"])
            p.said(apart <= 1e-7, f"bert, {name}, exact match: {json.loads(line)['exact_match']!r}, apart {apart:.1e}")

    official([])  # for the features
    sys.path.insert(0, os.path.join(p.inference, BERT))
    with open(features, "rb") as f:
        lengths = [len(x.tokens) for x in pickle.load(f)]
    pick = random.Random(3)

    def logits(n, draw):
        return floats(*(draw() for _ in range(2 * n)))

    def peaked(n):
        values = [pick.uniform(-8, 0) for _ in range(2 * n)]
        start = pick.randrange(n)
        values[2 * start] += 20
        values[2 * min(n - 1, start + pick.randrange(4)) + 1] += 20
        return floats(*values)

    everything = list(enumerate(lengths))
    full = [(i, logits(384, lambda: pick.gauss(0, 3))) for i, _ in everything]
    case("one entry", full[7:8])
    case("random logits of 384 positions", full)
    case("as long as the sample", [(i, logits(n, lambda: pick.gauss(0, 3))) for i, n in everything])
    case("one clear answer", [(i, peaked(n)) for i, n in everything])
    case("ties: five different logits", [(i, logits(384, lambda: pick.randint(-2, 2))) for i, _ in everything])
    case("ties: all equal", [(i, logits(384, lambda: 0)) for i, _ in everything])
    case("highest behind the end, or the end before the start: no answer",
         [(i, floats(*((k if n < 360 else k * (-1) ** (k % 2)) / 9 for k in range(768)))) for i, n in everything])
    case("a third not in the log, some twice, out of order",
         list(reversed(full))[:len(full) * 2 // 3] + [(i, peaked(384)) for i in range(len(full) - 9, len(full))])


def check_unet(p):
    import nibabel
    import numpy as np
    importlib.import_module("pandas")
    importlib.import_module("scipy.ndimage")
    rng = np.random.default_rng(4)
    home = os.path.join(p.inference, UNET)
    shapes = {"case_00002": (40, 70, 61), "case_00004": (30, 140, 150), "case_00006": (200, 90, 80), "case_00008": (20, 60, 60),
              "case_00010": (25, 55, 44)}
    spacing = {"case_00004": (3.0, 1.2, 1.1), "case_00006": (1.6, 1.2, 1.2)}
    for meta in ("inference_cases.json", "calibration_cases.json"):
        write_json(os.path.join(home, "meta", meta), sorted(shapes))
    raw = p.inside("kits", "data")
    for case, shape in shapes.items():
        image = rng.normal(0, 300, shape).astype(np.int16)
        z, y, x = np.ogrid[:shape[0], :shape[1], :shape[2]]
        inside = ((z / shape[0] - .5) ** 2 + (y / shape[1] - .5) ** 2 + (x / shape[2] - .5) ** 2)
        truth = (inside < .12).astype(np.uint8)
        if case != "case_00008":
            truth[inside < .02] = 2  # the other has no tumour
        if case == "case_00010":
            truth[:] = 0  # nothing at all
        os.makedirs(os.path.join(raw, case))
        affine = np.diag([*spacing.get(case, (2.0, 1.5, 1.7)), 1.0])
        for name, volume in (("imaging", image), ("segmentation", truth)):
            nibabel.save(nibabel.Nifti1Image(volume, affine), os.path.join(raw, case, name + ".nii.gz"))
    ready = p.path("kits-ready")
    # It ends with an error: these are not the 43 cases whose check sums it compares last.
    p.official(UNET + "/preprocess.py", "--raw_data_dir", raw, "--results_dir", ready, "--mode", "preprocess", "--num_proc", "1",
               cwd=home, quiet=True)
    images, truths = [], []
    for case in sorted(shapes):
        with open(os.path.join(ready, case + ".pkl"), "rb") as f:
            image, truth = pickle.load(f)
        images.append(image)
        truths.append(truth[0])
    worst = 0.0
    for i, image in enumerate(images):
        out = p.path(f"volume-{i}.npy")
        done = p.assay("samples", "3d-unet", "--dataset", os.path.dirname(raw), "--index", str(i), "--output", out)
        mine = np.load(out).reshape(image.shape) if not done.returncode else np.full_like(image, math.inf)
        worst = max(worst, float(np.abs(mine - image).max()))
    p.said(worst <= 1e-5, f"3d-unet, volumes of the official pre-processing: apart {worst:.1e}")

    def noise(truth, share):
        return np.where(rng.random(truth.shape) < share, rng.integers(0, 3, truth.shape), truth).astype(np.uint8)

    cases = {
        "perfect": truths,
        "a tenth is noise": [noise(t, .1) for t in truths],
        "half is noise": [noise(t, .5) for t in truths],
        "nothing found": [np.zeros_like(t) for t in truths],
        "no tumour found": [np.minimum(t, 1) for t in truths],
        "classes exchanged": [np.where(t, 3 - t, 0).astype(np.uint8) for t in truths],
        "everything is tumour": [np.full_like(t, 2) for t in truths],
    }
    for name, answers in cases.items():
        order = list(enumerate(answers))
        random.Random(name).shuffle(order)
        log = write_json(p.path("kits-logs", "log.json"), log_of([(i, a.tobytes()) for i, a in order]))
        shutil.rmtree(p.path("kits-done"), ignore_errors=True)
        text = p.official(UNET + "/accuracy_kits.py", "--log_file", log, "--preprocessed_data_dir", ready,
                          "--postprocessed_data_dir", p.path("kits-done"), "--num_proc", "1")
        value = None
        if text:
            with open(p.path("kits-done", "summary.csv"), encoding="utf-8") as f:
                columns = f.readline().strip().split(",")
                value = float(f.readlines()[-1].strip().split(",")[columns.index("composite")])
        p.compare("3d-unet, " + name, value, text and last_line(text, "Accuracy:"),
                  p.ours("3d-unet", os.path.dirname(raw), log), 1e-9)


WORDS = "the a quick brown fox don't jump o'er it's lazy dogs mister st and plus co".split()
LETTERS = " abcdefghijklmnopqrstuvwxyz'"


def check_rnnt(p):
    pick = random.Random(5)
    entries, texts = [], []
    for i in range(40):
        seconds = 15.2 if i % 10 == 4 else pick.randint(1, 9) / 8 + .1  # those above 15 s are left out, and shift the rest
        text = " ".join(pick.choice(WORDS) for _ in range(pick.randint(1, 12)))
        name, samples = f"wav/{i}.wav", int(seconds * 16000)
        with wave.open(p.path("speech", name), "wb") as w:
            w.setparams((1, 2, 16000, samples, "NONE", ""))
            w.writeframes(pick.randbytes(2 * samples))
        entries.append({"files": [{"channels": 1, "sample_rate": 16000.0, "bitrate": 16, "duration": samples / 16000,
                                   "num_samples": samples, "encoding": "Signed Integer PCM", "silent": False, "fname": name,
                                   "speed": 1}],
                        "original_duration": samples / 16000, "original_num_samples": samples,
                        "transcript": text.upper() if i % 5 == 0 else f"  {text.replace(' ', '  ')} " if i % 5 == 1 else text})
        if seconds < 15:
            texts.append(text)
    listed = write_json(p.path("speech", "dev-clean-wav.json"), entries)
    data = os.path.dirname(listed)

    def answer(text, code="q"):
        return array.array(code, [LETTERS.index(c) for c in text]).tobytes()

    def wrong(text):
        words = [w for w in text.split() if pick.random() > .2]
        return " ".join(w if pick.random() < .8 else pick.choice(WORDS) for w in words for _ in range(1 + (pick.random() < .1)))

    some = [(i, wrong(t)) for i, t in enumerate(texts)]
    cases = {
        "perfect": [(i, t) for i, t in enumerate(texts)],
        "words missing, doubled, exchanged": some,
        "an empty answer now and then": [(i, t if i % 3 else "") for i, t in some],
        "all answers empty": [(i, "") for i, _ in some],
        "answers of spaces, spaces in a row and at the ends":
            [(i, f"  {t.replace(' ', '   ')}  " if i % 4 else "   ") for i, t in some],
        "more words than the truth has": [(i, t + " and the lazy dogs" * 4) for i, t in some],
        "samples twice, others not at all, out of order": list(reversed(some[5:])) + some[7:12],
    }
    for name, pairs in cases.items():
        for dtype, code in (("int64", "q"), ("int8", "b")) if name.startswith("words") else (("int64", "q"),):
            log = write_json(p.path("speech-logs", "mlperf_log_accuracy.json"),
                             log_of([(i, answer(t, code)) for i, t in pairs]))
            text = p.official(RNNT + "/accuracy_eval.py", "--log_dir", os.path.dirname(log), "--dataset_dir", data, "--manifest",
                              listed, "--output_dtype", dtype)
            line = text and last_line(text, "Word Error Rate:")
            value = line and float(line.split("accuracy=")[1].rstrip("%")) / 100
            more = []
            if dtype == "int8":
                more = ["--model", p.path("int8.yaml")]
                with open(more[1], "w", encoding="utf-8") as f:
                    f.write(subprocess.run([p.args.assay, "models", "rnnt-synthetic"], capture_output=True, text=True,
                                           check=True).stdout + "output: {payload: int8}\n")
            p.compare(f"rnnt, {name} ({dtype})", value, line, p.ours("rnnt", data, log, *more), 1e-9)


def sample_lengths(total):
    """The reference's: numpy's legacy generator, its seed and its file of quantiles, until there are no more rows."""
    import numpy as np
    np.random.seed(123)
    quantiles = [100] * 2 + [200] * 12 + [300] * 2 + [400, 500, 600, 700]
    lengths, left = [], total
    while left:
        lengths.append(min(left, quantiles[np.random.randint(low=0, high=20)]))
        left -= lengths[-1]
    return lengths


def check_dlrm(p):
    import numpy as np
    importlib.import_module("sklearn.metrics")
    rng = np.random.default_rng(6)
    rows = 9001
    labels = (rng.random(rows) < .3).astype(np.int32)
    table = np.concatenate([labels[:, None], rng.integers(0, 1000, (rows, 39), dtype=np.int32)], axis=1)
    table.tofile(p.path("criteo", "terabyte_processed_test.bin"))
    lengths = sample_lengths(rows)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    with open(p.path("criteo-logs", "day_23"), "w", encoding="ascii") as f:
        f.writelines("\t".join(map(str, row)) + "\n" for row in table.tolist())
    with open(p.path("criteo-logs", "trace.txt"), "w", encoding="ascii") as f:
        f.writelines(f"{s}, {e}, {e - s}\n" for s, e in zip(starts.tolist(), starts[1:].tolist()))
    good = np.clip(rng.normal(.3 + .3 * labels, .25), 0, 1).astype(np.float32)
    halves = np.where(rng.random(rows) < .5, np.float32(.5), good)
    cases = {
        "predictions": good,
        "ties: eleven different predictions": np.round(good, 1),
        "ties: half of them 0.5, which rounds to even": halves.astype(np.float32),
        "all equal": np.full(rows, .25, np.float32),
        "perfect": labels.astype(np.float32),
        "always wrong": (1 - labels).astype(np.float32),
        "neighbours in float32": np.where(good < .5, np.nextafter(np.float32(.3), np.float32(1)), np.float32(.3)),
        "zero, minus zero and very small":
            np.select([good < .3, good < .6], [np.float32(-0.0), np.float32(0)], np.float32(1e-42)).astype(np.float32),
        "logits, of either sign": (8 * good - 4).astype(np.float32),
    }
    for name, values in cases.items():
        for alone in (False, True):
            order = rng.permutation(len(lengths)).tolist()
            pairs = []
            for i in order + (order[:3] if name == "predictions" else []):  # the second of a sample says something else
                part = values[starts[i]:starts[i + 1]] if len(pairs) < len(order) else 1 - values[starts[i]:starts[i + 1]]
                pairs.append((i, (part if alone else np.stack([part, labels[starts[i]:starts[i + 1]]], axis=1))
                              .astype(np.float32).tobytes()))
            log = write_json(p.path("criteo-logs", "log.json"), log_of(pairs))
            ours = p.ours("dlrm", p.path("criteo"), log)
            truth = ["--day-23-file", p.path("criteo-logs", "day_23"), "--aggregation-trace-file",
                     p.path("criteo-logs", "trace.txt")] if alone else []
            for version, folder in (("", DLRM), (" (v2)", DLRM2)):
                text = p.official(folder + "/accuracy-dlrm.py", "--mlperf-accuracy-file", log, *truth, before=EXACT_AUC)
                p.compare(f"dlrm{version}, {name}, {'predictions alone' if alone else 'with targets'}", text and exact(text),
                          text and last_line(text, "AUC="), ours, 1e-9)
    first = [(i, floats(*([.5, 1.0] * lengths[i]))) for i in range(3)]
    log = write_json(p.path("criteo-logs", "log.json"), log_of(first))
    text = p.official(DLRM + "/accuracy-dlrm.py", "--mlperf-accuracy-file", log, before=EXACT_AUC)
    p.compare("dlrm, one class of targets only", text and exact(text), text and last_line(text, "AUC="),
              p.ours("dlrm", p.path("criteo"), log), 1e-9)


# ---- pre-processing, with torch ----

def sample(p, benchmark, data, index, number, *more):
    import numpy as np
    out = p.path("sample.npy")
    done = p.assay("samples", benchmark, "--dataset", data, "--index", str(index), "--input", str(number), "--output", out, *more)
    if done.returncode:
        sys.exit(f"assay samples {benchmark}: {done.stderr}")
    return np.load(out)


def check_features(p):
    import numpy as np
    import scipy.fft
    import tomllib
    import torch
    sys.path.insert(0, os.path.join(p.inference, RNNT, "pytorch"))
    preprocessing = importlib.import_module("preprocessing")
    segment = importlib.import_module("parts.segment")
    with open(os.path.join(p.inference, RNNT, "pytorch/configs/rnnt.toml"), "rb") as f:
        config = tomllib.load(f)["input_eval"]
    official = preprocessing.AudioPreprocessing(**config).eval()
    data = os.path.join(p.args.data, "speech-mini")
    with open(glob.glob(data + "/*-wav.json")[0], encoding="utf-8") as f:
        listed = [e for e in json.load(f) if e["original_duration"] <= 15]
    plain = torch.stft

    def by_scipy(kind):
        """The frames times window are float32, as they are in torch's."""
        def transform(x, n_fft, hop_length, win_length, window, **_):
            samples = np.pad(x[0].numpy(), n_fft // 2, mode="reflect")
            padded = np.pad(window.numpy(), (n_fft - win_length) // 2)
            frames = np.lib.stride_tricks.sliding_window_view(samples, n_fft)[::hop_length] * padded
            return torch.from_numpy(scipy.fft.rfft(frames.astype(kind)).T[None])
        return transform

    ways = {"float32, as it is": plain, "the same with its transform in double": by_scipy(np.float64),
            "the same with scipy's float32 transform": by_scipy(np.float32)}
    found = {way: [] for way in ways}
    mine = []
    for i, entry in enumerate(listed):
        audio = segment.AudioSegment.from_file(os.path.join(data, entry["files"][0]["fname"]), target_sr=16000).samples
        mine.append(sample(p, "rnnt", data, i, 1).reshape(-1, 240))
        for way, transform in ways.items():
            torch.stft = transform
            with torch.no_grad():
                found[way].append(official((torch.from_numpy(audio)[None], torch.tensor([len(audio)])))[0][0].numpy().T)
            torch.stft = plain
        shapes = {m[i].shape for m in (mine, *found.values())}
        if len(shapes) > 1:
            p.said(False, f"rnnt, features of {entry['files'][0]['fname']}: shapes {shapes}")
            return
    mine = np.concatenate(mine)
    first = np.concatenate(found["float32, as it is"])
    # A float32 transform is a thousandth off where a band is nearly silent, each library's in its own way.
    for way, bound in zip(ways, (2e-3, 1e-4, None)):
        theirs = np.concatenate(found[way])
        far = np.abs(theirs - mine)
        text = f"apart {far.max():.1e} at most, {int((far > 1e-4).sum())} of {far.size} beyond 1e-4"
        if bound:
            p.said(far.max() <= bound, f"rnnt, features of {len(listed)} recordings, {way}: {text}")
        else:
            print(f"  {way}: {text}; {np.abs(theirs - first).max():.1e} from the official one")


def check_logarithms(p):
    import numpy as np
    import torch
    sys.path.insert(0, p.path("dlrm"))
    loader = importlib.import_module("data_loader_terabyte")
    raw = os.path.join(p.args.data, "criteo-mini")
    integers = []
    with open(glob.glob(raw + "/day_23*")[0], encoding="ascii") as f:
        for line in f:
            integers.append([max(0, int(v)) if v else 0 for v in line.rstrip("\n").split("\t")[1:14]])
    integers = np.array(integers, np.int32)[:(len(integers) + 1) // 2]
    mine, at, index = [], 0, 0
    for n in sample_lengths(len(integers)):
        mine.append(sample(p, "dlrm", raw, index, 0))
        at, index = at + n, index + 1
    mine = np.concatenate(mine)
    theirs = loader._transform_features(torch.from_numpy(integers), torch.zeros((len(integers), 26), dtype=torch.int32),
                                        torch.zeros(len(integers), dtype=torch.int32), 40_000_000, True)[0].numpy()
    x = integers.astype(np.float32) + np.float32(1)
    exact_log = np.log(x.astype(np.float64)).astype(np.float32)
    ulp = np.abs(theirs.view(np.int32) - mine.view(np.int32))
    # torch takes MKL's logarithm where it has MKL, and SLEEF's elsewhere; ours is that of double, rounded.
    p.said(ulp.max() <= 1, f"dlrm, {mine.size} logarithms of {len(mine)} rows: {int((ulp > 0).sum())} not identical, "
           f"apart {int(ulp.max())} ulp, {np.abs(theirs - mine).max():.1e} at most")
    for name, values in (("assay", mine), ("torch", theirs), ("numpy's float32", np.log(x))):
        off = np.abs(values.view(np.int32) - exact_log.view(np.int32))
        print(f"  {name}: {int((off > 0).sum())} are not the logarithm in double, rounded; {int(off.max())} ulp at most")


def check_dictionaries(p):
    """DLRM's dictionaries of 24 made-up days, by the official getCriteoAdData: type and order of all values, and the counts."""
    import numpy as np
    sys.path.insert(0, p.path("dlrm"))
    utils = importlib.import_module("data_utils")
    rng = random.Random(3)
    pools = [[f"{rng.getrandbits(32):08x}" for _ in range(5 + 9 * j)] for j in range(26)]
    for day in range(24):
        with open(p.path("days", f"day_{day}"), "w", encoding="ascii") as f:
            for _ in range(60 + day):
                codes = [rng.choice(pool) if rng.random() < .9 else "" for pool in pools]
                numbers = [str(rng.randint(-2, 500)) if rng.random() < .8 else "" for _ in range(13)]
                f.write("\t".join([str(rng.randint(0, 1)), *numbers, *codes]) + "\n")
    subprocess.run([p.args.assay, "dictionaries", p.path("days"), "--output", p.path("dictionaries")],
                   capture_output=True, check=True)
    with open(os.devnull, "w", encoding="ascii") as f, contextlib.redirect_stdout(f):
        utils.getCriteoAdData(p.path("days", "day"), "terabyte_processed", 40_000_000, 0.0, 24, "train", "none", False, True)
    for name in [*(f"day_fea_dict_{j}.npz" for j in range(26)), "day_fea_count.npz"]:
        with np.load(p.path("days", name)) as official, np.load(p.path("dictionaries", name)) as ours:
            same = official.files == ours.files and all(official[k].dtype == ours[k].dtype and np.array_equal(official[k], ours[k])
                                                        for k in ours.files)
            p.said(same, f"dlrm, {name}")


CHECKS = {"resnet50": check_resnet50, "retinanet": check_retinanet, "bert": check_bert, "3d-unet": check_unet, "rnnt": check_rnnt,
          "dlrm": check_dlrm, "features": check_features, "logarithms": check_logarithms,
          "dictionaries": check_dictionaries}


def environment(args, folder):
    """Begins again in the virtual environment, which is made where it is not there."""
    venv = os.path.abspath(args.venv or os.path.join(folder, "venv"))
    python = os.path.join(venv, "bin", "python")
    if not os.path.exists(python):
        print("making", venv, flush=True)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    wanted = PACKAGES + ([TORCH] if args.torch else [])
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted], check=True)
    return subprocess.run([python, os.path.abspath(__file__), *sys.argv[1:], "--inside"], check=False).returncode


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("checkout", type=os.path.abspath)
    a.add_argument("--revision", default="HEAD")
    a.add_argument("--dlrm", type=os.path.abspath)
    a.add_argument("--only", action="append", choices=CHECKS)
    a.add_argument("--assay", type=os.path.abspath, default=os.path.join(ROOT, "build/release/bin/assay"))
    a.add_argument("--data", type=os.path.abspath, default=os.path.join(ROOT, "..", "shared", "data"))
    a.add_argument("--venv", type=os.path.abspath)
    a.add_argument("--torch", action="store_true")
    a.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = a.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if not args.inside:
            return environment(args, folder)
        p = Place(args, folder)
        for name in args.only or CHECKS:
            if name in ("features", "logarithms") and not importlib.util.find_spec("torch"):
                print(f"left out  {name}: wants torch (--torch)")
                continue
            if name in ("logarithms", "dictionaries"):
                if not args.dlrm:
                    print(f"left out  {name}: wants --dlrm")
                    continue
                if not os.path.exists(p.path("dlrm")):
                    unpack(args.dlrm, "HEAD", p.path("dlrm"), ["data_loader_terabyte.py", "data_utils.py"])
            CHECKS[name](p)
    print(f"{p.count} cases, {p.bad} different")
    return 1 if p.bad else 0


if __name__ == "__main__":
    sys.exit(main())

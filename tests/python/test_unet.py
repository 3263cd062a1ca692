# test: 3D-UNet's score on real scans
"""The ground truth of volume-mini as nibabel and scipy make it (tests/python/golden_unet.py) scores 1 when it is the
answer, and other answers what plain Python says, to the last digit."""
import gzip
import os
import random
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
DATA = os.path.join(os.environ.get("ASSAY_TEST_DATA") or os.path.join(ROOT, "..", "shared", "data"), "volume-mini")
ASSAY = os.path.join(os.environ["ASSAY_PREFIX"], "bin", "assay")


def truth(case):
    with gzip.open(os.path.join(ROOT, "tests", "golden", "3d-unet", case + ".labels.gz")) as f:
        return f.read()


def dice(wanted, found, label):
    both = sum(w == f == label for w, f in zip(wanted, found))
    return (2 * both + 1e-6) / (wanted.count(label) + found.count(label) + 1e-6)


def official(truths, answers):
    kidney, tumour = ([dice(t, a, label) for t, a in zip(truths, answers)] for label in (1, 2))
    means = [(k + t) / 2 for k, t in zip(kidney, tumour)]
    return "Accuracy: mean = %.5f, kidney = %.4f, tumor = %.4f" % tuple(sum(v) / len(v) for v in (means, kidney, tumour))


def score(folder, answers):
    path = os.path.join(folder, "log.json")
    with open(path, "w", encoding="utf-8") as f:
        f.write("[" + ",".join('\n{ "seq_id" : %d, "qsl_idx" : %d, "data" : "%s" }' % (i, i, a.hex().upper())
                               for i, a in enumerate(answers)) + "\n]\n")
    done = subprocess.run([ASSAY, "score", "3d-unet", "--dataset", DATA, "--log", path], capture_output=True, text=True,
                          check=False)
    return done.stdout.strip() or done.stderr


def main():
    if not os.path.isdir(DATA):
        return 77
    truths = [truth("case_00000"), truth("case_00001")]
    pick = random.Random(1)
    noise = bytes(pick.randrange(3) for _ in range(4096)) * 512
    swapped = bytes.maketrans(b"\0\1\2", b"\0\2\1")
    answers = {"perfect": truths, "noise": [noise, noise], "kidney as tumour": [truths[0].translate(swapped), truths[1]],
               "nothing": [bytes(len(t)) for t in truths], "moved": [bytes(200) + t[:-200] for t in truths]}
    with tempfile.TemporaryDirectory() as folder:
        for name, two in answers.items():
            found, wanted = score(folder, two), official(truths, two)
            print(name, found)
            if found != wanted or (name == "perfect") != ("1.00000, kidney = 1.0000, tumor = 1.0000" in found):
                sys.exit(f"{name}: {found}, Python says {wanted}")
    return 0


sys.exit(main())

"""Makes the golden values of WER, DICE and AUC by other code: scikit-learn's ROC curve, numpy's sums, and a recursion
for the distance of words.

Second opinion only: never used at run time, nor by the tests, which read what this wrote.  To repeat:
    python3 -m venv v && v/bin/pip install numpy==2.2.6 scikit-learn==1.9.1
    v/bin/python tests/python/golden_metrics.py tests/golden/metrics

Each file is a list of lines whose first word tells what they are; `end` lines carry what is wanted."""
import functools
import sys

import numpy as np
from sklearn.metrics import roc_auc_score


def distance(truth, found):
    @functools.lru_cache(None)
    def d(i, k):
        if not i or not k:
            return i + k
        return min(d(i - 1, k) + 1, d(i, k - 1) + 1, d(i - 1, k - 1) + (truth[i - 1] != found[k - 1]))
    return d(len(truth), len(found))


def wer(path, rng):
    words = "a an the mister quilter is apostle of middle classes and we are glad to welcome his gospel".split()
    pairs = [("", ""), ("", "a word"), ("two words", ""), ("same same", "same same"), ("  spaced   out ", "spaced out"),
             ("a b", "ab"), ("It's", "its"), ("x", "a x b"), ("one two three four", "two three four five")]
    for _ in range(40):
        truth = [str(rng.choice(words)) for _ in range(rng.integers(1, 40))]
        found = [str(rng.choice(words)) if rng.random() < .15 else w for w in truth if rng.random() > .1]
        for _ in range(rng.integers(0, 4)):
            found.insert(int(rng.integers(0, len(found) + 1)), str(rng.choice(words)))
        pairs.append((" ".join(truth), " ".join(found)))
    errors = count = 0
    with open(path, "w") as f:
        for truth, found in pairs:
            e = distance(tuple(truth.split()), tuple(found.split()))
            errors, count = errors + e, count + len(truth.split())
            f.write(f"pair {e}|{truth}|{found}\n")
        f.write(f"end {errors} {count} {errors / count!r}\n")


def dice(path, rng):
    cases = [("000000", "000000"), ("111000", "000000"), ("000000", "222000"), ("012012", "012012"), ("112200", "110022")]
    for n in (1, 7, 300, 500):
        truth = rng.integers(0, 3, n)
        found = np.where(rng.random(n) < .7, truth, rng.integers(0, 3, n))
        cases.append(("".join(map(str, truth)), "".join(map(str, found))))
    each = []
    with open(path, "w") as f:
        for truth, found in cases:
            f.write(f"case {truth} {found}\n")
            t, p = (np.array(list(map(int, s))) for s in (truth, found))
            one = [np.eye(3, dtype=np.float64)[x][:, 1:] for x in (t, p)]
            values = (2 * (one[0] * one[1]).sum(0) + 1e-6) / (one[0].sum(0) + one[1].sum(0) + 1e-6)
            each.append([values.mean(), *values])
        f.write("end " + " ".join(repr(float(v)) for v in np.mean(each, axis=0)) + "\n")


def auc(path, rng):
    def coarse(n, share, digits, noise):
        target = (rng.random(n) < share).astype(np.float32)
        target[:2] = 0, 1
        return (target * .3 + rng.random(n) * noise).round(digits).clip(0, 1).astype(np.float32), target
    cases = [([.1, .9], [0, 1]), ([.9, .1], [0, 1]), ([.5, .5, .5], [0, 1, 1]), ([0., -0., .5, .5], [1, 0, 0, 1]),
             ([.5, 1.5, 2.5, .2], [0, 1, 0, 1]), ([-3, 1e-38, 0, 1e-45], [0, 1, 0, 1]), coarse(300, .25, 1, .7),
             coarse(300, .03, 6, .7), coarse(200, .5, 2, 2), coarse(250, .9, 0, 1)]
    with open(path, "w") as f:
        for prediction, target in cases:
            p, t = np.asarray(prediction, np.float32), np.asarray(target, np.float32)
            for a, b in zip(p, t):
                f.write(f"pair {float(a)!r} {int(b)}\n")
            f.write(f"end {float(roc_auc_score(t, p))!r} {int((np.round(p) == t).sum())}\n")


def main():
    rng = np.random.default_rng(11)
    for name, make in (("wer", wer), ("dice", dice), ("auc", auc)):
        make(f"{sys.argv[1]}/{name}.txt", rng)


main()

"""Makes the golden rows of DLRM by other code than ours: Python's int and numpy.

Second opinion only: never used at run time, nor by the tests, which read what this wrote.  To repeat:
    python3 -m venv v && v/bin/pip install numpy==2.2.6
    v/bin/python tests/python/golden_dlrm.py ../shared/data/criteo-mini/day_23_mini tests/golden/dlrm
    git diff --stat tests/golden/dlrm

raw/day_23: made-up raw rows with what is awkward; raw/day_fea_dict_J.npz: their dictionaries in order of first
    appearance, as numpy deflates them.
rows.txt: of the first half of them the 40 integers of the pre-processed form, and the 13 numbers log(x + 1) as the bits of
    float32.  The sum x + 1 is float32's; the logarithm is float64's, rounded: numpy's own float32 logarithm depends on the
    processor, and is compared in passing.
mini.txt: of each row of the real file the first half of the SHA-256 of the 13 numbers and the 26 categories as int64: by
    dictionary, and by the remainder of tables of 100 rows.
samples.txt: the first 2000 samples' lengths as numpy's legacy generator draws them.
multi-hot/, arrays.txt: made-up files of DLRM-v2's form as numpy writes them, and the first half of their rows."""
import hashlib
import os
import sys

import numpy as np

RANGE = 40_000_000
DRAWS = [100] * 2 + [200] * 12 + [300] * 2 + [400, 500, 600, 700]
TOP = 2**31 - 1


def bits(values):
    return " ".join(f"{b:08x}" for b in np.asarray(values, np.float32).view(np.uint32).tolist())


def make_raw(path):
    rng = np.random.default_rng(7)
    pools = [[f"{v:08x}" for v in rng.integers(0, 2**32, 3 + j)] for j in range(26)]
    with open(path, "w", newline="") as f:
        for i in range(1100):
            dense = [str(v) if rng.random() < .8 else "" for v in rng.geometric(.02, 13) - 2]
            codes = [p[rng.integers(0, len(p))] if rng.random() < .9 else "" for p in pools]
            if i == 1:
                dense, codes = ["", str(TOP), str(TOP - 1), "-2147483648", "16777216", "16777217", *dense[6:]], [""] * 26
            if i == 2:
                codes = ["ffffffff", "FFFFFFFF", "0", "2625a00", "02625a00", "4c4b400", *codes[6:]]
            f.write("\t".join([str(int(rng.random() < .3)), *dense, *codes]) + ("\r\n" if i == 3 else "\n" * (i < 1099)))


def read(path):
    rows = []
    with open(path, encoding="ascii") as f:
        for line in f:
            fields = line.rstrip("\r\n").split("\t")
            dense = [max(0, int(v)) if v else 0 for v in fields[1:14]]
            rows.append((int(fields[0]), dense, [(int(v, 16) if v else 0) % RANGE for v in fields[14:]]))
    return rows


def logarithm(rows):
    x = np.array([dense for _, dense, _ in rows], np.float32) + np.float32(1)
    exact = np.log(x.astype(np.float64)).astype(np.float32)
    apart = np.abs(exact.view(np.int32) - np.log(x).view(np.int32))
    print(f"numpy's float32 log differs in {np.count_nonzero(apart)} of {apart.size}, by at most {apart.max()} ulp")
    return exact


def dictionaries(rows, folder=None):
    places = []
    for j in range(26):
        unique = list(dict.fromkeys(c[j] for _, _, c in rows))
        if folder:
            np.savez_compressed(f"{folder}/day_fea_dict_{j}.npz", unique=np.array(unique, np.int32))
        places.append({v: i for i, v in enumerate(unique)})
    return places


def write_rows(rows, places, path):
    with open(path, "w") as f:
        for (label, integers, categories), logs in zip(rows[:(len(rows) + 1) // 2], logarithm(rows)):
            ids = [p[c] for p, c in zip(places, categories)]
            f.write(" ".join(map(str, [label, *integers, *ids])) + " | " + bits(logs) + "\n")


def write_mini(rows, places, path):
    with open(path, "w") as f:
        for (_, _, categories), logs in zip(rows, logarithm(rows)):
            both = ([p[c] for p, c in zip(places, categories)], [c % 100 for c in categories])
            f.write(" ".join(hashlib.sha256(logs.tobytes() + np.array(ids, np.int64).tobytes()).hexdigest()[:32]
                             for ids in both) + "\n")


def write_samples(path):
    np.random.seed(123)
    with open(path, "w") as f:
        f.write(" ".join(str(DRAWS[np.random.randint(0, 20)]) for _ in range(2000)) + "\n")


def write_arrays(folder, path):
    rng = np.random.default_rng(5)
    dense = np.log(rng.integers(0, 1000, (301, 13)).astype(np.float32) + 3)
    labels = (rng.random((301, 1)) < .3).astype(np.int32)
    sparse = {str(j): rng.integers(0, 50, (301, h), dtype=np.int32) for j, h in enumerate([3, 2] + [1] * 24)}
    np.save(folder + "/day_23_dense.npy", dense)
    np.save(folder + "/day_23_labels.npy", labels)
    np.savez(folder + "/day_23_sparse_multi_hot.npz", **sparse)
    with open(path, "w") as f:
        for i in range(151):
            ids = [v for j in range(26) for v in sparse[str(j)][i].tolist()]
            f.write(f"{labels[i, 0]} " + " ".join(map(str, ids)) + " | " + bits(dense[i]) + "\n")


def main():
    mini, folder = read(sys.argv[1]), sys.argv[2]
    for name in ("raw", "multi-hot"):
        os.makedirs(f"{folder}/{name}", exist_ok=True)
    make_raw(folder + "/raw/day_23")
    rows = read(folder + "/raw/day_23")
    write_rows(rows, dictionaries(rows, folder + "/raw"), folder + "/rows.txt")
    write_mini(mini, dictionaries(mini), folder + "/mini.txt")
    write_samples(folder + "/samples.txt")
    write_arrays(folder + "/multi-hot", folder + "/arrays.txt")


main()

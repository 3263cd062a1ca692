"""Rows of raw Criteo logs as they are made in Python: a line at a time into numpy's arrays, then the logarithms.

    official_rows.py PACKAGES FILE

PACKAGES is the folder that holds numpy.  One pass over all rows for every line on standard input; the answer is its
seconds.  One thread, as Assay's peer; the dictionary is used on neither side."""

import sys
import time

sys.path.insert(0, sys.argv[1])
import numpy as np  # noqa: E402

RANGE = 40000000


def one_pass(path):
    with open(path, encoding="ascii") as f:
        n = sum(1 for _ in f)
    label, dense, codes = np.zeros(n, np.int32), np.zeros((n, 13), np.int32), np.zeros((n, 26), np.int32)
    with open(path, encoding="ascii") as f:
        for i, line in enumerate(f):
            fields = [v or "0" for v in line.rstrip("\n").split("\t")]
            label[i] = np.int32(fields[0])
            dense[i] = np.array(fields[1:14], dtype=np.int32)
            codes[i] = np.array([int(v, 16) % RANGE for v in fields[14:]], dtype=np.int32)
    dense[dense < 0] = 0
    return label, np.log(dense.astype(np.float32) + 1), codes


def main():
    for _ in sys.stdin:
        start = time.perf_counter()
        one_pass(sys.argv[2])
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()

# test: serial.  DLRM's runs on models of some hundred bytes
"""`assay run dlrm` on ONNX Runtime with tiny_dlrm.py's models: payloads and score are those that Python computes, of raw
and binary rows, in either layout, in batches of any size and on any number of lanes; Server and Offline are VALID; a model
that knows the truth has an AUC of 1; and what is wrong with a model is one line.  Then the real rows, by dictionary."""
import hashlib
import json
import math
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile

import tiny_dlrm as tiny

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
DATA = os.path.join(os.environ.get("ASSAY_TEST_DATA") or os.path.join(ROOT, "..", "shared", "data"), "criteo-mini")
GOLDEN = os.path.join(ROOT, "tests", "golden", "dlrm")
ASSAY = os.path.join(os.environ["ASSAY_PREFIX"], "bin", "assay")
ROWS, MODULUS = 8001, 100
MANIFEST = """schema: 1
name: tiny-{name}
benchmark: dlrm
files: {{onnx: {name}.onnx}}
input: {{dense: dense, indices: indices, layout: {layout}, ids: {ids}, width: 4, rows: [{rows}]{more}}}
output: {{name: predictions}}
reference_accuracy: 50
target: {target}
"""


def write_model(folder, name, tables=False, ids="modulo", rows=MODULUS, more="", target=0.1, **model):
    tiny.write(os.path.join(folder, name + ".onnx"), tables, **model)
    with open(os.path.join(folder, name + ".yaml"), "w", encoding="utf-8") as f:
        f.write(MANIFEST.format(name=name, layout="tables" if tables else "pairs", ids=ids, target=target, more=more,
                                rows=", ".join([str(rows)] * 26)))
    return os.path.join(folder, name + ".yaml")


def call(*words, code=0):
    done = subprocess.run([ASSAY, *words], capture_output=True, text=True, check=False)
    if done.returncode != code:
        sys.exit(f"assay {' '.join(words)}: exit code {done.returncode}: {done.stdout} {done.stderr}")
    return done


def run(model, data, scenario, mode, *more, code=0):
    done = call("run", "dlrm", "--engine", "onnxruntime", "--model", model, "--dataset", data, "--scenario", scenario,
                "--mode", mode, "--warmup-s", "0.2", "--json", *more, code=code)
    record = json.loads(done.stdout)
    if not code and (record["status"] != "done" or not record["verdict"]["valid"]):
        sys.exit(f"{model}, {scenario}, {mode}: {record['verdict']}")
    return record


def log_of_last():
    return os.path.join(call("results", "path").stdout.strip(), "mlperf_log_accuracy.json")


def samples(rows):
    """The rows of each sample, with the lengths that numpy draws."""
    with open(os.path.join(GOLDEN, "samples.txt"), encoding="ascii") as f:
        lengths = [int(v) for v in f.read().split()]
    parts, at = [], 0
    while at < len(rows):
        parts.append(rows[at:at + lengths[len(parts)]])
        at += len(parts[-1])
    return parts


def check_accuracy(model, data, parts, scenario, *more):
    record = run(model, data, scenario, "accuracy", *more)
    with open(log_of_last(), encoding="utf-8") as f:
        found = {entry["qsl_idx"]: bytes.fromhex(entry["data"]) for entry in json.load(f)}
    want = [tiny.payload(p, MODULUS) for p in parts]
    pairs = [pair for p in want for pair in struct.iter_unpack("<2f", p)]
    wrong = [i for i, p in enumerate(want) if found.get(i) != p]
    if wrong or len(found) != len(want) or record["accuracy"]["line"] != tiny.line(pairs, len(want)):
        sys.exit(f"{model}, {data}: payloads {wrong} of {len(want)} are wrong; {record['accuracy']['line']}, Python: "
                 f"{tiny.line(pairs, len(want))}")
    print(os.path.basename(model), scenario, *more, record["accuracy"]["line"])
    return record


def check_scores(model, data, parts, folder):
    """The log of predictions alone, of perfect ones, with an entry twice, and with NaN."""
    want = call("score", "dlrm", "--model", model, "--dataset", data, "--log", log_of_last()).stdout
    with open(log_of_last(), encoding="utf-8") as f:
        entries = json.load(f)

    def score(change, code=0):
        path = os.path.join(folder, "log.json")
        with open(path, "w", encoding="utf-8") as f:
            rows = [f'{{ "seq_id" : {i}, "qsl_idx" : {e["qsl_idx"]}, "data" : "{change(bytes.fromhex(e["data"])).hex()}" }}'
                    for i, e in enumerate(entries)]
            f.write("[\n" + ",\n".join(rows) + "\n]\n")
        return call("score", "dlrm", "--model", model, "--dataset", data, "--log", path, code=code)

    alone = score(lambda d: b"".join(d[i:i + 4] for i in range(0, len(d), 8)))
    perfect = score(lambda d: b"".join(d[i + 4:i + 8] * 2 for i in range(0, len(d), 8)))
    total = sum(map(len, parts))
    if alone.stdout != want or perfect.stdout != (f"AUC=100.000%, accuracy=100.000%, good={total}, total={total}, "
                                                  f"queries={len(parts)}\n"):
        sys.exit(f"{want}alone: {alone.stdout}perfect: {perfect.stdout}")
    for change, why in ((lambda d: struct.pack("<f", float("nan")) + d[4:], "the prediction of its pair 0 is NaN"),
                        (lambda d: d[4:], "bytes of data; wanted: float32 prediction and target of")):
        if why not in score(change, 3).stderr:
            sys.exit(f"not said: {why}")
    entries.append({"qsl_idx": entries[0]["qsl_idx"], "data": "00" * len(bytes.fromhex(entries[0]["data"]))})
    if score(lambda d: d).stdout != want:
        sys.exit("of two entries of a sample the first counts")


def check_multi_hot(folder):
    """DLRM-v2's form: payloads of the golden arrays, and of a model that ends before its sigmoid."""
    with open(os.path.join(GOLDEN, "arrays.txt"), encoding="ascii") as f:
        rows = [line.split(" | ") for line in f]
    first = [struct.unpack("<f", int(dense.split()[0], 16).to_bytes(4, "little"))[0] for _, dense in rows]
    ids = [[int(v) for v in line.split()] for line, _ in rows]
    want = [(tiny.single(sum(i[1:]) / 4096 + x), i[0]) for i, x in zip(ids, first)]
    more = ", hots: [3, 2" + ", 1" * 24 + "]"
    data = os.path.join(GOLDEN, "multi-hot")
    model = write_model(folder, "hot", more=more, rows=50, columns=29, target=0.1)
    for logit in (False, True):
        if logit:
            with open(model, encoding="utf-8") as f:
                text = f.read().replace("name: predictions", "name: predictions, kind: logit")
            with open(model, "w", encoding="utf-8") as f:
                f.write(text)
            want = [(1 / (1 + math.exp(-p)), t) for p, t in want]
        record = run(model, data, "Offline", "accuracy", "--batch", "2")
        with open(log_of_last(), encoding="utf-8") as f:
            entries = sorted(json.load(f), key=lambda e: e["qsl_idx"])
        found = [pair for e in entries for pair in struct.iter_unpack("<2f", bytes.fromhex(e["data"]))]
        apart = max(abs(a[0] - b[0]) + abs(a[1] - b[1]) for a, b in zip(found, want))
        if len(found) != 151 or apart > (1e-6 if logit else 0):
            sys.exit(f"multi-hot: {len(found)} pairs, {apart} apart")
        print("multi-hot", logit, record["accuracy"]["line"])
    short = write_model(folder, "short", more=more.replace("3, 2", "2, 3"), rows=50)
    beyond = write_model(folder, "beyond", more=more, rows=49, ids="dictionary")
    damaged = shutil.copytree(data, os.path.join(folder, "damaged"))
    with open(os.path.join(damaged, "day_23_sparse_multi_hot.npz"), "r+b") as f:
        f.seek(f.read().index(b"PK\1\2") - 1)  # the last member ends where the list of members begins
        last = f.read(1)
        f.seek(-1, 1)
        f.write(bytes([last[0] ^ 1]))
    for model, data, why in (
            (short, data, "0.npy is int32 [301,3]; wanted: int32 [301,2] (input.hots)"),
            (beyond, data, "category 0 has 49, and its table has 49 rows (input.rows)"),
            (model, damaged, "damaged/day_23_sparse_multi_hot.npz: '25.npy' is damaged: its check sum is not")):
        said = call("samples", "dlrm", "--model", model, "--dataset", data, "--index", "0", "--output",
                    os.path.join(folder, "x.npy"), code=3).stderr
        if why not in said:
            sys.exit(f"not said: {why}: {said}")


def check_synthetic(folder):
    """Numbers that a logarithm can give, and indices within the tables."""
    rows = [100000, 39043, 17289, 7420, 20263, 3, 7120, 1543, 63, *[100000] * 3, 10, 2208, 11938, 155, 4, 976, 14,
            *[100000] * 4, 12972, 108, 36]  # as dlrm-synthetic.yaml says
    path = os.path.join(folder, "x.npy")
    for index in range(8):
        for tensor in (0, 1):
            call("samples", "dlrm", "--count", "8", "--index", str(index), "--input", str(tensor), "--output", path)
            with open(path, "rb") as f:
                data = f.read()[128:]
            values = struct.unpack(f"<{len(data) // (8 if tensor else 4)}{'q' if tensor else 'f'}", data)
            if not all(0 <= v < (rows[i % 26] if tensor else 10) for i, v in enumerate(values)):
                sys.exit(f"synthetic sample {index}, input {tensor}: {min(values)} to {max(values)}")


def check_faults(folder, data):
    """(manifest's changes, what is said)"""
    names = {"sum": ("dense", "offsets", "indices", "predictions"), "turned": ("indices", "offsets", "dense", "predictions")}
    for name, tables, model, more, why in (
            ("nan", False, {"kind": "nan"}, "", "sample "),  # of the response, not of the log
            ("turned", False, {"names": names["turned"]}, "", "dlrm: the model's first input is 'indices'"),
            ("official", True, {}, ", offsets: starts", "dlrm: the model's second input is 'offsets'"),
            ("big", False, {}, "", "dlrm: the model takes 832.0 GB and 16 loaded samples")):
        manifest = write_model(folder, name, tables, more=more, rows=2_000_000_000 if name == "big" else MODULUS, **model)
        record = run(manifest, data, "Offline", "accuracy", code=3)
        if not record["error"]["text"].startswith(why):
            sys.exit(f"{name}: not said: {why}: {record['error']['text']}")
        print(record["error"]["text"])


def write_npz(path, values, method):
    header = f"{{'descr': '<i4', 'fortran_order': False, 'shape': ({len(values)},), }}".encode()
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    array = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + struct.pack(f"<{len(values)}i", *values)
    with zipfile.ZipFile(path, "w", method) as z:
        z.writestr("unique.npy", array)


def check_real(folder):
    """The first half of the real rows, with dictionaries of all of them."""
    data = os.path.join(folder, "real")
    os.mkdir(data)
    os.symlink(os.path.join(DATA, "day_23_mini"), os.path.join(data, "day_23"))
    with open(os.path.join(DATA, "day_23_mini"), encoding="ascii") as f:
        columns = zip(*[line.rstrip("\n").split("\t")[14:] for line in f])
    for j, column in enumerate(columns):
        values = list(dict.fromkeys(int(v, 16) % 40000000 if v else 0 for v in column))
        write_npz(os.path.join(data, f"day_fea_dict_{j}.npz"), values, zipfile.ZIP_DEFLATED if j % 2 else zipfile.ZIP_STORED)
    made = []
    for tensor, name in enumerate(("dense", "indices")):
        path = os.path.join(folder, name + ".npy")
        call("samples", "dlrm", "--model", write_model(folder, "real", ids="dictionary", rows=150), "--dataset", data, "--index",
             "0", "--input", str(tensor), "--output", path)
        with open(path, "rb") as f:
            made.append(f.read()[128:])
    with open(os.path.join(GOLDEN, "mini.txt"), encoding="ascii") as f:
        want = [line.split()[0] for line in f][:75]
    found = [hashlib.sha256(made[0][i * 52:i * 52 + 52] + made[1][i * 208:i * 208 + 208]).hexdigest()[:32] for i in range(75)]
    if found != want:
        sys.exit("the real rows differ from the golden ones")


def main():
    if not os.path.exists(os.path.join(os.environ["ASSAY_PREFIX"], "lib/assay/engines/onnxruntime.so")):
        return 77
    with tempfile.TemporaryDirectory() as folder:
        rows = tiny.rows(ROWS)
        half = rows[:(ROWS + 1) // 2]
        parts = samples(half)
        raw, binary = os.path.join(folder, "raw"), os.path.join(folder, "binary")
        os.mkdir(raw)
        os.mkdir(binary)
        tiny.write_raw(os.path.join(raw, "day_23"), rows)
        tiny.write_binary(os.path.join(binary, "terabyte_processed_test.bin"), half, MODULUS)
        pairs, tables = write_model(folder, "pairs"), write_model(folder, "tables", True)
        for batch, lanes in (("1", "1"), ("4", "2"), ("64", "1")):
            check_accuracy(pairs, raw, parts, "Offline", "--batch", batch, "--lanes", lanes)
        check_accuracy(tables, raw, parts, "Offline", "--batch", "4", "--lanes", "2")
        check_accuracy(pairs, raw, parts[:3], "Offline", "--count", "3")
        check_accuracy(pairs, raw, parts, "Server", "--lanes", "2")
        check_accuracy(tables, binary, parts, "Server")
        check_accuracy(write_model(folder, "kept", True, ids="dictionary"), binary, parts, "Offline")
        check_scores(tables, binary, parts, folder)
        truth = run(write_model(folder, "truth", kind="truth", target=99.9), raw, "Offline", "accuracy")
        if not truth["accuracy"]["line"].startswith("AUC=100.000%, accuracy=100.000%"):
            sys.exit(f"the truth: {truth['accuracy']['line']}")
        run(tables, raw, "Offline", "performance", "--min-duration-ms", "500")
        run(pairs, raw, "Server", "performance", "--target-qps", "200", "--target-latency-ms", "1000", "--min-duration-ms", "500")
        check_faults(folder, raw)
        check_multi_hot(folder)
        check_synthetic(folder)
        if os.path.isdir(DATA):
            check_real(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())

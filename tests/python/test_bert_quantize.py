# test: serial.  BERT's samples calibrate a model in int8
"""`assay quantize` on a small transformer-like model, written byte by byte, with BERT's made-up samples: products with
weights are in int8, what is masked stays masked, and the logits of a run differ from fp32's by little."""
import array
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

from tiny_bert import FLOAT, INT64, node, number, part, value

ASSAY = os.path.join(os.environ["ASSAY_PREFIX"], "bin", "assay")
WIDTH, WORDS = 32, 30522
BOUND = 0.03  # root mean square of the difference, as a part of fp32's deviation
MANIFEST = """schema: 1
name: {name}
benchmark: bert
precision: {precision}
files: {{onnx: {name}.onnx}}
input: {{ids: ids, mask: mask, types: types, length: -1}}
output: {{start: start, end: end}}
"""


def integer(name, i):
    return part(5, part(1, name), number(3, i), number(20, 2))


def weights(name, rng, *dims):
    count = 1
    for d in dims:
        count *= d
    data = array.array("f", (rng.gauss(0, dims[0] ** -0.5 if dims[0] < WORDS else 1) for _ in range(count)))
    return part(5, *[number(1, d) for d in dims], number(2, FLOAT), part(8, name), part(9, data.tobytes()))


def constant(name, kind, *content):
    return part(1, part(2, name), part(4, "Constant"), part(5, part(1, kind), *content))


def real(name, x):
    return constant(name, "value_float", struct.pack("<Bf", 2 << 3 | 5, x), number(20, 1))


def write(path):
    """Words, a layer with a sum behind it whose second side is a mask of -10000, a layer, and the logits."""
    rng = random.Random(5)
    nodes = [node("Gather", ["words", "ids"], "x"), node("MatMul", ["x", "w1"], "h1"), node("Add", ["h1", "b1"], "h2"),
             node("Cast", ["mask"], "m1", integer("to", FLOAT)), node("Cast", ["types"], "t1", integer("to", FLOAT)),
             real("one", 1.0), real("low", -10000.0), constant("last", "value_ints", number(8, 2), number(20, 7)),
             node("Sub", ["one", "m1"], "m2"), node("Mul", ["m2", "low"], "m3"), node("Unsqueeze", ["m3", "last"], "m4"),
             node("Add", ["h2", "m4"], "h3"), node("Relu", ["h3"], "h4"), node("MatMul", ["h4", "w2"], "h5"),
             node("Unsqueeze", ["t1", "last"], "t2"), node("Add", ["h5", "t2"], "h6"), node("MatMul", ["h6", "w3"], "y"),
             *[constant(f"n{i}", "value_int", number(3, i), number(20, 2)) for i in (0, 1)],
             node("Gather", ["y", "n0"], "start", integer("axis", 2)), node("Gather", ["y", "n1"], "end", integer("axis", 2))]
    tables = [weights("words", rng, WORDS, WIDTH), weights("w1", rng, WIDTH, 4 * WIDTH), weights("b1", rng, 4 * WIDTH),
              weights("w2", rng, 4 * WIDTH, WIDTH), weights("w3", rng, WIDTH, 2)]
    graph = part(7, *nodes, part(2, "small"), *tables,
                 *[value(11, n, INT64, (None, None)) for n in ("ids", "mask", "types")],
                 *[value(12, n, FLOAT, (None, None)) for n in ("start", "end")])
    with open(path, "wb") as f:
        f.write(number(1, 7) + graph + part(8, number(2, 13)))


def call(*words):
    done = subprocess.run([ASSAY, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"assay {' '.join(words)}: exit code {done.returncode}: {done.stdout} {done.stderr}")
    return done.stdout


def logits(model):
    record = json.loads(call("run", "bert", "--engine", "onnxruntime", "--model", model, "--count", "60", "--scenario",
                             "Offline", "--mode", "accuracy", "--batch", "4", "--warmup-s", "0.1", "--json"))
    with open(os.path.join(call("results", "path").strip(), "mlperf_log_accuracy.json"), encoding="utf-8") as f:
        entries = {e["qsl_idx"]: bytes.fromhex(e["data"]) for e in json.load(f)}
    data = b"".join(entries[i] for i in sorted(entries))
    return record, struct.unpack(f"<{len(data) // 4}f", data)


def main():
    if not os.path.exists(os.path.join(os.environ["ASSAY_PREFIX"], "lib/assay/engines/onnxruntime.so")):
        return 77
    with tempfile.TemporaryDirectory() as folder:
        for name, precision in (("small", "fp32"), ("small8", "int8")):
            with open(os.path.join(folder, name + ".yaml"), "w", encoding="utf-8") as f:
                f.write(MANIFEST.format(name=name, precision=precision))
        model, made = (os.path.join(folder, n) for n in ("small", "small8"))
        write(model + ".onnx")
        said = json.loads(call("quantize", model + ".onnx", "--model", model + ".yaml", "--count", "30", "--output",
                               made + ".onnx", "--json"))
        if said["quantized"] != 3 or said["dataset"][:19] != "synthetic questions":
            sys.exit(f"three products are wanted in int8: {said}")
        record, want = logits(model + ".yaml")
        again, got = logits(made + ".yaml")
        if record["engine"]["precision"] != "fp32" or again["engine"]["precision"] != "int8":
            sys.exit(f"precisions: {record['engine']['precision']}, {again['engine']['precision']}")
        mean = sum(want) / len(want)
        error = (sum((g - w) ** 2 for g, w in zip(got, want)) / sum((w - mean) ** 2 for w in want)) ** 0.5
        print(f"{len(want)} logits, error {error:.4f} of their deviation")
        if len(got) != len(want) or not 1e-5 < error <= BOUND:
            sys.exit(f"the error is to lie below {BOUND}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

# test: serial.  BERT's runs on a model of some hundred bytes
"""`assay run bert` on ONNX Runtime with tiny_bert.py's model: the payloads and the score are those that Python computes,
with a fixed and a free sequence axis, in any batch, filled up or not, on any number of lanes; and each scenario is VALID."""
import json
import os
import struct
import subprocess
import sys
import tempfile

import squad_reference as reference
import tiny_bert

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
DATA = os.path.join(os.environ.get("ASSAY_TEST_DATA") or os.path.join(ROOT, "..", "shared", "data"), "squad-mini")
PREFIX = os.environ["ASSAY_PREFIX"]
MANIFEST = """schema: 1
name: tiny-{name}
benchmark: bert
files: {{onnx: {name}.onnx}}
input: {{ids: ids, mask: mask, types: types, length: {length}}}
output: {{start: start, end: end}}
"""
# name: the model's batch and length, the manifest's length, and what the record says about padding
MODELS = {"one": (1, 384, 384, None), "fixed": (None, 384, 384, None),
          "free": (None, None, -1, "batches padded to their longest sample"),
          "held": (None, 384, -1, "samples padded to 384: the model's sequence axis is fixed")}


def run(folder, model, scenario, mode, *more):
    command = [os.path.join(PREFIX, "bin", "assay"), "run", "bert", "--engine", "onnxruntime", "--model",
               os.path.join(folder, model + ".yaml"), "--dataset", DATA, "--scenario", scenario, "--mode", mode,
               "--warmup-s", "0.2", "--json", *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    record = json.loads(done.stdout) if done.stdout.strip() else {}
    if done.returncode or record.get("status") != "done" or not record["verdict"]["valid"]:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}: {record.get('verdict')} {done.stderr}")
    return record


def payloads():
    """The newest run's, by sample."""
    done = subprocess.run([os.path.join(PREFIX, "bin", "assay"), "results", "path"], capture_output=True, text=True,
                          check=True)
    with open(os.path.join(done.stdout.strip(), "mlperf_log_accuracy.json"), encoding="utf-8") as f:
        return {entry["qsl_idx"]: bytes.fromhex(entry["data"]) for entry in json.load(f)}


def check_accuracy(folder, model, questions, ids, lanes, batch, scenario="Offline", *more):
    record = run(folder, model, scenario, "accuracy", "--lanes", lanes, "--batch", batch, *more)
    features = [f for q in questions for f in q.features]
    pairs = {f: tiny_bert.outputs(*f.inputs(ids)) for f in features}
    if MODELS[model][2] < 0:
        pairs = {f: p[:len(f.tokens)] for f, p in pairs.items()}
    found = payloads()
    wrong = [i for i, f in enumerate(features) if found[i] != b"".join(struct.pack("<2f", *p) for p in pairs[f])]
    want = reference.score([(reference.answer(q, [pairs[f] for f in q.features]), q.truths) for q in questions])
    notes = record["verdict"]["notes"]
    print(model, lanes, batch, record["accuracy"]["line"], notes, record["stages"]["packed_bytes"])
    filled = int(batch) if "fixed_batch=on" in more and batch != "1" else None
    if record["engine"].get("fixed_batch") != filled or ("filled up" in str(notes)) != bool(filled):
        sys.exit(f"{model}: batches filled up to {record['engine'].get('fixed_batch')}, not to {filled}: {notes}")
    if wrong or record["accuracy"]["line"] != want or (MODELS[model][3] and MODELS[model][3] not in notes):
        sys.exit(f"{model}: {len(wrong)} wrong payloads; {record['accuracy']['line']}, Python {want}; {notes}")
    return record["stages"]["packed_bytes"]


def main():
    if not os.path.isdir(DATA) or not os.path.exists(os.path.join(PREFIX, "lib/assay/engines/onnxruntime.so")):
        return 77
    vocabulary = reference.Vocabulary(os.path.join(DATA, "vocab.txt"))
    questions = reference.read(os.path.join(DATA, "dev-mini-v1.1.json"), vocabulary.tokenise)
    with tempfile.TemporaryDirectory() as folder:
        for name, (batch, length, manifest, _) in MODELS.items():
            tiny_bert.write(os.path.join(folder, name + ".onnx"), batch, length)
            with open(os.path.join(folder, name + ".yaml"), "w", encoding="utf-8") as f:
                f.write(MANIFEST.format(name=name, length=manifest))
        packed = {}
        for model, lanes, batch in [("one", "1", "1"), ("fixed", "1", "4"), ("free", "1", "1"), ("free", "1", "4"),
                                    ("free", "2", "4"), ("free", "2", "32"), ("held", "2", "4")]:
            packed[model, lanes, batch] = check_accuracy(folder, model, questions, vocabulary.ids, lanes, batch)
        # 4 neighbours in order of length are hardly longer than each: what is packed is what there is.
        there = sum(len(f.tokens) for q in questions for f in q.features) * 3 * 8
        if packed["free", "1", "1"] or packed["free", "1", "4"] > there * 1.1 or packed["held", "2", "4"] < there * 2:
            sys.exit(f"{there} bytes are there, packed were {packed}")
        # Batches of one size: copies of the last sample behind it, of which nobody hears.
        for model, lanes, batch, scenario in [("one", "1", "1", "Offline"), ("free", "2", "32", "Offline"),
                                              ("held", "2", "8", "Server")]:
            check_accuracy(folder, model, questions, vocabulary.ids, lanes, batch, scenario, "--option",
                           "fixed_batch=on")
        # In Server those of about one length go together when they may wait: how many there are to choose from is the
        # machine's doing (tests/unit/batch counts without one), what is answered is not.
        order, group = (check_accuracy(folder, "free", questions, vocabulary.ids, "1", "8", "Server", "--batch-wait-ms",
                                       wait) - there for wait in ("0", "200"))
        print(f"Server: {order} bytes of padding in order of arrival, {group} by length")
        for scenario, more in (("SingleStream", ()), ("Server", ("--target-qps", "500", "--target-latency-ms", "2000")),
                               ("Server", ("--target-qps", "500", "--target-latency-ms", "2000", "--batch", "8",
                                           "--batch-wait-ms", "20")), ("Offline", ())):
            run(folder, "free", scenario, "performance", "--min-duration-ms", "500", *more)
    return 0


if __name__ == "__main__":
    sys.exit(main())

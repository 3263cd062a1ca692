# test: serial.  RNN-T's runs on graphs that say known texts
"""`assay run rnnt` on ONNX Runtime with tiny_rnnt.py's graphs: each utterance of the test data is decoded to its
transcript on any number of lanes, in every scenario; the log's payload is that, as int64 or int8; a joint network that
never says blank is stopped after 30 characters a step; and the score of a log with errors is the one that Python
computes."""
import functools
import json
import os
import struct
import subprocess
import sys
import tempfile

import tiny_rnnt
from tiny_rnnt import VOCABULARY

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
DATA = os.path.join(os.environ.get("ASSAY_TEST_DATA") or os.path.join(ROOT, "..", "shared", "data"), "speech-mini")
PREFIX = os.environ["ASSAY_PREFIX"]
ASSAY = os.path.join(PREFIX, "bin", "assay")


def run(model, scenario, mode, *more, data=DATA, code=0):
    command = [ASSAY, "run", "rnnt", "--engine", "onnxruntime", "--model", model, "--dataset", data, "--scenario", scenario,
               "--mode", mode, "--warmup-s", "0.2", "--json", *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    record = json.loads(done.stdout) if done.stdout.strip() else {}
    if done.returncode != code or record.get("status") != "done" or not record["verdict"]["valid"]:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}: {record.get('verdict')} {done.stderr}")
    return record


def log_path():
    done = subprocess.run([ASSAY, "results", "path"], capture_output=True, text=True, check=True)
    return os.path.join(done.stdout.strip(), "mlperf_log_accuracy.json")


def payloads():
    """The newest run's, by sample."""
    with open(log_path(), encoding="utf-8") as f:
        return {entry["qsl_idx"]: bytes.fromhex(entry["data"]) for entry in json.load(f)}


def pack(text, kind):
    labels = [VOCABULARY.index(c) for c in text]
    return struct.pack(f"<{len(labels)}{kind}", *labels)


def check_decoding(model, kind, utterances, *more):
    record = run(model, "Offline", "accuracy", *more)
    found = payloads()
    wrong = [i for i, (_, text) in enumerate(utterances) if found[i] != pack(text, kind)]
    accuracy = record["accuracy"]
    if wrong or accuracy["line"] != "Word Error Rate: 0.0%, accuracy=100.0%" or not accuracy["passed"] or \
            abs(accuracy["target"] - 0.99 * 92.548) > 1e-9:
        sys.exit(f"{model} {more}: wrong: {wrong}; {accuracy}")


def distance(truth, found):
    @functools.lru_cache(None)
    def d(i, k):
        if not i or not k:
            return i + k
        return min(d(i - 1, k) + 1, d(i, k - 1) + 1, d(i - 1, k - 1) + (truth[i - 1] != found[k - 1]))
    return d(len(truth), len(found))


def check_score(folder, model, utterances):
    """A log with a lost word, a wrong one, an empty transcript, one listed twice, and one that is missing."""
    texts = {0: utterances[0][1].replace(" hurt", ""), 1: utterances[1][1].replace("tue", "two  "), 2: "",
             3: utterances[3][1] + " 's", 4: utterances[4][1]}
    entries = [(4, "of another run")] + list(texts.items())
    path = os.path.join(folder, "log.json")
    with open(path, "w", encoding="utf-8") as f:
        rows = [f'{{ "seq_id" : {n}, "qsl_idx" : {i}, "data" : "{pack(t, "q").hex().upper()}" }}'
                for n, (i, t) in enumerate(entries)]
        f.write("[\n" + ",\n".join(rows) + "\n]\n")
    errors = sum(distance(tuple(utterances[i][1].split()), tuple(t.split())) for i, t in texts.items())
    wer = errors / sum(len(utterances[i][1].split()) for i in texts)
    want = f"Word Error Rate: {wer * 100}%, accuracy={(1 - wer) * 100}%"
    done = subprocess.run([ASSAY, "score", "rnnt", "--model", model, "--dataset", DATA, "--log", path],
                          capture_output=True, text=True, check=False)
    if want not in done.stdout or done.returncode != 5:
        sys.exit(f"score: exit code {done.returncode}, wanted 5 and {want}: {done.stdout} {done.stderr}")


def check_refused(folder, name, change, want):
    model = tiny_rnnt.model(folder, name, {96: "a"})
    change(os.path.join(folder, name))
    done = subprocess.run([ASSAY, "run", "rnnt", "--engine", "onnxruntime", "--model", model, "--count", "2"],
                          capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if line.startswith("assay: ")]
    if done.returncode != 3 or len(said) != 1 or want not in said[0]:
        sys.exit(f"{name}: exit code {done.returncode}, wanted 3 and {want}: {done.stderr}")


def check_bad_models(folder):
    def cut(model):
        os.truncate(os.path.join(model, "joint.onnx"), 300)

    def empty(model):
        for file in os.listdir(model):
            os.remove(os.path.join(model, file))
    check_refused(folder, "lacking", lambda m: os.remove(os.path.join(m, "joint.onnx")),
                  "has no joint.onnx for the graph 'joint', but encoder.onnx, prediction.onnx")
    check_refused(folder, "extra", lambda m: tiny_rnnt.encoder(os.path.join(m, "spare.onnx")),
                  "spare.onnx: is none of the graphs 'encoder', 'prediction', 'joint'")
    check_refused(folder, "named", lambda m: tiny_rnnt.encoder(os.path.join(m, "encoder.onnx"), "audio"),
                  "graph 'encoder': onnxruntime: the model has no input 'frames', but 'audio'")
    check_refused(folder, "swapped", lambda m: tiny_rnnt.joint(os.path.join(m, "encoder.onnx"), {96: "a"}),
                  "graph 'encoder': onnxruntime: the model takes 2 inputs, the benchmark has 1")
    check_refused(folder, "cut", cut, "joint.onnx (300 bytes) is cut off or no ONNX file")
    check_refused(folder, "empty", empty, "has no .onnx file; wanted: one for each graph")


def main():
    if not os.path.isdir(DATA) or not os.path.exists(os.path.join(PREFIX, "lib/assay/engines/onnxruntime.so")):
        return 77
    with open(os.path.join(DATA, "speech-mini-wav.json"), encoding="utf-8") as f:
        entries = [(e["files"][0]["num_samples"], e["transcript"]) for e in json.load(f)]
    utterances = [(-(-(-(-n // 160)) // 3), text) for n, text in entries]
    with tempfile.TemporaryDirectory() as folder:
        wide = tiny_rnnt.model(folder, "wide", dict(utterances))
        narrow = tiny_rnnt.model(folder, "narrow", dict(utterances), payload="int8")
        endless = tiny_rnnt.model(folder, "endless", dict(utterances), endless=True)
        check_decoding(wide, "q", utterances)
        check_decoding(wide, "q", utterances, "--lanes", "2", "--threads", "1")
        check_decoding(wide, "q", utterances, "--lanes", "2", "--threads", "2")
        check_decoding(narrow, "b", utterances)
        run(endless, "Offline", "accuracy", code=5)  # a poor accuracy
        lengths = {i: len(data) // 8 for i, data in payloads().items()}
        if lengths != {i: 30 * (-(-rows // 2)) for i, (rows, _) in enumerate(utterances)}:
            sys.exit(f"without blank: {lengths}")
        check_score(folder, wide, utterances)
        check_bad_models(folder)
        # LibriSpeech's own form, FLAC: one utterance.
        record = run(wide, "SingleStream", "accuracy", data=os.path.join(DATA, "2412"))
        if record["accuracy"]["line"] != "Word Error Rate: 0.0%, accuracy=100.0%":
            sys.exit(f"FLAC: {record['accuracy']}")
        for scenario, more in (("SingleStream", ()), ("Server", ("--target-qps", "100", "--target-latency-ms", "60000")), ("Offline", ())):
            run(wide, scenario, "performance", "--min-duration-ms", "500", *more)
    return 0


if __name__ == "__main__":
    sys.exit(main())

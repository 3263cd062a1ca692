# test: serial.  RNN-T's runs on graphs that say known texts
"""`assay run rnnt` with tiny_rnnt.py's graphs, on every engine that is here: each utterance of the test data is decoded
to its transcript on any number of lanes; a folder that lacks a file, has a broken one or one too many is refused with
the file's name.  On ONNX Runtime besides: every scenario; the log's payload as int64 or int8; a joint network that never
says blank is stopped after 30 characters a step; and the score of a log with errors is the one that Python computes."""
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
ENGINES = {"onnxruntime": "onnx", "pytorch": "torchscript", "openvino": "onnx", "tensorflow": "tensorflow"}


def run(model, scenario, mode, *more, engine="onnxruntime", data=DATA, code=0):
    command = [ASSAY, "run", "rnnt", "--engine", engine, "--model", model, "--dataset", data, "--scenario", scenario,
               "--mode", mode, "--warmup-s", "0.2", "--json", *more]
    for _ in range(3):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        record = json.loads(done.stdout) if done.stdout.strip() else {}
        reasons = record.get("verdict", {}).get("reasons", [])
        if not reasons or not all("major page fault" in r for r in reasons):
            break  # else the machine was short of memory for others: no fault of the run's
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


def check_decoding(model, kind, utterances, *more, **how):
    record = run(model, "Offline", "accuracy", *more, **how)
    found = payloads()
    wrong = [i for i, (_, text) in enumerate(utterances) if found[i] != pack(text, kind)]
    accuracy = record["accuracy"]
    if wrong or accuracy["line"] != "Word Error Rate: 0.0%, accuracy=100.0%" or not accuracy["passed"] or \
            abs(accuracy["target"] - 0.99 * 92.548) > 1e-9:
        sys.exit(f"{model} {more} {how}: wrong: {wrong}; {accuracy}")


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
    entries = [(4, "of another run")] + list(texts.items())  # each counts
    path = os.path.join(folder, "log.json")
    with open(path, "w", encoding="utf-8") as f:
        rows = [f'{{ "seq_id" : {n}, "qsl_idx" : {i}, "data" : "{pack(t, "q").hex().upper()}" }}'
                for n, (i, t) in enumerate(entries)]
        f.write("[\n" + ",\n".join(rows) + "\n]\n")
    errors = sum(distance(tuple(utterances[i][1].split()), tuple(t.split())) for i, t in entries)
    wer = errors / sum(len(utterances[i][1].split()) for i, _ in entries)
    want = f"Word Error Rate: {wer * 100}%, accuracy={(1 - wer) * 100}%"
    done = subprocess.run([ASSAY, "score", "rnnt", "--model", model, "--dataset", DATA, "--log", path],
                          capture_output=True, text=True, check=False)
    if want not in done.stdout or done.returncode != 5:
        sys.exit(f"score: exit code {done.returncode}, wanted 5 and {want}: {done.stdout} {done.stderr}")


def check_refused(folder, engine, name, change, want):
    kind = ENGINES[engine]
    model = tiny_rnnt.model(folder, f"{engine}-{name}", {96: "a"}, kind=kind)
    within = model.removesuffix(".yaml")
    change(tiny_rnnt.WRITERS[kind], lambda graph: tiny_rnnt.file_of(within, graph, kind))
    done = subprocess.run([ASSAY, "run", "rnnt", "--engine", engine, "--model", model, "--count", "2"],
                          capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if line.startswith("assay: ")]
    if done.returncode != 3 or len(said) != 1 or want not in said[0]:
        sys.exit(f"{engine} {name}: exit code {done.returncode}, wanted 3 and {want}: {done.stderr}")


def check_bad_models(folder, engine):
    def empty(_, file):
        for graph in ("encoder", "prediction", "joint"):
            os.remove(file(graph))
    refused = functools.partial(check_refused, folder, engine)
    ending = tiny_rnnt.ENDINGS[ENGINES[engine]]
    others = {"torchscript": " or joint.torchscript", "tensorflow": " or joint.tensorflow"}.get(ENGINES[engine], "")
    refused("lacking", lambda _, file: os.remove(file("joint")),
            f"{engine}-lacking: has no joint{ending}{others} for the graph 'joint', but encoder{ending}, prediction{ending}")
    refused("extra", lambda w, file: w.encoder(file("spare")),
            f"{engine}-extra/spare{ending}: is none of the graphs 'encoder', 'prediction', 'joint'")
    refused("named", lambda w, file: w.encoder(file("encoder"), "audio"),
            f"graph 'encoder': {engine}: the model has no input 'frames', but 'audio")
    refused("swapped", lambda w, file: w.joint(file("encoder"), tiny_rnnt.table({96: "a"})),
            f"graph 'encoder': {engine}: the model takes 2 inputs, the benchmark has 1"
            if engine != "tensorflow" else  # which runs a graph when it opens it
            "swapped/encoder.pb: inference: encoded:0 is both fed and fetched")
    refused("cut", lambda _, file: os.truncate(file("joint"), 300), f"joint{ending} (300 bytes)")
    refused("empty", empty, "file; wanted: one for each graph")


def check_engine(folder, engine, utterances):
    """The same transcripts as ONNX Runtime's."""
    kind = ENGINES[engine]
    model = tiny_rnnt.model(folder, engine, dict(utterances), kind=kind)
    with open(os.path.join(folder, engine, "notes.txt"), "w", encoding="utf-8") as f:
        f.write("no graph\n")
    check_decoding(model, "q", utterances, engine=engine)
    check_decoding(model, "q", utterances, "--lanes", "2", "--threads", "1", engine=engine)
    if kind == "torchscript":  # nothing in the file says its shapes: the benchmark's are taken
        foreign = tiny_rnnt.model(folder, "foreign", dict(utterances), kind=kind, facts=False)
        check_decoding(foreign, "q", utterances, engine=engine)
    for scenario in ("SingleStream", "Offline"):
        run(model, scenario, "performance", "--min-duration-ms", "300", engine=engine)
    check_bad_models(folder, engine)


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
        check_bad_models(folder, "onnxruntime")
        # LibriSpeech's own form, FLAC: one utterance.
        record = run(wide, "SingleStream", "accuracy", data=os.path.join(DATA, "2412"))
        if record["accuracy"]["line"] != "Word Error Rate: 0.0%, accuracy=100.0%":
            sys.exit(f"FLAC: {record['accuracy']}")
        for scenario, more in (("SingleStream", ()), ("Server", ("--target-qps", "100", "--target-latency-ms", "60000")), ("Offline", ())):
            run(wide, scenario, "performance", "--min-duration-ms", "500", *more)
        for engine in list(ENGINES)[1:]:
            if os.path.isdir(os.path.join(PREFIX, "lib/assay/runtimes", engine)):
                check_engine(folder, engine, utterances)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The same work for Assay and for a bare loop on ONNX Runtime: parts d and e of run.py.

A benchmark's samples are turned into the list of calls that Assay makes of the model (jobs.h): the same batches, the
same lengths and windows, the same steps of a greedy decoding.  How many calls Assay really made stands in its record,
and a list with another number ends the suite."""

import ast
import json
import math
import os
import struct
import sys

import peers

ENGINE = "onnxruntime"
STEPS = "{} calls of the model by Assay, {} in the bare loop's list: not the same work"


def samples_of(assay, benchmark, words, count, which):
    """Shape and bytes of input `which` of each of the first samples, as the engine would get it."""
    path = assay.work / "sample.npy"
    for index in range(count):
        peers.call([assay.program, "samples", benchmark, "--index", str(index), "--input", str(which), "--output",
                    path, "--cache", assay.cache] + words)
        raw = path.read_bytes()
        begin = 10 + int.from_bytes(raw[8:10], "little")
        yield ast.literal_eval(raw[10:begin].decode())["shape"], raw[begin:]


class Work:
    """One benchmark: `count` samples in batches of `batch`, `repeats` times over, on one lane of all CPUs' threads."""
    benchmark, title, count, batch, repeats, usual_rounds = "", "", 4, 1, 1, 2

    def __init__(self, assay, build, quick):
        self.assay, self.build = assay, build
        self.threads = len(os.sched_getaffinity(0))
        if quick:
            self.repeats = max(1, self.repeats // 2)
        self.words = ["--count", str(self.count)]
        self.lines, self.data = self.jobs()
        self.path = assay.work / f"{self.benchmark}.jobs"
        self.path.write_text("\n".join(self.lines) + "\n")

    def settings(self):
        n = self.count * self.repeats
        return self.words + ["--lanes", "1", "--threads", str(self.threads), "--batch", str(self.batch), "--option",
                             "spinning=on", "--min-query-count", str(n), "--min-duration-ms", "1000",
                             "--target-qps", "1"]

    def jobs(self):
        """The lines of jobs.h, and files of inputs whose values count."""
        return ["1"] * self.count, {}

    def calls(self):
        """Of the model, in all lines."""
        return sum(int((word.split("*") + ["1"])[1]) for line in self.lines for word in line.split())

    def run(self):
        got = self.assay.run("Offline", ENGINE, self.settings(), self.benchmark)
        made, listed = got["stages"]["batches"], self.calls() * self.repeats
        if made != listed:
            raise peers.Failed(f"{self.benchmark}: {STEPS.format(made, listed)}")
        return got

    def bare(self):
        runtime = next((self.build / "lib" / "assay" / "runtimes" / ENGINE).glob("libonnxruntime.so.1*"))
        words = {"library": runtime, "model": self.assay.model_path(self.benchmark, ENGINE), "scenario": "Jobs",
                 "jobs": self.path, "lanes": 1, "threads": self.threads, "spin": 1,
                 "count": len(self.lines) * self.repeats}
        command = [self.build / "bench" / "bare_onnx"] + [w for k, v in words.items() for w in (f"--{k}", str(v))]
        for name, path in self.data.items():
            command += ["--data", f"{name}={path}"]
        seconds = json.loads(peers.call(command))["seconds"]
        return {"rate": self.count * self.repeats / seconds}

    def describe(self):
        return f"{self.count} samples" + (f", {self.repeats} times" if self.repeats > 1 else "")


class Retinanet(Work):
    benchmark, title, count = "retinanet", "RetinaNet", 4

    def describe(self):
        return f"{self.count} images"


class Bert(Work):
    """Windows of questions in order of length, as Offline puts them."""
    benchmark, title, batch = "bert", "BERT", 2
    questions = 16

    def jobs(self):
        folder = squad_part(self.assay.work, self.questions)
        self.words = ["--dataset", str(folder)] if folder else ["--count", str(self.questions)]
        self.count = len(squad_lengths(folder)) if folder else self.questions
        shapes = [shape for shape, _ in samples_of(self.assay, "bert", self.words, self.count, 0)]
        self.lengths = sorted((shape[0] for shape in shapes), reverse=True)
        batches = [self.lengths[i:i + self.batch] for i in range(0, self.count, self.batch)]
        return [f"{len(b)}x{b[0]}" for b in batches], {}

    def describe(self):
        return (f"{self.count} windows of {self.questions} questions, {sum(self.lengths) / self.count:.0f} tokens on "
                f"average, batches of {self.batch}")


class Unet(Work):
    """A sample is so many windows, each a call."""
    benchmark, title, count = "3d-unet", "3D-UNet", 1

    def jobs(self):
        lines = []
        for shape, _ in samples_of(self.assay, "3d-unet", self.words, self.count, 0):
            lines.append(f"1*{math.prod((side - 128) // 64 + 1 for side in shape[-3:])}")
        return lines, {}

    def describe(self):
        return f"{self.count} small volume, {self.calls()} windows"


class Rnnt(Work):
    """Greedy decoding: the encoder once; the joint network for each of its steps and each label; the prediction network
    for each label, and once at the start.  Labels are counted in the answers of an accuracy run."""
    benchmark, title, count, repeats, usual_rounds = "rnnt", "RNN-T", 8, 2, 4

    def jobs(self):
        answers, record = self.assay.accuracy("rnnt", ENGINE, self.words)
        labels = [len(answers[i]) // 8 for i in range(self.count)]
        rows = [shape[0] for shape, _ in samples_of(self.assay, "rnnt", self.words, self.count, 1)]
        joints = [(n + 1) // 2 + m for n, m in zip(rows, labels)]
        # A step that ends at 30 labels has no blank: such calls are in no answer, but missing in the record's number.
        made, listed = record["stages"]["batches"], sum(joints) + sum(labels) + 2 * self.count
        short = listed - made
        for i in range(self.count):
            less = min(max(short, 0), labels[i] // 30)
            joints[i] -= less
            short -= less
        if short:
            raise peers.Failed(f"rnnt: {STEPS.format(made, listed)}")
        return [self.line(n, m, j) for n, m, j in zip(rows, labels, joints)], {}

    @staticmethod
    def line(rows, labels, joints):
        words = [f"encoder/1x{rows}"]
        for i in range(labels + 1):
            between = joints * (i + 1) // (labels + 1) - joints * i // (labels + 1)
            words += ["prediction/1"] + ([f"joint/1*{between}"] if between else [])
        return " ".join(words)

    def describe(self):
        return f"{self.count} utterances, {self.calls()} calls of the three graphs, {self.repeats} times"


class Dlrm(Work):
    """The pairs of a batch are one call; which rows of the tables are read counts, so indices are Assay's own."""
    benchmark, title, count, batch, repeats, usual_rounds = "dlrm", "DLRM", 64, 32, 4, 4

    def jobs(self):
        files, pairs = {}, []
        for which, name in enumerate(("dense_x", "indices")):
            files[name] = self.assay.work / f"dlrm-{name}"
            with open(files[name], "wb") as f:
                pairs = [(shape[0], f.write(raw))[0]
                         for shape, raw in samples_of(self.assay, "dlrm", self.words, self.count, which)]
        self.pairs = sum(pairs)
        return [str(sum(pairs[i:i + self.batch])) for i in range(0, self.count, self.batch)], files

    def describe(self):
        return f"{self.count} samples of {self.pairs} pairs, {self.repeats} times, batches of {self.batch} samples"


ALL = (Retinanet, Bert, Unet, Rnnt, Dlrm)


# ---- SQuAD's lengths -------------------------------------------------------------------------------------------------

def squad_part(work, questions):
    """A folder with so many questions, taken evenly from the test data's; None: these are not there."""
    files, there = peers.questions()
    if not files:
        return None
    folder = work / f"squad-{questions}"
    if folder.exists():
        return folder
    folder.mkdir()
    os.symlink(os.path.abspath(files[0]), folder / "vocab.txt")
    with open(files[1], encoding="utf-8") as f:
        data = json.load(f)
    chosen = {(2 * i + 1) * there // (2 * questions) for i in range(questions)}
    at = 0
    for article in data["data"]:
        for paragraph in article["paragraphs"]:
            entries = paragraph["qas"]
            paragraph["qas"] = [entry for i, entry in enumerate(entries) if at + i in chosen]
            at += len(entries)
        article["paragraphs"] = [p for p in article["paragraphs"] if p["qas"]]
    data["data"] = [article for article in data["data"] if article["paragraphs"]]
    (folder / "dev-v1.1.json").write_text(json.dumps(data), encoding="utf-8")
    return folder


def reference():
    """The tests' second opinion in plain Python."""
    sys.path.insert(0, str(peers.HERE.parent / "tests" / "python"))
    import squad_reference
    return squad_reference


def squad_read(folder):
    """Its questions, with their windows in the samples' order."""
    plain = reference()
    return plain.read(str(folder / "dev-v1.1.json"), plain.Vocabulary(str(folder / "vocab.txt")).tokenise)


def squad_lengths(folder):
    return [len(window.tokens) for question in squad_read(folder) for window in question.features]


PADDED = """schema: 1
name: bert-384
benchmark: bert
net: bert
input: {ids: input_ids, mask: input_mask, types: segment_ids, dtype: int64, length: 384}
output: {kind: split, start: output_start_logits, end: output_end_logits}
"""


class Padding:
    """BERT Offline with questions at their own lengths, and with all padded to 384, as the official model takes them:
    the same net, by a manifest that says so."""

    def __init__(self, assay, questions, batch=2):
        self.assay, self.folder = assay, squad_part(assay.work, questions)
        if not self.folder:
            raise peers.Missing("no questions (squad-mini of the test data)")
        self.lengths = squad_lengths(self.folder)
        self.padded = assay.work / "bert-384.yaml"
        self.padded.write_text(PADDED)
        self.words = ["--dataset", str(self.folder), "--lanes", "1", "--threads",
                      str(len(os.sched_getaffinity(0))), "--batch", str(batch), "--option", "spinning=on"]

    def model(self, padded):
        return ["--model", str(self.padded)] if padded else []

    def run(self, padded):
        n = len(self.lengths)
        return self.assay.run("Offline", ENGINE, self.words + self.model(padded)
                              + ["--min-query-count", str(n), "--min-duration-ms", "1000", "--target-qps", "1"], "bert")

    def answers(self, padded):
        """Start and end logits of each sample."""
        got, _ = self.assay.accuracy("bert", ENGINE, self.words + self.model(padded))
        return [list(struct.iter_unpack("<2f", got[i])) for i in range(len(self.lengths))]

    def compare(self):
        """How many questions have the same answer, of how many, and the largest difference of a logit.  What the padded
        run says of places behind a sample's end, which the other has not, is left out."""
        own = self.answers(False)
        padded = self.answers(True)
        if [len(row) for row in own] != self.lengths or {len(row) for row in padded} != {384}:
            raise peers.Failed("bert: answers of other lengths than the questions' own, or 384 of the padded run")
        padded = [row[:len(mine)] for row, mine in zip(padded, own)]
        worst = max(abs(x - y) for a, b in zip(own, padded) for p, q in zip(a, b) for x, y in zip(p, q))
        at, same, questions = 0, 0, squad_read(self.folder)
        for question in questions:
            end = at + len(question.features)
            texts = [reference().answer(question, logits[at:end]) for logits in (own, padded)]
            same += texts[0] == texts[1]
            at = end
        return same, len(questions), worst

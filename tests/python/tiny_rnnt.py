"""Three graphs of RNN-T's shape that say known texts: files of some kilobytes, written byte by byte, in each format.

The encoder gives, at each of its steps (every second row of features), the number of rows, by which an utterance is
known, and the step's number.  The prediction network counts labels in its four states, each in its own way, so that a
state that is lost, kept after a blank or put elsewhere counts wrong.  The joint network looks up the next character by
that count: blank while it is too early for it (three characters a step) and behind the last one, 'q' when the label
before is not the one that it should be."""
import collections
import os

import tiny_rnnt_graphdef
import tiny_rnnt_onnx
import tiny_rnnt_torchscript

BLANK = 28
VOCABULARY = " abcdefghijklmnopqrstuvwxyz'"
PER_STEP = 3
WRITERS = {"onnx": tiny_rnnt_onnx, "torchscript": tiny_rnnt_torchscript, "tensorflow": tiny_rnnt_graphdef}
ENDINGS = {"onnx": ".onnx", "torchscript": ".pt", "tensorflow": ".pb"}

# What the joint network looks up.  offsets: of an utterance's rows in the others, by its number of rows.  A row is a
# character (or the blank behind the last): its label, the label before it, and the first step at which it is said; row 0
# is the 'q', row 1 the blank while it is too early.
Table = collections.namedtuple("Table", "width offsets labels before least")


def table(texts):
    """texts: number of rows -> text."""
    t = Table(BLANK + 1, [0] * 502, [VOCABULARY.index("q"), BLANK], [-1, -1], [0, 0])
    for rows, text in texts.items():
        t.offsets[rows] = len(t.labels)
        labels = [VOCABULARY.index(c) for c in text]
        for i, label in enumerate(labels + [BLANK]):
            t.labels.append(label)
            t.before.append(labels[i - 1] if i else BLANK)
            t.least.append(i // PER_STEP)
    return t


MANIFEST = """schema: 1
name: {name}
benchmark: rnnt
files: {{{format}: {name}}}
input: {{encoder: 2, prediction: 2}}
output: {{payload: {payload}}}
reference_accuracy: 92.548
"""


def file_of(folder, graph, kind):
    return os.path.join(folder, graph + ENDINGS[kind])


def model(folder, name, texts, payload="int64", endless=False, kind="onnx", **more):
    """A folder of the three graphs, and its manifest beside it: returns the manifest."""
    within, writer = os.path.join(folder, name), WRITERS[kind]
    os.makedirs(within)
    writer.encoder(file_of(within, "encoder", kind), **more)
    writer.prediction(file_of(within, "prediction", kind), **more)
    writer.joint(file_of(within, "joint", kind), table(texts), endless, **more)
    path = within + ".yaml"
    with open(path, "w", encoding="utf-8") as f:
        f.write(MANIFEST.format(name=name, format=kind, payload=payload))
    return path


if __name__ == "__main__":  # for cases of the command line: tiny_rnnt.py FOLDER NAME [ROWS TEXT]...
    import sys
    model(sys.argv[1], sys.argv[2], {int(r): t for r, t in zip(sys.argv[3::2], sys.argv[4::2])})

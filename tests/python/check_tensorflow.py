#!/usr/bin/env python3
"""A second opinion on nets written for TensorFlow: TensorFlow itself, against ONNX Runtime.

Not part of the normal tests: needs tensorflow (or tensorflow-cpu), onnxruntime and numpy (in any virtual environment).

    python3 tests/python/check_tensorflow.py FILE.pb FILE.onnx [IMAGES]

Both files are one net with one seed.  Checks: TensorFlow imports the graph; its only placeholder and the tensors that
nobody reads have the names, types and shapes of the ONNX model's inputs and outputs; over IMAGES varied images (200)
scores differ by at most 1e-3 of their range, and the class is the same wherever it leads by more than that.
"""
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import onnxruntime as ort
import tensorflow as tf

v1 = tf.compat.v1
MEAN = np.array([123.68, 116.78, 103.94], np.float32).reshape(3, 1, 1)
BATCH = 8


def image(rng, kind, n):
    """Waves, blocks or coloured noise; deliberately not the generator in calibrate.c."""
    y, x = np.mgrid[0:n, 0:n].astype(np.float32) / n
    if kind == 0:
        f, phase = rng.uniform(-30, 30, (3, 2, 1, 1)), rng.uniform(0, 6, (3, 1, 1))
        out = rng.uniform(0, 255, (3, 1, 1)) + 80 * np.sin(f[:, 0] * x + f[:, 1] * y + phase)
    elif kind == 1:
        s = int(rng.choice([4, 7, 14, 28, 56]))
        out = np.kron(rng.uniform(0, 255, (3, -(-n // s), -(-n // s))), np.ones((s, s)))[:, :n, :n]
    else:
        out = rng.uniform(60, 200, (3, 1, 1)) + rng.uniform(5, 60) * rng.standard_normal((3, n, n))
    return (np.clip(out, 0, 255) - MEAN).astype(np.float32)


def open_graph(path):
    definition = v1.GraphDef()
    with open(path, "rb") as f:
        definition.ParseFromString(f.read())
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(definition, name="")
    return graph


def face(name, dtype, shape):
    return (name if ":" in name else name + ":0", dtype, [d if isinstance(d, int) else None for d in shape])


def face_of_graph(graph):
    tensors = [t for op in graph.get_operations() for t in op.outputs]
    describe = lambda t: face(t.name, t.dtype.name, t.shape.as_list())
    return ([describe(t) for t in tensors if t.op.type == "Placeholder"],
            [describe(t) for t in tensors if not t.consumers()])


def face_of_session(session):
    types = {"tensor(float)": "float32", "tensor(int64)": "int64"}
    return tuple([face(t.name, types[t.type], t.shape) for t in ts]
                 for ts in (session.get_inputs(), session.get_outputs()))


def main(pb, onnx, count=200):
    graph = open_graph(pb)
    session = ort.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    inputs, outputs = face_of_graph(graph)
    assert (inputs, outputs) == face_of_session(session), (inputs, outputs, face_of_session(session))
    print("inputs", inputs, "outputs", outputs)

    rng, size = np.random.default_rng(11), inputs[0][2][2]
    images = np.stack([image(rng, i % 3, size) for i in range(count)])
    names = [o[0] for o in outputs]
    mine, theirs = [], []
    with v1.Session(graph=graph) as s:
        for i in range(0, count, BATCH):
            x = images[i:i + BATCH]
            mine.append(s.run(names, {inputs[0][0]: x}))
            theirs.append(session.run(None, {session.get_inputs()[0].name: x}))
    arg, soft = (np.concatenate([m[k] for m in mine]) for k in (0, 1))
    arg_ort, soft_ort = (np.concatenate([t[k] for t in theirs]) for k in (0, 1))

    span = soft_ort.max() - soft_ort.min()
    worst = abs(soft - soft_ort).max()
    order = np.sort(soft_ort, 1)
    clear = order[:, -1] - order[:, -2] > 1e-3 * span
    print(f"{count} images, {len(set(arg_ort))} classes: largest difference {worst:.2e} of a range of {span:.3f}; "
          f"the same class for {(arg == arg_ort).sum()} of {count}, of {clear.sum()} with a clear lead "
          f"{(arg == arg_ort)[clear].sum()}")
    assert np.isfinite(soft).all() and worst <= 1e-3 * span
    assert (arg == soft.argmax(1)).all() and (arg == arg_ort)[clear].all()
    print("good")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(*sys.argv[1:3], *map(int, sys.argv[3:]))

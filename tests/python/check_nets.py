#!/usr/bin/env python3
"""A second opinion on every file of `assay net write`: the engines' own Python packages read it and run it.

Not part of the normal tests: needs onnx, onnxruntime, openvino, tensorflow (or tensorflow-cpu) and torch.

    python3 -m venv v && v/bin/pip install onnx onnxruntime openvino tensorflow-cpu torch
    v/bin/python tests/python/check_nets.py [--assay ASSAY] [--memory GB] [--folder DIR] [NET]...

Each net of `assay net list` (or those named) is written in each of its formats, and as ONNX in int8 where there is
that; one file at a time, which is removed when it was read.  ONNX is read by the ONNX project's checker, ONNX Runtime
and OpenVINO, a GraphDef by TensorFlow and OpenVINO, TorchScript by PyTorch, and so is a checkpoint, whose numbers are
counted; resnet50 besides by a forward pass in numpy of the topology as the papers give it.  Each reader is a process of
its own, and must find inputs and outputs with the names, types and shapes that `assay net list` says, free dimensions
free.  It runs a batch of made-up inputs (the same for all readers) and its first sample alone, which must agree;
outputs must have the types and shapes, be finite, and lie within 1e-3 of the range of ONNX Runtime's, with the same
class wherever the lead is above twice that; images must fall into several classes.  In int8 the root mean square of the
difference from ONNX Runtime's int8 may be 0.3 of the outputs' deviation (probabilities: of their logarithms'): made-up
weights amplify every rounding from layer to layer, and both lie as far from fp32; what is computed wrongly is above 1.

A line a reader and file: the first of a precision "runs", the others say by how much they differ from it.  A reader
that is not installed, or that took more than --memory (5), is left out and says so.  What an engine cannot read, though
it takes the net in another format, is listed below and is "unread".
Exit code: 0 all good, 1 something differs, 77 nothing differs but something was left out.
"""
import argparse
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import time

try:
    import numpy as np
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)

ENDING = {"onnx": "onnx", "tensorflow": "pb", "torchscript": "pt", "checkpoint": "pth"}
READERS = {"onnx": ["onnx", "onnxruntime", "openvino"], "tensorflow": ["tensorflow", "openvino"],
           "torchscript": ["torch"], "checkpoint": ["state dict"]}
PACKAGE = {"numpy": "onnx", "state dict": "torch"}  # of readers that are not called after theirs
BATCH = {"resnet50": 32, "resnet50-torchvision": 32, "check": 32, "retinanet": 1, "3d-unet": 1, "dlrm": 64,
         "dlrm-v2": 64, "rnnt-prediction": 30}  # else 3
WRITTEN_AS = {"dlrm": "dlrm:rows=1000", "dlrm-v2": "dlrm-v2:rows=1000"}
LENGTH = 23  # of sequences
PIXELS = {"resnet50": ([123.68, 116.78, 103.94], 1), "resnet50-torchvision": ([123.675, 116.28, 103.53], 58),
          "check": ([123.68, 116.78, 103.94], 1), "retinanet": ([0] * 3, 255)}  # mean and deviation of what a net takes
NO_LSTM = "its reader of TensorFlow files does not know BlockLSTMV2; it takes the net as ONNX"
UNREAD = {("rnnt-encoder.pb", "openvino"): NO_LSTM, ("rnnt-prediction.pb", "openvino"): NO_LSTM}
BOUND = {"fp32": 1e-3, "int8": 0.3}  # of `difference`


# ---- inputs ----

def image(rng, kind, n):
    """One of several families of pictures, 0 … 255; deliberately not the generator in calibrate.c."""
    y, x = np.mgrid[0:n, 0:n].astype(np.float32) / n
    out = np.empty((3, n, n), np.float32)
    if kind == 0:  # smooth colour fields with sinusoidal texture
        for c in range(3):
            f = rng.uniform(-30, 30, 2)
            out[c] = rng.uniform(0, 255) + 80 * np.sin(f[0] * x + f[1] * y + rng.uniform(0, 6))
    elif kind == 1:  # random blocks at a random size
        s = int(rng.choice([4, 7, 14, 28, 56]))
        out[:] = np.kron(rng.uniform(0, 255, (3, -(-n // s), -(-n // s))), np.ones((s, s)))[:, :n, :n]
    elif kind == 2:  # overlapping discs and boxes
        out[:] = rng.uniform(0, 255, (3, 1, 1))
        for _ in range(int(rng.integers(3, 30))):
            cx, cy, r = rng.uniform(0, 1), rng.uniform(0, 1), rng.uniform(0.02, 0.4)
            box = rng.random() < 0.5
            m = (abs(x - cx) < r) & (abs(y - cy) < r / 2) if box else (x - cx) ** 2 + (y - cy) ** 2 < r * r
            out[:, m] = rng.uniform(0, 255, (3, 1))
    else:  # 1/f noise with a colour cast
        f = np.hypot(*np.meshgrid(np.fft.fftfreq(n), np.fft.fftfreq(n))) + 1 / n
        p = rng.uniform(0.6, 1.6)
        for c in range(3):
            t = np.fft.ifft2(np.fft.fft2(rng.standard_normal((n, n))) / f**p).real
            out[c] = rng.uniform(60, 200) + rng.uniform(20, 60) * t / t.std()
    return np.clip(out, 0, 255)


def table_rows(layers):
    """Of each embedding: numbers below them are its."""
    return [layer["parameters"] // layer["output"][-1] for layer in layers
            if layer["op"] in ("embedding", "embedding bag")]


def integers(rng, net, spec, shape):
    rows = table_rows(net["layers"])
    if spec["name"] == "label":  # all, and the start
        return np.arange(shape[0]) % (max(rows) + 1)
    if net["name"] == "dlrm":
        return rng.integers(0, rows, shape)
    if net["name"] == "dlrm-v2":  # which of its numbers are which table's is not said
        return rng.integers(0, min(rows), shape)
    if spec["name"] == "input_mask":  # the second sample is shorter
        return (np.arange(shape[1]) < np.array([shape[1], shape[1] - 7] + [shape[1]] * shape[0])[:shape[0], None]) * 1
    return rng.integers(0, 2 if spec["name"] == "segment_ids" else max(rows), shape)


def inputs_of(net):
    rng, n = np.random.default_rng(11), BATCH.get(net["name"], 3)
    made = []
    for spec in net["inputs"]:
        shape = [n if d == "N" else LENGTH if d == "S" else d for d in spec["dims"]]
        if spec["dtype"] == "int64":
            x = integers(rng, net, spec, shape).astype(np.int64)
        elif net["name"] in PIXELS:
            mean, deviation = PIXELS[net["name"]]
            x = (np.stack([image(rng, i % 4, shape[2]) for i in range(n)]) - np.reshape(mean, (3, 1, 1))) / deviation
        else:
            x = rng.standard_normal(shape)
        made.append(x if x.dtype == np.int64 else x.astype(np.float32))
    return made


# ---- readers, each in a process of its own: the faces it finds, [(name, type, dims; None: free)], and how it runs ----

def dims(spec):
    return [d if isinstance(d, int) else None for d in spec["dims"]]


def described(net, side):
    return [(t["name"], t["dtype"], dims(t)) for t in net[side]]


def plain(name):
    """TensorFlow's names end with the number of an operation's output."""
    return name if ":" in name else name + ":0"


def read_onnx(path, net):
    import onnx
    onnx.checker.check_model(path, full_check=True)
    model = onnx.load(path)
    meta = {p.key: p.value for p in model.metadata_props}
    assert meta["assay.synthetic"] == "true" and meta["assay.net"] == WRITTEN_AS.get(net["name"], net["name"]), meta
    assert "assay.seed" in meta and model.producer_name == "assay"
    faces = []
    for values in (model.graph.input, model.graph.output):
        types = [(v.name, v.type.tensor_type) for v in values]
        faces.append([(name, onnx.helper.tensor_dtype_to_np_dtype(t.elem_type).name,
                       [d.dim_value if d.HasField("dim_value") else None for d in t.shape.dim]) for name, t in types])
    return *faces, None, onnx.__version__


def read_onnxruntime(path, _):
    import onnxruntime as ort
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    types = {"tensor(float)": "float32", "tensor(int64)": "int64"}
    faces = [[(t.name, types[t.type], [d if isinstance(d, int) else None for d in t.shape]) for t in tensors]
             for tensors in (session.get_inputs(), session.get_outputs())]
    return *faces, lambda inputs: session.run(None, dict(zip([f[0] for f in faces[0]], inputs))), ort.__version__


def read_openvino(path, net):
    import openvino as ov
    model = ov.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    faces, ports = [], []
    for side, found in (("inputs", model.inputs), ("outputs", model.outputs)):
        assert len(found) == len(net[side]), f"{len(found)} {side}"
        names = [next((p for p in found if p.names & {t["name"], plain(t["name"])}), None) for t in net[side]]
        assert all(names), f"{side} are called {[p.names for p in found]}"
        ports.append(names)
        faces.append([(t["name"], p.element_type.to_dtype().name,
                       [d.get_length() if d.is_static else None for d in p.partial_shape])
                      for t, p in zip(net[side], names)])

    def run(inputs):
        found = model(dict(zip(ports[0], inputs)))
        return [np.array(found[p]) for p in ports[1]]
    return *faces, run, ov.get_version().split("-")[0]


def read_tensorflow(path, net):
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf
    definition = tf.compat.v1.GraphDef()
    with open(path, "rb") as f:
        definition.ParseFromString(f.read())
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(definition, name="")
    del definition
    placeholders = [op.outputs[0].name for op in graph.get_operations() if op.type == "Placeholder"]
    assert placeholders == [plain(t["name"]) for t in net["inputs"]], placeholders
    faces, tensors = [], []
    for side in ("inputs", "outputs"):
        tensors.append([graph.get_tensor_by_name(plain(t["name"])) for t in net[side]])
        faces.append([(t["name"], x.dtype.name, x.shape.as_list()) for t, x in zip(net[side], tensors[-1])])
    session = tf.compat.v1.Session(graph=graph)
    return *faces, lambda inputs: session.run(tensors[1], dict(zip(tensors[0], inputs))), tf.__version__


def read_torch(path, net):
    """TorchScript has no place for names and shapes; they stand in a member of the archive."""
    import torch
    extra = {"assay.txt": ""}
    module = torch.jit.load(path, _extra_files=extra).eval()
    facts = [line.split(" ", 3) for line in bytes(extra["assay.txt"]).decode().splitlines()]
    assert facts[:2] == [["synthetic", "true"], ["net", WRITTEN_AS.get(net["name"], net["name"])]], facts[:2]
    assert facts[2][0] == "seed", facts[2]
    faces = [[(f[3], f[1], [int(d) if d.isdigit() else None for d in f[2].split(",")]) for f in facts if f[0] == side]
             for side in ("input", "output")]

    def run(inputs):
        with torch.inference_mode():
            return [t.numpy() for t in module(*map(torch.from_numpy, inputs))]
    return *faces, run, torch.__version__


def read_state_dict(path, net):
    """Weights alone, which have no face and cannot be run.  What a batch norm has seen is no parameter, and the
    official RNN-T's file has its preprocessor's constants as well."""
    import torch
    state = torch.load(path, weights_only=True)["state_dict"]
    assert all(t.dtype == torch.float32 and t.isfinite().all() for t in state.values())
    found = sum(t.numel() for name, t in state.items()
                if not name.endswith((".running_mean", ".running_var")) and not name.startswith("audio_preprocessor."))
    assert found == net["parameters"], f"{found} parameters, said {net['parameters']}"
    return described(net, "inputs"), described(net, "outputs"), None, torch.__version__


def convolve(x, w, b, stride):
    k = w.shape[2]
    x = np.pad(x, ((0, 0), (0, 0), (k // 2, k // 2), (k // 2, k // 2)))
    v = np.lib.stride_tricks.sliding_window_view(x, (k, k), (2, 3))[:, :, ::stride, ::stride]
    return np.einsum("nchwij,ocij->nohw", v, w, optimize=True) + b.reshape(1, -1, 1, 1)


def read_numpy(path, net):
    """ResNet-50 v1.5 by the weights of the ONNX file, whose batch norms are folded, and by nothing else of it."""
    import onnx
    w = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}

    def unit(x, name, stride=1, relu=True):
        x = convolve(x, w[name + ".weight"], w[name + ".bias"], stride)
        return np.maximum(x, 0) if relu else x

    def run(inputs):
        x = np.pad(unit(inputs[0], "conv1", 2), ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=-np.inf)
        x = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (2, 3))[:, :, ::2, ::2].max((4, 5))
        for stage, blocks in enumerate([3, 4, 6, 3], 1):
            for i in range(blocks):
                p, stride = f"layer{stage}.{i}.", 2 if stage > 1 and i == 0 else 1
                y = unit(unit(unit(x, p + "conv1"), p + "conv2", stride), p + "conv3", relu=False)
                x = np.maximum(y + (x if i else unit(x, p + "downsample.0", stride, relu=False)), 0)
        x = x.mean((2, 3)) @ w["fc.weight"].T + w["fc.bias"]
        x = np.exp(x - x.max(1, keepdims=True))
        x = (x / x.sum(1, keepdims=True)).astype(np.float32)
        return [x.argmax(1), x]
    one_by_one = lambda inputs: [np.concatenate(parts) for parts in zip(*[run([x[None]]) for x in inputs[0]])]
    return described(net, "inputs"), described(net, "outputs"), one_by_one, np.__version__


def check_faces(net, side, found, strict):
    """A free dimension must be free; what a reader has not worked out of an output (not strict) is as good."""
    said = described(net, side)
    if not strict:
        found = [(name, kind, [b if a is None and len(have) == len(s[2]) else a for a, b in zip(have, s[2])])
                 for (name, kind, have), s in zip(found, said)]
    assert found == said, f"{side} are {found}, said {said}"


def check_outputs(net, outputs):
    assert len(outputs) == len(net["outputs"])
    for spec, x in zip(net["outputs"], outputs):
        name = spec["name"]
        assert x.dtype.name == spec["dtype"] and x.ndim == len(spec["dims"]), f"{name} is {x.dtype} {x.shape}"
        assert all(s == d for s, d in zip(x.shape, dims(spec)) if d is not None), f"{name} is {x.shape}"
        assert np.isfinite(x).all(), f"{name} is not finite"


def difference(x, y, precision):
    """As a part of the range of y, or in int8 of its deviation."""
    if precision == "fp32":
        return float(np.abs(x - y).max() / (y.max() - y.min()))
    if y.ndim == 2 and np.allclose(y.sum(1), 1, atol=1e-3):
        x, y = (np.log(v + 1e-20) for v in (x, y))
    return float(np.sqrt(np.square(x - y).mean()) / y.std())


def read(reader, path, job, out):
    """In the child: what cannot be said of the file is an exception, whose last line tells."""
    with open(job + ".json", encoding="utf-8") as f:
        net = json.load(f)
    with np.load(job + ".npz") as f:
        inputs = [f[str(i)] for i in range(len(f.files))]
    strict = reader in ("onnx", "onnxruntime", "torch")
    found_in, found_out, run, version = globals()["read_" + reader.replace(" ", "_")](path, net)
    check_faces(net, "inputs", found_in, True)
    check_faces(net, "outputs", found_out, strict)
    print(version)
    if not run:
        return
    outputs = run(inputs)
    check_outputs(net, outputs)
    alone = run([x[:1] for x in inputs]) if len(inputs[0]) > 1 else []
    for spec, x, y in zip(net["outputs"], outputs, alone):
        if x.dtype == np.float32:
            whole = net["precision"] == "fp32"  # of one sample there may be no range
            apart = difference(np.concatenate([y, x[1:]]) if whole else y, x if whole else x[:1], net["precision"])
            assert apart <= BOUND[net["precision"]], f"{spec['name']} of a sample alone differs by {apart:.1e}"
    np.savez(out, **{str(i): x for i, x in enumerate(outputs)})


# ---- the parent ----

def compare(net, mine, theirs):
    """The largest difference; an AssertionError says what is wrong."""
    precision, worst, clear = net["precision"], 0, []
    bound = BOUND[precision]
    for spec, x, y in zip(net["outputs"], mine, theirs):
        assert x.shape == y.shape, f"{spec['name']} is {x.shape}, and {y.shape} elsewhere"
        if y.dtype == np.float32:
            assert y.std() > 0, f"{spec['name']} is the same everywhere"
            worst = max(worst, difference(x, y, precision))
            order = np.sort(y, 1)
            clear = order[:, -1] - order[:, -2] > 2 * bound * (y.max() - y.min()) if y.shape[1] > 1 else []
    assert worst <= bound, f"differs by {worst:.1e}, {bound:g} is allowed"
    for spec, x, y in zip(net["outputs"], mine, theirs):
        if y.dtype == np.int64 and precision == "fp32":
            wrong = int((x != y)[clear].sum())
            assert not wrong, f"{spec['name']} differs for {wrong} samples with a clear lead"
            assert len(set(y)) >= len(y) // 4, f"{len(y)} images have only {len(set(y))} classes"
    return worst


def resident(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            return next((int(line.split()[1]) << 10 for line in f if line.startswith("VmHWM")), 0)
    except OSError:
        return 0


def child(command, log, most):
    """Exit code (None: it took more memory than `most` and was ended) and the most that it took."""
    peak = 0
    with open(log, "w", encoding="utf-8") as f, subprocess.Popen(command, stdout=f, stderr=f) as p:
        while p.poll() is None:
            peak = max(peak, resident(p.pid))
            if peak > most:
                p.kill()
                p.wait()
                return None, peak
            time.sleep(0.02)
        return p.returncode, peak


def last_words(log):
    """The version that a reader printed last, or what the exception says, in one line."""
    with open(log, encoding="utf-8", errors="replace") as f:
        lines = [line.rstrip() for line in f if line.strip()]
    begins = [i for i, line in enumerate(lines) if re.match(r"[\w.]*(Error|Exception|Fail)\w*\b", line)]
    return " ".join(line.strip() for line in lines[begins[-1]:])[:400] if begins else (lines or ["says nothing"])[-1]


class Checks:
    """All files of all nets, one after another."""

    def __init__(self, assay, folder, memory):
        self.assay, self.folder, self.memory = assay, folder, memory
        self.good = self.bad = self.left = 0

    def at(self, name):
        return os.path.join(self.folder, name)

    def say(self, verdict, file, reader, words):
        print(f"{verdict:9} {file:38} {reader:22} {words}", flush=True)
        self.good += verdict == "good"
        self.bad += verdict == "BAD"
        self.left += verdict == "left out"

    def call(self, *args):
        return subprocess.run([self.assay, "net", *args], capture_output=True, text=True, check=False)

    def look(self, net, file, reader, reference):
        """One reader of one file; its outputs, or None."""
        package = PACKAGE.get(reader, reader)
        if not importlib.util.find_spec(package):
            self.say("left out", file, reader, f"{package} is not installed")
            return None
        out, log, begin = self.at("out.npz"), self.at("log"), time.monotonic()
        command = [sys.executable, os.path.abspath(__file__), "--reader", reader, self.at(file), self.at("job"), out]
        rc, peak = child(command, log, self.memory)
        took = f"{time.monotonic() - begin:.0f} s, {peak / 1e9:.1f} GB"
        if rc is None:
            self.say("left out", file, reader, f"takes more than --memory {self.memory / 1e9:g} ({took})")
            return None
        if rc:
            self.say("unread" if (file, reader) in UNREAD else "BAD", file, reader,
                     UNREAD.get((file, reader)) or last_words(log))
            return None
        reader += " " + last_words(log)
        if not os.path.exists(out):
            self.say("good", file, reader, f"the file is valid ({took})")
            return None
        with np.load(out) as f:
            outputs = [f[str(i)] for i in range(len(f.files))]
        os.remove(out)
        try:
            worst = compare(net, outputs, reference or outputs)
            self.say("good", file, reader, f"{f'differs by {worst:.1e}' if reference else 'runs'} ({took})")
        except AssertionError as e:
            self.say("BAD", file, reader, str(e))
        return outputs

    def file(self, net, form, reference):
        """Writes and reads one; the outputs that others are held against."""
        name = f"{net['name']}{'-int8' if net['precision'] == 'int8' else ''}.{ENDING[form]}"
        done = self.call("write", WRITTEN_AS.get(net["name"], net["name"]), "--format", form, "--output", self.at(name),
                         "--precision", net["precision"])
        if done.returncode:
            if net["precision"] == "fp32" or "assay quantize" not in done.stderr:
                self.say("BAD", name, "assay", done.stderr.strip())
            return reference
        for reader in READERS[form] + ["numpy"] * (name == "resnet50.onnx"):
            outputs = self.look(net, name, reader, reference)
            reference = reference or outputs
        for left in os.listdir(self.folder):  # also the file of external data
            if left.startswith(name):
                os.remove(self.at(left))
        return reference

    def net(self, name):
        shown = self.call("show", WRITTEN_AS.get(name, name), "--json")
        if shown.returncode:
            sys.exit(shown.stderr)
        net = json.loads(shown.stdout)
        net["name"] = name
        np.savez(self.at("job.npz"), **{str(i): x for i, x in enumerate(inputs_of(net))})
        for precision in ("fp32", "int8"):
            net["precision"], reference = precision, None
            with open(self.at("job.json"), "w", encoding="utf-8") as f:
                json.dump(net, f)
            for form in net["formats"] if precision == "fp32" else ["onnx"]:
                reference = self.file(net, form, reference)


def main():
    if sys.argv[1:2] == ["--reader"]:
        return read(*sys.argv[2:])
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--assay", type=os.path.abspath, default=os.path.abspath("build/release/bin/assay"))
    a.add_argument("--memory", type=float, default=5)
    a.add_argument("--folder", help="where files lie while they are read")
    a.add_argument("nets", nargs="*", metavar="NET")
    args = a.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        checks = Checks(args.assay, folder, args.memory * 1e9)
        for name in args.nets or [n["name"] for n in json.loads(checks.call("list", "--json").stdout)["nets"]]:
            checks.net(name)
    print(f"{checks.good} good, {checks.bad} different, {checks.left} left out")
    return 1 if checks.bad else 77 if checks.left else 0


if __name__ == "__main__":
    sys.exit(main())

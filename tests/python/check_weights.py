#!/usr/bin/env python3
"""A second opinion on `assay net write --weights`: PyTorch's own ResNet-50 v1.5 on the same weights.

Not part of the normal tests: needs torch, onnxruntime and numpy (in any virtual environment); tensorflow is used when
it is there.  Exit code 77 where torch or onnxruntime is missing.

    python3 tests/python/check_weights.py [ASSAY]      default: build/release/bin/assay

Makes a seeded random state dict in torchvision's layout (names, shapes, 1000 classes), whose batch norms have the
statistics of a pass over random images, and saves it in every way: torch.save as zip and in the format before 1.6,
of halves, bfloat16s and doubles, with strides that are not row-major, as a checkpoint of DataParallel, as safetensors;
then as ONNX with batch norms apart and, by assay itself, folded.  Each is bound and written, and the logits over
random images must lie within 1e-4 of the logits' range of those of a forward pass written here with torch's
operations, or of the rounded weights' where they were rounded.  The same for ONNX, TorchScript and, where TensorFlow is
there, GraphDef.
"""
import argparse
import json
import os
import struct
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import onnxruntime as ort
    import torch
    import torch.nn.functional as F
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)
try:
    import tensorflow as tf
except ImportError:
    tf = None

ASSAY = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build/release/bin/assay")
BLOCKS = (3, 4, 6, 3)
DTYPE = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64", torch.int64: "I64"}


def units():
    """(convolution, batch norm, channels out, in, kernel) of all, in torchvision's order."""
    yield "conv1", "bn1", 64, 3, 7
    inner = 64
    for s, n in enumerate(BLOCKS):
        w = 64 << s
        for b in range(n):
            p = f"layer{s + 1}.{b}."
            yield p + "conv1", p + "bn1", w, inner, 1
            yield p + "conv2", p + "bn2", w, w, 3
            yield p + "conv3", p + "bn3", 4 * w, w, 1
            if b == 0:
                yield p + "downsample.0", p + "downsample.1", 4 * w, inner, 1
            inner = 4 * w


def random_dict(generator):
    d = {}
    for conv, bn, out, inner, k in units():
        d[conv + ".weight"] = torch.randn(out, inner, k, k, generator=generator) * (2 / (inner * k * k)) ** 0.5
        d[bn + ".weight"] = 1 + 0.1 * torch.randn(out, generator=generator)
        if bn.endswith("bn3") or "downsample" in bn:
            d[bn + ".weight"] *= 0.5
        d[bn + ".bias"] = 0.1 * torch.randn(out, generator=generator)
        d[bn + ".running_mean"] = torch.zeros(out)
        d[bn + ".running_var"] = torch.ones(out)
        d[bn + ".num_batches_tracked"] = torch.tensor(7)
    d["fc.weight"] = 0.05 * torch.randn(1000, 2048, generator=generator)
    d["fc.bias"] = 0.1 * torch.randn(1000, generator=generator)
    return d


def forward(d, x, learn=False):
    """ResNet-50 v1.5 as torchvision has it: the stride is the 3x3 convolution's, padding is on all sides."""
    def unit(x, conv, bn, stride, pad):
        x = F.conv2d(x, d[conv + ".weight"], stride=stride, padding=pad)
        if learn:
            d[bn + ".running_mean"], d[bn + ".running_var"] = x.mean((0, 2, 3)), x.var((0, 2, 3))
        return F.batch_norm(x, d[bn + ".running_mean"], d[bn + ".running_var"], d[bn + ".weight"], d[bn + ".bias"],
                            eps=1e-5)

    x = F.max_pool2d(F.relu(unit(x, "conv1", "bn1", 2, 3)), 3, 2, 1)
    for s, n in enumerate(BLOCKS):
        for b in range(n):
            p, stride = f"layer{s + 1}.{b}.", 2 if s and not b else 1
            y = F.relu(unit(x, p + "conv1", p + "bn1", 1, 0))
            y = F.relu(unit(y, p + "conv2", p + "bn2", stride, 1))
            y = unit(y, p + "conv3", p + "bn3", 1, 0)
            x = F.relu(y + (x if b else unit(x, p + "downsample.0", p + "downsample.1", stride, 0)))
    return F.linear(x.mean((2, 3)), d["fc.weight"], d["fc.bias"])


def save_safetensors(d, path):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, t in d.items():
        raw = t.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        header[name] = {"dtype": DTYPE[t.dtype], "shape": list(t.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def save_onnx(d, path, classes_first):
    """A graph with batch norms apart, a Pad in front of the first convolution, and names that say nothing; the
    classifier as a Gemm, or as MatMul and Add."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    nodes, tensors, count = [], [], [0]

    def tensor(t):
        tensors.append(numpy_helper.from_array(t, f"t{len(tensors)}"))
        return tensors[-1].name

    def node(op, inputs, **attributes):
        count[0] += 1
        nodes.append(helper.make_node(op, inputs, [f"v{count[0]}"], name=f"n{count[0]}", **attributes))
        return f"v{count[0]}"

    def unit(x, conv, bn, stride, pad):
        w = d[conv + ".weight"].numpy()
        k = w.shape[2]
        x = node("Conv", [x, tensor(w)], kernel_shape=[k, k], strides=[stride] * 2, pads=[pad] * 4)
        return node("BatchNormalization", [x] + [tensor(d[f"{bn}.{p}"].numpy()) for p in
                                                 ("weight", "bias", "running_mean", "running_var")], epsilon=1e-5)

    x = node("Pad", ["pixels", tensor(np.array([0, 0, 3, 3, 0, 0, 3, 3]))])
    x = node("Relu", [unit(x, "conv1", "bn1", 2, 0)])
    x = node("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    for s, n in enumerate(BLOCKS):
        for b in range(n):
            p, stride = f"layer{s + 1}.{b}.", 2 if s and not b else 1
            short = x if b else unit(x, p + "downsample.0", p + "downsample.1", stride, 0)
            y = node("Relu", [unit(x, p + "conv1", p + "bn1", 1, 0)])
            y = node("Relu", [unit(y, p + "conv2", p + "bn2", stride, 1)])
            x = node("Relu", [node("Add", [short, unit(y, p + "conv3", p + "bn3", 1, 0)])])
    x = node("Flatten", [node("GlobalAveragePool", [x])])
    w, b = d["fc.weight"].numpy(), d["fc.bias"].numpy()
    x = (node("Gemm", [x, tensor(w), tensor(b)], transB=1) if classes_first else
         node("Add", [node("MatMul", [x, tensor(np.ascontiguousarray(w.T))]), tensor(b)]))
    info = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "g", [info("pixels", TensorProto.FLOAT, ["N", 3, 224, 224])],
                              [info(x, TensorProto.FLOAT, ["N", 1000])], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)


def write(weights, output, form="onnx"):
    said = subprocess.run([ASSAY, "net", "write", "resnet50", "--weights", weights, "--format", form,
                           "--output", output, "--json"],
                          check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    said = json.loads(said)
    assert said["net"] == "resnet50-torchvision" and not said["synthetic"], said
    return output


def by_onnx(path, x):
    return ort.InferenceSession(path, providers=["CPUExecutionProvider"]).run(["logits"], {"input": x.numpy()})[0]


def by_torchscript(path, x):
    with torch.no_grad():
        return torch.jit.load(path)(x)[0].numpy()


def by_tensorflow(path, x):
    graph = tf.compat.v1.GraphDef()
    with open(path, "rb") as f:
        graph.ParseFromString(f.read())
    with tf.Graph().as_default() as g:
        tf.import_graph_def(graph, name="")
        with tf.compat.v1.Session(graph=g) as s:
            return s.run("logits:0", {"input:0": x.numpy()})


def compare(what, have, want):
    limit = 1e-4 * float(want.max() - want.min())
    largest = float(np.abs(have - want).max())
    print(f"{what}: largest difference {largest:.2e} of {limit:.2e} allowed")
    assert largest <= limit, what


def strange(t):
    """The same numbers with other strides, in a larger storage and behind its begin."""
    if t.dim() == 4:
        return t.to(memory_format=torch.channels_last)
    if t.dim() == 2:
        return t.t().contiguous().t()
    return torch.cat([torch.full((5,), 3.0), t.float(), torch.zeros(2)])[5:5 + t.numel()] if t.dim() else t


def rounded(d, dtype):
    return {k: v.to(dtype) if v.is_floating_point() else v for k, v in d.items()}


def main(folder):
    torch.manual_seed(1)
    generator = torch.Generator().manual_seed(20)
    d = random_dict(generator)
    with torch.no_grad():
        forward(d, torch.randn(8, 3, 224, 224, generator=generator), learn=True)
        d = {k: v.clone() for k, v in d.items()}
        x = torch.randn(4, 3, 224, 224, generator=generator)
        want = forward(d, x).numpy()
    at = lambda name: os.path.join(folder, name)

    torch.save(d, at("zip.pth"))
    compare("zip, ONNX", by_onnx(write(at("zip.pth"), at("a.onnx")), x), want)
    compare("zip, TorchScript", by_torchscript(write(at("zip.pth"), at("a.pt"), "torchscript"), x), want)
    if tf:
        compare("zip, GraphDef", by_tensorflow(write(at("zip.pth"), at("a.pb"), "tensorflow"), x), want)
    else:
        print("no tensorflow here: its GraphDef is not compared")
    torch.save(d, at("old.pth"), _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "state_dict": {"module." + k: strange(v) for k, v in d.items()}}, at("strange.pth"))
    torch.save({k: torch.nn.Parameter(v, requires_grad=v.is_floating_point()) for k, v in d.items()},
               at("parameter.pth"))
    torch.save(d, at("protocol4.pth"), pickle_protocol=4)
    beside = {"args": argparse.Namespace(lr=0.1, device="cuda"), "best_acc1": torch.tensor(0.7),
              "loss": np.float64(2.5)}
    torch.save({**beside, "model": d}, at("args.pth"))
    torch.save({**beside, "best_model_state_dict": d}, at("best.pth"))
    save_safetensors(d, at("a.safetensors"))
    save_onnx(d, at("apart.onnx"), True)
    save_onnx(d, at("turned.onnx"), False)
    torch.save(rounded(d, torch.float64), at("double.pth"))
    for name in ("old.pth", "strange.pth", "parameter.pth", "protocol4.pth", "args.pth", "best.pth", "a.safetensors",
                 "apart.onnx", "turned.onnx", "a.onnx", "double.pth"):
        compare(name, by_onnx(write(at(name), at("b.onnx")), x), want)
    for dtype in (torch.float16, torch.bfloat16):
        r = rounded(d, dtype)
        torch.save(r, at("r.pth"))
        save_safetensors(r, at("r.safetensors"))
        with torch.no_grad():
            want = forward(rounded(r, torch.float32), x).numpy()
        for name in ("r.pth", "r.safetensors"):
            compare(f"{name} of {dtype}", by_onnx(write(at(name), at("b.onnx")), x), want)
    print("good")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(folder)

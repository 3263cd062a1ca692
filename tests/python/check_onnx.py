#!/usr/bin/env python3
"""A second opinion on `net_write`: the ONNX project's own checker and ONNX Runtime judge the file.

Not part of the normal tests: needs onnx, onnxruntime and numpy (in any virtual environment).

    python3 tests/python/check_onnx.py FILE.onnx

Checks: onnx.checker; opset, metadata; outputs over 200 varied images are finite, sum to 1, argmax is softmax's;
at least 50 different classes; a typical top-1 probability within 0.05 ... 0.9; batch 1 and 8 agree; and a forward
pass in numpy of the topology as the papers give it, written here on its own, gives the same probabilities.
"""
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper

MEAN = np.array([123.68, 116.78, 103.94], np.float32).reshape(3, 1, 1)


def image(rng, kind, n=224):
    """One of several families of pictures; deliberately not the generator in calibrate.c."""
    y, x = np.mgrid[0:n, 0:n].astype(np.float32) / n
    out = np.empty((3, n, n), np.float32)
    if kind == 0:  # smooth colour fields with sinusoidal texture
        for c in range(3):
            f = rng.uniform(-30, 30, 2)
            out[c] = rng.uniform(0, 255) + 80 * np.sin(f[0] * x + f[1] * y + rng.uniform(0, 6))
    elif kind == 1:  # random blocks at a random size
        s = int(rng.choice([4, 7, 14, 28, 56]))
        out[:] = np.kron(rng.uniform(0, 255, (3, n // s, n // s)), np.ones((s, s)))
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
    return np.clip(out, 0, 255) - MEAN


def conv(x, w, b, stride, pad):
    n, c, h, wd = x.shape
    o, _, k, _ = w.shape
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    v = np.lib.stride_tricks.sliding_window_view(x, (k, k), (2, 3))[:, :, ::stride, ::stride]
    return np.einsum("nchwij,ocij->nohw", v, w, optimize=True) + b.reshape(1, -1, 1, 1)


def resnet50(x, w):
    def unit(x, name, stride=1, relu=True):
        k = w[name + ".weight"].shape[2]
        x = conv(x, w[name + ".weight"], w[name + ".bias"], stride, k // 2)
        return np.maximum(x, 0) if relu else x

    x = unit(x, "conv1", 2)
    x = np.pad(x, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=-np.inf)
    x = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (2, 3))[:, :, ::2, ::2].max((4, 5))
    for stage, blocks in enumerate([3, 4, 6, 3], 1):
        for i in range(blocks):
            p, stride = f"layer{stage}.{i}.", 2 if stage > 1 and i == 0 else 1
            y = unit(unit(unit(x, p + "conv1"), p + "conv2", stride), p + "conv3", relu=False)
            if i == 0:
                x = unit(x, p + "downsample.0", stride, relu=False)
            x = np.maximum(x + y, 0)
    logits = x.mean((2, 3)) @ w["fc.weight"].T + w["fc.bias"]
    e = np.exp(logits - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def main(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    meta = {p.key: p.value for p in model.metadata_props}
    assert meta["assay.synthetic"] == "true" and meta["assay.net"] == "resnet50" and "assay.seed" in meta, meta
    assert model.opset_import[0].version == 13 and model.producer_name == "assay"
    weights = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    total = sum(t.size for t in weights.values())
    assert total == 25532521, total

    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [(i.name, i.type, i.shape) for i in session.get_inputs()] == [
        ("input_tensor:0", "tensor(float)", ["N", 3, 224, 224])]
    assert [(o.name, o.type, o.shape) for o in session.get_outputs()] == [
        ("ArgMax:0", "tensor(int64)", ["N"]), ("softmax_tensor:0", "tensor(float)", ["N", 1001])]
    rng = np.random.default_rng(7)
    images = np.stack([image(rng, i % 4) for i in range(200)]).astype(np.float32)
    arg, soft = map(np.concatenate, zip(*[session.run(None, {"input_tensor:0": images[i:i + 8]})
                                          for i in range(0, 200, 8)]))
    top = soft.max(1)
    classes = [len(set(arg[k::4])) for k in range(4)]
    print(f"classes {len(set(arg))} of 200 images (by family {classes}); most frequent {np.bincount(arg).max()} times")
    print("top-1 probability: 5 % {:.3f}, median {:.3f}, 95 % {:.3f}".format(*np.percentile(top, [5, 50, 95])))
    assert np.isfinite(soft).all() and np.allclose(soft.sum(1), 1, atol=1e-4)
    assert (arg == soft.argmax(1)).all()
    one = np.concatenate([session.run(["softmax_tensor:0"], {"input_tensor:0": images[i:i + 1]})[0]
                          for i in range(0, 200, 5)])
    print(f"batch 1 against 8: largest difference {abs(one - soft[::5]).max():.2e}")
    assert abs(one - soft[::5]).max() < 1e-4
    mine = resnet50(images[:4], weights)
    print(f"numpy against ONNX Runtime: largest difference {abs(mine - soft[:4]).max():.2e}")
    assert abs(mine - soft[:4]).max() < 1e-3
    assert len(set(arg)) >= 50, "too few classes"
    assert 0.05 <= np.median(top) <= 0.9, "softmax is flat or saturated"
    print("good")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])

#!/usr/bin/env python3
"""A second opinion on the BERT net: the forward pass written down in NumPy, on the weights that `assay net write`
wrote, against what ONNX Runtime makes of the file, and PyTorch of the TorchScript file.  BERT-Large in full.

Skipped where numpy, onnx and onnxruntime are missing; PyTorch is looked at where torch is there.

    python3 tests/python/test_bert_net.py [FOLDER]       keeps the files (1.3 GB each) there, and takes what is there
"""
import math
import os
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import onnx
    import onnxruntime as ort
    from onnx import numpy_helper
except ImportError as missing:
    print("skipped:", missing)
    sys.exit(77)
try:
    import torch
except ImportError:
    torch = None

ASSAY = pathlib.Path(os.environ.get("ASSAY_PREFIX", "build/release")) / "bin/assay"
LENGTHS = (24, 17)      # tokens of each sample; the batch is as long as the longest


def written(folder, form):
    path = folder / f"bert.{form}"
    if not path.exists():
        subprocess.run([ASSAY, "net", "write", "bert", "--format", form, "--output", path], check=True)
    return path


def weights_of(path):
    """By the state dict's names, matrices [out, in] as there."""
    model = onnx.load(path)
    turned = {n.input[1] for n in model.graph.node if n.op_type == "MatMul"}
    w = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    return {k: v.T if k in turned else v for k, v in w.items()}


def erf(x):
    return np.vectorize(math.erf, otypes=[np.float64])(x)


class Bert:
    def __init__(self, w, layers=24, heads=16):
        self.w, self.layers, self.heads = w, layers, heads

    def dense(self, name, x):
        return x @ self.w[name + ".weight"].T.astype(x.dtype) + self.w[name + ".bias"]

    def norm(self, name, x):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-12)
        return x * self.w[name + ".weight"] + self.w[name + ".bias"]

    def attention(self, name, x, mask):
        n, s, width = x.shape
        head = width // self.heads
        q, k, v = (self.dense(f"{name}.{part}", x).reshape(n, s, self.heads, head).transpose(0, 2, 1, 3)
                   for part in ("query", "key", "value"))
        scores = q @ k.transpose(0, 1, 3, 2) / math.sqrt(head) + (1.0 - mask[:, None, None, :]) * -10000.0
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        return (scores @ v).transpose(0, 2, 1, 3).reshape(n, s, width)

    def __call__(self, ids, mask, kinds):
        base = "bert.embeddings."
        x = self.w[base + "word_embeddings.weight"][ids].astype(np.float64)
        x += self.w[base + "position_embeddings.weight"][:ids.shape[1]]
        x += self.w[base + "token_type_embeddings.weight"][kinds]
        x = self.norm(base + "LayerNorm", x)
        for i in range(self.layers):
            layer = f"bert.encoder.layer.{i}."
            y = self.attention(layer + "attention.self", x, mask)
            x = self.norm(layer + "attention.output.LayerNorm", self.dense(layer + "attention.output.dense", y) + x)
            y = self.dense(layer + "intermediate.dense", x)
            y = 0.5 * y * (1.0 + erf(y / math.sqrt(2.0)))
            x = self.norm(layer + "output.LayerNorm", self.dense(layer + "output.dense", y) + x)
        logits = self.dense("qa_outputs", x)
        return logits[..., 0], logits[..., 1]


def compare(who, got, want):
    for name, a, b in zip(("start", "end"), got, want):
        worst, span = np.abs(a - b).max(), b.max() - b.min()
        print(f"{who}, {name}: largest difference {worst:.1e} of a range of {span:.3g}")
        assert worst <= 1e-3 * span, f"{who} computes something else"


def main(folder):
    rng = np.random.default_rng(3)
    mask = (np.arange(max(LENGTHS)) < np.array(LENGTHS)[:, None]).astype(np.int64)
    ids = rng.integers(0, 30522, mask.shape) * mask
    kinds = (np.arange(max(LENGTHS)) > 8).astype(np.int64) * mask
    path = written(folder, "onnx")
    weights = weights_of(path)
    assert sum(v.size for v in weights.values()) == 334094338
    want = Bert(weights)(ids, mask, kinds)
    assert want[0].argmax(1)[0] != want[0].argmax(1)[1] and want[0].std() > 0.5
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    feeds = {"input_ids": ids, "input_mask": mask, "segment_ids": kinds}
    compare("ONNX Runtime", session.run(["output_start_logits", "output_end_logits"], feeds), want)
    # What stands behind the mask must not matter.
    n = LENGTHS[1]
    alone = session.run(None, {k: v[1:, :n] for k, v in feeds.items()})
    compare("without padding", alone, [w[1:, :n] for w in want])
    if torch:
        module = torch.jit.load(written(folder, "torchscript")).eval()
        with torch.inference_mode():
            compare("PyTorch", [x.numpy() for x in module(*map(torch.from_numpy, (ids, mask, kinds)))], want)
    print("good")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(pathlib.Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(pathlib.Path(temporary))

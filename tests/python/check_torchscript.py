#!/usr/bin/env python3
"""A second opinion on TorchScript files of `assay net write`: PyTorch itself reads them, beside ONNX Runtime.

Not part of the normal tests: needs torch, onnxruntime and numpy (in any virtual environment), and check_onnx.py's.

    python3 tests/python/check_torchscript.py FILE.torchscript FILE.onnx

Both files are written from the same net and seed.  Checks: the archive (checksums, alignment of the tensors, dates);
that PyTorch loads it, finds the same weights bit for bit, and that outputs over 200 varied images lie within 1e-3 of
the outputs' range of ONNX Runtime's, with the same top-1 wherever the lead is above that; batch 1 and 8 agree; that the
frozen and optimised module still does.
"""
import sys
import zipfile

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import numpy_helper

from check_onnx import image

NAME = "resnet50"


def check_archive(path):
    with zipfile.ZipFile(path) as z:
        assert z.testzip() is None
        members = z.infolist()
        assert all(m.filename.startswith(NAME + "/") and m.date_time == (1980, 1, 1, 0, 0, 0) for m in members)
        facts = z.read(NAME + "/extra/assay.txt").decode().splitlines()
    assert facts[:3] == ["synthetic true", "net resnet50", facts[2]] and facts[2].startswith("seed "), facts
    assert facts[3:] == ["input float32 N,3,224,224 input_tensor:0", "output int64 N ArgMax:0",
                         "output float32 N,1001 softmax_tensor:0"], facts
    with open(path, "rb") as f:
        for m in members:
            f.seek(m.header_offset + 26)
            name, extra = np.frombuffer(f.read(4), "<u2")
            assert (m.header_offset + 30 + int(name) + int(extra)) % 64 == 0, m.filename
    print(f"archive: {len(members)} members, all whole and aligned")


def check_weights(module, path):
    model = onnx.load(path)
    here = {k: v.numpy() for k, v in module.named_parameters()}
    there = {t.name.replace(".", "_"): numpy_helper.to_array(t) for t in model.graph.initializer}
    assert here.keys() == there.keys()
    assert all(np.array_equal(here[k], there[k]) for k in here)
    print(f"weights: {len(here)} tensors, the same bits as in the ONNX file")


def run(module, images, batch):
    with torch.inference_mode():
        parts = [module(torch.from_numpy(images[i:i + batch])) for i in range(0, len(images), batch)]
    return (np.concatenate([p[k].numpy() for p in parts]) for k in (0, 1))


def compare(what, arg, soft, arg_o, soft_o):
    limit = 1e-3 * float(soft_o.max() - soft_o.min())
    top = np.sort(soft_o, 1)
    clear = top[:, -1] - top[:, -2] > 2 * limit
    largest = float(np.abs(soft - soft_o).max())
    print(f"{what}: largest difference {largest:.2e} of {limit:.2e} allowed; top-1 differs for "
          f"{(arg != arg_o).sum()} of {len(arg)}, {clear.sum()} of them with a clear lead")
    assert largest <= limit
    assert (arg == soft.argmax(1)).all()
    assert (arg[clear] == arg_o[clear]).all()


def main(path, onnx_path):
    check_archive(path)
    module = torch.jit.load(path).eval()
    check_weights(module, onnx_path)
    rng = np.random.default_rng(11)
    images = np.stack([image(rng, i % 4) for i in range(200)]).astype(np.float32)
    session = ort.InferenceSession(onnx_path, providers=["CPUExecutionProvider"])
    arg_o, soft_o = map(np.concatenate, zip(*[session.run(None, {"input_tensor:0": images[i:i + 8]})
                                              for i in range(0, len(images), 8)]))
    assert len(set(arg_o)) >= 50, "too few classes to tell anything"
    arg, soft = run(module, images, 8)
    compare("PyTorch", arg, soft, arg_o, soft_o)
    arg, soft = run(module, images[::5], 1)
    compare("one at a time", arg, soft, arg_o[::5], soft_o[::5])
    fast = torch.jit.optimize_for_inference(torch.jit.freeze(module))
    arg, soft = run(fast, images, 8)
    compare("frozen and optimised", arg, soft, arg_o, soft_o)
    print("good")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])

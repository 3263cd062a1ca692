#!/usr/bin/env python3
"""Does `assay explore` find the best there is under a constraint of accuracy?  A trained model, real photos.

    bench/explore.py BUILD [--engines a,b] [--budget 15m] [--kill-after S] [--rounds N] [--seconds S] [--json FILE]

EfficientNet-Lite0 and its int8 form, calibrated on 20 of the 200 photos and judged on the other 180 (ASSAY_TEST_DATA
names the folder of test data; without it nothing is measured).  (1) `assay explore` under accuracy >= 98 % of fp32's, killed once
on its way and started again; (2) a short run of every shape and batch of every setup that keeps the constraint; (3) the
final: what was found, the grid's best two and ONNX Runtime in fp32 with nothing set, again and again, forwards and
backwards.

    found / the grid's best     at least 0.97, whichever of the two is the better one in the final
    found / the default         at least 3
    seconds of the exploration  at most the budget, both parts together
    runs made twice             0

As in run.py, a figure is short only when its 95 % interval lies wholly beyond the limit.  Nothing else should run."""

import argparse
import itertools
import json
import pathlib
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import peers  # noqa: E402
import tune  # noqa: E402

MANIFEST = """schema: 1
name: {name}
benchmark: resnet50
files:
  onnx: {file}
{more}input:
  name: input
  layout: NCHW
  color: RGB
  size: 224
  resize: 256
  mean: 127
  std: 128
output:
  name: logits
  kind: logits
  classes: 1000
"""
PHOTOS = "imagenet-mini"
CALIBRATION = 6  # of ten photos the sixth
SETUP = ("model", "engine", "device", "precision")
SHAPE = ("lanes", "threads", "batch")


def prepare(assay, work):
    """The photos parted in two, the manifests, and the model in int8."""
    photos, net = peers.test_data(PHOTOS).resolve(), peers.test_data("models/efficientnet-lite0.onnx").resolve()
    lines = (photos / "val_map.txt").read_text().splitlines()
    for n, line in enumerate(lines, 1):
        folder = work / ("calibration" if n % 10 == CALIBRATION else "photos")
        folder.mkdir(exist_ok=True)
        name = line.split()[0]
        (folder / name).symlink_to(photos / name)
        with open(folder / "val_map.txt", "a", encoding="utf-8") as out:
            out.write(line + "\n")
    (work / "fp32.yaml").write_text(MANIFEST.format(name="lite0", file=net, more=""))
    small = MANIFEST.format(name="lite0-int8", file=work / "int8.onnx", more="precision: int8\n")
    (work / "int8.yaml").write_text(small)
    peers.call([assay.program, "quantize", net, "--model", work / "fp32.yaml", "--dataset", work / "calibration",
                "--samples", "20", "--output", work / "int8.onnx", "--cache", assay.cache])


class Exploration:
    def __init__(self, assay, args, work):
        self.assay, self.store = assay, work / "explored"
        self.command = [assay.program, "explore", "resnet50", "--engines", args.engines, "--precisions",
                        "fp32,bf16,int8",
                        "--models", f"{work / 'fp32.yaml'},{work / 'int8.yaml'}", "--dataset", work / "photos",
                        "--constraint", "accuracy>=98%", "--budget", args.budget, "--store", self.store,
                        "--cache", assay.cache, "--json"]

    def records(self):
        return [json.loads(p.read_text()) for p in sorted(self.store.glob("runs/*/record.json"))]

    def done(self):
        """Tags of what was finished; two of one would be a run made twice."""
        return [r["tag"] for r in self.records() if r["status"] == "done" and r.get("tag")]

    def until_killed(self, seconds):
        began = time.time()
        with subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
            try:
                child.wait(seconds)
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGKILL)
        return time.time() - began

    def whole(self):
        began = time.time()
        answer = json.loads(peers.call(self.command, timeout=3600))
        return answer, time.time() - began


def words(config):
    return [word for name in SETUP + SHAPE if config.get(name) for word in (f"--{name}", str(config[name]))]


class Runs:
    def __init__(self, assay, photos):
        self.assay, self.photos, self.rate = assay, photos, 60.0

    def value(self, config, seconds):
        step = int(config.get("batch") or 8) * int(config.get("lanes") or 1)
        length = ["--min-duration-ms", "100", "--target-qps", "1", "--min-query-count",
                  str(step * max(1, round(self.rate * seconds / step)))]
        given = [w for w in words(config) if w != config["engine"] and w != "--engine"]
        given += length + ["--no-tuned", "--dataset", self.photos]
        record = self.assay.record("Offline", config["engine"], given)
        self.rate = max(self.rate, record["performance"]["value"])
        return record["performance"]["value"]


def text(config):
    return " ".join(f"{pathlib.Path(str(config[n])).name}" if n in SETUP else f"{n} {config[n]}"
                    for n in SETUP + SHAPE if config.get(n))


def grid(runs, points, args):
    """Every configuration of every setup that keeps the constraint, best first."""
    setups = {tuple(p[n] for n in SETUP) for p in points if not p.get("out") and all(p.get(n) for n in SHAPE)}
    configs = [dict(zip(SETUP, setup), lanes=n, threads=t, batch=b)
               for setup, (n, t), b in itertools.product(sorted(setups), tune.shapes(), tune.BATCHES)]
    return sorted(((runs.value(c, args.short), c) for c in configs), key=lambda t: -t[0])


def measure(assay, args, work, results):
    exploration = Exploration(assay, args, work)
    seconds = exploration.until_killed(args.kill_after)
    before = exploration.done()
    answer, rest = exploration.whole()
    after, seconds = exploration.done(), seconds + rest
    best, twice = answer.get("best"), len(after) - len(set(after))
    print(f"  explored in {seconds:.0f} s, {len(answer['points'])} points, {len(before)} runs before the kill, "
          f"{len(after)} in all, {twice} made twice", flush=True)
    limit = {"s": 1, "m": 60, "h": 3600}[args.budget[-1]] * float(args.budget[:-1])
    results.append({"row": "seconds of the exploration", "value": seconds, "limit": limit,
                    "word": "ok" if seconds <= limit else "short", "points": answer["points"]})
    results.append({"row": "runs made twice", "value": twice, "limit": 0,
                    "word": "short" if twice or not before else "ok"})
    if not best:
        raise peers.Failed("explore found no configuration that keeps the constraint")
    runs = Runs(assay, work / "photos")
    found = {n: best[n] for n in SETUP + SHAPE}
    tried = grid(runs, answer["points"], args)
    print(f"  found: {text(found)}\n  the grid's best of {len(tried)}: " +
          "; ".join(f"{text(c)} ({v:.1f}/s)" for v, c in tried[:2]), flush=True)
    default = {"model": str(work / "fp32.yaml"), "engine": "onnxruntime"}
    values = tune.final(runs, {"found": found, "default": default, "first": tried[0][1], "second": tried[1][1]}, args)
    for name in values:
        print(f"  {name:<34}{tune.middle(values[name]):>8.1f}/s", flush=True)
    top = max(("first", "second"), key=lambda name: tune.middle(values[name]))
    tune.say_row(results, "found / grid's best", *tune.ratio(values, "found", top), 0.97)
    tune.say_row(results, "found / default", *tune.ratio(values, "found", "default"), 3)
    results[-1].update(values=values, grid=tried)


def arguments():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("build", type=pathlib.Path, help="a finished build folder: build/release")
    p.add_argument("--engines", default="onnxruntime,openvino", help="parted by commas")
    p.add_argument("--budget", default="15m", help="of the exploration")
    p.add_argument("--kill-after", type=float, default=180, help="seconds")
    p.add_argument("--rounds", type=int, default=5, help="of the final, two runs of each a round")
    p.add_argument("--seconds", type=float, default=5, help="of one run in the final")
    p.add_argument("--short", type=float, default=2, help="seconds of one run in the grid")
    p.add_argument("--json", metavar="FILE")
    args = p.parse_args()
    args.build = args.build.resolve()
    return args


def main():
    args = arguments()
    if not (peers.test_data(PHOTOS) / "val_map.txt").exists():
        print(f"explore: {peers.test_data(PHOTOS)} is not there: nothing is measured", file=sys.stderr)
        return 77

    def both(assay, work, results):
        prepare(assay, work)
        measure(assay, args, work, results)

    return tune.carry_out(args, "explore", both)


if __name__ == "__main__":
    sys.exit(main())

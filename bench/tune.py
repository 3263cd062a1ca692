#!/usr/bin/env python3
"""Does --tune find the best there is?  Against every configuration of a grid, with real runs.

    bench/tune.py BUILD [--engines a,b] [--precision P] [--scenario NAME] [--rounds N] [--seconds S] [--json FILE]
    bench/tune.py BUILD --race ENGINE:PRECISION [--rounds N] [--seconds S]

For each engine: (1) `assay run resnet50 --tune`, with a store and a configuration folder of its own; (2) a short run of
every way to share the CPUs (lanes x threads) with every batch, then the best three of these with every value of the
engine's tunable options; (3) the final: what --tune found, the engine's default and the grid's best two, again and again,
forwards and backwards, each run from the start of a process.

    tuned / the grid's best     at least 0.97, whichever of the two is the better one in the final
    tuned / default             at least 1
    seconds of the search       at most 90

--race is another question: one tuned engine and precision against ONNX Runtime in fp32 with nothing set, at least 3.5.
As in run.py, a figure is short only when its 95 % interval lies wholly beyond the limit.  Nothing else should run."""

import argparse
import itertools
import json
import math
import os
import pathlib
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import peers  # noqa: E402
from run import interval, judge, machine  # noqa: E402

BATCHES = (1, 2, 4, 8, 16, 32)
STREAMS = ("SingleStream", "MultiStream")
PERCENTILE = {"SingleStream": "result_90.00_percentile_latency_ns", "MultiStream": "result_99.00_percentile_latency_ns"}


class Runs:
    """`assay run` on one engine.  A configuration is what records call `found`: lanes, threads, batch, option.NAME."""

    def __init__(self, assay, engine, args):
        self.assay, self.engine, self.args = assay, engine, args
        self.rate = 16.0  # samples/s, the best so far: how many samples make a block

    def words(self, config):
        for name, value in config.items():
            yield from (("--option", f"{name[7:]}={value}") if name.startswith("option.") else (f"--{name}", str(value)))

    def length(self, config, seconds):
        if self.args.scenario in STREAMS:
            return ["--min-duration-ms", f"{seconds * 1000:.0f}"]
        step = int(config.get("batch", 8)) * int(config.get("lanes", 1))
        return ["--min-duration-ms", "100", "--target-qps", "1", "--min-query-count",
                str(step * max(1, round(self.rate * seconds / step)))]

    def record(self, config, seconds, *more):
        precision = ["--precision", self.args.precision] if self.args.precision else []
        return self.assay.record(self.args.scenario, self.engine,
                                 [*precision, *self.words(config), *self.length(config, seconds), *more])

    def value(self, config, seconds):
        """Samples/s in Offline; in the streams queries/s at the percentile that the scenario is judged by."""
        performance = self.record(config, seconds, "--no-tuned")["performance"]
        if self.args.scenario in STREAMS:
            return 1e9 / performance["detail"][PERCENTILE[self.args.scenario]]
        self.rate = max(self.rate, performance["value"])
        return performance["value"]

    def tune(self):
        return self.record({}, 1, "--tune")["tuning"]

    def tunables(self):
        told = json.loads(peers.call([self.assay.program, "engines", self.engine, "--json"]))["tunables"]
        return {f"option.{name}": values.split() for name, values in told.items()}


def text(config):
    return " ".join(f"{name.removeprefix('option.')} {value}" for name, value in config.items()) or "default"


def shapes():
    cpus = len(os.sched_getaffinity(0))
    halves = [max(1, cpus >> n) for n in range(cpus.bit_length())]
    return sorted({(lanes, threads) for lanes in halves for threads in halves if cpus <= lanes * threads * 2 <= cpus * 4})


def grid(runs, args):
    """All configurations with their values, best first."""
    batches = BATCHES if args.scenario not in STREAMS else (1,) if args.scenario == "SingleStream" else (1, 2, 4, 8)
    lanes = shapes() if args.scenario != "SingleStream" else sorted({(1, threads) for _, threads in shapes()})
    configs = [{"lanes": n, "threads": t, "batch": b} for (n, t), b in itertools.product(lanes, batches)]
    tried = [(runs.value(c, args.short), c) for c in configs]
    tried.sort(key=lambda t: -t[0])
    options = runs.tunables()
    for _, best in tried[:3]:
        for values in itertools.product(*options.values()):
            config = dict(best, **dict(zip(options, values)))
            tried.append((runs.value(config, args.short), config))
    return sorted(tried, key=lambda t: -t[0])


def final(runs, configs, args):
    """Values of each of the named configurations, round by round: two a round."""
    values = {name: [] for name in configs}
    for _ in range(args.rounds):
        there = {name: [runs.value(c, args.seconds)] for name, c in configs.items()}
        for name in reversed(configs):
            there[name].append(runs.value(configs[name], args.seconds))
        for name, pair in there.items():
            values[name].append(pair)
    return values


def ratio(values, name, other):
    """Pairs of one round stand beside each other: first with first, last with last."""
    by_round = [[a / b for a, b in zip(mine, theirs)] for mine, theirs in zip(values[name], values[other])]
    return interval(by_round)


def say_row(results, name, value, low, high, limit):
    word = judge(low, high, limit, below=False)
    results.append({"row": name, "value": value, "low": low, "high": high, "limit": limit, "word": word})
    print(f"  {name:<34}{value:>8.3f}  {low:.3f} … {high:.3f}   ≥ {limit:g}   {word}", flush=True)


def middle(values):
    return statistics.median(itertools.chain(*values))


def one_engine(assay, engine, args, results):
    runs = Runs(assay, engine, args)
    print(f"\n{engine}{' ' + args.precision if args.precision else ''}, {args.scenario}", flush=True)
    began = time.time()
    tuning = runs.tune()
    found = tuning["found"] if tuning["used"] else {}
    runs.value({}, 1)
    word = "ok" if tuning["seconds"] <= 90 else "short"
    print(f"  tuned in {tuning['seconds']:.0f} s, {len(tuning['trials'])} trials: {text(found)}   {word}", flush=True)
    results.append({"row": f"{engine}: seconds of the search", "value": tuning["seconds"], "word": word, "found": found})
    tried = grid(runs, args)
    print(f"  the grid's best of {len(tried)}: " + "; ".join(f"{text(c)} ({v:.1f}/s)" for v, c in tried[:2]), flush=True)
    values = final(runs, {"tuned": found, "default": {}, "first": tried[0][1], "second": tried[1][1]}, args)
    for name in values:
        print(f"  {name:<34}{middle(values[name]):>8.1f}/s", flush=True)
    best = max(("first", "second"), key=lambda name: middle(values[name]))
    say_row(results, f"{engine}: tuned / grid's best", *ratio(values, "tuned", best), 0.97)
    say_row(results, f"{engine}: tuned / default", *ratio(values, "tuned", "default"), 1)
    results[-1].update(values=values, grid=tried, seconds=time.time() - began)


def race(assay, args, results):
    engine, _, args.precision = args.race.partition(":")
    fast = Runs(assay, engine, args)
    found = fast.tune()["found"]
    slow = Runs(assay, "onnxruntime", argparse.Namespace(**{**vars(args), "precision": None}))
    print(f"\n{engine} {args.precision} ({text(found)}) against ONNX Runtime fp32 at its defaults", flush=True)
    fast.value(found, 1), slow.value({}, 1)
    by_round, rates = [], ([], [])
    for _ in range(args.rounds):
        a, b = fast.value(found, args.seconds), slow.value({}, args.seconds)
        c, d = slow.value({}, args.seconds), fast.value(found, args.seconds)
        by_round.append([a / b, d / c])
        rates[0].extend((a, d)), rates[1].extend((b, c))
    print(f"  {statistics.median(rates[0]):.1f}/s against {statistics.median(rates[1]):.1f}/s", flush=True)
    say_row(results, "times as fast", *interval(by_round), 3.5)


def arguments():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("build", type=pathlib.Path, help="a finished build folder: build/release")
    p.add_argument("--engines", default="onnxruntime", help="parted by commas")
    p.add_argument("--precision", help="default: the model's own, fp32")
    p.add_argument("--scenario", choices=("Offline",) + STREAMS, default="Offline")
    p.add_argument("--rounds", type=int, default=5, help="of the final, two runs of each a round")
    p.add_argument("--seconds", type=float, default=5, help="of one run in the final")
    p.add_argument("--short", type=float, default=2.5, help="seconds of one run in the grid")
    p.add_argument("--race", metavar="ENGINE:PRECISION")
    p.add_argument("--json", metavar="FILE")
    args = p.parse_args()
    args.build = args.build.resolve()
    return args


def carry_out(args, name, measure):
    """measure(assay, work, results) in a folder of its own; the exit code."""
    results = []
    with tempfile.TemporaryDirectory(prefix=f"assay-{name}-") as work:
        os.environ["ASSAY_CONFIG"] = str(pathlib.Path(work) / "config")
        assay = peers.Assay(args.build, pathlib.Path(work))
        print(f"{machine()}\n{assay.versions()}", flush=True)
        try:
            measure(assay, pathlib.Path(work), results)
        except (peers.Failed, peers.Missing) as why:
            print(f"{name}: {why}", file=sys.stderr)
            return 3
        finally:
            if args.json:
                pathlib.Path(args.json).write_text(json.dumps(results, indent=1) + "\n")
    return 1 if any(r["word"] == "short" for r in results) else 0


def main():
    args = arguments()

    def measure(assay, _, results):
        if args.race:
            return race(assay, args, results)
        for engine in args.engines.split(","):
            one_engine(assay, engine, args, results)
        return None

    return carry_out(args, "tune", measure)


if __name__ == "__main__":
    sys.exit(main())

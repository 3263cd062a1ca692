#!/usr/bin/env python3
"""The performance suite: Assay against bare peers, side by side in one run.  See README.md here.

    bench/run BUILD [--quick] [--only a|b|c|d|e] [--engine NAME] [--device NAME [--precision fp16]] [--rounds N] [--json FILE]

(a) the null engine through the whole of Assay against a null SUT straight on LoadGen;
(b) ResNet-50 on each engine that is installed under Assay, against a loop straight on that engine's own API;
(c) pre-processing against libjpeg-turbo's decoding alone and against the official ways in Python;
(d) the other benchmarks on ONNX Runtime against a loop on its C API that makes the same calls;
(e) BERT with questions at their own lengths against all padded to 384.

Every figure of Assay comes from a run as a user would make it.  A and B alternate as A B B A, so that a machine that
gets slower or faster during the rounds does so for both.  Needs nothing but Python's own library.
"""

import argparse
import json
import math
import os
import pathlib
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE))
import peers  # noqa: E402
import work  # noqa: E402

RESAMPLES = 4000


# ---- statistics ------------------------------------------------------------------------------------------------------

def interval(by_round, seed=1):
    """The median of all values, and its 95 % interval: bootstrap over rounds, since the pairs of one round are
    neighbours in time and not independent.  by_round: a list of lists."""
    draw = random.Random(seed)
    flat = [v for values in by_round for v in values]
    medians = sorted(
        statistics.median([v for values in draw.choices(by_round, k=len(by_round)) for v in values])
        for _ in range(RESAMPLES))
    return statistics.median(flat), medians[int(0.025 * RESAMPLES)], medians[int(0.975 * RESAMPLES)]


def judge(low, high, limit, below):
    """ok; 'ok?' when the limit lies inside the interval; short only when the interval lies wholly beyond the limit."""
    if limit is None:
        return "shown"
    if below:
        return "short" if low > limit else "ok" if high <= limit else "ok?"
    return "short" if high < limit else "ok" if low >= limit else "ok?"


# ---- rows of the table -----------------------------------------------------------------------------------------------

def short_number(value, unit):
    if unit == "ns":
        for size, name in ((1e6, "ms"), (1e3, "µs")):
            if abs(value) >= size:
                return f"{value / size:.3g} {name}" if abs(value) < 100 * size else f"{value / size:.1f} {name}"
        return f"{value:.0f} ns"
    if unit == "/s":
        for size, name in ((1e6, "M"), (1e3, "k")):
            if value >= size:
                return f"{value / size:.4g} {name}/s"
        return f"{value:.4g}/s"
    return f"{value:.4f}"


class Row:
    """One line of the table: what is compared, and how it is judged."""

    def __init__(self, name, unit, how="ratio", limit=None, below=True, key=None, other=None):
        self.name, self.unit, self.how, self.limit, self.below = name, unit, how, limit, below
        self.key, self.other = key, other or key

    def value(self, a, b):
        if self.how == "difference":
            return a[self.key] - b[self.other]
        if self.how == "alone":
            return a[self.key]
        return a[self.key] / b[self.other]

    def text(self, value):
        return f"{value / 1e3:+.3f} µs" if self.how == "difference" else f"{value:.3f}"

    def result(self, rounds):
        """rounds: a list of lists of pairs (a, b)."""
        by_round = [[self.value(a, b) for a, b in pairs] for pairs in rounds]
        middle, low, high = interval(by_round)
        pairs = [pair for round_ in rounds for pair in round_]
        mine = statistics.median(a[self.key] for a, _ in pairs)
        theirs = None if self.how == "alone" else statistics.median(b[self.other] for _, b in pairs)
        return {"row": self.name, "unit": self.unit, "how": self.how, "assay": mine, "bare": theirs, "value": middle,
                "low": low, "high": high, "limit": self.limit, "below": self.below, "values": by_round,
                "word": judge(low, high, self.limit, self.below)}

    def line(self, r):
        limit = "" if r["limit"] is None else ("≤ " if r["below"] else "≥ ") + self.text(r["limit"])
        bare = "" if r["bare"] is None else short_number(r["bare"], r["unit"])
        spread = f"{self.text(r['low']).replace(' µs', '')} … {self.text(r['high'])}"
        return (f"{r['row']:<32}{short_number(r['assay'], r['unit']):>11}{bare:>11}{self.text(r['value']):>11}"
                f"  {spread:<19}{limit:<12}{r['word']}")


HEADING = (f"{'':<32}{'Assay':>11}{'peer':>11}{'ratio':>11}  {'95 % interval':<19}{'limit':<12}")


class Suite:
    def __init__(self, args):
        self.args = args
        self.results, self.notes = [], []

    def say(self, text):
        print(text, flush=True)

    def progress(self, text):
        if sys.stderr.isatty():
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    def section(self, title):
        self.progress("")
        self.say(f"\n{title}\n{HEADING}")

    def alternate(self, name, rounds, a, b):
        """A B B A: two neighbouring pairs a round."""
        done = []
        for i in range(rounds):
            self.progress(f"{name}: round {i + 1} of {rounds}")
            first = (a(), b())
            second_b = b()
            done.append([first, (a(), second_b)])
        return done

    def add(self, rows, rounds):
        self.progress("")
        for row in rows:
            result = row.result(rounds)
            self.results.append(result)
            self.say(row.line(result))

    def add_valid(self, name, rounds):
        """All of Assay's runs of these rounds are VALID."""
        valid = [a["valid"] for pairs in rounds for a, _ in pairs]
        peers_valid = [b["valid"] for pairs in rounds for _, b in pairs]
        word = "ok" if all(valid) else "short"
        self.results.append({"row": name, "assay": sum(valid), "bare": sum(peers_valid), "of": len(valid),
                             "word": word})
        self.say(f"{name:<32}{f'{sum(valid)} of {len(valid)}':>11}{f'{sum(peers_valid)} of {len(valid)}':>11}"
                 f"{'':<44}{word}")
        for reason in sorted({reason for pairs in rounds for a, _ in pairs for reason in a["reasons"]}):
            self.note(f"  INVALID: {reason}")

    def add_count(self, name, good, of):
        """All of them are wanted."""
        word = "ok" if good == of else "short"
        self.results.append({"row": name, "assay": good, "bare": None, "of": of, "word": word})
        self.say(f"{name:<32}{f'{good} of {of}':>11}{'':<55}{word}")

    def note(self, text):
        self.progress("")
        self.notes.append(text)
        self.say(text)


# ---- (a) the null engine against bare LoadGen ------------------------------------------------------------------------

def null_stream(suite, assay, bare):
    settings = ["--min-duration-ms", "1000", "--target-latency-ms", "0.001"]
    options = ["--duration-ms", "1000", "--latency-ms", "0.001"]
    rounds = suite.alternate("null SingleStream", suite.args.rounds,
                             lambda: assay.run("SingleStream", "null", settings),
                             lambda: bare.run("SingleStream", options))
    suite.add([Row("null SingleStream p50", "ns", "difference", 500, key="p50"),
               Row("null SingleStream p99", "ns", "difference", key="p99")], rounds)


def null_offline(suite, assay, bare):
    batch = "1024"
    settings = ["--min-duration-ms", "100", "--target-qps", "5e7", "--batch", batch]
    options = ["--duration-ms", "100", "--qps", "5e7"]
    rounds = suite.alternate("null Offline", suite.args.rounds,
                             lambda: assay.run("Offline", "null", settings),
                             lambda: bare.run("Offline", options + ["--chunk", batch]))
    suite.add([Row("null Offline, 1024 a call", "/s", limit=0.5, below=False, key="rate")], rounds)
    whole = bare.run("Offline", options)
    suite.note(f"  (bare, all in one call: {short_number(whole['rate'], '/s')}: LoadGen's clock stops before its own "
               f"work; see README)")


def null_server(suite, assay, bare):
    for qps in (1000, 100000):
        duration = "2000" if qps == 1000 else "1000"
        settings = ["--min-duration-ms", duration, "--target-qps", str(qps), "--batch", "1"]
        options = ["--duration-ms", duration, "--qps", str(qps), "--latency-ms", "15", "--queries", "662"]
        for how, lanes, flags, limit in (("inline", "1", [], 2.0), ("2 lanes", "2", ["--handover"], 1.25)):
            name = f"null Server {qps // 1000} k QPS, {how}"
            rounds = suite.alternate(name, suite.args.rounds,
                                     lambda: assay.run("Server", "null", settings + ["--lanes", lanes]),
                                     lambda: bare.run("Server", options + flags))
            suite.add([Row(f"{name}: p99", "ns", limit=limit, key="p99"),
                       Row(f"{name}: p50", "ns", key="p50")], rounds)
            suite.add_valid(f"{name}: VALID", rounds)


def part_a(suite, assay):
    bare = peers.BareLoadgen(suite.args.build)
    suite.section("(a) the null engine through Assay, against a null SUT straight on LoadGen")
    null_stream(suite, assay, bare)
    null_offline(suite, assay, bare)
    null_server(suite, assay, bare)


# ---- (b) ResNet-50 on an engine --------------------------------------------------------------------------------------

def part_b(suite, assay):
    for name in [suite.args.engine] if suite.args.engine else peers.ENGINES:
        try:
            bare = peers.ENGINES[name](assay, suite.args.build, suite.args.device, suite.args.precision)
        except peers.Missing as why:
            if suite.args.engine:
                raise peers.Failed(str(why)) from why
            suite.note(f"  (b) on {name} is skipped: {why}")
            continue
        engine_of_b(suite, assay, bare)


def engine_of_b(suite, assay, bare):
    suite.section(f"(b) ResNet-50 on {bare.title} under Assay, against a bare loop at its best settings")
    rounds_wanted = suite.args.rounds
    best = bare.search(suite.progress, 2 if suite.args.quick else 4)
    suite.note(f"  the bare loop's best: {bare.describe(best)}, {best['rate']:.1f} samples/s")
    step = best["lanes"] * best["batch"]
    count = step * math.ceil(best["rate"] * suite.args.block / step)
    settings = bare.settings(best) + ["--min-query-count", str(count), "--min-duration-ms", "1000",
                                      "--target-qps", "1"]
    rounds = suite.alternate("ResNet-50 Offline", rounds_wanted,
                             lambda: assay.run("Offline", bare.engine, settings),
                             lambda: bare.offline(best, count))
    suite.add([Row(f"{bare.engine} Offline", "/s", limit=0.98, below=False, key="rate"),
               Row("  lane time in engine / wall", "", "alone", 0.98, below=False, key="busy")], rounds)
    single = bare.search_single(suite.progress, 2 if suite.args.quick else 4)
    suite.note(f"  the bare loop's best for one sample: {bare.describe(single)}")
    stream = bare.settings(single) + ["--min-duration-ms", str(int(suite.args.block * 1000))]
    rounds = suite.alternate("ResNet-50 SingleStream", rounds_wanted,
                             lambda: assay.run("SingleStream", bare.engine, stream),
                             lambda: bare.single(single, suite.args.block))
    suite.add([Row(f"{bare.engine} SingleStream p90", "ns", limit=1.01, key="p90"),
               Row(f"{bare.engine} SingleStream p50", "ns", key="p50"),
               Row("  lane time in engine / wall", "", "alone", 0.98, below=False, key="busy")], rounds)


# ---- (c) pre-processing ----------------------------------------------------------------------------------------------

def part_c(suite, _assay):
    photo_rows(suite)
    question_rows(suite)
    volume_rows(suite)
    speech_rows(suite)
    click_rows(suite)


def python_row(suite, title, data, files, count, program, peer, row, unit):
    """`count` samples in files, through a program of ours and through the official way in Python (peer: python_peer's
    arguments); data: what they are, and their folder."""
    suite.section(f"(c) {title}")
    if not files or not count:
        suite.note(f"  skipped: no {data[0]} ({data[1]} of the test data)")
        return
    try:
        command = peers.python_peer(suite.args.build, suite.progress, *peer)
    except peers.Missing as why:
        suite.note(f"  skipped: {why}")
        return
    ours = peers.Photos([str(suite.args.build / "bench" / program)], files, count)
    python = peers.Photos(command, files, count)
    rounds = suite.alternate(unit, suite.args.rounds, lambda: ours.go("go"), lambda: python.go("go"))
    suite.add([row], rounds)


def rate_row(name, limit):
    return Row(name, "/s", limit=limit, below=False, key="rate")


def question_rows(suite):
    python_row(suite, "BERT's features, one thread, against the tokeniser in Python", ("questions", "squad-mini"),
               *peers.questions(), "tokenise", ("tokeniser", peers.TOKENISER_PACKAGES, "official_tokenise.py"),
               rate_row("questions/s / BertTokenizer", 20), "questions")


def volume_rows(suite):
    scans = peers.scans()
    python_row(suite, "3D-UNet's volumes, one thread, against nibabel, scipy and numpy", ("scans", "volume-mini"),
               scans, len(scans), "volumes", ("scipy", peers.VOLUME_PACKAGES, "official_volumes.py"),
               rate_row("volumes/s / scipy", 1.5), "volumes")


def speech_rows(suite):
    files = peers.recordings()
    python_row(suite, "RNN-T's features, one thread, against numpy", ("recordings", "speech-mini"),
               files, len(files), "features", ("speech", peers.FEATURE_PACKAGES, "official_features.py"),
               rate_row("utterances/s / numpy", 1.5), "utterances")


def click_rows(suite):
    python_row(suite, "DLRM's rows of raw logs, one thread, against numpy in Python", ("logs", "criteo-mini"),
               *peers.clicks(suite.args.build), "rows", ("python", peers.PYTHON_PACKAGES, "official_rows.py"),
               rate_row("rows/s / numpy in Python", 1.5), "clicks")


def photo_rows(suite):
    suite.section("(c) pre-processing, one thread, against decoding alone and against Python")
    photos = peers.photos()
    if not photos:
        suite.note("  skipped: no photos; put JPEGs in a folder and name it in ASSAY_TEST_DATA (see README)")
        return
    ours = peers.Photos([str(suite.args.build / "bench" / "preprocess")], photos)
    rounds = suite.alternate("decoding", suite.args.rounds, lambda: ours.go("whole"), lambda: ours.go("decode"))
    suite.add([Row("time per image / decoding alone", "ns", limit=1.25, key="time")], rounds)
    rounds = suite.alternate("RetinaNet, decoding", suite.args.rounds, lambda: ours.go("square"), lambda: ours.go("decode"))
    suite.add([Row("RetinaNet: time per image / decoding alone", "ns", key="time")], rounds)
    try:
        python = peers.Photos(peers.python_peer(suite.args.build, suite.progress), photos)
    except peers.Missing as why:
        suite.note(f"  Python's way skipped: {why}")
        return
    rounds = suite.alternate("Python", suite.args.rounds, lambda: ours.go("whole"), lambda: python.go("whole"))
    suite.add([Row("images/s / OpenCV + numpy", "/s", below=False, key="rate")], rounds)
    rounds = suite.alternate("RetinaNet, Python", suite.args.rounds, lambda: ours.go("square"), lambda: python.go("square"))
    suite.add([Row("RetinaNet: images/s / OpenCV + numpy", "/s", limit=1.5, below=False, key="rate")], rounds)


# ---- (d) the other benchmarks on an engine ---------------------------------------------------------------------------

def rounds_of(suite, usual):
    """As was asked for; else few, where a run takes long."""
    return suite.args.rounds_asked or (1 if suite.args.quick else usual)


def part_d(suite, assay):
    suite.section("(d) the other benchmarks on ONNX Runtime under Assay, against a bare loop that makes the same calls")
    for kind in work.ALL:
        suite.progress(f"{kind.title}: the list of calls")
        one = kind(assay, suite.args.build, suite.args.quick)
        rounds = suite.alternate(one.title, rounds_of(suite, one.usual_rounds), one.run, one.bare)
        suite.note(f"  {one.title}: {one.describe()}")
        suite.add([Row(f"{one.title} Offline", "/s", limit=0.98, below=False, key="rate"),
                   Row("  lane time in engine / wall", "", "alone", key="busy")], rounds)


# ---- (e) BERT without padding ----------------------------------------------------------------------------------------

def part_e(suite, assay):
    suite.section("(e) BERT Offline on ONNX Runtime, questions at their own length, against all padded to 384")
    try:
        both = work.Padding(assay, 8 if suite.args.quick else 24)
    except peers.Missing as why:
        suite.note(f"  skipped: {why}")
        return
    n = len(both.lengths)
    suite.note(f"  {n} windows, {sum(both.lengths) / n:.0f} tokens on average")
    rounds = suite.alternate("BERT, padding", rounds_of(suite, 2), lambda: both.run(False), lambda: both.run(True))
    suite.add([Row("own length / padded to 384", "/s", limit=1.8, below=False, key="rate")], rounds)
    suite.progress("BERT, padding: the answers")
    same, of, worst = both.compare()
    suite.add_count("answers that are the same", same, of)
    suite.note(f"  (logits differ by {worst:.1e} at most)")


# ---- the whole -------------------------------------------------------------------------------------------------------

def machine():
    model = platform.machine()
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return (f"{model}, {os.cpu_count()} CPUs, {memory:.0f} GiB, Linux {platform.release()}, "
            f"load {os.getloadavg()[0]:.2f}")


def arguments():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("build", type=pathlib.Path, help="a finished build folder: build/release")
    p.add_argument("--quick", action="store_true", help="3 rounds and short blocks: a look, not a verdict")
    p.add_argument("--only", choices="abcde", help="one part")
    p.add_argument("--engine", choices=sorted(peers.ENGINES), help="of part b (default: all that are installed)")
    p.add_argument("--device", default="cpu", help="of part b: cpu, or cuda:0 (PyTorch's loop alone runs there)")
    p.add_argument("--precision", default="fp32", choices=("fp32", "fp16"), help="of part b, on a card")
    p.add_argument("--rounds", type=int, help="rounds of A B B A (default: 10; 2 or 4 in d and e)")
    p.add_argument("--json", metavar="FILE", help="also write everything that was measured")
    args = p.parse_args()
    args.build = args.build.resolve()
    args.rounds_asked = args.rounds
    args.rounds = args.rounds or (3 if args.quick else 10)
    args.block = 2.0 if args.quick else 4.0
    return args


def main():
    args = arguments()
    started = time.time()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="assay-bench-"))
    suite = Suite(args)
    try:
        assay = peers.Assay(args.build, folder)
        head = f"{machine()}\n{assay.versions()}; {args.rounds} rounds of A B B A"
        suite.say(head)
        for name, part in (("a", part_a), ("b", part_b), ("c", part_c), ("d", part_d), ("e", part_e)):
            if args.only in (None, name):
                part(suite, assay)
    except peers.Failed as why:
        suite.progress("")
        print(f"bench: {why}", file=sys.stderr)
        return 3
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    bad = [r["row"] for r in suite.results if r["word"] == "short"]
    suite.say(f"\n{len(suite.results)} rows in {(time.time() - started) / 60:.1f} minutes; "
              + (f"short: {', '.join(bad)}" if bad else "none is short")
              + ".\nok?: the limit lies inside the interval; shown: no limit.")
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(
            {"machine": machine(), "head": head, "rounds": args.rounds, "quick": args.quick, "rows": suite.results,
             "notes": suite.notes}, indent=1, ensure_ascii=False) + "\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Do compare and reproduce tell a slowdown from noise?  With real runs whose difference is known.

    bench/compare.py BUILD [--tries N] [--duration-s N] [--service-us X] [--distribution NAME] [--slower R]
                     [--only compare|reproduce] [--json FILE]

The null engine serves one sample after another with a random service time of known mean; nothing else should run on
the machine.  Four counts, each of N tries (20):

    compare, identical     two runs with the same mean and different seeds: "faster" or "slower" at most once in 20
    compare, slowed        the second has a mean that is 5 % higher: "slower" in at least 18 of 20
    reproduce, unchanged   one record made again: "differs" at most once in 20, "cannot tell" in at most 4
    reproduce, slowed      its record.json asks for a mean that is 5 % higher than what was measured: "differs" in 18

Exit code 0: all four hold; 1: one does not."""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

LIMITS = {  # of 20 tries: answers counted, and the most or the least of them
    "compare, identical": (("faster", "slower", "faster and slower"), "at most", 1),
    "compare, slowed": (("slower",), "at least", 18),
    "reproduce, unchanged": (("differs",), "at most", 1),
    "reproduce, slowed": (("differs",), "at least", 18),
}
UNSURE = ("reproduce, unchanged", "cannot tell", 4)


class Suite:
    def __init__(self, args, work):
        self.args, self.work = args, pathlib.Path(work)
        self.program = pathlib.Path(args.build) / "bin" / "assay"
        self.env = dict(os.environ, ASSAY_STORE=str(self.work / "store"), ASSAY_CACHE=str(self.work / "cache"),
                        ASSAY_CONFIG=str(self.work / "config"))
        self.seed = 0
        self.answers = {name: [] for name in LIMITS}
        self.ratios = {name: [] for name in LIMITS}

    def assay(self, *words):
        done = subprocess.run([self.program, *map(str, words), "--json", "--progress", "none"], env=self.env,
                              capture_output=True, text=True, check=False)
        if done.returncode not in (0, 4, 6, 7):
            sys.exit("%s: exit %d: %s" % (" ".join(map(str, words)), done.returncode, done.stderr.strip()))
        return json.loads(done.stdout)

    def run(self, slower=1.0):
        self.seed += 1
        options = "latency_us=%g,distribution=%s,seed=%d" % (self.args.service_us * slower, self.args.distribution,
                                                             self.seed)
        return self.assay("run", "resnet50", "--engine", "null", "--engine-options", options, "--scenario",
                          "SingleStream", "--min-duration-ms", int(self.args.duration_s * 1000), "--count", 200,
                          "--warmup-s", 0.3)

    def keep(self, name, answer, comparison):
        self.answers[name].append(answer)
        mean = next(f for f in comparison["figures"] if f["figure"] == "mean")
        self.ratios[name].append([mean["ratio"], *mean["interval"]])
        print("%-22s %3d  %-22s mean %.4f (%s)" % (name, len(self.answers[name]), answer, mean["ratio"],
                                                   " .. ".join("%.4f" % x if x else "?" for x in mean["interval"])),
              flush=True)
        for note in comparison["notes"]:
            print("    " + note)

    def compare(self, name, slower):
        a, b = self.run(), self.run(slower)
        result = self.assay("compare", a["id"], b["id"])
        self.keep(name, result["verdict"], result)

    def reproduce(self, name, slower):
        """The record is one of its own for each try: a record that came out unlucky would count 20 times."""
        record = self.run()
        where = self.work / "lock"
        shutil.rmtree(where, ignore_errors=True)
        shutil.copytree(record["folder"], where)
        path = where / "record.json"
        text = path.read_text(encoding="utf-8")
        text = text.replace("latency_us=%g," % self.args.service_us,
                            "latency_us=%g," % (self.args.service_us * slower))
        path.write_text(text, encoding="utf-8")
        result = self.assay("reproduce", where)
        self.keep(name, result["answer"], result["comparison"])

    def verdict(self):
        good = True
        for name, (words, how, limit) in LIMITS.items():
            got = self.answers[name]
            if not got:
                continue
            count, scaled = sum(a in words for a in got), limit * len(got) / 20
            holds = count <= scaled if how == "at most" else count >= scaled
            good &= holds
            print("%-22s %d of %d %s; %s %g: %s" % (name, count, len(got), "/".join(words[:2]), how, scaled,
                                                    "holds" if holds else "DOES NOT HOLD"))
        got = self.answers[UNSURE[0]]
        unsure = got.count(UNSURE[1])
        if got:
            holds = unsure <= UNSURE[2] * len(got) / 20
            good &= holds
            print("%-22s %d of %d %s: %s" % (UNSURE[0], unsure, len(got), UNSURE[1],
                                             "holds" if holds else "DOES NOT HOLD"))
        return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--tries", type=int, default=20)
    parser.add_argument("--duration-s", type=float, default=6)
    parser.add_argument("--service-us", type=float, default=200)
    parser.add_argument("--distribution", default="lognormal", choices=["fixed", "exponential", "uniform", "lognormal"])
    parser.add_argument("--slower", type=float, default=1.05)
    parser.add_argument("--only", choices=["compare", "reproduce"])
    parser.add_argument("--json")
    args = parser.parse_args()
    print("load average %s" % " ".join("%.2f" % x for x in os.getloadavg()))
    with tempfile.TemporaryDirectory(prefix="assay-compare-") as work:
        suite = Suite(args, work)
        for _ in range(args.tries):
            if args.only != "reproduce":
                suite.compare("compare, identical", 1)
                suite.compare("compare, slowed", args.slower)
            if args.only != "compare":
                suite.reproduce("reproduce, unchanged", 1)
                suite.reproduce("reproduce, slowed", args.slower)
        good = suite.verdict()
        if args.json:
            with open(args.json, "w", encoding="utf-8") as f:
                json.dump({"answers": suite.answers, "ratios": suite.ratios}, f, indent=1)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()

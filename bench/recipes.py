#!/usr/bin/env python3
"""How long `assay get` takes when there is nothing to do, with many recipes present.

    recipes.py [--prefix BUILD] [--recipes N] [--runs N] [--limit MS]      default: build/release, 1000, 200, 10

Makes up recipes in a folder of its own (one folder each, chains of ten that need each other), gets one, waits until
its index is settled, and times the same command again and again; start_ms is `assay --version`, which any command takes.
Prints one JSON object, times in ms.  Exit code 1 when the median of `assay get` is over --limit.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


def make_up(folder, count):
    for i in range(count):
        os.makedirs("%s/made-up-%d" % (folder, i))
        needs = 'needs:\n  - {tags: [made-up-%d], version: ">=1"}\n' % (i + 1) if i % 10 != 9 and i + 1 < count else ""
        with open("%s/made-up-%d/recipe.yaml" % (folder, i), "w", encoding="utf-8") as f:
            f.write('schema: 1\nname: made-up-%d\nsummary: one of many\nversion: "1.%d"\ntags: [made-up, group-%d]\n'
                    "variations:\n  size: {default: small, options: {small: {}, large: {}}}\n%s"
                    'build:\n  - {write: file, text: "%d"}\noutputs: {file: file}\n' % (i, i, i % 10, needs, i))


def times(command, env, runs):
    found = []
    for _ in range(runs):
        began = time.perf_counter()
        subprocess.run(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        found.append((time.perf_counter() - began) * 1e3)
    found.sort()
    return {"least": round(found[0], 2), "median": round(statistics.median(found), 2),
            "p90": round(found[int(0.9 * (len(found) - 1))], 2)}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--prefix", default=os.path.join(ROOT, "build", "release"))
    p.add_argument("--recipes", type=int, default=1000)
    p.add_argument("--runs", type=int, default=200)
    p.add_argument("--limit", type=float, default=10)
    a = p.parse_args()
    assay = os.path.join(os.path.abspath(a.prefix), "bin", "assay")
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as folder:
        make_up(folder + "/recipes", a.recipes)
        env = dict(os.environ, ASSAY_CACHE=folder + "/cache", ASSAY_CONFIG=folder + "/config",
                   ASSAY_RECIPE_PATH=folder + "/recipes", ASSAY_PREFIX=os.path.abspath(a.prefix))
        first = times([assay, "get", "made-up-0"], env, 1)
        time.sleep(3)
        times([assay, "get", "made-up-0"], env, 3)
        get = times([assay, "get", "made-up-0"], env, a.runs)
        good = get["median"] <= a.limit
        print(json.dumps({"recipes": a.recipes, "runs": a.runs, "first_get_ms": first["least"], "get_ms": get,
                          "limit_ms": a.limit, "word": "ok" if good else "short",
                          "start_ms": times([assay, "--version"], env, a.runs),
                          "load": os.getloadavg()[0]}, indent=2))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

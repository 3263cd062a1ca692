"""The recipes of packages and tools/deps.lock name the same files: every source distribution and wheel of the lock is in a
recipe with its size and digest, and what both name is the same in both.  Versions agree with what the sources say."""
import glob
import json
import os
import re
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
ASSAY = os.path.join(os.environ["ASSAY_PREFIX"], "bin", "assay")
sys.path.insert(0, os.path.join(ROOT, "tools"))
import fetch  # noqa: E402  pylint: disable=wrong-import-position


def recipe(path):
    done = subprocess.run([ASSAY, "recipes", "show", path, "--json"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["recipe"]


def downloads(value):
    """Rows of fetch, wherever in a recipe they stand."""
    if isinstance(value, dict):
        if "pypi" in value:
            yield value
        for below in value.values():
            yield from downloads(below)
    elif isinstance(value, list):
        for below in value:
            yield from downloads(below)


def source_text(name):
    with open(os.path.join(ROOT, "src", name), encoding="utf-8") as f:
        return f.read()


def main():
    trees = [recipe(path) for path in sorted(glob.glob(os.path.join(ROOT, "recipes", "*", "*.yaml")))]
    named = {}
    for tree in trees:
        for row in downloads(tree):
            named.setdefault(row["file"], []).append(row)
    lock = [row for row in fetch.read_lock(os.path.join(ROOT, "tools", "deps.lock")) if row.kind in ("sdist", "wheel")]
    if len(lock) < 5:
        sys.exit("the lock has %d files of packages" % len(lock))
    for row in lock:
        if row.file not in named:
            sys.exit("no recipe names %s" % row.file)
        for mine in named[row.file]:
            if (mine["sha256"], mine.get("bytes"), mine["pypi"]) != (row.sha256, row.bytes, row.name.partition("[")[0]):
                sys.exit("%s: the lock says %s, %s; a recipe %s" % (row.file, row.sha256, row.bytes, mine))
    for name, rows in named.items():
        if any(row.get("sha256") != rows[0]["sha256"] or "bytes" not in row for row in rows):
            sys.exit("%s: %s" % (name, rows))
    versions = {name: {t.get("version") for t in trees if t["name"] == name} for name in ("loadgen", "mlperf-inference")}
    for name, file, pattern in (("loadgen", "load/rounds.c", r'\{"v[\d.]+", "([\d.]+)"'),
                                ("loadgen", "submit/rounds.c", r'"(\d+\.\d+\.\d+)"(?=[^{}]*NULL)'),
                                ("mlperf-inference", "submit/rounds.c", r'NULL\},\s+"([\d.]+)"\}')):
        found = set(re.findall(pattern, source_text(file)))
        if not found or found - versions[name]:
            sys.exit("%s: %s of %s have no recipe %s" % (file, sorted(found - versions[name]), sorted(found), name))
    for tree in trees:
        device = tree.get("variations", {}).get("device", {})
        if "engine-library" in tree.get("tags", []) and device.get("default", "cpu") != "cpu":
            sys.exit("%s@%s: who asks for no device gets gigabytes of CUDA" % (tree["name"], tree["version"]))
    bridge = next(tree for tree in trees if tree["name"] == "loadgen-bridge")
    options = bridge["variations"]["loadgen"]["options"]
    rounds = re.findall(r'\{"v[\d.]+", "([\d.]+)"', source_text("load/rounds.c"))
    if options != {v: {"needs": [{"tags": ["loadgen"], "version": "==" + v}]} for v in rounds}:
        sys.exit("loadgen-bridge has %s, load/rounds.c %s" % (options, rounds))
    if bridge["variations"]["loadgen"]["default"] != rounds[0]:
        sys.exit("loadgen-bridge: its default is not the newest, %s" % rounds[0])
    print("%d files of packages, %d of them in the lock" % (len(named), len(lock)))


main()

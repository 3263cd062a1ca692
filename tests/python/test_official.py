"""`assay check --official` with a stand-in for the official checker, fetched by its recipe from a web server on loopback:
one that accepts, refuses, breaks, is killed, wants a module; where it cannot be had, and what it is run with."""
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile

from test_get import Place

# What it does stands in the file `mode` beside the tree: its environment is clean.
CHECKER = b'''import argparse, json, os, signal, sys
p = argparse.ArgumentParser()
for name in ("--input", "--version", "--csv"):
    p.add_argument(name, required=True)
args = p.parse_args()
mode = open(os.path.join(os.path.dirname(args.input), "mode")).read()
print("[x main.py:1 INFO] a stand-in for", args.version, flush=True)
print("environment", " ".join(sorted(os.environ)), file=sys.stderr, flush=True)
open(args.csv, "w").write("Organization\\n")
if mode == "accept":
    print("[x INFO] SUMMARY: submission looks OK \\x1b[31m")
elif mode == "refuse":
    print("[x main.py:2 ERROR] %s/closed/ACME: too short" % args.input)
    for i in range(30):
        print("[x INFO] line", i)
    print("[x main.py:3 ERROR] SUMMARY: submission has errors")
    sys.exit(1)
elif mode == "module":
    import a_module_that_nobody_has
elif mode == "kill":
    os.kill(os.getpid(), signal.SIGSEGV)
else:
    raise ValueError("broken")
'''


def archive(data):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        info = tarfile.TarInfo("inference/checker/main.py")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def check(p, mode, *words, code, has=()):
    with open(p.folder + "/mode", "w", encoding="utf-8") as f:
        f.write(mode)
    return p.assay("check", "tree", "--round", "v6.1", *words, code=code, has=has)


def official(p, mode, code):
    return json.loads(check(p, mode, "--official", "--json", code=code).stdout)["official"]


def unavailable(p, own):
    """Not here and not to be had: one line, with the command, and our own judgement's exit code if it is a bad one."""
    line = "`assay get mlperf-inference@==6.1 checker-python` gets it. Assay's own check was done."
    for words, why in ((["--offline"], "--offline forbids to fetch it"), ([], "cannot be fetched: " + p.base)):
        done = check(p, "accept", "--official", *words, code=own or 3, has=[line, why])
        said = [x for x in done.stderr.splitlines() if x.startswith("assay:")]
        if len(said) != 1 or "official checker (" in done.stdout:
            sys.exit("more than a line: %s" % done)
    check(p, "accept", "--offline", code=own)
    report = json.loads(check(p, "accept", "--official", "--offline", "--json", code=own or 3).stdout)["official"]
    if report["ran"] or report["verdict"] != "none" or report["get"] != "assay get mlperf-inference@==6.1 checker-python":
        sys.exit(str(report))
    p.recipe("checker-python", find=[{"program": "python3", "version": ["-c", "import a_module_that_nobody_has"], "match": "(x)"}],
             outputs={"program": "bin/python3"})
    check(p, "accept", "--official", code=own or 3, has=["checker-python is not here", "No module named 'a_module_that_nobody_has'"])
    check(p, "accept", "--official", "--dry-run", code=own or 3, has=["What stands against it", "checker-python is not here"])


def dry(p, own):
    """Our own judgement as ever; of theirs the command and the recipes' plan, and nothing is fetched, written or run."""
    done = check(p, "refuse", "--official", "--dry-run", code=own, has=["Then the official checker would be run", "1. fetch   mlperf-inference-6.1"])
    command = [line for line in done.stdout.splitlines() if "main.py" in line and "--input" in line][0].split()
    if command[2:] != ["--input", p.folder + "/tree", "--version", "v6.1", "--csv", p.folder + "/tree.checker.csv"]:
        sys.exit("its command: %s" % command)
    plan = json.loads(check(p, "refuse", "--official", "--dry-run", "--json", code=own).stdout)["official"]
    if plan["command"] != command or plan["get"][0] != "mlperf-inference@==6.1" or plan["round"] != "v6.1":
        sys.exit(str(plan))
    check(p, "refuse", "--official", "--dry-run", "--offline", code=own or 3, has=["inference.tar.gz is not here, and --offline forbids to"])
    if any(name.startswith("tree.checker") for name in os.listdir(p.folder)) or os.path.exists(command[1]):
        sys.exit("a dry run did something: %s" % os.listdir(p.folder))


def verdicts(p, own):
    tree = p.folder + "/tree"
    done = check(p, "accept", "--official", code=own, has=["The official checker (mlperf-inference-6.1, round v6.1) accepts the tree",
                                                           "  | [x INFO] SUMMARY: submission looks OK ?[31m"])
    log = p.read(tree + ".checker.log").decode()
    if "a stand-in for v6.1" not in log or not os.path.exists(tree + ".checker.csv") or tree + ".checker.log" not in done.stdout:
        sys.exit("the log: " + log)
    names = [line for line in log.splitlines() if line.startswith("environment")][0].split()[1:]
    if set(names) - {"PATH", "TMPDIR", "LC_ALL", "LC_CTYPE", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}:
        sys.exit("its environment: %s" % names)
    report = official(p, "refuse", 4)
    if report["verdict"] != "rejected" or report["exit_code"] != 1 or report["errors"][0] != "[x main.py:2 ERROR] closed/ACME: too short" \
            or len(report["last"]) != 8 or "has errors" not in report["last"][-1]:
        sys.exit(str(report))
    check(p, "refuse", "--official", code=4, has=["refuses the tree", "  | [x main.py:2 ERROR] closed/ACME: too short"])
    check(p, "module", "--official", code=own or 3, has=["gave no verdict: it wants the Python module 'a_module_that_nobody_has'"])
    check(p, "broken", "--official", code=own or 3, has=["gave no verdict: it ended without a verdict", "exit code 1", "ValueError: broken"])
    report = official(p, "kill", own or 3)
    if report["verdict"] != "none" or report["exit_code"] is not None or "crashed" not in report["why"]:
        sys.exit(str(report))
    if os.listdir(tree) != ["closed"] or os.listdir(p.folder + "/cache/work"):
        sys.exit("left behind: %s %s" % (os.listdir(tree), os.listdir(p.folder + "/cache/work")))
    p.assay("cache", "verify", has=["Everything is as it was put there"])


def main():
    with tempfile.TemporaryDirectory(prefix="assay-official-") as folder, Place(folder) as p:
        # An installation without the official recipes: a second recipe of a name and version is refused.
        os.makedirs(folder + "/prefix/share/assay")
        for name in ("lib", "libexec"):
            os.symlink(os.path.join(os.environ["ASSAY_PREFIX"], name), folder + "/prefix/" + name)
        p.env["ASSAY_PREFIX"] = folder + "/prefix"
        recipe = {"version": "6.1", "outputs": {"checker": "inference/checker/main.py"}}
        rows = [[{"file": "inference.tar.gz", "urls": [p.base + how + "/inference.tar.gz"], "unpack": "."}]
                for how in ("missing", "good")]
        p.recipe("mlperf-inference", fetch=rows[0], **recipe)
        python = {"find": [{"program": sys.executable, "version": ["--version"]}], "outputs": {"program": "bin/python3"}}
        p.recipe("checker-python", **python)
        os.makedirs(folder + "/tree/closed")
        own = subprocess.run([os.path.join(os.environ["ASSAY_PREFIX"], "bin", "assay"), "check", "tree"], cwd=folder, env=p.env,
                             capture_output=True, check=False).returncode
        unavailable(p, own)
        p.recipe("checker-python", **python)
        p.recipe("mlperf-inference", fetch=rows[1], **recipe)
        p.serve("inference.tar.gz", archive(CHECKER))
        dry(p, own)
        verdicts(p, own)
        # The same from the user's own copy.
        p.forget()
        p.assay("get", "mlperf-inference@==6.1", "--have", "mlperf-inference=" + folder + "/own", code=2)
        os.makedirs(folder + "/own/inference/checker")
        with open(folder + "/own/inference/checker/main.py", "wb") as f:
            f.write(CHECKER)
        p.assay("get", "mlperf-inference@==6.1", "--have", "mlperf-inference=" + folder + "/own")
        check(p, "accept", "--official", "--offline", code=own, has=["accepts the tree"])
        print("good; our own exit code was", own)


if __name__ == "__main__":
    main()

# test: serial.  A run whose model comes by a recipe
"""`assay run bert` on a machine with nothing, a web server on loopback in the place of the published hosts: the dry run says what
would be fetched and touches nothing; offline it names what is missing; the run fetches, verifies, unpacks, converts and keeps
the model, and measures; the second run only measures."""
import gzip
import hashlib
import json
import os
import subprocess
import sys
import tempfile

import tiny_bert

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(os.environ.get("ASSAY_TEST_DATA") or os.path.join(HERE, "..", "..", "..", "shared", "data"), "squad-mini")
PREFIX = os.environ["ASSAY_PREFIX"]
MANIFEST = """schema: 1
name: tiny
benchmark: bert
files: {onnx: nowhere.onnx}
recipes: {onnx: tiny-model}
input: {ids: ids, mask: mask, types: types, length: 384}
output: {start: start, end: end}
"""
os.environ["no_proxy"] = "*"


def run(folder, *more, code=0, has=()):
    env = dict(os.environ, ASSAY_CACHE=folder + "/cache", ASSAY_CONFIG=folder + "/config", ASSAY_STORE=folder + "/store",
               ASSAY_RECIPE_PATH=folder + "/recipes")
    done = subprocess.run([os.path.join(PREFIX, "bin", "assay"), "run", "bert", "--engine", "onnxruntime", "--model",
                           folder + "/tiny.yaml", "--dataset", DATA, "--mode", "accuracy", "--warmup-s", "0.1", "--json",
                           "--progress", "plain", *more], capture_output=True, text=True, check=False, env=env)
    if done.returncode != code or not all(text in done.stdout + done.stderr for text in has):
        sys.exit("%s: exit code %d, or not all of %s:\n%s%s" % (more, done.returncode, has, done.stdout, done.stderr))
    return done


def main():
    if not os.path.isdir(DATA) or not os.path.exists(os.path.join(PREFIX, "lib/assay/engines/onnxruntime.so")):
        return 77
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(folder + "/served")
        os.makedirs(folder + "/recipes")
        tiny_bert.write(folder + "/model.onnx", None, None)
        with open(folder + "/model.onnx", "rb") as f:
            model = f.read()
        packed = gzip.compress(model[:100], mtime=0)
        with open(folder + "/served/first.gz", "wb") as f:
            f.write(packed)
        with open(folder + "/served/second", "wb") as f:
            f.write(model[100:])
        server = subprocess.Popen([sys.executable, os.path.join(HERE, "loopback_server.py"), folder + "/served"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        base = "http://127.0.0.1:%s/good/" % server.stdout.readline().strip()
        recipe = {"schema": 1, "name": "tiny-model", "summary": "in two parts",
                  "fetch": [{"file": "first.gz", "urls": [base + "first.gz"], "md5": hashlib.md5(packed).hexdigest(),
                             "unpack": "."},
                            {"file": "second", "urls": [base + "second"], "bytes": len(model) - 100}],
                  "convert": [{"run": ["cat", "${fetched}/first", "${fetched}/second"], "to": "model.onnx"}],
                  "outputs": {"model": "model.onnx"},
                  "check": [{"file": "model.onnx", "sha256": hashlib.sha256(model).hexdigest()}]}
        with open(folder + "/recipes/tiny.yaml", "w", encoding="utf-8") as f:
            json.dump(recipe, f)
        with open(folder + "/tiny.yaml", "w", encoding="utf-8") as f:
            f.write(MANIFEST)
        plan = json.loads(run(folder, "--dry-run").stdout)
        if plan["get"] != ["tiny-model"] or plan["steps"][:2] != ["fetch tiny-model:fetch, %.3g MB and more" % (
                (len(model) - 100) / 1e6), "make tiny-model"]:
            sys.exit("the plan: %s" % plan)
        run(folder, "--offline", code=3, has=["first.gz is not here, and --offline forbids", "second is not here"])
        if os.path.exists(folder + "/served/requests.log"):
            sys.exit("the server was asked before the run")
        done = run(folder, has=["tiny-model: done"])
        record = json.loads(done.stdout)
        with open(record["model"]["path"], "rb") as f:
            if f.read() != model or record["status"] != "done":
                sys.exit("not the model that was served: %s" % record["model"])
        with open(folder + "/served/requests.log", encoding="utf-8") as f:
            asked = f.read()
        for more in ((), ("--offline",)):
            if "tiny-model" in run(folder, *more).stderr:
                sys.exit("made again")
        server.stdin.close()
        server.wait()
        with open(folder + "/served/requests.log", encoding="utf-8") as f:
            if asked.count("\n") != 2 or f.read() != asked:
                sys.exit("asked again: " + asked)
        subprocess.run(["chmod", "-R", "u+w", folder + "/cache"], check=True)
    print(record["accuracy"]["line"])
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""recipes/recipe.schema.json, for editors, against the reader: the file is what the program prints; every official recipe
suits both; and of a thousand recipes with one mistake each, none is taken by one and refused by the other, but for what
a schema cannot say."""
import copy
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

try:
    import jsonschema
except ImportError:
    print("skipped: no jsonschema here")
    sys.exit(77)

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
ASSAY = os.path.join(os.environ["ASSAY_PREFIX"], "bin", "assay")
# What only the reader sees: places, names that must be known, values against their types.
BEYOND = re.compile(r"stands for nothing here|a '\$\{' without|in 'env' alone|for the folders of 'find'|is none of the options|"
                    r"there is no option|in the groups|the recipe's name or one|input '|'choices' goes with|"
                    r"must have \{name\} in it|a secret wants|how it is had|: input |not valid|there twice|not UTF-8|"
                    r"is no extended regular expression|has no group")
BODY = {
    "licence": {"name": "X", "url": "https://x/y", "accept": True, "gate": "ask"},
    "inputs": {"n": {"type": "int", "default": 4, "min": 1, "max": 8, "help": "h"},
               "c": {"type": "choice", "choices": ["x", "y"], "default": "x"}, "s": {"type": "secret", "env": "KEY"}},
    "needs": [{"tags": ["base"], "version": ">=1 <2", "as": "d", "with": {"m": "${input.n}", "k": 1.5}, "use": True}],
    "resources": {"disk": "1.3 GB", "memory": 4096, "device": "cuda"},
    "source": "src",
    "find": [{"program": "cc", "version": ["--version"], "match": "([0-9]+)"}, {"folder": "${env.HOME}/x", "has": ["a/b"]}],
    "fetch": [{"file": "a", "urls": ["https://x/a", "file:/a"], "bytes": 7, "about": "7 B", "sha256": "0" * 64,
               "md5": "1" * 32, "unpack": "."},
              {"file": "b-1.0.whl", "pypi": "b", "bytes": 8, "sha256": "2" * 64, "unpack": "b"},
              {"file": "c/{name}", "each": {"from": "${dep.d.list}", "json": "a[].b", "urls": ["https://x/{name}"],
                                            "count": 2, "about": "7 B", "keep": "c"}}],
    "env": {"A": "${secret.s}"},
    "build": [{"run": ["cc", "${work}"], "in": "${work}", "to": "log"}, {"write": "a", "text": "${version}"}],
    "convert": [{"run": ["cc"]}],
    "outputs": {"tool": "bin/tool"},
    "values": {"flags": "-I${out}"},
    "check": [{"file": "a", "bytes": 3, "sha256": "0" * 64, "md5": "1" * 32}, {"folder": ".", "files": 2, "suffix": "x"},
              {"run": ["a"]}]}
WHOLE = dict(BODY, schema=1, name="tool", summary="s", notes="n", tags=["a", "b"], version="1.2",
             exclusions=[["one", "two"]],
             variations={"g": {"default": "one", "help": "h", "options": {"one": {}, "other": copy.deepcopy(BODY)}},
                         "h": {"options": {"two": {}}}})
WRONG = [None, True, 0, -1, 2.5, "", "a\nb", "../a", "/a", "Ab", "${", "x" * 65, ">=", "1.3 Gb", "f" * 64, "F" * 32,
         "ftp://x", "https://x y", [], {}, [1], ["a"], {"a": 1}, {"A b": "c"}]


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in items:
        yield from places(below, path + (key,))


def changed(path, how):
    document = copy.deepcopy(WHOLE)
    at = document
    for key in path[:-1]:
        at = at[key]
    how(at, path[-1])
    return document


def mutations():
    yield copy.deepcopy(WHOLE)
    for path in places(WHOLE):
        if not path or len(path) > 4 and path[0] == "variations" and path[-1] not in ("fetch", "build", "with"):
            continue
        yield changed(path, lambda at, key: at.pop(key))
        for wrong in WRONG:
            yield changed(path, lambda at, key, wrong=wrong: at.__setitem__(key, wrong))
        if isinstance(path[-1], str):
            yield changed(path, lambda at, key: at.__setitem__("unheard", at[key]))


def verdicts(folder, documents):
    """What the reader says of each: None, or its error."""
    found = []
    for first in range(0, len(documents), 16):
        names = []
        for i, document in enumerate(documents[first:first + 16]):
            names.append("%s/%d.yaml" % (folder, first + i))
            with open(names[-1], "w", encoding="utf-8") as f:
                json.dump(document, f)
        done = subprocess.run([ASSAY, "recipes", "check", "--json"] + names, capture_output=True, text=True, check=False)
        found += [row.get("error") for row in json.loads(done.stdout)["files"]]
    return found


def main():
    with open(os.path.join(ROOT, "recipes", "recipe.schema.json"), encoding="utf-8") as f:
        text = f.read()
    if text != subprocess.run([ASSAY, "recipes", "schema"], capture_output=True, text=True, check=True).stdout:
        sys.exit("recipes/recipe.schema.json is old: assay recipes schema > recipes/recipe.schema.json")
    validator = jsonschema.Draft202012Validator(json.loads(text))
    jsonschema.Draft202012Validator.check_schema(json.loads(text))
    count = 0
    for path in sorted(glob.glob(os.path.join(ROOT, "recipes", "*", "*.yaml"))):
        done = subprocess.run([ASSAY, "recipes", "show", path, "--json"], capture_output=True, text=True, check=True)
        tree = json.loads(done.stdout)["recipe"]
        validator.validate(tree)
        if tree["name"] != os.path.basename(os.path.dirname(path)):
            sys.exit("%s calls itself %s" % (path, tree["name"]))
        count += 1
    documents = list(mutations())
    with tempfile.TemporaryDirectory() as folder:
        read = verdicts(folder, documents)
    good = sum(error is None for error in read)
    for document, error in zip(documents, read):
        valid = validator.is_valid(document)
        if error is None and not valid or error is not None and valid and not BEYOND.search(error):
            sys.exit("the schema says %s, the reader: %s\n%s" % (valid, error, json.dumps(document)))
    if read[0] is not None or good < 50 or len(read) - good < 1000:
        sys.exit("not much of a test: %s; %d taken of %d" % (read[0], good, len(read)))
    print("%d recipes; %d documents, %d taken by both" % (count, len(documents), good))


main()

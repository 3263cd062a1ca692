"""Many files by a list (`each` of a recipe's `fetch`): what the plan says, how many at once, what one that is missing costs, what
a kill costs, which names are refused, and that what a user has is taken."""
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time

from test_get import ASSAY, Place

AT_ONCE = 8  # FETCH_LIST_AT_ONCE


class Lists(Place):
    """With recipes of lists and of what they name."""

    def list_recipe(self, name, text):
        self.serve(name, text)
        self.recipe(name + "-list", fetch=[{"file": name, "urls": [self.base + "good/" + name],
                                            "sha256": hashlib.sha256(text).hexdigest()}], outputs={"list": name})

    def recipe_of(self, name, how, count, more=None, **others):
        each = dict({"from": "${dep.list.list}", "urls": [self.base + how + "/{name}"], "count": count, "about": "60 kB"},
                    **(more or {}))
        self.recipe(name, needs=[{"tags": [name + "-list"], "as": "list"}], fetch=[{"file": "data/{name}", "each": each}],
                    outputs={"folder": "."}, **others)

    def asked(self, how):
        return [line.split()[0].rpartition("/")[2] for line in self.requests() if line.startswith("/" + how + "/")]

    def parts(self):
        """Whole files among the downloads under way."""
        found = []
        for _, _, names in os.walk(self.folder + "/cache/shelf/parts"):
            found += [name for name in names if ".part" not in name]
        return sorted(found)


def picture(i):
    return b"picture %d\n" % i * 200


def names_of(count):
    return ["%04d.jpg" % i for i in range(count)]


def document(names):
    return json.dumps({"info": 1, "images": [{"id": i, "file_name": name} for i, name in enumerate(names)]}).encode()


def one_missing(p):
    """30 files, one of which is not there at first."""
    names = names_of(30)
    text = document(reversed(names))
    for i, name in enumerate(names):
        if i != 17:
            p.serve(name, picture(i))
    p.list_recipe("pictures", text)
    p.recipe_of("pictures", "slow", 30, {"json": "images[].file_name", "keep": "notes/list.json"},
                check=[{"file": "notes/list.json"}, {"folder": "data", "files": 30, "suffix": ".jpg"}])
    p.assay("get", "pictures", "--offline", code=3,
            has=["pictures: 30 files, data/{name}, are not here, and --offline forbids to fetch them from %sslow/{name}" % p.base,
                 "pictures-list (needed by pictures): pictures is not here"])
    p.assay("plan", "pictures", has=["data/{name}  30 files, about 60", "each name in " + p.folder, "from %sslow/{name}" % p.base,
                                     "In all: 2 steps; 31 downloads"])
    totals = json.loads(p.assay("plan", "pictures", "--json").stdout)["totals"]
    if p.requests() or (totals["download_files"], totals["download_bytes"], totals["unknown_sizes"]) != (31, 60000, 1):
        sys.exit("the plan: %s %s" % (totals, p.requests()))
    p.assay("get", "pictures", code=3,
            has=["0017.jpg cannot be fetched: %sslow/0017.jpg answers 404 (not there); 29 of 30 files are kept" % p.base])
    at_once = int(p.read(p.folder + "/served/at-once"))
    if sorted(p.asked("slow")) != names or not 1 < at_once <= AT_ONCE:
        sys.exit("%d at once: %s" % (at_once, p.asked("slow")))
    p.serve(names[17], picture(17))
    folder = p.assay("get", "pictures").stdout.strip()
    if p.asked("slow")[30:] != [names[17]]:
        sys.exit("asked again for %s" % p.asked("slow")[30:])
    if [p.read("%s/data/%s" % (folder, name)) for name in names] != [picture(i) for i in range(30)]:
        sys.exit("not the files")
    if p.read(folder + "/notes/list.json") != text or sorted(os.listdir(folder + "/data")) != names or p.parts():
        sys.exit("not the list, or more: %s" % p.parts())
    done = p.assay("get", "pictures", "--offline")
    if done.stdout.strip() != folder or done.stderr or len(p.asked("slow")) != 31:
        sys.exit("the second time was not nothing: %s" % done)
    p.assay("cache", "verify", has=["Everything is as it was put there"])


def first_seen(p):
    """One digest for all of them, that of the lines of sha256sum; it holds when the cache is gone."""
    lines = "".join("%s  %04d.jpg\n" % (hashlib.sha256(picture(i)).hexdigest(), i) for i in range(30))
    digest = hashlib.sha256(lines.encode()).hexdigest()
    kept = [line for line in p.read(p.folder + "/config/first-seen").decode().splitlines() if "{name}#names=" in line]
    if len(kept) != 1 or not kept[0].startswith(digest + " " + p.base + "slow/{name}#names="):
        sys.exit("first seen: %s, not %s" % (kept, digest))
    p.forget()
    p.serve("0003.jpg", b"another\n")
    p.assay("get", "pictures", code=3, has=["some of the files are others", "not " + digest, "/config/first-seen"])
    p.serve("0003.jpg", picture(3))
    folder = p.assay("get", "pictures").stdout.strip()
    # Another list is another thing, with a digest of its own, though the recipe of the files is the same.
    p.serve("0030.jpg", picture(30))
    p.list_recipe("pictures", document(names_of(31)[1:]))
    other = p.assay("get", "pictures").stdout.strip()
    if other == folder or sorted(os.listdir(other + "/data")) != names_of(31)[1:]:
        sys.exit("another list: %s" % other)


def killed(p):
    """What was whole before a kill is not asked for again."""
    names = names_of(200)
    for i, name in enumerate(names):
        p.serve(name, picture(i))
    p.list_recipe("many", document(names))
    p.recipe_of("many", "slow", 200, {"json": "images[].file_name"})
    before = len(p.requests())
    process = subprocess.Popen([ASSAY, "get", "many"], env=p.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(p.requests()) < before + 60:
        time.sleep(0.02)
    process.kill()
    process.wait()
    whole, before = p.parts(), len(p.asked("slow"))
    if len(whole) < 30:
        sys.exit("killed too early: %s" % whole)
    folder = p.assay("get", "many").stdout.strip()
    asked = p.asked("slow")[before:]  # a few may be of the process that was killed
    if set(asked) != set(names) - set(whole) or len(asked) > 200 - len(whole) + AT_ONCE:
        sys.exit("asked again: %s of %s" % (asked, whole))
    if any(p.read("%s/data/%s" % (folder, name)) != picture(i) for i, name in enumerate(names)):
        sys.exit("not the files")


def refused(p):
    """Names that are none, and lists that are not what the recipe says: before anything is asked for."""
    path = {"json": "images[].file_name"}
    cases = [("../up", path), ("a/b", path), ("..", path), (".", path), ("", path), (".hidden", path), ("a\x07b", path),
             ("a.part", path), ("x" * 201, path)]
    for i, (name, more) in enumerate(cases):
        p.list_recipe("bad%d" % i, document(["good.jpg", name]))
        p.recipe_of("bad%d" % i, "good", 2, more)
        p.assay("get", "bad%d" % i, code=3, has=["bad%d: its name 2, '%s', cannot be that of a file" %
                                                 (i, name[:79].replace("\x07", "?"))])
    others = [(document(["a", "a"]), 2, path, "names 'a' twice"), (document(["a", "b"]), 3, path, "has 2 names, and "),
              (document(["a"]), 1, {"json": "pictures[].file_name"}, "no 'pictures'"),
              (document(["a"]), 1, {"json": "images[].id"}, "its name 1 is no text"),
              (document(["a"]), 1, {"json": "info[]"}, "no list where names"), (b"{", 1, path, "is no JSON"),
              (b"\n\n", 0, {}, "names nothing"), (b"a\n\xff\n", 2, {}, "its name 2, ")]
    for i, (text, count, more, said) in enumerate(others):
        p.list_recipe("wrong%d" % i, text)
        p.recipe_of("wrong%d" % i, "good", count, more)
        p.assay("get", "wrong%d" % i, code=3, has=[said, "wrong%d" % i])
    if set(p.asked("good")) & {"up", "b", "a", "good.jpg", "a.part"} or os.path.exists(p.folder + "/cache/shelf/up"):
        sys.exit("asked for: %s" % p.asked("good"))
    p.recipe_of("typo", "good", 1)
    p.recipe("typo-list", build=[{"write": "a", "text": "b"}], outputs={"lists": "a"})
    p.assay("plan", "typo", code=2, has=["${dep.list.list} stands for nothing here; did you mean ${dep.list.lists}?"])
    before = len(p.requests())
    p.list_recipe("absent", document(["absent%d" % i for i in range(100)]))
    p.recipe_of("absent", "good", 100, path)
    p.assay("get", "absent", code=3, has=["cannot be fetched: ", "more failed; 0 of 100 files are kept"])
    if not 5 <= len(p.requests()) - before - 1 <= 5 + AT_ONCE:
        sys.exit("when nothing is there, %d were asked for" % (len(p.requests()) - before))


def connections(p):
    """A text file with a name in a line, blanks in them; connections that stay open; and something made of it all."""
    names = ["a picture %d & more#?%%41.jpg" % i for i in range(40)]
    for i, name in enumerate(names):
        p.serve(name, picture(i))
    p.list_recipe("lines", ("\r\n".join(names) + "\n").encode())
    p.recipe_of("lines", "keep", 40, convert=[{"run": ["cat", "${fetched}/data/" + names[0], "${fetched}/data/" + names[39]],
                                               "to": "both"}])
    p.assay("plan", "lines", has=["fetch   lines:fetch  after lines-list"])
    log = p.folder + "/served/connections.log"
    before = len(p.read(log).splitlines())
    folder = p.assay("get", "lines").stdout.strip()
    opened = len(p.read(log).splitlines()) - before - 1
    if p.read(folder + "/both") != picture(0) + picture(39) or len(p.asked("keep")) != 40 or opened > AT_ONCE:
        sys.exit("%d connections for %d files" % (opened, len(p.asked("keep"))))


def had(p):
    """What a user has is verified and used, also what was verified when the recipe could not fetch yet; changed, it is fetched."""
    own, check = p.folder + "/own", [{"folder": "data", "files": 2, "suffix": ".jpg"}]
    os.makedirs(own + "/data")
    for name in ("1.jpg", "2.jpg"):
        with open(own + "/data/" + name, "wb") as f:
            f.write(b"mine\n")
    p.list_recipe("photos", document(["1.jpg", "2.jpg"]))
    p.recipe("photos", licence={"name": "none", "gate": "ask"}, check=check, outputs={"folder": "."})
    p.assay("get", "photos", "--have", "photos=" + own)
    p.recipe_of("photos", "good", 2, {"json": "images[].file_name"}, check=check)
    before = p.requests()
    p.assay("plan", "photos", has=["have    photos  " + own, "Nothing is to be done"])
    if p.requests() != before:
        sys.exit("asked for what is there: %s" % p.requests()[len(before):])
    os.remove(own + "/data/2.jpg")
    p.serve("1.jpg", picture(1))
    p.serve("2.jpg", picture(2))
    p.assay("get", "photos", has=["has changed and is not used", "has 1 files that end in .jpg, wanted are 2", "/shelf/"])


def main():
    with tempfile.TemporaryDirectory(prefix="assay-list-") as folder, Lists(folder) as p:
        for part in (one_missing, first_seen, killed, refused, connections, had):
            part(p)
            print(part.__name__, "good")


main()

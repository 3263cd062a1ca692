"""`assay get` with a web server on loopback in the place of the published hosts: it fetches, verifies, unpacks, converts and
keeps; the second time it does nothing; offline and empty it names what is missing; what it refuses, and what it never
writes down."""
import hashlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ASSAY = os.path.join(os.environ["ASSAY_PREFIX"], "bin", "assay")
SECRET = "open-sesame-7421"
os.environ["no_proxy"] = "*"


class Place:
    """A folder with recipes, a cache and files that the server gives."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("recipes", "served", "config"):
            os.mkdir(os.path.join(folder, name))
        self.env = dict(os.environ, ASSAY_CACHE=folder + "/cache", ASSAY_CONFIG=folder + "/config",
                        ASSAY_RECIPE_PATH=folder + "/recipes")
        self.server = subprocess.Popen([sys.executable, os.path.join(HERE, "loopback_server.py"), folder + "/served"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.base = "http://127.0.0.1:%s/" % self.server.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stdin.close()
        self.server.wait()
        if os.path.exists(self.folder + "/cache"):
            subprocess.run(["chmod", "-R", "u+w", self.folder + "/cache"], check=True)

    def serve(self, name, data):
        with open(os.path.join(self.folder, "served", name), "wb") as f:
            f.write(data)

    def recipe(self, name, **more):
        with open("%s/recipes/%s.yaml" % (self.folder, name), "w", encoding="utf-8") as f:
            json.dump(dict(schema=1, name=name, summary="made up", **more), f)

    def requests(self):
        try:
            with open(self.folder + "/served/requests.log", encoding="utf-8") as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []

    def assay(self, *words, code=0, has=(), env=None):
        done = subprocess.run([ASSAY, *words], env=dict(self.env, **(env or {})), capture_output=True, text=True,
                              check=False, cwd=self.folder)
        if done.returncode != code or not all(text in done.stdout + done.stderr for text in has):
            sys.exit("assay %s: exit code %d, not %d, or not all of %s:\n%s\n%s" % (" ".join(words), done.returncode, code,
                                                                                  has, done.stdout, done.stderr))
        return done

    def read(self, path):
        with open(path, "rb") as f:
            return f.read()

    def forget(self):
        subprocess.run(["chmod", "-R", "u+w", self.folder + "/cache"], check=True)
        shutil.rmtree(self.folder + "/cache")


def archive(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def the_whole_way(p):
    """Two downloads, one of them unpacked, and what is made of both."""
    model, data = os.urandom(300000), archive({"set/a.txt": b"alpha\n", "set/b.txt": b"beta\n"})
    p.serve("model.bin", model)
    p.serve("data.tar.gz", data)
    p.recipe("model", fetch=[{"file": "sub/model.bin", "urls": [p.base + "missing/model.bin", p.base + "busy/model.bin"],
                              "bytes": len(model), "sha256": hashlib.sha256(model).hexdigest()}],
             outputs={"model": "sub/model.bin"})
    p.recipe("data", fetch=[{"file": "data.tar.gz", "urls": [p.base + "good/data.tar.gz"],
                             "md5": hashlib.md5(data).hexdigest(), "unpack": "."}],
             outputs={"folder": "set"}, check=[{"folder": "set", "files": 2, "suffix": ".txt"}])
    p.recipe("joined", needs=[{"tags": ["model"]}, {"tags": ["data"]}],
             convert=[{"run": ["cat", "${dep.data.folder}/a.txt", "${dep.data.folder}/b.txt", "${dep.model.model}"],
                       "to": "all"}], outputs={"all": "all"})
    p.assay("get", "joined", "--offline", code=3,
            has=["model (needed by joined): sub/model.bin is not here, and --offline forbids to fetch it from " + p.base,
                 "data (needed by joined): data.tar.gz is not here"])
    p.assay("plan", "joined", has=["2 downloads", "SHA-256 " + hashlib.sha256(model).hexdigest(), "or " + p.base + "busy"])
    if p.requests() or os.path.exists(p.folder + "/config/first-seen"):
        sys.exit("a plan, or a run offline, asked the server: %s" % p.requests())
    path = p.assay("get", "joined").stdout.strip()
    if p.read(path) != b"alpha\nbeta\n" + model:
        sys.exit("not what was to be made: " + path)
    asked = p.requests()
    for more in ((), ("--offline",)):
        done = p.assay("get", "joined", *more)
        if done.stdout.strip() != path or done.stderr or p.requests() != asked:
            sys.exit("the second time was not nothing: %s" % done)


def first_seen(p):
    """Without a published SHA-256 the first one holds, even when the cache is gone."""
    p.serve("plain.txt", b"as it was first\n")
    p.recipe("plain", fetch=[{"file": "plain.txt", "urls": [p.base + "good/plain.txt"]}], outputs={"file": "plain.txt"})
    p.assay("get", "plain")
    p.forget()
    p.serve("plain.txt", b"as it is now\n")
    p.assay("plan", "plain", has=["SHA-256 " + hashlib.sha256(b"as it was first\n").hexdigest() + ", first seen here"])
    p.assay("get", "plain", code=3, has=[hashlib.sha256(b"as it was first\n").hexdigest()])
    p.serve("plain.txt", b"as it was first\n")
    p.assay("get", "plain")
    # What proves wrong is not the first one: what comes the next time may be right, and is asked for again.
    good = archive({"in.txt": b"in it\n"})
    p.recipe("packed", fetch=[{"file": "packed.tar.gz", "urls": [p.base + "plain/packed.tar.gz"], "unpack": "."}],
             outputs={"file": "in.txt"})
    p.recipe("proved", fetch=[{"file": "proved.txt", "urls": [p.base + "plain/proved.txt"]}], outputs={"file": "proved.txt"},
             check=[{"file": "proved.txt", "sha256": hashlib.sha256(b"right\n").hexdigest()}])
    for name, file, right, has in (("packed", "packed.tar.gz", good, "is no archive that is known here"),
                                   ("proved", "proved.txt", b"right\n", "is not the file that is wanted")):
        p.serve(file, b"<html>log in first</html>\n")
        p.assay("get", name, code=3, has=[has])
        p.serve(file, right)
        p.assay("get", name)
        p.assay("plan", name, has=["Nothing is to be done"])
        kept = p.read(p.folder + "/config/first-seen").decode()
        if hashlib.sha256(right).hexdigest() + " " + p.base + "plain/" + file not in kept or kept.count(file) != 1:
            sys.exit("first seen: " + kept)


def refused(p):
    """Wrong content and wrong promises leave nothing behind."""
    p.serve("some.txt", b"0123456789\n")
    wrong = {"digest": {"sha256": "0" * 64}, "md5": {"md5": "0" * 32}, "size": {"bytes": 5}}
    for name, row in wrong.items():
        p.recipe("wrong-" + name, fetch=[dict(file="some.txt", urls=[p.base + "good/some.txt"], **row)])
        p.assay("get", "wrong-" + name, code=3, has=["wrong-" + name if name == "x" else "some.txt"])
    p.serve("up.tar", archive({"../up": b"x"}))
    p.recipe("up", fetch=[{"file": "up.tar", "urls": [p.base + "good/up.tar"], "unpack": "."}])
    p.assay("get", "up", code=3, has=["assay: up: up.tar: '../up' leads out of the folder; nothing of it was unpacked"])
    p.recipe("absent", fetch=[{"file": "small.bin", "urls": [p.base + "missing/small.bin"]}])
    p.assay("get", "absent", code=3, has=["assay: absent: small.bin cannot be fetched: "])
    p.recipe("unkept", build=[{"run": ["true"]}], outputs={"file": "never-made"})
    p.assay("get", "unkept", code=3, has=["its output 'file' is missing", "To repeat just this step: assay get unkept"])
    p.recipe("checked", build=[{"write": "a", "text": "b"}], check=[{"file": "a", "md5": "0" * 32}])
    p.assay("get", "checked", code=3, has=["its MD5 is 92eb5ffee6ae2fec3ad71c777531578f, not 000"])
    p.recipe("large", resources={"disk": "900 TB"}, build=[{"write": "a", "text": "b"}])
    p.assay("get", "large", code=3, has=["900 TB of disk are needed, "])
    p.recipe("terms", licence={"name": "Hard Terms", "accept": True}, build=[{"write": "a", "text": "b"}])
    p.assay("get", "terms", code=3, has=["its licence, Hard Terms, is yours to accept: --accept terms"])
    p.assay("get", "terms", "--accept", "terms")
    p.recipe("nowhere", find=[{"program": "no-such-program-here"}])
    p.assay("get", "nowhere", code=3, has=["nowhere is not here; install it, or say --have nowhere=PATH"])
    for name in wrong:
        listed = p.assay("cache", "list").stdout
        if "wrong-" + name in listed:
            sys.exit("kept: " + listed)


def gated(p):
    """What nobody may fetch: how to get it, and what the user points to is verified, remembered, and watched."""
    p.recipe("photos", tags=["data"], licence={"name": "Terms", "url": "https://x.example/terms", "gate": "ask the owner.\n"},
             check=[{"file": "list.txt", "sha256": hashlib.sha256(b"list\n").hexdigest()},
                    {"folder": ".", "files": 2, "suffix": ".jpg"}], outputs={"folder": "."})
    p.recipe("user-of-photos", needs=[{"tags": ["photos"]}],
             build=[{"run": ["cat", "${dep.photos.folder}/list.txt"], "to": "out"}], outputs={"out": "out"})
    own = p.folder + "/own"
    os.mkdir(own)
    p.assay("get", "user-of-photos", code=3,
            has=["photos (needed by user-of-photos) cannot be fetched for you: ask the owner. (Terms: https://x.example/terms)"
                 " Then say --have photos=PATH: it is verified, not copied."])
    p.assay("get", "photos", "--have", "photos=" + own, code=3, has=["list.txt: is not there"])
    for name, data in (("list.txt", b"lost\n"), ("1.jpg", b"1"), ("2.jpg", b"2")):
        with open(own + "/" + name, "wb") as f:
            f.write(data)
    p.assay("get", "photos", "--have", "photos=" + own, code=3, has=["is not the file that is wanted: its SHA-256 is"])
    with open(own + "/list.txt", "wb") as f:
        f.write(b"list\n")
    if p.assay("get", "photos", "--have", "data=" + own).stdout.strip() != own:
        sys.exit("not where it is")
    p.assay("plan", "photos", has=["have    photos  " + own, "Nothing is to be done"])
    if p.read(p.assay("get", "user-of-photos").stdout.strip()) != b"list\n":
        sys.exit("not what the user has")
    os.remove(own + "/2.jpg")
    p.assay("get", "photos", code=3, has=["has 1 files that end in .jpg, wanted are 2"])
    p.assay("get", "photos", "--have", "photo=" + own, code=2, has=["nothing in this plan is called so"])
    # One file can stand for the recipe of one file, and then nothing is fetched.
    model = p.read(p.assay("get", "model").stdout.strip())
    with open(own + "/mine.bin", "wb") as f:
        f.write(model)
    p.forget()
    if p.assay("get", "model", "--offline", "--have", "model=" + own + "/mine.bin").stdout.strip() != own + "/mine.bin":
        sys.exit("not the file that I have")


def secrets(p):
    """They reach the program that wants them, and nothing that is kept."""
    p.recipe("locked", inputs={"word": {"type": "secret", "env": "MAGIC_WORD"}}, env={"WORD": "${secret.word}"},
             build=[{"run": [sys.executable, "-c", "import os; w = os.environ['WORD']; print('the word is', w); "
                             "open('${out}/length', 'w').write(str(len(w))); assert 'MAGIC_WORD' not in os.environ"]}],
             outputs={"length": "length"})
    p.assay("get", "locked", code=3, has=["set the variable MAGIC_WORD of the environment"])
    p.assay("get", "locked", "--set", "word=x", code=2, has=["never from a file or a command line"])
    done = p.assay("get", "locked", "--json", env={"MAGIC_WORD": SECRET})
    if p.read(json.loads(done.stdout)["got"][0]["outputs"]["length"]) != b"%d" % len(SECRET) or SECRET in str(done):
        sys.exit("the secret: %s" % done)
    p.assay("plan", "locked", env={"MAGIC_WORD": SECRET})
    logged = ""
    for folder, _, names in os.walk(p.folder):
        for name in names:
            data = p.read(os.path.join(folder, name))
            logged += name if b"the word is (secret)" in data else ""
            if SECRET.encode() in data:
                sys.exit("the secret is in " + os.path.join(folder, name))
    if not logged.startswith("locked-"):
        sys.exit("what the program said is nowhere")


def at_once(p):
    """Steps run beside each other: each of these waits for the other.  Twenty processes make an entry once."""
    wait = ("import os, sys, time\nopen(sys.argv[1], 'w').close()\nend = time.time() + 60\n"
            "while not os.path.exists(sys.argv[2]):\n    assert time.time() < end\n    time.sleep(0.01)\n"
            "open(sys.argv[3] + '/file', 'w').close()\n")
    for one, other in (("left", "right"), ("right", "left")):
        p.recipe("meet-" + one, build=[{"run": [sys.executable, "-c", wait, p.folder + "/met-" + one,
                                                 p.folder + "/met-" + other, "${out}"]}], outputs={"file": "file"})
    p.recipe("meeting", needs=[{"tags": ["meet-left"]}, {"tags": ["meet-right"]}], build=[{"write": "a", "text": "b"}])
    p.assay("get", "meeting", "--jobs", "2")
    p.recipe("counted", build=[{"run": [sys.executable, "-c", "import sys, time\nopen(sys.argv[1], 'a').write('x')\n"
                                        "time.sleep(0.5)\nopen(sys.argv[2] + '/file', 'w').close()\n", p.folder + "/count",
                                        "${out}"]}], outputs={"file": "file"})
    many = [subprocess.Popen([ASSAY, "get", "counted"], env=p.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            for _ in range(20)]
    paths = {process.communicate()[0] for process in many}
    if len(paths) != 1 or any(process.returncode for process in many) or p.read(p.folder + "/count") != b"x":
        sys.exit("twenty at once: %s, made %s" % (paths, p.read(p.folder + "/count")))


def beside_prune(p):
    """Nothing is taken away from who has just made it, however often somebody empties the shelf meanwhile."""
    needs = []
    for i in range(12):
        p.recipe("piece-%d" % i, inputs={"n": {"type": "int", "default": 0}}, build=[{"write": "b", "text": "${input.n}"}],
                 outputs={"b": "b"})
        needs.append({"tags": ["piece-%d" % i], "with": {"n": "${input.n}"}})
    p.recipe("pieces", inputs={"n": {"type": "int", "default": 0}}, needs=needs, outputs={"all": "all"},
             build=[{"run": ["cat"] + ["${dep.piece-%d.b}" % i for i in range(12)], "to": "all"}])
    over = threading.Event()

    def empty():
        while not over.is_set():
            subprocess.run([ASSAY, "cache", "prune", "--keep", "0"], env=p.env, capture_output=True, check=False)

    emptying = [threading.Thread(target=empty) for _ in range(3)]
    for one in emptying:
        one.start()
    try:
        for n in range(20):
            p.assay("get", "pieces", "--set", "n=%d" % n)
    finally:
        over.set()
        for one in emptying:
            one.join()


def interrupted(p):
    """Ctrl-C ends it with 130; what was downloaded is gone on with."""
    data = os.urandom(2000000)
    p.serve("slow.bin", data)
    digest = hashlib.sha256(data).hexdigest()
    p.recipe("slow", fetch=[{"file": "slow.bin", "urls": [p.base + "drip/slow.bin"], "sha256": digest}],
             outputs={"file": "slow.bin"})
    process = subprocess.Popen([ASSAY, "get", "slow"], env=p.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not any("drip" in line for line in p.requests()):
        time.sleep(0.02)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    if process.returncode != 130 or "interrupted" not in said:
        sys.exit("Ctrl-C: %s %s" % (process.returncode, said))
    p.recipe("slow", fetch=[{"file": "slow.bin", "urls": [p.base + "good/slow.bin"], "sha256": digest}],
             outputs={"file": "slow.bin"})
    if p.read(p.assay("get", "slow").stdout.strip()) != data:
        sys.exit("not the file")


def told(p):
    """What is under way when a step fails is done to its end; each try is told; a total is only told when it is known."""
    p.serve("some.bin", os.urandom(20))
    p.recipe("brief", build=[{"run": ["sleep", "2"]}, {"write": "a", "text": "b"}])
    p.recipe("bad", fetch=[{"file": "some.bin", "urls": [p.base + "good/some.bin"], "sha256": "0" * 64}])
    p.recipe("beside", fetch=[{"file": "some.bin", "urls": [p.base + "drip/some.bin"]}])
    done = p.assay("get", "brief", "bad", "beside", code=3, has=[
        "bad: some.bin cannot be fetched: ", "(what is under way is finished first)", "bad: failed", "brief: done", "beside: done"])
    if done.stderr.count("failed") != 1:
        sys.exit("one failed: " + done.stderr)
    p.recipe("waiting", build=[{"run": ["sleep", "60"]}])
    process = subprocess.Popen([ASSAY, "get", "waiting"], env=p.env, stderr=subprocess.PIPE, text=True)
    while not process.stderr.readline().startswith("waiting: build"):
        time.sleep(0.02)
    other = subprocess.Popen([ASSAY, "get", "waiting"], env=p.env, stderr=subprocess.PIPE, text=True)
    first = other.stderr.readline()
    for one in (other, process):
        one.send_signal(signal.SIGINT)
    said = first + other.communicate(timeout=30)[1] + process.communicate(timeout=30)[1]
    if not first.startswith("waiting: waits for another process") or said.count("waiting: stopped") != 2 or "failed" in said:
        sys.exit("a step that waits, and one that is stopped: " + said)
    # The size of a file that nobody published.
    p.serve("large.bin", os.urandom(3000000))
    p.recipe("known", fetch=[{"file": "large.bin", "urls": [p.base + "busy/large.bin"], "bytes": 3000000},
                             {"file": "some.bin", "urls": [p.base + "drip/some.bin"]}])
    lines = p.assay("get", "known", "--progress", "json").stderr.splitlines()
    lines = [json.loads(line) for line in lines]
    totals = {line.get("all_bytes") for line in lines}
    notes = [line["note"] for line in lines if "note" in line]
    if totals != {None, 3000020} or any(line["bytes"] > line.get("all_bytes", 1e9) for line in lines):
        sys.exit("totals: %s" % lines)
    if len(notes) != 2 or not all("busy/large.bin answers 503 (the server has a problem); again in " in note for note in notes):
        sys.exit("tries: %s" % notes)
    p.recipe("quiet", fetch=[{"file": "a.bin", "urls": [p.base + "busy/a.bin"]}])
    p.serve("a.bin", b"x")
    if p.assay("get", "quiet", "--progress", "none").stderr:
        sys.exit("--progress none is not none")


def lives(pid):
    """A zombie does not."""
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8") as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def killed_while_building(p):
    """What a step runs ends with assay, also its children, and also when assay is killed; the next call makes it anew."""
    p.recipe("long", build=[{"run": ["sh", "-c", "test -e $0 || { sleep 300 & echo $! >$0.new; mv $0.new $0; wait; }; echo made >$1",
                                     p.folder + "/sleeper", "${out}/a"]}], outputs={"a": "a"})
    process = subprocess.Popen([ASSAY, "get", "long"], env=p.env, stderr=subprocess.DEVNULL)
    while not os.path.exists(p.folder + "/sleeper"):
        time.sleep(0.02)
    sleeper = int(p.read(p.folder + "/sleeper"))
    if not lives(sleeper):
        sys.exit("the step's program has ended by itself")
    process.kill()
    process.wait()
    end = time.time() + 20
    while lives(sleeper) and time.time() < end:
        time.sleep(0.05)
    if lives(sleeper):
        os.kill(sleeper, signal.SIGKILL)
        sys.exit("a step's program lives on after assay was killed")
    if p.read(p.assay("get", "long").stdout.strip()) != b"made\n":
        sys.exit("not made anew")


def killed(p):
    """Killed at any moment ($ASSAY_KILLS times; `make test-kill`: 200): the next call finishes the work, and the store verifies clean."""
    p.recipe("end-0", build=[{"write": "file", "text": "0"}], outputs={"file": "file"})
    for i in range(1, 6):
        p.recipe("end-%d" % i, needs=[{"tags": ["end-%d" % (i - 1)], "as": "before"}], inputs={"n": {"type": "int", "default": 0}},
                 build=[{"run": ["cp", "${dep.before.file}", "${out}/file"]}, {"write": "n", "text": "${input.n}"}],
                 outputs={"file": "file"})
    rng = random.Random(1)
    for n in range(int(os.environ.get("ASSAY_KILLS", "40"))):
        words = [ASSAY, "get", "end-5", "--set", "n=%d" % n, "--set", "end-3.n=%d" % n]
        process = subprocess.Popen(words, env=p.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.random() * 0.08)
        process.kill()
        process.wait()
        path = p.assay(*words[1:]).stdout.strip()
        if p.read(path) != b"0" or p.read(os.path.dirname(path) + "/n") != b"%d" % n:
            sys.exit("after a kill: " + path)
    p.assay("cache", "verify", has=["Everything is as it was put there"])


def main():
    with tempfile.TemporaryDirectory(prefix="assay-get-") as folder, Place(folder) as p:
        for part in (the_whole_way, first_seen, refused, gated, secrets, at_once, beside_prune, interrupted, told, killed_while_building,
                     killed):
            part(p)
            print(part.__name__, "good")


if __name__ == "__main__":
    main()

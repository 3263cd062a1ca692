"""`assay get` of what is published as a package: through pip's own configuration, with a web server on loopback in the
place of the index.  Pages are HTML or JSON, redirected, or hostile; the plan tells where it would look and asks nobody."""
import hashlib
import io
import json
import os
import sys
import tempfile
import zipfile

from test_get import SECRET, Place

WHEEL = "demo_pack-1.0-py3-none-any.whl"


def wheel():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in (("demo/lib/libdemo.so", b"no library" * 1000), ("demo_pack-1.0.dist-info/METADATA", b"Name: demo-pack\n")):
            z.writestr(zipfile.ZipInfo(name), data)  # with no time of now in it
    return out.getvalue()


def requests_of(p, before):
    return [line.split()[0] for line in p.requests()[before:]]


def get(p, index, code=0, has=(), words=(), **more):
    """Gets it into an empty cache; the library, if it came."""
    if os.path.exists(p.folder + "/cache"):
        p.forget()
    done = p.assay("get", "demo", *words, code=code, has=has, env=dict({"PIP_INDEX_URL": index}, **more))
    if SECRET in done.stdout + done.stderr:
        sys.exit("the secret is shown: %s" % done)
    if code == 0 and p.read(done.stdout.strip()) != b"no library" * 1000:
        sys.exit("not the library: %s" % done)
    return done


def good_pages(p, digest):
    link = '<html><body><a href="../../%%s/%s#sha256=%s">%s</a></body></html>' % (WHEEL, digest, WHEEL)
    p.serve("demo-pack", (link % "plain").encode())
    index = p.base + "good/"
    before = len(p.requests())
    p.assay("plan", "demo", env={"PIP_INDEX_URL": index},
            has=["of the package demo_pack, as pip is set up here", "from a link on " + index + "demo-pack/", "SHA-256 " + digest,
                 "unpacked to ."])
    plan = json.loads(p.assay("plan", "demo", "--json", env={"PIP_INDEX_URL": index}).stdout)
    if plan["steps"][0]["downloads"][0]["places"] != [index + "demo-pack/"] or requests_of(p, before):
        sys.exit("a plan asked: %s, %s" % (plan, requests_of(p, before)))
    get(p, index)
    if requests_of(p, before) != ["/good/demo-pack/", "/plain/" + WHEEL]:
        sys.exit("asked was " + str(requests_of(p, before)))
    before = len(p.requests())
    p.assay("get", "demo", "--offline")
    if requests_of(p, before):
        sys.exit("the second time was not nothing")
    get(p, p.base + "away")  # the page's links are those of the address behind the redirect
    p.serve("demo-pack", json.dumps({"meta": {"api-version": "1.0"}, "name": "demo-pack", "files": [
        {"filename": WHEEL, "url": p.base + "plain/" + WHEEL, "hashes": {"sha256": digest}}]}).encode())
    get(p, index)
    get(p, p.base + "missing", PIP_EXTRA_INDEX_URL=p.base + "refused " + index)
    # A busy index is asked again.
    p.serve("demo-pack", (link % "good").encode())
    get(p, p.base + "busy")


def secrets(p):
    """A password of the index goes to its files, and is nowhere else."""
    index = p.base.replace("//", "//user:%s@" % SECRET) + "good"
    get(p, index)
    p.assay("plan", "demo", env={"PIP_INDEX_URL": index})
    for folder, _, names in os.walk(p.folder + "/cache"):
        for name in names:
            if SECRET.encode() in p.read(os.path.join(folder, name)):
                sys.exit("the secret is in " + name)
    get(p, index.replace("/good", "/missing"), code=3, has=["/missing/demo-pack/ answers 404"])


def refused(p, digest):
    link = '<a href="%s">x</a>'
    pages = {b"<html>nothing</html>": "has no " + WHEEL,
             (link % ("../../plain/%s#sha256=%s" % (WHEEL, "0" * 64))).encode(): "instead of " + digest,
             (link % ("file:///etc/" + WHEEL)).encode(): "of a kind that is not followed",
             (link % ("../../plain/other/" + WHEEL)).encode() + b"<!--": None,
             (link % ("../../missing/" + WHEEL)).encode(): "answers 404",
             b'{"files": [': "is no JSON"}
    for page, said in pages.items():
        p.serve("demo-pack", page)
        get(p, p.base + "good", code=3 if said else 0, has=[said or ""])
    with open(p.folder + "/served/demo-pack", "wb") as f:
        f.truncate((64 << 20) + 1)
    get(p, p.base + "plain", code=3, has=["is too large for a page of an index"])
    # The page's word counts for nothing: the recipe's digest does.
    p.serve("demo-pack", (link % ("../../plain/" + WHEEL)).encode())
    p.serve(WHEEL, wheel() + b"more")
    get(p, p.base + "good", code=3, has=[WHEEL])
    p.serve(WHEEL, wheel()[:-1] + b"x")
    get(p, p.base + "good", code=3, has=["gives another file: SHA-256"])
    p.serve(WHEEL, wheel())
    get(p, "ftp://127.0.0.1/simple", code=3, has=["ftp://127.0.0.1/simple is no index that is asked here"])


def without_index(p):
    """Offline it names what is missing; a folder of find-links has it; pip's own index is asked for by pip."""
    get(p, p.base + "good", code=3, words=["--offline"], has=["--offline forbids to ask the package index that pip is set up with"])
    links = p.folder + "/links"
    os.makedirs(links)
    with open(links + "/" + WHEEL, "wb") as f:
        f.write(wheel())
    before = len(p.requests())
    p.assay("plan", "demo", env={"PIP_FIND_LINKS": links, "PIP_INDEX_URL": p.base}, has=["from file:" + links + "/" + WHEEL])
    get(p, p.base + "good", words=["--offline"], PIP_FIND_LINKS=links)
    get(p, "", PIP_NO_INDEX="1", PIP_FIND_LINKS="/nowhere file://" + links)
    if requests_of(p, before):
        sys.exit("a folder was not enough")
    get(p, "", PIP_NO_INDEX="1", code=3, has=["it names no index"])
    os.mkdir(p.folder + "/bin")
    with open(p.folder + "/bin/python3", "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\ntest \"$*\" = '-m pip download --help' || exit 1\n"
                "echo '  -i, --index-url <url>  Base URL (default %sgood). This'\n" % p.base)
    os.chmod(p.folder + "/bin/python3", 0o755)
    env = {"PIP_CONFIG_FILE": "/dev/null", "PATH": p.folder + "/bin:" + os.environ["PATH"]}
    p.forget()
    p.assay("plan", "demo", env=env, has=["from pip's own index"])
    get(p, "", **env)


def main():
    for name in list(os.environ):
        if name.startswith("PIP_") or name in ("VIRTUAL_ENV", "CONDA_PREFIX", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS"):
            del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="assay-package-") as folder, Place(folder) as p:
        os.environ["HOME"] = p.env["HOME"] = folder
        digest = hashlib.sha256(wheel()).hexdigest()
        p.serve(WHEEL, wheel())
        p.recipe("demo", fetch=[{"file": WHEEL, "pypi": "demo_pack", "bytes": len(wheel()), "sha256": digest, "unpack": "."}],
                 outputs={"library": "demo/lib/libdemo.so"})
        for part, words in ((good_pages, (p, digest)), (secrets, (p,)), (refused, (p, digest)), (without_index, (p,))):
            part(*words)
            print(part.__name__, "good")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Brings the third-party files of tools/deps.lock into build/deps.

    fetch.py LOCK CACHE TARGET [--engine NAME] [--dry-run] [--ort-include DIR]

Without --engine: what every build needs.  With it: what that engine needs besides (NAME-cuda: its library for
CUDA; loadgen-VERSION: that LoadGen).  --dry-run says what would be downloaded.  ASSAY_OFFLINE set: nothing is downloaded.

CACHE/ holds the downloads as they were published; TARGET/ what is unpacked from them.  A file is used only when
its SHA-256 is the one in the lock, whether it was just downloaded or lay in the cache: a bad one is fetched again.
Files and folders appear whole (written beside, then renamed), and two runs at once take turns.  Wheels and source
distributions are located with pip's own package finder, so pip's configuration (index, proxy, certificates) holds;
nothing of them is ever executed or installed.
"""
import argparse
import contextlib
import fcntl
import glob
import hashlib
import http.client
import logging
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
import zipfile

COLUMNS = ("engine", "target", "kind", "name", "version", "arch", "bytes", "sha256", "file")
FIRST_SEEN = "first-seen"


class Unavailable(Exception):
    """A file that cannot be had; the text says why."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def size_text(size):
    return "unknown size" if size is None else "%.1f MB" % (size / 1e6)


def without_password(text):
    return re.sub(r"//[^/@\s]*@", "//", str(text))


class Row:
    """One line of the lock file."""

    def __init__(self, line):
        fields = line.split()
        if len(fields) != len(COLUMNS):
            raise ValueError("%d columns instead of %d: %s" % (len(fields), len(COLUMNS), line))
        for column, value in zip(COLUMNS, fields):
            setattr(self, column, value)
        self.engines = self.engine.split(",")
        self.bytes = None if self.bytes == "-" else int(self.bytes)
        # NAME[PART]: another part of the wheel of that name.
        self.name, bracket, part = self.name.partition("[")
        self.part = bracket + part
        self.sha256 = self.sha256.lower()
        self.url = self.file if "://" in self.file else None
        if self.kind == "distro":
            self.file = "%s-of-%s.deb" % (self.name, distribution())
        self.file = self.file.rsplit("/", 1)[-1]

    def fits(self):
        return self.arch in ("any", platform.machine())


def distribution():
    with contextlib.suppress(OSError), open("/etc/os-release", encoding="utf-8") as f:
        facts = dict(line.strip().split("=", 1) for line in f if "=" in line)
        return "-".join(facts.get(k, "unknown").strip('"') for k in ("ID", "VERSION_ID"))
    return "unknown"


def read_lock(path):
    with open(path, encoding="utf-8") as f:
        return [Row(line) for line in f if line.strip() and not line.startswith("#")]


# --- the cache of downloads ---------------------------------------------------------------------------------------


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        for block in iter(lambda: f.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


class Cache:
    """The user's folder of downloads, and the digests that were recorded at a first download."""

    def __init__(self, folder):
        self.folder = folder
        self.seen_path = os.path.join(folder, FIRST_SEEN)
        os.makedirs(folder, exist_ok=True)

    def path(self, row):
        return os.path.join(self.folder, row.file)

    def wanted(self, row):
        """The digest that the file must have; None: nobody has seen it yet."""
        if row.sha256 != FIRST_SEEN:
            return row.sha256
        with contextlib.suppress(OSError), open(self.seen_path, encoding="utf-8") as f:
            for line in f:
                digest, name = line.split()
                if name == row.file:
                    return digest
        return None

    def good(self, row):
        path, wanted = self.path(row), self.wanted(row)
        if wanted is None or not os.path.isfile(path):
            return False
        if sha256_of(path) == wanted:
            with contextlib.suppress(OSError):  # a folder that can only be read
                os.utime(path)  # the last use, for `assay cache prune`
            return True
        say("assay: %s in the cache is damaged: fetching it again" % row.file)
        return False

    def fetch(self, row):
        if os.environ.get("ASSAY_OFFLINE"):
            raise Unavailable("offline")
        say("assay: fetching %s (%s)" % (row.file, size_text(row.bytes)))
        part = self.path(row) + ".part"
        try:
            FETCH[row.kind](row, part)
            found, wanted = sha256_of(part), self.wanted(row)
            if wanted is None:
                say("assay: %s: first seen, SHA-256 %s recorded" % (row.file, found))
                with open(self.seen_path, "a", encoding="utf-8") as f:
                    f.write("%s %s\n" % (found, row.file))
            elif found != wanted:
                raise Unavailable("SHA-256 is %s instead of %s" % (found, wanted))
            os.replace(part, self.path(row))
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part)


@contextlib.contextmanager
def only_one(folder):
    with open(os.path.join(folder, ".lock"), "w", encoding="utf-8") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("assay: waiting for another set-up to finish")
            fcntl.flock(f, fcntl.LOCK_EX)
        yield


class Progress:
    """A bar on a terminal, ten times a second; silence elsewhere.  Where nobody knows the size it is a count."""

    WIDTH = 30

    def __init__(self, total):
        self.total, self.done, self.began, self.shown = total, 0, time.monotonic(), 0

    def line(self, seconds):
        """What the terminal shows after so many seconds."""
        rate = self.done / seconds if seconds > 0 else 0
        if not self.total:
            return "  %s, %s/s" % (size_text(self.done), size_text(rate))
        full = min(self.WIDTH, self.WIDTH * self.done // self.total)
        left = (self.total - self.done) / rate if rate else 0
        return "  [%s%s] %3d %% of %s, %s/s%s" % (
            "=" * full, " " * (self.WIDTH - full), min(100, 100 * self.done // self.total), size_text(self.total),
            size_text(rate), ", %d s left" % left if left >= 1 else "")

    def add(self, count):
        self.done += count
        now = time.monotonic()
        if now - self.shown >= 0.1:
            self.shown = now
            self.show(now)

    def show(self, now, end=""):
        if sys.stderr.isatty():
            sys.stderr.write("\r%s\033[K%s" % (self.line(now - self.began), end))
            sys.stderr.flush()

    def end(self):
        self.show(time.monotonic(), "\n")


def write_stream(chunks, path, total):
    progress = Progress(total)
    with open(path, "wb") as f:
        for chunk in chunks:
            f.write(chunk)
            progress.add(len(chunk))
    progress.end()


# --- pip: source distributions and wheels -------------------------------------------------------------------------


def need_pip():
    """pip may belong to another Python than the one in PATH: then go on there."""
    try:
        import pip  # noqa: F401  pylint: disable=import-outside-toplevel,unused-import
    except ImportError:
        system = "/usr/bin/python3"
        if os.path.realpath(sys.executable) == os.path.realpath(system) or not os.path.exists(system):
            raise Unavailable("this Python has no pip (package python3-pip)") from None
        os.execv(system, [system] + sys.argv)


def pip_options(row):
    """Options of `pip download` that make exactly the file of this row acceptable, whatever Python runs this."""
    options = ["--no-deps", "--no-input", "--retries", "2"]
    if row.kind == "sdist":
        return options + ["--no-binary", ":all:"]
    tag, abi, where = row.file[: -len(".whl")].split("-")[-3:]
    return options + ["--only-binary", ":all:", "--implementation", tag[:2], "--python-version", tag[2:],
                      "--abi", abi] + [word for p in where.split(".") for word in ("--platform", p)]


class Complaints(logging.Handler):
    """Keeps what pip says about pages that it could not read: it is the reason when nothing is found."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.texts = []

    def emit(self, record):
        text = record.getMessage()
        if text.startswith("Could not fetch"):
            # The first words say where, the last ones why; a chain of Python's objects lies between.
            where, last = " ".join(text.split()[:5]).rstrip(":"), text.rsplit(": ", 1)[-1]
            self.texts.append("%s: %s" % (where, re.sub(r"['\")]*( - skipping)?$", "", last)))


def fetch_with_pip(row, path):
    need_pip()
    from pip._internal.cli.cmdoptions import make_target_python
    from pip._internal.commands.download import DownloadCommand

    complaints = Complaints()
    logger = logging.getLogger("pip")
    logger.addHandler(complaints)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        command = DownloadCommand("download", "fetches one file")
        options, _ = command.parse_args(pip_options(row))
        with command.main_context():
            session = command.get_default_session(options)
            finder = command._build_package_finder(options=options, session=session,
                                                   target_python=make_target_python(options),
                                                   ignore_requires_python=True)
            links = [c.link for c in finder.find_all_candidates(row.name)]
            link = next((k for k in links if k.filename == row.file), None)
            if link is None:
                raise Unavailable((complaints.texts or ["pip finds no such file (index or find-links of pip's "
                                                        "configuration)"])[-1])
            reply = session.get(link.url_without_fragment, stream=True,
                                headers={"Accept-Encoding": "identity"})
            reply.raise_for_status()
            write_stream(reply.iter_content(1 << 16), path, row.bytes)
    except (Unavailable, OSError):
        raise
    except (Exception, SystemExit) as e:  # pip's insides differ from version to version
        raise Unavailable("pip: %s: %s" % (type(e).__name__, e)) from e
    finally:
        logger.removeHandler(complaints)


# --- apt: packages that are unpacked, never installed ---------------------------------------------------------------


def run_quiet(command, **more):
    """Output of a command, or Unavailable with its last words."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              universal_newlines=True, check=False, **more)
    except OSError as e:
        raise Unavailable("%s: %s" % (command[0], e.strerror)) from e
    if done.returncode:
        words = [w for w in done.stderr.splitlines() if w.startswith("E:")] or done.stderr.splitlines() or ["failed"]
        raise Unavailable("%s: %s" % (command[0], words[-1]))
    return done.stdout


def debian_mirrors():
    """The Debian mirrors of this machine's own apt sources, the likeliest first."""
    form = "$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)"
    known = run_quiet(["apt-get", "indextargets", "--format", form])
    if " Debian" not in known and distribution().startswith("debian"):
        # Lists were never downloaded here: origins are not known yet, but the sources are this distribution's.
        known = run_quiet(["apt-get", "indextargets", "--no-release-info", "--format",
                           "$(REPO_URI) $(RELEASE) $(COMPONENT) Debian"])
    mirrors = []
    for line in known.splitlines():
        words = line.split()
        if len(words) == 4 and words[2:] == ["main", "Debian"] and "security" not in words[1]:
            mirrors.append(words[0])
    return list(dict.fromkeys(mirrors))


def apt_folders(root, source):
    """Options that let apt-get work with folders of its own, leaving the system's lists and cache alone."""
    for folder in ("lists/partial", "archives/partial"):
        os.makedirs(os.path.join(root, folder))
    listing = os.path.join(root, "sources.list")
    with open(listing, "w", encoding="utf-8") as f:
        f.write(source + "\n")
    user = "root" if os.geteuid() == 0 else "_apt"
    settings = {"Dir::Etc::SourceList": listing, "Dir::Etc::SourceParts": "/dev/null",
                "Dir::Etc::Preferences": "/dev/null", "Dir::Etc::PreferencesParts": "/dev/null",
                "Dir::State::Lists": root + "/lists", "Dir::Cache": root, "Dir::Cache::archives": root + "/archives",
                "APT::Sandbox::User": user, "APT::Architecture": "amd64", "APT::Architectures": "amd64",
                "Acquire::Languages": "none", "Acquire::Retries": "2",
                "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false"}
    return [word for name, value in settings.items() for word in ("-o", "%s=%s" % (name, value))]


def take_deb(folder, path):
    found = glob.glob(os.path.join(folder, "*.deb"))
    if len(found) != 1:
        raise Unavailable("apt-get downloaded no package file")
    shutil.move(found[0], path)


def fetch_deb(row, path):
    keys = [k for k in glob.glob("/usr/share/keyrings/debian-archive-keyring.*") if k.endswith(("gpg", "pgp"))]
    mirrors = debian_mirrors()
    if not mirrors or not keys:
        raise Unavailable("apt has no Debian mirror here")
    problem = None
    for mirror in mirrors:
        with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as root:
            options = apt_folders(root, "deb [signed-by=%s] %s trixie main" % (sorted(keys)[0], mirror))
            try:
                run_quiet(["apt-get"] + options + ["update", "-q"])
                run_quiet(["apt-get"] + options + ["download", "-q", "%s=%s" % (row.name, row.version)], cwd=root)
                return take_deb(root, path)
            except Unavailable as e:
                problem = e
    raise problem


def fetch_distro(row, path):
    with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as root:
        run_quiet(["apt-get", "-o", "APT::Sandbox::User=root", "download", "-q", row.name], cwd=root)
        take_deb(root, path)


def fetch_archive(row, path):
    with urllib.request.urlopen(row.url, timeout=60) as reply:
        total = reply.headers.get("Content-Length")
        write_stream(iter(lambda: reply.read(1 << 16), b""), path, int(total) if total else None)


FETCH = {"sdist": fetch_with_pip, "wheel": fetch_with_pip, "deb": fetch_deb, "distro": fetch_distro,
         "archive": fetch_archive}

# --- unpacking ------------------------------------------------------------------------------------------------------


def inside(folder, name):
    """Where a member of an archive goes; a name that leads outside is refused."""
    path = os.path.normpath(os.path.join(folder, name))
    if not path.startswith(os.path.join(folder, "")):
        raise Unavailable("%s leads out of the archive" % name)
    return path


def write_member(source, path, mode=0o644, mtime=None):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "xb") as f:
        shutil.copyfileobj(source, f)
    os.chmod(path, mode)
    if mtime is not None:
        os.utime(path, (mtime, mtime))


def unpack_tar(path, folder):
    """Regular files only, without the archive's top folder."""
    with tarfile.open(path) as archive:
        for member in archive:
            name = member.name.split("/", 1)
            if member.isdir():
                continue
            if not member.isreg() or len(name) < 2:
                raise Unavailable("%s in the archive is no plain file" % member.name)
            inside(folder, member.name)
            write_member(archive.extractfile(member), inside(folder, name[1]), mtime=member.mtime)


def nvidia(*libraries):
    """What is taken of a package with some of CUDA's libraries."""
    return tuple((r"nvidia/\w+/lib/(%s\.so\.[\d.]+)" % name, r"lib/\1") for name in libraries) + (
        (r"nvidia_[^/]*\.dist-info/(?:licenses/)?(LICENSE\.txt|License\.txt)", r"licenses/\1"),)


# The C API's headers and what they include.
TENSORFLOW = ((r"tensorflow/(libtensorflow_cc\.so\.2)", r"lib/\1"),
              (r"tensorflow/(libtensorflow_framework\.so\.2)", r"lib/\1"),
              (r"tensorflow/(include/tensorflow/c/(c_api|c_api_macros|tf_[a-z]+)\.h)", r"\1"),
              (r"tensorflow/(include/xla/tsl/c/tsl_status\.h)", r"\1"),
              (r"tensorflow/(include/(tensorflow/core|tsl)/platform/ctstring(_internal)?\.h)", r"\1"),
              (r"tensorflow/include/(LICENSE)", r"\1"),
              (r"tensorflow/(THIRD_PARTY_NOTICES\.txt)", r"\1"))

# What is taken out of a wheel, and where it goes: libraries, headers and licence texts, none of the Python modules.
WHEELS = {
    "onnxruntime": ((r"onnxruntime/capi/(libonnxruntime[^/]*\.so[^/]*)", r"\1"),
                    (r"onnxruntime/(LICENSE|ThirdPartyNotices\.txt)", r"\1")),
    # Without TensorRT's provider, which wants a library of 4 GB.
    "onnxruntime_gpu": ((r"onnxruntime/capi/(libonnxruntime\.so[^/]*)", r"\1"),
                        (r"onnxruntime/capi/(libonnxruntime_providers_(?:shared|cuda)\.so)", r"\1"),
                        (r"onnxruntime/(LICENSE|ThirdPartyNotices\.txt)", r"\1")),
    "openvino": ((r"openvino/(include/openvino/c/.*\.h)", r"\1"),
                 (r"openvino/libs/(libopenvino(?:_c|_ir_frontend|_onnx_frontend|_tensorflow_frontend)?\.so\.\d+)",
                  r"lib/\1"),
                 (r"openvino/libs/(libopenvino_intel_cpu_plugin\.so)", r"lib/\1"),
                 (r"openvino/libs/(lib(?:tbb|tbbmalloc|tbbbind_2_5|hwloc)\.so\.\d+)", r"lib/\1"),
                 (r"openvino-[^/]*\.dist-info/licenses/(?:.*/)?([^/]+)", r"licenses/\1")),
    "tensorflow": TENSORFLOW,
    "tensorflow_cpu": TENSORFLOW,
    # libtorch for the CPU; its profiler is linked with two libraries of CUDA, which are not used without a GPU.
    # The same file has what CUDA needs besides.
    "torch": ((r"torch/lib/(libtorch_cpu\.so)", r"lib/\1"),
              (r"torch/lib/(libc10\.so)", r"lib/\1"),
              (r"torch/lib/(libgomp[^/]*\.so[^/]*)", r"lib/\1"),
              (r"torch/include/((?:ATen|c10|caffe2|torch)/.*\.h)", r"include/\1"),
              (r"torch-[^/]*\.dist-info/licenses/(.*[^/])", r"licenses/\1")),
    "torch[cuda]": ((r"torch/lib/(libtorch_cuda\.so)", r"lib/\1"),
                    (r"torch/lib/(libtorch_cuda_linalg\.so)", r"lib/\1"),
                    (r"torch/lib/(libtorch_nvshmem\.so)", r"lib/\1"),
                    (r"torch/lib/(libc10_cuda\.so)", r"lib/\1"),
                    (r"torch/lib/(libcaffe2_nvrtc\.so)", r"lib/\1")),
    # The parts of CUDA, shared by the engines: without what is for writing programs or for several machines.
    "nvidia_cublas": nvidia("libcublas", "libcublasLt"),
    "nvidia_cuda_cupti": nvidia("libcupti"),
    "nvidia_cuda_nvrtc": nvidia("libnvrtc", "libnvrtc-builtins"),
    "nvidia_cuda_runtime": nvidia("libcudart"),
    "nvidia_cudnn": nvidia(r"libcudnn(?:_\w+)?"),
    "nvidia_cufft": nvidia("libcufft"),
    "nvidia_cufile": nvidia("libcufile"),
    "nvidia_curand": nvidia("libcurand"),
    "nvidia_cusolver": nvidia("libcusolver"),
    "nvidia_cusparse": nvidia("libcusparse"),
    # Its licence stands in its description.
    "nvidia_cusparselt": ((r"nvidia/cusparselt/lib/(libcusparseLt\.so\.\d+)", r"lib/\1"),
                          (r"nvidia_cusparselt[^/]*\.dist-info/(METADATA)", r"licenses/\1")),
    "nvidia_nccl": nvidia("libnccl"),
    "nvidia_nvjitlink": nvidia("libnvJitLink"),
    "nvidia_nvshmem": nvidia("libnvshmem_host"),
}


def wheel_members(file, part=""):
    """The table's row for a wheel: packages for one CUDA version or another hold the same."""
    return WHEELS[re.sub(r"_cu\d+$", "", file.split("-")[0]) + part]


def unpack_wheel(path, folder, part=""):
    """The members of the table's row, all of whose patterns have to be there."""
    members = wheel_members(os.path.basename(path), part)
    left = {pattern for pattern, _ in members}
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            for pattern, to in members:
                match = re.fullmatch(pattern, member.filename)
                if match:
                    left.discard(pattern)
                    with archive.open(member) as source:
                        write_member(source, inside(folder, match.expand(to)),
                                     0o755 if ".so" in os.path.basename(member.filename) else 0o644)
    if left:
        raise Unavailable("nothing like %s in it" % min(left))


def copy_headers(tree, folder):
    """The folder of headers around onnxruntime_c_api.h, wherever it lies in tree."""
    homes = [d for d, _, files in os.walk(tree) if "onnxruntime_c_api.h" in files]
    if not homes:
        raise Unavailable("no onnxruntime_c_api.h in it")
    for header in sorted(glob.glob(os.path.join(min(homes, key=len), "*.h"))):
        with open(header, "rb") as source:
            write_member(source, os.path.join(folder, os.path.basename(header)), mtime=os.stat(header).st_mtime)


def unpack_headers(path, folder):
    with tempfile.TemporaryDirectory(dir=os.path.dirname(folder)) as tree:
        if path.endswith(".deb"):
            run_quiet(["dpkg-deb", "-x", path, tree])
        else:
            with tarfile.open(path) as archive:
                for member in archive:
                    if member.isreg() and member.name.endswith(".h"):
                        write_member(archive.extractfile(member), inside(tree, member.name), mtime=member.mtime)
        copy_headers(tree, folder)


UNPACK = {"sdist": unpack_tar, "deb": unpack_headers, "distro": unpack_headers, "archive": unpack_headers}
MADE_FROM = ".made-from"


def origin(row):
    """What tells that a folder was unpacked from this row, and would be again as it is: wheels are large."""
    return "%s %r\n" % (row.sha256, wheel_members(row.file, row.part)) if row.kind == "wheel" else None


def contents(folder):
    """A line for each file that was unpacked: what was removed or cut off since is seen."""
    paths = (os.path.join(at, name) for at, _, names in os.walk(folder) for name in names)
    return "".join(sorted("%s %d\n" % (os.path.relpath(p, folder), os.lstat(p).st_size) for p in paths
                          if os.path.basename(p) != MADE_FROM))


def unpacked(row, folder):
    target = os.path.join(folder, row.target)
    with contextlib.suppress(OSError), open(os.path.join(target, MADE_FROM), encoding="utf-8") as f:
        return f.read() == origin(row) + contents(target)
    return False


def unpack(row, path, folder):
    if row.kind != "wheel":
        UNPACK[row.kind](path, folder)
        return
    unpack_wheel(path, folder, row.part)
    with open(os.path.join(folder, MADE_FROM), "x", encoding="utf-8") as f:
        f.write(origin(row) + contents(folder))


def install_folder(make, target):
    """make(folder) fills a new folder, which then takes target's place at once."""
    parent = os.path.dirname(target)
    os.makedirs(parent, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=".new-") as temp:
        fresh = os.path.join(temp, "fresh")
        os.mkdir(fresh)
        make(fresh)
        if os.path.lexists(target):
            os.rename(target, os.path.join(temp, "old"))
        os.rename(fresh, target)


# --- the whole ------------------------------------------------------------------------------------------------------


def obtain(cache, rows):
    """The first of these alternatives that is in the cache, else the first that can be fetched."""
    for row in rows:
        if cache.good(row):
            return row
    reasons = []
    for row in rows:
        try:
            cache.fetch(row)
            return row
        except (Unavailable, OSError, http.client.HTTPException) as e:
            reasons.append("%s: %s" % (row.kind, without_password(e)))
    raise Unavailable("\n".join(reasons) or "tools/deps.lock has no file for %s" % platform.machine())


def to_download(targets, cache):
    """The first alternative of each file that is not in the cache; parts of one file count once."""
    rows = {alternatives[0].file: alternatives[0] for alternatives in targets.values() if alternatives
            and not any(os.path.isfile(cache.path(r)) for r in alternatives)}
    return list(rows.values())


def amount(rows):
    """How many files, and their size."""
    return "%d file%s to download, %s%s" % (
        len(rows), "" if len(rows) == 1 else "s", size_text(sum(r.bytes or 0 for r in rows)),
        "" if all(r.bytes for r in rows) else " or more")


def whose(engine):
    if engine.startswith("loadgen-"):
        return "LoadGen " + engine[len("loadgen-"):]
    return "the base" if engine == "-" else "engine " + engine


def announce(rows, engine):
    """How much there is to download, before any of it is."""
    if len(rows) > 1 or (rows and engine != "-"):
        say("assay: %s: %s" % (whose(engine), amount(rows)))


def dry_run(rows, cache, engine):
    """The result that was asked for: on stdout."""
    print("%s: %s" % (whose(engine), amount(rows) if rows else "nothing to download"))
    for row in rows:
        print("  %-9s %s" % (size_text(row.bytes), row.file))
    print("kept in %s" % cache.folder)
    return 0


def report(missing, cache):
    lines = ["assay: cannot get %d third-party file%s:" % (len(missing), "s" if len(missing) > 1 else "")]
    for rows, reason in missing:
        lines.append("  %-58s %s" % (rows[0].file if rows else "?", size_text(rows[0].bytes) if rows else ""))
        lines += ["      by " + line for line in str(reason).splitlines()]
    lines += ["What to do: connect this machine (or set up pip's index and apt's mirror) and run the command again,",
              "or copy these files from a machine that has them into %s" % cache.folder]
    if any(r and r[0].target == "onnxruntime/include" for r, _ in missing):
        lines.append("(headers alone: name a folder with onnxruntime_c_api.h in ASSAY_ORT_INCLUDE)")
    say("\n".join(lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lock")
    parser.add_argument("cache")
    parser.add_argument("target")
    parser.add_argument("--engine", default="-", help="what this engine needs besides")
    parser.add_argument("--dry-run", action="store_true", help="say what would be downloaded")
    parser.add_argument("--ort-include", help="a folder with ONNX Runtime's C headers, instead of a download")
    args = parser.parse_args()
    targets = {}
    lock = [row for row in read_lock(args.lock) if args.engine in row.engines]
    if not lock:
        say("assay: tools/deps.lock has nothing for %s" % whose(args.engine))
        return 2
    for row in lock:
        targets.setdefault(row.target, []).extend([row] if row.fits() else [])
    cache, folder, missing = Cache(os.path.abspath(args.cache)), os.path.abspath(args.target), []
    os.makedirs(folder, exist_ok=True)
    with only_one(cache.folder), only_one(folder):
        got = {}
        targets = {t: rows for t, rows in targets.items() if not any(unpacked(r, folder) for r in rows)}
        rows = to_download(targets, cache)
        if args.dry_run:
            return dry_run(rows, cache, args.engine)
        if rows and os.environ.get("ASSAY_OFFLINE"):
            say("assay: offline, and %s has %s, that %s not in %s: %s" % (
                whose(args.engine), amount(rows), "is" if len(rows) == 1 else "are", cache.folder,
                ", ".join(r.file for r in rows)))
            return 1
        announce(rows, args.engine)
        for target, rows in targets.items():
            if target == "onnxruntime/include" and args.ort_include:
                continue
            try:
                got[target] = obtain(cache, rows)
            except Unavailable as e:
                missing.append((rows, e))
        if missing:
            report(missing, cache)
            return 1
        for target, row in got.items():
            install_folder(lambda fresh, r=row: unpack(r, cache.path(r), fresh), os.path.join(folder, target))
        if args.ort_include:
            install_folder(lambda fresh: copy_headers(args.ort_include, fresh), folder + "/onnxruntime/include")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Unavailable, OSError, ValueError) as e:
        say("assay: set-up failed: %s" % without_password(e))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)

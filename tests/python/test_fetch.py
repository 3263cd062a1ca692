#!/usr/bin/env python3
"""tools/fetch.py without network: what is in the cache is verified, what is unpacked is whole and stays inside."""
import contextlib
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile

sys.dont_write_bytecode = True
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tools"))
import fetch  # noqa: E402  pylint: disable=wrong-import-position,import-error


def tar_of(path, *members):
    with tarfile.open(path, "w:gz") as archive:
        for name, body in members:
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))


def wheel_of(path, *members):
    """The row's last three columns; a member holds its own name."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in members:
            archive.writestr(zipfile.ZipInfo(name), name)
    with open(path, "rb") as f:
        body = f.read()
    return "%d %s %s" % (len(body), hashlib.sha256(body).hexdigest(), os.path.basename(path))


def cublas(folder):
    return wheel_of(folder + "/nvidia_cublas_cu12-1-py3-none-manylinux1_x86_64.whl",
                    "nvidia/cublas/lib/libcublas.so.12", "nvidia/cublas/lib/libcublasLt.so.12",
                    "nvidia/cublas/lib/libnvblas.so.12",
                    "nvidia/cublas/include/cublas.h", "nvidia_cublas_cu12-1.dist-info/License.txt")


def row(kind, name, sha256, target="thing"):
    return fetch.Row("- %s %s pkg 1 any - %s %s" % (target, kind, sha256, name))


class FetchTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = folder.name
        self.cache = fetch.Cache(self.dir + "/cache")
        self.fetched = []
        self.body = b"the published file"
        self.addCleanup(fetch.FETCH.update, dict(fetch.FETCH))
        for kind in fetch.FETCH:
            fetch.FETCH[kind] = self.give
        quiet = contextlib.redirect_stderr(io.StringIO())
        self.err = quiet.__enter__()
        self.addCleanup(quiet.__exit__, None, None, None)

    def give(self, wanted, path):
        self.fetched.append(wanted.file)
        if self.body is None:
            raise fetch.Unavailable("no network")
        if os.path.exists(self.dir + "/index/" + wanted.file):
            shutil.copyfile(self.dir + "/index/" + wanted.file, path)
            return
        with open(path, "wb") as f:
            f.write(self.body)

    def test_cached_file_is_fetched_once_and_again_when_damaged(self):
        r = row("sdist", "a.tar.gz", hashlib.sha256(self.body).hexdigest())
        for _ in range(2):
            fetch.obtain(self.cache, [r])
        self.assertEqual(self.fetched, ["a.tar.gz"])
        with open(self.cache.path(r), "ab") as f:
            f.write(b"x")
        fetch.obtain(self.cache, [r])
        self.assertEqual(len(self.fetched), 2)
        self.assertTrue(self.cache.good(r))

    def test_wrong_content_is_refused_and_leaves_nothing(self):
        r = row("sdist", "a.tar.gz", "0" * 64)
        with self.assertRaisesRegex(fetch.Unavailable, "SHA-256 is"):
            fetch.obtain(self.cache, [r])
        self.assertEqual(os.listdir(self.cache.folder), [])

    def test_first_seen_digest_holds_from_then_on(self):
        r = row("archive", "https://host/a.tgz", "first-seen")
        fetch.obtain(self.cache, [r])
        with open(self.cache.path(r), "wb") as f:
            f.write(b"something else")
        self.body = b"something else"
        with self.assertRaisesRegex(fetch.Unavailable, "SHA-256 is"):
            fetch.obtain(self.cache, [r])

    def test_second_alternative_is_taken(self):
        def refuse(_row, _path):
            raise fetch.Unavailable("no mirror")

        fetch.FETCH["deb"] = refuse
        second = row("archive", "https://host/a.tgz", "first-seen")
        self.assertIs(fetch.obtain(self.cache, [row("deb", "a.deb", "0" * 64), second]), second)

    def test_one_error_lists_every_missing_file(self):
        self.body = None
        code = self.run_main("- a sdist pkg 1 any 1000000 %s a.tar.gz" % ("0" * 64),
                             "- b wheel pkg 1 any 2000000 %s b.whl" % ("0" * 64))
        self.assertEqual(code, 1)
        for word in ("cannot get 2 third-party files", "a.tar.gz", "1.0 MB", "b.whl", "2.0 MB", "What to do"):
            self.assertIn(word, self.err.getvalue())

    def run_main(self, *lines, engine=None, more=()):
        lock = self.dir + "/lock"
        with open(lock, "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")
        words = ["fetch.py", lock, self.cache.folder, self.dir + "/deps"] + (["--engine", engine] if engine else [])
        words += more
        sys.argv, old = words, sys.argv
        try:
            return fetch.main()
        finally:
            sys.argv = old

    def test_whole_way(self):
        tar_of(self.dir + "/t.tar.gz", ("top/x.h", b"one"), ("top/sub/y.h", b"two"))
        with open(self.dir + "/t.tar.gz", "rb") as f:
            self.body = f.read()
        line = "- thing-1 sdist pkg 1 any - %s t.tar.gz" % hashlib.sha256(self.body).hexdigest()
        self.assertEqual(self.run_main(line, "- thing-2 sdist pkg 1 nosuch - %s t.tar.gz" % ("0" * 64)), 1)
        self.assertEqual(self.run_main(line), 0)
        with open(self.dir + "/deps/thing-1/sub/y.h", "rb") as f:
            self.assertEqual(f.read(), b"two")
        self.assertEqual(sorted(os.listdir(self.dir + "/deps")), [".lock", "thing-1"])

    def test_an_engine_is_fetched_when_asked_for(self):
        tar_of(self.dir + "/t.tar.gz", ("top/x.h", b"one"))
        with open(self.dir + "/t.tar.gz", "rb") as f:
            self.body = f.read()
        digest = hashlib.sha256(self.body).hexdigest()
        lines = ["%s %s sdist pkg 1 any - %s t.tar.gz" % (engine, target, digest)
                 for engine, target in (("-", "base"), ("mine", "mine/lib"))]
        self.assertEqual(self.run_main(*lines), 0)
        self.assertEqual(sorted(os.listdir(self.dir + "/deps")), [".lock", "base"])
        self.assertEqual(self.run_main(*lines, engine="mine"), 0)
        self.assertEqual(sorted(os.listdir(self.dir + "/deps")), [".lock", "base", "mine"])
        self.assertEqual(self.run_main(*lines, engine="yours"), 2)
        self.assertIn("nothing for engine yours", self.err.getvalue())

    def test_the_size_comes_first(self):
        self.body = None
        lines = ["mine %s wheel pkg 1 any %d %s %s.whl" % (name, size, "0" * 64, name)
                 for name, size in (("a", 100000000), ("b", 50000000))]
        self.assertEqual(self.run_main(*lines, engine="mine"), 1)
        said = self.err.getvalue().splitlines()
        self.assertEqual(said[0], "assay: engine mine: 2 files to download, 150.0 MB")
        self.assertEqual(said[1], "assay: fetching a.whl (100.0 MB)")

    def index(self):
        """A folder of wheels, and the rows of two engines for CUDA that share one of them."""
        os.mkdir(self.dir + "/index")
        torch = wheel_of(self.dir + "/index/torch-2-cp311-cp311-manylinux1_x86_64.whl",
                         *["torch/lib/%s.so" % name for name in ("libtorch_cpu", "libc10", "libgomp-1", "libtorch_cuda",
                                                                 "libtorch_cuda_linalg", "libtorch_nvshmem",
                                                                 "libc10_cuda", "libcaffe2_nvrtc")],
                         "torch/include/c10/a.h", "torch-2.dist-info/licenses/LICENSE")
        tensorflow = wheel_of(self.dir + "/index/tensorflow-2-cp311-cp311-manylinux1_x86_64.whl",
                              "tensorflow/libtensorflow_cc.so.2", "tensorflow/libtensorflow_framework.so.2",
                              "tensorflow/include/tensorflow/c/c_api.h", "tensorflow/include/xla/tsl/c/tsl_status.h",
                              "tensorflow/include/tsl/platform/ctstring.h", "tensorflow/include/LICENSE",
                              "tensorflow/THIRD_PARTY_NOTICES.txt", "tensorflow/python/a.so")
        return ("pytorch,pytorch-cuda torch/cpu wheel torch 2 any " + torch,
                "pytorch-cuda torch/gpu wheel torch[cuda] 2 any " + torch,
                "pytorch-cuda,tensorflow-cuda cuda12/cublas wheel nvidia-cublas-cu12 1 any " +
                cublas(self.dir + "/index"),
                "tensorflow-cuda tensorflow-gpu wheel tensorflow 2 any " + tensorflow)

    def files(self, target):
        return sorted(f for _, _, files in os.walk(self.dir + "/deps/" + target) for f in files)

    def test_parts_of_one_wheel_are_fetched_once(self):
        rows = self.index()
        self.assertEqual(self.run_main(*rows, engine="pytorch-cuda"), 0)
        self.assertEqual([f.split("-")[0] for f in self.fetched], ["torch", "nvidia_cublas_cu12"])
        self.assertIn("engine pytorch-cuda: 2 files to download, 0.0 MB\n", self.err.getvalue())
        self.assertEqual(self.files("torch/cpu"), [".made-from", "LICENSE", "a.h", "libc10.so", "libgomp-1.so",
                                                   "libtorch_cpu.so"])
        self.assertEqual(self.files("torch/gpu"), [".made-from", "libc10_cuda.so", "libcaffe2_nvrtc.so",
                                                   "libtorch_cuda.so", "libtorch_cuda_linalg.so",
                                                   "libtorch_nvshmem.so"])
        self.assertEqual(self.files("cuda12"), [".made-from", "License.txt", "libcublas.so.12", "libcublasLt.so.12"])

    def test_what_engines_share_is_fetched_and_unpacked_once(self):
        rows = self.index()
        self.assertEqual(self.run_main(*rows, engine="tensorflow-cuda"), 0)
        shared = self.dir + "/deps/cuda12/cublas"
        before = os.stat(shared).st_ino
        self.fetched.clear()
        self.assertEqual(self.run_main(*rows, engine="pytorch-cuda"), 0)
        self.assertEqual([f.split("-")[0] for f in self.fetched], ["torch"])
        self.assertEqual(os.stat(shared).st_ino, before)
        # Not even from the cache; but what is gone, or was made otherwise, is made again.
        shutil.rmtree(self.cache.folder)
        self.fetched.clear()
        self.assertEqual(self.run_main(*rows, engine="pytorch-cuda"), 0)
        self.assertEqual(self.fetched, [])
        with open(shared + "/.made-from", "a", encoding="utf-8") as f:
            f.write("by hand")
        self.assertEqual(self.run_main(*rows, engine="pytorch-cuda"), 0)
        self.assertEqual([f.split("-")[0] for f in self.fetched], ["nvidia_cublas_cu12"])
        self.assertNotEqual(os.stat(shared).st_ino, before)

    def test_what_is_gone_or_cut_off_is_unpacked_again(self):
        rows = self.index()
        self.assertEqual(self.run_main(*rows, engine="tensorflow-cuda"), 0)
        there = self.files("cuda12")
        library = next(at + "/libcublas.so.12" for at, _, names in os.walk(self.dir + "/deps/cuda12")
                       if "libcublas.so.12" in names)
        for damage in (os.remove, lambda path: os.truncate(path, 1)):
            damage(library)
            self.assertEqual(self.run_main(*rows, engine="tensorflow-cuda"), 0)
            self.assertGreater(os.stat(library).st_size, 1)
            self.assertEqual(self.files("cuda12"), there)

    def test_set_up_sees_what_is_gone(self):
        """tools/bootstrap, which asks fetch.py only when there is something to do."""
        tools = self.dir + "/tree/tools"
        os.makedirs(tools)
        os.makedirs(self.cache.folder + "/downloads")
        for name in ("bootstrap", "fetch.py"):
            shutil.copy(ROOT + "/tools/" + name, tools)
        wheel = cublas(self.cache.folder + "/downloads")
        with open(tools + "/deps.lock", "w", encoding="utf-8") as f:
            f.write("- base/cublas wheel cublas 1 any %s\nmine mine wheel cublas 1 any %s\n" % (wheel, wheel))
        env = dict(os.environ, ASSAY_NO_PACKAGES="1", ASSAY_OFFLINE="1", ASSAY_CACHE=self.cache.folder)
        stamps = [self.dir + "/tree/build/deps/.made-from-" + name for name in ("-", "mine")]
        made = []
        for gone in (None, None, "base/cublas", "mine"):
            if gone:
                library = "%s/tree/build/deps/%s/lib/libcublas.so.12" % (self.dir, gone)
                os.remove(library)
            subprocess.run(["sh", tools + "/bootstrap", "engine:mine"], check=True, env=env)
            self.assertTrue(not gone or os.path.isfile(library), gone)
            made.append([os.stat(stamp).st_ino for stamp in stamps])
        self.assertEqual(made[0], made[1])  # nothing was done

    def test_dry_run_tells_what_would_be_downloaded(self):
        rows = self.index()
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            self.assertEqual(self.run_main(*rows, engine="tensorflow-cuda", more=["--dry-run"]), 0)
        said = out.getvalue().splitlines()
        self.assertEqual(said[0], "engine tensorflow-cuda: 2 files to download, 0.0 MB")
        self.assertEqual([line.split()[2].split("-")[0] for line in said[1:3]], ["nvidia_cublas_cu12", "tensorflow"])
        self.assertEqual((self.fetched, self.files(".")), ([], [".lock"]))
        self.assertEqual(self.run_main(*rows, engine="tensorflow-cuda"), 0)
        with contextlib.redirect_stdout(out):
            self.run_main(*rows, engine="tensorflow-cuda", more=["--dry-run"])
        self.assertIn("engine tensorflow-cuda: nothing to download\n", out.getvalue())

    def test_offline_is_one_line(self):
        rows = self.index()
        self.addCleanup(os.environ.pop, "ASSAY_OFFLINE", None)
        os.environ["ASSAY_OFFLINE"] = "1"
        self.assertEqual(self.run_main(*rows, engine="tensorflow-cuda"), 1)
        self.assertEqual(self.fetched, [])
        self.assertRegex(self.err.getvalue(),
                         "^assay: offline, and engine tensorflow-cuda has 2 files to download, 0.0 MB, that are not in "
                         ".*/cache: nvidia_cublas_cu12.*, tensorflow-2.*whl\n$")
        del os.environ["ASSAY_OFFLINE"]
        self.assertEqual(self.run_main(*rows, engine="tensorflow-cuda"), 0)
        os.environ["ASSAY_OFFLINE"] = "1"
        self.assertEqual(self.run_main(*rows, engine="tensorflow-cuda"), 0)

    def test_wheels_come_from_the_index_that_pip_is_told(self):
        lines = [self.index()[2],
                 "x-cuda gone wheel nvidia-curand 1 any 5 %s nvidia_curand-1-py3-none-any.whl" % ("0" * 64)]
        with open(self.dir + "/lock", "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")
        said = {}
        for engine in ("tensorflow-cuda", "x-cuda"):
            done = subprocess.run([sys.executable, ROOT + "/tools/fetch.py", self.dir + "/lock", self.cache.folder,
                                   self.dir + "/deps", "--engine", engine], check=False, capture_output=True,
                                  universal_newlines=True,
                                  env=dict(os.environ, PIP_CONFIG_FILE=os.devnull, PIP_NO_INDEX="1",
                                           PIP_FIND_LINKS=self.dir + "/index"))
            said[engine] = (done.returncode, done.stderr)
        if "has no pip" in said["tensorflow-cuda"][1]:
            self.skipTest("this Python has no pip")
        self.assertEqual(said["tensorflow-cuda"][0], 0, said)
        self.assertEqual(self.files("cuda12"), [".made-from", "License.txt", "libcublas.so.12", "libcublasLt.so.12"])
        self.assertEqual(said["x-cuda"][0], 1)
        self.assertIn("pip finds no such file", said["x-cuda"][1])

    def test_progress_is_a_bar_on_a_terminal_only(self):
        progress = fetch.Progress(200000000)
        progress.add(50000000)
        self.assertEqual(progress.line(5), "  [%s%s]  25 %% of 200.0 MB, 10.0 MB/s, 15 s left" % ("=" * 7, " " * 23))
        self.assertEqual(self.err.getvalue(), "")
        self.err.isatty = lambda: True
        fetch.write_stream([b"x" * 500, b"y" * 500], self.dir + "/file", 1000)
        self.assertRegex(self.err.getvalue(), r"\r  \[={30}\] 100 % of 0\.0 MB, .*\n$")
        counted = fetch.Progress(None)
        counted.add(2500000)
        self.assertEqual(counted.line(1), "  2.5 MB, 2.5 MB/s")

    def test_archive_cannot_write_outside(self):
        for name in ("top/../../evil", "/evil", "top//evil"):
            tar_of(self.dir + "/t.tar.gz", (name, b"x"))
            with self.assertRaises(fetch.Unavailable, msg=name):
                fetch.install_folder(lambda d: fetch.unpack_tar(self.dir + "/t.tar.gz", d), self.dir + "/deps/t")
            self.assertFalse(os.path.exists(self.dir + "/deps/t"))

    def test_wheel_gives_libraries_and_licences_only(self):
        wheel = self.dir + "/onnxruntime-1.2.3-cp311-cp311-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for name in ("capi/libonnxruntime.so.1.2.3", "capi/libonnxruntime_providers_shared.so", "LICENSE",
                         "capi/state.cpython-311-x86_64-linux-gnu.so", "__init__.py"):
                archive.writestr("onnxruntime/" + name, "x")
        os.mkdir(self.dir + "/lib")
        fetch.unpack_wheel(wheel, self.dir + "/lib")
        self.assertEqual(sorted(os.listdir(self.dir + "/lib")),
                         ["LICENSE", "libonnxruntime.so.1.2.3", "libonnxruntime_providers_shared.so"])
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("onnxruntime/LICENSE", "x")
        with self.assertRaises(fetch.Unavailable):
            fetch.unpack_wheel(wheel, self.dir + "/lib2")

    def test_passwords_are_not_shown(self):
        self.assertEqual(fetch.without_password("at https://me:secret@host/x"), "at https://host/x")

    def test_wheel_tag_becomes_options(self):
        options = fetch.pip_options(row("wheel", "p-1-cp311-cp311-manylinux_2_28_x86_64.whl", "0" * 64))
        self.assertIn("--abi cp311 --platform manylinux_2_28_x86_64", " ".join(options))
        self.assertIn("--implementation cp --python-version 311", " ".join(options))

    def test_lock_file_of_the_project(self):
        rows = fetch.read_lock(os.path.join(ROOT, "tools", "deps.lock"))
        self.assertEqual({r.target for r in rows if r.engine == "-"},
                         {"loadgen-6.0.17", "onnxruntime/lib", "onnxruntime/include"})
        for r in rows:
            self.assertRegex(r.sha256, "^([0-9a-f]{64}|first-seen)$")
            if r.kind == "wheel":
                self.assertTrue(fetch.wheel_members(r.file, r.part))
                self.assertTrue(r.bytes)
        # What is shared lies in one place for all, once; so does what an engine's own two parts come from.
        self.assertEqual({e for r in rows for e in r.engines if e.endswith("-cuda")},
                         {"onnxruntime-cuda", "pytorch-cuda", "tensorflow-cuda"})
        wheels = [(r.target, r.file, r.part) for r in rows if r.kind == "wheel"]
        self.assertEqual(len({target for target, _, _ in wheels}), len(wheels))


if __name__ == "__main__":
    unittest.main()

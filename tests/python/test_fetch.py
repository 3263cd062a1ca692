#!/usr/bin/env python3
"""tools/fetch.py without network: what is in the cache is verified, what is unpacked is whole and stays inside."""
import contextlib
import hashlib
import io
import os
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

    def run_main(self, *lines, engine=None):
        lock = self.dir + "/lock"
        with open(lock, "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")
        words = ["fetch.py", lock, self.cache.folder, self.dir + "/deps"] + (["--engine", engine] if engine else [])
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
        self.assertIn("nothing for an engine 'yours'", self.err.getvalue())

    def test_the_size_comes_first(self):
        self.body = None
        lines = ["mine %s wheel pkg 1 any %d %s %s.whl" % (name, size, "0" * 64, name)
                 for name, size in (("a", 100000000), ("b", 50000000))]
        self.assertEqual(self.run_main(*lines, engine="mine"), 1)
        said = self.err.getvalue().splitlines()
        self.assertEqual(said[0], "assay: engine mine: 2 files to download, 150.0 MB")
        self.assertEqual(said[1], "assay: fetching a.whl (100.0 MB)")

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


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""Makes the archives of the tests of unpacking in a folder: make_archives.py FOLDER [small]

good.* are as they should be, all others have one thing that must be refused; `small` leaves out the large ones.
"""
import bz2
import gzip
import io
import lzma
import os
import sys
import tarfile
import zipfile


def member(name, data=b"x", kind=tarfile.REGTYPE, link="", mode=0o644):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    info.size = len(data) if kind == tarfile.REGTYPE else 0
    return info, data if kind == tarfile.REGTYPE else None


def link(name, target):
    return member(name, kind=tarfile.SYMTYPE, link=target)


def hard(name, target):
    return member(name, kind=tarfile.LNKTYPE, link=target)


GOOD = [member("./top", kind=tarfile.DIRTYPE, mode=0o755), member("top/a.txt", b"hello\n"),
        member("./top/bin/run", b"#!/bin/sh\n", mode=0o4755), link("top/link", "a.txt"), link("top/bin/up", "../a.txt"),
        hard("top/hard", "top/a.txt"), member("top/empty", b""), member("top/gr\u00fcn/\u00df.txt", b"utf8\n")]

TARS = {
    "dotdot": [member("ok"), member("../out.txt")],
    "middle": [member("a/../../out.txt")],
    "absolute": [member("/tmp/out.txt")],
    "link-out": [link("l", "../outside")],
    "link-absolute": [link("l", "/etc/passwd")],
    "link-deep": [member("a/b/f"), link("a/b/l", "../../..")],
    # l is the folder itself, and m would be the one above it though its name looks harmless.
    "link-chain": [member("a/b/f"), link("a/b/l", "../.."), link("m", "a/b/l/..")],
    "link-through": [member("x/y/f"), link("x/y/l", "../.."), link("x/y/m", "l/..")],
    "link-then-file": [link("d", "."), member("d/f")],
    "file-then-link": [member("d"), link("d", "e")],
    "hard-out": [hard("h", "../outside")],
    "hard-absolute": [hard("h", "/etc/passwd")],
    "hard-missing": [hard("h", "nothing")],
    "hard-to-link": [member("f"), link("l", "f"), hard("h", "l")],
    "device": [member("null", kind=tarfile.CHRTYPE)],
    "fifo": [member("pipe", kind=tarfile.FIFOTYPE)],
    "twice": [member("f"), member("f", b"y")],
    "file-and-folder": [member("f"), member("f/g")],
    "newline": [member("a\nb")],
    "deep": [member("/".join(["d"] * 80))],
    "nothing": [],
}


def tar(members, form=tarfile.PAX_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as t:
        for info, data in members:
            t.addfile(info, io.BytesIO(data) if data is not None else None)
    return out.getvalue()


def sparse(size):
    """A tar of GNU's old kind with one file that is a hole of this size and 512 bytes."""
    head = bytearray(512)
    for at, text in ((0, b"holes"), (100, b"0000644\0"), (124, b"%011o\0" % 512), (148, b" " * 8), (156, b"S"),
                     (257, b"ustar  \0"), (386, b"%011o\0" % size), (398, b"%011o\0" % 512),
                     (483, b"%011o\0" % (size + 512))):
        head[at:at + len(text)] = text
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + b"x" * 512 + bytes(1024)


def zipped(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data, mode in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            z.writestr(info, data)
    return out.getvalue()


def main():
    folder, small = sys.argv[1], len(sys.argv) > 2
    good = tar(GOOD)
    files = {"good.tar": good, "good.tar.gz": gzip.compress(good), "good.tar.bz2": bz2.compress(good),
             "good.tar.xz": lzma.compress(good), "good-gnu.tar": tar(GOOD, tarfile.GNU_FORMAT),
             "more.tar": tar([member("top/bin/other"), member("second/f")]),
             "good.zip": zipped([("top/a.txt", b"hello\n", 0o100644), ("top/bin/run", b"#!/bin/sh\n", 0o100755),
                                 ("top/link", b"a.txt", 0o120777), ("top/gr\u00fcn/\u00df.txt", b"utf8\n", 0o100644)]),
             "numbers.txt.gz": gzip.compress(b"1 2 3\n"), "many.tar": tar([member("f%d" % i) for i in range(200)]),
             "dotdot.zip": zipped([("ok", b"x", 0o100644), ("../out.txt", b"x", 0o100644)]),
             "link.zip": zipped([("l", b"/etc/passwd", 0o120777)]),
             "cut.tar.gz": gzip.compress(good)[:150], "cut.zip": zipped([("a" * 50, b"x" * 500, 0o100644)])[:60],
             "zeros.gz": gzip.compress(bytes(2000)), "text.txt": b"no archive\n" * 100, "void": b"",
             "good-sparse.tar": sparse(1 << 20), "sparse.tar": sparse(8 << 30)}
    for name, members in TARS.items():
        files[name + ".tar"] = tar(members)
    if not small:
        zeros = bytes(150 << 20)
        files["bomb.tar.gz"] = gzip.compress(tar([member("zeros", zeros)]))
        files["bomb.zip"] = zipped([("zeros", zeros, 0o100644)])
        files["bomb.gz"] = gzip.compress(zeros)
    for name, data in files.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data)


main()

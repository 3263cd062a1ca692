"""Models of DLRM's shape that are ONNX files of some hundred bytes, written byte by byte, and rows of Criteo's form.

Inputs dense float32 [pairs, 13] and indices int64 [pairs, 26], or offsets and indices int64 [26, pairs] as the official
file has them.  The prediction is (the sum of the pair's indices) / 4096 + (its first number): whole numbers and one
addition, so that every engine gives the same.  Kinds: "sum"; "truth" gives the remainder of the first index by 2, which is
the label in `rows`; "nan" gives the square root of −1 − sum."""
import math
import random
import struct

from tiny_bert import FLOAT, INT64, node, number, part, value

FLOATS = struct.Struct("<13f")


def single(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def constant(name, kind, values, *dims):
    raw = struct.pack("<%d%s" % (len(values), "f" if kind == FLOAT else "q"), *values)
    return part(5, *[number(1, d) for d in dims], number(2, kind), part(8, name), part(9, raw))


def write(path, tables=False, kind="sum", columns=26, names=("dense", "offsets", "indices", "predictions")):
    dense, offsets, indices, out = names
    axis = 0 if tables else 1
    along = part(5, part(1, "axis"), number(3, 1), number(20, 2))
    to_float = part(5, part(1, "to"), number(3, FLOAT), number(20, 2))
    at_offsets = [node("GatherElements", [indices, offsets], "i", along)] if tables else [node("Identity", [indices], "i")]
    first = [node("Gather", ["i", "zero"], "first", part(5, part(1, "axis"), number(3, axis), number(20, 2)))]
    total = [node("Cast", ["i"], "f", to_float), node("ReduceSum", ["f", "axis"], "s"), node("Reshape", ["s", "column"], "t")]
    ends = {
        "sum": [node("Mul", ["t", "scale"], "part"), node("Gather", [dense, "zero"], "number", along),
                node("Add", ["part", "number"], out)],
        "truth": [*first, node("Mod", ["first", "two"], "m"), node("Cast", ["m"], "mf", to_float),
                  node("Reshape", ["mf", "column"], out)],
        "nan": [node("Sub", ["minus", "t"], "negative"), node("Sqrt", ["negative"], out)]}
    inputs = [value(11, dense, FLOAT, (None, 13))]
    if tables:
        inputs += [value(11, offsets, INT64, (26, None)), value(11, indices, INT64, (26, None))]
    else:
        inputs += [value(11, indices, INT64, (None, columns))]
    graph = part(7, *at_offsets, *total, *ends[kind], part(2, "tiny"), constant("zero", INT64, [0], 1),
                 constant("two", INT64, [2], 1), constant("axis", INT64, [axis], 1), constant("column", INT64, [-1, 1], 2),
                 constant("scale", FLOAT, [2 ** -12], 1), constant("minus", FLOAT, [-1], 1), *inputs,
                 value(12, out, FLOAT, (None, 1)))
    with open(path, "wb") as f:
        f.write(number(1, 7) + graph + part(8, number(2, 13)))


def rows(n, seed=1):
    """(label, integers, categories) as raw logs have them; the first category's last bit is the label."""
    pick = random.Random(seed)
    made = []
    for _ in range(n):
        label = int(pick.random() < .25)
        integers = [pick.choice([None, -1, 0, 1, 2, 5, 77, 3000, 1 << 24, (1 << 31) - 1]) for _ in range(13)]
        categories = [pick.choice([None, pick.randrange(1 << 32)]) for _ in range(26)]
        categories[0] = 2 * pick.randrange(1 << 20) + label
        made.append((label, integers, categories))
    return made


def write_raw(path, made):
    with open(path, "w", encoding="ascii") as f:
        for label, integers, categories in made:
            f.write("\t".join([str(label)] + ["" if v is None else str(v) for v in integers] +
                              ["" if v is None else f"{v:08x}" for v in categories]) + "\n")


def write_binary(path, made, modulus):
    with open(path, "wb") as f:
        for label, integers, categories in made:
            f.write(struct.pack("<40i", label, *[max(0, v or 0) for v in integers], *ids(categories, modulus)))


def ids(categories, modulus):
    return [(v or 0) % 40000000 % modulus for v in categories]


def dense(integers):
    return [single(math.log(single(single(max(0, v or 0)) + 1))) for v in integers]


def payload(made, modulus):
    """What the model "sum" gives."""
    return b"".join(struct.pack("<2f", single(sum(ids(c, modulus)) / 4096 + dense(i)[0]), label) for label, i, c in made)


def line(pairs, queries):
    """The official script's, by counting every pair of a positive and a negative."""
    positive = sorted(p for p, t in pairs if t)
    negative = sorted(p for p, t in pairs if not t)
    won = sum(sum((p > n) + .5 * (p == n) for n in negative) for p in positive)
    good = sum(round(p) == t for p, t in pairs)
    area = won / (len(positive) * len(negative))
    return (f"AUC={100 * area:.3f}%, accuracy={100 * good / len(pairs):.3f}%, good={good}, total={len(pairs)}, "
            f"queries={queries}")

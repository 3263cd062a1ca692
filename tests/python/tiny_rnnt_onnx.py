"""tiny_rnnt.py's graphs as ONNX files of some kilobytes, written byte by byte."""
import struct

from tiny_bert import FLOAT, INT64, node, number, part, value


def whole(name, v):
    return part(5, part(1, name), number(3, v), number(20, 2))


def tensor(name, numbers, dims, kind=FLOAT):
    raw = struct.pack(f"<{len(numbers)}{'f' if kind == FLOAT else 'q'}", *numbers)
    return part(5, *[number(1, d) for d in dims], number(2, kind), part(8, name), part(9, raw))


def ints(name, *numbers):
    return tensor(name, numbers, [len(numbers)], INT64)


def write(path, nodes, tensors, inputs, outputs):
    graph = part(7, *nodes, part(2, "tiny"), *tensors, *[value(11, *i) for i in inputs], *[value(12, *o) for o in outputs])
    with open(path, "wb") as f:
        f.write(number(1, 7) + graph + part(8, number(2, 13)))


def encoder(path, name="frames"):
    nodes = [node("Slice", [name, "begin", "end", "axes", "steps"], "part"), node("Mul", ["part", "zero"], "zeros"),
             node("Add", ["zeros", "one"], "ones"), node("CumSum", ["ones", "axis"], "number"),
             node("Sub", ["number", "one"], "step"), node("Shape", [name], "shape"),
             node("Gather", ["shape", "axis"], "rows_i"), node("Cast", ["rows_i"], "rows_f", whole("to", FLOAT)),
             node("Add", ["zeros", "rows_f"], "rows"), node("Concat", ["rows", "step"], "encoded", whole("axis", 2))]
    tensors = [ints("begin", 0, 0), ints("end", 2**40, 1), ints("axes", 1, 2), ints("steps", 2, 1),
               tensor("zero", [0.0], []), tensor("one", [1.0], []), tensor("axis", [1], [], INT64)]
    write(path, nodes, tensors, [(name, FLOAT, (None, None, 240))], [("encoded", FLOAT, (None, None, 2))])


def prediction(path):
    states = ("h0", "c0", "h1", "c1")
    nodes = [node("Concat", states, "state", whole("axis", 1)), node("MatMul", ["state", "weights"], "before"),
             node("Add", ["before", "one"], "count"), node("Cast", ["label"], "label_f", whole("to", FLOAT)),
             node("Reshape", ["label_f", "column"], "label_c"),
             node("Concat", ["count", "label_c"], "h1_next", whole("axis", 1)),
             *[node("Add", [s, s + "_more"], s + "_next") for s in ("h0", "c0", "c1")]]
    # h0 = k, c0 = 2k, c1 = 3k, h1 = (k, label) after k labels: -5k + 2k + k + 3k = k.
    tensors = [tensor("weights", [-5, 0, 1, 0, 1, 0, 1, 0], [8, 1]), tensor("one", [1], []), ints("column", -1, 1),
               tensor("h0_more", [1, 0], [2]), tensor("c0_more", [2, 0], [2]), tensor("c1_more", [3, 0], [2])]
    write(path, nodes, tensors, [("label", INT64, (None,))] + [(s, FLOAT, (None, 2)) for s in states],
          [(s + "_next", FLOAT, (None, 2)) for s in states])


def joint(path, table, endless=False):
    logits = [1.0 if i == label else 0.0 for label in table.labels for i in range(table.width)]
    nodes = [node("Gather", ["encoded", "first"], "rows_f", whole("axis", 1)),
             node("Gather", ["encoded", "second"], "step", whole("axis", 1)),
             node("Gather", ["predicted", "first"], "count_f", whole("axis", 1)),
             node("Gather", ["predicted", "second"], "label", whole("axis", 1)),
             node("Cast", ["rows_f"], "rows", whole("to", INT64)), node("Cast", ["count_f"], "count", whole("to", INT64)),
             node("Gather", ["offsets", "rows"], "offset"), node("Add", ["offset", "count"], "next"),
             node("Sub", ["next", "second"], "at"), node("Gather", ["before", "at"], "wanted"),
             node("Equal", ["wanted", "label"], "right"), node("Where", ["right", "at", "first"], "which"),
             node("Gather", ["least", "at"], "earliest"), node("Less", ["step", "earliest"], "early"),
             node("Where", ["early", "second", "which"], "found"), node("Gather", ["table", "found"], "logits")]
    if endless:  # always the first row, 'q'; the predicted labels have to be there all the same
        nodes = [node("Gather", ["encoded", "first"], "a", whole("axis", 1)),
                 node("Gather", ["predicted", "first"], "b", whole("axis", 1)), node("Mul", ["a", "b"], "product"),
                 node("Cast", ["product"], "number", whole("to", INT64)), node("Mul", ["number", "first"], "none"),
                 node("Gather", ["table", "none"], "logits")]
    tensors = [tensor("first", [0], [], INT64), tensor("second", [1], [], INT64), ints("offsets", *table.offsets),
               tensor("table", logits, [len(table.labels), table.width]),
               tensor("before", table.before, [len(table.labels)]),
               tensor("least", table.least, [len(table.labels)])]
    write(path, nodes, tensors, [("encoded", FLOAT, (None, 2)), ("predicted", FLOAT, (None, 2))],
          [("logits", FLOAT, (None, table.width))])

"""tiny_rnnt.py's graphs as TensorFlow GraphDefs, written byte by byte."""
import struct

from tiny_bert import number, part

FLOAT, INT32, INT64 = 1, 3, 9  # DataType
FREE = 2**64 - 1


def kind(which):
    return number(6, which)


def shape(field, dims):
    return part(field, *[part(2, number(1, FREE if d is None else d)) for d in dims])


def node(operator, name, inputs, **attributes):
    return part(1, part(1, name), part(2, operator), *[part(3, i) for i in inputs],
                *[part(5, part(1, key), part(2, v)) for key, v in attributes.items()])


def placeholder(name, which, dims):
    return node("Placeholder", name, [], dtype=kind(which), shape=shape(7, dims))


def const(name, numbers, dims, which=FLOAT):
    raw = struct.pack(f"<{len(numbers)}{ {FLOAT: 'f', INT32: 'i', INT64: 'q'}[which]}", *numbers)
    tensor = part(8, number(1, which), shape(2, dims), part(4, raw))
    return node("Const", name, [], dtype=kind(which), value=tensor)


def plain(operator, name, inputs, which=FLOAT):
    return node(operator, name, inputs, T=kind(which))


def cast(name, source, was, which):
    return node("Cast", name, [source], SrcT=kind(was), DstT=kind(which))


def concat(name, inputs, axis):
    return node("ConcatV2", name, [*inputs, axis], N=number(3, len(inputs)), T=kind(FLOAT), Tidx=kind(INT32))


def gather(name, source, at, axis, which=FLOAT, index=INT32):
    return node("GatherV2", name, [source, at, axis], Tparams=kind(which), Tindices=kind(index), Taxis=kind(INT32))


# As axes and indices of 32 bits.
AXES = [const(f"axis{i}", [i], [], INT32) for i in range(3)]


def write(path, nodes):
    with open(path, "wb") as f:
        f.write(b"".join(AXES + nodes))


def encoder(path, name="frames"):
    write(path, [
        placeholder(name, FLOAT, (None, None, 240)), const("begin", [0, 0, 0], [3], INT32),
        const("end", [0, 0, 1], [3], INT32), const("strides", [1, 2, 1], [3], INT32), const("zero", [0], []),
        const("one", [1], []),
        node("StridedSlice", "part", [name, "begin", "end", "strides"], T=kind(FLOAT), Index=kind(INT32),
             begin_mask=number(3, 3), end_mask=number(3, 3)),
        plain("Mul", "zeros", ["part", "zero"]), plain("AddV2", "ones", ["zeros", "one"]),
        node("Cumsum", "number", ["ones", "axis1"], T=kind(FLOAT), Tidx=kind(INT32)),
        plain("Sub", "step", ["number", "one"]), node("Shape", "shape", [name], T=kind(FLOAT), out_type=kind(INT32)),
        gather("rows_i", "shape", "axis1", "axis0", INT32), cast("rows_f", "rows_i", INT32, FLOAT),
        plain("AddV2", "rows", ["zeros", "rows_f"]), concat("encoded", ["rows", "step"], "axis2")])


def prediction(path):
    states = ("h0", "c0", "h1", "c1")
    # h0 = k, c0 = 2k, c1 = 3k, h1 = (k, label) after k labels: -5k + 2k + k + 3k = k.
    write(path, [
        placeholder("label", INT64, (None,)), *[placeholder(s, FLOAT, (None, 2)) for s in states],
        const("weights", [-5, 0, 1, 0, 1, 0, 1, 0], [8, 1]), const("one", [1], []),
        *[const(s + "_more", [i, 0], [2]) for i, s in enumerate(("h0", "c0", "c1"), 1)],
        concat("state", states, "axis1"), plain("MatMul", "before", ["state", "weights"]),
        plain("AddV2", "count", ["before", "one"]), cast("label_f", "label", INT64, FLOAT),
        node("ExpandDims", "label_c", ["label_f", "axis1"], T=kind(FLOAT), Tdim=kind(INT32)),
        concat("h1_next", ["count", "label_c"], "axis1"),
        *[plain("AddV2", s + "_next", [s, s + "_more"]) for s in ("h0", "c0", "c1")]])


def joint(path, table, endless=False):
    rows = len(table.labels)
    logits = [1.0 if i == label else 0.0 for label in table.labels for i in range(table.width)]
    nodes = [
        placeholder("encoded", FLOAT, (None, 2)), placeholder("predicted", FLOAT, (None, 2)),
        const("first", [0], [], INT64), const("second", [1], [], INT64),
        const("offsets", table.offsets, [len(table.offsets)], INT64), const("table", logits, [rows, table.width]),
        const("before", table.before, [rows]), const("least", table.least, [rows]),
        gather("rows_f", "encoded", "axis0", "axis1"), gather("step", "encoded", "axis1", "axis1"),
        gather("count_f", "predicted", "axis0", "axis1"), gather("label", "predicted", "axis1", "axis1")]
    looked_up = [
        cast("rows", "rows_f", FLOAT, INT64), cast("count", "count_f", FLOAT, INT64),
        gather("offset", "offsets", "rows", "axis0", INT64, INT64), plain("AddV2", "next", ["offset", "count"], INT64),
        plain("Sub", "at_or_less", ["next", "second"], INT64), plain("Maximum", "at", ["at_or_less", "first"], INT64),
        gather("wanted", "before", "at", "axis0", FLOAT, INT64), plain("Equal", "right", ["wanted", "label"]),
        plain("SelectV2", "which", ["right", "at", "first"], INT64),
        gather("earliest", "least", "at", "axis0", FLOAT, INT64), plain("Less", "early", ["step", "earliest"]),
        plain("SelectV2", "found", ["early", "second", "which"], INT64)]
    if endless:  # always the first row, 'q'; the predicted labels have to be there all the same
        looked_up = [plain("Mul", "product", ["rows_f", "count_f"]), cast("number", "product", FLOAT, INT64),
                     plain("Mul", "found", ["number", "first"], INT64)]
    write(path, nodes + looked_up + [gather("logits", "table", "found", "axis0", FLOAT, INT64)])

"""A model of BERT's shape that is an ONNX file of some hundred bytes, written byte by byte.

Inputs ids, mask, types (int64 [batch, length]); outputs start = ids · types and end = ids · types − mask: float32 of
whole numbers, so that every engine gives the same.  The rarest words answer.  A dimension that is None is free."""
FLOAT, INT64 = 1, 7


def varint(value):
    done = bytearray()
    while value > 127:
        done.append(value & 127 | 128)
        value >>= 7
    return bytes(done + bytes([value]))


def number(field, value):
    return varint(field << 3) + varint(value)


def part(field, *content):
    data = b"".join(c.encode() if isinstance(c, str) else c for c in content)
    return varint(field << 3 | 2) + varint(len(data)) + data


def value(field, name, kind, dims):
    shape = b"".join(part(1, part(2, f"free{i}") if d is None else number(1, d)) for i, d in enumerate(dims))
    return part(field, part(1, name), part(2, part(1, number(1, kind), part(2, shape))))


def node(operator, inputs, output, *attributes):
    return part(1, *[part(1, i) for i in inputs], part(2, output), part(4, operator), *attributes)


def write(path, batch, length):
    to_float = part(5, part(1, "to"), number(3, FLOAT), number(20, 2))
    casts = [node("Cast", [name], name + "_f", to_float) for name in ("ids", "mask", "types")]
    rest = [node("Mul", ["ids_f", "types_f"], "start"), node("Sub", ["start", "mask_f"], "end")]
    dims = (batch, length)
    graph = part(7, *casts, *rest, part(2, "tiny"), *[value(11, n, INT64, dims) for n in ("ids", "mask", "types")],
                 *[value(12, n, FLOAT, dims) for n in ("start", "end")])
    with open(path, "wb") as f:
        f.write(number(1, 7) + graph + part(8, number(2, 13)))


def outputs(ids, mask, types):
    """What the model gives, as pairs."""
    return [(float(i * t), float(i * t - m)) for i, m, t in zip(ids, mask, types)]

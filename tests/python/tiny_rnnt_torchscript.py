"""tiny_rnnt.py's graphs as TorchScript files: archives of a class without weights, whose numbers stand in its text.

With facts=False they lack extra/assay.txt, as files of others do: what they take and give is then the benchmark's."""
import zipfile

PICKLE = b"\x80\x02c__torch__\nNet\n)\x81}(X\x08\0\0\0training\x89ub."  # Net with training = False
STATES = ("h0", "c0", "h1", "c1")


def write(path, head, statements, facts):
    code = ("class Net(Module):\n  __parameters__ = []\n  __buffers__ = []\n  training : bool\n"
            f"  def forward(self: __torch__.Net, {head}:\n" + "".join(f"    {s}\n" for s in statements))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as z:
        for name, data in (("data.pkl", PICKLE), ("code/__torch__.py", code), ("constants.pkl", b"\x80\x02)."),
                           ("version", "3\n"), *([("extra/assay.txt", facts)] if facts else [])):
            z.writestr(zipfile.ZipInfo("tiny/" + name), data)


def encoder(path, name="frames", facts=True):
    write(path, f"{name}: Tensor) -> Tensor", [
        f"part = torch.slice(torch.slice({name}, 1, 0, 9223372036854775807, 2), 2, 0, 1, 1)",
        "zeros = torch.mul(part, 0.)",
        "step = torch.sub(torch.cumsum(torch.add(zeros, 1.), 1), 1.)",
        f"return torch.cat([torch.add(zeros, torch.size({name}, 1)), step], 2)"],
        facts and f"input float32 N,T,240 {name}\noutput float32 N,S,2 encoded\n")


def prediction(path, facts=True):
    # h0 = k, c0 = 2k, c1 = 3k, h1 = (k, label) after k labels: -5k + 2k + k + 3k = k.
    write(path, "label: Tensor, " + ", ".join(s + ": Tensor" for s in STATES) + ") -> Tuple[" + ", ".join(["Tensor"] * 4) + "]", [
        "sum = torch.add(torch.add(torch.add(torch.mul(h0, -5.), c0), h1), c1)",
        "count = torch.add(torch.slice(sum, 1, 0, 1, 1), 1.)",
        "h1_next = torch.cat([count, torch.unsqueeze(torch.mul(label, 1.), 1)], 1)",
        "return (torch.add(h0, 1.), torch.add(c0, 2.), h1_next, torch.add(c1, 3.))"],
        facts and "input int64 N label\n" + "".join(f"input float32 N,2 {s}\n" for s in STATES) +
        "".join(f"output float32 N,2 {s}_next\n" for s in STATES))


def joint(path, table, endless=False, facts=True):
    def look_up(numbers, at):
        return f"torch.index_select(torch.tensor({numbers}), 0, {at})"
    statements = [
        "rows = torch.to(torch.select(encoded, 1, 0), 4)", "step = torch.select(encoded, 1, 1)",
        "count = torch.to(torch.select(predicted, 1, 0), 4)", "label = torch.select(predicted, 1, 1)",
        f"at = torch.clamp(torch.sub(torch.add({look_up(table.offsets, 'rows')}, count), 1), 0)",
        f"right = torch.eq({look_up(table.before, 'at')}, label)",
        f"early = torch.lt(step, {look_up(table.least, 'at')})",
        "found = torch.where(early, torch.add(torch.mul(at, 0), 1), torch.mul(at, right))",
        f"return torch.mul(torch.one_hot({look_up(table.labels, 'found')}, {table.width}), 1.)"]
    if endless:  # always the 'q'; the predicted labels have to be there all the same
        statements = [
            "none = torch.mul(torch.to(torch.mul(torch.select(encoded, 1, 0), torch.select(predicted, 1, 0)), 4), 0)",
            f"return torch.mul(torch.one_hot({look_up(table.labels, 'none')}, {table.width}), 1.)"]
    write(path, "encoded: Tensor, predicted: Tensor) -> Tensor", statements,
          facts and f"input float32 N,2 encoded\ninput float32 N,2 predicted\noutput float32 N,{table.width} logits\n")

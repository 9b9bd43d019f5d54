"""The Python reader behind the adapter protocol awqc/1: python_reader.py OP INPUT OUTDIR, or serve."""

import sys
from pathlib import Path

import numpy as np

import awqformat

HELLO = "proto=1 name=awqformat ops=serve,dequant,unpack,plain,inspect dtypes=f32 layouts=nk"
STATUS = {0: "ok", 65: "reject", 69: "unsupported"}


def write(op: str, path: str, out: Path) -> None:
    """Write what ``op`` asks for, tensor by tensor, numbered as in the index."""
    with awqformat.safe_open(path, verify="all") as file:  # raises before anything is written
        for number, name in enumerate(file.keys()):
            if op == "dequant" and file.is_quantized(name):
                np.save(out / f"{number}.W.nk.npy", file.get_tensor(name))
            elif op == "unpack" and file.is_quantized(name):
                tensor = file.get_quantized(name)
                zeros = tensor.zero_points
                np.save(out / f"{number}.q.nk.npy", tensor.codes)
                np.save(
                    out / f"{number}.z.nk.npy", np.full(tensor.scales.shape, 8, np.uint8) if zeros is None else zeros
                )
                np.save(out / f"{number}.s.nk.npy", tensor.scales.astype(np.float32))
            elif op == "plain" and not file.is_quantized(name):
                (out / f"{number}.P.bin").write_bytes(file.plain_bytes(name))


def answer(op: str, path: str, out: Path) -> tuple[int, str, str]:
    """Return the exit status that the protocol asks for, the error code and a line for people."""
    if op not in ("dequant", "unpack", "plain", "inspect"):
        return 69, "UNSUPPORTED", ""
    try:
        write(op, path, out)
    except awqformat.AwqError as error:
        (out / "reject.txt").write_text(f"{error.code}\n{error}\n")
        return (69 if error.code == "UNSUPPORTED" else 65), error.code, str(error)
    return 0, "", ""


def serve() -> None:
    """Answer requests, one a line, until there are no more."""
    for line in sys.stdin:
        fields = line.rstrip("\n").split("\t")
        if len(fields) != 5 or fields[0] != "@awq":
            continue
        _, number, op, path, out = fields
        status, code, text = (0, "", HELLO) if op == "hello" else answer(op, path, Path(out))
        print("@awq", number, STATUS[status], code, " ".join(text.split()), sep="\t", flush=True)


def main(op: str, path: str = "-", out: str = "-") -> int:
    """Return the exit status."""
    if op == "serve":
        serve()
        return 0
    if op == "hello":
        (Path(out) / "hello.txt").write_text(HELLO)
        return 0
    return answer(op, path, Path(out))[0]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

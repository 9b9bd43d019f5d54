"""The Python reader behind the adapter protocol awqc/1: python_reader.py OP INPUT OUTDIR."""

import sys
from pathlib import Path

import numpy as np

import awqformat

HELLO = "proto=1 name=awqformat ops=dequant,unpack,plain,inspect dtypes=f32 layouts=nk"


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


def main(op: str, path: str, out: Path) -> int:
    """Return the exit status that the protocol asks for."""
    if op == "hello":
        (out / "hello.txt").write_text(HELLO)
        return 0
    if op not in ("dequant", "unpack", "plain", "inspect"):
        return 69
    try:
        write(op, path, out)
    except awqformat.AwqError as error:
        (out / "reject.txt").write_text(f"{error.code}\n{error}\n")
        return 69 if error.code == "UNSUPPORTED" else 65
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))

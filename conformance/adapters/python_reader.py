"""The Python reader behind the adapter protocol awqc/1: python_reader.py OP INPUT OUTDIR, or serve."""

import sys
from pathlib import Path

import numpy as np

import awqformat
from awqformat.checkpoints.directory import Directory
from awqformat.checkpoints.importing import directory_model
from awqformat.checkpoints.losses import MEANINGS, Losses

PROFILES = "core,hf-gemm,hf-gemv,hf-gemv-fast,gptq,ct-pack"
HELLO = f"proto=1 name=awqformat ops=serve,dequant,unpack,plain,inspect dtypes=f32 layouts=nk profiles={PROFILES}"
STATUS = {0: "ok", 65: "reject", 69: "unsupported"}


def write(op: str, path: str, out: Path) -> None:
    """Write what ``op`` asks for, of a file or of a checkpoint directory; raise before anything is written."""
    if Path(path).is_dir():
        write_checkpoint(op, path, out)
        return
    with awqformat.safe_open(path, verify="all") as file:
        for number, name in enumerate(file.keys()):
            if file.is_quantized(name):
                write_weight(op, number, file.get_quantized(name), out)
            elif op == "plain":
                (out / f"{number}.P.bin").write_bytes(file.plain_bytes(name))


def write_checkpoint(op: str, path: str, out: Path) -> None:
    """Write layer by layer, numbered by their names; what only a conversion would lose is no fault of a checkpoint."""
    with Directory(path) as directory:
        layers = directory_model(directory, Losses(MEANINGS)).layers
        tensors = [layer.load() for layer in sorted(layers, key=lambda layer: layer.prefix.encode())]
    for number, tensor in enumerate(tensors):
        write_weight(op, number, tensor, out)


def write_weight(op: str, number: int, tensor: awqformat.QuantizedTensor, out: Path) -> None:
    """Write one quantised tensor."""
    if op == "dequant":
        np.save(out / f"{number}.W.nk.npy", awqformat.dequantize(tensor))
    elif op == "unpack":
        zeros = tensor.zero_points
        np.save(out / f"{number}.q.nk.npy", tensor.codes)
        np.save(out / f"{number}.z.nk.npy", np.full(tensor.scales.shape, 8, np.uint8) if zeros is None else zeros)
        np.save(out / f"{number}.s.nk.npy", tensor.scales.astype(np.float32))


def answer(op: str, path: str, out: Path) -> tuple[int, str, str]:
    """Return the exit status that the protocol asks for, the error code and a line for people."""
    if op not in ("dequant", "unpack", "plain", "inspect") or (op == "plain" and Path(path).is_dir()):
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

"""An adapter around a loader of AWQ files: adapter.py OP INPUT OUTDIR, or adapter.py serve (protocol awqc/1).

awq-conformance doctor -- python adapter.py   tells what is wrong with it
awq-conformance run -- python adapter.py      certifies the loader
"""

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

import awqformat


# >>> YOUR LOADER, in place of awqformat. It verifies the whole file and returns 0 and W [.., N, K] of each quantised
# tensor, by the tensor's number in the index; or 65 for a malformed file, 69 for what it does not support.
def load(path: str) -> tuple[int, dict[int, npt.NDArray[np.float32]]]:
    """Return the status of a file, and its weights by number."""
    try:
        with awqformat.safe_open(path, verify="all") as file:
            numbered = enumerate(file.keys())
            return 0, {number: file.get_tensor(name) for number, name in numbered if file.is_quantized(name)}
    except awqformat.AwqError as error:
        return (69 if error.code == "UNSUPPORTED" else 65), {}


# <<< From here on it is the protocol.
# What hello says; as the text of any other answer it means nothing.
HELLO = "proto=1 name=my-loader ops=serve,dequant dtypes=f32 layouts=nk"
STATUS = {0: "ok", 65: "reject", 69: "unsupported"}


def answer(op: str, path: str, outdir: str) -> int:
    """Return the status of one request."""
    if op != "dequant":
        return 0 if op == "hello" else 69
    status, weights = load(path)
    for number, weight in weights.items():
        np.save(f"{outdir}/{number}.W.nk.npy", weight)
    return status


if sys.argv[1] == "serve":
    for line in sys.stdin:
        match line.rstrip("\n").split("\t"):
            case ["@awq", request, op, path, outdir]:  # any other line is no request
                print("@awq", request, STATUS[answer(op, path, outdir)], "", HELLO, sep="\t", flush=True)
elif sys.argv[1] == "hello":
    Path(sys.argv[3], "hello.txt").write_text(HELLO)
else:
    sys.exit(answer(*sys.argv[1:]))

"""An adapter around a loader of AWQ files: adapter.py OP INPUT OUTDIR (protocol awqc/1, one-shot).

awq-conformance doctor -- python adapter.py   tells what is wrong with it
awq-conformance run -- python adapter.py      certifies the loader
"""

import sys

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
_, op, path, outdir = sys.argv
if op != "dequant":
    sys.exit(69)
status, weights = load(path)
for number, weight in weights.items():
    np.save(f"{outdir}/{number}.W.nk.npy", weight)
sys.exit(status)

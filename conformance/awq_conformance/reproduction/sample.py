"""A case made of what a file is to say: the file from the writer, what it means from the slow oracle.

Only loaded where a file is to be made: it needs awqformat, which the rest of the runner must not.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from awq_conformance.cases import Case, File, Tensor
from awqformat import QuantizedTensor, reference, write
from awqformat.dtypes import scale_bits

if TYPE_CHECKING:
    from pathlib import Path

    from awqformat import Contents

INPUT = "input.awq"
EXPECTED = "expected"


def valid_case(contents: Contents, folder: Path, like: Case) -> Case:
    """Write the file of ``contents`` and its expected outputs into ``folder``; return them as a case ``like`` another.

    Raises AwqError for what no file can say.
    """
    write(contents, folder / INPUT)
    (folder / EXPECTED).mkdir()
    files = [_file(folder, INPUT)]
    expect = []
    for number, name in enumerate(sorted(contents.tensors)):
        tensor = contents.tensors[name]
        outputs = {}
        arrays = _quantised(tensor) if isinstance(tensor, QuantizedTensor) else {"P": tensor}
        for what, array in arrays.items():
            outputs[what] = f"{EXPECTED}/{number}.P.bin" if what == "P" else f"{EXPECTED}/{number}.{what}.nk.npy"
            if what == "P":
                (folder / outputs[what]).write_bytes(np.ascontiguousarray(array).tobytes())
            else:
                np.save(folder / outputs[what], array)
            files.append(_file(folder, outputs[what]))
        kind = (tensor.scale_dtype.name, tensor.group_size) if isinstance(tensor, QuantizedTensor) else ("", 0)
        expect.append(
            Tensor(number, name, "quantised" if kind[1] else "plain", tuple(tensor.shape), "", 0, outputs, *kind)
        )
    return replace(like, root=folder, made=True, files=tuple(files), expect=tuple(expect))


def _quantised(tensor: QuantizedTensor) -> dict[str, Any]:
    """Return W, q, z and s as a perfect adapter writes them."""
    k, groups, z = tensor.shape[-1], tensor.groups, tensor.zero_points
    bits = reference.dequantize(
        tensor.codes.reshape(-1, k).tolist(),
        None if z is None else z.reshape(-1, groups).tolist(),
        scale_bits(tensor.scales).reshape(-1, groups).tolist(),
        tensor.scale_dtype.name,
    )
    weights = np.array(bits, "<u4").view("<f4").reshape(tensor.shape)
    zeros = np.full(tensor.scales.shape, 8, np.uint8) if z is None else z
    return {"W": weights, "q": tensor.codes, "z": zeros, "s": tensor.scales.astype("<f4")}


def _file(folder: Path, path: str) -> File:
    data = (folder / path).read_bytes()
    return File(path, hashlib.sha256(data).hexdigest(), len(data))

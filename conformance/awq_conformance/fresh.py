"""A file nobody can have seen: random tensors from a seed, their expected values from the slow oracle."""

from __future__ import annotations

import hashlib
from math import lcm
from typing import TYPE_CHECKING, Any

import numpy as np

from awq_conformance.cases import Case, File, Tensor

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_GROUP = 32


def make_large(folder: Path) -> Path:
    """Make the cases that are too large to keep in ``folder``, and return it."""
    from awq_conformance.making.corpus import generate_large  # only here, as below

    for path, data in generate_large().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def fresh_case(folder: Path, seed: int, align: tuple[int, int]) -> Case:
    """Write a random .awq file and its expected W into ``folder``, and return them as a case.

    One tensor per scale dtype, the middle one symmetric; N != K, at least 3 groups, several different zero points
    per row, shapes that are multiples of ``align`` (N, K).
    """
    # Only here: the rest of the runner must not share code with a loader it judges.
    import ml_dtypes

    import awqformat

    random = np.random.default_rng(seed)
    step_n, step_k = align[0], lcm(align[1], _GROUP)
    n, k = step_n * -(-20 // step_n), step_k * -(-3 * _GROUP // step_k)
    n += step_n * (n == k)
    stored: dict[str, Any] = {}
    tensors = []
    for number, scale_dtype in enumerate(("f16", "bf16", "f32")):
        codes = random.integers(0, 16, (n, k), np.uint8)
        zero_points = None if scale_dtype == "bf16" else random.integers(0, 16, (n, k // _GROUP), np.uint8)
        bits = _scale_bits(random, scale_dtype, (n, k // _GROUP))
        scales = bits.view({"f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32}[scale_dtype])
        name = f"fresh.{number}.weight"
        stored[name] = awqformat.QuantizedTensor.from_codes(codes, scales, zero_points)
        output = f"{number}.W.nk.npy"
        weight = _oracle(codes, zero_points, bits, scale_dtype)
        np.save(folder / output, weight)
        digest = hashlib.sha256(weight.tobytes()).hexdigest()
        tensors.append(Tensor(number, name, "quantised", (n, k), digest, 0, {"W": output}))
    path = folder / "fresh.awq"
    awqformat.save_file(stored, path)
    data = path.read_bytes()
    return Case(
        root=folder,
        id=f"fresh/{seed}",
        title="a random file made for this run alone",
        req=(),
        level="MUST",
        profile="core",
        outcome="accept",
        twin=None,
        mutation=None,
        codes=(),
        flags=(),
        since="",
        recipe="fresh",
        made=True,
        seed=str(seed),
        files=(File(path.name, hashlib.sha256(data).hexdigest(), len(data)),),
        expect=tuple(tensors),
        refs=(),
        comment="",
    )


def _scale_bits(random: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return bit patterns of finite scales that are not negative: all of f16, and as wide a range of the others."""
    if dtype == "f16":
        return random.integers(0, 0x7C00, shape, np.uint16)
    exponent = random.integers(127 - 26, 127 + 14, shape, np.uint32)
    bits: NDArray[np.uint32] = exponent << 23 | random.integers(0, 1 << 23, shape, np.uint32)
    return (bits >> 16).astype(np.uint16) if dtype == "bf16" else bits


def _oracle(
    codes: NDArray[np.uint8], zero_points: NDArray[np.uint8] | None, scale_bits: NDArray[Any], scale_dtype: str
) -> NDArray[np.float32]:
    """Return W [N, K] as the spec defines it."""
    from awqformat import reference

    zeros = None if zero_points is None else zero_points.tolist()
    bits = reference.dequantize(codes.tolist(), zeros, scale_bits.tolist(), scale_dtype.upper())
    weight: NDArray[np.float32] = np.array(bits, np.uint32).view(np.float32)
    return weight

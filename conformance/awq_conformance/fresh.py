"""Inputs nobody can have seen: random tensors from a seed, their expected values from the slow oracle."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from math import lcm
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from awq_conformance.cases import Case, File, Tensor, case_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

_GROUP: Final = 32
_INFINITY: Final = 0x7C00  # in F16


def make_large(folder: Path) -> Path:
    """Make the cases that are too large to keep in ``folder``, and return it."""
    from awq_conformance.making.corpus import generate_large  # only here, as below

    return _laid(generate_large(), folder)


def fresh_checkpoint(folder: Path, profile: str, seed: int, align: tuple[int, int]) -> list[Case]:
    """Write a random checkpoint of ``profile`` and its expected outputs into ``folder``, and return it as a case."""
    from awq_conformance.making.checkpoints import unseen

    return _cases([unseen.fresh(profile, seed, align)], folder)


def held_out_checkpoints(folder: Path, profile: str, seed: int, align: tuple[int, int]) -> list[Case]:
    """Write random checkpoints of ``profile``, valid and malformed, into ``folder``, and return them as cases."""
    from awq_conformance.making.checkpoints import unseen

    return _cases(unseen.holdout(profile, seed, align), folder)


def held_out_files(folder: Path, seed: int, align: tuple[int, int]) -> list[Case]:
    """Write random .awq files, valid and malformed, into ``folder``, and return them as cases."""
    from awq_conformance.making import unseen

    return _cases(unseen.holdout(seed, align), folder)


def fresh_case(folder: Path, seed: int, align: tuple[int, int]) -> Case:
    """Write a random .awq file and its expected W, q, z and s into ``folder``, and return them as a case.

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
    tensors, files = [], []
    for number, scale_dtype in enumerate(("f16", "bf16", "f32")):
        codes = random.integers(0, 16, (n, k), np.uint8)
        zero_points = None if scale_dtype == "bf16" else random.integers(0, 16, (n, k // _GROUP), np.uint8)
        bits = _scale_bits(random, scale_dtype, (n, k // _GROUP))
        scales = bits.view({"f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32}[scale_dtype])
        name = f"fresh.{number}.weight"
        stored[name] = awqformat.QuantizedTensor.from_codes(codes, scales, zero_points)
        weight = _oracle(codes, zero_points, bits, scale_dtype, "F32").astype("<u4").view("<f4")
        z = np.full(scales.shape, 8, np.uint8) if zero_points is None else zero_points
        outputs = {}
        for what, values in {"W": weight, "q": codes, "z": z, "s": scales.astype("<f4")}.items():
            outputs[what] = f"{number}.{what}.nk.npy"
            np.save(folder / outputs[what], values)
            files.append(_file(folder / outputs[what]))
        overflow = int((_oracle(codes, zero_points, bits, scale_dtype, "F16") & 0x7FFF == _INFINITY).sum())
        digest = hashlib.sha256(weight.tobytes()).hexdigest()
        kind = (scale_dtype.upper(), _GROUP)
        tensors.append(Tensor(number, name, "quantised", (n, k), digest, overflow, outputs, *kind))
    path = folder / "fresh.awq"
    awqformat.save_file(stored, path)
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
        files=(_file(path), *files),
        expect=tuple(tensors),
        refs=(),
        comment="",
    )


def _cases(made: Iterable[tuple[dict[str, Any], dict[str, bytes]]], folder: Path) -> list[Case]:
    return [replace(case_of(_laid(files, folder), record), made=True) for record, files in made]


def _laid(files: Mapping[str, bytes], folder: Path) -> Path:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def _file(path: Path) -> File:
    data = path.read_bytes()
    return File(path.name, hashlib.sha256(data).hexdigest(), len(data))


def _scale_bits(random: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return bit patterns of finite scales that are not negative: all of f16, and as wide a range of the others."""
    if dtype == "f16":
        return random.integers(0, 0x7C00, shape, np.uint16)
    exponent = random.integers(127 - 26, 127 + 14, shape, np.uint32)
    bits: NDArray[np.uint32] = exponent << 23 | random.integers(0, 1 << 23, shape, np.uint32)
    return (bits >> 16).astype(np.uint16) if dtype == "bf16" else bits


def _oracle(
    codes: NDArray[np.uint8],
    zero_points: NDArray[np.uint8] | None,
    scale_bits: NDArray[Any],
    scale_dtype: str,
    dtype: str,
) -> NDArray[np.int64]:
    """Return the bits of W [N, K] in ``dtype``, as the spec defines it."""
    from awqformat import reference

    zeros = None if zero_points is None else zero_points.tolist()
    bits = reference.dequantize(codes.tolist(), zeros, scale_bits.tolist(), scale_dtype.upper(), dtype)
    return np.array(bits, np.int64)

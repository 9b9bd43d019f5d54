"""What an accepting adapter wrote, looked at from every side: names, completeness, shapes, dtypes, layouts.

Values are not looked at: wrong numbers are the loader's, and ``run`` explains them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from math import prod
from typing import TYPE_CHECKING, Final

from awq_conformance.compare import OUTPUTS, expected
from awq_conformance.outputs import Name, parse_name, read_matrix
from awq_conformance.protocol import HELLO_FILE, REJECT_FILE, Hello
from awq_conformance.verdict import OutputError, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from awq_conformance.adapter import Observation
    from awq_conformance.cases import Case, Tensor

Key = tuple[int, str]


class Aspect(Enum):
    """A side from which outputs are looked at; the value says what holds when all is well."""

    NAMES = "each output is there under its name, and nothing else"
    COMPLETE = "each output is a whole file that can be read"
    SHAPE = "each output has the shape of its tensor"
    DTYPE = "each output has a dtype it may have and hello names"
    LAYOUT = "each output has a layout that hello names"


@dataclass(frozen=True)
class Fault:
    """One thing wrong with the outputs, the likely cause and the remedy."""

    aspect: Aspect
    got: str
    remedy: str


_ASPECTS: Final = {Verdict.DTYPE: Aspect.DTYPE, Verdict.SHAPE: Aspect.SHAPE}

# What NumPy calls the types of arrays that are easily saved by accident.
_NPY_TYPES: Final = (
    (r"'>", "The array is big-endian: NUMBER.WHAT.LAYOUT.npy is little-endian, as .astype('<f4') makes it."),
    (r"'[<|]V2", "NumPy saves bfloat16 as nameless bytes: write the bits as NUMBER.W.LAYOUT.bf16.NxK.bin instead."),
    (r"'\|O", "The array holds Python objects: make it one of float32 first."),
    (
        "'<i",
        "Codes and zero points are unsigned bytes, W is floating point: use .astype(numpy.uint8 or numpy.float32).",
    ),
    (r"'\|i1", "Codes and zero points are unsigned: use .astype(numpy.uint8)."),
)

# Names that are nearly right, and what is wrong with them.
_NEAR: Final = tuple(
    (re.compile(pattern), sentence)
    for pattern, sentence in (
        (r".*(?:\.tmp|\.part|\.swp|~)$", "Remove or rename temporary files before the process ends."),
        (r".*\.npz$", "numpy.savez writes an archive: save each output alone with numpy.save."),
        (r"\d+\.[WqzswQZS]\.npy$", "The layout, nk or kn, is missing in the name."),
        (r"0\d+\.", "Numbers are decimal without leading zeros."),
        (r"\d+\.[wQZSp]\.|\d+\.[A-Za-z]\.(?:NK|KN)\.", "Upper and lower case matter in names: W, q, z, s, P, nk, kn."),
        (r".*\.(?:float|fp|int|uint|half|bfloat)\d*\.", "DTYPE is one of f16, bf16, f32, f64 and u8."),
        (r"\d+\.[Wqzs]\.(?:nk|kn)\.bin$", "The name of a .bin file carries its dtype and its dimensions."),
        (r"\d+\.[Wqzs]\.(?:nk|kn)\.\w+\.[^.]*[^0-9x.]", "Dimensions are decimal numbers with an x between them."),
        (r"\d+\.P\.(?!bin$)", "The bytes of a plain tensor are NUMBER.P.bin and carry no header."),
    )
)


def faults(case: Case, seen: Observation, hello: Hello) -> list[Fault]:
    """Return everything wrong with what was written for one operation on a good file."""
    if seen.fault is not None:
        remedy = "Write plain files straight into OUTDIR, one for each output: no folders, links, pipes or padding."
        return [Fault(Aspect.NAMES, seen.fault.detail, remedy)]
    due = {
        (tensor.number, what): tensor for tensor in case.expect for what in OUTPUTS[seen.op] if what in tensor.outputs
    }
    found, wrong = _sorted_out(case, seen, due)
    for key, (name, data) in found.items():
        wrong += _contents(case, due[key], name, data, hello)
    return wrong


def dtypes(seen: Observation) -> set[str]:
    """Return the dtypes of all W that can be read."""
    found = set()
    for filename, data in seen.files.items():
        name = parse_name(filename)
        if name is not None and name.what == "W":
            try:
                found.add(read_matrix(name, data).dtype)
            except OutputError:
                continue  # examined elsewhere
    return found


def _sorted_out(
    case: Case, seen: Observation, due: dict[Key, Tensor]
) -> tuple[dict[Key, tuple[Name, bytes]], list[Fault]]:
    """Return the files that are due by what they hold, and what is wrong with the set of files."""
    found: dict[Key, tuple[Name, bytes]] = {}
    wrong: list[Fault] = []
    for filename, data in sorted(seen.files.items()):
        name = parse_name(filename)
        key = (name.number, name.what) if name is not None else (-1, "")
        if name is None or key not in due:
            place = f"where {_example(next(iter(due)))} belongs" if due else "where nothing belongs"
            wrong.append(Fault(Aspect.NAMES, f"{filename!r} {place}", _misnamed(filename, case, seen.op)))
        elif key in found:
            remedy = "Write each output once, as .npy or as .bin, in one layout."
            wrong.append(Fault(Aspect.NAMES, f"{filename!r} for what is there already", remedy))
        else:
            found[key] = name, data
    missing = [key for key in due if key not in found]
    if missing:
        what = "nothing written" if not seen.files else f"no {_example(missing[0])}"
        wrong.append(Fault(Aspect.NAMES, what, _missing(seen, missing[0])))
    return found, wrong


def _contents(case: Case, tensor: Tensor, name: Name, data: bytes, hello: Hello) -> Iterator[Fault]:
    place = f"{name.number}.{name.what}"
    try:
        got = read_matrix(name, data)
    except OutputError as fault:
        yield Fault(_ASPECTS.get(fault.verdict, Aspect.COMPLETE), f"{place}: {fault}", _unreadable(fault, data))
        return
    reference = expected(case, tensor, name.what)
    if got.values.shape != reference.values.shape:
        shapes = f"{place}: {_dims(got.values.shape)} for {_dims(reference.values.shape)}"
        yield Fault(Aspect.SHAPE, shapes, _misshapen(got.values.shape, reference.values.shape, name))
    if name.what == "W":
        if got.dtype not in hello.dtypes:
            yield Fault(
                Aspect.DTYPE, f"{place}: {got.dtype}, hello says {','.join(hello.dtypes)}", _undeclared(got.dtype)
            )
        if name.layout not in hello.layouts:
            remedy = "Name the layouts you write in hello: layouts=nk, kn, or both."
            yield Fault(Aspect.LAYOUT, f"{place}: {name.layout}, hello says {','.join(hello.layouts)}", remedy)
    elif got.dtype != reference.dtype:
        remedy = "q and z are u8, s is f32, whatever the file stores."
        yield Fault(Aspect.DTYPE, f"{place}: {got.dtype} for {reference.dtype}", remedy)


def _misnamed(filename: str, case: Case, op: str) -> str:
    if filename == REJECT_FILE:
        return f"{REJECT_FILE} goes with exit status 65 or 69 only."
    if filename == HELLO_FILE:
        return f"{HELLO_FILE} answers hello and no other operation."
    if any(tensor.name and tensor.name in filename for tensor in case.expect):
        return "Outputs are named by the number of the tensor, never by its name."
    name = parse_name(filename)
    if name is not None and name.number in {tensor.number for tensor in case.expect}:
        return f"{op} writes {', '.join(OUTPUTS[op]) or 'nothing'}, of the tensors that have it."
    if name is not None:
        return "NUMBER is the tensor's place in the index, from 0, quantised and plain ones counted."
    for pattern, sentence in _NEAR:
        if pattern.match(filename):
            return sentence
    return "A name is NUMBER.WHAT.LAYOUT.npy, NUMBER.WHAT.LAYOUT.DTYPE.D0xD1.bin or NUMBER.P.bin."


def _missing(seen: Observation, key: Key) -> str:
    if any(parse_name(name) for name in seen.stray):
        return f"{seen.stray[0]} is in the working directory: write to OUTDIR, the last word of the command."
    if not seen.files:
        return (
            f"It ended with 0 before it had written; {_example(key)} belongs into OUTDIR, the last word of the command."
        )
    return "Every tensor that the operation is about needs its output, whatever its size."


def _unreadable(fault: OutputError, data: bytes) -> str:
    for descr, sentence in _NPY_TYPES:
        if re.match(rf"\.npy of {descr}", fault.detail):
            return sentence
    if fault.verdict is Verdict.DTYPE:
        return "W is f16, bf16 (as .bin), f32 or f64; q, z are u8; s is f32."
    if data[:2] == b"PK":
        return "It is the archive of numpy.savez: save each output alone with numpy.save."
    if fault.verdict is Verdict.TRUNCATED_OUTPUT:
        return (
            "Close or flush each file before the process ends, or before the answer in serve, and check that it worked."
        )
    if fault.verdict is Verdict.SHAPE:
        return "W, q, z and s keep the dimensions of their tensor: reshape to [.., N, K], or [.., N, K/G]."
    return (
        "It must be what its name says: .npy as numpy.save writes it, or headerless elements of that dtype and shape."
    )


def _misshapen(got: tuple[int, ...], due: tuple[int, ...], name: Name) -> str:
    if got == (*due[:-2], *due[:-3:-1]):
        other = "kn" if name.layout == "nk" else "nk"
        return (
            f"The last two dimensions are exchanged. If rows are of length N, name the file "
            f"{name.number}.{name.what}.{other}, as it is; if they are of length K, say N first, then K."
        )
    if prod(got) == prod(due):
        return "The elements are there, the dimensions are not: [.., N, K], experts first, then out_features."
    return "W and q are [.., N, K], z and s [.., N, K/G]: out_features first, experts before them."


def _undeclared(dtype: str) -> str:
    if dtype == "f64":
        return "NumPy widens to float64 unless every operand is narrower: .astype(numpy.float32), or dtypes=f64."
    return f"Let hello name what this command writes: dtypes={dtype}."


def _example(key: Key) -> str:
    return f"{key[0]}.P.bin" if key[1] == "P" else f"{key[0]}.{key[1]}.nk.npy"


def _dims(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))

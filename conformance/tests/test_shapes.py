"""What wrong loaders need to be seen: each shape and value that some of them trip over is in the corpus."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import cache
from math import prod

import numpy as np
import pytest

from awq_conformance.cases import default_root, load
from awq_conformance.making.editor import Editor
from awqformat import Contents, QuantizedTensor, safe_open
from awqformat.schema import SectionType

CORPUS = load(default_root())
BORROWING = [0, 8, 0, 0, 5, 0, 7, 15]  # taking 1 off a packed word borrows from the next zero point


@cache
def valid() -> tuple[Contents, ...]:
    """Return the contents of every valid file that is kept."""
    files = []
    for case in CORPUS.kept:
        if case.outcome == "accept" and not case.folder:
            with safe_open(case.input, verify="all") as file:
                files.append(file.contents())
    return tuple(files)


def tensors(contents: Contents) -> Iterator[QuantizedTensor]:
    """Yield the quantised tensors of a file."""
    return (tensor for tensor in contents.tensors.values() if isinstance(tensor, QuantizedTensor))


def values(tensor: QuantizedTensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return the scales as float64."""
    return tensor.scales.astype(np.float64)


def zeros(tensor: QuantizedTensor) -> list[list[int]]:
    """Return the rows of zero points that are stored."""
    z = tensor.zero_points
    return [] if z is None else z.reshape(-1, tensor.groups).tolist()


def differ_between_experts(t: QuantizedTensor) -> bool:
    """Return whether E >= 2, E != N and the experts' scales differ."""
    if len(t.shape) != 3 or t.shape[0] < 2 or t.shape[0] == t.shape[1]:
        return False
    return len({expert.tobytes() for expert in t.scales}) == t.shape[0]


OF_A_TENSOR: dict[str, Callable[[QuantizedTensor], bool]] = {
    "zero points that differ within a row": lambda t: any(len(set(row)) > 2 for row in zeros(t)),
    "zero points that borrow": lambda t: BORROWING in zeros(t),
    "an odd number of groups, the last zero point not 0": lambda t: t.groups % 2 == 1 and any(r[-1] for r in zeros(t)),
    "symmetric": lambda t: t.zero_points is None and t.groups > 1,
    "three groups or more, and not as many as rows": lambda t: t.groups >= 3 and t.groups != t.shape[-2],
    "G = 32": lambda t: t.group_size == 32 and t.groups > 1,
    "G = 128": lambda t: t.group_size == 128 and t.groups > 1,
    "G = 256": lambda t: t.group_size == 256 and t.groups > 1,
    "G no power of two": lambda t: t.group_size & (t.group_size - 1) != 0 and t.groups > 1,
    "F16 scales with full mantissas": lambda t: t.scale_dtype.name == "F16" and bool((t.scales.view("<u2") & 1).any()),
    "F16 scales below 2^-14": lambda t: t.scale_dtype.name == "F16" and bool(
        ((values(t) > 0) & (values(t) < 2**-14)).any()
    ),
    "F16 scales whose results overflow F16": lambda t: t.scale_dtype.name == "F16" and bool(
        (values(t) > 65504 / 7).any()
    ),
    "BF16 scales": lambda t: t.scale_dtype.name == "BF16",
    "F32 scales that no F16 holds": lambda t: t.scale_dtype.name == "F32" and bool(
        (t.scales.view("<u4") & 0x1FFF).any()
    ),
    "experts whose scales differ": differ_between_experts,
}  # fmt: skip


@pytest.mark.parametrize("rule", OF_A_TENSOR)
def test_some_tensor_is_like_this(rule: str) -> None:
    """Measured on wrong loaders: without it some of them pass."""
    assert any(OF_A_TENSOR[rule](tensor) for contents in valid() for tensor in tensors(contents))


def padded_and_small(contents: Contents, alignment: int) -> bool:
    """Return whether a tensor of few rows and few groups leaves more padding than data in its extent."""
    small = [t for t in tensors(contents) if t.shape[-2] <= 4 and 1 < t.groups <= 8]
    return 1 << contents.align_log2 == alignment and any(prod(t.shape) < alignment for t in small)


def last_alone_differs(contents: Contents) -> bool:
    """Return whether all tensors but the last are alike in group size, scale dtype and zero points."""
    facts = [
        (t.group_size, t.scale_dtype, t.zero_points is None) for _, t in sorted(contents.tensors.items())
        if isinstance(t, QuantizedTensor)
    ]  # fmt: skip
    return (
        len(facts) > 2 and len(set(facts[:-1])) == 1 and all(a != b for a, b in zip(facts[0], facts[-1], strict=True))
    )


OF_A_FILE: dict[str, Callable[[Contents], bool]] = {
    "few rows and groups at A = 512": lambda c: padded_and_small(c, 512),
    "few rows and groups at A = 4096": lambda c: padded_and_small(c, 4096),
    "a BF16 bias beside a quantised weight": lambda c: any(True for _ in tensors(c)) and any(
        not isinstance(t, QuantizedTensor) and t.dtype.name == "bfloat16" and t.ndim == 1 for t in c.tensors.values()
    ),
    "minor 7": lambda c: c.minor == 7,
    "several tensors, the last one unlike the others": last_alone_differs,
}  # fmt: skip


@pytest.mark.parametrize("rule", OF_A_FILE)
def test_some_file_is_like_this(rule: str) -> None:
    """Measured on wrong loaders: without it some of them pass."""
    assert any(OF_A_FILE[rule](contents) for contents in valid())


def test_a_digest_of_tensor_data_is_stale_under_a_valid_root() -> None:
    """Whoever verifies the root alone takes the data of this file."""
    editor = Editor(CORPUS.cases["model/codes-bit"].input.read_bytes())
    at = editor.tail()[1]
    assert hashlib.sha256(editor.data[:at]).digest() == editor.data[at : at + 32]
    info = editor.infos()[-1]
    row = editor.end(SectionType.DIGEST) - 32
    extent = editor.data[info.offset : info.offset + info.size]
    assert hashlib.sha256(extent).digest() != editor.data[row : row + 32]


def test_a_product_wraps_to_zero_with_all_sizes_made_to_agree() -> None:
    """Whoever multiplies in 64 bits finds nothing wrong: an extent of 0 bytes without a row of DIGEST."""
    editor = Editor(CORPUS.cases["container/elements-wrap-to-zero"].input.read_bytes())
    infos = [editor.record(i) for i in range(editor.get(editor.header(), "tensor_count"))]
    products = [prod(editor.get(r, "dims", i) for i in range(editor.get(r, "ndim"))) for r in infos]
    sizes = [editor.get(record, "extent_size") for record in infos]
    assert [product % 2**64 == 0 for product in products] == [size == 0 for size in sizes]
    assert sizes.count(0) == 1
    assert sum(sizes) == editor.get(editor.section(SectionType.DATA), "size")
    assert editor.get(editor.section(SectionType.DIGEST), "size") == 32 * (len(infos) - 1)

"""Ways to say less: from what a file says to what a smaller, or plainer, one could say.

Each way yields what may be tried, the boldest first; all of it is valid.
Only loaded where a file is to be made: it needs awqformat, which the rest of the runner must not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from awqformat import Contents, QuantizedTensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from awq_conformance.reproduction.failure import Failure
    from awqformat import Tensor

Way = Callable[[Contents, "Failure"], Iterator[Contents]]
_USUAL: Final = Contents({})
_STEP: Final = 8  # codes that a group size is a multiple of
_ELEMENTS_MAX: Final = 1 << 14  # the slow oracle has them in half a second
_SIZES: Final = (8, 16, 32, 64, 128)
_BOLD: Final = tuple(product((1, 2), (1, 2, 3)))  # rows and groups: few are enough for most faults to show


def smallest_dimensions(contents: Contents, failure: Failure) -> Iterator[Contents]:
    """Cut all tensors at once as far as they can be cut."""
    yield _with(contents, {name: next(_cut(name, t, failure), t) for name, t in contents.tensors.items()})


def fewer_tensors(contents: Contents, failure: Failure) -> Iterator[Contents]:
    """Keep one tensor, the wrong one first; or leave out one, or the first or last half."""
    names = list(contents.tensors)
    if len(names) < 2:
        return
    wrong = failure.tensor
    ranked = sorted(names, key=lambda name: (wrong is None or name != wrong.name, _size(contents.tensors[name])))
    for name in ranked[:4]:
        yield _with(contents, {name: contents.tensors[name]})
    for half in (names[: len(names) // 2], names[len(names) // 2 :]):
        yield _with(contents, {name: contents.tensors[name] for name in half})
    for name in sorted(names, key=lambda name: -_size(contents.tensors[name])):
        yield _with(contents, {other: contents.tensors[other] for other in names if other != name})
    if names != sorted(names):
        yield _with(contents, {name: contents.tensors[name] for name in sorted(names)})


def shorter_dimensions(contents: Contents, failure: Failure) -> Iterator[Contents]:
    """Cut experts, rows, groups and group sizes of each tensor."""
    for name, tensor in contents.tensors.items():
        for cut in _cut(name, tensor, failure):
            yield _with(contents, {**contents.tensors, name: cut})


def fewer_extras(contents: Contents, _: Failure) -> Iterator[Contents]:
    """Leave out META, unknown sections, the minor version and the alignment: all, then one by one."""
    yield replace(_USUAL, tensors=contents.tensors)
    for field in ("metadata", "sections", "minor", "align_log2"):
        yield replace(contents, **{field: getattr(_USUAL, field)})


def shorter_names(contents: Contents, failure: Failure) -> Iterator[Contents]:
    """Name tensors a, b, c as they are numbered; not where a fault is to be found again by the name of its tensor."""
    if len(contents.tensors) <= 26 and failure.case.mutation is None:
        short = {name: chr(ord("a") + i) for i, name in enumerate(sorted(contents.tensors))}
        yield _with(contents, {short[name]: tensor for name, tensor in contents.tensors.items()})


def plainer_scales(contents: Contents, failure: Failure) -> Iterator[Contents]:
    """Make scales 1: all, or all but that of the wrong element; or all in F16."""
    for name, tensor in _quantised(contents):
        s = tensor.scales
        for plain in (np.ones_like(s), _only(s, np.ones_like(s), _place(failure, name, tensor, grouped=True))):
            yield _changed(contents, name, scales=plain)
        yield _changed(contents, name, scales=np.ones(s.shape, np.float16))


def plainer_zeros(contents: Contents, failure: Failure) -> Iterator[Contents]:
    """Store no zero points; make them 0 or 8, all or all but the one of the wrong element."""
    for name, tensor in _quantised(contents):
        z = tensor.zero_points
        if z is None:
            continue
        yield _changed(contents, name, zeros=None)
        if (z == z.reshape(-1)[0]).all():
            continue
        place = _place(failure, name, tensor, grouped=True)
        for value in (0, 8):
            flat = np.full_like(z, value)
            yield _changed(contents, name, zeros=flat)
            yield _changed(contents, name, zeros=_only(z, flat, place))


def plainer_codes(contents: Contents, failure: Failure) -> Iterator[Contents]:
    """Make codes 0, but for the wrong one, its pair, its group, its row, or one half of all."""
    for name, tensor in _quantised(contents):
        q = tensor.codes
        zero = np.zeros_like(q)
        yield _changed(contents, name, codes=zero)
        place = _place(failure, name, tensor, grouped=False)
        if place is not None:
            *row, k = place
            first = k - k % tensor.group_size
            for columns in (slice(k, k + 1), slice(k ^ 1, (k ^ 1) + 1), slice(k - k % 2, k - k % 2 + 2),
                            slice(first, first + tensor.group_size), slice(None)):  # fmt: skip
                yield _changed(contents, name, codes=_only(q, zero, (*row, columns)))
        used = np.flatnonzero(q)
        for half in (used[: len(used) // 2], used[len(used) // 2 :]):
            emptied = q.copy()
            emptied.reshape(-1)[half] = 0
            yield _changed(contents, name, codes=emptied)
        yield _changed(contents, name, codes=np.minimum(q, 1))


def plainer_values(contents: Contents, _: Failure) -> Iterator[Contents]:
    """Make the values of plain tensors zero."""
    for name, tensor in contents.tensors.items():
        if not isinstance(tensor, QuantizedTensor):
            yield _with(contents, {**contents.tensors, name: np.zeros_like(tensor)})


WAYS: Final[tuple[Way, ...]] = (
    smallest_dimensions,
    fewer_tensors,
    shorter_dimensions,
    fewer_extras,
    shorter_names,
    plainer_scales,
    plainer_zeros,
    plainer_codes,
    plainer_values,
)


def allowed(contents: Contents, align: tuple[int, int]) -> bool:
    """Return whether a file may be tried: what it means is soon computed, all shapes are multiples of (N, K)."""
    n, k = align
    shapes = [tensor.shape for _, tensor in _quantised(contents)]
    aligned = all(shape[-2] % n == 0 and shape[-1] % k == 0 for shape in shapes)
    return aligned and sum(map(prod, shapes)) <= _ELEMENTS_MAX


def _with(contents: Contents, tensors: Mapping[str, Tensor]) -> Contents:
    return replace(contents, tensors=dict(tensors))


def _quantised(contents: Contents) -> Iterator[tuple[str, QuantizedTensor]]:
    for name, tensor in contents.tensors.items():
        if isinstance(tensor, QuantizedTensor):
            yield name, tensor


def _size(tensor: Tensor) -> int:
    return prod(tensor.shape)


def _cut(name: str, tensor: Tensor, failure: Failure) -> Iterator[Tensor]:
    """Yield smaller tensors of the same kind, which hold the wrong element where it is known, else the first ones."""
    if not isinstance(tensor, QuantizedTensor):
        if tensor.size > 1:
            yield tensor.reshape(-1)[_window(1, _byte(failure, name) // tensor.itemsize)]
            yield tensor[: len(tensor) // 2] if len(tensor) > 1 else tensor[0]
        return
    *experts, n, groups = whole = tensor.scales.shape
    size = tensor.group_size
    *row, k = _place(failure, name, tensor, grouped=False) or (0,) * len(whole)
    at = (*row, k // size)

    def part(counts: tuple[int, ...], codes: int) -> Tensor:
        """Return so many experts, rows and groups, and of each group so many codes; 0 takes a dimension away."""
        axes = tuple(_window(count, at[i]) if count else at[i] for i, count in enumerate(counts))
        return _part(tensor, axes, _window(codes, k % size // _STEP * _STEP + _STEP - 1))

    for leading in dict.fromkeys(((0,) * len(experts), (1,) * len(experts), tuple(experts))):
        for rows, few in _BOLD:
            if rows <= n and few <= groups:
                yield part((*leading, rows, few), min(_STEP, size))
    for i, total in enumerate(whole):
        for count in (0,) if i < len(experts) and total == 1 else _below(total):
            yield part((*whole[:i], count, *whole[i + 1 :]), size)
    for codes in _SIZES:
        if codes < size:
            yield part(whole, codes)


def _window(count: int, at: int) -> slice:
    """Return ``count`` places, the first ones or those that end at ``at``."""
    start = max(0, at + 1 - count)
    return slice(start, start + count)


def _below(total: int) -> list[int]:
    """Return smaller numbers, the boldest first."""
    return list(dict.fromkeys(number for number in (1, 2, 3, total // 2, total - 1) if 0 < number < total))


def _part(tensor: QuantizedTensor, axes: tuple[slice | int, ...], codes: slice) -> QuantizedTensor:
    """Return what ``axes`` choose of experts, rows and groups, of each group ``codes``."""
    z = tensor.zero_points
    inside = (*axes, codes)
    q = tensor.codes.reshape(*tensor.scales.shape, tensor.group_size)[inside]
    return QuantizedTensor.from_codes(q.reshape(*q.shape[:-2], -1), tensor.scales[axes], None if z is None else z[axes])


def _changed(contents: Contents, name: str, **parts: Any) -> Contents:
    tensor = contents.tensors[name]
    if not isinstance(tensor, QuantizedTensor):
        raise TypeError(f"{name} is a plain tensor")
    whole = {"codes": tensor.codes, "scales": tensor.scales, "zeros": tensor.zero_points} | parts
    changed = QuantizedTensor.from_codes(whole["codes"], whole["scales"], whole["zeros"])
    return _with(contents, {**contents.tensors, name: changed})


def _place(failure: Failure, name: str, tensor: QuantizedTensor, *, grouped: bool) -> tuple[int, ...] | None:
    """Return where the wrong element's code, or its scale and zero point, is in this tensor."""
    wrong, element, what = failure.tensor, failure.element, failure.finding.what
    if wrong is None or element is None or wrong.name != name or what == "P":
        return None
    *row, last = element.mismatch.index
    k = last if what in ("W", "q") else last * tensor.group_size
    return (*row, k // tensor.group_size if grouped else k)


def _byte(failure: Failure, name: str) -> int:
    """Return which byte of a plain tensor is wrong, the first where none is known to be."""
    wrong, element = failure.tensor, failure.element
    return 0 if wrong is None or element is None or wrong.name != name else element.mismatch.index[0]


def _only(values: NDArray[Any], rest: NDArray[Any], place: Any) -> NDArray[Any]:
    """Return ``values`` at ``place`` and ``rest`` everywhere else; just ``rest`` where there is no place."""
    kept: NDArray[Any] = rest.copy()
    if place is not None:
        kept[place] = values[place]
    return kept

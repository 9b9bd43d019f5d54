"""Ways to say less: from what a file says to what a smaller, or plainer, one could say.

Each way yields what may be tried, the boldest first; all of it is valid.
Only loaded where a file is to be made: it needs awqformat, which the rest of the runner must not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from awqformat import Contents, QuantizedTensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from awq_conformance.reproduction.failure import Failure
    from awqformat.container.contents import Tensor

Way = Callable[[Contents, "Failure"], Iterator[Contents]]
_USUAL: Final = Contents({})
_GROUPS: Final = (1, 2, 3)
_SIZES: Final = (8, 16, 32, 64)


def fewer_extras(contents: Contents, _: Failure) -> Iterator[Contents]:
    """Leave out META, unknown sections, the minor version and the alignment: all, then one by one."""
    yield replace(_USUAL, tensors=contents.tensors)
    for field in ("metadata", "sections", "minor", "align_log2"):
        yield replace(contents, **{field: getattr(_USUAL, field)})


def smallest_dimensions(contents: Contents, _: Failure) -> Iterator[Contents]:
    """Cut all tensors at once as far as they can be cut."""
    yield _with(contents, {name: next(_cut(tensor), tensor) for name, tensor in contents.tensors.items()})


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


def shorter_names(contents: Contents, failure: Failure) -> Iterator[Contents]:
    """Name tensors a, b, c as they are numbered; not where a fault is to be found again by the name of its tensor."""
    if len(contents.tensors) <= 26 and failure.case.mutation is None:
        short = {name: chr(ord("a") + i) for i, name in enumerate(sorted(contents.tensors))}
        yield _with(contents, {short[name]: tensor for name, tensor in contents.tensors.items()})


def shorter_dimensions(contents: Contents, _: Failure) -> Iterator[Contents]:
    """Cut experts, rows, groups and group sizes of each tensor."""
    for name, tensor in contents.tensors.items():
        for cut in _cut(tensor):
            yield _with(contents, {**contents.tensors, name: cut})


def plainer_scales(contents: Contents, failure: Failure) -> Iterator[Contents]:
    """Make scales 1, all or all but the one of the wrong element; or powers of two."""
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


def _with(contents: Contents, tensors: Mapping[str, Tensor]) -> Contents:
    return replace(contents, tensors=dict(tensors))


def _quantised(contents: Contents) -> Iterator[tuple[str, QuantizedTensor]]:
    for name, tensor in contents.tensors.items():
        if isinstance(tensor, QuantizedTensor):
            yield name, tensor


def _size(tensor: Tensor) -> int:
    return int(np.prod(tensor.shape, dtype=object))


def _cut(tensor: Tensor) -> Iterator[Tensor]:
    """Yield smaller tensors of the same kind, made of the first elements."""
    if not isinstance(tensor, QuantizedTensor):
        if tensor.size > 1:
            yield tensor.reshape(-1)[:1]
            yield tensor[: len(tensor) // 2] if len(tensor) > 1 else tensor[0]
        return
    *lead, n, _ = tensor.shape
    groups, size = tensor.groups, tensor.group_size
    if lead:
        yield _part(tensor, [0] * len(lead), n, groups, size)
        for i, dim in enumerate(lead):
            for smaller in _below(dim, (1, 2)):
                yield _part(tensor, [slice(smaller if j == i else None) for j in range(len(lead))], n, groups, size)
    everywhere = [slice(None)] * len(lead)
    rows, counts = ([*_below(total, first), total] for total, first in ((n, (1, 2)), (groups, _GROUPS)))
    sizes = [*(smaller for smaller in _SIZES if smaller < size), size]
    candidates = sorted(product(rows, counts, sizes), key=lambda cut: (cut[0] * cut[1] * cut[2], cut))
    bold = [cut for cut in candidates if cut[0] <= 2 and cut[1] <= 3 and cut[2] == sizes[0]]
    single = [cut for cut in candidates if sum((cut[0] == n, cut[1] == groups, cut[2] == size)) == 2]
    for cut in dict.fromkeys((*bold, *single)):
        if cut != (n, groups, size):
            yield _part(tensor, everywhere, *cut)


def _below(total: int, first: tuple[int, ...]) -> list[int]:
    """Return smaller numbers, the boldest first."""
    return list(dict.fromkeys(number for number in (*first, total // 2, total - 1) if 0 < number < total))


def _part(tensor: QuantizedTensor, lead: list[Any], n: int, groups: int, size: int) -> QuantizedTensor:
    """Return the first ``n`` rows and ``groups`` groups, of each group the first ``size`` codes."""
    z = tensor.zero_points
    place = (*lead, slice(n), slice(groups))
    inside = (*place, slice(size))
    q = tensor.codes.reshape(*tensor.scales.shape, tensor.group_size)[inside]
    return QuantizedTensor.from_codes(
        q.reshape(*q.shape[:-2], -1), tensor.scales[place], None if z is None else z[place]
    )


def _changed(contents: Contents, name: str, **parts: Any) -> Contents:
    tensor = contents.tensors[name]
    if not isinstance(tensor, QuantizedTensor):
        raise TypeError(f"{name} is a plain tensor")
    whole = {"codes": tensor.codes, "scales": tensor.scales, "zeros": tensor.zero_points} | parts
    changed = QuantizedTensor.from_codes(whole["codes"], whole["scales"], whole["zeros"])
    return _with(contents, {**contents.tensors, name: changed})


def _place(failure: Failure, name: str, tensor: QuantizedTensor, *, grouped: bool) -> tuple[int, ...] | None:
    """Return where the wrong element's code, or its scale and zero point, is in this tensor."""
    wrong, mismatch = failure.tensor, failure.mismatch
    if wrong is None or mismatch is None or wrong.name != name or failure.finding.what not in ("W", "q"):
        return None
    *row, k = mismatch.index
    return (*row, k // tensor.group_size if grouped else k)


def _only(values: NDArray[Any], rest: NDArray[Any], place: Any) -> NDArray[Any]:
    """Return ``values`` at ``place`` and ``rest`` everywhere else; just ``rest`` where there is no place."""
    kept: NDArray[Any] = rest.copy()
    if place is not None:
        kept[place] = values[place]
    return kept

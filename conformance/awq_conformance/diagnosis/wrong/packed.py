"""Wrong ways of reading the words and the scales of a checkpoint's layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from awq_conformance.diagnosis.packed import Packed
from awq_conformance.diagnosis.weight import Array

if TYPE_CHECKING:
    from awqformat.dialects import Dialect
    from awqformat.dialects.packing import Packing

Row = tuple[str, str, str, Callable[..., Any]]

_ORDERS: Final = (
    (0, 1, 2, 3, 4, 5, 6, 7),
    (0, 2, 4, 6, 1, 3, 5, 7),
    (0, 4, 1, 5, 2, 6, 3, 7),
    (7, 6, 5, 4, 3, 2, 1, 0),
    (1, 0, 3, 2, 5, 4, 7, 6),
)
_ONES: Final = np.int32(0x11111111)


def packed(dialect: Dialect, others: Iterable[Dialect]) -> Iterator[Row]:
    """Yield every one that makes sense for layers of a dialect, the plainest first; ``others`` are all there are."""
    stored = [zeros.packing for zeros in dialect.zeros if zeros.packing is not None]
    packings = {other.name: other.packing for other in others}
    yield from _orders("codes", dialect, dialect.packing, _codes)
    for packing in stored:
        yield from _orders("zeros", dialect, packing, _zeros)
    if dialect.packing.tile == (4, 64):
        yield from _interleaved(dialect.packing)
    yield from _layouts("codes", dialect.packing, packings, _codes)
    yield "codes-other-layout", "the array of words is read as its transpose", "codes", _turned_words
    for packing in stored:
        layouts = {f"the codes of {name}": other for name, other in packings.items()}
        yield from _layouts("zeros", packing, layouts, _zeros)
    yield from _STORED_LESS_1 if stored else _PRODUCTS
    way, other = ("[K/G, N]", "[N, K/G]") if dialect.scales.by_groups else ("[N, K/G]", "[K/G, N]")
    yield "scales-transposed", f"as {other}; {dialect.name} stores {way}", "scales", _turned_scales
    if dialect.width(1152, 128) != 1152 // 128:
        yield "scales-misplaced", "rows are read as if they were not padded", "scales", _unpadded_scales
        yield "zeros-unpadded", "a row is as many words as its groups fill", "zeros", _unpadded_zeros


Reading = Callable[["Callable[[Packing], Packing]"], Callable[[Packed], Array]]


def _codes(change: Callable[[Packing], Packing]) -> Callable[[Packed], Array]:
    return lambda t: t.codes_by(change(t.dialect.packing))


def _zeros(change: Callable[[Packing], Packing]) -> Callable[[Packed], Array]:
    return lambda t: t.zeros if t.zero_packing is None else t.zeros_by(change(t.zero_packing))


def _orders(part: str, dialect: Dialect, packing: Packing, reading: Reading) -> Iterator[Row]:
    """Yield other orders of the nibbles in a word of 32 bits."""
    for order in _ORDERS:
        if len(packing.order) == len(order) and packing.order != order:
            read, stored = (" ".join(map(str, numbers)) for numbers in (order, packing.order))
            detail = f"from the lowest, they are taken for {read}; {dialect.name} stores {stored} there"
            yield f"{part}-word-order", detail, part, reading(partial(_ordered, order))


def _layouts(part: str, packing: Packing, others: dict[str, Packing], reading: Reading) -> Iterator[Row]:
    """Yield what the same words are as another layout; its bias is no matter of layout."""
    seen = {_shape(packing)}
    for name, other in others.items():
        if _shape(other) not in seen:
            seen.add(_shape(other))
            yield f"{part}-other-layout", f"as {name}", part, reading(partial(_laid, other))


def _ordered(order: tuple[int, ...], right: Packing) -> Packing:
    return replace(right, order=order)


def _laid(other: Packing, right: Packing) -> Packing:
    return replace(other, bias=right.bias)


def _shape(packing: Packing) -> tuple[object, ...]:
    return packing.word[-2:], packing.tile, packing.order, packing.by_columns


def _interleaved(packing: Packing) -> Iterator[Row]:
    """Yield wrong ways through a tile of 4 rows and 64 columns, in words of 4 nibbles."""
    words = [(n, j) for n in range(4) for j in range(16)]
    neighbours = tuple(64 * n + 4 * j + p for n, j in words for p in range(4))
    turned = tuple(packing.order[4 * word + 3 - p] for word in range(64) for p in range(4))
    rows = replace(packing, tile=(1, 32), order=tuple(8 * p + j for j in range(8) for p in range(4)))
    for detail, wrong in (
        ("the nibbles of a word are taken for neighbours", replace(packing, order=neighbours)),
        ("the highest nibble of a word is taken for the first", replace(packing, order=turned)),
        ("four rows are not taken apart", rows),
    ):
        yield "codes-word-order", detail, "codes", _codes(partial(_laid, wrong))


def _turned_words(t: Packed) -> Array:
    words = t.parts[t.dialect.codes]
    return t.codes_by(t.dialect.packing, words.reshape(words.shape[::-1]).T)


def _turned_scales(t: Packed) -> Array:
    return t.per_group(t.parts[t.dialect.scales.role], transposed=True)


def _unpadded_scales(t: Packed) -> Array:
    stream = t.parts[t.dialect.scales.role].reshape(-1)
    return stream[: t.rows * t.groups].reshape(t.rows, t.groups).astype(np.float32)


def _unpadded_zeros(t: Packed) -> Array:
    return t.zeros if t.zero_packing is None else t.zeros_by(t.zero_packing, width=t.groups)


def _carried(t: Packed) -> Array:
    if t.zero_packing is None or t.zero_role is None or not t.zero_packing.bias:
        return t.zeros
    return t.zeros_by(replace(t.zero_packing, bias=0), t.parts[t.zero_role] + _ONES)


def _where_less_1(does: Callable[[Array], Array]) -> Callable[[Packed], Array]:
    """Change zero points where they are stored less 1, and leave the others."""
    return lambda t: does(t.zeros) if t.zero_packing is not None and t.zero_packing.bias == _LESS_1 else t.zeros


def _as_if_less_1(t: Packed) -> Array:
    return t.zeros + 1 & 15 if t.zero_packing is not None and t.zero_packing.bias != _LESS_1 else t.zeros


_LESS_1: Final = 15  # the bias, modulo 16
_STORED_LESS_1: Final[tuple[Row, ...]] = (
    ("zeros-minus-one", "GPTQ v1 stores them less 1, and they are used as stored", "zeros",
     _where_less_1(lambda z: z - 1 & 15)),
    ("zeros-plus-one", "as if they were those of GPTQ v1", "zeros", _as_if_less_1),
    ("zeros-altered", "1 is added to a stored 15, and the sum 16 is not taken for 0", "zeros",
     _where_less_1(lambda z: np.where(z == 0, 16, z))),
    ("zeros-altered", "1 is added to whole words, so that a 15 carries into its neighbour", "zeros", _carried),
)  # fmt: skip


def _added(q: Array, _z: Array, s: Array, t: Packed) -> Array:
    products = t.products
    if products is None:
        raise TypeError("these zero points are no products")
    return (q * s.astype(np.float64) - products[:, t.group_of]).astype(np.float32)


_PRODUCTS: Final[tuple[Row, ...]] = (
    ("zeros-are-products", "", "zeros", lambda t: t.products),
    ("zeros-are-products", "with its sign turned", "zeros", lambda t: -t.products),
    ("zeros-added", "q*s - c is computed, and c is -(s*z)", "values", _added),
)

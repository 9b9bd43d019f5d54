"""Stage I: names, records, the tiling of DATA (spec: container, "Order of checks").

A file may hold a million records, so each rule is evaluated for all of them at once. The order of the spec
is kept all the same: after a rule fails at record i, later rules look only at records before i, where an
earlier record could still fail; what remains at the end is the lowest record's first fault.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import lt
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from awqformat.errors import AwqError
from awqformat.fields import RECORD_DTYPE, walk
from awqformat.schema import DIGEST_CHUNK, RECORD, UNIT, Dtype, Layout, Limit

Records = np.ndarray[Any, np.dtype[np.void]]
U64 = npt.NDArray[np.uint64]

_AT: Final = {field.name: field.offset for field in walk(RECORD)}


def _among(values: Iterable[int]) -> npt.NDArray[np.bool_]:
    """Return a table that says of each byte whether it is one of ``values``."""
    table = np.zeros(256, np.bool_)
    table[list(values)] = True
    return table


_FIRST: Final = _among(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
_LATER: Final = _among(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")
_BITS: Final = np.array([dtype.bits for dtype in Dtype], np.uint64)
_SCALES: Final = (Dtype.F16, Dtype.BF16, Dtype.F32)


class _Rules:
    """Evaluates rules over the records that no earlier rule has stopped."""

    def __init__(self, records: Records, strings: bytes, index_at: int | None) -> None:
        self._all = records
        self._strings = strings
        self._index_at = index_at
        self._error: tuple[str, str, str, str] | None = None
        self.stop = len(records)

    @property
    def records(self) -> Records:
        """The records still in question."""
        return self._all[: self.stop]

    def __getitem__(self, field: str) -> npt.NDArray[Any]:
        return self._all[field][: self.stop]

    def require(self, ok: npt.NDArray[np.bool_], code: str, field: str, expected: Any, got: Any = None) -> None:
        """Note the lowest record that is not ``ok``; expected and got are scalars or one value per record."""
        failing = np.flatnonzero(~ok)
        if failing.size:
            self.stop = i = int(failing[0])
            got = self._all[field] if got is None else got
            self._error = (code, field, _pick(expected, i), _pick(got, i))

    def finish(self) -> None:
        """Raise for the lowest record at fault, if any."""
        if self._error is not None:
            code, field, expected, got = self._error
            record = self._all[self.stop]
            at = int(record["name_off"])
            name = self._strings[at : at + int(record["name_len"])]
            where = f"tensor {self.stop}" if code.startswith("E_NAME") else name.decode("ascii")
            offset = None if self._index_at is None else self._index_at + UNIT * self.stop + _AT[field]
            raise AwqError(code, where, field, offset=offset, expected=expected, got=got)


def _pick(value: Any, i: int) -> str:
    picked = value[i] if isinstance(value, (list, np.ndarray)) else value
    return str(picked.tolist() if isinstance(picked, np.ndarray) else picked)


def check_records(records: Records, strings: bytes, alignment: int, index_at: int | None) -> list[str]:
    """Run the rules of stage I that look at one record after the other, and return the names.

    ``index_at`` is where INDEX starts in the file; None if there is no file yet.

    Raises:
        AwqError: for the lowest record at fault, the first rule it breaks.
    """
    rules = _Rules(records, strings, index_at)
    names = _check_names(rules, strings)
    _check_types(rules)
    _check_shapes(rules)
    size = extent_sizes(rules.records, alignment)
    rules.require(rules["extent_size"] == size, "E_SIZE", "extent_size", size)
    rules.finish()
    return names


def _check_names(rules: _Rules, strings: bytes) -> list[str]:
    """Check length, place, alphabet and order of every name, and return the names as far as they are sound."""
    text = np.frombuffer(strings, np.uint8)
    length = rules["name_len"]
    rules.require((length >= 1) & (length <= Limit.NAME_MAX), "E_NAME", "name_len", "1..255")
    ends = np.cumsum(rules["name_len"], dtype=np.uint64)
    starts = ends - rules["name_len"]
    placed = (rules["name_off"] == starts) & (ends <= text.size)
    rules.require(placed, "E_NAME", "name_off", starts)
    if not rules.stop:
        return []
    starts, ends = starts[: rules.stop].astype(np.intp), ends[: rules.stop]
    legal = _LATER[text[: int(ends[-1])]]
    legal[starts] = _FIRST[text[starts]]
    every = strings.decode("latin-1")  # one character a byte, so that illegal names can be shown too
    names = [every[at:end] for at, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    alphabet = "[A-Za-z0-9_][A-Za-z0-9._-]*"
    rules.require(np.logical_and.reduceat(legal, starts), "E_NAME", "name_off", alphabet, names)
    ascending = np.ones(len(names), np.bool_)
    ascending[1:] = np.fromiter(map(lt, names, names[1:]), np.bool_, len(names) - 1)
    rules.require(ascending[: rules.stop], "E_NAME_ORDER", "name_off", "a name above the one before", names)
    return names


def _check_types(rules: _Rules) -> None:
    ndim, quantised = rules["ndim"], rules["dtype"] == Dtype.U4
    rules.require(
        (ndim <= Limit.NDIM_MAX) & (~quantised | (ndim >= 2)), "E_DIMS", "ndim", np.where(quantised, "2..8", "0..8")
    )
    rules.require((rules["dtype"] >= Dtype.BOOL) & (rules["dtype"] <= Dtype.U4), "E_ENUM", "dtype", "1..16")
    for field in ("scale_dtype", "zero_dtype"):
        rules.require(rules[field] <= Dtype.U4, "E_ENUM", field, "0..16")
    for field, allowed in (("scale_dtype", _SCALES), ("zero_dtype", (Dtype.NONE, Dtype.U4))):
        quantised = rules["dtype"] == Dtype.U4
        ok = np.where(quantised, _among(allowed)[rules[field]], rules[field] == Dtype.NONE)
        wanted = np.where(quantised, " or ".join(dtype.name for dtype in allowed), Dtype.NONE.name)
        rules.require(ok, "E_RECORD", field, wanted)
    quantised = rules["dtype"] == Dtype.U4
    rules.require(quantised | (rules["layout"] == 0), "E_RECORD", "layout", 0)
    rules.require(rules["layout"] == Layout.LINEAR, "E_FEATURE", "layout", int(Layout.LINEAR))
    rules.require(rules["reserved"] == 0, "E_RESERVED", "reserved", 0)
    quantised = rules["dtype"] == Dtype.U4
    rules.require(quantised | (rules["group_size"] == 0), "E_RECORD", "group_size", 0)


def _check_shapes(rules: _Rules) -> None:
    inside = np.arange(Limit.NDIM_MAX) < rules["ndim"][:, None]
    rules.require(((rules["dims"] != 0) | ~inside).all(axis=1), "E_DIMS", "dims", "1..2^32-1 within ndim")
    inside = inside[: rules.stop]
    rules.require(((rules["dims"] == 0) | inside).all(axis=1), "E_RESERVED", "dims", "0 beyond ndim")
    elements: U64 = np.ones(rules.stop, np.uint64)
    small = np.ones(rules.stop, np.bool_)
    for i in range(int(Limit.NDIM_MAX)):
        dim = np.where(inside[: rules.stop, i], rules["dims"][:, i], np.uint64(1))
        small &= elements <= int(Limit.ELEMENTS_MAX) // dim
        elements = np.where(small, elements * np.where(small, dim, 1), 1)
    rules.require(small, "E_OVERFLOW", "dims", "at most 2^40 elements")
    quantised, k = rules["dtype"] == Dtype.U4, _last_dim(rules.records)
    rules.require(~quantised | (k % 8 == 0), "E_GROUP", "dims", "in_features a multiple of 8")
    quantised, k, g = quantised[: rules.stop], k[: rules.stop], rules["group_size"].astype(np.uint64)
    divides = (g >= 8) & (g % 8 == 0) & (k % np.maximum(g, 1) == 0)
    rules.require(~quantised | divides, "E_GROUP", "group_size", "a multiple of 8 that divides in_features")


def _last_dim(records: Records) -> U64:
    last = np.maximum(records["ndim"].astype(np.intp), 1) - 1
    k: U64 = records["dims"][np.arange(len(records)), last].astype(np.uint64)
    return k


def extent_sizes(records: Records, alignment: int) -> U64:
    """Return the derived extent size of each record, whose earlier rules must hold; uint64 (len(records),)."""
    elements = np.where(records["dims"] == 0, 1, records["dims"]).prod(axis=1, dtype=np.uint64)
    quantised = records["dtype"] == Dtype.U4
    plain = elements * _BITS[records["dtype"]] // 8
    k = np.where(quantised, _last_dim(records), 8)
    rows = elements // k
    groups = k // np.where(quantised, records["group_size"], 8)
    scales_end = _up(elements // 2, UNIT) + rows * groups * _BITS[records["scale_dtype"]] // 8
    zeros_end = _up(scales_end, UNIT) + rows * ((groups + 1) // 2)
    end = np.where(quantised, np.where(records["zero_dtype"] == Dtype.NONE, scales_end, zeros_end), plain)
    return _up(end, alignment)


def _up(value: Any, alignment: int) -> U64:
    result: U64 = (value + np.uint64(alignment - 1)) & ~np.uint64(alignment - 1)
    return result


def check_tiling(
    records: Records, names: list[str], strings_size: int, data_at: int, data_end: int, index_at: int
) -> None:
    """Run the rules that look at all records together: strings end, tiling of DATA by extents.

    ``index_at`` is where INDEX starts in the file.

    Raises:
        AwqError: E_NAME or E_LAYOUT.
    """
    used = int(records["name_len"].sum(dtype=np.uint64))
    if used != strings_size:
        raise AwqError("E_NAME", "STRINGS", "size", expected=used, got=strings_size)
    order = np.lexsort((np.arange(len(records)), records["data_off"]))
    ends = data_at + np.cumsum(records["extent_size"][order], dtype=np.uint64)
    places = np.concatenate([np.array([data_at], np.uint64), ends])
    wrong = np.flatnonzero(records["data_off"][order] != places[:-1])
    if wrong.size:
        i = int(order[wrong[0]])
        raise AwqError("E_LAYOUT", names[i], "data_off", offset=index_at + UNIT * i + _AT["data_off"],
                       expected=places[wrong[0]], got=records["data_off"][i])  # fmt: skip
    if places[-1] != data_end:
        raise AwqError("E_LAYOUT", "DATA", "size", expected=places[-1], got=data_end)


def digest_rows(records: Records) -> U64:
    """Return how many rows of DIGEST each extent has; uint64 (len(records),)."""
    rows: U64 = -(-records["extent_size"].astype(np.int64) // DIGEST_CHUNK).astype(np.uint64)
    return rows


def parse_records(index: bytes | memoryview) -> Records:
    """Return the records of INDEX without copying them."""
    return np.frombuffer(index, RECORD_DTYPE)

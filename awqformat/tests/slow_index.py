"""Stage I once more: one record and one comparison at a time, in the order of the specification."""

from __future__ import annotations

import re
from math import prod
from typing import Any

Fault = tuple[str, int, str]
"""Code, number of the record, field."""

A_NAME = re.compile(rb"[A-Za-z0-9_][A-Za-z0-9._-]*")
ELEMENT_BITS = [0, 8, 8, 8, 16, 16, 32, 32, 64, 64, 16, 16, 32, 64, 8, 8, 4]


def check(records: list[dict[str, Any]], strings: bytes, alignment: int) -> Fault | None:
    """Return the fault of the first record that has one: the first rule it breaks."""
    place, before = 0, b""
    for i, record in enumerate(records):
        at, length = record["name_off"], record["name_len"]
        name = strings[at : at + length]
        if not 1 <= length <= 255:
            return "E_NAME", i, "name_len"
        if at != place or at + length > len(strings) or not A_NAME.fullmatch(name):
            return "E_NAME", i, "name_off"
        if name <= before:
            return "E_NAME_ORDER", i, "name_off"
        place, before = place + length, name
        fault = types(record) or shape(record)
        if fault:
            return fault[0], i, fault[1]
        if record["extent_size"] != size(record, alignment):
            return "E_SIZE", i, "extent_size"
    return None


def types(record: dict[str, Any]) -> tuple[str, str] | None:
    """Check one record from ndim to group_size of plain tensors."""
    quantised = record["dtype"] == 16
    scales, zeros = ((10, 11, 12), (0, 16)) if quantised else ((0,), (0,))
    rules = [
        (2 * quantised <= record["ndim"] <= 8, "E_DIMS", "ndim"),
        (1 <= record["dtype"] <= 16, "E_ENUM", "dtype"),
        (record["scale_dtype"] <= 16, "E_ENUM", "scale_dtype"),
        (record["zero_dtype"] <= 16, "E_ENUM", "zero_dtype"),
        (record["scale_dtype"] in scales, "E_RECORD", "scale_dtype"),
        (record["zero_dtype"] in zeros, "E_RECORD", "zero_dtype"),
        (record["layout"] == 0, "E_FEATURE" if quantised else "E_RECORD", "layout"),
        (record["reserved"] == 0, "E_RESERVED", "reserved"),
        (quantised or record["group_size"] == 0, "E_RECORD", "group_size"),
    ]
    return next(((code, field) for ok, code, field in rules if not ok), None)


def shape(record: dict[str, Any]) -> tuple[str, str] | None:
    """Check one record from dims to group_size of quantised tensors."""
    inside, beyond = record["dims"][: record["ndim"]], record["dims"][record["ndim"] :]
    if 0 in inside:
        return "E_DIMS", "dims"
    if any(beyond):
        return "E_RESERVED", "dims"
    if prod(inside) > 2**40:
        return "E_OVERFLOW", "dims"
    if record["dtype"] == 16:
        k, group_size = inside[-1], record["group_size"]
        if k % 8:
            return "E_GROUP", "dims"
        if group_size == 0 or group_size % 8 or group_size > k or k % group_size:
            return "E_GROUP", "group_size"
    return None


def size(record: dict[str, Any], alignment: int) -> Any:
    """Return the extent size of a record in which all else is right, a whole number."""
    elements = prod(record["dims"][: record["ndim"]])
    end = elements * ELEMENT_BITS[record["dtype"]] // 8
    if record["dtype"] == 16:
        k = record["dims"][record["ndim"] - 1]
        rows, groups = elements // k, k // record["group_size"]
        end = -(-end // 64) * 64 + rows * groups * ELEMENT_BITS[record["scale_dtype"]] // 8
        if record["zero_dtype"]:
            end = -(-end // 64) * 64 + rows * -(-groups // 2)
    return -(-end // alignment) * alignment

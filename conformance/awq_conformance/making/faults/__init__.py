"""The reject cases, by the stage of the reader that must find them: one fault each, made from a valid twin."""

from __future__ import annotations

from typing import Final

from awq_conformance.making.faults import bodies, data, encrypted, header, names, records, sections, shapes
from awq_conformance.making.faults.fault import Fault

__all__ = ["CASES", "Fault"]

CASES: Final[tuple[Fault, ...]] = (
    *header.CASES,
    *sections.CASES,
    *bodies.CASES,
    *names.CASES,
    *records.CASES,
    *shapes.CASES,
    *data.CASES,
    *encrypted.CASES,
)

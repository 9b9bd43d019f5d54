"""The accept cases, by the chapter they belong to: valid files, and which wrong loaders each is there to expose."""

from __future__ import annotations

from typing import Final

from awq_conformance.making.valid import container, model, tracer
from awq_conformance.making.valid.accept import VALUES, Accept, small_model

__all__ = ["CASES", "VALUES", "Accept", "small_model"]

CASES: Final[tuple[Accept, ...]] = (*model.CASES, *container.CASES, *tracer.CASES)

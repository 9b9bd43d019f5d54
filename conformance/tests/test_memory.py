"""What a malformed file may cost: memory in proportion to the file, whatever the numbers in it claim."""

from __future__ import annotations

import tracemalloc

import pytest

import awqformat
from awq_conformance.cases import default_root, load

MIB = 1 << 20


@pytest.mark.req("AWQ-CON-081")
def test_no_number_costs_memory_before_it_is_checked() -> None:
    """Refusing a malformed file takes the Python reader at most 4 times the file and 1 MiB, for every case."""
    wrong = []
    for case in load(default_root()).kept:
        if case.outcome == "reject" and not case.folder:
            tracemalloc.start()
            with pytest.raises(awqformat.AwqError):
                awqformat.safe_open(case.input, verify="all")
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            if peak > 4 * case.files[0].size + MIB:
                wrong.append((case.id, peak))
    assert wrong == []

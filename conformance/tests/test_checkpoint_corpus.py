"""The checkpoint directories of the corpus: one fault a case, and read by the library as they are meant."""

from __future__ import annotations

from typing import Final

import pytest

import awqformat
from awq_conformance.cases import Case, default_root, load
from awqformat.errors import CHECKPOINT_CODES, CODES
from tests.folders import files_of, hold_what_is_expected, read, repaired

CASES: Final = {case.id: case for case in load(default_root()).cases.values() if case.folder}
ACCEPT: Final = [case for case in CASES.values() if case.outcome == "accept"]
REJECT: Final = [case for case in CASES.values() if case.outcome == "reject"]


@pytest.mark.req("AWQ-CNF-036")
@pytest.mark.parametrize("case", REJECT, ids=lambda case: str(case.id))
def test_undoing_the_edit_gives_the_twin(case: Case) -> None:
    """A reject case differs from its valid twin by one edit of one file and by nothing else."""
    assert case.twin is not None
    assert repaired(case) == files_of(CASES[case.twin])


@pytest.mark.parametrize("case", REJECT, ids=lambda case: str(case.id))
def test_the_library_refuses_with_the_stated_code(case: Case) -> None:
    """On one line, with a code of the lists."""
    with pytest.raises(awqformat.AwqError) as caught:
        read(case)
    assert (caught.value.code,) == case.codes, str(caught.value)
    assert caught.value.code in CODES | CHECKPOINT_CODES
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("case", ACCEPT, ids=lambda case: str(case.id))
def test_the_library_reads_the_expected_values(case: Case) -> None:
    """Codes, zero points, scales and weights, bit for bit; the expected ones come from the oracle."""
    hold_what_is_expected(case, read(case))


def test_every_profile_has_its_share_of_malformed_directories() -> None:
    """At least a third of the cases of each are to be refused."""
    for profile in {case.profile for case in CASES.values()}:
        outcomes = [case.outcome for case in CASES.values() if case.profile == profile]
        assert 3 * outcomes.count("reject") >= len(outcomes), profile

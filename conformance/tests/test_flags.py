"""The kinds of bugs that cases are there to find: a closed list, explained, and true of the files."""

from __future__ import annotations

from pathlib import Path

import pytest

from awq_conformance.cases import Case, Corpus, default_root, load
from awq_conformance.judge import MEMORY_BOMB
from awq_conformance.listing import record
from awq_conformance.making.claims import claimed
from awq_conformance.making.editor import Editor
from awq_conformance.making.faults.fault import Edit, in_header, in_record, in_section
from awq_conformance.making.flags import FLAGS
from awq_conformance.profiles import profile_of
from awqformat.schema import SectionType

ROOT = default_root()
CORPUS: Corpus = load(ROOT)
SMALL = (ROOT / "container/small.awq").read_bytes()
OF_CALLS = {"state"}  # flags of cases that are made of several calls, and have no files of their own


def case_file(case: Case) -> Path:
    """Return the input of a case that is kept."""
    return case.root / case.files[0].path


def test_every_case_says_what_bugs_it_is_there_to_find() -> None:
    """Each by flags of the closed list, and no flag is there for nothing."""
    assert [case.id for case in CORPUS.cases.values() if not case.flags] == []
    used = {flag for case in CORPUS.cases.values() for flag in case.flags}
    assert used == set(CORPUS.flags) - OF_CALLS
    told = {flag for case, _ in profile_of(CORPUS, "core").stories(CORPUS).values() for flag in case.flags}
    assert told == OF_CALLS


def test_every_flag_is_explained_in_the_manifest() -> None:
    """Once, with the type of bug, its effect, and what is in the file."""
    assert list(CORPUS.flags) == list(FLAGS)
    for flag in CORPUS.flags.values():
        assert all((flag.bug_type, flag.effect, flag.description))


def test_flags_are_shown_with_their_meaning() -> None:
    """One line for each."""
    case = CORPUS.cases["container/tensor-count-max"]
    lines = [line for line in record(case, CORPUS.flags).splitlines() if line.startswith("flag ")]
    assert [line.split()[1].rstrip(":") for line in lines] == list(case.flags)
    assert "nothing may be allocated by a claim (missing check, denial of service)" in lines[0]
    assert record(case, {}).count("flag ") == len(case.flags)  # a corpus of someone else may explain none


def test_a_memory_bomb_is_a_malformed_file_that_claims_far_more_than_it_holds() -> None:
    """64 MiB more, which is where the narrow limit begins; every such file is one, and no other."""
    for case in CORPUS.kept:
        if case.folder:
            continue
        data = case_file(case).read_bytes()
        bomb = case.outcome == "reject" and claimed(data) >= len(data) + (64 << 20)
        assert (MEMORY_BOMB in case.flags) == bomb, case.id


@pytest.mark.parametrize(
    ("edit", "claim"),
    [
        (lambda _: None, len(SMALL)),
        (in_header("file_size", 2**63), 2**63),
        (in_header("tensor_count", 2**32 - 1), 64 * (2**32 - 1)),
        (in_section(SectionType.INDEX, "size", 2**48), 2**48),
        (in_section(SectionType.DATA, "size", 2**64 - 64), 2**64 - 64),
        (in_record(1, "extent_size", 2**40), 2**40),
        (in_record(3, "dims", 2**31, 0), 2**31 * 64 // 2),
        (lambda e: e.put(0, b"GGUF"), 0),
        (lambda e: e.cut(40), len(SMALL)),
        (lambda e: e.cut(22), 64 * 5),
        (in_header("section_count", 65535), 64 * 65535),
    ],
)
def test_a_claim_is_the_largest_size_that_any_number_of_the_file_states(edit: Edit, claim: int) -> None:
    """Sizes of file and sections, counts, extents, products of dimensions that do not wrap."""
    editor = Editor(SMALL)
    edit(editor)
    assert claimed(bytes(editor.data)) == claim

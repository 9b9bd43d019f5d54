"""The text of the specification keeps its own rules, and the tool that says so finds each way of breaking them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tools.specification import (
    Chapter,
    chapters,
    coverage,
    faults_of_coverage,
    faults_of_text,
    main,
    read,
    summary,
)


def test_the_specification_is_whole() -> None:
    """No fault in the text, every required id covered, every id that is named defined."""
    book = chapters()
    assert [*faults_of_text(book), *faults_of_coverage(book, coverage())] == []


def test_what_is_read_from_a_paragraph() -> None:
    """Ids, levels, codes and marks, over several lines, in paragraphs and in lists; examples are left out."""
    chapter = read(
        "model",
        "# Model\n\n**AWQ-MOD-001** A file MUST be good,\nor else. `E_FILE`\n\n"
        "- **AWQ-MOD-002** It SHOULD be\n  small. (untestable: taste)\n"
        "- **AWQ-MOD-003** It MAY. (not yet implemented)\n"
        "```\n**AWQ-MOD-004** MUST\n```\n",
    )
    assert [(r.id, r.level, r.codes, r.untestable, r.later, r.line) for r in chapter.requirements] == [
        ("AWQ-MOD-001", "MUST", ("E_FILE",), "", False, 3),
        ("AWQ-MOD-002", "SHOULD", (), "taste", False, 6),
        ("AWQ-MOD-003", "MAY", (), "", True, 8),
    ]
    assert chapter.requirements[0].text == "A file MUST be good, or else. `E_FILE`"


GOOD = "**AWQ-MOD-001** It MUST.\n"
TEXTS = {
    "twice": (f"{GOOD}\n{GOOD}", "spec/model.md:3: AWQ-MOD-001 is defined twice, first in spec/model.md:1"),
    "gap": (f"{GOOD}\n**AWQ-MOD-003** It MUST.\n", "spec/model.md:3: AWQ-MOD-003: expected number 002 here"),
    "not from 1": ("**AWQ-MOD-002** It MUST.\n", "spec/model.md:1: AWQ-MOD-002: expected number 001 here"),
    "two prefixes": (f"{GOOD}\n**AWQ-CON-002** It MUST.\n", "AWQ-CON-002 has the prefix of chapter container"),
    "no level": ("**AWQ-MOD-001** It must.\n", "AWQ-MOD-001 says neither MUST nor SHOULD nor MAY"),
    "level in code": ("**AWQ-MOD-001** It `MUST`.\n", "AWQ-MOD-001 says neither MUST nor SHOULD nor MAY"),
    "level outside": (f"{GOOD}\nAnd it SHOULD too.\n", "spec/model.md:3: SHOULD outside of a requirement"),
    "undefined": (f"{GOOD}\nSee AWQ-MOD-009.\n", "spec/model.md: AWQ-MOD-009 is not defined"),
    "no such file": (f"{GOOD}\n[x](nowhere.md)\n", "the link nowhere.md leads nowhere"),
    "no such heading": (f"{GOOD}\n# A b\n[x](#a-c)\n", "the link #a-c leads nowhere"),
    "heading elsewhere": (f"{GOOD}\n[x](container.md#model)\n", "the link container.md#model leads nowhere"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_faults_of_a_text(name: str) -> None:
    """Each fault is the only one, on one line."""
    text, expected = TEXTS[name]
    other = read("container", "# Container `x`, y\n\n**AWQ-CON-001** It MUST.\n")
    (fault,) = {fault for fault in faults_of_text([other, read("model", text)]) if "AWQ-CON-002: expected" not in fault}
    assert expected in fault


def test_links_that_lead_somewhere() -> None:
    """Headings are found as code hosts name them; code and addresses are no links of ours."""
    text = f"{GOOD}\n# A `b`, C-d\n# A\n# A\n[x](#a-b-c-d) [y](model.md#a-1) [z](https://a.b) `[q](nowhere.md)`\n"
    assert list(faults_of_text([read("model", text)])) == []


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with no case and no test."""
    (tmp_path / "fixtures").mkdir()
    (tmp_path / "tools/loader/tests").mkdir(parents=True)
    (tmp_path / "awqformat/tests").mkdir(parents=True)
    return tmp_path


def cases(project: Path, *listed: dict[str, Any]) -> None:
    """Write a manifest."""
    (project / "fixtures/manifest.json").write_text(json.dumps({"cases": listed}))


ACCEPT = {"id": "good", "outcome": "accept", "codes": [], "req": ["AWQ-MOD-001"]}
REJECT = {"id": "bad", "outcome": "reject", "codes": ["E_FILE"], "req": ["AWQ-MOD-001"]}
RULE = "**AWQ-MOD-001** It MUST. `E_FILE`"


@pytest.mark.parametrize(
    ("text", "listed", "expected"),
    [
        (RULE, [ACCEPT, REJECT], []),
        (RULE, [ACCEPT], ["AWQ-MOD-001 has no reject case, and no test"]),
        (RULE, [REJECT], ["AWQ-MOD-001 has no accept case, and no test"]),
        (RULE, [], ["AWQ-MOD-001 has no accept and no reject case, and no test"]),
        (f"{RULE} (untestable: taste)", [], []),
        (f"{RULE} (untestable: taste)", [ACCEPT], ["AWQ-MOD-001 is called untestable, but good tests it"]),
        (f"{RULE} (not yet implemented)", [], []),
        (f"> Not yet implemented by the library.\n\n{RULE}", [], []),
        ("**AWQ-MOD-001** It SHOULD.", [], []),
        (RULE, [ACCEPT, REJECT, {**ACCEPT, "req": ["AWQ-MOD-002"]}], ["AWQ-MOD-002 is not defined, but named by good"]),
        (RULE, [ACCEPT, REJECT, {**ACCEPT, "req": []}], ["case good names no requirement"]),
        (RULE, [ACCEPT, {**REJECT, "codes": ["E_IO"]}], ["case bad: AWQ-MOD-001 gives E_FILE, not E_IO"]),
    ],
)
def test_faults_of_coverage(project: Path, text: str, listed: list[dict[str, Any]], expected: list[str]) -> None:
    """A rule needs an accept and a reject case, or a reason; cases name rules that exist, with their codes."""
    cases(project, *listed)
    assert list(faults_of_coverage([read("model", text)], coverage(project), project)) == expected


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("awqformat/tests/test_a.py", '@pytest.mark.req("AWQ-MOD-001")\ndef test_a() -> None:\n    pass\n'),
        ("awqformat/tests/test_a.py", 'CASES = [pytest.param(1, marks=pytest.mark.req("AWQ-MOD-001"))]\n'),
        ("tools/loader/tests/a_test.cpp", "// req: AWQ-CON-001, AWQ-MOD-001\nTEST(a, b) {}\n"),
    ],
)
def test_tests_cover_both_kinds(project: Path, path: str, source: str) -> None:
    """A test that names a requirement covers it alone, in either language."""
    cases(project)
    (project / path).write_text(source)
    found = coverage(project)
    assert found["AWQ-MOD-001"].tests == [path]
    assert list(faults_of_coverage([read("model", RULE)], {"AWQ-MOD-001": found["AWQ-MOD-001"]}, project)) == []


def test_the_figures(project: Path) -> None:
    """Each column counts requirements, a requirement once however many cases it has."""
    cases(project, ACCEPT, ACCEPT, REJECT, {**ACCEPT, "req": ["AWQ-MOD-002"]})
    text = (
        f"{RULE}\n\n**AWQ-MOD-002** It SHOULD.\n\n**AWQ-MOD-003** It MAY. (untestable: taste)\n\n"
        "**AWQ-MOD-004** It MUST. (not yet implemented)\n"
    )
    book = [read("model", text), Chapter("history", "")]
    assert list(summary(book, coverage(project))) == [("model", 4, 2, 1, 0, 1, 1, 1)]


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """With --check only faults are printed; without it, a table with a row per chapter and the total."""
    assert main(["--check"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines][-2:] == ["runtime", "total"]

"""The record of a run: its schema, what it holds, and results taken back from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from click.testing import CliRunner, Result

from awq_conformance.cli import main
from awq_conformance.report import FORMATS, SCHEMA_FILE, record_of, result_of, result_record, write
from awq_conformance.report.sentences import default_folder, sentences
from awq_conformance.verdict import Verdict
from tests import runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from awq_conformance.run import Certification
    from tests.conftest import Zoo

MADE: dict[str, Callable[[], Certification]] = {
    "mixed": runs.mixed,
    "right": runs.right,
    "hostile": runs.hostile,
    "many": lambda: runs.many(20, 10),
}


def invoke(*args: str | Path) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, [str(arg) for arg in args])


def check(record: dict[str, Any]) -> None:
    """Hold a record against the published schema."""
    schema = json.loads(invoke("schema").stdout)
    assert schema == json.loads(SCHEMA_FILE.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(record, schema, jsonschema.Draft202012Validator)


@pytest.mark.parametrize("breed", ["right", "wrong", "nan", "cannot-import", "needs-multiples", "hangs-later"])
def test_every_report_follows_the_published_schema(zoo: Zoo, tmp_path: Path, breed: str) -> None:
    """Conformant, not, inconclusive: the schema printed by the command describes them all."""
    invoke("run", "--corpus", zoo.root, "--timeout", "2", "--report", tmp_path, "--", *zoo.command(breed))
    check(json.loads((tmp_path / "report.json").read_text()))


@pytest.mark.parametrize("name", MADE)
def test_whatever_happens_fits_the_schema(name: str) -> None:
    """Failures of every kind, skips, annotated bytes, a folder that shows one again."""
    check(record_of(MADE[name]()))


def test_the_schema_is_strict() -> None:
    """A key too many or too few, a verdict nobody knows: each is refused."""
    record = record_of(runs.mixed())
    for path in ([], ["results", 1], ["results", 1, "findings", 0], ["adapter"], ["results", 1, "annotated", 0]):
        for edit in ({"new": 1}, None):
            damaged: Any = json.loads(json.dumps(record))
            place = damaged
            for step in path:
                place = place[step]
            if edit:
                place.update(edit)
            else:
                place.popitem()
            with pytest.raises(jsonschema.ValidationError):
                check(damaged)
    record["results"][0]["verdict"] = "FINE"
    with pytest.raises(jsonschema.ValidationError):
        check(record)


def test_the_record_says_what_happened() -> None:
    """Counts by level, cases by requirement, error codes, the explanation, the guilty bytes."""
    record = record_of(runs.mixed())
    assert record["counts"]["MUST"] == {"passed": 3, "skipped": 1, "failed": 3}
    assert record["counts"]["SHOULD"] == {"passed": 0, "skipped": 0, "failed": 1}
    assert record["codes"] == {"matched": 1, "given": 2}
    assert record["requirements"]["AWQ-MOD-009"] == {"passed": [], "skipped": [], "failed": ["model/bad"]}
    assert (record["grade"], record["asked_grade"], record["exit"]) == ("fail", "exact", 1)
    assert record["diagnoses"][0]["cases"] == ["model/bad"]
    assert "SHA-256" in record["sentences"]["AWQ-CON-041"]
    bad = next(result for result in record["results"] if result["id"] == "model/bad")
    assert [region["guilty"] for region in bad["annotated"]] == [True, False]
    assert bad["reproduction"] == {"folder": "repro/model--bad", "note": ""}
    assert list(record).index("diagnoses") < list(record).index("counts") < list(record).index("results")


def test_long_mutations_are_cut() -> None:
    """Of an edit the first bytes are told, and how many there are."""
    record = record_of(runs.right())
    mutation = next(result["mutation"] for result in record["results"] if result["mutation"])
    assert [(e["old_bytes"], len(e["old"]) // 2, e["new_bytes"]) for e in mutation["edits"]] == [
        (1, 1, 1),
        (100, 64, 0),
    ]


@pytest.mark.parametrize("name", MADE)
def test_a_record_is_the_same_every_time(name: str) -> None:
    """Nothing in it depends on when it is written."""
    run = MADE[name]()
    assert json.dumps(record_of(run)) == json.dumps(record_of(run))


@pytest.mark.parametrize("name", MADE)
def test_results_come_back_from_their_records(name: str) -> None:
    """What a run resumes from is what was found, with evidence and grade; of outputs, those of failures are kept."""
    for before in MADE[name]().results.values():
        record = json.loads(json.dumps(result_record(before)))
        after = result_of(record, before.case)
        assert result_record(after) == record
        assert (after.finding.evidence, after.finding.grade) == (before.finding.evidence, before.finding.grade)
        assert after.verdict is before.verdict


def test_the_evidence_says_where_and_how_far(zoo: Zoo) -> None:
    """The last element is wrong: one cell of the heat map, one bar of the histogram."""
    results = {result["id"]: result for result in record_of(zoo.run("wrong"))["results"]}
    evidence = next(f["evidence"] for f in results["toy/big"]["findings"] if f["evidence"])
    assert (evidence["wrong"], evidence["shape"], sum(count for _, count in evidence["histogram"])) == (1, [3, 32], 1)
    assert [row.strip("0") for row in evidence["heat"]] == ["", "", "f"]


def test_only_failures_keep_their_output() -> None:
    """What an adapter prints means nothing unless something went wrong."""
    noisy = runs.result(runs.valid("model/noisy"), tail=b"hello")
    failed = runs.result(runs.valid("model/failed"), Verdict.CRASH, "exit status 1", status=1, tail=b"a\0\x1b[1m\xff")
    outputs = [r["calls"]["dequant"]["output"] for r in record_of(runs.run_of(noisy, failed))["results"]]
    assert outputs == ["", "a��[1m�"]


@pytest.mark.parametrize("name", [name for name, _ in FORMATS.values()])
def test_formats_are_made_again_from_the_record_alone(tmp_path: Path, name: str) -> None:
    """`report PATH --format NAME` prints the file that the run wrote."""
    write(tmp_path, runs.mixed())
    kind = next(kind for kind, (file, _) in FORMATS.items() if file == name)
    assert invoke("report", tmp_path, "--format", kind).stdout == (tmp_path / name).read_text()


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "other"}'])
def test_what_is_no_report_is_a_usage_error(tmp_path: Path, text: str) -> None:
    """One line says so."""
    (tmp_path / "report.json").write_text(text)
    for command in (["report"], ["matrix"]):
        result = invoke(*command, tmp_path)
        assert (result.exit_code, "Traceback" in result.output) == (2, False)


def test_every_requirement_that_a_case_names_has_a_sentence() -> None:
    """The specification beside the suite is read: its sentences, without links."""
    manifest = json.loads((default_folder().parent / "fixtures" / "manifest.json").read_text())
    known = sentences(default_folder())
    named = {requirement for case in manifest["cases"] for requirement in case["req"]}
    assert named - known.keys() == set()
    assert all(text and "](" not in text and "**" not in text for text in known.values())


def test_a_sentence_ends_where_the_next_thing_begins(tmp_path: Path) -> None:
    """A blank line, an item, a heading, a table, a fence; nothing inside a fence is one."""
    items = "- **AWQ-TOY-001** It\n  MUST [be](x.md#y) so.\n- **AWQ-TOY-002** a\n# h\n"
    chapter = f"{items}**AWQ-TOY-003** b\n\n```\n- **AWQ-TOY-004** c\n```\n"
    (tmp_path / "toy.md").write_text(chapter)
    assert sentences(tmp_path) == {"AWQ-TOY-001": "It MUST be so.", "AWQ-TOY-002": "a", "AWQ-TOY-003": "b"}

"""The certificate: when there is one, and that nothing in it or in its report can be changed unseen."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from awq_conformance.cases import load
from awq_conformance.cli import main
from awq_conformance.known import KnownFailure
from awq_conformance.report import CERTIFICATE, REPORT, obstacles, record_of
from awq_conformance.report.certificate import verify
from awq_conformance.verdict import Grade, Verdict
from tests import runs
from tests.conftest import Zoo, make_corpus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Record = dict[str, Any]


def invoke(*args: str | Path) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A toy corpus, and the report folder of a right loader."""
    root = make_corpus(tmp_path_factory.mktemp("corpus"))
    folder = tmp_path_factory.mktemp("right")
    assert invoke("run", "--corpus", root, "--report", folder, "--", *Zoo(root).command("right")).exit_code == 0
    return root, folder


@pytest.fixture
def right(certified: tuple[Path, Path], tmp_path: Path) -> Path:
    """A copy of the right loader's report folder."""
    return shutil.copytree(certified[1], tmp_path / "right")


@pytest.fixture
def root(certified: tuple[Path, Path]) -> Path:
    """The corpus it was certified against."""
    return certified[0]


def problems(folder: Path, root: Path) -> list[str]:
    """Return what speaks against the certificate in ``folder``."""
    return verify(folder, load(root))


def test_a_certificate_holds(right: Path, root: Path) -> None:
    """It is derived again from the report beside it, given the folder or the file."""
    for path in (right, right / CERTIFICATE):
        result = invoke("certificate", "verify", "--corpus", root, path)
        assert (result.exit_code, result.stdout) == (0, "holds: core at grade exact, toy 1\n")


def test_a_certificate_says_what_it_is_about(right: Path, root: Path) -> None:
    """Suite, corpus, adapter, its files and words, counts, grades, modes, seeds, host, and the report it stands on."""
    certificate = json.loads((right / CERTIFICATE).read_text())
    assert certificate["schema"] == "awqc-certificate/2"
    assert certificate["corpus_sha256"] == load(root).sha256
    assert certificate["counts"]["MUST"] == {"passed": 4, "skipped": 0, "failed": 0}
    assert certificate["adapter"]["hello"]["name"] == "zoo"
    assert len(certificate["adapter"]["sha256"]) == 2
    assert (certificate["grade"], certificate["asked_grade"], certificate["modes"]) == ("exact", "exact", ["one-shot"])
    assert {"seed", "holdout", "host", "suite", "version", "profile", "codes", "dtype"} <= certificate.keys()
    assert certificate["report_sha256"] == hashlib.sha256((right / REPORT).read_bytes()).hexdigest()


BOUNDED: dict[str, Any] = {"request": {"grade": Grade.BOUNDED}}
OBSTACLES: list[tuple[Any, bool]] = [
    (runs.right, True),
    (lambda: runs.run_of(runs.result(runs.valid("a"), grade=Grade.BOUNDED), **BOUNDED), True),
    (runs.mixed, False),
    (runs.hostile, False),
    (lambda: runs.right(incomplete="stopped at the first failure"), False),
    (lambda: runs.right(abandoned=True), False),
    (lambda: runs.right(inconclusive="interrupted"), False),
    (lambda: runs.right(request={"known": {"x": KnownFailure("r", "l")}}), False),
    (lambda: runs.right(request={"grade": Grade.FUNCTIONAL}), False),
    (lambda: runs.run_of(runs.result(runs.valid("a"), grade=Grade.FUNCTIONAL), **BOUNDED), False),
    (lambda: runs.right(hello="proto=1 ops=dequant,serve"), False),
    (lambda: runs.run_of(runs.result(runs.valid("a", level="MAY"), Verdict.CRASH, "exit status 1")), True),
]


@pytest.mark.req("AWQ-CNF-031", "AWQ-CNF-034")
@pytest.mark.parametrize(("made", "due"), OBSTACLES)
def test_a_certificate_is_due_only_for_a_whole_conformant_run(made: Any, due: bool) -> None:
    """The report alone tells, and the run agrees."""
    run = made()
    assert (not obstacles(record_of(run)), run.certifies) == (due, due)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield every scalar and every empty collection of a JSON value with its path."""
    if isinstance(value, (dict, list)) and value:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*path, key))
    else:
        yield path, value


def others(value: Any) -> list[Any]:
    """Return values that could stand in the place of one, each digit and each letter class changed in turn."""
    if isinstance(value, bool) or value is None:
        return [not value, 1]
    if isinstance(value, int):
        return [value + 1, -value - 1, float(value), str(value), None]
    if isinstance(value, str):
        changed = [
            value[: match.start()] + new + value[match.end() :]
            for pattern, new in ((r"\d", "7"), (r"[a-f]", "9"), (r"[g-z]", "Q"), (r"[A-Z]", "q"), (r"$", " "))
            for match in [re.search(pattern, value)]
            if match
        ]
        return [*(text for text in changed if text != value), "", None]
    return ["other"]


def test_nothing_in_a_certificate_can_be_changed(right: Path, root: Path) -> None:
    """Every field, every class of digits in it: each is held against the report."""
    original = json.loads((right / CERTIFICATE).read_text())
    tried = 0
    for path, value in leaves(original):
        for other in others(value):
            changed = json.loads(json.dumps(original))
            place = changed
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = other
            (right / CERTIFICATE).write_text(json.dumps(changed))
            assert problems(right, root), (path, other)
            tried += 1
    assert tried > 100


def test_no_key_of_a_certificate_can_be_left_out_or_added(right: Path, root: Path) -> None:
    """It says all of it, and no more."""
    original = json.loads((right / CERTIFICATE).read_text())
    for key in original:
        (right / CERTIFICATE).write_text(json.dumps({k: v for k, v in original.items() if k != key}))
        assert problems(right, root), key
    (right / CERTIFICATE).write_text(json.dumps({**original, "sponsor": "me"}))
    assert problems(right, root) == ['sponsor is "me" in the certificate, expected nothing from report.json']


def test_no_byte_of_the_report_can_be_changed(right: Path, root: Path) -> None:
    """Its digest is in the certificate; every class of characters is tried where it first and last occurs."""
    original = (right / REPORT).read_bytes()
    for kind in (rb"\d", rb"[a-f]", rb"[g-z]", rb"[A-Z]", rb"\s", rb"[\"{}\[\],:]"):
        found = list(re.finditer(kind, original))
        for match in (found[0], found[-1]):
            changed = bytearray(original)
            changed[match.start()] ^= 1
            (right / REPORT).write_bytes(changed)
            assert problems(right, root), match


def resealed(folder: Path, edit: Callable[[Record], object]) -> None:
    """Edit the report, and make the certificate say the same of it, as a forger would."""
    report = json.loads((folder / REPORT).read_text())
    edit(report)
    (folder / REPORT).write_text(json.dumps(report))
    certificate = json.loads((folder / CERTIFICATE).read_text())
    certificate.update({key: report[key] for key in certificate if key in report and key != "schema"})
    certificate["report_sha256"] = hashlib.sha256((folder / REPORT).read_bytes()).hexdigest()
    (folder / CERTIFICATE).write_text(json.dumps(certificate))


def results(record: Record) -> dict[str, Record]:
    """Return the results of a report by id."""
    return {result["id"]: result for result in record["results"]}


def hide(record: Record) -> None:
    """Make a failure, and call the case passed all the same."""
    record["results"][0]["findings"][0]["verdict"] = "WRONG"


def fail_twin(record: Record) -> None:
    """Let a valid file fail as if that decided nothing, and its malformed one pass."""
    twin = results(record)["toy/big"]
    twin["verdict"] = twin["findings"][0]["verdict"] = "CRASH"


def skip(record: Record) -> None:
    """Skip the twin of a case that passes, with everything added up again."""
    from awq_conformance.report.record import counted, tabulated

    twin = results(record)["toy/big"]
    twin["verdict"] = "SKIPPED"
    for finding in twin["findings"]:
        finding["verdict"] = "SKIPPED"
    record.update(counts=counted(record["results"]), requirements=tabulated(record["results"]))


FORGERIES: list[tuple[Callable[[Record], object], str]] = [
    (hide, "its findings say WRONG"),
    (fail_twin, "toy/fault passes, though its twin toy/big does not"),
    (skip, "toy/fault passes, though its twin toy/big does not"),
    (lambda r: r["results"].pop(), "was not run"),
    (lambda r: r["results"].append(r["results"][0]), "two results have the same id"),
    (lambda r: r["results"].append({**r["results"][0], "id": "toy/new"}), "toy/new is no case of this corpus"),
    (lambda r: r["results"][0].update(level="MAY"), "level is 'MAY', the corpus says 'MUST'"),
    (lambda r: results(r)["toy/fault"].update(twin="toy/small"), "twin is 'toy/small', the corpus says"),
    (lambda r: results(r)["toy/fault"].update(outcome="either"), "outcome is 'either', the corpus says 'reject'"),
    (lambda r: results(r)["toy/fault"].update(codes=["E_OTHER"]), "codes is ['E_OTHER'], the corpus says"),
    (lambda r: results(r)["toy/fault"]["calls"]["dequant"].update(status=0), "passes, but dequant ended with status 0"),
    (lambda r: results(r)["toy/big"]["calls"]["dequant"].update(status=65), "passes, but dequant ended with status 65"),
    (lambda r: results(r)["toy/big"]["calls"]["dequant"].update(timed_out=True), "toy/big passes, but dequant ended"),
    (lambda r: results(r)["toy/big"].update(calls={}), "the adapter was never called"),
    (lambda r: results(r)["toy/big"].update(findings=[]), "is not of schema"),
    (lambda r: r["counts"]["MUST"].update(passed=99), "the counts are not those"),
    (lambda r: r["codes"].update(matched=1), "the error codes are not those"),
    (lambda r: r["requirements"].popitem(), "the table of requirements is not that"),
    (lambda r: r["results"][1]["findings"][0].update(grade="functional"), "the findings say functional"),
    (lambda r: r.update(grade="functional"), "grade is functional, which certifies nothing"),
    (lambda r: r.update(asked_grade="functional"), "asked_grade is functional, which certifies nothing"),
    (lambda r: r.update(selection=["toy/*"]), "selection is"),
    (lambda r: r.update(incomplete="interrupted"), "incomplete is"),
    (lambda r: r.update(inconclusive="interrupted"), "inconclusive is"),
    (lambda r: r.update(known_failures={"toy/big": {}}), "known_failures is"),
    (lambda r: r.update(exit=1), "exit is 1"),
    (lambda r: r.update(verdict="NOT_CONFORMANT"), "verdict is"),
    (lambda r: r["adapter"]["hello"].update(ops="dequant,serve"), "though hello lists serve"),
    (lambda r: r.update(corpus_sha256="0" * 64), "the corpus at hand"),
    (lambda r: r.update(suite="other"), 'suite is "other", the corpus at hand has "toy"'),
    (lambda r: r.update(version="2"), 'version is "2", the corpus at hand has "1"'),
    (lambda r: r.update(schema="awqc-report/1"), "the report is of schema"),
    (lambda r: r.update(results=None), "is not of schema"),
    (lambda r: r.update(adapter=3), "is not of schema"),
]


@pytest.mark.parametrize(("edit", "told"), FORGERIES, ids=[told[:40] for _, told in FORGERIES])
def test_a_forged_report_is_seen_through(right: Path, root: Path, edit: Any, told: str) -> None:
    """Even with a digest that matches: what the results say is judged anew."""
    resealed(right, edit)
    found = problems(right, root)
    assert any(told in problem for problem in found), found


def test_a_forger_who_changes_nothing_is_believed(right: Path, root: Path) -> None:
    """The way these tests reseal a report is not what makes it fail."""
    resealed(right, lambda _: None)
    assert problems(right, root) == []


def test_another_adapter_is_not_the_one_certified(right: Path, root: Path, tmp_path: Path) -> None:
    """Its files are hashed again where they are still there."""
    script = tmp_path / "adapter.py"
    script.write_text("print(1)")
    gone = str(tmp_path / "gone")
    resealed(right, lambda record: record["adapter"]["sha256"].update({str(script): "0" * 64, gone: "0" * 64}))
    assert problems(right, root) == [f"{script} is not the file that was certified"]


def test_another_corpus_is_not_the_one_certified_against(right: Path, root: Path, tmp_path: Path) -> None:
    """A corpus that was altered consistently, manifest and all, is another one."""
    other = Path(shutil.copytree(root, tmp_path / "other"))
    manifest = other / "manifest.json"
    manifest.write_text(manifest.read_text() + "\n")
    assert any("the corpus at hand has" in problem for problem in problems(right, other))


@pytest.mark.parametrize("name", [CERTIFICATE, REPORT])
@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b'{"a":', b"[" * 100000, None], ids=repr)
def test_what_cannot_be_read_does_not_hold(right: Path, root: Path, name: str, data: bytes | None) -> None:
    """One line says why, whatever is in the files, or that they are gone."""
    if data is None:
        (right / name).unlink()
    else:
        (right / name).write_bytes(data)
    found = problems(right, root)
    assert found
    assert all("\n" not in problem for problem in found)


def test_the_random_file_is_part_of_a_certified_run(certified: tuple[Path, Path]) -> None:
    """Where a profile makes one; the order and state cases as well."""
    from awq_conformance.cases import default_root
    from awq_conformance.report.audit import audited

    record = json.loads((certified[1] / REPORT).read_text())
    told = list(audited(record, load(default_root())))
    assert f"fresh/{record['seed']} was not run" in told
    assert "state/a-b-a was not run" in told

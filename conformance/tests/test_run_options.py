"""Options of ``run``: what may fail, what is left out, what is taken up again, who is compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from awq_conformance import journal
from awq_conformance.cases import load
from awq_conformance.cli import main
from awq_conformance.run import Request

if TYPE_CHECKING:
    from tests.conftest import Zoo

REASON = {"reason": "the last element is off", "link": "https://example.org/1"}


def run(zoo: Zoo, breed: str, *options: str | Path) -> Result:
    """Certify one breed."""
    args = ["run", "--corpus", zoo.root, *options, "--", *zoo.command(breed)]
    return CliRunner().invoke(main, [str(arg) for arg in args])


def listed(folder: Path, *cases: str, **entry: str) -> Path:
    """Write a list of known failures."""
    path = folder / "known.json"
    path.write_text(json.dumps(dict.fromkeys(cases, entry or REASON)))
    return path


@pytest.mark.req("AWQ-CNF-033", "AWQ-CNF-034")
def test_known_failures_do_not_decide_but_cost_the_certificate(zoo: Zoo, tmp_path: Path) -> None:
    """Every case that fails is listed, twins too; the run is a success that certifies nothing."""
    known = listed(tmp_path, "toy/big", "toy/fault")
    result = run(zoo, "wrong", "--known-failures", known, "--report", tmp_path / "report")
    assert result.exit_code == 0, result.output
    assert "2 known failures: no certificate" in result.stdout
    assert not (tmp_path / "report" / "certificate.json").exists()


@pytest.mark.req("AWQ-CNF-033")
@pytest.mark.parametrize(
    ("cases", "told"),
    [
        (("toy/big", "toy/fault", "toy/small"), "toy/small is listed as a known failure, but it is PASS"),
        (("toy/big", "toy/fault", "toy/gone"), "names 'toy/gone', which was not run"),
    ],
)
def test_a_stale_list_is_inconclusive(zoo: Zoo, tmp_path: Path, cases: tuple[str, ...], told: str) -> None:
    """One that passes and one that is not there must come off the list."""
    result = run(zoo, "wrong", "--known-failures", listed(tmp_path, *cases))
    assert result.exit_code == 3
    assert told in result.stdout


@pytest.mark.req("AWQ-CNF-033")
@pytest.mark.parametrize(
    "text",
    ['{"toy/big": {"reason": "", "link": "x"}}', '{"toy/big": {"reason": "x"}}', "[]", "{", '{"a": 1, "a": 1}'],
)
def test_a_list_without_reasons_is_a_usage_error(zoo: Zoo, tmp_path: Path, text: str) -> None:
    """Reason and link are part of the list."""
    (tmp_path / "known.json").write_text(text)
    result = run(zoo, "wrong", "--known-failures", tmp_path / "known.json")
    assert result.exit_code == 2
    assert "known.json" in result.output
    assert "Traceback" not in result.output


@pytest.mark.req("AWQ-CNF-029", "AWQ-CNF-031")
@pytest.mark.parametrize(
    ("asked", "status", "certified"), [("exact", 1, None), ("bounded", 0, "bounded"), ("functional", 0, None)]
)
def test_a_grade_that_is_asked_for_is_named(
    zoo: Zoo, tmp_path: Path, asked: str, status: int, certified: str | None
) -> None:
    """A loader one ulp off is bounded and certified as such; at grade functional nobody is."""
    result = run(zoo, "one-ulp-off", "--grade", asked, "--report", tmp_path)
    assert result.exit_code == status, result.output
    certificate = tmp_path / "certificate.json"
    assert (json.loads(certificate.read_text())["grade"] if certificate.exists() else None) == certified
    if status == 0:
        assert "CONFORMANT at grade bounded" in result.stdout


def test_fail_fast_stops_at_the_first_failure(zoo: Zoo, tmp_path: Path) -> None:
    """It decides, and the report says that the run was not finished."""
    result = run(zoo, "wrong", "--fail-fast", "-j", "1", "--report", tmp_path)
    assert result.exit_code == 1
    assert "stopped at the first failure" in result.stdout
    assert len(json.loads((tmp_path / "report.json").read_text())["results"]) < 5


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (["--req", "AWQ-TOY-001", "--case", "*/small"], {"toy/small"}),
        (["--req", "AWQ-TOY-001", "--case", "*/fault"], {"toy/big", "toy/fault"}),
    ],
)
def test_a_case_must_match_every_kind_of_selection(zoo: Zoo, tmp_path: Path, options: list[str], ids: set[str]) -> None:
    """Globs, requirements and flags narrow each other; twins come along."""
    assert run(zoo, "right", *options, "--report", tmp_path).exit_code == 0
    assert {result["id"] for result in json.loads((tmp_path / "report.json").read_text())["results"]} == ids


def request(zoo: Zoo, breed: str, seed: int) -> Request:
    """Return what the command asks for by default."""
    return Request(tuple(zoo.command(breed)), load(zoo.root), "core", seed=seed)


def cut_short(zoo: Zoo, folder: Path, *, seed: int = 7) -> None:
    """Leave what a run that was killed after two cases leaves, the last line torn."""
    whole = zoo.run("right", globs=("toy/big", "toy/fault"))
    with journal.owned(folder), journal.begun(folder, request(zoo, "right", seed)) as write:
        for result in whole.results.values():
            write(result)
    with (folder / journal.NAME).open("a") as file:
        file.write('{"id": "toy/sm')


def test_an_unfinished_run_is_taken_up_again(zoo: Zoo, tmp_path: Path) -> None:
    """What was judged is not run again, and the end is that of a whole run."""
    cut_short(zoo, tmp_path)
    before = (tmp_path / journal.NAME).read_text().splitlines()
    result = run(zoo, "right", "--report", tmp_path, "--resume")
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "report.json").read_text())
    assert (len(report["results"]), report["seed"]) == (5, 7)
    assert (tmp_path / "certificate.json").exists()
    assert not (tmp_path / journal.NAME).exists()
    assert len(before) == 4


@pytest.mark.parametrize(
    ("breed", "options", "told"),
    [
        ("wrong", [], "the run to resume has another adapter"),
        ("right", ["--case", "toy/*"], "the run to resume has another selection"),
        ("right", ["--grade", "bounded"], "the run to resume has another grade"),
    ],
)
def test_only_the_same_run_is_taken_up(zoo: Zoo, tmp_path: Path, breed: str, options: list[str], told: str) -> None:
    """Anything a result depends on must be as it was; the journal stays."""
    cut_short(zoo, tmp_path)
    result = run(zoo, breed, "--report", tmp_path, "--resume", *options)
    assert (result.exit_code, told in result.output) == (2, True), result.output
    assert (tmp_path / journal.NAME).exists()


def test_there_must_be_something_to_resume(zoo: Zoo, tmp_path: Path) -> None:
    """A folder without a journal, and no folder at all, are usage errors."""
    assert "there is no unfinished run to resume" in run(zoo, "right", "--report", tmp_path, "--resume").output
    assert "--resume needs the --report folder" in run(zoo, "right", "--resume").output


def test_two_runs_cannot_share_a_folder(zoo: Zoo, tmp_path: Path) -> None:
    """The second one ends at once and leaves the first alone."""
    with journal.owned(tmp_path):
        result = run(zoo, "right", "--report", tmp_path)
    assert result.exit_code == 3
    assert "another run is writing its report there" in result.output


def test_several_loaders_are_compared(zoo: Zoo, tmp_path: Path) -> None:
    """Each has its own report; the worst outcome is the exit status."""
    loaders = [f"--loader={name}={' '.join(zoo.command(name))}" for name in ("right", "wrong")]
    args = ["run", "--corpus", str(zoo.root), "--report", str(tmp_path), *loaders]
    result = CliRunner().invoke(main, args)
    assert result.exit_code == 1
    outcomes = {name: json.loads((tmp_path / name / "report.json").read_text())["exit"] for name in ("right", "wrong")}
    assert outcomes == {"right": 0, "wrong": 1}


@pytest.mark.parametrize("loader", ["right", "=x", "a/b=x", "name='"])
def test_a_loader_to_compare_has_a_name_and_a_command(zoo: Zoo, loader: str) -> None:
    """Anything else is a usage error."""
    result = CliRunner().invoke(main, ["run", "--corpus", str(zoo.root), "--loader", loader])
    assert result.exit_code == 2

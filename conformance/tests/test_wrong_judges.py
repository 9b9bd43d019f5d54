"""Judges that judge wrongly: each is a small change of the judging code, and some breed of the zoo is there to notice.

What a wrong loader is to the suite, a wrong judge is to its tests: for every line that decides there is a breed whose
verdict hangs on it alone.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from awq_conformance.protocol import RunnerExit
from awq_conformance.verdict import Finding, Verdict
from tests import conftest
from tests.edited import Edit, suite
from tests.wrong_judges import CONFORMANT, JUDGES, NOT_CONFORMANT, WITNESSES, Judge, Trial

FOLDER = Path(__file__).parent
CORPORA = TemporaryDirectory()


@cache
def corpus(name: str) -> Path:
    """Return a corpus, made once: in ``lenient`` toy/big decides nothing, in ``undecided`` toy/open may be rejected."""
    maker = conftest.Maker(Path(CORPORA.name) / name)
    conftest.add_cases(maker)
    if name == "lenient":
        next(case for case in maker.cases if case["id"] == "toy/big")["level"] = "SHOULD"
    if name == "undecided":
        maker.add("open", conftest.toy(conftest.BIG), conftest.BIG, outcome="either")
    return maker.manifest()


def ended(trial: Trial, *edits: Edit) -> RunnerExit:
    """Return how the trial ends before a suite with these edits."""
    file = FOLDER / ("serving_breeds.py" if trial.serves else "breeds.py")
    command = (sys.executable, "-I", "-S", str(file), trial.breed)
    with suite(*edits) as run:
        request = run.Request(
            command,
            sys.modules["awq_conformance.cases"].load(corpus(trial.corpus)),
            "core",
            run.Selection(trial.cases),
            jobs=2,
            timeout=trial.timeout,
            grade=run.Grade[trial.grade],
        )
        return RunnerExit(run.certify(request, lambda _: None).exit)


@cache
def rightly(trial: Trial) -> RunnerExit:
    """Return how the trial ends before the suite as it is; asked once, however many judges it is to show."""
    return ended(trial)


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give breeds that change their mind a place of their own to remember."""
    monkeypatch.setenv("ZOO_STATE", str(tmp_path / "state"))


@pytest.mark.parametrize("wrong", JUDGES, ids=lambda judge: judge.what)
def test_a_wrong_judge_lets_a_breed_get_by(wrong: Judge, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The breed gets the exit status it should, and another one once that line is wrong."""
    assert rightly(wrong.trial) is wrong.due
    monkeypatch.setenv("ZOO_STATE", str(tmp_path / "another"))
    assert ended(wrong.trial, *wrong.edits) is wrong.got


@pytest.mark.parametrize("verdict", [verdict for verdict in Verdict if Finding(verdict, "").failed], ids=str)
def test_every_verdict_is_all_that_stands_between_some_breed_and_a_certificate(
    verdict: Verdict, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A breed that fails by one verdict is conformant to a judge who does not count it."""
    failing = "(Verdict.PASS, Verdict.SKIPPED)"
    assert rightly(WITNESSES[verdict]) is NOT_CONFORMANT
    monkeypatch.setenv("ZOO_STATE", str(tmp_path / "another"))
    forgiving = ("verdict", failing, f"{failing[:-1]}, Verdict.{verdict.name})")
    assert ended(WITNESSES[verdict], forgiving) is CONFORMANT


def test_a_change_that_fits_no_more_is_no_judge() -> None:
    """Text that is not there once, or is there twice, is an error: no edit may pass for one that was made."""
    for old in ("this is not in it", "Verdict"):
        with pytest.raises(ImportError, match=r"expected once in judge\.py, got"), suite(("judge", old, "")):
            pass

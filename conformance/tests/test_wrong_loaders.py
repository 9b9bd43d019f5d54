"""The wrong loaders: that they are what they say, that the recorded matrix is theirs, that its gates shut."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from awq_conformance.cases import default_root, load
from awq_conformance.diagnosis import EXPLANATIONS
from awq_conformance.fresh import make_large
from awq_conformance.protocol import RunnerExit
from zoo import build, every, kills
from zoo.edit import EDITS, SOURCES, Change, Edit, StaleEditError
from zoo.kills import Matrix, Outcome
from zoo.mutant import LOADERS, MUTANTS
from zoo.nursery import nursery
from zoo.trials import case_ids, outcomes

RECORDED: dict[str, Any] = json.loads((Path(__file__).parents[1] / "kills.json").read_text(encoding="utf-8"))
STALE = "make kills computes KILLS.md and kills.json anew"


def test_every_wrong_loader_has_one_family_and_a_reason_for_what_is_not_asked_of_it() -> None:
    """A loader is Python or a change of the core; its explanation is one of the closed list."""
    assert LOADERS.keys() | EDITS.keys() == MUTANTS.keys()
    assert not LOADERS.keys() & EDITS.keys()
    families = {module.__name__.rpartition(".")[2] for module in (*every.FAMILIES, *every.CORE)}
    for mutant in MUTANTS.values():
        assert mutant.family in families
        assert mutant.explanation is None or mutant.explanation in EXPLANATIONS
        assert mutant.bug.endswith(".")


@pytest.mark.parametrize("name", EDITS)
def test_every_change_fits_the_core_as_it_is(name: str) -> None:
    """The text to be changed is there, once, and something else stands there afterwards."""
    texts = EDITS[name].texts()
    changed = {file for file, text in texts.items() if text != (SOURCES / file).read_text("utf-8")}
    assert changed == {change.file for change in EDITS[name].changes}
    assert any(file.endswith(".cpp") for file in texts)


@pytest.mark.parametrize("old", ["nothing of the kind", "const"])
def test_a_change_that_fits_no_more_is_an_error(old: str) -> None:
    """No wrong loader is built of a core that was left as it is, nor of one changed in two places."""
    stale = Edit("stale", (Change("dequantize.cpp", old, ""),))
    count = (SOURCES / "dequantize.cpp").read_text("utf-8").count(old)
    with pytest.raises(StaleEditError, match=f"stale: expected once in dequantize.cpp, got {count} times: '{old}'"):
        stale.texts()


def test_the_recorded_matrix_is_of_these_cases_and_these_loaders() -> None:
    """Whoever adds a case or a loader computes the matrix again."""
    assert RECORDED["cases"] == [*case_ids(load(default_root()))], STALE
    recorded = {row["name"]: (row["family"], row["bug"], row["due"]) for row in RECORDED["loaders"]}
    assert recorded == {m.name: (m.family, m.bug, m.explanation) for m in MUTANTS.values()}, STALE


SOME = (
    "right",
    "high-nibble-first",
    "zeros-unpadded",
    "no-chunk-digests",
    "inspects-front-only",
    "rejects-symmetric",
    "segfault-past-end",
    "cached-by-name",
    "right-hf-gemm",
    "gemm-in-sequence",
    "gptq-sum-carries",
    "ct-pack-accepts-shard",
    "cpp-right",
    "cpp-one-switch-arm",
    "cpp-files-kept-by-path",
    "cpp-exits-1",
)


def test_some_loaders_are_caught_as_the_recorded_matrix_has_it(tmp_path: Path) -> None:
    """One of each kind, in Python and in C++, by the same cases and with the same explanations."""
    rows = {row["name"]: row for row in RECORDED["loaders"]}
    cases = RECORDED["cases"]
    for outcome in outcomes(SOME, make_large(tmp_path), jobs=2):
        assert outcome.problem == ""
        row = rows.get(outcome.name, {"kills": [], "given": []})
        assert [case for case in outcome.kills if case in cases] == [cases[number] for number in row["kills"]], STALE
        assert list(outcome.explanations) == row["given"], STALE


def test_a_loader_made_of_the_core_is_called_where_it_was_built() -> None:
    """With the options of its change; Python knows nothing of it."""
    assert build.command("cpp-f16-cut")[1:] == ("--dtype", "f16")
    assert not build.is_built("right")
    with pytest.raises(KeyError):
        every.make("cpp-f16-cut")


# The gates: each must shut.

FINE = ("container/small", "model/odd-groups")


def outcome(name: str, ended: RunnerExit, *cases: str, given: tuple[str, ...] = (), inconclusive: str = "") -> Outcome:
    """Return what might have become of a loader."""
    return Outcome(name, ended, inconclusive, cases, (), given)


GATES = [
    (outcome("right", RunnerExit.CONFORMANT), ""),
    (outcome("right", RunnerExit.NOT_CONFORMANT, "a", "b"), "right is right, and was not found so: a, b"),
    (outcome("right", RunnerExit.INCONCLUSIVE, inconclusive="why"), "right is right, and was not found so: why"),
    (outcome("zero-added", RunnerExit.NOT_CONFORMANT, *FINE), ""),
    (outcome("zero-added", RunnerExit.CONFORMANT), "zero-added survives: CONFORMANT"),
    (outcome("zero-added", RunnerExit.INCONCLUSIVE, inconclusive="hm"), "zero-added survives: INCONCLUSIVE hm"),
    (outcome("zero-added", RunnerExit.NOT_CONFORMANT, "a"), "zero-added is caught by one case only: a"),
    (outcome("bool-tidied", RunnerExit.NOT_CONFORMANT, "a"), ""),
    (
        outcome("bool-tidied", RunnerExit.NOT_CONFORMANT, "a", "b"),
        "bool-tidied is marked as caught by one case, and is by 2",
    ),
    (outcome("cpp-exits-1", RunnerExit.INCONCLUSIVE, inconclusive=MUTANTS["cpp-exits-1"].stopped + ": so"), ""),
    (outcome("cpp-exits-1", RunnerExit.INCONCLUSIVE, inconclusive="else"), "cpp-exits-1 survives: INCONCLUSIVE else"),
    (outcome("cpp-exits-1", RunnerExit.NOT_CONFORMANT, "a", "b"), "cpp-exits-1 survives: NOT_CONFORMANT"),
    (outcome("cpp-wrong-code", RunnerExit.CONFORMANT), ""),
    (
        outcome("cpp-wrong-code", RunnerExit.NOT_CONFORMANT, "a"),
        "cpp-wrong-code is marked as one that survives, and does not: a",
    ),
    (outcome("cpp-static-scratch", RunnerExit.NOT_CONFORMANT, "a"), ""),
]


@pytest.mark.parametrize(("result", "problem"), GATES, ids=[f"{o.name} {o.exit.name} {len(o.kills)}" for o, _ in GATES])
def test_what_falls_short_of_a_loader(result: Outcome, problem: str) -> None:
    """Right loaders pass, wrong ones are caught by two cases, and every exception is still one."""
    assert result.problem == problem


def test_what_falls_short_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Explanations, idle cases, and cases that are marked as idle and are not."""
    named = outcome("zero-added", RunnerExit.NOT_CONFORMANT, *FINE, given=("zeros-added",))
    misnamed = outcome("zeros-signed", RunnerExit.NOT_CONFORMANT, *FINE, given=("codes-signed", "zeros-signed"))
    blanket = outcome("accepts-all", RunnerExit.NOT_CONFORMANT, *FINE, "model/idle", given=("check-missing",))
    assert Matrix((named,), FINE).problems() == []
    assert Matrix((named, misnamed), FINE).problems() == ["1 of 2 are explained rightly, expected 90%"]
    assert Matrix((named, blanket), (*FINE, "model/idle")).problems() == ["model/idle catches nobody"]
    monkeypatch.setattr(kills, "IDLE", {FINE[0]: "for history", "model/idle": "for history"})
    assert Matrix((named, blanket), (*FINE, "model/idle")).problems() == [
        "container/small is marked, and catches ['zero-added']"
    ]


# The nursery


@contextmanager
def calling(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Call a loader and yield the process that stands for it."""
    with nursery() as command:
        process = subprocess.Popen((*command, *words), stdout=subprocess.PIPE)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


def test_a_loader_whose_caller_is_killed_is_ended(tmp_path: Path) -> None:
    """One that waits for ever would go on after a time limit: its output ends when it does."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    # The writing end opens once the loader has opened the other.
    with calling("opens-anything", "dequant", str(pipe), str(tmp_path)) as process, pipe.open("wb"):
        process.kill()
        assert process.stdout is not None
        assert process.stdout.read() == b""


def test_a_loader_runs_where_its_caller_does_and_ends_as_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Working directory, files and exit status are those of a process of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    with calling("right", "hello", "-", "out") as process:
        assert process.wait(60) == 0
    assert (tmp_path / "out" / "hello.txt").read_text().startswith("proto=1 name=zoo-right ")
    with calling("right", "nonsense", "-", "out") as process:
        assert process.wait(60) == 69

"""Order and state: a loader must not mistake one file for another it has seen, nor depend on where a file lies."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from awq_conformance.adapter import Bounds, bounds_of
from awq_conformance.judge import CaseResult, judge
from awq_conformance.protocol import DEQUANT, AdapterExit
from awq_conformance.verdict import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from awq_conformance.adapter import Caller, Observation
    from awq_conformance.cases import Case
    from awq_conformance.probes import Footing

NOT_ACCEPTED: Final = "anything but exit status 0"
REFUSED: Final = "exit status 65 or 69"


@dataclass(frozen=True)
class Step:
    """One call: ``place`` puts a file into a folder and returns its path; ``due`` is the case whose answer is right.

    Where no case has the answer, ``due`` says what is asked for.
    """

    place: Callable[[Path], Path]
    due: Case | str


@dataclass(frozen=True)
class Scenario:
    """A short story of calls, in one folder and, with serve, in one process."""

    id: str
    title: str
    req: tuple[str, ...]
    steps: tuple[Step, ...]


def scenarios(first: Case, second: Case, malformed: Case) -> tuple[Scenario, ...]:
    """Return all scenarios, made of two valid cases that differ and a malformed one."""

    def at(name: str, case: Case) -> Step:
        return Step(lambda folder: _replace(folder / name, case), case)

    return (
        Scenario("a-b-a", "the same file again after another", (), (at("a", first), at("b", second), at("a", first))),
        Scenario(
            "same-path-new-bytes",
            "one path that holds another file each time",
            (),
            (at("model.awq", first), at("model.awq", second), at("model.awq", first)),
        ),
        Scenario(
            "after-malformed",
            "valid files after malformed ones",
            (),
            (at("bad", malformed), at("a", first), at("bad", malformed), at("bad", malformed), at("b", second)),
        ),
        Scenario(
            "removed",
            "a file that is gone the second time",
            ("AWQ-CON-009",),
            (at("model.awq", first), Step(_remove, NOT_ACCEPTED), at("model.awq", second)),
        ),
        Scenario(
            "read-only-folder",
            "a read-only file in a read-only folder",
            (),
            (Step(lambda folder: _read_only(folder, first), first),),
        ),
        Scenario(
            "odd-paths",
            "paths with spaces, quotes, a dash in front, letters beyond ASCII",
            (),
            tuple(at(name, case) for name, case in zip(_ODD_NAMES, (first, second) * len(_ODD_NAMES), strict=False)),
        ),
        Scenario("directory", "a directory instead of a file", ("AWQ-CNF-005",), (Step(_directory, REFUSED),)),
        Scenario("fifo", "a named pipe that nobody writes to", ("AWQ-CON-077",), (Step(_fifo, REFUSED),)),
    )


_ODD_NAMES: Final = ("with two  spaces.awq", "-dash.awq", 'it\'s "quoted" $HOME `x`.awq', "größe-重み.awq", "no-ending")


def play(scenario: Scenario, case: Case, footing: Footing) -> CaseResult:
    """Act ``scenario`` in every mode; ``case`` is what its result is filed under."""
    findings: list[Finding] = []
    calls = {}
    for caller in footing.callers:
        with footing.one_shot.folders.fresh() as folder:
            for number, step in enumerate(scenario.steps, 1):
                path = step.place(folder)
                seen = _call(caller, path, step, footing)
                if seen is None:
                    break
                calls[f"{caller.mode} step {number}"] = seen.execution
                finding = _judge(step, seen, footing)
                findings.append(replace(finding, detail=finding.detail and f"step {number}: {finding.detail}"))
                if finding.failed:
                    break
            folder.chmod(0o755)
    return CaseResult(case, tuple(findings or [Finding(Verdict.SKIPPED, DEQUANT, "serve was given up")]), calls)


def case_of(scenario: Scenario, model: Case) -> Case:
    """Return the scenario as a case of its own: ``model`` lends profile and place."""
    return replace(
        model,
        id=f"state/{scenario.id}",
        title=scenario.title,
        req=scenario.req,
        level="MUST",
        flags=("state",),
        recipe="state",
        seed="",
        made=True,
        comment="",
    )


def choose(cases: Sequence[Case]) -> tuple[Case, Case, Case] | None:
    """Return two small valid cases with different answers and a small malformed one; None where there are none such."""
    valid = sorted((c for c in cases if c.outcome == "accept" and any(t.quantised for t in c.expect)), key=_size)
    second = next((case for case in valid[1:] if _answer(case) != _answer(valid[0])), None)
    malformed = min((case for case in cases if case.outcome == "reject" and not case.made), key=_size, default=None)
    return (valid[0], second, malformed) if second is not None and malformed is not None else None


def _size(case: Case) -> tuple[int, str]:
    return case.size, case.id


def _answer(case: Case) -> list[str]:
    return [tensor.sha256 for tensor in case.expect]


def _call(caller: Caller, path: Path, step: Step, footing: Footing) -> Observation | None:
    timeout = footing.terms.limits[caller.mode].timeout
    bounds = Bounds(timeout) if isinstance(step.due, str) else bounds_of(step.due, timeout)
    return next(iter(caller.ask([DEQUANT], str(path), bounds)), None)


def _judge(step: Step, seen: Observation, footing: Footing) -> Finding:
    if not isinstance(step.due, str):
        return judge(step.due, seen, footing.terms, skippable=False)
    refused = seen.execution.status in (AdapterExit.REJECTED, AdapterExit.UNSUPPORTED)
    if seen.execution.timed_out:
        return Finding(Verdict.TIMEOUT, seen.op, str(seen.execution), mode=seen.mode)
    if seen.accepted:
        return Finding(Verdict.OVER_ACCEPT, seen.op, f"expected {step.due}, got {seen.execution}", mode=seen.mode)
    if step.due == REFUSED and not refused:
        return Finding(Verdict.CRASH, seen.op, f"expected {step.due}, got {seen.execution}", mode=seen.mode)
    return Finding(Verdict.PASS, seen.op, mode=seen.mode)


def _replace(path: Path, case: Case) -> Path:
    # As a program that saves a model does it: a new file takes the name of the old one.
    fresh = path.with_name(".incoming")
    shutil.copyfile(case.input, fresh)
    return fresh.replace(path)


def _remove(folder: Path) -> Path:
    path = folder / "model.awq"
    path.unlink()
    return path


def _read_only(folder: Path, case: Case) -> Path:
    path = _replace(folder / "model.awq", case)
    path.chmod(0o444)
    folder.chmod(0o555)
    return path


def _directory(folder: Path) -> Path:
    path = folder / "model.awq"
    path.mkdir()
    return path


def _fifo(folder: Path) -> Path:
    path = folder / "model.awq"
    os.mkfifo(path)
    return path

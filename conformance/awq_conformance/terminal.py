"""What people see: progress while it runs, then only news, failures first, then one verdict."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from awq_conformance import report
from awq_conformance.protocol import ONE_SHOT, RunnerExit
from awq_conformance.report.matrix import matrix_of
from awq_conformance.report.words import MADE_BY, command_again
from awq_conformance.reproduction import kind_of
from awq_conformance.screen import printable, profiled, put
from awq_conformance.verdict import MEANING, Grade, Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from awq_conformance.diagnosis.names import Diagnosis
    from awq_conformance.judge import CaseResult
    from awq_conformance.run import Certification

_SHOWN: Final = 8  # kinds of failures told in full; the report has them all
_ALIKE_SHOWN: Final = 3
_CODES_SHOWN: Final = 5
_TAIL_LINES: Final = 8
_BAD: Final = "bold red"
_GOOD: Final = "bold green"


class Watch:
    """A progress bar on a terminal; elsewhere one line on standard error."""

    def __init__(self, console: Console, profile: str) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task(f"{profile}: probes", total=None)
        self._profile = profile
        self._failed = 0

    def __enter__(self) -> Watch:
        """Start drawing."""
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the bar."""
        self._progress.stop()

    def __call__(self, news: CaseResult | int | str) -> None:
        """Take the number of cases, or one more result, or what is done after the last of them."""
        if isinstance(news, str):
            self._progress.update(self._task, description=f"{self._profile}: {news}")
            return
        if isinstance(news, int):
            if self._progress.disable:
                print(f"{self._profile}: {news} cases", file=sys.stderr, flush=True)
            self._progress.update(self._task, total=news, description=self._profile)
            return
        self._failed += news.finding.failed
        suffix = f" ({self._failed} failed)" if self._failed else ""
        self._progress.update(self._task, advance=1, description=f"{self._profile}{suffix}")


def tell(console: Console, run: Certification, written: list[Path]) -> None:
    """Print the outcome of a run: why first, then what, then the verdict."""
    for diagnosis in run.diagnoses:
        tell_diagnosis(console, diagnosis)
    own = [result for result in run.failures if result.verdict is not Verdict.TWIN_FAILED]
    orphaned = len(run.failures) - len(own)
    shown: dict[tuple[Verdict, str, str], list[CaseResult]] = {}
    for result in own:
        shown.setdefault(kind_of(result), []).append(result)
    for alike in list(shown.values())[:_SHOWN]:
        tell_failure(console, alike[0], alike[1:])
        for result in [one for one in alike if one.case.id in run.reproductions] or alike[:1]:
            _tell_reproduction(console, run, result.case.id)
    if len(shown) > _SHOWN:
        rest = sum(map(len, list(shown.values())[_SHOWN:]))
        put(console, (f"... and {rest} more failures", _BAD), (" (all of them: --report DIR)", ""))
    if orphaned:
        put(console, (f"{Verdict.TWIN_FAILED.value} {orphaned}", _BAD), (f" {MEANING[Verdict.TWIN_FAILED]}", ""))
    if run.inconclusive:
        put(console, ("INCONCLUSIVE ", _BAD), (run.inconclusive, ""))
        _tell_tail(console, run.tail)
        if run.adapter_fails:
            put(
                console,
                ("  why, and what to do: ", ""),
                (
                    f"{profiled('doctor', run.request.profile)} -- {shlex.join(run.request.command)}",
                    "bold",
                ),
            )
        if run.results:
            put(console, (f"  {len(run.results)} cases were judged before that", ""))
    else:
        _tell_verdict(console, run)
    for path in written:
        put(console, ("wrote ", "dim"), (str(path), ""))


def tell_diagnosis(console: Console, diagnosis: Diagnosis) -> None:
    """Print why the loader is wrong, and what that was measured by."""
    put(console, ("WHY ", _BAD), (diagnosis.sentence, "bold"), (f"  {diagnosis.name}", "dim"))
    for line in diagnosis.measured.splitlines():
        put(console, (f"  {line}", ""))


def tell_failure(console: Console, result: CaseResult, alike: list[CaseResult]) -> None:
    """Print one failure: verdict, place, what is expected and what came; and the ids of those ``alike``."""
    case, finding = result.case, result.finding
    mode = "" if finding.mode == ONE_SHOT else f" ({finding.mode})"
    put(console, (finding.verdict.value, _BAD), (f" {case.id}", "bold"), (f"  {finding.op}{mode}", "dim"))
    names = {tensor.number: tensor.name for tensor in case.expect}
    place = "" if finding.tensor is None else f"tensor {finding.tensor} {names.get(finding.tensor, '')}: {finding.what}"
    gap = " " if place and not finding.detail.startswith("[") else ""
    put(console, (f"  {place}{gap}{finding.detail}", ""))
    level = "" if case.level == "MUST" else f" ({case.level}: does not decide)"
    put(console, (f"  {case.title}{level}", "dim"), (f"  {' '.join(case.req)}", "dim"))
    if case.recipe in MADE_BY:
        put(console, (f"  {MADE_BY[case.recipe]} {case.seed} makes this input again", "dim"))
    if finding.op in result.calls and finding.verdict in (Verdict.CRASH, Verdict.TIMEOUT, Verdict.OVER_REJECT):
        _tell_tail(console, result.calls[finding.op].tail)
    if alike:
        ids = ", ".join(other.case.id for other in alike[:_ALIKE_SHOWN])
        more = f" and {len(alike) - _ALIKE_SHOWN} more" if len(alike) > _ALIKE_SHOWN else ""
        put(console, (f"  alike: {ids}{more}", "dim"))


def _tell_reproduction(console: Console, run: Certification, case: str) -> None:
    shown, folder = run.reproductions.get(case), run.request.report
    if shown is not None and shown.folder is not None and folder is not None:
        put(console, ("  again: ", "dim"), (shlex.join(["sh", str(folder / shown.folder / "run.sh")]), ""))
        return
    if shown is not None:
        put(console, (f"  not shown again: {shown.note}", "dim"))
    put(console, ("  again: ", "dim"), (command_again(case, run.request.profile, run.request.command), ""))


def _tell_verdict(console: Console, run: Certification) -> None:
    footing, request = run.footing, run.request
    conformant = run.exit is RunnerExit.CONFORMANT
    verdict = "CONFORMANT" if conformant else "NOT CONFORMANT"
    scope = " on the selected cases" if request.selection.words else ""
    dtype = f", output {footing.terms.dtype}" if footing else ""
    put(
        console,
        (f"{request.profile}: {verdict}", _GOOD if conformant else _BAD),
        (f"{scope} at grade {run.grade if conformant else request.grade}{dtype}, {' and '.join(run.modes)}", ""),
    )
    for level, count in report.counts(run).items():
        if any(count.values()):
            told = ", ".join(f"{number} {name}" for name, number in count.items() if number or name == "passed")
            put(console, (f"  {level:6} {told}", ""))
    for condition, text in (
        (run.incomplete, run.incomplete),
        (run.abandoned, f"serve broke {run.restarts} times and was given up: a loader that claims it must keep it"),
        (request.known, f"{len(request.known)} known failures: no certificate"),
        (request.grade > Grade.BOUNDED, f"grade {request.grade}: no certificate"),
    ):
        if condition:
            put(console, (f"  {text}", ""))
    matched, given = report.codes(run)
    if given:
        put(console, (f"  error codes: {matched} of {given} match ({100 * matched / given:.0f} %)", ""))
        other = [result for result in run.results.values() if result.code_matches is False]
        for result in other[:_CODES_SHOWN]:
            due = " or ".join(result.case.codes)
            put(console, (f"    {result.case.id}: expected {due}, got {result.code}", "dim"))
        if len(other) > _CODES_SHOWN:
            put(console, (f"    ... and {len(other) - _CODES_SHOWN} more (the report has them all)", "dim"))
    corpus = request.corpus
    put(console, (f"  {corpus.suite} {corpus.version}, corpus {corpus.sha256}, seed {request.seed}", "dim"))


def _tell_tail(console: Console, tail: bytes) -> None:
    for line in tail.decode("utf-8", "replace").splitlines()[-_TAIL_LINES:]:
        put(console, (f"  | {line[:500]}", "dim"))


def tell_matrix(console: Console, outcomes: dict[str, Certification]) -> None:
    """Print how several loaders compare, and the cases that not all of them pass."""
    compared = matrix_of({name: report.record_of(run) for name, run in outcomes.items()})
    table = Table("loader", "verdict", "grade", "MUST", "why", title="comparison")
    for name, line in compared["loaders"].items():
        must = f"{line['must']['passed']}/{sum(line['must'].values())}"
        table.add_row(*(Text(printable(word)) for word in (name, line["verdict"], line["grade"], must, line["why"])))
    console.print(table)
    differing = compared["differing"]
    put(console, (f"{len(differing)} of {compared['cases']} cases are not passed by all", ""))
    for case, row in list(differing.items())[:_SHOWN]:
        told = ", ".join(f"{name} {verdict or '-'}" for name, verdict in row.items())
        put(console, (f"  {case}: ", "bold"), (told, ""))

"""Cases as tests: one run of the suite, put to the loader by pytest, one case at a time."""

from __future__ import annotations

import io
import secrets
import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from rich.console import Console

from awq_conformance import known, terminal
from awq_conformance.adapter import AdapterMissingError
from awq_conformance.cases import Case, CorpusAlteredError, CorpusMissingError, default_root, load
from awq_conformance.course import FRESH, Course, cases_of, course, has_fresh
from awq_conformance.probes import ProbeError
from awq_conformance.protocol import ONE_SHOT, SERVE, RunnerExit
from awq_conformance.run import BOTH, Request
from awq_conformance.selection import NothingToRunError, Selection
from awq_conformance.verdict import Grade, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from awq_conformance.diagnosis.names import Diagnosis
    from awq_conformance.judge import CaseResult

_MODES: Final = {"both": BOTH, ONE_SHOT: (ONE_SHOT,), SERVE: (SERVE,)}
_WHY: Final = "awq_why"
_SEED: Final = "awq_seed"
_WIDTH: Final = 100


class CaseFailedError(Exception):
    """A case that failed; what is told of it is what the terminal tells."""

    def __init__(self, result: CaseResult) -> None:
        super().__init__(f"{result.verdict.value} {result.case.id}")
        self.result = result


class CaseItem(pytest.Item):
    """One case; None: the random file, which is made once the adapter has said what it takes."""

    def __init__(self, *, case: Case | None, cases: Cases, **more: Any) -> None:
        super().__init__(**more)
        self.case, self.cases = case, cases
        failure = cases.request.known.get(self.name)
        if failure is not None:
            self.add_marker(pytest.mark.xfail(reason=f"{failure.reason} ({failure.link})", strict=True))
        elif case is not None and case.level != "MUST":
            self.add_marker(pytest.mark.xfail(reason=f"level {case.level}: does not decide", strict=False))

    def runtest(self) -> None:
        """Put the case to the loader, and its twin before it."""
        result = self.cases.result(self.name)
        if result.verdict is Verdict.SKIPPED:
            pytest.skip(result.finding.detail)
        if result.finding.failed:
            raise CaseFailedError(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *_: Any) -> Any:
        """Tell what went wrong as the terminal does."""
        if not isinstance(excinfo.value, CaseFailedError):
            return super().repr_failure(excinfo)
        result = excinfo.value.result
        return _plain(lambda console: terminal.tell_failure(console, result, []))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return what the report calls the case."""
        title = self.case.title if self.case else "a random file made for this run alone"
        return self.cases.request.corpus.root, None, f"{self.name}: {title}"


class _Loader(pytest.Collector):
    """The parent of all cases; collects nothing by itself."""

    def collect(self) -> Iterator[pytest.Item]:
        return iter(())


class Cases:
    """The plugin: collects the cases, keeps the run they belong to, tells at the end why they failed."""

    def __init__(self, config: pytest.Config) -> None:
        self.request = _request(config)
        self.running: Course | None = None
        self._open = ExitStack()
        self._why: list[str] = []

    def result(self, case: str) -> CaseResult:
        """Return what became of a case."""
        if self.running is None:
            raise RuntimeError("no case runs before the probes")
        return self.running.result(case)

    @pytest.hookimpl(tryfirst=True)  # before -k, -m and --last-failed choose
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Add an item for each case."""
        parent = _Loader.from_parent(session, name="awq", nodeid="awq")
        try:
            cases = cases_of(self.request)
        except NothingToRunError as reason:
            raise pytest.UsageError(f"--awq-loader: {reason}") from reason
        named: dict[str, Case | None] = {case.id: case for case in cases}
        if has_fresh(self.request):
            named[FRESH] = None
        items.extend(CaseItem.from_parent(parent, name=name, case=case, cases=self) for name, case in named.items())

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Give the workers of pytest-xdist the same random file."""
        node.workerinput[_SEED] = self.request.seed

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Probe the adapter before pytest-xdist starts its workers, who cannot end the session."""
        option = session.config.option
        if getattr(option, "numprocesses", None) and not hasattr(session.config, "workerinput"):
            self._begin()
            self._open.close()
            self.running = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Probe the adapter before the first case: one that does not work gets no verdict."""
        if not session.config.option.collectonly and any(isinstance(item, CaseItem) for item in session.items):
            self._begin()

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Explain what failed, and end the adapter."""
        try:
            if self.running is not None:
                for diagnosis in self.running.explain():
                    self._add(diagnosis)
        finally:
            try:
                self._open.close()
            except CorpusAlteredError as altered:
                _inconclusive(f"the corpus was altered: {altered}")
        if hasattr(session.config, "workeroutput"):  # of pytest-xdist: its controller tells what all workers found
            session.config.workeroutput[_WHY] = self._why

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker of pytest-xdist found."""
        found = getattr(node, "workeroutput", {}).get(_WHY, [])
        self._why += [why for why in found if why not in self._why]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the explanations."""
        if self._why:
            terminalreporter.section("why the loader is wrong")
            for why in self._why:
                terminalreporter.write_line(why)

    def _begin(self) -> None:
        try:
            self.running = self._open.enter_context(course(self.request))
        except (AdapterMissingError, ProbeError) as failure:
            _inconclusive(f"the adapter, not the loader: {failure}")
        except NothingToRunError as reason:
            _inconclusive(str(reason))

    def _add(self, diagnosis: Diagnosis) -> None:
        self._why.append(_plain(lambda console: terminal.tell_diagnosis(console, diagnosis)))


def _request(config: pytest.Config) -> Request:
    option = config.getoption
    try:
        command = tuple(shlex.split(option("awq_loader")))
        corpus = load(Path(option("awq_corpus")) if option("awq_corpus") else default_root())
        listed = option("awq_known_failures")
        failures = known.read(Path(listed)) if listed else {}
    except (ValueError, OSError, CorpusMissingError) as error:
        raise pytest.UsageError(f"--awq-loader: {error}") from error
    except CorpusAlteredError as altered:
        raise pytest.UsageError(f"the corpus was altered: {altered}") from altered
    if not command:
        raise pytest.UsageError("--awq-loader: no command")
    return Request(
        command=command,
        corpus=corpus,
        profile=option("awq_profile"),
        seed=getattr(config, "workerinput", {}).get(_SEED) or option("awq_seed") or secrets.randbits(32),
        selection=Selection(tuple(option("awq_case"))),
        modes=_MODES[option("awq_mode")],
        grade=Grade[option("awq_grade").upper()],
        known=failures,
    )


def _inconclusive(reason: str) -> None:
    pytest.exit(f"INCONCLUSIVE {reason}", returncode=RunnerExit.INCONCLUSIVE)


def _plain(tell: Any) -> str:
    """Return what ``tell`` prints, without colours."""
    console = Console(file=io.StringIO(), width=_WIDTH, color_system=None, force_terminal=False)
    tell(console)
    return str(console.file.getvalue()).rstrip()  # type: ignore[attr-defined]

"""Calling an adapter through ``serve``: a session for each thread, started again when it breaks."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from awq_conformance.adapter import AdapterMissingError, Bounds, Caller, Folders, Observation, observe
from awq_conformance.process import Execution
from awq_conformance.protocol import SERVE, HelloError, parse_hello
from awq_conformance.session import Session
from awq_conformance.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from awq_conformance.session import Answer

RESTARTS_MAX: Final = 10


class ServeAbandonedError(Exception):
    """The adapter broke too many sessions; it is asked one-shot from here on."""


@dataclass
class Serving(Caller):
    """An adapter that keeps a process for many cases; ``restarts`` counts how often one had to be started again.

    A thread's first call starts its session with hello, whose answer must equal ``words``, those of one-shot.
    """

    argv: tuple[str, ...]
    folders: Folders
    cancel: threading.Event
    words: dict[str, str]
    restarts: int = 0
    mode: str = SERVE
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _local: threading.local = field(default_factory=threading.local, repr=False)
    _open: list[Session] = field(default_factory=list, repr=False)

    @property
    def abandoned(self) -> bool:
        """Return whether sessions broke too often to go on."""
        return self.restarts > RESTARTS_MAX

    def ask(self, ops: Sequence[str], path: str, bounds: Bounds) -> list[Observation]:
        """Send all operations at once; one that was not answered says how the session broke.

        Raises ServeAbandonedError once sessions broke more than RESTARTS_MAX times.
        """
        with self.folders.fresh() as folder:
            outdirs = [folder / str(number) for number in range(len(ops))]
            for outdir in outdirs:
                outdir.mkdir()
            session = self._session(bounds.timeout)
            requests = [(op, path, str(outdir)) for op, outdir in zip(ops, outdirs, strict=True)]
            answers = session.exchange(requests, bounds.timeout)
            peak = session.peak_rss
            if session.broken is not None:
                self._forget(session)
            return [
                _observation(op, answer, session, peak, outdir, bounds)
                for op, answer, outdir in zip(ops, answers, outdirs, strict=True)
            ]

    def close(self) -> str:
        """End every session; return what was wrong with the end of one, or an empty string."""
        problems = [session.close() for session in self._open]
        self._open.clear()
        self._local = threading.local()
        return next((problem for problem in problems if problem), "")

    def kill(self) -> None:
        """End every session at once."""
        for session in self._open:
            session.kill()
        self._open.clear()

    def _session(self, timeout: float) -> Session:
        session: Session | None = getattr(self._local, "session", None)
        if session is not None:
            return session
        if self.abandoned:
            raise ServeAbandonedError
        cwd = self.folders.root / f"serve-{threading.get_ident()}"
        cwd.mkdir(exist_ok=True)
        try:
            session = Session(self.argv, cwd, self.cancel)
        except OSError as error:
            raise AdapterMissingError(f"{self.argv[0]}: cannot be started: {error.strerror}") from error
        with self._lock:
            self._open.append(session)
        self._local.session = session
        answer = session.hello(timeout)
        problem = self._greeting_problem(answer)
        if problem and session.broken is None:
            session.refuse(Verdict.PROTOCOL, problem)
        return session

    def _greeting_problem(self, answer: Answer | None) -> str:
        if answer is None:
            return "no answer to hello"
        try:
            words = parse_hello(answer.text).words
        except HelloError as error:
            return f"hello of serve: {error}"
        return "" if answer.status == 0 and words == self.words else "hello of serve differs from that of one-shot"

    def _forget(self, session: Session) -> None:
        self._local.session = None
        with self._lock:
            self.restarts += 1
            if session in self._open:
                self._open.remove(session)


def _observation(
    op: str, answer: Answer | None, session: Session, peak: int, outdir: Path, bounds: Bounds
) -> Observation:
    if answer is None:
        reason = session.broken
        timed_out = reason is not None and reason.verdict is Verdict.TIMEOUT
        status, number = (reason.status, reason.signal) if reason else (None, None)
        execution = Execution(status, number, timed_out, bounds.timeout if timed_out else 0.0, peak, session.tail)
        return Observation(op, execution, {}, mode=SERVE, broken=reason)
    told = b"" if answer.status == 0 else answer.text.encode()  # why, in the loader's own words
    tail = b"\n".join(filter(None, (session.tail.rstrip(b"\n"), told)))
    execution = Execution(answer.status, None, False, answer.seconds, peak, tail)
    return observe(Observation(op, execution, {}, mode=SERVE, code=answer.code), outdir, bounds)

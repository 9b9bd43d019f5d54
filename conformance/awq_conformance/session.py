"""One process that serves many requests: ``ADAPTER... serve`` (spec: conformance, "serve")."""

from __future__ import annotations

import itertools
import os
import re
import selectors
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, cast

from awq_conformance.process import TAIL_BYTES, CancelledError, kill_group
from awq_conformance.protocol import HELLO, SERVE, STATUSES
from awq_conformance.strays import end_strays, marked
from awq_conformance.verdict import Verdict

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

_TAG: Final = b"@awq\t"
_LINE_MAX: Final = 1 << 20  # an answer is far shorter; a longer line is noise, and is not kept
_TICK: Final = 0.05  # seconds between two looks at a cancelled run
_GOODBYE: Final = 5.0  # seconds to end in, once there is no more input
_HIGH_WATER: Final = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)
_RESET_PEAK: Final = "5"  # what /proc/PID/clear_refs takes for "forget the peak of resident memory"


@dataclass(frozen=True)
class Answer:
    """What came back for one request: the exit status it stands for, CODE, TEXT, and seconds since the one before."""

    status: int
    code: str
    text: str
    seconds: float


@dataclass(frozen=True)
class Break:
    """Why a session cannot go on: a verdict on the case at hand, one line, and how the process ended, if it did."""

    verdict: Verdict
    detail: str
    status: int | None = None
    signal: int | None = None


class Session:
    """A running adapter. Requests go out together and are answered in any order; one thread at a time.

    ``broken`` is set once the process has crashed, hung or broken the protocol; it is gone then.
    """

    def __init__(self, argv: Sequence[str], cwd: Path, cancel: threading.Event) -> None:
        """Start the process; raises OSError when the program cannot be started."""
        self._cancel = cancel
        self._environment = marked()
        self._process = subprocess.Popen(
            [*argv, SERVE],
            bufsize=0,
            cwd=cwd,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._ids = itertools.count()
        self._tail = bytearray()
        self._line = bytearray()
        self._unsent = bytearray()
        self._ending = False
        self._noise = bytearray()
        self._selector = selectors.DefaultSelector()
        self._stdin, self._stdout, stderr = (
            cast("IO[bytes]", pipe) for pipe in (self._process.stdin, self._process.stdout, self._process.stderr)
        )
        for pipe in (self._stdin, self._stdout, stderr):
            os.set_blocking(pipe.fileno(), False)
        self._selector.register(self._stdout, selectors.EVENT_READ)
        self._selector.register(stderr, selectors.EVENT_READ)
        self.broken: Break | None = None

    @property
    def tail(self) -> bytes:
        """Return the end of what the process printed beside its answers."""
        return bytes(self._tail[-TAIL_BYTES:])

    @property
    def noise(self) -> bytes:
        """Return the end of what the process printed to stdout beside its answers."""
        return bytes(self._noise[-TAIL_BYTES:])

    @property
    def unfinished(self) -> bytes:
        """Return the start of an answer that has no line end yet."""
        return bytes(self._line) if self._line.startswith(_TAG) else b""

    @property
    def peak_rss(self) -> int:
        """Return the bytes of resident memory the process and its children needed since the last exchange began.

        0 where the system does not tell.
        """
        return sum(_high_water(pid) for pid in _tree(self._process.pid))

    def hello(self, timeout: float) -> Answer | None:
        """Send the first request, whose answer holds the words of hello in its text."""
        return self.exchange([(HELLO, "-", "-")], timeout)[0]

    def inject(self, lines: bytes) -> None:
        """Put ``lines`` in front of the next request, as they are."""
        self._unsent += lines

    def exchange(
        self, requests: Sequence[tuple[str, str, str]], timeout: float, *, ending: bool = False
    ) -> list[Answer | None]:
        """Send (op, input, outdir) for each request and return their answers, None for those that did not come.

        Each answer has ``timeout`` seconds from the one before; with ``ending`` the input ends after the last request.
        Raises CancelledError when the run was interrupted; sets ``broken`` when an answer is missing.
        """
        if self.broken is not None:
            return [None] * len(requests)
        for pid in _tree(self._process.pid):
            with suppress(OSError):
                Path(f"/proc/{pid}/clear_refs").write_text(_RESET_PEAK)
        waiting = _Waiting()
        for op, source, outdir in requests:
            number = str(next(self._ids))
            waiting.ids.append(number)
            self._unsent += "\t".join(("@awq", number, op, source, outdir)).encode("utf-8", "surrogateescape") + b"\n"
        self._ending = ending
        self._selector.register(self._stdin, selectors.EVENT_WRITE)
        deadline = time.monotonic() + timeout
        while self.broken is None and waiting.count:
            before = waiting.count
            self._step(waiting)
            if waiting.count < before:
                deadline = time.monotonic() + timeout
            elif self._cancel.is_set():
                self.kill()
                raise CancelledError
            elif time.monotonic() >= deadline:
                self._break(Break(Verdict.TIMEOUT, f"no answer within {timeout:.1f} s"))
        if self.broken is None and self._unsent:
            self._selector.unregister(self._stdin)
        return [waiting.answers.get(number) for number in waiting.ids]

    def refuse(self, verdict: Verdict, problem: str) -> None:
        """End the process for what it answered."""
        self._break(Break(verdict, problem))

    def close(self) -> str:
        """End the input and wait for the process; return what was wrong with its end, or an empty string."""
        if self.broken is not None:
            return self.broken.detail
        with suppress(OSError):
            self._stdin.close()
        deadline = time.monotonic() + _GOODBYE
        while self._selector.get_map() and time.monotonic() < deadline and not self._cancel.is_set():
            for key, _ in self._selector.select(_TICK):
                self._read(cast("IO[bytes]", key.fileobj))
        try:
            status = self._process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return f"still running {_GOODBYE:.0f} s after the end of its input"
        finally:
            self.kill()
        return "" if status == 0 else f"exit status {status} after the end of its input, expected 0"

    def kill(self) -> None:
        """End the process and its group, and close the pipes; once is enough."""
        if self._selector.get_map() is None:
            return  # it has ended, and its number may be another's by now
        kill_group(self._process.pid)
        self._process.wait()
        end_strays(self._environment)
        self._selector.close()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with suppress(OSError):
                cast("IO[bytes]", pipe).close()

    def _step(self, waiting: _Waiting) -> None:
        """Move what can be moved now, and take the answers in it."""
        for key, _ in self._selector.select(_TICK):
            pipe = cast("IO[bytes]", key.fileobj)
            if pipe is self._stdin:
                self._write()
                continue
            piece = self._read(pipe)
            if pipe is not self._stdout:
                self._tail += piece
                del self._tail[: -2 * TAIL_BYTES]
            elif not piece:
                self._break(None)
                return
            else:
                self._take(piece, waiting)

    def _write(self) -> None:
        with suppress(BlockingIOError, BrokenPipeError):  # a process that ended is noticed by the end of its output
            del self._unsent[: os.write(self._stdin.fileno(), self._unsent)]
            if self._unsent:
                return
        self._selector.unregister(self._stdin)
        if self._ending:
            self._stdin.close()

    def _read(self, pipe: IO[bytes]) -> bytes:
        try:
            piece = os.read(pipe.fileno(), TAIL_BYTES)
        except BlockingIOError:
            return b""
        if not piece:
            self._selector.unregister(pipe)
        return piece

    def _take(self, piece: bytes, waiting: _Waiting) -> None:
        """Split ``piece`` into lines; answers are taken, the rest is noise."""
        *lines, rest = (self._line + piece).split(b"\n")
        if rest.startswith(_TAG[: len(rest)]):
            self._line = bytearray(rest)
        else:  # noise so far; whatever else comes on this line is noise too
            self._hear(rest)
            self._line = bytearray(b" ")
        for line in lines:
            if not line.startswith(_TAG):
                self._hear(line + b"\n")
                continue
            problem = waiting.take(bytes(line))
            if problem:
                self._break(Break(Verdict.PROTOCOL, problem))
                return
        if len(self._line) > _LINE_MAX:
            self._break(Break(Verdict.PROTOCOL, f"an answer longer than {_LINE_MAX} bytes"))

    def _hear(self, noise: bytes | bytearray) -> None:
        for kept in (self._tail, self._noise):
            kept += noise
            del kept[: -2 * TAIL_BYTES]

    def _break(self, reason: Break | None) -> None:
        """End the process for ``reason``; None: its output ended, so it did by itself, or will not answer any more."""
        if reason is None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_GOODBYE)
        self.kill()
        code = self._process.returncode
        if reason is None:
            ended = f"killed by {_signal(-code)}" if code < 0 else f"ended with exit status {code}"
            reason = Break(
                Verdict.CRASH, f"serve: {ended} before it answered", None if code < 0 else code, max(0, -code)
            )
        self.broken = reason


@dataclass
class _Waiting:
    """The requests at hand: their ids in order, and the answers that have come."""

    ids: list[str] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    since: float = field(default_factory=time.monotonic)

    @property
    def count(self) -> int:
        """Return how many answers are still due."""
        return len(self.ids) - len(self.answers)

    def take(self, line: bytes) -> str:
        """Take one tagged line; return what breaks the protocol in it, or an empty string."""
        fields = line.decode("utf-8", "replace").split("\t")
        if len(fields) != 5:
            return f"an answer of {len(fields)} fields, expected 5: {_shown(line)}"
        _, number, status, code, text = fields
        if number not in self.ids or number in self.answers:
            return f"an answer to request {number[:20]!r}, which is not open: {_shown(line)}"
        if status not in STATUSES:
            return f"status {status[:20]!r}, expected one of {', '.join(STATUSES)}: {_shown(line)}"
        now = time.monotonic()
        self.answers[number] = Answer(STATUSES[status], code, text, now - self.since)
        self.since = now
        return ""


def _shown(line: bytes) -> str:
    return repr(line[:120].decode("utf-8", "replace"))


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # real-time signals have no name
        return f"signal {number}"


def _tree(pid: int) -> list[int]:
    """Return the process and its children, theirs too; on systems without /proc the process alone."""
    pids = [pid]
    for parent in pids:
        with suppress(OSError):
            pids += map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())
    return pids


def _high_water(pid: int) -> int:
    with suppress(OSError):
        found = _HIGH_WATER.search(Path(f"/proc/{pid}/status").read_text())
        return int(found[1]) * 1024 if found else 0
    return 0

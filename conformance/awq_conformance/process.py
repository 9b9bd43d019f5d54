"""Run one adapter command, bounded in time, output and file size, and leave no process behind."""

from __future__ import annotations

import os
import resource
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final, cast

from awq_conformance.strays import end_strays, marked

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence
    from pathlib import Path

TAIL_BYTES: Final = 64 * 1024
FILE_BYTES: Final = 1 << 30  # what one process may write into one file
_TICK: Final = 0.02  # seconds between two looks at a process that keeps its output open but says nothing
_LAST_READS: Final = 16  # empty a pipe of 1 MiB, but do not follow a process that left the group and goes on writing
_RSS_UNIT: Final = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in KiB elsewhere


class CancelledError(Exception):
    """The run was interrupted; the process and its group are gone."""


@dataclass(frozen=True)
class Execution:
    """How one process ended.

    ``status`` is the exit status, or None when a signal ended it. ``peak_rss`` is in bytes, of the largest process
    among it and the children it waited for. ``blind`` is the runner's own peak: on Linux the pages of the parent
    count until exec, so a peak up to that may not be the adapter's. ``tail`` is the end of what the process wrote to
    stdout and stderr.
    """

    status: int | None
    signal: int | None
    timed_out: bool
    seconds: float
    peak_rss: int
    tail: bytes
    blind: int = 0

    def __str__(self) -> str:
        """Return how it ended, as a phrase."""
        if self.timed_out:
            return f"still running after {self.seconds:.1f} s"
        if self.signal is None:
            return f"exit status {self.status}"
        try:
            return f"killed by {signal.Signals(self.signal).name}"
        except ValueError:  # real-time signals have no name
            return f"killed by signal {self.signal}"


@contextmanager
def limited_files() -> Iterator[None]:
    """Bound what children may write: no core dumps, no file over FILE_BYTES.

    Children inherit the limits of the runner, which spares a hook between fork and exec: such hooks are unsafe
    in a program with threads.
    """
    wanted = {resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: FILE_BYTES}
    saved = {which: resource.getrlimit(which) for which in wanted}
    try:
        for which, value in wanted.items():
            soft, hard = saved[which]
            resource.setrlimit(which, (value if soft == resource.RLIM_INFINITY else min(value, soft), hard))
        yield
    finally:
        for which, limits in saved.items():
            resource.setrlimit(which, limits)


def execute(argv: Sequence[str], *, cwd: Path, timeout: float, cancel: threading.Event) -> Execution:
    """Run ``argv`` in its own session until it ends or ``timeout`` seconds have passed; then kill its group.

    Raises OSError when the program cannot be started, CancelledError when ``cancel`` was set meanwhile.
    """
    start = time.monotonic()
    environment = marked()
    process = subprocess.Popen(
        argv,
        bufsize=0,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    tail = bytearray()
    with cast("IO[bytes]", process.stdout) as pipe:
        os.set_blocking(pipe.fileno(), False)
        try:
            ended = _watch(process.pid, pipe.fileno(), tail, start + timeout, cancel)
        finally:
            kill_group(process.pid)
        timed_out = ended is None
        status, usage = ended if ended is not None else os.wait4(process.pid, 0)[1:]
        end_strays(environment)  # only now: before it was reaped, the process itself bore the mark
        for _ in range(_LAST_READS):
            if not _drain(pipe.fileno(), tail):
                break
    seconds = time.monotonic() - start
    code = os.waitstatus_to_exitcode(status)
    process.returncode = code  # it was reaped here, for its resource usage; Popen must not wait again
    if timed_out and cancel.is_set():
        raise CancelledError
    return Execution(
        status=code if code >= 0 else None,
        signal=-code if code < 0 else None,
        timed_out=timed_out,
        seconds=seconds,
        peak_rss=usage.ru_maxrss * _RSS_UNIT,
        tail=bytes(tail[-TAIL_BYTES:]),
        blind=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT,
    )


def _watch(
    pid: int, fd: int, tail: bytearray, deadline: float, cancel: threading.Event
) -> tuple[int, resource.struct_rusage] | None:
    """Drain ``fd`` until ``pid`` ends; return its wait status and usage, or None at the deadline or on cancel.

    The end of the output is no sign of the end of the process, nor the other way round: a grandchild may hold
    the pipe open, and a process may close it and go on.
    """
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    is_open, pause = True, _TICK / 100
    while True:
        if is_open:
            if poller.poll(_TICK * 1000):
                is_open = _drain(fd, tail)
        else:
            time.sleep(pause)
            pause = min(2 * pause, _TICK)
        reaped, status, usage = os.wait4(pid, os.WNOHANG)
        if reaped:
            return status, usage
        if time.monotonic() >= deadline or cancel.is_set():
            return None


def _drain(fd: int, tail: bytearray) -> bool:
    """Move one piece of output from ``fd`` to ``tail``; return False when there is none left."""
    try:
        piece = os.read(fd, TAIL_BYTES)
    except BlockingIOError:
        return False
    tail += piece
    del tail[: -2 * TAIL_BYTES]
    return bool(piece)


def kill_group(pid: int) -> None:
    """End every process of the group at once; none may be left."""
    # PermissionError is what macOS answers for a group of which only zombies are left.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)

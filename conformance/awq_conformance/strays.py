"""Processes that an adapter leaves behind in a session of their own, where the end of its group does not reach them.

On Linux the runner takes the place of their parent, so that it sees them, and knows by a mark in their environment
whose they were. Elsewhere, and where a process clears its environment, they are beyond reach.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK: Final = "AWQC_CALL"
"""The environment variable that tells one call, or one session, from all others."""

_SUBREAPER: Final = 36, 37  # what prctl calls setting and getting it
_PASSES: Final = 50  # a stray may have children, which become ours when it ends


@contextmanager
def adopted() -> Iterator[None]:
    """Be the parent of every process whose own parent ends; as before afterwards."""
    if sys.platform != "linux":
        yield
        return
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    before = ctypes.c_int()
    prctl(_SUBREAPER[1], ctypes.byref(before))
    prctl(_SUBREAPER[0], 1)
    try:
        yield
    finally:
        prctl(_SUBREAPER[0], before.value)


def marked(environment: dict[str, str] | None = None) -> dict[str, str]:
    """Return an environment with a mark of its own."""
    return {**(os.environ if environment is None else environment), MARK: token_hex(8)}


def end_strays(environment: dict[str, str]) -> None:
    """End every process that bears the mark of ``environment`` and whose parent we have become."""
    mark = f"{MARK}={environment[MARK]}".encode()
    for _ in range(_PASSES):
        found = [pid for pid in _children() if mark in _environment(pid).split(b"\0")]
        if not found:
            return
        for pid in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)
        time.sleep(0)  # let the system find new parents for theirs


def _children() -> list[int]:
    pids: list[int] = []
    with suppress(OSError):
        for task in Path("/proc/self/task").iterdir():
            with suppress(OSError):  # a thread that has just ended
                pids += map(int, (task / "children").read_text().split())
    return pids


def _environment(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/environ").read_bytes()
    return b""

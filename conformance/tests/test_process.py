"""Running one command: how it ended is known, what it printed is bounded, nothing of it is left."""

from __future__ import annotations

import resource
import signal
import sys
import threading
from pathlib import Path

import pytest

from awq_conformance.process import FILE_BYTES, TAIL_BYTES, CancelledError, Execution, execute, limited_files


def run(code: str, cwd: Path, *, timeout: float = 60, cancel: threading.Event | None = None) -> Execution:
    """Execute a line of Python."""
    argv = [sys.executable, "-I", "-S", "-c", code]
    return execute(argv, cwd=cwd, timeout=timeout, cancel=cancel or threading.Event())


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("", "exit status 0"),
        ("raise SystemExit(65)", "exit status 65"),
        ("1 / 0", "exit status 1"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGABRT)", "killed by SIGABRT"),
        ("import os; os.kill(os.getpid(), 40)", "killed by signal 40"),
        ("import os; os.close(1); os.close(2); os._exit(3)", "exit status 3"),
    ],
)
def test_how_a_process_ended(tmp_path: Path, code: str, told: str) -> None:
    """Exit statuses and signals are told apart, with or without open output."""
    assert str(run(code, tmp_path)) == told


@pytest.mark.parametrize("close", ["", "import os; os.close(1); os.close(2);"])
def test_a_hanging_process_is_killed(tmp_path: Path, close: str) -> None:
    """The time limit holds whether or not the output is open."""
    ended = run(f"{close}import signal; signal.pause()", tmp_path, timeout=0.3)
    assert ended.timed_out
    assert (ended.status, ended.signal) == (None, signal.SIGKILL)
    assert str(ended).startswith("still running after 0.")


def test_output_is_kept_as_a_bounded_tail(tmp_path: Path) -> None:
    """Both streams end up in one tail of 64 kB, the newest bytes last."""
    ended = run("import os; os.write(1, b'a' * 10_000_000); os.write(2, b'the end')", tmp_path)
    assert len(ended.tail) == TAIL_BYTES
    assert ended.tail.endswith(b"aaathe end")


def test_a_process_runs_in_the_given_folder_without_input(tmp_path: Path) -> None:
    """Nothing of the runner's own surroundings is visible there."""
    ended = run("import os, sys; print(os.getcwd(), repr(sys.stdin.read()))", tmp_path)
    assert ended.tail.decode() == f"{tmp_path.resolve()} ''\n"


def test_peak_memory_is_measured(tmp_path: Path) -> None:
    """peak_rss counts in bytes and follows what the process touched."""
    assert run("x = bytearray(b'1') * (200 << 20)", tmp_path).peak_rss >= 200 << 20


def test_limits_are_inherited_and_restored(tmp_path: Path) -> None:
    """Children dump no core and write no file past the limit; the runner gets its own limits back."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE), resource.getrlimit(resource.RLIMIT_CORE)
    with limited_files():
        code = "import resource as r; print(r.getrlimit(r.RLIMIT_CORE)[0], r.getrlimit(r.RLIMIT_FSIZE)[0])"
        assert run(code, tmp_path).tail.decode() == f"0 {FILE_BYTES}\n"
    assert (resource.getrlimit(resource.RLIMIT_FSIZE), resource.getrlimit(resource.RLIMIT_CORE)) == before


def test_a_cancelled_process_is_killed(tmp_path: Path) -> None:
    """Setting the event ends the wait and the process."""
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(CancelledError):
        run("import signal; signal.pause()", tmp_path, cancel=cancel)


def test_a_program_that_cannot_start_raises(tmp_path: Path) -> None:
    """What the kernel refuses to run is an OSError for the caller to tell."""
    script = tmp_path / "script"
    script.write_text("#!/nowhere/interpreter\n")
    script.chmod(0o755)
    with pytest.raises(FileNotFoundError):
        execute([str(script)], cwd=tmp_path, timeout=1, cancel=threading.Event())

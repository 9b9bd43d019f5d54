"""A process that has imported every wrong loader and forks one for each call: to start Python each time is slow.

nursery.py SOCKET    serves until it is killed; says so once it listens. call.py is the other end.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])  # where the package `zoo` is

from zoo import adapter

CALL = Path(__file__).with_name("call.py")


@contextmanager
def nursery() -> Iterator[tuple[str, ...]]:
    """Start one and yield the command that calls a loader of it, short of the loader's name; it ends with the block."""
    with tempfile.TemporaryDirectory(prefix="awqc-") as folder:
        path = f"{folder}/socket"
        # One thread for each loader is enough; numpy's linear algebra would start more in every process.
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        process = subprocess.Popen(
            [sys.executable, __file__, path], stdout=subprocess.PIPE, env=environment, start_new_session=True
        )
        try:
            if process.stdout is None or not process.stdout.read(1):
                raise OSError("the process that forks wrong loaders did not start")
            yield sys.executable, "-I", "-S", str(CALL), path
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def serve(path: str) -> NoReturn:
    """Answer calls for ever."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(path)
        door.listen()
        os.write(1, b"!")
        os.close(1)  # whoever started it may now wait for the end
        while True:
            call, _ = door.accept()
            if os.fork() == 0:
                door.close()
                answer(call)
            call.close()


def answer(call: socket.socket) -> NoReturn:
    """Run one loader and send how it ended: its exit status, or minus the signal that ended it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    words, fds, _, _ = socket.recv_fds(call, 1 << 16, 3)
    alive, held = os.pipe()  # the loader holds an end of it for as long as it lives
    child = os.fork()
    if child == 0:
        call.close()
        os.close(alive)
        act(words.decode("utf-8", "surrogateescape").split("\0"), fds)
    for fd in (*fds, held):
        os.close(fd)
    poller = select.poll()
    poller.register(call, select.POLLIN)
    poller.register(alive, select.POLLIN)
    if call.fileno() in dict(poller.poll()):  # the caller was killed, and the loader is to be
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with suppress(OSError):
        call.send(b"%d" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def act(words: list[str], fds: list[int]) -> NoReturn:
    """Be the loader: ``words`` are the working directory and what is left of the command line."""
    folder, *words = words
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        os.close(fd)
    os.chdir(folder)
    status = 1
    try:
        status = adapter.main(*words)
    except Exception:  # as Python itself does with what nobody catches
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    serve(sys.argv[1])

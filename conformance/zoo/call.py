"""Calls a loader of the nursery and ends as it does: call.py SOCKET NAME OP [INPUT OUTDIR]. It imports little."""

import os
import signal
import socket
import sys

with socket.socket(socket.AF_UNIX) as nursery:
    nursery.connect(sys.argv[1])
    words = "\0".join([os.getcwd(), *sys.argv[2:]])  # noqa: PTH109  # pathlib takes longer than all the rest
    socket.send_fds(nursery, [words.encode("utf-8", "surrogateescape")], [0, 1, 2])
    status = int(nursery.recv(16) or b"70")
if status < 0:
    signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
sys.exit(status)

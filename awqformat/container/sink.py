"""Writing bytes to their place in a file, from any thread."""

from __future__ import annotations

import os


def write_at(descriptor: int, data: memoryview | bytes, offset: int) -> None:
    """Write all of ``data`` at ``offset``.

    Raises:
        OSError: if the file system refuses.
    """
    rest = memoryview(data)
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written

"""Writing bytes to their place in a file, from any thread, so that the disk is at work while the rest is made."""

from __future__ import annotations

import os


def write_at(descriptor: int, data: memoryview | bytes, offset: int) -> None:
    """Write all of ``data`` at ``offset``, and have the system begin to bring it to the disk, where it can be told.

    Raises:
        OSError: if the file system refuses.
    """
    rest, at = memoryview(data), offset
    while rest:
        written = os.pwrite(descriptor, rest, at)
        rest, at = rest[written:], at + written
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, offset, len(data), os.POSIX_FADV_DONTNEED)  # else all of it waits for fsync

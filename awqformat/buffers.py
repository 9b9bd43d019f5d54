"""Large pieces of memory that the system has back as soon as they are let go of."""

from __future__ import annotations

import mmap
from typing import Final

_LARGE: Final = 1 << 22


def buffer(size: int) -> memoryview:
    """Return writable memory. Malloc would keep what is large for later, once for every thread."""
    return memoryview(mmap.mmap(-1, size) if size >= _LARGE else bytearray(size))

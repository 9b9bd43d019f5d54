"""Bytes written to their place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from awqformat.container.sink import write_at


@pytest.mark.parametrize("most", [1, 3, 100])
def test_all_bytes_are_written(most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However little the system takes at a time; what is before, behind and where the file stands is left alone."""
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: pwrite(fd, data[:most], at))
    with (tmp_path / "f").open("w+b", buffering=0) as file:
        file.write(b"abcdefghij")
        write_at(file.fileno(), b"12345", 3)
        write_at(file.fileno(), b"", 7)
        write_at(file.fileno(), memoryview(b"xyz"), 12)
        assert file.tell() == 10
    assert (tmp_path / "f").read_bytes() == b"abc12345ij\0\0xyz"

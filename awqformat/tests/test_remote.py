"""Files behind URLs are read as those of this machine are."""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path

import fsspec
import numpy as np
import pytest

from awqformat import AwqError, safe_open
from awqformat.container.source import open_source
from awqformat.remote import is_url
from awqformat.tests import damage
from awqformat.tests.serving import serving


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("https://host/a", True),
        ("memory://a", True),
        ("file:///a", True),
        ("simplecache::https://host/a", True),
        ("a/b", False),
        ("/a", False),
        ("a:b", False),
        ("C:\\a", False),
        ("://a", False),
        (Path("http://a"), False),
    ],
)
def test_what_is_a_url(path: str | Path, expected: bool) -> None:
    """A scheme and ://, in a string; everything else is a path."""
    assert is_url(path) == expected


def memory(data: bytes) -> str:
    """Return the URL of a file in the memory of this process."""
    url = f"memory://{secrets.token_hex(8)}/f"
    with fsspec.open(url, "wb") as file:
        file.write(data)
    return url


def test_a_file_in_memory(tmp_path: Path) -> None:
    """Opened by its URL, a file verifies and says what it says on disk."""
    path = damage.written(tmp_path / "f")
    with safe_open(memory(path.read_bytes()), verify="all") as there, safe_open(path) as here:
        assert there.identity == here.identity
        assert np.array_equal(there.get_tensor("b"), here.get_tensor("b"))


def test_file_urls_are_paths(tmp_path: Path) -> None:
    """file:// names a file of this machine, mapped as any other."""
    path = damage.written(tmp_path / "f")
    with open_source(f"file://{path}") as source:
        assert source.mapped


@pytest.mark.parametrize("ranges", [True, False])
def test_http(ranges: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranges are fetched where the server has them; else the file is fetched once, and no copy is left."""
    (tmp_path / "site").mkdir()
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    path = damage.written(tmp_path / "site" / "f.awq")
    with serving(tmp_path / "site", ranges=ranges) as (url, seen):
        with safe_open(f"{url}/f.awq", verify="all") as there, safe_open(path) as here:
            assert there.identity == here.identity
        whole = [line for line in seen if line.endswith("whole")]
        assert len(whole) == (0 if ranges else 1)
        assert list((tmp_path / "tmp").iterdir()) == []


def test_a_file_that_shrinks_on_the_server(tmp_path: Path) -> None:
    """A range that is not there any more is E_IO."""
    path = damage.written(tmp_path / "f.awq")
    with serving(tmp_path) as (url, _), safe_open(f"{url}/f.awq") as file:
        path.write_bytes(path.read_bytes()[:700])
        with pytest.raises(AwqError, match=r"^E_IO file: read, "):
            file.get_tensor("c")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("memory://none/f", "E_FILE file: path, expected a readable file, got memory://none/f: No such file"),
        ("unknown://host/f", "UNSUPPORTED file: scheme, expected a scheme with a driver (for http: pip install"),
        ("http://127.0.0.1:9/f", "E_FILE file: path, expected a readable file, got http://127.0.0.1:9/f: "),
        ("http://", "E_FILE file: path, expected a readable file, got http://: "),
    ],
)
def test_what_cannot_be_read(name: str, message: str) -> None:
    """A place that is not there, a server that does not answer and a scheme nobody knows are one line each."""
    with pytest.raises(AwqError) as caught:
        safe_open(name)
    assert str(caught.value).startswith(message)


def test_missing_over_http(tmp_path: Path) -> None:
    """404 is E_FILE and says so; so is a folder in memory."""
    with serving(tmp_path) as (url, _), pytest.raises(AwqError, match=r"^E_FILE .*none: 404"):
        safe_open(f"{url}/none")
    folder = memory(b"").rpartition("/")[0]
    with pytest.raises(AwqError, match=r"^E_FILE .*: a directory"):
        safe_open(folder)

"""Every derived file is what its generator makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import generate


@pytest.mark.parametrize("path", generate.DERIVED)
def test_derived_files_are_current(path: str) -> None:
    """The committed file is the one that `python tools/generate.py` writes."""
    assert (generate.ROOT / path).read_text(encoding="utf-8") == generate.DERIVED[path]()


def test_a_stale_file_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """--check exits 1, names what is stale, and writes nothing."""
    path = "tools/loader/include/awq/format.h"
    before = (generate.ROOT / path).read_bytes()
    monkeypatch.setattr(generate, "DERIVED", {path: lambda: "other"})
    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().err == f"stale: {path} (run python tools/generate.py)\n"
    assert (generate.ROOT / path).read_bytes() == before


def test_a_missing_marker_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A table without its place in the text would go stale unseen."""
    (tmp_path / "spec").mkdir()
    (tmp_path / "spec/container.md").write_text("<!-- generated:header -->\n<!-- end -->\n")
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    with pytest.raises(SystemExit, match="expected one place for the table"):
        generate.container()

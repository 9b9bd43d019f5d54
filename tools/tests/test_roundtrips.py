"""The page on round trips is what conversions give, and a wrong conversion does not get onto it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from awqformat import QuantizedTensor
from awqformat.dialects import Decoded, decode
from tools import roundtrips, specification, trips

USUAL = trips.SAMPLES[0].tensor


@pytest.mark.req("AWQ-CHK-026", "AWQ-CHK-027", "AWQ-LAY-018")
def test_the_page_is_current() -> None:
    """Every layer from every dialect to every other one and back gives what the page says."""
    assert roundtrips.MARKDOWN.read_text(encoding="utf-8") == roundtrips.page(), "make roundtrips"


def test_what_it_refers_to_exists() -> None:
    """Each requirement that is named is one of the specification."""
    known = {requirement.id for chapter in specification.chapters() for requirement in chapter.requirements}
    named = set(re.findall(r"AWQ-[A-Z]{3}-\d{3}", roundtrips.MARKDOWN.read_text(encoding="utf-8")))
    assert named
    assert named <= known


def test_check_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--check exits 1 and names a stale page; without it the page is written."""
    monkeypatch.setattr(roundtrips, "page", lambda: "new")
    monkeypatch.setattr(roundtrips, "MARKDOWN", tmp_path / "PAGE.md")
    (tmp_path / "PAGE.md").write_text("old")
    assert roundtrips.main(["--check"]) == 1
    assert capsys.readouterr().err == "stale: PAGE.md (make roundtrips)\n"
    assert (tmp_path / "PAGE.md").read_text() == "old"
    assert roundtrips.main([]) == 0
    assert (tmp_path / "PAGE.md").read_text() == "new"
    assert roundtrips.main(["--check"]) == 0


@pytest.mark.parametrize("field", ["packed_codes", "packed_zero_points", "scales"])
def test_a_conversion_that_changes_the_weight_stops_it(
    field: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One bit of a code, a zero point or a scale is enough."""

    def wrong(dialect: Any, parts: Any, layer: Any) -> Decoded:
        decoded = decode(dialect, parts, layer)
        arrays = {
            name: np.array(getattr(decoded.tensor, name)) for name in ("packed_codes", "scales", "packed_zero_points")
        }
        arrays[field].view(np.uint8)[-1, -1] ^= 1
        return Decoded(QuantizedTensor(**arrays), decoded.form, decoded.losses)

    assert trips.ByCodec(tmp_path).trip(USUAL, "gemm", "gptq") == trips.KEPT
    monkeypatch.setattr(trips, "decode", wrong)
    with pytest.raises(trips.ChangedError, match=r"^gemm to gptq: other values$"):
        trips.ByCodec(tmp_path).trip(USUAL, "gemm", "gptq")


def test_folders_and_layers_must_agree() -> None:
    """A layer that only one way refuses stops it."""
    roundtrips.agree({"a": "E_DIMS", "b": trips.KEPT}, {"a": "E_DIMS", "b": trips.VALUES}, "x to y")
    for other in ({"a": "E_DIMS", "b": "E_DIMS"}, {"a": "E_LOSSY", "b": trips.KEPT}, {"a": "E_DIMS"}):
        with pytest.raises(SystemExit, match=r"^x to y: layers end as "):
            roundtrips.agree({"a": "E_DIMS", "b": trips.KEPT}, other, "x to y")

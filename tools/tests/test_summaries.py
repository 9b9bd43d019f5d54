"""Tables of the specification that say what tables of the library say."""

from __future__ import annotations

import re

import pytest

from awqformat.checkpoints.shard import BITS
from awqformat.dialects import DIALECTS
from tools.specification import ROOT


def rows(chapter: str, head: str) -> list[list[str]]:
    """Return the cells of the table with this head."""
    text = (ROOT / "spec" / f"{chapter}.md").read_text(encoding="utf-8")
    _, _, rest = text.partition(f"| {head} |\n")
    lines = rest.partition("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.req("AWQ-LAY-004")
def test_dtypes_of_scales() -> None:
    """The summary of layouts names the dtypes that the scales of each dialect can have, and how it computes values."""
    told = {}
    for name, _, _, _, scales, rule in rows("layouts", "dialect | codes | pack axis | zero points | scales | rule"):
        dtypes = {dtype.upper() for dtype in re.findall(r"\b(?:bf16|f16|f32)\b", scales)}
        for dialect in {"gptq v1, v2": ("gptq", "gptq_v2")}.get(name, (name,)):
            told[dialect] = dtypes, rule.upper()
    assert told == {
        name: ({dtype.name for dtype in dialect.scales.dtypes}, dialect.rule.name) for name, dialect in DIALECTS.items()
    }


@pytest.mark.req("AWQ-CHK-001")
def test_dtypes_of_safetensors() -> None:
    """The chapter of checkpoints has every dtype of a shard, with its size."""
    assert {
        dtype: int(bits) for bits, names in rows("checkpoints", "bits | dtypes") for dtype in re.findall(r"\w+", names)
    } == BITS

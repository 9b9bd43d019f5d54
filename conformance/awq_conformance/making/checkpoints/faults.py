"""Checkpoints that must be refused: each a valid one with a single fault in one of its files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from awq_conformance.making.checkpoints.dialects import COMPRESSED, GEMM, GEMV, GEMV_FAST, GPTQ, KINDS, Kind
from awq_conformance.making.checkpoints.folder import INDEX
from awq_conformance.making.checkpoints.model import GROUP_SIZE

Change = Callable[[bytes], bytes]

CONFIG: Final = "config.json"
SHARD: Final = "model.safetensors"
FIRST: Final = "model-00001-of-00003.safetensors"


@dataclass(frozen=True)
class Fault:
    """A checkpoint with one fault.

    Attributes:
        kind: profile and dialect.
        name: of the case in its profile.
        title: what is wrong, in one line.
        code: the code of the rule it breaks.
        rule: that requirement.
        file: the file it is in.
        change: turns that file of the twin into the faulty one.
        twin: the name of the valid case it is made from.
        symmetric: what the configuration of the twin says, where the fault is one only then.
        level: MUST, or SHOULD where loaders differ for good reasons.
        refs: where it was seen.
        comment: more.
    """

    kind: Kind
    name: str
    title: str
    code: str
    rule: str
    file: str
    change: Change
    twin: str = f"group-{GROUP_SIZE}"
    symmetric: bool | None = None
    level: str = "MUST"
    refs: tuple[str, ...] = ()
    comment: str = ""

    @property
    def id(self) -> str:
        """Return the id of the case."""
        return f"{self.kind.profile}/{self.name}"


def text(old: str, new: str) -> Change:
    """Replace the one place where ``old``, a regular expression, stands."""

    def change(data: bytes) -> bytes:
        changed, count = re.subn(old.encode(), new.encode(), data)
        if count != 1:
            raise ValueError(f"{old!r} stands in {count} places")
        return changed

    return change


def cut(size: int) -> Change:
    """Take bytes from the end."""
    return lambda data: data[:-size]


def scale(kind: Kind, bits: int) -> Change:
    """Set the first scale of the layer; its dtype is F16. The last one may be padding."""

    def change(data: bytes) -> bytes:
        start = 8 + int.from_bytes(data[:8], "little")
        found = re.search(rf'\.{kind.scales}":{{"dtype":"F16".*?"data_offsets":\[(\d+),'.encode(), data[:start])
        if found is None:
            raise ValueError(f"no {kind.scales} in F16")
        at = start + int(found[1])
        return data[:at] + bits.to_bytes(2, "little") + data[at + 2 :]

    return change


def _common(kind: Kind) -> Iterator[Fault]:
    fault = partial(Fault, kind)
    bits, group = f'"{kind.bits_key}": 4', f'"group_size": {GROUP_SIZE}'
    for other in (3, 8):
        yield fault(f"bits-{other}", f"{other} bits", "E_CONFIG", "AWQ-CHK-006", CONFIG,
                    text(bits, f'"{kind.bits_key}": {other}'))  # fmt: skip
    yield fault("group-size-missing", "no group size", "E_CONFIG", "AWQ-CHK-003", CONFIG,
                text(f",?\n *{group}", ""))  # fmt: skip
    yield fault("group-size-0", "group size 0", "E_CONFIG", "AWQ-CHK-003", CONFIG, text(group, '"group_size": 0'))
    yield fault("group-size-half", "half the group size that the scales are for",
                *(("E_GROUP", "AWQ-CHK-036") if kind in (GEMV, GEMV_FAST) else ("E_DIALECT", "AWQ-CHK-014")), CONFIG,
                text(group, f'"group_size": {GROUP_SIZE // 2}'))  # fmt: skip
    yield fault("group-size-divides-not", "a group size that does not divide K", "E_GROUP", "AWQ-CHK-036", CONFIG,
                text(group, '"group_size": 40'))  # fmt: skip
    for told, value in (("nan", 0x7E00), ("inf", 0x7C00), ("negative", 0xA000)):
        yield fault(f"scale-{told}", f"a scale that is {told}", "E_VALUE", "AWQ-CHK-019", SHARD, scale(kind, value))
    yield fault("scales-missing", "the layer has no scales", "E_DIALECT", "AWQ-LAY-004", SHARD,
                text(rf"\.{kind.scales}\"", f".{kind.scales[:-1]}x\""))  # fmt: skip
    yield fault("dtype-wider", "a dtype for which there are not enough bytes", "E_SHARD", "AWQ-CHK-001", SHARD,
                text(rf'(\.{kind.codes}":{{"dtype":")I(16|32)', r"\g<1>I64"))  # fmt: skip
    yield fault("shard-truncated", "the last 64 bytes of the file are missing", "E_SHARD", "AWQ-CHK-001", SHARD,
                cut(64))  # fmt: skip
    yield fault("shard-missing", "the index names a file that is not there", "E_SHARD", "AWQ-CHK-001", INDEX,
                text(r'(lm_head\.weight": "model-0000)1', r"\g<1>4"), twin="sharded")  # fmt: skip
    yield fault("index-escapes", "the index names a file outside of the folder", "E_SHARD", "AWQ-CHK-001", INDEX,
                text(r'(lm_head\.weight": ")model-00001-of-00003', r"\g<1>../model-00001-of-00003"),
                twin="sharded")  # fmt: skip
    yield fault("index-lacks-tensor", "a shard holds a tensor that the index does not name", "E_SHARD", "AWQ-CHK-001",
                INDEX, text(r' *"lm_head\.weight": "[^"]*",\n', ""), twin="sharded")  # fmt: skip
    yield fault("index-names-another", "the index names a tensor that its shard does not hold", "E_SHARD",
                "AWQ-CHK-001", INDEX, text(r"lm_head\.weight", "lm_head.weighs"), twin="sharded")  # fmt: skip


def _awq(kind: Kind) -> Iterator[Fault]:
    version = str(kind.asks(GROUP_SIZE, symmetric=False)["version"])
    other = GEMV if kind is GEMM else GEMM
    told = str(other.asks(GROUP_SIZE, symmetric=False)["version"])
    yield Fault(kind, f"version-{told}", f"the tensors are of {version}, the version says {told}", "E_DIALECT",
                "AWQ-CHK-010", CONFIG, text(f'"version": "{version}"', f'"version": "{told}"'),
                refs=("https://github.com/huggingface/transformers/pull/42776",))  # fmt: skip
    yield Fault(kind, "version-unknown", "a version that does not exist", "E_DIALECT", "AWQ-CHK-010", CONFIG,
                text(f'"version": "{version}"', '"version": "gemm2"'))  # fmt: skip
    yield Fault(kind, "spellings-differ", "bits and w_bit contradict each other", "E_CONFIG", "AWQ-CHK-007", CONFIG,
                text('"bits": 4,', '"bits": 4, "w_bit": 8,'))  # fmt: skip
    yield Fault(kind, "zero-points-missing", "zero_point true, and no zero points", "E_DIALECT", "AWQ-CHK-016", SHARD,
                text(rf"\.{kind.zeros}\"", f'.{kind.zeros[:-1]}x"'), symmetric=False)  # fmt: skip


def _own() -> Iterator[Fault]:
    yield Fault(GEMM, "symmetric-ambiguous", "zero_point false, and no zero points: gemm or int4pack", "E_DIALECT",
                "AWQ-CHK-017", SHARD, text(r'\.qzeros"', '.qzerox"'), twin="zero-points-denied",
                symmetric=True, level="SHOULD", comment="A loader that knows of no int4pack reads gemm.")  # fmt: skip
    yield Fault(GPTQ, "version-missing", "no checkpoint_format: v1 or v2", "E_DIALECT", "AWQ-CHK-012", CONFIG,
                text(r',\n *"checkpoint_format": "gptq_v2"', ""))  # fmt: skip
    yield Fault(GPTQ, "g-idx-reorders", "a g_idx that gives the first two groups to each other", "E_DIALECT",
                "AWQ-LAY-011", SHARD, _exchanged_groups)  # fmt: skip
    yield Fault(COMPRESSED, "format-unknown", "another format of compressed-tensors", "E_DIALECT", "AWQ-CHK-010",
                CONFIG, text("pack-quantized", "pack-quantised"))  # fmt: skip
    yield Fault(COMPRESSED, "zero-points-missing", "symmetric false, and no zero points", "E_DIALECT", "AWQ-CHK-016",
                SHARD, text(rf"\.{COMPRESSED.zeros}\"", f'.{COMPRESSED.zeros[:-1]}x"'))  # fmt: skip


def _exchanged_groups(data: bytes) -> bytes:
    first, second = (number.to_bytes(4, "little") * GROUP_SIZE for number in range(2))
    if data.count(first + second) != 1:
        raise ValueError("no g_idx")
    return data.replace(first + second, second + first)


CASES: Final = (
    *(fault for kind in KINDS for fault in _common(kind)),
    *(fault for kind in (GEMM, GEMV, GEMV_FAST) for fault in _awq(kind)),
    *_own(),
)

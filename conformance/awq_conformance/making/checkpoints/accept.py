"""Checkpoints that must be read: for each dialect the same models, and what only some dialects have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from awq_conformance.making.checkpoints.dialects import (
    COMPRESSED,
    GEMM,
    GEMV,
    GEMV_FAST,
    GPTQ,
    GPTQ_V1,
    KINDS,
    NESTED,
    OWN_FILE,
    Kind,
)
from awq_conformance.making.checkpoints.folder import safetensors
from awq_conformance.making.checkpoints.model import COLUMNS, GROUP_SIZE, ROWS, UP, Model, block, layer, one
from awq_conformance.making.valid.tracer import tracers
from awq_conformance.making.values import plain, scales_of
from awqformat import QuantizedTensor

VALUES: Final = ("AWQ-MOD-008",)
_LAYOUT: Final = {
    "gemm": "AWQ-LAY-005",
    "gemv": "AWQ-LAY-006",
    "gemv_fast": "AWQ-LAY-008",
    "gptq": "AWQ-LAY-009",
    "gptq_v2": "AWQ-LAY-009",
    "ct-pack": "AWQ-LAY-014",
}


@dataclass(frozen=True)
class Accept:
    """A checkpoint that must be read.

    Attributes:
        kind: profile and dialect.
        name: of the case in its profile.
        title: what it holds, in one line.
        make: turns the case's seed into the model.
        req: requirements it shows beside those of values and layout.
        level: MUST, or SHOULD where loaders differ for good reasons.
        refs: where a bug that it finds was seen.
        comment: more.
    """

    kind: Kind
    name: str
    title: str
    make: Callable[[str], Model]
    req: tuple[str, ...] = ()
    level: str = "MUST"
    refs: tuple[str, ...] = ()
    comment: str = ""

    @property
    def id(self) -> str:
        """Return the id of the case."""
        return f"{self.kind.profile}/{self.name}"

    @property
    def requirements(self) -> tuple[str, ...]:
        """Return every requirement it is there to show."""
        return (*VALUES, _LAYOUT[self.kind.dialect], *self.req)


def _with(tensor: QuantizedTensor, **parts: Any) -> QuantizedTensor:
    """Return ``tensor`` with other codes, scales or zero points."""
    now = {"codes": tensor.codes, "scales": tensor.scales, "zero_points": tensor.zero_points}
    return QuantizedTensor.from_codes(**(now | parts))


def _holding(tensor: QuantizedTensor) -> Callable[[str], Model]:
    return lambda _: one(tensor)


def _sized(
    shape: tuple[int, int] = (ROWS, COLUMNS), group_size: int = GROUP_SIZE, dtype: str = "F16"
) -> Callable[[str], Model]:
    return lambda seed: one(layer(seed, shape, group_size, dtype=dtype))


def _borrowing(seed: str) -> Model:
    # Rows of zero points on which arithmetic on whole words carries or borrows.
    tensor = layer(seed)
    rows = np.array([[0, 8, 0, 0], [5, 0, 7, 15], [0, 8, 0, 3], [15, 0, 7, 1]], np.uint8)
    return one(_with(tensor, zero_points=np.resize(rows, (ROWS, COLUMNS // GROUP_SIZE))))


def _zero_points(value: int) -> Callable[[str], Model]:
    return lambda seed: one(
        _with(layer(seed), zero_points=np.full((ROWS, COLUMNS // GROUP_SIZE), value, np.uint8)),
        asks={"zero_point": False},
    )


def _edges(seed: str) -> Model:
    # Subnormal scales as real files have them, full mantissas, and some that leave the range of F16.
    bits = [0x0001, 0x000B, 0x03FF, 0x0400, 0x1555, 0x2AAB, 0x3C01, 0x6FFF, 0x7BFF]
    tensor = layer(seed)
    return one(_with(tensor, scales=scales_of(bits, tensor.scales.shape, "F16")))


def _no_zero_scales(kind: Kind) -> bool:
    return kind is not GEMV_FAST  # -s * z of such scales is infinite, or tells no z


def _common(kind: Kind) -> Iterator[Accept]:
    def case(name: str, title: str, make: Callable[[str], Model], *req: str, **more: Any) -> Accept:
        return Accept(kind, name, title, make, req, **more)

    yield case("block", "two layers of different shapes, a bias, norms, an embedding, a head", block, "AWQ-CHK-021")
    yield case("sharded", "three shards and their index", lambda s: block(s, shards=3))
    for group_size in kind.group_sizes:
        yield case(
            f"group-{group_size}",
            f"group size {group_size}",
            _sized((ROWS, 384), group_size),
            "AWQ-CHK-014",
        )
    yield case(
        "per-channel",
        "group size -1: one group in each row",
        lambda s: one(layer(s, (ROWS, 3 * COLUMNS), 3 * COLUMNS), group_size=-1),
        "AWQ-CHK-003",
    )
    yield case("square", "N = K", lambda s: one(layer(s, (COLUMNS, COLUMNS))), "AWQ-CHK-011")
    yield case(
        "zero-points-borrow", "zero points on which sums of whole words carry and borrow", _borrowing, "AWQ-LAY-002",
        refs=("https://github.com/ModelCloud/GPTQModel/issues/2350",),
    )  # fmt: skip
    yield case(
        "codes-high",
        "words whose highest bit is set",
        lambda s: one(_with(layer(s), codes=layer(s).codes | 8)),
        "AWQ-LAY-001",
    )
    if _no_zero_scales(kind):
        yield case("scales-edges", "scales that are subnormal, or so large that values overflow F16", _edges,
                   "AWQ-CHK-020")  # fmt: skip
    yield case(
        "nested-config",
        "the configuration inside text_config",
        lambda s: block(s, place=NESTED),
    )
    yield case(
        "order",
        "layers 2 and 10, stored backwards: neither that order nor that of numbers is that of names",
        lambda s: Model({f"model.layers.{i}.mlp.up_proj": layer(f"{s}/{i}") for i in (2, 10)}, backwards=True),
    )
    yield case("rows-40", "N is a multiple of 8 and of no more", _sized((40, COLUMNS)))
    yield case(
        "shard-unnamed",
        "a safetensors file that the index does not name is no part of the checkpoint",
        lambda s: block(s, shards=3, extra={"consolidated.safetensors": safetensors({"lm_head.weight": plain(
            f"{s}/other", (10, 64), np.float16)})}),
        "AWQ-CHK-001",
    )  # fmt: skip
    for tracer in tracers(ROWS, COLUMNS, GROUP_SIZE):
        yield Accept(kind, f"tracer-{tracer.name}", tracer.title, _holding(tracer.tensor), comment=tracer.comment)


def _named(kind: Kind) -> Iterator[Accept]:
    """Yield what AutoAWQ's three versions have in common."""
    upper = str(kind.asks(GROUP_SIZE, symmetric=False)["version"]).upper()
    yield Accept(kind, "version-upper-case", f"version {upper}", lambda s: one(layer(s), asks={"version": upper}),
                 ("AWQ-CHK-005",))  # fmt: skip
    yield Accept(
        kind,
        "not-converted",
        "modules_to_not_convert names the head; a layer it does not name is not quantised either",
        lambda s: replace(
            block(s, asks={"modules_to_not_convert": ["lm_head"]}),
            plain={**block(s).plain, "model.layers.1.mlp.up_proj.weight": plain(f"{s}/more", (16, 64), np.float16)},
        ),
        ("AWQ-CHK-021",),
    )
    yield Accept(
        kind,
        "own-file",
        "the configuration in quant_config.json",
        lambda s: block(s, place=OWN_FILE),
    )
    yield Accept(kind, "activation-scales", "the scales of an activation, which are no scales of a layer",
                 lambda s: replace(block(s), plain={**block(s).plain,
                                                    "model.layers.0.mlp.act.scales": plain(s, (96,), np.float16)}),
                 ("AWQ-CHK-022",), refs=("https://github.com/huggingface/transformers/issues/29421",))  # fmt: skip


def _kernels(kind: Kind) -> Iterator[Accept]:
    """Yield keys that choose a kernel."""
    keys = {"backend": "autoawq", "do_fuse": True, "fuse_max_seq_len": 512, "modules_to_fuse": {}, "exllama_config": {}}
    yield Accept(kind, "kernel-keys", "keys that choose a kernel, which change nothing", lambda s: one(layer(s),
                 asks=keys), ("AWQ-CHK-008",))  # fmt: skip
    if kind is not GEMM:
        yield Accept(kind, "backend-llm-awq", "written by llm-awq, whatever the version says", lambda s: one(layer(s),
                     asks={"backend": "llm-awq", "version": "gemm"}), ("AWQ-CHK-008",), level="SHOULD")  # fmt: skip


def _gptq() -> Iterator[Accept]:
    def case(name: str, title: str, rule: str, make: Callable[[str], Model], **more: Any) -> Accept:
        return Accept(GPTQ, name, title, make, (rule,), **more)

    yield case("dynamic-excludes", "dynamic, which only says what is not quantised", "AWQ-CHK-034",
               lambda s: block(s, asks={"dynamic": {"-:.*lm_head.*": {}}}))  # fmt: skip
    yield case("desc-act-in-order", "desc_act is true, and g_idx keeps the order all the same", "AWQ-CHK-035",
               lambda s: one(layer(s), asks={"desc_act": True}))  # fmt: skip
    yield case("symmetric", "sym is true, all zero points are 8", "AWQ-CHK-016",
               lambda s: one(layer(s, symmetric=True)))  # fmt: skip
    yield case("symmetric-absent", "sym is true, and there are no zero points", "AWQ-CHK-016",
               lambda s: one(layer(s, symmetric=True), without=("qzeros",)), level="SHOULD",
               comment="No program of GPTQ writes it so.")  # fmt: skip


def _own() -> Iterator[Accept]:
    for kind in KINDS:
        yield Accept(kind, "names-dash", "layers a and a-b: their rank goes by the prefixes alone",
                     lambda s: Model({name: layer(f"{s}/{name}") for name in ("a-b", "a")}),
                     level="SHOULD")  # fmt: skip
        yield Accept(kind, "experts", "three experts in one tensor each", lambda s: one(layer(s, (3, ROWS, COLUMNS))),
                     ("AWQ-CHK-024",), level="SHOULD")  # fmt: skip
    for kind in (GEMM, GEMV, GEMV_FAST):
        yield from _kernels(kind)
    yield from _gptq()
    yield Accept(GEMM, "version-absent", "no version: gemm", lambda s: one(layer(s), asks={"version": None}),
                 ("AWQ-CHK-004",))  # fmt: skip
    yield Accept(GEMM, "zero-point-absent", "zero_point is not in the configuration: true",
                 lambda s: one(layer(s), asks={"zero_point": None}), ("AWQ-CHK-004",))  # fmt: skip
    yield Accept(GEMM, "zero-points-denied", "zero_point false, with zero points of 8", _zero_points(8),
                 ("AWQ-CHK-015",))  # fmt: skip
    yield Accept(GEMM, "zero-points-denied-and-used", "zero_point false, with zero points other than 8: they count",
                 _zero_points(3), ("AWQ-CHK-015",))  # fmt: skip
    yield Accept(GEMM, "q-group-size", "the spelling w_bit and q_group_size",
                 lambda s: one(layer(s), asks={"bits": None, "group_size": None, "w_bit": 4,
                                               "q_group_size": GROUP_SIZE}))  # fmt: skip
    for kind in (GEMV, GEMV_FAST):
        yield Accept(kind, "zero-points-denied-and-used", "zero_point false, with zero points other than 8: they count",
                     _zero_points(3), ("AWQ-CHK-015",))  # fmt: skip
        yield Accept(kind, "scales-bf16", "scales in BF16", _sized(dtype="BF16"), ("AWQ-CHK-020",),
                     level="SHOULD")  # fmt: skip
    for dtype in ("BF16", "F32"):
        yield Accept(GEMM, f"scales-{dtype.lower()}", f"scales in {dtype}",
                     _sized(dtype=dtype), ("AWQ-CHK-020",), level="SHOULD")  # fmt: skip
    # ceil(groups / 8) words are rounded up to 4, 2, 1: more columns of scales than there are groups.
    for k, group_size in ((1152, 128), (576, 64), (288, 32)):
        yield Accept(GEMV, f"width-{k}-{group_size}", f"K = {k}, group size {group_size}: padded rows of zero points",
                     _sized((8, k), group_size), ("AWQ-LAY-007",))  # fmt: skip
    yield Accept(GEMV_FAST, "scaled-zeros", "zero points named as llm-awq names them, scaled_zeros",
                 lambda s: one(layer(s), renamed={"qzeros": "scaled_zeros"}), level="SHOULD")  # fmt: skip
    yield Accept(GPTQ_V1, "v1", "checkpoint_format gptq: zero points are stored less 1", block, ("AWQ-LAY-010",))
    yield Accept(GPTQ_V1, "v1-zero-points-borrow", "the same, with zero points 0 beside others", _borrowing,
                 ("AWQ-LAY-010", "AWQ-LAY-002"))  # fmt: skip
    yield Accept(GPTQ, "g-idx-absent", "no g_idx: the groups follow one another",
                 lambda s: one(layer(s), without=("g_idx",)), ("AWQ-LAY-011",))  # fmt: skip
    yield Accept(COMPRESSED, "symmetric", "no zero points", lambda s: one(layer(s, symmetric=True)), ("AWQ-LAY-015",))
    yield Accept(COMPRESSED, "rows-beside-words", "N is no multiple of 8: the last word of zero points is not full",
                 lambda s: one(layer(s, (21, COLUMNS))), ("AWQ-LAY-015",))  # fmt: skip
    yield Accept(COMPRESSED, "scales-bf16", "scales in BF16", lambda s: one(layer(s, dtype="BF16")), ("AWQ-CHK-020",))
    yield Accept(COMPRESSED, "one-head", "the head is ignored by name", lambda s: Model({UP: layer(s)},
                 {"lm_head.weight": plain(s, (16, 64), np.float16)}), ("AWQ-CHK-021",))  # fmt: skip


CASES: Final = (
    *(case for kind in KINDS for case in _common(kind)),
    *(case for kind in (GEMM, GEMV, GEMV_FAST) for case in _named(kind)),
    *_own(),
)

"""Cases too large to commit: extents of several digest chunks, META at its limit. The runner makes them."""

from __future__ import annotations

from typing import Final

import numpy as np

from awq_conformance.making.faults.fault import Fault, body, flip, in_extent, put
from awq_conformance.making.valid import Accept
from awq_conformance.making.values import nibbles, plain, quantised, random_bytes, scales_of
from awqformat import Contents, QuantizedTensor
from awqformat.container import meta
from awqformat.schema import DIGEST_CHUNK, Limit, SectionType

_PLAIN: Final = "container/large-plain"
_QUANTISED: Final = "container/large-quantised"
_META: Final = "container/large-meta"
_FOUR: Final = "container/large-four"
_NUMBER: Final = 1  # of the large tensor, in both
_SHAPE: Final = (1031, 1032)  # 129 groups a row; codes end before 1 MiB, scales after it
_GROUPS: Final = (1031, 129)


def _chunks(seed: str) -> Contents:
    large = plain(f"{seed}/large", (2 * DIGEST_CHUNK + 200_001,), np.uint8)
    return Contents({"large": large, "a.weight": quantised(f"{seed}/a", (3, 24), 8)})


def _whole_chunks(seed: str) -> Contents:
    return Contents({name: plain(f"{seed}/{name}", (DIGEST_CHUNK,), np.uint8) for name in "abcd"})


def _weight(seed: str) -> Contents:
    few = np.frombuffer(random_bytes(f"{seed}/bits", 64), "<u4") % 0x0100_0000 + 0x3C00_0000
    scales = scales_of(few.tolist(), _GROUPS, "F32")
    zeros = nibbles(f"{seed}/z", _GROUPS)
    large = QuantizedTensor.from_codes(nibbles(f"{seed}/q", _SHAPE), scales, zeros)
    return Contents({"large": large, "a.bias": plain(f"{seed}/a", (5,), np.float16)})


def _meta(extra: int) -> dict[str, str]:
    """Return entries whose canonical text is ``extra`` bytes longer than META may be."""
    return {"k": "v" * (int(Limit.META_MAX) - len('{"k":""}') + extra)}


VALID: Final = (
    Accept(_PLAIN, "a plain tensor of three digest chunks", _chunks, req=("AWQ-CON-069",)),
    Accept(
        _FOUR,
        "four plain tensors, each of exactly one digest chunk",
        _whole_chunks,
        req=("AWQ-CON-067", "AWQ-CON-069"),
        comment="Work enough for several threads: what they share by mistake shows.",
    ),
    Accept(_QUANTISED, "a quantised tensor of two digest chunks, its last scales in the second", _weight),
    Accept(_META, "META of exactly 1 MiB", lambda _: Contents({}, _meta(0)), req=("AWQ-CON-038",)),
)

FAULTS: Final = (
    *(
        Fault(
            f"container/large-chunk-{i}",
            f"one bit of digest chunk {i} is wrong",
            "E_DIGEST",
            "AWQ-CON-069",
            flip(in_extent(_NUMBER, "codes", min((i + 1) * DIGEST_CHUNK, 2 * DIGEST_CHUNK + 200_001) - 1)),
            twin=_PLAIN,
            refresh=False,
        )
        for i in range(3)
    ),
    Fault(
        "container/large-four-end",
        "one bit of the last byte of the last of four digest chunks is wrong",
        "E_DIGEST",
        "AWQ-CON-069",
        flip(in_extent(3, "last")),
        twin=_FOUR,
        refresh=False,
    ),
    Fault(
        "container/large-scale",
        "the last scale, in the second digest chunk, is NaN",
        "E_VALUE",
        "AWQ-CON-071",
        put(in_extent(_NUMBER, "scales end", -4), b"\x01\0\xc0\x7f"),
        twin=_QUANTISED,
    ),
    Fault(
        "container/large-odd-nibble",
        "the high nibble after the last zero point, in the second digest chunk, is not zero",
        "E_PADDING",
        "AWQ-CON-070",
        flip(in_extent(_NUMBER, "end", -1), 7),
        twin=_QUANTISED,
    ),
    Fault(
        "container/large-padding",
        "the last padding byte, in the second digest chunk, is not zero",
        "E_PADDING",
        "AWQ-CON-070",
        flip(in_extent(_NUMBER, "last")),
        twin=_QUANTISED,
    ),
    Fault(
        "container/large-meta-over",
        "META of one byte more than 1 MiB",
        "E_LIMIT",
        "AWQ-CON-038",
        body(SectionType.META, meta.encode(_meta(1))),
        twin=_META,
    ),
)

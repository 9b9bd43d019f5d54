"""Faults of the header and of the file as a whole: the first part of stage P."""

from __future__ import annotations

from typing import Final

from awq_conformance.making.faults.fault import (
    Fault,
    add,
    append,
    at,
    become,
    both,
    cut,
    end_of,
    flip,
    header,
    in_header,
    start_of,
    tail,
)
from awqformat.schema import SectionType

_CUTS: Final = {
    "0": ("AWQ-CON-010", "nothing at all", at(0)),
    "1": ("AWQ-CON-010", "one byte", at(1)),
    "63": ("AWQ-CON-010", "one byte less than a header", at(63)),
    "64": ("AWQ-CON-015", "a header alone", at(64)),
    "447": ("AWQ-CON-015", "a tail that lacks a byte", at(447)),
    "448": ("AWQ-CON-016", "header, table and tail alone", at(448)),
    "449": ("AWQ-CON-016", "one byte of META", at(449)),
    "at-strings": ("AWQ-CON-016", "nothing from STRINGS on", start_of(SectionType.STRINGS)),
    "at-index": ("AWQ-CON-016", "nothing from INDEX on", start_of(SectionType.INDEX)),
    "at-digest": ("AWQ-CON-016", "nothing from DIGEST on", start_of(SectionType.DIGEST)),
    "at-data": ("AWQ-CON-016", "no DATA", start_of(SectionType.DATA)),
    "last-byte": ("AWQ-CON-016", "all but the last byte", end_of(SectionType.DATA, -1)),
}
_FOREIGN: Final = {
    "gguf": b"GGUF\x03\0\0\0" + bytes(120),
    "safetensors": (64).to_bytes(8, "little") + b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}' + bytes(74),
    "zip": b"PK\x03\x04\x14\0\0\0" + bytes(120),
    "pickle": b"\x80\x04\x95\x0b\0\0\0\0\0\0\0}\x94." + bytes(116),
}
_TRAILING: Final = {
    "byte": ("one byte", append(b"\0")),
    "page": ("a page of zeros", append(bytes(4096))),
    "file": ("the same file once more", lambda e: e.append(bytes(e.data))),
    "zip": ("a zip archive: two formats in one file", append(b"PK\x05\x06" + bytes(18))),
}
_ALIGN: Final = (0, 5, 13, 31, 64, 255)
_GGML: Final = ("https://github.com/ggml-org/ggml/issues/1516",)

CASES: Final = (
    *(
        Fault(
            f"container/cut-{name}",
            f"the file was cut; left is {what}",
            "E_TRUNCATED",
            rule,
            cut(offset),
            refresh=False,
        )
        for name, (rule, what, offset) in _CUTS.items()
    ),
    *(
        Fault(
            f"container/magic-byte-{i}",
            f"bit 5 of magic byte {i} is wrong",
            "E_MAGIC",
            "AWQ-CON-011",
            flip(at(i), 5),
            refresh=False,
        )
        for i in range(8)
    ),
    Fault(
        "container/magic-crlf",
        "a transfer in text mode turned CR LF into LF",
        "E_MAGIC",
        "AWQ-CON-011",
        lambda e: e.splice(4, 2, b"\n"),
        refresh=False,
    ),
    Fault(
        "container/magic-bom",
        "a byte order mark in front",
        "E_MAGIC",
        "AWQ-CON-011",
        lambda e: e.splice(0, 0, b"\xef\xbb\xbf"),
        refresh=False,
    ),
    *(
        Fault(
            f"container/foreign-{name}",
            f"a {name} file under our extension",
            "E_MAGIC",
            "AWQ-CON-011",
            become(data),
            refresh=False,
        )
        for name, data in _FOREIGN.items()
    ),
    *(
        Fault(
            f"container/major-{major}", f"major version {major}", "E_VERSION", "AWQ-CON-012", in_header("major", major)
        )
        for major in (0, 2, 0x0100, 0xFFFF)
    ),
    *(
        Fault(
            f"container/section-count-{count}",
            f"section_count {count}",
            "E_LIMIT",
            "AWQ-CON-013",
            in_header("section_count", count),
            refresh=False,
        )
        for count in (0, 3, 17, 65535)
    ),
    *(
        Fault(f"container/hash-alg-{alg}", f"hash_alg {alg}", "E_FEATURE", "AWQ-CON-014", in_header("hash_alg", alg))
        for alg in (0, 2, 255)
    ),
    *(
        Fault(f"container/trailing-{name}", f"after the end, {what}", "E_TRAILING", "AWQ-CON-017", edit, refresh=False)
        for name, (what, edit) in _TRAILING.items()
    ),
    *(
        Fault(
            f"container/trailing-counted-{count}",
            f"behind DATA, {what} that file_size counts",
            "E_TRAILING",
            "AWQ-CON-034",
            both(append(bytes(count)), add(header(), "file_size", count)),
        )
        for count, what in ((1, "a zero byte"), (64, "64 zero bytes"))
    ),
    Fault("container/file-size-0", "file_size 0", "E_TRAILING", "AWQ-CON-017", in_header("file_size", 0)),
    Fault(
        "container/file-size-less",
        "file_size one too small",
        "E_TRAILING",
        "AWQ-CON-017",
        add(header(), "file_size", -1),
    ),
    Fault(
        "container/file-size-more",
        "file_size one too large",
        "E_TRUNCATED",
        "AWQ-CON-016",
        add(header(), "file_size", 1),
    ),
    Fault("container/file-size-half", "file_size 2^63", "E_TRUNCATED", "AWQ-CON-016", in_header("file_size", 2**63)),
    Fault(
        "container/file-size-max", "file_size 2^64 - 1", "E_TRUNCATED", "AWQ-CON-016", in_header("file_size", 2**64 - 1)
    ),
    Fault(
        "container/root-flipped", "one bit of the root is wrong", "E_DIGEST", "AWQ-CON-018", flip(tail()), refresh=False
    ),
    *(
        Fault(
            f"container/root-byte-{i}",
            f"byte {i} of the root is wrong, all before it are right",
            "E_DIGEST",
            "AWQ-CON-018",
            flip(tail(i), 7),
            refresh=False,
        )
        for i in (8, 31)
    ),
    Fault(
        "container/minor-stale",
        "minor edited, no digest recomputed",
        "E_DIGEST",
        "AWQ-CON-018",
        in_header("minor", 1),
        refresh=False,
    ),
    *(
        Fault(
            f"container/feature-bit-{bit}",
            f"unknown feature bit {bit}",
            "E_FEATURE",
            "AWQ-CON-019",
            in_header("features", 1 << bit),
            stale=bit == 1,
        )
        for bit in (1, 2, 7, 16, 31)
    ),
    Fault(
        "container/feature-encrypted",
        "ENCRYPTED without CRYPT and TAGS",
        "E_SECTION",
        "AWQ-CON-028",
        in_header("features", 1),
    ),
    *(
        Fault(
            f"container/align-log2-{log2}",
            f"align_log2 {log2}",
            "E_ALIGN",
            "AWQ-CON-020",
            in_header("align_log2", log2),
            stale=log2 == 13,
            refs=_GGML,
        )
        for log2 in _ALIGN
    ),
    *(
        Fault(
            f"container/header-reserved-{i}",
            f"reserved header byte {i} is not zero",
            "E_RESERVED",
            "AWQ-CON-021",
            flip(at(48 + i), i % 8),
            stale=i == 0,
        )
        for i in range(16)
    ),
    *(
        Fault(
            f"container/file-id-{i}",
            f"byte {i} of file_id set without ENCRYPTED",
            "E_RESERVED",
            "AWQ-CON-022",
            flip(at(32 + i)),
            stale=i == 0,
        )
        for i in (0, 15)
    ),
    *(
        Fault(
            f"container/mac-{i}",
            f"byte {i} of mac set without ENCRYPTED",
            "E_RESERVED",
            "AWQ-CON-023",
            flip(tail(32 + i)),
            refresh=False,
        )
        for i in (0, 31)
    ),
)

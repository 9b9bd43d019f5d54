"""Faults of stage P in encrypted files: a loader without encryption must find them before it may say UNSUPPORTED.

The files are encrypted by all that stage P looks at; DATA is that of the twin, since no reader gets as far as that.
With encryption or without, with a key or without, the answer is the same: stage P comes first.
"""

from __future__ import annotations

from typing import Final

from awq_conformance.making.editor import Body, Editor
from awq_conformance.making.faults.fault import (
    Edit,
    Fault,
    add,
    add32,
    append,
    both,
    cut,
    end_of,
    entry_of,
    flip,
    header,
    in_header,
    in_section,
    section,
    start_of,
    tail,
)
from awq_conformance.making.values import random_bytes
from awqformat.schema import Feature, SectionType, up

_CRYPT, _TAGS, _DATA = SectionType.CRYPT, SectionType.TAGS, SectionType.DATA
_CHUNK_LOG2: Final = 16
_ONE_TENSOR: Final = "model/smallest"  # its TAGS and its DIGEST are followed by padding
_KEY_ID: Final = b"case-key"


def _random(what: str, size: int) -> bytes:
    return random_bytes(f"awqformat/container/encrypted/{what}", size)


def _crypt() -> bytes:
    """Return a CRYPT section of suite 1 whose fields are all legal, for a key that the caller supplies."""
    fields = b"\x01\0" + bytes((1, 1, _CHUNK_LOG2, 0)) + len(_KEY_ID).to_bytes(2, "little") + bytes(8)
    front = fields + _random("salt", 32) + _random("commit", 32) + bytes(48) + _KEY_ID
    return front + bytes(up(len(front), 64) - len(front))


def encrypt(e: Editor) -> None:
    """Make the file an encrypted one with which stage P has no quarrel."""
    chunks = sum(-(-info.size >> _CHUNK_LOG2) for info in e.infos())
    e.set(e.header(), "features", int(Feature.ENCRYPTED))
    e.set(e.header(), "file_id", _random("file_id", 16))
    e.put(e.tail()[1] + 32, _random("mac", 32))
    e.rebuild(lambda bodies: bodies.update({_CRYPT: Body(1, _crypt()), _TAGS: Body(1, _random("tags", 16 * chunks))}))
    e.refresh()


def _clear(e: Editor) -> None:
    """Take ENCRYPTED away, and what may not be without it, but for CRYPT and TAGS."""
    e.set(e.header(), "features", 0)
    e.set(e.header(), "file_id", bytes(16))
    e.put(e.tail()[1] + 32, bytes(32))


def _fault(name: str, title: str, code: str, rule: str, edit: Edit, twin: str = "", *, refresh: bool = True) -> Fault:
    return Fault(
        f"container/encrypted-{name}",
        f"encrypted: {title}",
        code,
        rule,
        both(encrypt, edit),
        twin=twin or Fault.twin,
        refresh=refresh,
        also=("AWQ-CON-043",),
        flags=("encrypted",),
        comment="Made an encrypted file, all digests right, and then broken. Whoever can decrypt answers the same.",
    )


CASES: Final = (
    _fault("cut", "the last byte was cut off", "E_TRUNCATED", "AWQ-CON-016", cut(end_of(_DATA, -1)), refresh=False),
    _fault("trailing", "a byte after the end", "E_TRAILING", "AWQ-CON-017", append(b"\0"), refresh=False),
    _fault("root", "one bit of the root is wrong", "E_DIGEST", "AWQ-CON-018", flip(tail()), refresh=False),
    _fault("feature-bit-1", "an unknown feature bit as well", "E_FEATURE", "AWQ-CON-019", in_header("features", 3)),
    _fault("align-log2-13", "align_log2 13", "E_ALIGN", "AWQ-CON-020", in_header("align_log2", 13)),
    *(
        _fault(f"{kind.name.lower()}-{name}", f"{kind.name} {told}", "E_SECTION", rule, edit)
        for kind in (_CRYPT, _TAGS)
        for name, told, rule, edit in (
            ("not-critical", "is not marked critical", "AWQ-CON-027", in_section(kind, "flags", 0)),
            (
                "missing",
                "has been given an unknown type",
                "AWQ-CON-028",
                both(in_section(kind, "flags", 0), in_section(kind, "type", kind + 1)),
            ),
        )
    ),
    _fault(
        "cleared",
        "the bit has been cleared, file_id and mac with it, and CRYPT and TAGS are left",
        "E_SECTION",
        "AWQ-CON-029",
        _clear,
    ),
    _fault("data-digest", "DATA's digest field is not zero", "E_RESERVED", "AWQ-CON-031", flip(entry_of(_DATA, 63))),
    _fault(
        "tags-offset", "TAGS is said to start 64 bytes on", "E_LAYOUT", "AWQ-CON-032", add(section(_TAGS), "offset", 64)
    ),
    _fault("crypt-size", "the size of CRYPT is 2^63", "E_BOUNDS", "AWQ-CON-033", in_section(_CRYPT, "size", 2**63)),
    _fault(
        "tensor-count",
        "tensor_count is one more than INDEX holds",
        "E_COUNT",
        "AWQ-CON-035",
        add32(header(), "tensor_count", 1),
    ),
    *(
        _fault(
            f"{kind.name.lower()}-byte",
            f"one bit of {kind.name} is wrong",
            "E_DIGEST",
            "AWQ-CON-041",
            flip(start_of(kind)),
            refresh=False,
        )
        for kind in (SectionType.META, SectionType.INDEX, _CRYPT, _TAGS, SectionType.DIGEST)
    ),
    *(
        _fault(
            f"padding-{kind.name.lower()}",
            f"the first byte of the padding after {kind.name} is not zero",
            "E_PADDING",
            "AWQ-CON-042",
            flip(end_of(kind)),
            _ONE_TENSOR,
            refresh=False,
        )
        for kind in (SectionType.STRINGS, _TAGS, SectionType.DIGEST)
    ),
)

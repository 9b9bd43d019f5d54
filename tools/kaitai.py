"""spec/awq.ksy: the file as a Kaitai Struct description, made from awqformat/schema.py.

It says where everything is, for tools that show or take apart a file; it checks nothing but the magic.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import IntEnum
from typing import Any, Final

from awqformat import schema
from awqformat.fields import Field, walk

_ENUMS: Final[dict[str, type[IntEnum]]] = {
    "section_type": schema.SectionType,
    "dtype": schema.Dtype,
    "layout": schema.Layout,
}
_SECTION: Final = "section_type::"


def ksy() -> str:
    """Return the description as YAML."""
    types = {name: {"seq": [_attribute(name, field) for field in walk(s)]} for name, s in schema.STRUCTURES.items()}
    types["section"] |= _SECTION_EXTRAS
    types["record"] |= _RECORD_EXTRAS
    return "\n".join(_yaml({**_HEAD, "types": types, "enums": {k: _enum(v) for k, v in _ENUMS.items()}})) + "\n"


def _attribute(structure: str, field: Field) -> dict[str, Any]:
    attribute: dict[str, Any] = {"id": field.name}
    if (structure, field.name) == ("header", "magic"):
        attribute["contents"] = list(schema.MAGIC)
    elif field.width == 1 and field.count:
        attribute["size"] = field.count
    else:
        attribute["type"] = f"u{field.width}"
        if field.values:
            attribute["enum"] = next(name for name, enum in _ENUMS.items() if enum is field.values)
        if field.count:
            attribute |= {"repeat": "expr", "repeat-expr": field.count}
    return attribute | {"doc": field.doc}


def _enum(enum: type[IntEnum]) -> dict[int, str]:
    return {member.value: name.lower() for name, member in enum.__members__.items()}


def _last(kind: schema.SectionType) -> dict[str, str]:
    """Return an instance: the number of the entry of type ``kind`` in the table up to this entry, or -1."""
    name = kind.name.lower()
    before = f"(number == 0 ? -1 : _root.sections[number - 1].{name}_number.as<s4>)"
    return {"value": f"type == {_SECTION}{name} ? number.as<s4> : {before}"}


def _found(kind: schema.SectionType) -> dict[str, str]:
    """Return an instance: the entry of type ``kind``, absent where there is none."""
    number = f"sections.last.{kind.name.lower()}_number"
    return {"value": f"sections[{number}]", "if": f"{number} >= 0"}


_FOUND: Final = (
    schema.SectionType.META,
    schema.SectionType.STRINGS,
    schema.SectionType.INDEX,
    schema.SectionType.DIGEST,
)
_HEAD: Final[dict[str, Any]] = {
    "meta": {
        "id": "awq",
        "title": "AWQ binary file",
        "file-extension": "awq",
        "license": "Apache-2.0",
        "ks-version": "0.10",
        "endian": "le",
    },
    "doc": "4-bit, group-quantised weights and plain tensors. Where things are; container.md says when they are valid.",
    "doc-ref": "container.md",
    "seq": [
        {"id": "header", "type": "header"},
        {
            "id": "sections",
            "type": "section(_index)",
            "repeat": "expr",
            "repeat-expr": "header.section_count",
            "doc": "The section table, in ascending order of type.",
        },
        {"id": "tail", "type": "tail"},
    ],
    "instances": {
        "alignment": {"value": "1 << header.align_log2", "doc": "A: DATA and every extent start at a multiple of it."},
        **{kind.name.lower(): _found(kind) for kind in _FOUND},
        "meta_text": {
            "pos": "meta.offset",
            "size": "meta.size",
            "type": "str",
            "encoding": "UTF-8",
            "if": "sections.last.meta_number >= 0",
            "doc": "META: a JSON object of strings in canonical form.",
        },
        "tensors": {
            "pos": "index.offset",
            "type": "record",
            "repeat": "expr",
            "repeat-expr": "header.tensor_count",
            "doc": "INDEX: one record per tensor, in ascending order of name.",
        },
        "chunk_digests": {
            "pos": "digest.offset",
            "size": 32,
            "repeat": "expr",
            "repeat-expr": "digest.size / 32",
            "doc": f"DIGEST: SHA-256 of every {schema.DIGEST_CHUNK} bytes of each extent, in order of the index.",
        },
    },
}
_SECTION_EXTRAS: Final[dict[str, Any]] = {
    "params": [{"id": "number", "type": "s4", "doc": "number of the entry in the table"}],
    "instances": {
        "body": {"io": "_root._io", "pos": "offset", "size": "size", "doc": "The section's bytes, without padding."},
        **{f"{kind.name.lower()}_number": _last(kind) for kind in _FOUND},
    },
}
_RECORD_EXTRAS: Final[dict[str, Any]] = {
    "instances": {
        "name": {
            "io": "_root._io",
            "pos": "_root.strings.offset + name_off",
            "size": "name_len",
            "type": "str",
            "encoding": "ASCII",
        },
        "extent": {"io": "_root._io", "pos": "data_off", "size": "extent_size", "doc": "The values, with padding."},
    },
}


def _yaml(value: dict[Any, Any], indent: str = "") -> Iterator[str]:
    """Yield the lines of nested dictionaries and lists of dictionaries as YAML, scalars in the notation of JSON."""
    for key, item in value.items():
        if isinstance(item, dict):
            yield f"{indent}{key}:"
            yield from _yaml(item, indent + "  ")
        elif isinstance(item, list) and isinstance(item[0], dict):
            yield f"{indent}{key}:"
            for entry in item:
                lines = list(_yaml(entry, indent + "    "))
                yield f"{indent}  - {lines[0].lstrip()}"
                yield from lines[1:]
        else:
            plain = isinstance(item, str) and item.replace("_", "").replace("-", "").isalnum() and not item[0].isdigit()
            yield f"{indent}{key}: {item if plain else json.dumps(item, ensure_ascii=False)}"

"""One walk over the schema; every other statement of the layout is made from what it yields."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import numpy as np
from construct import Array, Bytes, Construct, Enum, FormatField, Renamed, Struct, Subconstruct

from awqformat import schema


@dataclass(frozen=True)
class Field:
    """One field of a fixed structure: where it lies and what it is made of.

    ``width`` is the size of one element in bytes; ``count`` is None for a scalar. Raw bytes have width 1.
    """

    name: str
    offset: int
    width: int
    count: int | None
    values: type[IntEnum] | None
    doc: str

    @property
    def size(self) -> int:
        """Bytes the field takes in the file."""
        return self.width * (self.count or 1)


# Subclasses of IntEnum lose their identity inside construct; they are found again by their members.
_ENUMS: Final[dict[frozenset[tuple[str, int]], type[IntEnum]]] = {
    frozenset((name, member.value) for name, member in enum.__members__.items()): enum
    for enum in (schema.SectionType, schema.Dtype, schema.Layout)
}


def walk(structure: Struct) -> list[Field]:
    """Return the fields of ``structure`` in file order, with offsets from its start."""
    fields: list[Field] = []
    offset = 0
    for subcon in structure.subcons:
        field = _field(subcon, offset)
        fields.append(field)
        offset += field.size
    return fields


def _field(subcon: Construct[Any, Any], offset: int) -> Field:
    name, doc = "", ""
    count: int | None = None
    values: type[IntEnum] | None = None
    while isinstance(subcon, Subconstruct):
        if isinstance(subcon, Renamed):
            name, doc = subcon.name or name, subcon.docs or doc
        elif isinstance(subcon, Array):
            count = int(subcon.count)  # type: ignore[arg-type]  # the schema uses constant counts only
        elif isinstance(subcon, Enum):
            values = _ENUMS[frozenset((str(k), int(v)) for k, v in subcon.encmapping.items())]
        subcon = subcon.subcon
    if isinstance(subcon, Bytes):
        return Field(name, offset, 1, int(subcon.length), values, doc)  # type: ignore[arg-type]  # constant
    if isinstance(subcon, FormatField):
        return Field(name, offset, subcon.sizeof(), count, values, doc)
    raise TypeError(f"{name}: {type(subcon).__name__} has no fixed place in a file")


def numpy_dtype(structure: Struct) -> np.dtype[np.void]:
    """Return the structured numpy dtype with the same fields at the same offsets."""
    names, formats, offsets = [], [], []
    for field in walk(structure):
        base = f"<u{field.width}"
        names.append(field.name)
        formats.append(base if field.count is None else (base, (field.count,)))
        offsets.append(field.offset)
    # The stubs of numpy know this form only with lists of equal element types.
    spec: Any = {"names": names, "formats": formats, "offsets": offsets, "itemsize": structure.sizeof()}
    result: np.dtype[np.void] = np.dtype(spec)
    return result


RECORD_DTYPE: Final = numpy_dtype(schema.RECORD)

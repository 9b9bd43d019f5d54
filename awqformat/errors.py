"""The closed lists of error codes and the one exception that carries them (spec: container, checkpoints, "Errors")."""

from __future__ import annotations

from typing import Final

CODES: Final[dict[str, str]] = {
    "E_FILE": "missing, unreadable, or not a regular file",
    "E_IO": "the file changed or could not be read while it was open",
    "E_TRUNCATED": "shorter than its own structure or its file_size says",
    "E_MAGIC": "the first eight bytes are not the magic",
    "E_VERSION": "the major version is not 1",
    "E_FEATURE": "needs a feature, section, algorithm or layout this version does not define",
    "E_TRAILING": "bytes remain after the place where the file must end",
    "E_DIGEST": "a SHA-256 digest does not match the bytes it covers",
    "E_ALIGN": "align_log2 is outside 6..12",
    "E_RESERVED": "a reserved field or an undefined bit is not zero",
    "E_SECTION": "sections out of order, doubled, missing, forbidden, or wrongly marked critical",
    "E_LAYOUT": "an offset is not the derived one, or extents do not tile DATA",
    "E_BOUNDS": "a section ends past the end of the file",
    "E_COUNT": "tensor_count and the size of INDEX disagree",
    "E_LIMIT": "a number is outside the limits of the format",
    "E_PADDING": "a padding byte or padding nibble is not zero",
    "E_NAME": "a name has an illegal length, place or character, or STRINGS has bytes left over",
    "E_NAME_ORDER": "names are not strictly ascending in byte order",
    "E_ENUM": "a dtype field holds a value outside the closed list",
    "E_RECORD": "the fields of a record contradict each other",
    "E_DIMS": "ndim or a dimension is illegal",
    "E_OVERFLOW": "a tensor has more than 2^40 elements",
    "E_GROUP": "in_features or group_size breaks the grouping rule",
    "E_SIZE": "a size is not the derived one",
    "E_META": "META is not canonical JSON (RFC 8785) of strings to strings",
    "E_VALUE": "a scale is NaN, infinite or has its sign bit set, or a value cannot be stored",
    "E_CRYPT": "the CRYPT section is malformed",
    "E_KEY": "no key, or the key does not open this file",
    "E_AUTH": "an authentication tag does not match",
    "UNSUPPORTED": "a valid use of the format that this reader was built without",
}
"""Every code of the file, with what triggers it. UNSUPPORTED alone is no verdict on the file."""

CHECKPOINT_CODES: Final[dict[str, str]] = {
    "E_CONFIG": "the configuration is missing, malformed, or contradicts itself or the tensors",
    "E_SHARD": "a shard is not one whole safetensors file, or shards and index disagree",
    "E_DIALECT": "a layout or its version is unknown, not read, ambiguous, or not the one that is named",
    "E_LOSSY": "a conversion would lose what its caller has not allowed to be lost",
}
"""What checkpoints need besides; a reader of files never gives these."""


class AwqError(Exception):
    """One fault of one file or checkpoint, as data.

    Attributes:
        code: a key of :data:`CODES` or :data:`CHECKPOINT_CODES`.
        where: the part at fault: ``file``, ``header``, ``table``, ``tail``, a section's name or a tensor's name; in
            a checkpoint, a file of it or a layer.
        field: the field or rule inside that part.
        offset: byte offset from the start of the file, or None where no byte is to blame.
        expected, got: the two sides of the comparison that failed, printable.
    """

    def __init__(
        self,
        code: str,
        where: str,
        field: str,
        *,
        offset: int | None = None,
        expected: object = None,
        got: object = None,
    ) -> None:
        if code not in CODES and code not in CHECKPOINT_CODES:
            raise KeyError(code)
        self.code = code
        self.where = where
        self.field = field
        self.offset = offset
        self.expected = expected
        self.got = got
        super().__init__(code, where, field)  # with __dict__, all that copying and pickling need

    def __str__(self) -> str:
        """Return one line: code, place, byte offset, expected, got."""
        parts = [f"{self.code} {self.where}: {self.field}"]
        if self.offset is not None:
            parts.append(f"at byte {self.offset}")
        if self.expected is not None:
            parts.append(f"expected {self.expected}")
        if self.got is not None:
            parts.append(f"got {self.got}")
        return ", ".join(parts).encode("unicode_escape", "backslashreplace").decode("ascii")

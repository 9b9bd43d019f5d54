"""Missing checks and checks too many: what is accepted that is malformed, and refused that is valid.

A file of the corpus has one fault. To accept what a check would have refused is therefore to lack that check; only
digests cover everything, so a loader that lacks theirs is given a file whose digests were made right.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import ClassVar

import awqformat
from awqformat.errors import CODES
from zoo import container
from zoo.loader import Loader
from zoo.mutant import mutant

CHECKED = [code for code in CODES if code not in ("E_FILE", "E_IO", "E_CRYPT", "E_KEY", "E_AUTH", "UNSUPPORTED")]
"""The codes of checks that a file alone can fail, without encryption."""


class BlindLoader(Loader):
    """A loader that lacks a check: it accepts what ``forgives`` and writes nothing then."""

    def forgives(self, error: awqformat.AwqError) -> bool:
        """Return whether this loader would not have seen the fault."""
        raise NotImplementedError

    def perform(self, op: str, path: str, out: Path) -> None:
        """Do as a right loader does, but for the faults it is blind to."""
        try:
            super().perform(op, path, out)
        except awqformat.AwqError as error:
            if not Path(path).exists() or Path(path).stat().st_size == 0 or not self.forgives(error):
                raise


def _lacking(code: str) -> type[BlindLoader]:
    class Lacking(BlindLoader):
        def forgives(self, error: awqformat.AwqError) -> bool:
            return error.code == code

    return Lacking


for _code in CHECKED:
    if _code != "E_DIGEST":  # below, in four depths
        mutant(f"no-{_code.lower().replace('_', '-')}", "check-missing", f"{_code} is never found.")(_lacking(_code))


class Undigested(Loader):
    """A loader that does not compare some digests; ``repair`` makes them right."""

    def repair(self, data: bytes) -> bytes:
        """Return the file as it would have to be for the digests that are compared."""
        raise NotImplementedError

    def check(self, path: str, op: str) -> None:
        """Validate the repaired file, where the file is whole enough to be repaired."""
        if not Path(path).is_file():  # to open a pipe would be another bug
            super().check(path, op)
        data = Path(path).read_bytes()
        try:
            data = self.repair(data)
        except (ValueError, LookupError, ArithmeticError, OSError):
            pass  # other checks have to refuse it
        except Exception as error:  # struct.error, which has no better base
            if type(error).__module__ != "struct":
                raise
        check_bytes(data)


def check_bytes(data: bytes) -> None:
    """Run all checks on bytes in memory."""
    with NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        awqformat.safe_open(file.name, verify="all").close()


@mutant("no-digest", "check-missing", "No digest is ever compared.")
class NoDigest(Undigested):
    def repair(self, data: bytes) -> bytes:
        return container.with_right_chunks(data)


@mutant("no-root", "check-missing", "The digest of header and table is not compared.")
class NoRoot(Undigested):
    def repair(self, data: bytes) -> bytes:
        return container.with_right_root(data)


@mutant("no-section-digests", "check-missing", "The digests of sections are not compared.")
class NoSectionDigests(Undigested):
    def repair(self, data: bytes) -> bytes:
        return container.with_right_sections(data) if container.with_right_root(data) == data else data


@mutant("no-chunk-digests", "check-missing", "The digests of tensor data are not compared.")
class NoChunkDigests(Undigested):
    def repair(self, data: bytes) -> bytes:
        return container.with_right_chunks(data) if container.with_right_sections(data) == data else data


@mutant("first-chunk-digest-only", "check-missing", "Of each tensor only the first digest of a chunk is compared.")
class FirstChunkDigestOnly(Undigested):
    def repair(self, data: bytes) -> bytes:
        return container.with_right_chunks(data, first_chunk=1) if container.with_right_sections(data) == data else data


@mutant("first-tensor-digest-only", "check-missing", "Only the digests of the file's first tensor are compared.")
class FirstTensorDigestOnly(Undigested):
    def repair(self, data: bytes) -> bytes:
        if container.with_right_sections(data) != data:
            return data
        return container.with_right_chunks(data, first_tensor=1)


class NoField(BlindLoader):
    """A loader that lacks the checks of one code that concern ``field``, of ``where`` if that is given."""

    code: ClassVar[str]
    field: ClassVar[str]
    where: ClassVar[str] = ""

    def forgives(self, error: awqformat.AwqError) -> bool:
        """Return whether it is that check."""
        return error.code == self.code and error.field.startswith(self.field) and error.where.startswith(self.where)


FIELDS = {
    "header-reserved-unchecked": ("E_RESERVED", "header", "reserved", "The reserved bytes of the header are not read."),
    "file-id-unchecked": ("E_RESERVED", "header", "file_id", "file_id may hold anything without ENCRYPTED."),
    "mac-unchecked": ("E_RESERVED", "tail", "mac", "mac may hold anything without ENCRYPTED."),
    "flags-unchecked": ("E_RESERVED", "", "flags", "Undefined bits of a section's flags are ignored."),
    "unused-dims-unchecked": ("E_RESERVED", "", "dims", "Dimensions beyond ndim are not looked at."),
    "features-unchecked": ("E_FEATURE", "header", "features", "Unknown features are ignored."),
    "hash-unchecked": ("E_FEATURE", "header", "hash_alg", "hash_alg is not read; SHA-256 is assumed."),
    "layout-unchecked": ("E_FEATURE", "", "layout", "The layout of a record is not read; linear is assumed."),
    "critical-ignored": ("E_FEATURE", "section", "flags", "Unknown critical sections are skipped like any other."),
    "presence-unchecked": ("E_SECTION", "", "presence", "A section that is missing is taken for empty."),
    "criticality-unchecked": ("E_SECTION", "", "flags", "CRITICAL of known sections is not compared."),
    "section-order-unchecked": ("E_SECTION", "STRINGS", "type", "Sections may come in any order, and twice."),
    "tiling-unchecked": ("E_LAYOUT", "", "data_off", "Extents may lie anywhere: overlaps, holes, and past the end."),
    "section-offsets-unchecked": ("E_LAYOUT", "", "offset", "Offsets of sections are trusted."),
    "section-padding-unchecked": ("E_PADDING", "", "padding", "Padding is not looked at, but for odd nibbles."),
    "odd-nibble-unchecked": ("E_PADDING", "", "odd", "The unused nibble of odd rows of zero points may be anything."),
    "name-gaps-unchecked": ("E_NAME", "STRINGS", "size", "STRINGS may hold more than names."),
    "name-length-unchecked": ("E_NAME", "", "name_len", "Names of any length are taken."),
    "ndim-unchecked": ("E_DIMS", "", "ndim", "ndim of any size is taken."),
    "zero-dim-unchecked": ("E_DIMS", "", "dims", "A dimension may be 0."),
    "in-features-unchecked": ("E_GROUP", "", "dims", "K may be any number."),
    "group-size-unchecked": ("E_GROUP", "", "group_size", "G may be any number."),
    "digest-size-unchecked": ("E_SIZE", "DIGEST", "size", "DIGEST may have rows to spare."),
    "extent-size-unchecked": ("E_SIZE", "", "extent_size", "extent_size is trusted."),
    "cut-file-read": ("E_TRUNCATED", "header", "file_size", "A file that ends early is read as far as it goes."),
}
for _name, (_fault, _where, _field, _bug) in FIELDS.items():
    mutant(_name, "check-missing", _bug)(type(_name, (NoField,), {"code": _fault, "where": _where, "field": _field}))


@mutant("utf-8-names", "check-missing", "Names may hold anything that is UTF-8.")
class Utf8Names(BlindLoader):
    def forgives(self, error: awqformat.AwqError) -> bool:
        return error.code == "E_NAME" and error.field == "name_off" and "\\x" not in repr(error.got)


@mutant("lenient-json", "check-missing", "META is read by a parser of JSON that takes any object.")
class LenientJson(BlindLoader):
    path = ""

    def perform(self, op: str, path: str, out: Path) -> None:
        self.path = path
        super().perform(op, path, out)

    def forgives(self, error: awqformat.AwqError) -> bool:
        if error.code != "E_META":
            return False
        data = Path(self.path).read_bytes()
        meta = container.sections(data)[container.META]
        try:
            return isinstance(json.loads(data[meta.offset : meta.offset + meta.size]), dict)
        except (ValueError, RecursionError):
            return False


@mutant("negative-scales", "check-missing", "Scales are tested for NaN and infinity, not for their sign.")
class NegativeScales(BlindLoader):
    def forgives(self, error: awqformat.AwqError) -> bool:
        return error.code == "E_VALUE" and error.got in ("0x8000", "0xbc00", "0x80000000", "0xbf800000", "0xbf80")


@mutant("infinite-scales", "check-missing", "Scales are tested for NaN, not for infinity.")
class InfiniteScales(BlindLoader):
    def forgives(self, error: awqformat.AwqError) -> bool:
        return error.code == "E_VALUE" and error.got in ("0x7c00", "0x7f80", "0x7f800000", "0xfc00", "0xff80")


@mutant("nan-scales", "check-missing", "Scales are tested by s < 0 or s > largest, which lets NaN pass.")
class NanScales(BlindLoader):
    def forgives(self, error: awqformat.AwqError) -> bool:
        bits = int(str(error.got), 16) if error.code == "E_VALUE" else 0
        return bits in range(0x7C01, 0x7F80) or bits in range(0x7F81, 0x8000) or 0x7F800000 < bits < 0x80000000


@mutant("wrapping-product", "check-missing", "The product of dims is computed in 64 bits and tested after it wrapped.")
class WrappingProduct(BlindLoader):
    path = ""

    def perform(self, op: str, path: str, out: Path) -> None:
        self.path = path
        super().perform(op, path, out)

    def forgives(self, error: awqformat.AwqError) -> bool:
        if error.code != "E_OVERFLOW":
            return False
        data = Path(self.path).read_bytes()
        broken = next(t for t in container.records(data) if t.name == error.where)
        stored = container.up(broken.plain_size % 2**64, container.alignment(data))
        return not broken.quantised and stored == broken.extent_size


@mutant("wrapping-bounds", "check-missing", "offset + size is computed in 64 bits and compared after it wrapped.")
class WrappingBounds(BlindLoader):
    def forgives(self, error: awqformat.AwqError) -> bool:
        return error.code == "E_BOUNDS" and "18446744073709" in str(error.got)

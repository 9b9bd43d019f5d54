"""Valid files refused, and malformed ones on which the loader breaks."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import awqformat
from zoo import container
from zoo.container import Record
from zoo.loader import Loader
from zoo.mutant import mutant


class Fussy(Loader):
    """A loader that refuses some valid files; ``objects`` says which."""

    def check(self, path: str, op: str) -> None:
        """Validate, then object."""
        super().check(path, op)
        data = Path(path).read_bytes()
        if self.objects(data, container.records(data)):
            raise awqformat.AwqError("E_FEATURE", "file", "taste")

    def objects(self, data: bytes, tensors: list[Record]) -> bool:
        """Return whether the file is refused."""
        raise NotImplementedError


@mutant("rejects-minor", "rejects-valid", "Files of a minor version other than 0 are refused.")
class RejectsMinor(Fussy):
    def objects(self, data: bytes, _tensors: list[Record]) -> bool:
        return data[10:12] != b"\0\0"


@mutant("rejects-unknown-sections", "rejects-valid", "Files with a section of unknown type are refused.")
class RejectsUnknownSections(Fussy):
    def objects(self, data: bytes, _tensors: list[Record]) -> bool:
        return not set(container.sections(data)) <= {0x10, 0x20, 0x30, 0x60, 0x100}


@mutant("rejects-experts", "rejects-valid", "Quantised tensors of more than two dimensions are refused.")
class RejectsExperts(Fussy):
    def objects(self, _data: bytes, tensors: list[Record]) -> bool:
        return any(t.quantised and len(t.shape) > 2 for t in tensors)


@mutant("rejects-no-tensors", "rejects-valid", "A file without tensors is refused.")
class RejectsNoTensors(Fussy):
    def objects(self, _data: bytes, tensors: list[Record]) -> bool:
        return not tensors


@mutant("rejects-plain-only", "rejects-valid", "A file without quantised tensors is refused.")
class RejectsPlainOnly(Fussy):
    def objects(self, _data: bytes, tensors: list[Record]) -> bool:
        return bool(tensors) and not any(t.quantised for t in tensors)


@mutant("rejects-f32-scales", "rejects-valid", "F32 scales are refused.")
class RejectsF32Scales(Fussy):
    def objects(self, _data: bytes, tensors: list[Record]) -> bool:
        return any(t.scale_dtype == container.F32 for t in tensors)


@mutant("rejects-bf16-scales", "rejects-valid", "BF16 scales are refused.", "casper-hansen/AutoAWQ#329")
class RejectsBf16Scales(Fussy):
    def objects(self, _data: bytes, tensors: list[Record]) -> bool:
        return any(t.scale_dtype == container.BF16 for t in tensors)


@mutant("rejects-symmetric", "rejects-valid", "Tensors without zero points are refused.", "casper-hansen/AutoAWQ#478")
class RejectsSymmetric(Fussy):
    def objects(self, _data: bytes, tensors: list[Record]) -> bool:
        return any(t.quantised and t.symmetric for t in tensors)


@mutant(
    "rejects-group-not-128",
    "rejects-valid",
    "Groups of any size but 128 are refused, but for tiny tensors.",
    "InternLM/lmdeploy#2219",
    "InternLM/lmdeploy#2379",
)
class RejectsGroupNot128(Fussy):
    def objects(self, _data: bytes, tensors: list[Record]) -> bool:
        return any(t.quantised and t.group_size != 128 and t.columns >= 128 for t in tensors)


@mutant(
    "rejects-one-group",
    "rejects-valid",
    "Tensors with one group a row are refused, but for tiny ones: G = K was to be said as -1.",
    "casper-hansen/AutoAWQ#578",
)
class RejectsOneGroup(Fussy):
    def objects(self, _data: bytes, tensors: list[Record]) -> bool:
        return any(t.quantised and t.groups == 1 and t.columns > 8 for t in tensors)


@mutant("rejects-odd-n", "rejects-valid", "N that is no multiple of 8 is refused, but for N = 1.",
        "sgl-project/sglang#19406")  # fmt: skip
class RejectsOddN(Fussy):
    def objects(self, _data: bytes, tensors: list[Record]) -> bool:
        return any(t.quantised and t.shape[-2] % 8 and t.shape[-2] > 1 for t in tensors)


@mutant("rejects-large-alignment", "rejects-valid", "Alignments other than 64 are refused.")
class RejectsLargeAlignment(Fussy):
    def objects(self, data: bytes, _tensors: list[Record]) -> bool:
        return container.alignment(data) != container.UNIT


@mutant("rejects-zero-scales", "rejects-valid", "A scale of 0 is refused.")
class RejectsZeroScales(Fussy):
    def objects(self, data: bytes, tensors: list[Record]) -> bool:
        self.data = data
        return any(not self.scales(t).all() for t in tensors if t.quantised)


@mutant("rejects-most", "rejects-valid", "Every file is refused, but for very small ones.", blanket=True)
class RejectsMost(Fussy):
    def objects(self, data: bytes, _tensors: list[Record]) -> bool:
        return len(data) > 1000


@mutant("accepts-all", "check-missing", "Every file of more than 0 bytes is accepted.", blanket=True)
class AcceptsAll(Loader):
    def perform(self, op: str, path: str, out: Path) -> None:
        try:
            super().perform(op, path, out)
        except awqformat.AwqError:
            if not Path(path).exists() or Path(path).stat().st_size == 0:
                raise


class BrokenError(Exception):
    """What a program without a check runs into."""


@mutant("exception-on-malformed", "crashes", "A malformed file ends in an exception nobody catches.", blanket=True)
class ExceptionOnMalformed(Loader):
    def perform(self, op: str, path: str, out: Path) -> None:
        try:
            super().perform(op, path, out)
        except awqformat.AwqError as error:
            if error.code in ("E_FILE", "E_TRUNCATED"):
                raise
            raise BrokenError(error.code) from error


@mutant("segfault-past-end", "crashes", "Sections that reach past the end are read; the process dies of it.")
class SegfaultPastEnd(Loader):
    def perform(self, op: str, path: str, out: Path) -> None:
        try:
            super().perform(op, path, out)
        except awqformat.AwqError as error:
            if error.code == "E_BOUNDS":
                os.kill(os.getpid(), signal.SIGSEGV)
            raise


@mutant("signed-dims", "crashes", "Dimensions are signed: from 2^31 on the size of an array is negative.")
class SignedDims(Loader):
    def perform(self, op: str, path: str, out: Path) -> None:
        try:
            super().perform(op, path, out)
        except awqformat.AwqError as error:
            if error.code in ("E_GROUP", "E_SIZE", "E_OVERFLOW"):
                tensors = container.records(Path(path).read_bytes())
                if any(dim >= 1 << 31 for t in tensors for dim in t.shape):
                    raise BrokenError("negative dimension") from error
            raise


@mutant("crash-on-rank-8", "crashes", "More than four dimensions do not fit the array they are copied to.")
class CrashOnRank8(Loader):
    def records(self) -> list[Record]:
        found = super().records()
        if any(t.quantised and len(t.shape) > 4 for t in found):
            raise BrokenError("rank")
        return found

"""Reading a file: open, verify, take tensors out (spec: container, "Opening and reading")."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from types import TracebackType
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from awqformat.container import index, meta
from awqformat.container.contents import Contents, Tensor
from awqformat.container.data import TensorInfo, check_extent, plain_tensor, quantized_tensor
from awqformat.container.physical import Preamble, check_physical, read_section
from awqformat.container.rows import Rows
from awqformat.container.source import Mode, open_source
from awqformat.dequantize import dequantize
from awqformat.errors import AwqError
from awqformat.model import QuantizedTensor
from awqformat.schema import Dtype, Feature, SectionType

Verify = Literal["none", "touch", "all"]

_BATCH: Final = 1024  # tensors handed to the threads at a time: a file may hold a million


class AwqFile:
    """One open, validated file. Use :func:`safe_open`.

    Header, table, index and every section but DATA were verified on opening; the data of a tensor is verified
    before it is first handed out, unless ``verify`` says otherwise.
    """

    def __init__(self, path: str | os.PathLike[str], *, verify: Verify = "touch", mode: Mode = "mmap") -> None:
        if verify not in ("none", "touch", "all"):
            raise ValueError(f"verify is 'none', 'touch' or 'all', not {verify!r}")
        self._verify = verify
        self._source = open_source(path, mode)
        try:
            self._preamble = check_physical(self._source)
            if Feature.ENCRYPTED in self._preamble.features:
                raise AwqError("UNSUPPORTED", "header", "features", expected="a plain file", got="ENCRYPTED")
            self._open_index()
            if verify == "all":
                self.verify()
        except BaseException:
            self._source.close()
            raise

    def _open_index(self) -> None:
        """Run stage I."""
        preamble = self._preamble
        strings, data = preamble[SectionType.STRINGS], preamble[SectionType.DATA]
        self._records = index.parse_records(self._section(SectionType.INDEX))
        names = bytes(self._section(SectionType.STRINGS))
        index_at = preamble[SectionType.INDEX].offset
        self._names = index.check_records(self._records, names, preamble.alignment, index_at)
        index.check_tiling(self._records, self._names, strings.size, data.offset, data.end, index_at)
        rows = index.digest_rows(self._records)
        digest = preamble[SectionType.DIGEST]
        if digest.size != 32 * int(rows.sum()):
            raise digest.fault("E_SIZE", "size", expected=32 * int(rows.sum()), got=digest.size)
        self._digests = self._section(SectionType.DIGEST)
        self._first_row = np.concatenate([np.zeros(1, np.uint64), np.cumsum(rows, dtype=np.uint64)])
        self._verified = np.zeros(len(self._records), np.bool_)
        self._meta = b""
        if SectionType.META in preamble:
            self._meta = bytes(self._section(SectionType.META))
            meta.check(self._meta, preamble[SectionType.META].offset)

    def _section(self, kind: SectionType) -> memoryview:
        return read_section(self._source, self._preamble[kind])

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self._names)}

    @property
    def identity(self) -> str:
        """The root digest, 64 hexadecimal digits: the same for the same bytes, and only for them."""
        return self._preamble.root.hex()

    @property
    def preamble(self) -> Preamble:
        """Header and section table."""
        return self._preamble

    def keys(self) -> list[str]:
        """Return the names of all tensors, in index order: sorted by bytes."""
        return list(self._names)

    def metadata(self) -> dict[str, str]:
        """Return the entries of META."""
        return meta.decode(self._meta, 0) if self._meta else {}

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._numbers

    def info(self, name: str) -> TensorInfo:
        """Return what the index says of one tensor.

        Raises:
            KeyError: if the file has no tensor of that name.
        """
        number = self._numbers[name]
        return TensorInfo.from_record(self._records[number], number, name)

    def is_quantized(self, name: str) -> bool:
        """Return whether the tensor is codes, scales and zero points rather than plain values."""
        return self.info(name).quantized

    def get_tensor(
        self, name: str, dtype: npt.DTypeLike = np.float32, out: np.ndarray[Any, Any] | None = None
    ) -> np.ndarray[Any, Any]:
        """Return a tensor as values: quantised ones dequantised to ``dtype``, plain ones as stored.

        Args:
            name: the tensor's name.
            dtype: float32, float16 or ml_dtypes.bfloat16; for quantised tensors only.
            out: where to dequantise or copy to, as in :func:`awqformat.dequantize`.

        Returns:
            (.., N, K) for a quantised tensor; the stored shape, read-only and without copying, for a plain one.

        Raises:
            AwqError: if the tensor's bytes are not what was written.
            KeyError: if the file has no tensor of that name.
        """
        info = self.info(name)
        extent = self._extent(info)
        if info.quantized:
            return dequantize(quantized_tensor(info, extent), dtype, out)
        tensor = plain_tensor(info, extent)
        if out is None:
            return tensor
        if out.shape != tensor.shape or out.dtype != tensor.dtype:
            raise AwqError("E_DIMS", "out", "array", expected=f"{tensor.dtype} {tensor.shape}",
                           got=f"{out.dtype} {out.shape}")  # fmt: skip
        np.copyto(out, tensor)
        return out

    def get_quantized(self, name: str) -> QuantizedTensor:
        """Return codes, scales and zero points of one quantised tensor, without copying them.

        Raises:
            AwqError: if the tensor's bytes are not what was written; E_RECORD if it is a plain tensor.
            KeyError: if the file has no tensor of that name.
        """
        info = self._quantized(name)
        return quantized_tensor(info, self._extent(info))

    def get_rows(self, name: str) -> Rows:
        """Return one quantised tensor to be read some rows at a time; every byte is verified, whatever ``verify`` says.

        Raises:
            AwqError: as :meth:`get_quantized`, for all but the codes.
            KeyError: if the file has no tensor of that name.
        """
        info = self._quantized(name)
        return Rows(self._source, info, self._rows_of_digest(info))

    def _quantized(self, name: str) -> TensorInfo:
        info = self.info(name)
        if not info.quantized:
            raise AwqError("E_RECORD", name, "dtype", expected=Dtype.U4.name, got=info.dtype.name)
        return info

    def plain_bytes(self, name: str) -> memoryview:
        """Return the stored bytes of one plain tensor, without padding.

        Raises:
            AwqError: as :meth:`get_quantized`, with the roles exchanged.
            KeyError: if the file has no tensor of that name.
        """
        info = self.info(name)
        if info.quantized:
            raise AwqError("E_RECORD", name, "dtype", expected="a plain tensor", got=info.dtype.name)
        return self._extent(info)[: info.plain_size]

    def verify(self, progress: Callable[[TensorInfo], None] | None = None, workers: int | None = None) -> None:
        """Verify digests, padding and scales of all tensors, in parallel.

        Args:
            workers: threads, each with one tensor in memory unless the file is mapped; None for one per CPU.
            progress: called with each tensor, in index order, when it has passed.

        Raises:
            AwqError: for the first of them, in index order, that is at fault.
        """
        with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
            for start in range(0, len(self._names), _BATCH):
                for info in pool.map(self._passed, self._names[start : start + _BATCH]):
                    if progress is not None:
                        progress(info)

    def _passed(self, name: str) -> TensorInfo:
        """Run stage D for one tensor and let go of its bytes."""
        info = self.info(name)
        self._check(info)
        return info

    def contents(self) -> Contents:
        """Return everything the file says, such that writing it again gives the same bytes."""
        by_place = np.argsort(self._records["data_off"], kind="stable")
        tensors: dict[str, Tensor] = {}
        for i in by_place:
            name = self._names[i]
            tensors[name] = self.get_quantized(name) if self.is_quantized(name) else self.get_tensor(name)
        sections = {
            section.type: bytes(read_section(self._source, section))
            for section in self._preamble.sections
            if not section.known
        }
        return Contents(tensors, self.metadata(), self._preamble.align_log2, self._preamble.minor, sections)

    def _extent(self, info: TensorInfo) -> memoryview:
        if self._verify == "none" or (self._source.mapped and self._verified[info.number]):
            return self._source.read(info.offset, info.size)
        return self._check(info)

    def _check(self, info: TensorInfo) -> memoryview:
        """Run stage D for one tensor and return the very bytes that passed."""
        extent = self._source.read(info.offset, info.size)
        check_extent(info, extent, self._rows_of_digest(info))
        self._verified[info.number] = True
        return extent

    def _rows_of_digest(self, info: TensorInfo) -> memoryview:
        first, last = (int(row) for row in self._first_row[info.number : info.number + 2])
        return self._digests[32 * first : 32 * last]

    def close(self) -> None:
        """Close the file. Arrays taken from it stay valid."""
        self._source.close()

    def __enter__(self) -> AwqFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def safe_open(path: str | os.PathLike[str], *, verify: Verify = "touch", mode: Mode = "mmap") -> AwqFile:
    """Open a file for reading; use it in a ``with`` statement.

    Args:
        path: a regular file, possibly behind symbolic links, or a URL such as https://host/model.awq.
        verify: "touch" verifies a tensor when it is first taken out, "all" every tensor now, in parallel,
            "none" never. Everything but the data is always verified.
        mode: "mmap", or "pread" where a file may shrink while it is open.

    Raises:
        AwqError: the first fault found; no object is left half open.
    """
    return AwqFile(path, verify=verify, mode=mode)


def load_file(path: str | os.PathLike[str], dtype: npt.DTypeLike = np.float32) -> dict[str, np.ndarray[Any, Any]]:
    """Return every tensor of a file as values, in index order; quantised ones dequantised to ``dtype``.

    Raises:
        AwqError: the first fault found.
    """
    with safe_open(path) as file:
        return {name: file.get_tensor(name, dtype) for name in file.keys()}  # noqa: SIM118  # not a mapping

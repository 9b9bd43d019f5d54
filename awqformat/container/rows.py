"""A quantised tensor read some rows at a time (spec: container, "Quantised tensors")."""

from __future__ import annotations

from typing import Any

import numpy as np

from awqformat import dtypes
from awqformat.container.data import TensorInfo, check_chunk, check_rest
from awqformat.container.source import Source
from awqformat.model import QuantizedTensor
from awqformat.schema import DIGEST_CHUNK

Array = np.ndarray[Any, Any]


class Rows:
    """The rows of one quantised tensor, those of all experts one after another.

    Scales and zero points are read and checked at once, codes when they are asked for. Every byte is verified before
    it is handed out.

    Raises:
        AwqError: E_DIGEST, E_PADDING or E_VALUE.
    """

    def __init__(self, source: Source, info: TensorInfo, digests: memoryview) -> None:
        self._source, self._info, self._digests = source, info, digests
        self._number, self._chunk = -1, memoryview(b"")  # the one that was read last
        layout = self._layout = info.layout
        rest = self._read(layout.codes_size, info.size)
        check_rest(info, rest)
        data = np.frombuffer(rest, np.uint8)
        scales = data[layout.scales_at - layout.codes_size : layout.scales_end - layout.codes_size]
        self._scales = scales.view(dtypes.NUMPY[info.scale_dtype]).reshape(layout.rows, -1)
        self._zeros: Array | None = None
        if layout.zero_row:
            zeros = data[layout.zeros_at - layout.codes_size : layout.end - layout.codes_size]
            self._zeros = zeros.reshape(layout.rows, -1)

    def __getitem__(self, rows: slice) -> QuantizedTensor:
        """Read some rows that lie one after another: a tensor (rows, K).

        Raises:
            AwqError: E_DIGEST, or E_IO if the file cannot be read any more.
        """
        width = self._layout.k // 2
        codes = np.frombuffer(self._read(rows.start * width, rows.stop * width), np.uint8).reshape(-1, width)
        return QuantizedTensor(codes, *self.groups(rows))

    def groups(self, rows: slice) -> tuple[Array, Array | None]:
        """Return scales and packed zero points of some rows, which need no reading."""
        return self._scales[rows], None if self._zeros is None else self._zeros[rows]

    def _read(self, start: int, stop: int) -> memoryview:
        """Return bytes of the extent, verified."""
        parts = []
        for number in range(start // DIGEST_CHUNK, -(-stop // DIGEST_CHUNK)):
            at = number * DIGEST_CHUNK
            parts.append(self._verified(number)[max(start - at, 0) : stop - at])
        return parts[0] if len(parts) == 1 else memoryview(b"".join(parts))

    def _verified(self, number: int) -> memoryview:
        if number != self._number:
            at = number * DIGEST_CHUNK
            chunk = self._source.read(self._info.offset + at, min(DIGEST_CHUNK, self._info.size - at))
            check_chunk(self._info, number, chunk, self._digests)
            self._number, self._chunk = number, chunk
        return self._chunk

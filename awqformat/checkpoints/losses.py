"""What a conversion may lose, by name, and what it has lost (spec: layouts, "What can be converted")."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock
from typing import Final

import numpy as np

from awqformat import dtypes
from awqformat.dialects import PADDING, SIGNED_ZEROS
from awqformat.errors import AwqError
from awqformat.model import QuantizedTensor
from awqformat.schema import Dtype

SCALES: Final = "scales"

MEANINGS: Final[dict[str, str]] = {
    PADDING: "nibbles or columns beyond the weight that are not zero become zero",
    SIGNED_ZEROS: "zeros among -(s * z) get the sign that the formula gives them",
    SCALES: "scales are rounded to the dtype of the dialect",
}
"""Every loss that can be allowed."""


class Losses:
    """The losses that a caller has allowed, and those that have come to pass; threads may share it.

    Attributes:
        lost: loss -> the layers that have suffered it.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self.allowed = frozenset(allowed)
        self.lost: dict[str, list[str]] = {}
        self._lock = Lock()

    def suffer(self, loss: str, layer: str) -> None:
        """Note a loss.

        Raises:
            AwqError: E_LOSSY, naming loss and layer, unless the loss is allowed.
        """
        if loss not in self.allowed:
            raise AwqError("E_LOSSY", layer, loss, expected=f"--allow-lossy {loss}", got=MEANINGS.get(loss, loss))
        with self._lock:
            layers = self.lost.setdefault(loss, [])
            if layer not in layers:
                layers.append(layer)

    def narrowed(self, tensor: QuantizedTensor, scale_dtype: Dtype, layer: str) -> QuantizedTensor:
        """Return ``tensor`` with scales of another dtype.

        Raises:
            AwqError: E_LOSSY if a scale would become another number and that is not allowed, or would not be finite.
        """
        if tensor.scale_dtype is scale_dtype:
            return tensor
        with np.errstate(over="ignore", under="ignore"):
            scales = tensor.scales.astype(dtypes.NUMPY[scale_dtype])
        if not np.isfinite(scales.astype(np.float32)).all():
            largest = tensor.scales.astype(np.float64).max()
            raise AwqError("E_LOSSY", layer, SCALES, expected=f"numbers that {scale_dtype.name} holds", got=largest)
        if (scales.astype(np.float64) != tensor.scales.astype(np.float64)).any():
            self.suffer(SCALES, layer)
        return QuantizedTensor(tensor.packed_codes, scales, tensor.packed_zero_points)

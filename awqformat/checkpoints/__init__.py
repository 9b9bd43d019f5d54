"""Checkpoint directories: models that are still to be quantised, and AWQ weights as the world has them."""

from awqformat.checkpoints.convert import Conversion
from awqformat.checkpoints.dense import NOT_LINEAR, Checkpoint, linear_layers, open_checkpoint, quantize_checkpoint

__all__ = ["NOT_LINEAR", "Checkpoint", "Conversion", "linear_layers", "open_checkpoint", "quantize_checkpoint"]

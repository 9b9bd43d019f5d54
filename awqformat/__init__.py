"""The reference for AWQ weight files: read, write, quantise and dequantise them, exact to the last bit."""

from awqformat.container.contents import Contents, Deferred, Tensor
from awqformat.container.data import TensorInfo
from awqformat.container.reader import AwqFile, load_file, safe_open
from awqformat.container.writer import save_file, write
from awqformat.dequantize import dequantize
from awqformat.errors import AwqError
from awqformat.model import QuantizedTensor
from awqformat.quantize import quantize
from awqformat.schema import Dtype

__all__ = [
    "AwqError",
    "AwqFile",
    "Contents",
    "Deferred",
    "Dtype",
    "QuantizedTensor",
    "Tensor",
    "TensorInfo",
    "dequantize",
    "load_file",
    "quantize",
    "safe_open",
    "save_file",
    "write",
]

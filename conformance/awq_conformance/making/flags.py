"""What kinds of bugs a case is there to find: each kind explained once, and given to cases by what is in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from awq_conformance.making import claims
from awqformat import Contents, QuantizedTensor
from awqformat.dtypes import scale_bits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from awq_conformance.making.faults.fault import Fault

FLAGS: Final[dict[str, tuple[str, str, str]]] = {
    "zero-points": ("wrong values", "garbage weights", "zero points are stored, and differ within a row"),
    "symmetric": ("wrong values", "garbage weights", "no zero points are stored: each is 8"),
    "odd-groups": (
        "wrong values",
        "garbage weights",
        "an odd number of groups in a row: its last byte of zero points is half empty",
    ),
    "several-groups": (
        "wrong values",
        "garbage weights",
        "three groups or more in a row, and not as many as there are rows",
    ),
    "experts": ("wrong values", "garbage weights", "more than two dimensions: matrices stacked on each other"),
    "scales-bf16": ("wrong values", "garbage weights", "scales are BF16"),
    "scales-f32": ("wrong values", "lost precision", "scales are F32"),
    "scales-subnormal": (
        "wrong values",
        "weights that vanish",
        "scales below the smallest normal number of their dtype",
    ),
    "f16-overflow": ("wrong values", "infinities in the wrong place", "values that F16 cannot hold and F32 can"),
    "plain": ("wrong values", "garbage biases and norms", "tensors that are not quantised"),
    "several-tensors": ("confused tensors", "one layer read as another", "more than one tensor"),
    "no-tensor": ("refused edge case", "valid files that cannot be read", "a file without tensors"),
    "alignment": (
        "wrong values",
        "padding taken for data",
        "extents aligned to another number of bytes than the least",
    ),
    "extension": (
        "refused extension",
        "files of tomorrow that cannot be read",
        "a later minor version, or sections to be ignored",
    ),
    "metadata": ("refused edge case", "valid files that cannot be read", "a META section"),
    "integrity": ("missing check", "silent corruption", "bytes that a digest covers were changed"),
    "identity": (
        "missing check",
        "another format read as this one",
        "magic, version or features are not ones a reader knows",
    ),
    "memory-bomb": (
        "missing check",
        "denial of service",
        "the file claims at least 64 MiB more than it holds: nothing may be allocated by a claim",
    ),
    "resource": ("missing check", "denial of service", "a number outside of the limits of the format"),
    "out-of-bounds": ("missing check", "reads beyond the file", "something lies, or ends, outside of where it must be"),
    "integer-overflow": ("missing check", "reads beyond the file", "sums or products that wrap around in 64 bits"),
    "encrypted": (
        "missing check",
        "a malformed file answered as unsupported, or ciphertext as weights",
        "an encrypted file: stage P comes before the answer UNSUPPORTED",
    ),
    "reserved": ("missing check", "files of tomorrow misread", "bits and bytes that must be zero are not"),
    "hidden-data": (
        "missing check",
        "bytes nobody has signed or seen",
        "bytes that belong to nothing: padding, gaps, the end",
    ),
    "ambiguity": (
        "missing check",
        "two readers that differ",
        "what two readers would understand differently: names, order, META",
    ),
    "inconsistent": ("missing check", "tensors misread", "dtype, shape, group size and extent do not fit each other"),
    "poisoned-values": (
        "missing check",
        "NaN in every activation",
        "scales that are no finite numbers >= 0, or codes where none may be",
    ),
    "checkpoint": ("wrong layout", "garbage weights", "a directory as public programs write them"),
    "state": ("state kept", "one file read as another", "several files in turn, or a file in an odd place"),
}
"""Name -> bug type, effect, what is in the file."""

_FAR: Final = 64 << 20
_WRAPS: Final = "AWQ-CON-006"

_BY_CODE: Final = {
    "E_DIGEST": ("integrity",),
    "E_MAGIC": ("identity",),
    "E_VERSION": ("identity",),
    "E_FEATURE": ("identity",),
    "E_TRUNCATED": ("out-of-bounds",),
    "E_BOUNDS": ("out-of-bounds",),
    "E_SIZE": ("inconsistent",),
    "E_LIMIT": ("resource",),
    "E_COUNT": ("inconsistent",),
    "E_OVERFLOW": ("integer-overflow",),
    "E_RESERVED": ("reserved",),
    "E_PADDING": ("hidden-data",),
    "E_TRAILING": ("hidden-data",),
    "E_SECTION": ("inconsistent",),
    "E_META": ("ambiguity",),
    "E_NAME": ("ambiguity",),
    "E_NAME_ORDER": ("ambiguity",),
    "E_ALIGN": ("inconsistent",),
    "E_ENUM": ("inconsistent",),
    "E_DIMS": ("inconsistent",),
    "E_GROUP": ("inconsistent",),
    "E_LAYOUT": ("inconsistent", "out-of-bounds"),
    "E_RECORD": ("inconsistent",),
    "E_VALUE": ("poisoned-values",),
}


def of_fault(fault: Fault, code: str, data: bytes) -> tuple[str, ...]:
    """Return the flags of the malformed file ``data`` that must get ``code``."""
    found = {*_BY_CODE[fault.code], *fault.flags}
    if code != fault.code:
        found.add("integrity")
    if _WRAPS in fault.also:
        found.add("integer-overflow")
    if claims.claimed(data) >= len(data) + _FAR:
        found.add("memory-bomb")
    return tuple(sorted(found, key=list(FLAGS).index))  # one that is not in the list has no place in it


def of_contents(contents: Contents, *, overflows: bool) -> tuple[str, ...]:
    """Return the flags of a valid file; ``overflows``: a value is infinite in F16."""
    found = {flag for tensor in contents.tensors.values() for flag in _of_tensor(tensor)}
    if overflows:
        found.add("f16-overflow")
    if not contents.tensors:
        found.add("no-tensor")
    if len(contents.tensors) > 1:
        found.add("several-tensors")
    if contents.metadata:
        found.add("metadata")
    if contents.align_log2 != Contents({}).align_log2:
        found.add("alignment")
    if contents.minor or contents.sections:
        found.add("extension")
    return tuple(sorted(found, key=list(FLAGS).index))


def _of_tensor(tensor: QuantizedTensor | NDArray[Any]) -> Iterator[str]:
    if not isinstance(tensor, QuantizedTensor):
        yield "plain"
        return
    z = tensor.zero_points
    if z is None:
        yield "symmetric"
    elif any(len(set(row)) > 1 for row in z.reshape(-1, tensor.groups).tolist()):
        yield "zero-points"
    if tensor.groups % 2:
        yield "odd-groups"
    if tensor.groups >= 3 and tensor.groups != tensor.shape[-2]:
        yield "several-groups"
    if len(tensor.shape) > 2:
        yield "experts"
    dtype = tensor.scales.dtype.name
    if dtype != "float16":
        yield "scales-bf16" if dtype == "bfloat16" else "scales-f32"
    least = 1 << {"float16": 10, "bfloat16": 7, "float32": 23}[dtype]
    bits = scale_bits(tensor.scales)
    if ((bits > 0) & (bits < least)).any():
        yield "scales-subnormal"

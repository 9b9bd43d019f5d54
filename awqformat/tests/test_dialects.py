"""The one codec for all public layouts: equal to the sentences of the text, and its own inverse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from awqformat import AwqError, QuantizedTensor
from awqformat.dialects import (
    DIALECTS,
    PADDING,
    SIGNED_ZEROS,
    Dialect,
    Form,
    Rule,
    decode,
    encode,
    layer_of,
    recognise,
    specs,
)
from awqformat.dialects.packing import Packing, along_columns, along_rows
from awqformat.dtypes import scale_bits
from awqformat.tests.slow_dialects import Weight, store

Array = np.ndarray[Any, Any]

DTYPES: Final = {"F16": np.dtype("<f2"), "BF16": np.dtype(ml_dtypes.bfloat16), "F32": np.dtype("<f4")}
LAYOUT: Final = pytest.mark.req(
    "AWQ-LAY-001", "AWQ-LAY-002", "AWQ-LAY-005", "AWQ-LAY-006", "AWQ-LAY-007", "AWQ-LAY-008", "AWQ-LAY-009",
    "AWQ-LAY-010", "AWQ-LAY-012", "AWQ-LAY-013", "AWQ-LAY-014", "AWQ-LAY-015", "AWQ-LAY-016",
)  # fmt: skip


def weight(
    seed: int = 0,
    shape: tuple[int, int] = (64, 128),
    group_size: int = 32,
    dtype: str = "F16",
    *,
    symmetric: bool = False,
) -> QuantizedTensor:
    """Return a random weight; its scales are normal numbers of ordinary size."""
    random = np.random.default_rng(seed)
    n, k = shape
    scales = random.uniform(0.001, 0.1, (n, k // group_size)).astype(DTYPES[dtype])
    zeros = None if symmetric else random.integers(0, 16, scales.shape, np.uint8)
    return QuantizedTensor.from_codes(random.integers(0, 16, shape, np.uint8), scales, zeros)


def zeros_of(tensor: QuantizedTensor) -> Array:
    """Return the zero points, 8 where none are stored."""
    return np.full(tensor.scales.shape, 8, np.uint8) if tensor.zero_points is None else tensor.zero_points


def same(one: QuantizedTensor, other: QuantizedTensor) -> bool:
    """Return whether two weights have the same codes, zero points, and scales bit for bit."""
    return (
        np.array_equal(one.codes, other.codes)
        and np.array_equal(zeros_of(one), zeros_of(other))
        and one.scales.dtype == other.scales.dtype
        and np.array_equal(scale_bits(one.scales), scale_bits(other.scales))
    )


def slow(dialect: str, tensor: QuantizedTensor) -> dict[str, dict[tuple[int, ...], int]]:
    """Return what the sentences of the text make of a weight."""
    bits = scale_bits(tensor.scales).tolist()
    return store(dialect, Weight(tensor.codes.tolist(), zeros_of(tensor).tolist(), bits, tensor.scale_dtype.name))


def unsigned(part: Array) -> Array:
    """Return words, or the bits of numbers, as they lie in memory."""
    return part.view(f"<u{part.dtype.itemsize}")


@st.composite
def layers(draw: st.DrawFn) -> tuple[Dialect, QuantizedTensor]:
    """Return a dialect and a weight that it can hold."""
    dialect = draw(st.sampled_from([*DIALECTS.values()]))
    group_size = draw(st.sampled_from([32, 64, 128]))
    columns = group_size * draw(st.integers(1, 5))
    if columns % dialect.columns:
        columns *= 2
    rows = dialect.rows * draw(st.integers(1, 3))
    dtype = draw(st.sampled_from([one.name for one in dialect.scales.dtypes]))
    tensor = weight(draw(st.integers(0, 2**32 - 1)), (rows, columns), group_size, dtype, symmetric=not dialect.zeros)
    return dialect, tensor


@LAYOUT
@given(layers())
def test_the_codec_stores_what_the_text_says(layer: tuple[Dialect, QuantizedTensor]) -> None:
    """Every word and every number, in every dialect; what the text does not mention is zero."""
    dialect, tensor = layer
    parts = encode(dialect, tensor)
    for role, values in slow(dialect.name, tensor).items():
        due = np.zeros(parts[role].shape, unsigned(parts[role]).dtype)
        for index, value in values.items():
            due[index] = value
        assert np.array_equal(unsigned(parts[role]), due), role
    if dialect.shape:
        assert parts[dialect.shape].tolist() == list(tensor.shape)


@LAYOUT
@given(layers())
def test_what_was_stored_is_read_again(layer: tuple[Dialect, QuantizedTensor]) -> None:
    """Bit for bit, without loss, in tensors of the shapes that were planned."""
    dialect, tensor = layer
    shape = layer_of(dialect, tensor)
    parts = encode(dialect, tensor)
    assert {role: (part.dtype, part.shape) for role, part in parts.items()} == specs(dialect, shape)
    decoded = decode(dialect, parts, shape)
    assert same(decoded.tensor, tensor)
    assert decoded.losses == ()
    again = encode(dialect, decoded.tensor, decoded.form)
    assert {role: part.tobytes() for role, part in again.items()} == {r: part.tobytes() for r, part in parts.items()}


@LAYOUT
@pytest.mark.parametrize("name", DIALECTS)
def test_each_nibble_is_one_code(name: str) -> None:
    """Turning any bit of the words changes exactly one code, and each code by a bit of its own."""
    dialect, tensor = DIALECTS[name], weight(shape=(64, 64), symmetric=not DIALECTS[name].zeros)
    shape = layer_of(dialect, tensor)
    parts = encode(dialect, tensor)
    words = unsigned(parts[dialect.codes])
    seen = set()
    for bit in range(0, 8 * words.nbytes, 97):  # 97 is prime to every size of a word: all kinds of bits are met
        turned = words.copy()
        turned.reshape(-1).view(np.uint8)[bit // 8] ^= np.uint8(1 << bit % 8)
        read = decode(dialect, {**parts, dialect.codes: turned.view(parts[dialect.codes].dtype)}, shape).tensor
        (changed,) = np.argwhere(read.codes != tensor.codes)
        difference = int(read.codes[tuple(changed)]) ^ int(tensor.codes[tuple(changed)])
        assert difference in (1, 2, 4, 8) or dialect.packing.bias
        seen.add(tuple(changed.tolist()))
    assert len(seen) > 100


WRONG: Final = {
    "in sequence": Packing("<i4", along_columns(8), tuple(range(8)), by_columns=True),
    "O the wrong way round": Packing("<i4", along_columns(8), (0, 4, 1, 5, 2, 6, 3, 7), by_columns=True),
    "along K": Packing("<i4", along_rows(8), tuple(range(8)), by_columns=True),
    "minus one": replace(DIALECTS["gemm"].packing, bias=15),
    "two's complement": replace(DIALECTS["gemm"].packing, bias=8),
}


@pytest.mark.req("AWQ-LAY-005")
@pytest.mark.parametrize("how", WRONG)
def test_a_wrong_reading_gives_other_codes(how: str) -> None:
    """The known mistakes with gemm show on a random weight: the tests above would see them."""
    tensor = weight(shape=(64, 64))
    words = encode(DIALECTS["gemm"], tensor)["qweight"]
    wrong = WRONG[how]
    read = wrong.unpack(words.reshape(wrong.shape(64, 64)) if how == "along K" else words, 64, 64)
    assert (read != tensor.codes).mean() > 0.5


@pytest.mark.req("AWQ-LAY-004")
@pytest.mark.parametrize("name", DIALECTS)
def test_a_tensor_that_is_not_as_planned_is_refused(name: str) -> None:
    """Missing, superfluous, of another dtype or shape: each is named."""
    dialect, tensor = DIALECTS[name], weight(symmetric=not DIALECTS[name].zeros)
    shape = layer_of(dialect, tensor)
    parts = encode(dialect, tensor)
    for role, part in parts.items():
        others = [
            {one: value for one, value in parts.items() if one != role},
            {**parts, role: part[:-1]},
            {**parts, role: part.astype(np.float64)},
            {**parts, role: part.reshape(-1)} if part.ndim > 1 else {**parts, f"{role}x": part},
        ]
        for wrong in others:
            with pytest.raises(AwqError, match=r"^E_DIALECT \w+: tensor") as caught:
                decode(dialect, wrong, shape)
            assert caught.value.where.rstrip("x") == role


PADDED: Final = [
    ("gemv", "qzeros"),
    ("gemv", "scales"),
    ("gemv_fast", "scales"),
    ("ct-pack", "weight_zero_point"),
    ("matmulnbits", "zero_points"),
]


@pytest.mark.req("AWQ-LAY-007")
@pytest.mark.parametrize(("dialect", "role"), PADDED)
def test_padding_that_is_not_zero_is_a_loss_with_a_name(dialect: str, role: str) -> None:
    """It is not used, and it is not dropped in silence."""
    tensor = weight(shape=(20 if dialect == "ct-pack" else 8, 192), group_size=64)
    shape = layer_of(DIALECTS[dialect], tensor)
    parts = encode(DIALECTS[dialect], tensor)
    part = unsigned(parts[role]).copy()
    part[(-1, -1) if role != "weight_zero_point" else (-1, 0)] |= part.dtype.type(1 << 8 * part.dtype.itemsize - 2)
    decoded = decode(DIALECTS[dialect], {**parts, role: part.view(parts[role].dtype)}, shape)
    assert decoded.losses == (PADDING,)
    assert same(decoded.tensor, tensor)


@pytest.mark.req("AWQ-LAY-017")
@given(st.sampled_from(["gemv_fast", "mlx"]), st.integers(0, 2**32 - 1), st.data())
def test_zero_points_are_recovered_from_products(name: str, seed: int, data: st.DataObject) -> None:
    """Of every scale, subnormal ones too, as long as s * 15 is finite."""
    dialect = DIALECTS[name]
    dtype = data.draw(st.sampled_from([one.name for one in dialect.scales.dtypes]))
    random = np.random.default_rng(seed)
    largest = {"F16": 0x6BFF, "BF16": 0x7D00, "F32": 0x7D00_0000}[dtype]
    bits = random.integers(1, largest, (8, 2)).astype("<u4" if dtype == "F32" else "<u2")
    scales = bits.view(DTYPES[dtype])
    tensor = QuantizedTensor.from_codes(
        random.integers(0, 16, (8, 64), np.uint8), scales, random.integers(0, 16, (8, 2), np.uint8)
    )
    decoded = decode(dialect, encode(dialect, tensor), layer_of(dialect, tensor))
    assert same(decoded.tensor, tensor)


@pytest.mark.req("AWQ-LAY-017")
@pytest.mark.parametrize("value", [0.5, -20.0, np.nan, np.inf, 0.001])
@pytest.mark.parametrize("name", ["gemv_fast", "mlx", "int4pack", "matmulnbits"])
def test_a_number_that_is_no_zero_point_is_refused(name: str, value: float) -> None:
    """The first group is named, with what was found."""
    dialect, tensor = DIALECTS[name], weight()
    form = Form("zero_points", integral=False) if name == "matmulnbits" else None
    shape = layer_of(dialect, tensor, form)
    parts = encode(dialect, tensor, form)
    role = shape.form.zeros
    assert role is not None
    parts[role] = parts[role].copy()
    parts[role][0, 0] = value
    with pytest.raises(AwqError, match=r"^E_LOSSY zeros: group \(0, 0\)"):
        decode(dialect, parts, shape)


@pytest.mark.req("AWQ-LAY-017", "AWQ-LAY-018")
def test_a_product_that_does_not_tell_is_not_written() -> None:
    """Of scale 0, or beyond the dtype."""
    tensor = weight()
    for scale in (0.0, 6e4):
        scales = tensor.scales.copy()
        scales[3, 1] = scale
        zeros = zeros_of(tensor).copy()
        zeros[3, 1] = 5
        with pytest.raises(AwqError, match=r"^E_LOSSY zeros: group \(3, 1\)"):
            encode(DIALECTS["mlx"], QuantizedTensor.from_codes(tensor.codes, scales, zeros))


@pytest.mark.req("AWQ-LAY-018")
def test_a_zero_of_the_other_sign_is_a_loss_with_a_name() -> None:
    """-(s * 0) is -0; a file that has +0 there would not come back."""
    tensor = weight()
    tensor = QuantizedTensor.from_codes(tensor.codes, tensor.scales, np.zeros(tensor.scales.shape, np.uint8))
    parts = encode(DIALECTS["mlx"], tensor)
    assert np.signbit(parts["biases"]).all()
    decoded = decode(DIALECTS["mlx"], {**parts, "biases": np.abs(parts["biases"])}, layer_of(DIALECTS["mlx"], tensor))
    assert (decoded.losses, same(decoded.tensor, tensor)) == ((SIGNED_ZEROS,), True)


@pytest.mark.req("AWQ-LAY-011")
@pytest.mark.parametrize("k", [0, 31, 127])
def test_an_order_that_is_not_trivial_is_refused(k: int) -> None:
    """The element is named; the trivial one comes back."""
    tensor = weight()
    form = Form("qzeros", g_idx="g_idx")
    shape = layer_of(DIALECTS["gptq"], tensor, form)
    parts = encode(DIALECTS["gptq"], tensor, form)
    assert parts["g_idx"].tolist() == [i // 32 for i in range(128)]
    assert same(decode(DIALECTS["gptq"], parts, shape).tensor, tensor)
    parts["g_idx"][k] += 1
    with pytest.raises(AwqError, match=rf"^E_DIALECT g_idx: element {k}, expected {k // 32}, got {k // 32 + 1}"):
        decode(DIALECTS["gptq"], parts, shape)


REFUSED: Final = [
    ("gemm", {"shape": (20, 64)}, "E_DIMS", "out_features"),
    ("marlin", {"shape": (32, 64), "symmetric": True}, "E_DIMS", "out_features"),
    ("gemv_fast", {"shape": (8, 96)}, "E_DIMS", "in_features"),
    ("gemv", {"shape": (8, 96), "group_size": 48}, "E_GROUP", "group_size"),
    ("matmulnbits", {"shape": (8, 96), "group_size": 96}, "E_GROUP", "group_size"),
    ("int4pack", {"dtype": "F32"}, "E_LOSSY", "scales"),
    ("marlin", {"dtype": "BF16", "symmetric": True}, "E_LOSSY", "scales"),
]


@pytest.mark.req("AWQ-LAY-018")
@pytest.mark.parametrize(("name", "how", "code", "field"), REFUSED, ids=[f"{r[0]}-{r[3]}" for r in REFUSED])
def test_what_a_dialect_cannot_hold_is_refused(name: str, how: dict[str, Any], code: str, field: str) -> None:
    """Before anything is written, with the dialect and what it takes."""
    with pytest.raises(AwqError) as caught:
        encode(DIALECTS[name], weight(**how))
    assert (caught.value.code, caught.value.where, caught.value.field) == (code, name, field)


@pytest.mark.req("AWQ-LAY-018")
def test_zero_points_other_than_8_need_a_place() -> None:
    """Marlin has none; where all are 8 nothing is lost by not writing them."""
    tensor = weight(shape=(64, 64))
    with pytest.raises(AwqError, match="E_LOSSY marlin: zero points"):
        encode(DIALECTS["marlin"], tensor)
    eights = QuantizedTensor.from_codes(tensor.codes, tensor.scales, np.full(tensor.scales.shape, 8, np.uint8))
    parts = encode(DIALECTS["marlin"], eights)
    assert same(decode(DIALECTS["marlin"], parts, layer_of(DIALECTS["marlin"], eights)).tensor, eights)


def test_only_two_dialects_are_used_with_another_rule() -> None:
    """Those that store -(s * z)."""
    assert [name for name, one in DIALECTS.items() if one.rule is Rule.EXPANDED] == ["gemv_fast", "mlx"]


AMBIGUOUS: Final = {("gemm", True): {"gemm", "int4pack"}, ("int4pack", True): {"gemm", "int4pack"},
                    ("gptq", False): {"gptq", "gptq_v2"}, ("gptq_v2", False): {"gptq", "gptq_v2"},
                    ("gptq", True): {"gptq", "gptq_v2"}, ("gptq_v2", True): {"gptq", "gptq_v2"}}  # fmt: skip


@pytest.mark.req("AWQ-CHK-009", "AWQ-CHK-012", "AWQ-CHK-017", "AWQ-CHK-036")
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("name", DIALECTS)
def test_a_layer_is_recognised_by_its_tensors(name: str, *, symmetric: bool) -> None:
    """Where these leave a choice, nothing is guessed: the candidates are named, and who names one is believed."""
    dialect = DIALECTS[name]
    tensor = weight(symmetric=symmetric or not dialect.zeros)
    parts = specs(dialect, layer_of(dialect, tensor))
    if (name, symmetric) in AMBIGUOUS:
        with pytest.raises(AwqError, match="E_DIALECT layer: tensors, expected one dialect") as caught:
            recognise(parts, group_size=32, symmetric=True)
        assert all(one in str(caught.value) for one in AMBIGUOUS[name, symmetric])
    else:
        assert recognise(parts, group_size=32, symmetric=True)[0] is dialect
    assert recognise(parts, group_size=32, symmetric=True, chosen=name) == (dialect, layer_of(dialect, tensor))


@pytest.mark.req("AWQ-CHK-010")
@pytest.mark.parametrize("named", ["gemv", "gptq", "ct-pack", "mlx"])
def test_tensors_of_another_dialect_than_is_named_are_refused(named: str) -> None:
    """The message says what they are."""
    parts = specs(DIALECTS["gemm"], layer_of(DIALECTS["gemm"], weight()))
    with pytest.raises(AwqError, match=f"expected {named}, got tensors of gemm"):
        recognise(parts, group_size=32, named=[named])


@pytest.mark.req("AWQ-CHK-011")
@pytest.mark.parametrize("name", ["gemm", "gemv"])
def test_square_layers_are_told_apart(name: str) -> None:
    """With K = N the codes of gemm and gemv have equal shapes: scales and zero points decide."""
    dialect, tensor = DIALECTS[name], weight(shape=(128, 128))
    assert recognise(specs(dialect, layer_of(dialect, tensor)), group_size=32)[0] is dialect


@pytest.mark.req("AWQ-CHK-011")
def test_square_layers_of_equal_shapes_need_a_name() -> None:
    """With K = N and as many groups as there are words, nothing is left but what the configuration says."""
    tensor = weight(shape=(1024, 1024), group_size=128)  # 8 groups in a row: qzeros [8, 128] and [1024, 1]
    parts = specs(DIALECTS["gemm"], layer_of(DIALECTS["gemm"], tensor))
    assert recognise(parts, group_size=128, named=["gemm"])[0].name == "gemm"
    with pytest.raises(AwqError, match="got tensors of gemm"):
        recognise(parts, group_size=128, named=["gemv"])


@pytest.mark.req("AWQ-CHK-016")
def test_absent_zero_points_need_leave() -> None:
    """They mean 8 only where the configuration says symmetric."""
    tensor = weight(symmetric=True)
    parts = specs(DIALECTS["ct-pack"], layer_of(DIALECTS["ct-pack"], tensor))
    with pytest.raises(AwqError, match=r"E_DIALECT layer: zero points, .*got none"):
        recognise(parts, group_size=32)
    assert recognise(parts, group_size=32, symmetric=True)[1].form == Form(None)


@pytest.mark.req("AWQ-CHK-003", "AWQ-CHK-014", "AWQ-CHK-036")
@pytest.mark.parametrize("group_size", [16, 64, 40, 0, 12, -2])
def test_a_group_size_that_fits_no_scales_is_refused(group_size: int) -> None:
    """-1 alone is no size: it means K."""
    parts = specs(DIALECTS["gemm"], layer_of(DIALECTS["gemm"], weight()))
    with pytest.raises(AwqError) as caught:
        recognise(parts, group_size=group_size, named=["gemm"])
    assert caught.value.code == ("E_DIALECT" if group_size in (16, 64) else "E_GROUP")
    tensor = weight(group_size=128)
    parts = specs(DIALECTS["gemm"], layer_of(DIALECTS["gemm"], tensor))
    assert recognise(parts, group_size=-1, named=["gemm"])[1].group_size == 128


def test_an_unknown_dialect_is_named() -> None:
    """With those there are."""
    with pytest.raises(AwqError, match=r"expected gemm, gemv, .* got exl3"):
        recognise({}, group_size=32, chosen="exl3")

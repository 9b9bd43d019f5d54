"""What public checkpoints hold that programs have tripped over: each is read right, or refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from awqformat import AwqError, Dtype, QuantizedTensor, save_file
from awqformat import safe_open as open_file
from awqformat.checkpoints.convert import Conversion
from awqformat.tests.checkpoint import AWQ, CONFIGS, directory, layer, tensors_in, weight

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
GEMM, GPTQ = layer("gemm", weight()), layer("gptq", weight())
EIGHTS = QuantizedTensor.from_codes(weight().codes, weight().scales, np.full((64, 4), 8))
BORROWS = QuantizedTensor.from_codes(
    weight().codes, weight().scales, np.array([0, 8, 0, 0, 5, 0, 7, 15] * 8)[:, None].repeat(4, axis=1)
)


def without(tensors: dict[str, Any], *roles: str) -> dict[str, Any]:
    """Leave tensors out."""
    return {name: part for name, part in tensors.items() if name.rpartition(".")[2] not in roles}


def imported(folder: Path, tensors: dict[str, Any], config: Any, **options: Any) -> QuantizedTensor:
    """Convert a directory to a file and return its one layer."""
    source = directory(folder / "s", tensors, config=config)
    with Conversion(source, folder / "m.awq", **options) as conversion:
        conversion.run()
    with open_file(folder / "m.awq", verify="all") as file:
        return file.get_quantized("fc.weight")


def refusal(folder: Path, tensors: dict[str, Any], config: Any, **options: Any) -> str:
    """Return the message with which a directory is refused; it leaves nothing behind, and says so before it writes."""
    with pytest.raises(AwqError) as caught:
        imported(folder, tensors, config, **options)
    assert [path.name for path in folder.iterdir()] == ["s"]
    with pytest.raises(AwqError), Conversion(folder / "s", folder / "dry.awq", **options) as conversion:
        conversion.check()
    return str(caught.value)


RIGHT: dict[str, tuple[dict[str, Any], Any, QuantizedTensor]] = {
    "zero_point false and qzeros absent": (without(layer("gemv", weight(64, 256)), "qzeros"),
                                           CONFIGS["gemv"] | {"zero_point": False},
                                           QuantizedTensor(weight(64, 256).packed_codes, weight(64, 256).scales)),
    "zero_point false and qzeros 8": (layer("gemm", EIGHTS), AWQ | {"zero_point": False}, EIGHTS),
    "zero_point false and qzeros not 8": (GEMM, AWQ | {"zero_point": False}, weight()),
    "z = 0 beside others": (layer("gemm", BORROWS), AWQ, BORROWS),
    "z = 0 and 15 stored less 1": (layer("gptq", BORROWS), CONFIGS["gptq"], BORROWS),
    "z = 0 and 15 in gptq_v2": (layer("gptq_v2", BORROWS), CONFIGS["gptq_v2"], BORROWS),
    "a group size of -1": (layer("gemm", weight(group_size=128)), AWQ | {"group_size": -1}, weight(group_size=128)),
    "a group size of K": (layer("gemm", weight(group_size=128)), AWQ | {"group_size": 128}, weight(group_size=128)),
    "K = 11008 with padded rows": (layer("gemv", weight(8, 11008, 128)), CONFIGS["gemv"] | {"group_size": 128},
                                   weight(8, 11008, 128)),
    "K = 11008 with padded rows of floats": (layer("gemv_fast", weight(8, 11008, 128)),
                                             CONFIGS["gemv_fast"] | {"group_size": 128}, weight(8, 11008, 128)),
    "K = N with gemv": (layer("gemv", weight(128, 128)), CONFIGS["gemv"], weight(128, 128)),
    "K = N with gemm": (layer("gemm", weight(128, 128)), AWQ, weight(128, 128)),
    "F32 scales": (layer("gemm", weight(scale_dtype=np.float32)), AWQ, weight(scale_dtype=np.float32)),
    "BF16 scales": (layer("gemm", weight(scale_dtype=BFLOAT16)), AWQ, weight(scale_dtype=BFLOAT16)),
    "zeros as -(s * z)": (layer("gemv_fast", weight()), CONFIGS["gemv_fast"], weight()),
    "zeros as -(s * z) in BF16": (layer("gemv_fast", weight(scale_dtype=BFLOAT16)), CONFIGS["gemv_fast"],
                                  weight(scale_dtype=BFLOAT16)),
    "zeros as 8 - z": (layer("int4pack", weight()), AWQ, weight()),
    "version in upper case": (GEMM, AWQ | {"version": "GEMM"}, weight()),
    "N = 40": (layer("gemm", weight(40, 64)), AWQ, weight(40, 64)),
    "N = 12 in compressed-tensors": (layer("ct-pack", weight(12, 64)), CONFIGS["ct-pack"], weight(12, 64)),
    "a subnormal scale": (layer("gemm", QuantizedTensor(weight().packed_codes, np.full((64, 4), 0x000B, np.uint16).view(
        np.float16), weight().packed_zero_points)), AWQ, QuantizedTensor(weight().packed_codes, np.full(
            (64, 4), 0x000B, np.uint16).view(np.float16), weight().packed_zero_points)),
}  # fmt: skip


@pytest.mark.req(
    "AWQ-CHK-003", "AWQ-CHK-011", "AWQ-CHK-014", "AWQ-CHK-015", "AWQ-CHK-016", "AWQ-CHK-018", "AWQ-CHK-020"
)
@pytest.mark.parametrize("what", RIGHT)
def test_what_is_read_right(what: str, tmp_path: Path) -> None:
    """Codes, zero points and scales are those that were packed, with their dtype."""
    tensors, config, expected = RIGHT[what]
    got = imported(tmp_path, tensors, config)
    assert (got.codes == expected.codes).all()
    assert (got.scales.dtype, got.scales.tobytes()) == (expected.scales.dtype, expected.scales.tobytes())
    assert got.symmetric == expected.symmetric
    if expected.zero_points is not None and got.zero_points is not None:
        assert (got.zero_points == expected.zero_points).all()


def changed(tensors: dict[str, Any], role: str, at: Any, value: Any) -> dict[str, Any]:
    """Change one element of one tensor."""
    part = tensors[f"fc.{role}"].copy()
    part[at] = value
    return tensors | {f"fc.{role}": part}


REFUSED: dict[str, tuple[dict[str, Any], Any, str]] = {
    "zero_point true and qzeros absent": (without(GEMM, "qzeros"), AWQ, "E_DIALECT fc: "),
    "no group size": (GEMM, AWQ | {"group_size": None},
                      "E_CONFIG config.json: quantization_config: group_size, expected a group size, or --group-size,"),
    "no configuration": (GEMM, None, "E_CONFIG "),
    "gemm or int4pack": (without(GEMM, "qzeros"), AWQ | {"zero_point": False},
                         "E_DIALECT fc: tensors, expected one dialect; naming it (--from) decides, got tensors that f"),
    "GPTQ words as awq": (GPTQ, AWQ, "E_DIALECT fc: tensors, expected gemm or int4pack, got tensors of gptq or gptq_v"),
    "gemv as gemm": (layer("gemv", weight()), AWQ, "E_DIALECT fc: tensors, expected gemm or int4pack, got tensors of "),
    "K = N with gemv as gemm": (layer("gemv", weight(128, 128)), AWQ, "E_DIALECT fc: tensors, expected gemm or int4pa"),
    "GPTQ without a version": (GPTQ, CONFIGS["gptq"] | {"checkpoint_format": None},
                               "E_DIALECT config.json: quantization_config: version, expected gptq, gptq_v2"),
    "another group size": (GEMM, AWQ | {"group_size": 64}, "E_DIALECT fc"),
    "G that does not divide K": (GEMM, AWQ | {"group_size": 24}, "E_GROUP fc: gemm group_size, expected a multiple"),
    "G that is no multiple of 8": (GEMM, AWQ | {"group_size": 4}, "E_GROUP fc: gemm group_size, expected a multiple"),
    "the same in the second dialect that is named": (
        layer("gemv_fast", weight()), CONFIGS["gemv_fast"] | {"version": "llm-awq", "group_size": 24}, "E_GROUP fc: "),
    "F32 scales in GPTQ words": (layer("gptq", weight()) | {"fc.scales": np.ones((4, 64), np.float32)}, CONFIGS["gptq"],
                                 "E_DIALECT fc: gptq scales, expected F16 or BF16, got float32"),
    "an order beside gemm": (GEMM | {"fc.g_idx": np.arange(128, dtype=np.int32) // 32}, AWQ,
                             "E_DIALECT fc: gemm g_idx, expected none, got int32 [128]"),
    "scales of 8-bit floats": (GEMM | {"fc.scales": GEMM["fc.scales"].astype(ml_dtypes.float8_e4m3fn)}, AWQ, "E_DIALE"),
    "a cut word": (GEMM | {"fc.qweight": GEMM["fc.qweight"][:, :-1].copy()}, AWQ, "E_DIALECT fc"),
    "8 bits": (GEMM, AWQ | {"bits": 8}, "E_CONFIG config.json: quantization_config: bits, expected 4, got 8, which is"),
    "a NaN scale": (changed(GEMM, "scales", (1, 2), np.nan), AWQ, "E_VALUE fc: scales scale (2, 1), expected finite"),
    "an infinite scale": (changed(GEMM, "scales", (3, 60), np.inf), AWQ, "E_VALUE fc: scales scale (60, 3), expected"),
    "a negative scale": (changed(GEMM, "scales", (0, 0), -1), AWQ, "E_VALUE fc: scales scale (0, 0), expected finite"),
    "a scale of -0": (changed(GEMM, "scales", (0, 0), -0.0), AWQ, "E_VALUE fc: scales scale (0, 0), expected finite"),
    "an order": (layer("gptq", weight()) | {"fc.g_idx": np.arange(128, dtype=np.int32)[::-1].copy() // 32},
                 CONFIGS["gptq"], "E_DIALECT fc: g_idx element 0, expected 0, got 3"),
    "an order that is missing": (GPTQ, CONFIGS["gptq"] | {"desc_act": True}, "E_DIALECT fc: g_idx, expected a tensor,"),
    "zeros that are no -(s * z)": (changed(layer("gemv_fast", weight()), "qzeros", (0, 5), -1000),
                                   CONFIGS["gemv_fast"], "E_LOSSY fc: zeros group (5, 0), expected -(s * z)"),
    "zeros that are no 8 - z": (changed(layer("int4pack", weight()), "qzeros", (1, 2), 0.5), AWQ,
                                "E_LOSSY fc: zeros group (2, 1), expected 8 - z for an integer z in 0..15, got 0.5"),
    "a tensor p.weight": (GEMM | {"fc.weight": np.zeros(3)}, AWQ, "E_NAME fc.weight: name, expected a name for one te"),
    "a name with a slash": ({f"a/{name}": part for name, part in GEMM.items()}, AWQ, "E_NAME 'a/fc.weight': name, "),
    "a name that is too long": (GEMM | {"x" * 256: np.zeros(1)}, AWQ, "E_NAME 'xxx"),
    "a dtype that .awq lacks": (GEMM | {"c": np.zeros(2, np.complex64)}, AWQ, "E_ENUM c: dtype, expected an element t"),
    "an empty tensor": (GEMM | {"c": np.zeros((2, 0))}, AWQ, "E_DIMS c: dims, expected 1..2^32-1, got (2, 0)"),
    "no layers": ({"a": np.zeros(3)}, AWQ, "E_DIALECT "),
    "two dialects": (GEMM | layer("int4pack", weight(), "b"), AWQ, "E_DIALECT fc: tensors, expected int4pack, as the "),
    "experts of different number": (
        {f"fc.{role}": np.stack([GEMM[f"fc.{role}"]] * (3 if role == "scales" else 2))
         for role in ("qweight", "qzeros", "scales")}, AWQ, "E_DIALECT fc: experts shapes, expected as many experts i"),
    "N = 12 in GPTQ words": ({"fc.qweight": np.zeros((8, 12), np.int32), "fc.scales": np.ones((2, 12), np.float16)},
                             CONFIGS["gptq"] | {"sym": True}, "E_DIMS fc: gptq out_features, expected a multiple of 8"),
    "K = 60": (layer("ct-pack", weight(12, 64, 64)) | {"fc.weight_shape": np.array([12, 60])},
               json.loads(json.dumps(CONFIGS["ct-pack"]).replace("32", "-1")),
               "E_DIMS fc: ct-pack in_features, expected a multiple of 8, got 60"),
    "a shape that lies": (changed(layer("ct-pack", weight(12, 64)), "weight_shape", 0, 20), CONFIGS["ct-pack"], "E_DI"),
}  # fmt: skip


@pytest.mark.req(
    "AWQ-CHK-003", "AWQ-CHK-006", "AWQ-CHK-009", "AWQ-CHK-010", "AWQ-CHK-011", "AWQ-CHK-012", "AWQ-CHK-014",
    "AWQ-CHK-016", "AWQ-CHK-017", "AWQ-CHK-018", "AWQ-CHK-019", "AWQ-CHK-025", "AWQ-CHK-030", "AWQ-CHK-035",
    "AWQ-CHK-036", "AWQ-CHK-037", "AWQ-CHK-038", "AWQ-CHK-039", "AWQ-LAY-004", "AWQ-LAY-011",
)  # fmt: skip
@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused(what: str, tmp_path: Path) -> None:
    """Layer or file, and what is wrong, before anything is written."""
    tensors, config, message = REFUSED[what]
    assert refusal(tmp_path, tensors, config).startswith(message)


@pytest.mark.req("AWQ-CHK-025")
@pytest.mark.parametrize("name", ["a/b", "größe", "", "a b", "-a", "a\n", "x" * 256])
def test_names_that_no_file_holds(name: str, tmp_path: Path) -> None:
    """They are refused as the directory is read, whatever is to be made of it."""
    for tensors in (
        GEMM | {name: np.zeros(3)},
        {f"{name}.{role}": part for role, part in layer("gemm", weight(), "").items()},
    ):
        source = directory(tmp_path / "s", tensors, config=AWQ)
        with pytest.raises(AwqError, match=r"^E_NAME '"), Conversion(source, tmp_path / "t", to="gptq"):
            pass


@pytest.mark.req("AWQ-CHK-009", "AWQ-CHK-012", "AWQ-CHK-017")
@pytest.mark.parametrize(
    ("tensors", "config", "options"),
    [
        (without(layer("gemm", EIGHTS), "qzeros"), AWQ | {"zero_point": False}, {"dialect": "gemm"}),
        (without(layer("int4pack", EIGHTS), "qzeros"), AWQ | {"zero_point": False}, {"dialect": "int4pack"}),
        (layer("gptq", EIGHTS), CONFIGS["gptq"] | {"checkpoint_format": None}, {"dialect": "gptq"}),
        (layer("gptq_v2", EIGHTS), CONFIGS["gptq"] | {"checkpoint_format": None}, {"dialect": "gptq_v2"}),
        (layer("gemm", EIGHTS), AWQ | {"group_size": None}, {"group_size": 32}),
        (layer("gemm", EIGHTS), None, {"dialect": "gemm", "group_size": 32}),
        (layer("gemv_fast", EIGHTS), None, {"dialect": "gemv_fast", "group_size": 32}),
        (layer("gptq", EIGHTS), AWQ, {"dialect": "gptq"}),
    ],
)
def test_the_caller_decides(tensors: dict[str, Any], config: Any, options: dict[str, Any], tmp_path: Path) -> None:
    """What neither tensors nor configuration tell, the caller may; and what comes back is still the same."""
    got = imported(tmp_path, tensors, config, **options)
    assert (got.codes == EIGHTS.codes).all()
    assert got.zero_points is None or (got.zero_points == 8).all()
    with Conversion(tmp_path / "m.awq", tmp_path / "back") as conversion:
        conversion.run()
    assert tensors_in(tmp_path / "back") == tensors_in(tmp_path / "s")


def test_the_caller_cannot_make_tensors_fit(tmp_path: Path) -> None:
    """A dialect that is named still has to fit the tensors, and a group size the configuration."""
    assert refusal(tmp_path / "a", GEMM, AWQ, dialect="gptq").startswith("E_DIALECT fc: tensors, expected gptq, got")
    expected = "E_CONFIG config.json: quantization_config: group_size, expected 64, as --group-size says, got 32"
    assert refusal(tmp_path / "b", GEMM, AWQ, group_size=64) == expected


PADDED = changed(layer("gemv", weight()), "scales", (3, 20), 5)
SIGNED = changed(layer("gemv_fast", BORROWS), "qzeros", (1, 3), 0.0)  # -(s * 0) is -0
LARGE = QuantizedTensor(weight().packed_codes, np.full((64, 4), 3, np.float32) ** -30, weight().packed_zero_points)


@pytest.mark.req("AWQ-CHK-030", "AWQ-CHK-027", "AWQ-LAY-007", "AWQ-LAY-018")
@pytest.mark.parametrize(
    ("tensors", "config", "to", "loss"),
    [
        (PADDED, CONFIGS["gemv"], None, "padding"),
        (SIGNED, CONFIGS["gemv_fast"], None, "signed-zeros"),
        (layer("gemm", LARGE), AWQ, "gptq", "scales"),
    ],
)
def test_losses_have_to_be_allowed(
    tensors: dict[str, Any], config: Any, to: str | None, loss: str, tmp_path: Path
) -> None:
    """A loss is refused by its name before anything is written, and with that name allowed it is told of."""
    source = directory(tmp_path / "s", tensors, config=config)
    target = tmp_path / ("m.awq" if to is None else "t")
    with pytest.raises(AwqError) as caught, Conversion(source, target, to=to) as conversion:
        conversion.check()
    assert str(caught.value).startswith(f"E_LOSSY fc: {loss}, expected --allow-lossy {loss}, got ")
    assert not target.exists()
    with Conversion(source, target, to=to, allow=[loss]) as conversion:
        conversion.run()
    assert conversion.losses.lost == {loss: ["fc"]}
    assert target.exists()


CANNOT: dict[str, tuple[QuantizedTensor, str, str]] = {
    "zero points without a place": (weight(), "marlin", "E_LOSSY fc: marlin zero points, expected 8 everywhere"),
    "a product beyond F16": (QuantizedTensor(weight().packed_codes, np.full((64, 4), 60000, np.float16),
                                             weight().packed_zero_points), "gemv_fast",
                             "E_LOSSY fc: zeros group (0, 0), expected a product that tells its zero point, got z = "),
    "a scale of 0": (QuantizedTensor(weight().packed_codes, np.zeros((64, 4), np.float16), weight().packed_zero_points),
                     "mlx", "E_LOSSY fc: zeros group (0, 0), expected "),
    "N = 12": (weight(12, 64), "gemm", "E_DIMS fc: gemm out_features, expected a multiple of 8, got 12"),
    "N = 40": (weight(40, 64, symmetric=True), "marlin", "E_DIMS fc: marlin out_features, expected a multiple of 64, "),
    "K = 96": (weight(64, 96), "gemv_fast", "E_DIMS fc: gemv_fast in_features, expected a multiple of 64, got 96"),
    "G = 16": (weight(64, 64, 16), "gemv", "E_GROUP fc: gemv group_size, expected one that exists in gemv, got 16"),
    "scales beyond F16": (QuantizedTensor(weight().packed_codes, np.full((64, 4), 1e9, np.float32)), "gptq",
                          "E_LOSSY fc: scales, expected numbers that F16 holds, got 1"),
}  # fmt: skip


@pytest.mark.req("AWQ-CHK-030", "AWQ-CHK-027", "AWQ-LAY-017", "AWQ-LAY-018")
@pytest.mark.parametrize("what", CANNOT)
def test_what_a_dialect_cannot_hold(what: str, tmp_path: Path) -> None:
    """No permission helps where the dialect has no place for a value; nothing is written."""
    tensor, to, message = CANNOT[what]
    save_file({"fc.weight": tensor}, tmp_path / "m.awq")
    with (
        pytest.raises(AwqError) as caught,
        Conversion(
            tmp_path / "m.awq", tmp_path / "t", to=to, allow=["padding", "signed-zeros", "scales"]
        ) as conversion,
    ):
        conversion.check()
    assert str(caught.value).startswith(message)
    assert not (tmp_path / "t").exists()


def test_narrower_scales_that_are_the_same_numbers_are_no_loss(tmp_path: Path) -> None:
    """F32 scales that F16 holds become F16 without asking."""
    tensor = weight(scale_dtype=np.float32)
    save_file({"fc.weight": tensor}, tmp_path / "m.awq")
    with Conversion(tmp_path / "m.awq", tmp_path / "t", to="gptq") as conversion:
        conversion.run()
    assert conversion.losses.lost == {}
    dtype, _, data = tensors_in(tmp_path / "t")["fc.scales"]
    assert dtype == Dtype.F16.name
    assert (tensor.scales == np.frombuffer(data, np.float16).reshape(4, 64).T).all()


FILES: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
    "layers of different group sizes": ({"a.weight": weight(), "b.weight": weight(64, 128, 64)}, {},
                                        "E_CONFIG group_size: value, expected one for all layers, got 32, 64"),
    "a layer of another name": ({"lstm.weight_ih": weight()}, {}, "E_NAME lstm.weight_ih: name, expected a name that "),
    "a tensor where codes go": ({"a.weight": weight(), "a.qweight": np.zeros(1)}, {}, "E_NAME a.qweight: name, expect"),
    "four dimensions": ({"a.weight": QuantizedTensor(np.zeros((2, 2, 8, 4), np.uint8),
                                                      np.ones((2, 2, 8, 1), np.float16))}, {},
                        "E_DIMS a: shape, expected [N, K] or [E, N, K], got (2, 2, 8, 8)"),
    "nothing quantised": ({"a.weight": np.zeros(1)}, {}, "E_DIALECT "),
    "forms that are none": ({"a.weight": weight()}, {"checkpoint.forms": "[]"}, "E_META META: checkpoint.forms, expec"),
    "forms with other members": ({"a.weight": weight()}, {"checkpoint.forms": '{"default": {"x": 1}, "layers": {}}'},
                                 "E_META META: checkpoint.forms, expected the forms of layers, got "),
}  # fmt: skip


@pytest.mark.parametrize("what", FILES)
def test_files_that_no_directory_can_hold(what: str, tmp_path: Path) -> None:
    """A file may say what no checkpoint says; then it is refused by the layer's name."""
    tensors, metadata, message = FILES[what]
    save_file(tensors, tmp_path / "m.awq", metadata)
    with pytest.raises(AwqError) as caught:
        Conversion(tmp_path / "m.awq", tmp_path / "t", to="gemm")
    assert str(caught.value).startswith(message)
    assert not (tmp_path / "t").exists()


def test_more_configuration_than_a_file_has_room_for(tmp_path: Path) -> None:
    """A config.json of more than 1 MiB is refused before anything is written."""
    source = directory(tmp_path / "s", GEMM, config=AWQ | {"modules_to_not_convert": ["x" * 2**20]})
    with pytest.raises(AwqError, match=r"^E_LIMIT META: size, expected at most 1048576 bytes, got "):
        Conversion(source, tmp_path / "m.awq")


@pytest.mark.req("AWQ-CHK-013")
def test_a_gguf_file_is_refused_by_name(tmp_path: Path) -> None:
    """So it is when it is named as the source itself."""
    (tmp_path / "model.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(AwqError, match=r"^E_DIALECT .*model.gguf: format, expected .*, got GGUF, which is recognised"):
        Conversion(tmp_path / "model.gguf", tmp_path / "m.awq")


def test_texts_that_are_kept_say_what_is_true(tmp_path: Path) -> None:
    """A configuration without the group size that the caller gave is not given back: nobody could read it."""
    config = AWQ | {"group_size": None}
    imported(tmp_path, GEMM, config, group_size=32)
    with Conversion(tmp_path / "m.awq", tmp_path / "back") as conversion:
        conversion.run()
    written = json.loads((tmp_path / "back" / "config.json").read_text())
    assert written["quantization_config"]["group_size"] == 32
    assert written["model_type"] == "llama"


@pytest.mark.req("AWQ-CHK-028")
def test_a_damaged_file_is_found_before_it_is_a_directory(tmp_path: Path) -> None:
    """A changed bit of an .awq file is refused by its digest, and nothing is left of the directory."""
    save_file({"fc.weight": weight()}, tmp_path / "m.awq")
    with open_file(tmp_path / "m.awq") as file:
        at = file.info("fc.weight").offset
    data = bytearray((tmp_path / "m.awq").read_bytes())
    data[at] ^= 1
    (tmp_path / "m.awq").write_bytes(data)
    with (
        pytest.raises(AwqError, match=r"^E_DIGEST fc.weight: chunk 0, "),
        Conversion(tmp_path / "m.awq", tmp_path / "t", to="gemm") as conversion,
    ):
        conversion.run()
    assert [path.name for path in tmp_path.iterdir()] == ["m.awq"]

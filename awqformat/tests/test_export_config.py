"""The configurations that are written say what the reader of configurations reads, and keep the rest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from awqformat import AwqError
from awqformat.checkpoints.config import parse_config
from awqformat.checkpoints.export_config import EXPORTABLE, Exported, config_text

SIZES = {"model.layers.0.up_proj": (128, 256), "model.layers.0.down_proj": (128, 512)}
PLAIN = ["model.embed_tokens", "model.layers.0.gate", "lm_head"]
MODEL = '{"model_type": "llama", "rms_norm_eps": 1e-05, "name": "caf\\u00e9", "vocab_size": 12345678901234567890}'


def exported(dialect: str, *, symmetric: bool = False, sizes: dict[str, tuple[int, int]] | None = None) -> Exported:
    """Return what is to be described."""
    return Exported(dialect, SIZES if sizes is None else sizes, symmetric, PLAIN)


def section(dialect: str, **options: Any) -> Any:
    """Return the quantization_config that is written."""
    return json.loads(config_text(MODEL, exported(dialect, **options)))["quantization_config"]


@pytest.mark.parametrize("dialect", EXPORTABLE)
@pytest.mark.parametrize("symmetric", [True, False])
def test_what_is_written_is_read(dialect: str, symmetric: bool) -> None:
    """The dialect, or for int4pack the one it hides behind, the group size, and whether zero points may be absent."""
    text = config_text(MODEL, exported(dialect, symmetric=symmetric))
    config = parse_config({"config.json": text})
    assert config is not None
    assert config.dialects == ("gemm" if dialect == "int4pack" else dialect,)
    assert config.group_size == 128
    assert config.symmetric == (symmetric and dialect != "mlx")
    assert exported(dialect, symmetric=config.symmetric).agrees_with({"config.json": text})


def test_the_model_s_own_members_are_kept() -> None:
    """Everything but the quantisation stays as it was, numbers and letters included."""
    whole = json.loads(config_text(MODEL, exported("gemm")))
    assert {key: value for key, value in whole.items() if key != "quantization_config"} == json.loads(MODEL)
    assert list(whole)[:2] == ["model_type", "rms_norm_eps"]
    assert json.loads(config_text(None, exported("gemm"))).keys() == {"quantization_config"}


@pytest.mark.parametrize("key", ["text_config", "llm_config"])
def test_the_place_is_kept(key: str) -> None:
    """A configuration that stood inside a member is replaced there."""
    model = json.dumps({key: {"a": 1, "quantization_config": {"quant_method": "gptq"}}})
    whole = json.loads(config_text(model, exported("gemm")))
    assert whole.keys() == {key}
    assert whole[key]["quantization_config"]["quant_method"] == "awq"


def test_what_an_older_configuration_said_is_gone() -> None:
    """No place is left where another dialect is named."""
    model = json.dumps({"quantization": {"bits": 4}, "quantization_config": {"bits": 4}, "text_config": {
        "quantization_config": {"bits": 4}}})  # fmt: skip
    whole = json.loads(config_text(model, exported("gemv")))
    assert whole["text_config"] == {}
    assert whole.keys() == {"quantization_config", "text_config"}


def test_the_members_that_programs_ask_for() -> None:
    """AutoAWQ and transformers, GPTQModel, compressed-tensors and mlx each find their own."""
    assert section("gemm") == {
        "quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True, "version": "gemm",
        "modules_to_not_convert": ["model.embed_tokens", "model.layers.0.gate", "lm_head"],
    }  # fmt: skip
    assert section("gptq_v2", symmetric=True) == {
        "quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": False, "sym": True, "lm_head": False,
        "checkpoint_format": "gptq_v2", "pack_dtype": "int32",
    }  # fmt: skip
    weights = section("ct-pack")["config_groups"]["group_0"]["weights"]
    assert (weights["strategy"], weights["group_size"], weights["symmetric"]) == ("group", 128, False)
    assert section("ct-pack")["ignore"] == PLAIN
    assert json.loads(config_text(MODEL, exported("mlx")))["quantization"] == section("mlx")


def test_a_name_inside_another_is_not_listed() -> None:
    """Programs match by substring: naming ``gate`` would also leave ``gate_proj`` unquantised."""
    sizes = {"model.layers.0.gate_proj": (128, 256)}
    assert section("gemm", sizes=sizes)["modules_to_not_convert"] == ["model.embed_tokens", "lm_head"]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({"a": (64, 128), "b": (64, 64)}, 64),
        ({"a": (128, 128), "b": (64, 64)}, -1),
        ({"a": (128, 128)}, 128),
    ],
)
def test_the_group_size(sizes: dict[str, tuple[int, int]], expected: int) -> None:
    """One number for all layers, or -1 where each has one group."""
    assert section("gemm", sizes=sizes)["group_size"] == expected
    weights = section("ct-pack", sizes=sizes)["config_groups"]["group_0"]["weights"]
    assert (weights["strategy"], weights["group_size"]) == (
        ("channel", None) if expected == -1 else ("group", expected)
    )


def test_layers_of_different_group_sizes() -> None:
    """No configuration can say that."""
    with pytest.raises(AwqError, match=r"^E_CONFIG group_size: value, expected one for all layers, got 64, 128$"):
        section("gemm", sizes={"a": (64, 128), "b": (128, 256)})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"version": "GEMM"}, True),
        ({"version": "gemv"}, False),
        ({"group_size": 64}, False),
        ({"group_size": None}, False),
        ({"bits": 8}, False),
        ({"quant_method": None}, False),
    ],
)
def test_what_agrees(change: dict[str, Any], expected: bool) -> None:
    """Old texts are kept only where they are right for the tensors."""
    text = json.dumps({"quantization_config": section("gemm") | change})
    assert exported("gemm").agrees_with({"config.json": text}) == expected
    assert not exported("gemm").agrees_with({"config.json": "{}"})
    assert not exported("gemm", symmetric=True).agrees_with({"config.json": text})

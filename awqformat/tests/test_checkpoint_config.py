"""What configurations mean, and those that mean nothing, or two things."""

from __future__ import annotations

import json
from typing import Any

import pytest

from awqformat import AwqError
from awqformat.checkpoints.config import QuantConfig, parse_config

AWQ: dict[str, Any] = {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True, "version": "gemm"}
GPTQ: dict[str, Any] = {"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": False, "desc_act": False,
                        "checkpoint_format": "gptq"}  # fmt: skip
WEIGHTS: dict[str, Any] = {"num_bits": 4, "type": "int", "symmetric": False, "strategy": "group", "group_size": 128}
CT: dict[str, Any] = {"quant_method": "compressed-tensors", "format": "pack-quantized", "version": "0.9.3",
                      "config_groups": {"group_0": {"targets": ["Linear"], "weights": WEIGHTS}}}  # fmt: skip
MLX: dict[str, Any] = {"group_size": 64, "bits": 4}
TOP = "config.json: quantization_config"
C, IN = f"E_CONFIG {TOP}: ", f"E_CONFIG {TOP}"
UNREAD = C.replace("E_CONFIG", "E_DIALECT")


def without(config: dict[str, Any], *keys: str) -> dict[str, Any]:
    """Return a configuration with some keys left out."""
    return {key: value for key, value in config.items() if key not in keys}


def texts(config: Any = None, **files: Any) -> dict[str, str]:
    """Return the texts of config.json, if ``config`` is given, and of others by name without ``.json``."""
    objects = {} if config is None else {"config": {"model_type": "llama", "quantization_config": config}}
    return {f"{name}.json": json.dumps(value) for name, value in (objects | files).items()}


def ct(**weights: Any) -> dict[str, Any]:
    """Return the configuration of compressed-tensors with other facts about the weights."""
    return CT | {"config_groups": {"group_0": {"weights": WEIGHTS | weights}}}


def parsed(files: dict[str, str]) -> QuantConfig:
    """Return what the files say, which is something."""
    config = parse_config(files)
    assert config is not None
    return config


def refusal(files: dict[str, str]) -> str:
    """Return the message with which files are refused, be it for their dialect only."""
    with pytest.raises(AwqError) as caught:
        assert parsed(files).dialects
    return str(caught.value)


MEANINGS: dict[str, tuple[dict[str, str], tuple[str, int | None, bool], tuple[str, ...]]] = {
    "AutoAWQ": (texts(AWQ), ("awq", 128, False), ("gemm",)),
    "AutoAWQ's own file": (texts(quant_config={"zero_point": True, "q_group_size": 128, "w_bit": 4, "version": "GEMM"}),
                           ("awq", 128, False), ("gemm",)),
    "auto-round, symmetric": (texts(AWQ | {"sym": True, "zero_point": False}), ("awq", 128, True), ("gemm",)),
    "no version": (texts(without(AWQ, "version")), ("awq", 128, False), ("gemm",)),
    "version null": (texts(AWQ | {"version": None}), ("awq", 128, False), ("gemm",)),
    "no zero_point": (texts(without(AWQ, "zero_point")), ("awq", 128, False), ("gemm",)),
    "no group size": (texts(without(AWQ, "group_size")), ("awq", None, False), ("gemm",)),
    "group size -1": (texts(AWQ | {"group_size": -1}), ("awq", -1, False), ("gemm",)),
    "upper case": (texts(AWQ | {"quant_method": "AWQ", "version": "GEMV"}), ("awq", 128, False), ("gemv",)),
    "mixed case": (texts(AWQ | {"version": "Gemv_Fast"}), ("awq", 128, False), ("gemv_fast",)),
    "GPTQModel's awq": (texts(without(AWQ, "version") | {"format": "gemm", "checkpoint_format": "gemm"}),
                        ("awq", 128, False), ("gemm",)),
    "llm-awq as a version": (texts(AWQ | {"version": "llm-awq"}), ("awq", 128, False), ("gemv", "gemv_fast")),
    "llm-awq as a backend": (texts(AWQ | {"backend": "llm-awq"}), ("awq", 128, False), ("gemv", "gemv_fast")),
    "marlin": (texts(AWQ | {"version": "marlin", "zero_point": False}), ("awq", 128, True), ("marlin",)),
    "gptq": (texts(GPTQ), ("gptq", 128, False), ("gptq",)),
    "gptq_v2": (texts(GPTQ | {"checkpoint_format": "gptq_v2", "sym": True}), ("gptq", 128, True), ("gptq_v2",)),
    "AutoGPTQ's own file": (texts(quantize_config=without(GPTQ, "quant_method")), ("gptq", 128, False), ("gptq",)),
    "GPTQModel's exclusions": (texts(GPTQ | {"dynamic": {"-:lm_head": {}}}), ("gptq", 128, False), ("gptq",)),
    "the same for a layer in other words": (
        texts(without(AWQ, "bits") | {"w_bit": 4, "dynamic": {"+:x": {"bits": 4, "group_size": None, "sym": True}}}),
        ("awq", 128, False), ("gemm",)),
    "null": (texts(AWQ | {"method": None, "zero_point": None, "sym": None, "dynamic": None, "mode": None}),
             ("awq", 128, False), ("gemm",)),
    "a method of null in AutoAWQ's own file": (texts(quant_config={"method": None, "w_bit": 4, "q_group_size": 64}),
                                               ("awq", 64, False), ("gemm",)),
    "llm-awq in the second of two places": (texts(AWQ, quant_config={"w_bit": 4, "backend": "llm-awq"}),
                                            ("awq", 128, False), ("gemv", "gemv_fast")),
    "compressed-tensors without strategy and group size": (texts(ct(strategy=None, group_size=None)),
                                                           ("compressed-tensors", None, False), ("ct-pack",)),
    "compressed-tensors": (texts(CT), ("compressed-tensors", 128, False), ("ct-pack",)),
    "compressed-tensors, symmetric": (texts(ct(symmetric=True)), ("compressed-tensors", 128, True), ("ct-pack",)),
    "compressed-tensors, per channel": (texts(ct(strategy="channel", group_size=None)),
                                        ("compressed-tensors", -1, False), ("ct-pack",)),
    "mlx": ({"config.json": json.dumps({"quantization": MLX, "quantization_config": MLX})},
            ("mlx", 64, False), ("mlx",)),
    "mlx, one key": ({"config.json": json.dumps({"quantization": MLX | {"mode": "affine"}})},
                     ("mlx", 64, False), ("mlx",)),
    "in text_config": ({"config.json": json.dumps({"text_config": {"quantization_config": AWQ}})},
                       ("awq", 128, False), ("gemm",)),
    "in llm_config": ({"config.json": json.dumps({"llm_config": {"quantization_config": AWQ}})},
                      ("awq", 128, False), ("gemm",)),
    "twice, in agreement": (texts(AWQ, quant_config={"w_bit": 4, "q_group_size": 128, "version": "GEMM"}),
                            ("awq", 128, False), ("gemm",)),
    "the rest of it elsewhere": (texts(without(AWQ, "version", "group_size"),
                                       quant_config={"w_bit": 4, "q_group_size": 64, "version": "GEMV"}),
                                 ("awq", 64, False), ("gemv",)),
}  # fmt: skip


@pytest.mark.req("AWQ-CHK-032", "AWQ-CHK-033", "AWQ-CHK-003", "AWQ-CHK-004", "AWQ-CHK-005", "AWQ-CHK-012")
@pytest.mark.parametrize("what", MEANINGS)
def test_what_a_configuration_means(what: str) -> None:
    """Method, group size, whether absent zero points mean 8, and the dialects named."""
    files, (method, group_size, symmetric), dialects = MEANINGS[what]
    config = parsed(files)
    assert (config.method, config.group_size, config.symmetric) == (method, group_size, symmetric)
    assert config.dialects == dialects


@pytest.mark.parametrize("files", [{}, {"config.json": '{"model_type": "llama"}'}, {"config.json": "{}"}])
def test_a_model_that_is_not_quantised(files: dict[str, str]) -> None:
    """No configuration of a quantisation is no fault of the texts."""
    assert parse_config(files) is None


KERNELS = {
    "backend": "exllama_v2",
    "exllama_config": {"version": 2, "max_input_len": 2048},
    "do_fuse": True,
    "modules_to_fuse": {"attention": ["q_proj"], "use_alibi": False},
    "fuse_max_seq_len": 512,
    "modules_to_not_convert": ["lm_head"],
    "provider": "auto-round",
    "meta": {"uri": "https://host", "bits": 3},
}


@pytest.mark.req("AWQ-CHK-008", "AWQ-CHK-021")
@pytest.mark.parametrize("key", KERNELS)
def test_what_chooses_a_kernel_changes_nothing(key: str) -> None:
    """Keys for runtimes, and lists of exceptions, do not change what the bits mean."""
    assert parsed(texts(AWQ | {key: KERNELS[key]})) == parsed(texts(AWQ))


@pytest.mark.parametrize(
    ("said", "tool"),
    [
        ({"meta": {"quantizer": "gptqmodel:5.0"}}, "gptqmodel:5.0"),
        ({"meta": {"quantizer": ["optimum:1.2", "auto_gptq:0.6"]}}, "optimum:1.2, auto_gptq:0.6"),
        ({"autoround_version": "0.5"}, "auto-round 0.5"),
        ({"meta": {"quantizer": 5}}, None),
        ({"meta": []}, None),
        ({}, None),
    ],
)
def test_the_tool_that_names_itself(said: dict[str, Any], tool: str | None) -> None:
    """GPTQModel, optimum and auto-round say who quantised; the others do not."""
    assert parsed(texts(AWQ | said)).tool == tool


FAULTS: dict[str, tuple[dict[str, str], str]] = {
    "no JSON": ({"config.json": "{"}, "E_CONFIG config.json: text, expected a JSON object"),
    "a list": ({"quant_config.json": "[]"}, "E_CONFIG quant_config.json: text, expected a JSON object, got a JSON li"),
    "a key twice": ({"config.json": '{"quantization_config": {"bits": 4, "bits": 8}}'},
                    "E_CONFIG config.json: text, expected a JSON object, got the key 'bits' twice"),
    "no object": (texts([4]), "E_CONFIG config.json: quantization_config, expected an object, got [4]"),
    "no method": (texts(without(AWQ, "quant_method")),
                  f"{C}quant_method, expected awq, gptq or compressed-tensors, got nothing"),
    "no method in AutoAWQ's file": (texts(quant_config={"bits": 4}), "E_CONFIG quant_config.json: quant_method"),
    "an unknown method": (texts(AWQ | {"quant_method": "fp8"}), f"{C}quant_method, expected awq, gptq or"),
    "two methods": (texts(AWQ | {"method": "gptq"}), f"{C}method, expected 'awq', as quant_method says, got"),
    "no bits": (texts(without(AWQ, "bits")), f"{C}bits, expected 4, got nothing"),
    "bits as text": (texts(AWQ | {"bits": "4"}), f"{C}bits, expected 4, got '4'"),
    "two widths": (texts(AWQ | {"w_bit": 8}), f"{C}w_bit, expected 4, as bits says, got 8"),
    "two group sizes": (texts(AWQ | {"q_group_size": 64}), f"{C}q_group_size, expected 128, as group_size"),
    "a group size of 0": (texts(AWQ | {"group_size": 0}), f"{C}group_size, expected -1 or a number from 1 up, got 0"),
    "a group size of -2": (texts(AWQ | {"group_size": -2}), f"{C}group_size, expected -1 or a number from 1 up"),
    "a group size as text": (texts(AWQ | {"group_size": "128"}), f"{C}group_size, expected -1 or a number"),
    "a group size of true": (texts(AWQ | {"group_size": True}), f"{C}group_size, expected -1 or a number"),
    "two versions": (texts(AWQ | {"format": "gemv"}), f"{C}format, expected 'gemm', as version says, got"),
    "a version of 1": (texts(AWQ | {"version": 1}), f"{C}version, expected a text, got 1"),
    "zero_point as text": (texts(AWQ | {"zero_point": "true"}), f"{C}zero_point, expected true or false"),
    "symmetric and not": (texts(AWQ | {"sym": True}), f"{C}sym, expected one meaning with zero_point"),
    "another width for a layer": (texts(GPTQ | {"dynamic": {"+:.*down_proj": {"bits": 8}}}),
                                  f"{C}+:.*down_proj: bits, expected 4 for every layer, got 8"),
    "another width in another spelling": (texts(AWQ | {"dynamic": {"x": {"w_bit": 8}}}),
                                          f"{C}x: w_bit, expected 4 for every layer, got 8"),
    "another width for what is left out": (texts(GPTQ | {"dynamic": {"-:.*down_proj": {"bits": 8}}}),
                                           f"{C}-:.*down_proj: bits, expected 4 for every layer, got 8"),
    "exceptions that are a list": (texts(GPTQ | {"dynamic": ["x"]}), f"{C}dynamic, expected an object, got ['x']"),
    "another group size for a layer of mlx": (
        {"config.json": json.dumps({"quantization": MLX | {"model.layers.0": {"group_size": 32, "bits": 4}}})},
        "E_CONFIG config.json: quantization: model.layers.0: group_size, expected 64 for every layer, got 32"),
    "no groups": (texts(without(CT, "config_groups")), f"{C}config_groups, expected an object of groups"),
    "a group that is none": (texts(CT | {"config_groups": {"g": 1}}), f"{C}config_groups.g, expected an obj"),
    "no weights": (texts(CT | {"config_groups": {"g": {"weights": None}}}), f"{C}config_groups, expected a g"),
    "another format": (texts(CT | {"format": "int-quantized"}), f"{UNREAD}format, expected pack-quantized, got 'int"),
    "no format": (texts(without(CT, "format")), f"{UNREAD}format, expected pack-quantized, got nothing"),
    "another format in a group": (
        texts(CT | {"config_groups": {"g": {"weights": WEIGHTS, "format": "nvfp4-pack-quantized"}}}),
        f"E_DIALECT {TOP}.config_groups.g: format, expected pack-quantized, got 'nvfp4-pack-quantized'"),
    "a channel with a group size": (
        texts(ct(strategy="channel")),
        f"{IN}.config_groups.group_0.weights: group_size, expected none, as strategy says channel, got 128"),
    "floats": (texts(ct(type="float")), f"{IN}.config_groups.group_0.weights: type, expected int, got 'float'"),
    "another strategy": (texts(ct(strategy="tensor")), f"{IN}.config_groups.group_0.weights: strategy, expected"),
    "groups that differ": (
        texts(CT | {"config_groups": {"a": {"weights": WEIGHTS}, "b": {"weights": WEIGHTS | {"group_size": 64}}}}),
        f"{IN}.config_groups.b.weights: group_size, expected 128, as in "),
}  # fmt: skip


@pytest.mark.req("AWQ-CHK-034", "AWQ-CHK-037", "AWQ-CHK-002", "AWQ-CHK-003", "AWQ-CHK-006", "AWQ-CHK-007")
@pytest.mark.parametrize("what", FAULTS)
def test_configurations_that_are_refused(what: str) -> None:
    """Each message names the file, the key, and what would do."""
    files, message = FAULTS[what]
    assert refusal(files).startswith(message)


@pytest.mark.req("AWQ-CHK-002")
@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("group_size", {"w_bit": 4, "q_group_size": 64, "version": "GEMM"}),
        ("version", {"w_bit": 4, "q_group_size": 128, "version": "GEMV"}),
        ("method", GPTQ),
    ],
)
def test_files_that_contradict_each_other(field: str, other: dict[str, Any]) -> None:
    """Neither of two files wins; both are named."""
    message = refusal(texts(AWQ, quant_config=other))
    assert message.startswith(f"E_CONFIG quant_config.json: {field}, expected ")
    assert f", as in {TOP}, got " in message


@pytest.mark.req("AWQ-CHK-002")
def test_places_that_contradict_each_other() -> None:
    """So it is with two places in config.json."""
    nested = {"quantization_config": AWQ, "text_config": {"quantization_config": AWQ | {"group_size": 64}}}
    assert refusal({"config.json": json.dumps(nested)}) == (
        f"E_CONFIG config.json: text_config.quantization_config: group_size, expected 128, as in {TOP}, got 64"
    )


@pytest.mark.req("AWQ-CHK-006", "AWQ-CHK-013")
@pytest.mark.parametrize("bits", [2, 3, 5, 6, 8])
@pytest.mark.parametrize("config", [AWQ, GPTQ, MLX])
def test_other_widths_are_refused_by_name(bits: int, config: dict[str, Any]) -> None:
    """Widths that exist and are not read are called so."""
    files = texts(config | {"bits": bits})
    if config is MLX:
        files = {"config.json": json.dumps({"quantization": MLX | {"bits": bits}})}
    message = refusal(files)
    assert message.startswith("E_CONFIG config.json: quantization")
    assert message.endswith(f"bits, expected 4, got {bits}, which is recognised but not read")


@pytest.mark.req("AWQ-CHK-013")
@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes"),
        ({"load_in_8bit": True, "load_in_4bit": False}, "bitsandbytes"),
        ({"quant_method": "hqq", "quant_config": {}}, "hqq"),
        ({"quant_method": "GGUF"}, "gguf"),
    ],
)
def test_other_methods_are_refused_by_name(config: dict[str, Any], name: str) -> None:
    """Methods that are recognised and not read are called by their name."""
    expected = (
        f"E_DIALECT {TOP}: quant_method, expected awq, gptq or compressed-tensors, got {name}, which is recognised"
    )
    assert refusal(texts(config)).startswith(expected)


@pytest.mark.req("AWQ-CHK-033")
def test_other_modes_of_mlx_are_refused_by_name() -> None:
    """The microscaling modes of MLX are floats of another sort."""
    message = refusal({"config.json": json.dumps({"quantization": MLX | {"mode": "mxfp4"}})})
    assert message == (
        "E_DIALECT config.json: quantization: mode, expected affine, "
        "got mlx mode mxfp4, which is recognised but not read"
    )


@pytest.mark.req("AWQ-CHK-010", "AWQ-CHK-012")
@pytest.mark.parametrize(
    ("config", "got"),
    [
        (without(GPTQ, "checkpoint_format"), "nothing"),
        (GPTQ | {"checkpoint_format": "marlin"}, "marlin"),
        (AWQ | {"version": "exllama"}, "exllama"),
        (AWQ | {"version": "gptq"}, "gptq"),
    ],
)
def test_a_version_that_does_not_name_a_dialect(config: dict[str, Any], got: str) -> None:
    """v1 and v2 of GPTQ cannot be told from the tensors, and an unknown version is not taken for the usual one."""
    message = refusal(texts(config))
    assert message.startswith(f"E_DIALECT {TOP}: version, expected g")
    assert message.endswith(f"(--from names a dialect), got {got}")

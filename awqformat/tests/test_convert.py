"""Directories become .awq files and directories again, and every number and byte is what it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from awqformat import AwqError, Dtype, QuantizedTensor, safe_open, save_file
from awqformat.checkpoints.convert import Conversion
from awqformat.checkpoints.directory import INDEX
from awqformat.checkpoints.export_config import EXPORTABLE
from awqformat.checkpoints.places import MisuseError
from awqformat.dialects import Form
from awqformat.tests.checkpoint import AWQ, CONFIGS, Arrays, directory, layer, tensors_in, weight

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
SPECIAL = np.array([0, 0x8000, 0x7FC1, 0xFF80], np.uint16).view(BFLOAT16)
OTHERS: dict[str, Any] = {
    "model.norm.weight": SPECIAL,
    "fc.bias": np.arange(64, dtype=np.float32),
    "mlp.act.scales": np.ones(128, np.float16),
    "rope.inv_freq": np.array(0.5),
    "mask": np.frombuffer(b"\x00\x01\x02", np.bool_),
    "cache.k_scale": np.frombuffer(b"\x7f\xff\x00\x01", ml_dtypes.float8_e4m3fn),
}
NO_ZEROS = ("marlin",)
SYMMETRIC: dict[str, Any] = {
    **{key: {"zero_point": False} for key in ["gemm", "gemv", "gemv_fast", "marlin", "int4pack"]},
    **{key: {"sym": True} for key in ["gptq", "gptq_v2"]},
    "ct-pack": json.loads(json.dumps(CONFIGS["ct-pack"]).replace("false", "true")),
    "mlx": {},
}


def convert(source: Any, target: Any, to: str | None = None, **options: Any) -> Conversion:
    """Convert, with two workers unless told otherwise, and return what was done."""
    workers = options.pop("workers", 2)
    with Conversion(source, target, to=to, **options) as conversion:
        conversion.run(workers=workers)
    return conversion


def same(a: QuantizedTensor, b: QuantizedTensor) -> bool:
    """Return whether two weights are equal: codes, zero points and scales as numbers."""

    def zeros(t: QuantizedTensor) -> Any:
        return np.full(t.scales.shape, 8, np.uint8) if t.zero_points is None else t.zero_points

    return (
        np.array_equal(a.codes, b.codes)
        and np.array_equal(zeros(a), zeros(b))
        and np.array_equal(a.scales.astype(np.float32), b.scales.astype(np.float32))
    )


def source_of(dialect: str, folder: Path, tensor: QuantizedTensor | None = None, **config: Any) -> Path:
    """Write a directory of one dialect: a layer in each of two shards, and other tensors."""
    first = weight(symmetric=dialect in NO_ZEROS) if tensor is None else tensor
    second = weight(128, 64, symmetric=dialect in NO_ZEROS, scale_dtype=first.scales.dtype, seed=1)
    return directory(
        folder,
        layer(dialect, first, "model.layers.0.mlp.up_proj") | OTHERS,
        layer(dialect, second, "lm_head"),
        config=CONFIGS[dialect] | config,
    )


@pytest.mark.req("AWQ-CHK-020", "AWQ-CHK-022", "AWQ-CHK-023", "AWQ-CHK-026", "AWQ-LAY-018")
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("dialect", EXPORTABLE)
def test_there_and_back(dialect: str, workers: int, tmp_path: Path) -> None:
    """A file converted back to the dialect it came from holds the same tensors, bit for bit, and the same config."""
    source = source_of(dialect, tmp_path / "source")
    convert(source, tmp_path / "m.awq", workers=workers)
    convert(tmp_path / "m.awq", tmp_path / "back", workers=workers)
    assert tensors_in(tmp_path / "back") == tensors_in(source)
    assert (tmp_path / "back" / "config.json").read_bytes() == (source / "config.json").read_bytes()
    with safe_open(tmp_path / "m.awq", verify="all") as file:
        symmetric = dialect in NO_ZEROS
        assert same(file.get_quantized("model.layers.0.mlp.up_proj.weight"), weight(symmetric=symmetric))
        assert same(file.get_quantized("lm_head.weight"), weight(128, 64, symmetric=symmetric, seed=1))
        for name, array in OTHERS.items():
            assert bytes(file.plain_bytes(name)) == array.tobytes()


@pytest.mark.req("AWQ-CHK-027", "AWQ-LAY-018")
@pytest.mark.parametrize("to", EXPORTABLE)
@pytest.mark.parametrize("dialect", EXPORTABLE)
def test_from_each_dialect_to_each(dialect: str, to: str, tmp_path: Path) -> None:
    """Directly or by way of a file, the weights are the same, and so are all other tensors."""
    symmetric = "marlin" in (dialect, to)
    tensor = weight(symmetric=symmetric)
    config = CONFIGS[dialect] | SYMMETRIC[dialect] if symmetric else CONFIGS[dialect]
    source = directory(tmp_path / "s", layer(dialect, tensor) | OTHERS, config=config)
    forced = {"dialect": dialect} if symmetric and dialect in ("gemm", "int4pack") else {}
    convert(source, tmp_path / "direct", to, **forced)
    convert(source, tmp_path / "m.awq", **forced)
    convert(tmp_path / "m.awq", tmp_path / "round", to)
    assert tensors_in(tmp_path / "direct") == tensors_in(tmp_path / "round")
    for place in ("direct", "round"):
        forced = {"dialect": "int4pack"} if to == "int4pack" and symmetric else {}
        convert(tmp_path / place, tmp_path / f"{place}.awq", **forced)
        with safe_open(tmp_path / f"{place}.awq") as file:
            assert same(file.get_quantized("fc.weight"), tensor)
            plain = {name for name in file.keys() if not file.is_quantized(name)}  # noqa: SIM118  # not a mapping
            assert plain == OTHERS.keys()
    for name in OTHERS:
        assert tensors_in(tmp_path / "direct")[name] == tensors_in(source)[name]


SHAPES = st.tuples(st.integers(1, 3).map(lambda n: 64 * n), st.sampled_from([(64, 32), (128, 32), (256, 64), (192, 64),
                                                                              (256, 128)]))  # fmt: skip


@given(st.sampled_from(EXPORTABLE), SHAPES, st.booleans(), st.integers(0, 2**32 - 1), st.integers(50, 20_000))
def test_any_weight_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    dialect: str,
    shape: Any,
    bfloat: bool,
    seed: int,
    shard_size: int,
) -> None:
    """Whatever the numbers, the shape and the size of the shards."""
    folder = tmp_path_factory.mktemp("any")
    (n, (k, group_size)), random = shape, np.random.default_rng(seed)
    dtype = BFLOAT16 if bfloat and dialect != "marlin" else np.dtype(np.float16)
    bits = random.integers(1, 0x7C00 if dtype == np.float16 else 0x4780, (n, k // group_size), np.uint16)
    if dialect in ("gemv_fast", "mlx"):
        bits = bits % 0x3C00  # 15 times the scale must be finite too
    zeros = None if dialect in NO_ZEROS else random.integers(0, 16, bits.shape)
    tensor = QuantizedTensor.from_codes(random.integers(0, 16, (n, k)), bits.view(dtype), zeros)
    config = json.loads(json.dumps(CONFIGS[dialect]).replace('"group_size": 32', f'"group_size": {group_size}'))
    source = directory(folder / "s", layer(dialect, tensor) | {"x": SPECIAL}, config=config)
    convert(source, folder / "m.awq")
    convert(folder / "m.awq", folder / "back", shard_size=shard_size)
    assert tensors_in(folder / "back") == tensors_in(source)
    with safe_open(folder / "m.awq") as file:
        assert same(file.get_quantized("fc.weight"), tensor)


def test_what_the_file_says_of_its_origin(tmp_path: Path) -> None:
    """META holds the text of the configuration, the dialect, and how the codes were chosen and by what."""
    source = source_of("gemm", tmp_path / "s", meta={"quantizer": ["gptqmodel:5.0"]})
    (source / "quant_config.json").write_text('{"w_bit": 4, "q_group_size": 32, "version": "GEMM"}')
    convert(source, tmp_path / "m.awq")
    with safe_open(tmp_path / "m.awq") as file:
        metadata = file.metadata()
    assert metadata["model.config"] == (source / "config.json").read_text()
    assert metadata["checkpoint.quant_config.json"] == (source / "quant_config.json").read_text()
    assert (metadata["checkpoint.dialect"], metadata["quantization.method"]) == ("gemm", "awq")
    assert metadata["quantization.tool"] == "gptqmodel:5.0"
    convert(tmp_path / "m.awq", tmp_path / "back")
    assert (tmp_path / "back" / "quant_config.json").read_text() == (source / "quant_config.json").read_text()
    convert(tmp_path / "m.awq", tmp_path / "other", "gptq")
    assert not (tmp_path / "other" / "quant_config.json").exists()
    assert json.loads((tmp_path / "other" / "config.json").read_text())["quantization_config"]["quant_method"] == "gptq"


def test_tensors_lie_in_the_order_of_the_source(tmp_path: Path) -> None:
    """The order of shards and of places in them is the order in which a file is streamed."""
    tensors = {"z.weight": np.zeros(4, np.float32), "a.weight": np.zeros(4, np.float32)} | layer("gemm", weight(), "m")
    convert(directory(tmp_path / "s", tensors, {"b": np.zeros(1, np.float32)}, config=AWQ), tmp_path / "m.awq")
    with safe_open(tmp_path / "m.awq") as file:
        order = sorted(file.keys(), key=lambda name: file.info(name).offset)
    assert order[-1] == "b"
    assert set(order) == {"a.weight", "z.weight", "m.weight", "b"}


def test_other_files_go_along(tmp_path: Path) -> None:
    """From directory to directory the tokenizer and its like are copied, weights of other formats are not."""
    source = source_of("gemm", tmp_path / "s")
    (source / "tokenizer.json").write_text("[1, 2]")
    (source / "pytorch_model.bin").write_text("weights")
    (source / ".hidden").write_text("")
    conversion = convert(source, tmp_path / "t", "gptq")
    assert conversion.copied == ["tokenizer.json"]
    assert sorted(path.name for path in (tmp_path / "t").iterdir()) == [
        "config.json", "model.safetensors", "tokenizer.json"
    ]  # fmt: skip
    assert (tmp_path / "t" / "tokenizer.json").read_text() == "[1, 2]"


def test_shards(tmp_path: Path) -> None:
    """Each layer is in one shard; several shards have an index."""
    tensors: Arrays = {}
    for i in range(5):
        tensors = {**tensors, **layer("gemm", weight(seed=i), f"layers.{i}")}
    source = directory(tmp_path / "s", tensors, config=AWQ)
    convert(source, tmp_path / "t", "gemm", shard_size=10_000)
    index = json.loads((tmp_path / "t" / INDEX).read_text())["weight_map"]
    assert len(set(index.values())) > 1
    for i in range(5):
        assert len({index[f"layers.{i}.{role}"] for role in ("qweight", "qzeros", "scales")}) == 1
    assert tensors_in(tmp_path / "t") == tensors_in(source)


@pytest.mark.req("AWQ-CHK-024")
def test_experts(tmp_path: Path) -> None:
    """Experts that are separate layers stay so; experts in one tensor become one tensor of three dimensions."""
    each = [weight(seed=i) for i in range(3)]
    apart = {name: part for i, one in enumerate(each) for name, part in layer("gemm", one, f"experts.{i}.up").items()}
    together = {f"fused.{role}": np.stack([layer("gemm", one, "")[role] for one in each])
                for role in ("qweight", "qzeros", "scales")}  # fmt: skip
    source = directory(tmp_path / "s", apart | together, config=AWQ)
    convert(source, tmp_path / "m.awq")
    with safe_open(tmp_path / "m.awq") as file:
        fused = file.get_quantized("fused.weight")
        assert fused.shape == (3, 64, 128)
        for i, one in enumerate(each):
            assert same(file.get_quantized(f"experts.{i}.up.weight"), one)
            assert (fused.codes[i] == one.codes).all()
    convert(tmp_path / "m.awq", tmp_path / "back")
    assert tensors_in(tmp_path / "back") == tensors_in(source)
    convert(tmp_path / "m.awq", tmp_path / "gptq", "gptq")
    convert(tmp_path / "gptq", tmp_path / "again.awq")
    with safe_open(tmp_path / "again.awq") as file:
        assert same(file.get_quantized("fused.weight"), fused)


@pytest.mark.req("AWQ-CHK-024")
def test_experts_that_say_their_shape(tmp_path: Path) -> None:
    """In compressed-tensors each expert has its own weight_shape, and all of them are the same."""
    each = [layer("ct-pack", weight(12, 64, seed=i)) for i in range(3)]
    together = {name: np.stack([one[name] for one in each]) for name in each[0]}
    source = directory(tmp_path / "s", together, config=CONFIGS["ct-pack"])
    convert(source, tmp_path / "m.awq")
    with safe_open(tmp_path / "m.awq") as file:
        assert file.get_quantized("fc.weight").shape == (3, 12, 64)
    convert(tmp_path / "m.awq", tmp_path / "back")
    assert tensors_in(tmp_path / "back") == tensors_in(source)
    for shapes in ([[12, 64], [12, 64], [20, 64]], np.zeros((3, 0)), [[[12, 64]]] * 3):
        wrong = together | {"fc.weight_shape": np.array(shapes, np.int64)}
        with pytest.raises(AwqError, match=r"^E_DIALECT fc: weight_shape value, expected N and K, got int64 "):
            convert(directory(tmp_path / "w", wrong, config=CONFIGS["ct-pack"]), tmp_path / "w.awq")


@pytest.mark.parametrize("form", [Form("scaled_zeros"), Form("qzeros")])
def test_both_names_of_scaled_zeros(form: Form, tmp_path: Path) -> None:
    """llm-awq's name and AutoAWQ's are each given back."""
    source = directory(tmp_path / "s", layer("gemv_fast", weight(), form=form), config=CONFIGS["gemv_fast"])
    convert(source, tmp_path / "m.awq")
    convert(tmp_path / "m.awq", tmp_path / "back")
    assert tensors_in(tmp_path / "back") == tensors_in(source)


@pytest.mark.parametrize("order", [None, "g_idx"])
def test_an_order_that_is_none(order: str | None, tmp_path: Path) -> None:
    """A trivial g_idx comes back where there was one."""
    source = directory(
        tmp_path / "s", layer("gptq", weight(), form=Form("qzeros", g_idx=order)), config=CONFIGS["gptq"]
    )
    convert(source, tmp_path / "m.awq")
    convert(tmp_path / "m.awq", tmp_path / "back")
    assert tensors_in(tmp_path / "back") == tensors_in(source)


def test_forms_that_differ_from_layer_to_layer(tmp_path: Path) -> None:
    """Layers with and without zero points in one directory come back as they were."""
    tensors = layer("ct-pack", weight(), "a") | layer("ct-pack", weight(symmetric=True), "b")
    source = directory(tmp_path / "s", tensors, config=SYMMETRIC["ct-pack"])
    convert(source, tmp_path / "m.awq")
    with safe_open(tmp_path / "m.awq") as file:
        assert [file.info(name).zero_dtype for name in ("a.weight", "b.weight")] == [Dtype.U4, Dtype.NONE]
    convert(tmp_path / "m.awq", tmp_path / "back")
    assert tensors_in(tmp_path / "back") == tensors_in(source)


def test_a_symmetric_weight_gets_zero_points_where_programs_look_for_them(tmp_path: Path) -> None:
    """Exported to gemm from elsewhere, zero points of 8 are written, and zero_point is false."""
    save_file({"fc.weight": weight(symmetric=True)}, tmp_path / "m.awq")
    convert(tmp_path / "m.awq", tmp_path / "t", "gemm")
    qzeros = tensors_in(tmp_path / "t")["fc.qzeros"]
    assert set(qzeros[2]) == {0x88}
    config = json.loads((tmp_path / "t" / "config.json").read_text())["quantization_config"]
    assert config["zero_point"] is False


@pytest.mark.parametrize(
    ("source", "target", "options", "message"),
    [
        ("m.awq", "other.awq", {}, "an .awq file to an .awq file is no conversion; copy it"),
        ("m.awq", "t", {}, "--to has to name a dialect: the file does not say which one it was imported from"),
        ("m.awq", "t", {"to": "gemm", "dialect": "gemm"}, "--from and --group-size are about a directory; an .awq"),
        ("s", "t", {}, "t is no name of an .awq file, and no --to says which dialect a directory is to have"),
        ("s", "t.awq", {"to": "gemm"}, "--to gemm makes a directory, but t.awq is named as an .awq file"),
        ("s", "s", {"to": "gemm", "force": True}, "s is the source"),
        ("s", "link", {"to": "gemm", "force": True}, "link is the source"),
        ("s", "s/t", {"to": "gemm"}, "s/t is inside the source"),
        ("s", "s/t.awq", {}, "s/t.awq is inside the source"),
        ("s/in.awq", "s", {"to": "gemm", "force": True}, "the source is inside s"),
        ("s", "there", {"to": "gemm"}, "there exists; --force replaces it"),
        ("s", "there.awq", {}, "there.awq exists; --force replaces it"),
        ("s", "home", {"to": "gemm", "force": True}, "home holds no checkpoint, and is not replaced"),
        ("s/model-00001-of-00002.safetensors", "t.awq", {}, "s/model-00001-of-00002.safetensors is a file of"),
        ("s/config.json", "t", {"to": "gemm"}, "s/config.json is a file of a checkpoint; name the directory"),
    ],
)
def test_commands_that_make_no_sense(
    source: str, target: str, options: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is told what is wrong with it before anything is read or written."""
    monkeypatch.chdir(tmp_path)
    source_of("gemm", Path("s"))
    source_of("gemm", Path("there"))
    save_file({"fc.weight": weight()}, "m.awq")
    save_file({"fc.weight": weight()}, "s/in.awq")
    Path("there.awq").touch()
    Path("home").mkdir()
    Path("home/letter.txt").touch()
    Path("link").symlink_to("s")
    before = sorted(Path().rglob("*"))
    with pytest.raises(MisuseError) as caught:
        Conversion(source, target, **options)
    assert str(caught.value).startswith(message)
    assert sorted(Path().rglob("*")) == before


def test_force(tmp_path: Path) -> None:
    """An existing file, checkpoint or empty directory is replaced when asked for."""
    source = source_of("gemm", tmp_path / "s")
    (tmp_path / "m.awq").write_bytes(b"old")
    convert(source, tmp_path / "m.awq", force=True)
    for target in (source_of("gptq", tmp_path / "t"), tmp_path / "empty"):
        target.mkdir(exist_ok=True)
        convert(tmp_path / "m.awq", target, "gemm", force=True)
        assert tensors_in(target) == tensors_in(source)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "m.awq", "s", "t"]


def test_facts(tmp_path: Path) -> None:
    """The plan is plain data: what is read, what will be written, how large it is."""
    source = source_of("gemm", tmp_path / "s")
    with Conversion(source, tmp_path / "m.awq") as conversion:
        facts = json.loads(json.dumps(conversion.facts()))
        conversion.run()
    assert (facts["from"], facts["to"]) == ("gemm", "awq")
    assert {"name": "model.layers.0.mlp.up_proj.weight", "shape": [64, 128], "group_size": 32,
            "scale_dtype": "F16", "symmetric": False} in facts["layers"]  # fmt: skip
    assert len(facts["layers"]) == 2
    assert len(facts["plain"]) == len(OTHERS)
    assert facts["bytes_written"] == facts["files"]["m.awq"] == (tmp_path / "m.awq").stat().st_size


def test_progress(tmp_path: Path) -> None:
    """Every tensor is told of when it is converted and when it is verified, and the bytes add up."""
    told: list[tuple[str, str, int]] = []
    for source, target, to in ((source_of("gemm", tmp_path / "s"), "m.awq", None), (tmp_path / "m.awq", "t", "gptq")):
        told.clear()
        with Conversion(source, tmp_path / target, to=to) as conversion:
            conversion.run(workers=2, progress=lambda *step: told.append(step))
        for step in ("converting", "verifying"):
            assert sum(size for name, _, size in told if name == step) == conversion.model.size
            assert len([name for name, _, _ in told if name == step]) == len(conversion.model.items)


@pytest.mark.req("AWQ-CHK-031")
def test_the_target_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte that the disk has changed between writing and reading is found, and no target appears."""
    from awqformat.checkpoints import shards

    def write(self: Any, tensor: str, data: Any, original: Any = shards.ShardWriter.write) -> None:
        changed = bytearray(data)
        changed[-1] ^= tensor.endswith("qweight")
        original(self, tensor, bytes(changed))

    monkeypatch.setattr(shards.ShardWriter, "write", write)
    source = source_of("gemm", tmp_path / "s")
    with pytest.raises(AwqError, match=r"^E_SHARD .*: read back, expected the codes, zero points and scales that were"):
        convert(source, tmp_path / "t", "gemv")
    assert [path.name for path in tmp_path.iterdir()] == ["s"]

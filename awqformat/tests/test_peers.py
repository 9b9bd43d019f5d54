"""Against other projects' own programs, in the environment that `make peers` builds (`make test-peers`)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import awqformat
from awqformat.tests.test_packed import CASES, PACKED

pytestmark = pytest.mark.peers

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".build" / "peers" / "bin" / "python"
AWQFORMAT = (sys.executable, "-m", "awqformat")
LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "float16", "vocab_size": 64,
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "tie_word_embeddings": False,
}  # fmt: skip


def run(*command: str | Path) -> str:
    """Run a command that must succeed and return what it prints."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "TORCH_COMPILE_DISABLE": "1"}
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def repacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the packers have packed the known numbers again."""
    folder = tmp_path_factory.mktemp("repacked")
    run(PYTHON, "-W", "ignore", ROOT / "tools" / "packers.py", folder)
    return folder


@pytest.mark.parametrize("name", [case[0] for case in CASES])
def test_the_committed_layers_are_what_the_packers_pack(repacked: Path, name: str) -> None:
    """The packers give the committed tensors, every bit of them."""
    now, committed = (load_file(folder / name / "model.safetensors") for folder in (repacked, PACKED))
    assert now.keys() == committed.keys()
    for tensor, array in committed.items():
        np.testing.assert_array_equal(now[tensor], array, err_msg=tensor)


def llama(folder: Path) -> Path:
    """Write a small model of random weights and return its folder."""
    random = np.random.default_rng(1)
    hidden, inner, heads = 64, 128, 32
    shapes = {"self_attn.q_proj": (hidden, hidden), "self_attn.k_proj": (heads, hidden),
              "self_attn.v_proj": (heads, hidden), "self_attn.o_proj": (hidden, hidden),
              "mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden),
              "mlp.down_proj": (hidden, inner)}  # fmt: skip
    tensors = {
        f"model.layers.{layer}.{name}.weight": random.normal(0, 0.1, shape)
        for layer in range(2)
        for name, shape in shapes.items()
    }
    tensors |= {
        f"model.layers.{layer}.{norm}_layernorm.weight": np.ones(hidden)
        for layer in range(2)
        for norm in ("input", "post_attention")
    }
    tensors |= {"model.norm.weight": np.ones(hidden)}
    tensors |= {name: random.normal(0, 0.3, (64, hidden)) for name in ("model.embed_tokens.weight", "lm_head.weight")}
    folder.mkdir()
    arrays = {name: array.astype(np.float16) for name, array in tensors.items()}
    save_file(arrays, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(LLAMA))
    return folder


@pytest.fixture(scope="module")
def quantized(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return an .awq file that was imported from a checkpoint, and the dense model that its weights stand for."""
    folder = tmp_path_factory.mktemp("model")
    rounded, checkpoint, file = folder / "rounded.awq", folder / "checkpoint", folder / "model.awq"
    run(*AWQFORMAT, "quantize", llama(folder / "source"), rounded, "--group-size", "32")
    run(*AWQFORMAT, "convert", rounded, checkpoint, "--to", "gemm")
    config = checkpoint / "config.json"
    config.write_text(json.dumps(LLAMA | json.loads(config.read_text())))  # as whoever publishes a model has it
    run(*AWQFORMAT, "convert", checkpoint, file)
    dense = folder / "dense"
    dense.mkdir()
    with awqformat.safe_open(file) as model:
        arrays = {name: model.get_tensor(name).astype(np.float16) for name in model.keys()}  # noqa: SIM118  # not a mapping
    save_file(arrays, dense / "model.safetensors", {"format": "pt"})
    (dense / "config.json").write_text(json.dumps(LLAMA))
    return file, dense


@pytest.mark.parametrize("dialect", ["gemm", "gptq", "gptq_v2", "ct-pack"])
def test_an_exported_model_computes_in_transformers_what_the_dense_one_does(
    quantized: tuple[Path, Path], tmp_path: Path, dialect: str
) -> None:
    """What `awqformat convert` writes is loaded by transformers, and the logits differ by F16's rounding only."""
    file, dense = quantized
    exported = tmp_path / dialect
    run(*AWQFORMAT, "convert", file, exported, "--to", dialect)
    told = run(PYTHON, "-W", "ignore", Path(__file__).with_name("peers_logits.py"), dense, exported)
    found = json.loads(told.splitlines()[-1])
    assert found["spread"] > 0.1
    assert found["difference"] <= 2**-7 * found["spread"], found
    assert found["same"]

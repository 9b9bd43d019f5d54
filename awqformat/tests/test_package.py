"""The package as a whole: what it shows, what it imports, and the rules of the house."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import awqformat

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(
    path
    for package in ("awqformat", "conformance/awq_conformance")
    for path in (ROOT / package).rglob("*.py")
    if "tests" not in path.parts
)
modules = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))


def test_the_front_door() -> None:
    """The public names are these, each is there, and each is documented."""
    assert awqformat.__all__ == [
        "AwqError", "AwqFile", "Contents", "Deferred", "Dtype", "QuantizedTensor", "Tensor", "TensorInfo",
        "dequantize", "load_file", "quantize", "safe_open", "save_file", "write",
    ]  # fmt: skip
    for name in set(awqformat.__all__) - {"Tensor"}:
        assert getattr(awqformat, name).__doc__, name


@pytest.mark.parametrize("name", ["torch", "safetensors", "click", "rich", "fsspec", "awq_conformance"])
def test_importing_the_library_is_light(name: str) -> None:
    """The library alone needs neither torch nor what only its commands use."""
    program = f"import sys, awqformat; sys.exit({name!r} in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == 0


def test_there_are_modules_to_look_at() -> None:
    """The list of modules that the tests below go through is not empty."""
    assert {path.name for path in MODULES} >= {"schema.py", "reader.py", "inspection.py"}


@modules
def test_nothing_is_validated_by_assert(path: Path) -> None:
    """An assert vanishes under -O, so no module has one."""
    assert [node.lineno for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Assert)] == []


@modules
def test_no_fault_is_swallowed(path: Path) -> None:
    """There is no bare except."""
    handlers = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ExceptHandler)]
    assert [handler.lineno for handler in handlers if handler.type is None] == []


@modules
def test_modules_are_short_and_named_for_one_concept(path: Path) -> None:
    """A module has one concept, a docstring and at most 320 lines."""
    assert path.stem not in {"utils", "helpers", "common", "misc"}
    assert len(path.read_text().splitlines()) <= 320
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("path", sorted(Path(__file__).parent.glob("test_*.py")), ids=lambda path: path.name)
def test_every_test_states_a_behaviour(path: Path) -> None:
    """Every test has a docstring of one sentence or two."""
    functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
    assert [f.name for f in functions if f.name.startswith("test_") and not ast.get_docstring(f)] == []

"""spec/awq.ksy, compiled by the real compiler, takes every valid file apart as the reader does."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from awqformat import safe_open
from awqformat.container.meta import encode
from awqformat.schema import STRUCTURES, UNIT

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent / "kaitai"
CORPUS = ROOT / "fixtures"


@pytest.fixture
def parser(tmp_path: Path) -> Any:
    """The class that the compiler makes of the description; skipped where it or its runtime cannot be had."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("node and npm are not installed")
    pytest.importorskip("kaitaistruct", reason="the Python package kaitaistruct is not installed")
    folder = ROOT / ".build" / "kaitai"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "compile.cjs"):
        shutil.copy(HERE / name, folder)
    if not (folder / "node_modules" / "kaitai-struct-compiler").is_dir():
        installed = subprocess.run(
            [npm, "install", "--no-audit", "--no-fund", "--fetch-retries=0"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if installed.returncode:
            pytest.skip(f"npm cannot install kaitai-struct-compiler: {installed.stderr.strip()[-200:]}")
    done = subprocess.run(
        [node, "compile.cjs", ROOT / "spec" / "awq.ksy", tmp_path],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    spec = importlib.util.spec_from_file_location("awq_kaitai", tmp_path / "awq.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Awq


def differences(parsed: Any, path: Path) -> Iterator[str]:
    """Yield the fields in which a parsed file is not what the reader and construct say."""
    data = path.read_bytes()
    with safe_open(path, verify="all") as file:
        sections = file.preamble.sections
        tail = UNIT * (len(sections) + 1)
        places = [("header", 0, parsed.header), ("tail", tail, parsed.tail)]
        places += [("section", UNIT * (i + 1), entry) for i, entry in enumerate(parsed.sections)]
        index = next(section for section in sections if section.name == "INDEX").offset
        places += [("record", index + UNIT * i, record) for i, record in enumerate(parsed.tensors)]
        for name, at, structure in places:
            yield from _fields(name, data[at : at + UNIT], structure)
        for section, entry in zip(sections, parsed.sections, strict=True):
            if bytes(entry.body) != data[section.offset : section.end]:
                yield f"body of {section.name}"
        if [record.name for record in parsed.tensors] != file.keys():
            yield "names"
        for record in parsed.tensors:
            info = file.info(record.name)
            if (record.data_off, record.extent) != (info.offset, data[info.offset : info.offset + info.size]):
                yield f"extent of {record.name}"
        meta = file.metadata()
        if parsed.meta_text != (encode(meta).decode() if meta else None):
            yield "meta_text"
        digests = next(section for section in sections if section.name == "DIGEST")
        if b"".join(parsed.chunk_digests) != data[digests.offset : digests.end]:
            yield "chunk_digests"
        if parsed.alignment != file.preamble.alignment:
            yield "alignment"


def _fields(name: str, data: bytes, structure: Any) -> Iterator[str]:
    for field, value in STRUCTURES[name].parse(data).items():
        if not field.startswith("_"):  # construct's own
            expected = int(value) if isinstance(value, str) else value  # an enumeration is a text with a number
            got = getattr(structure, field)
            if got != expected:
                yield f"{name}.{field}: expected {expected!r}, got {got!r}"


def test_every_valid_file_parses_to_the_same_fields(parser: Any) -> None:
    """Header, table, tail, records, names, extents, META and digests of all accept cases, field by field."""
    cases = json.loads((CORPUS / "manifest.json").read_text(encoding="utf-8"))["cases"]
    kept = [case for case in cases if case["profile"] == "core" and not case["made"]]
    accepted = [CORPUS / case["files"][0]["path"] for case in kept if case["outcome"] == "accept"]
    assert len(accepted) > 40
    wrong = []
    for path in accepted:
        parsed = parser.from_bytes(path.read_bytes())
        wrong += [f"{path.stem}: {what}" for what in differences(parsed, path)]
    assert wrong == []

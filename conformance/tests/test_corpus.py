"""The committed corpus: made again byte for byte, one fault a case, and read alike by both readers."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import awqformat
from awq_conformance.cases import default_root, load
from awq_conformance.fresh import make_large
from awq_conformance.making import core, corpus
from awq_conformance.making.corpus import generate, install
from awq_conformance.making.record import record

ROOT = default_root()
MANIFEST: dict[str, Any] = json.loads((ROOT / "manifest.json").read_text(encoding="utf-8"))
CASES: dict[str, dict[str, Any]] = {case["id"]: case for case in MANIFEST["cases"]}
FILES = [case for case in CASES.values() if "folder" not in case]
ACCEPT = [case for case in FILES if case["outcome"] == "accept"]
REJECT = [case for case in FILES if case["outcome"] == "reject"]


@cache
def large() -> TemporaryDirectory[str]:
    """Return a folder with the cases that are not committed, made once."""
    folder = TemporaryDirectory()
    make_large(Path(folder.name))
    return folder


def root(case: dict[str, Any]) -> Path:
    """Return the folder that the paths of a case start from."""
    return Path(large().name) if case["made"] else ROOT


def data(case: dict[str, Any]) -> bytes:
    """Return the input of a case."""
    path: str = case["files"][0]["path"]
    return (root(case) / path).read_bytes()


def test_the_corpus_is_made_again_byte_for_byte() -> None:
    """Recipes and seeds give exactly the committed files, and there is no file they do not give."""
    assert install(generate(), ROOT, write=False) == []


def test_what_is_made_for_a_run_is_pinned_too() -> None:
    """The files of the large cases have the digests that the manifest states."""
    load(ROOT).completed(Path(large().name))


def test_the_corpus_stays_small() -> None:
    """Profile core is below 8 MB, all of it below 12 MB, and no file above 256 KiB."""
    sizes = {file["path"]: file["bytes"] for case in CASES.values() if not case["made"] for file in case["files"]}
    core = {file["path"] for case in FILES for file in case["files"]}
    assert sum(size for path, size in sizes.items() if path in core) < 8_000_000
    assert sum(sizes.values()) < 12_000_000
    assert max(sizes.values()) <= 256 * 1024


@pytest.mark.req("AWQ-CNF-036")
@pytest.mark.parametrize("case", REJECT, ids=lambda case: str(case["id"]))
def test_undoing_the_edits_gives_the_twin(case: dict[str, Any]) -> None:
    """A reject case differs from its valid twin by its recorded edits and by nothing else."""
    repaired = data(case)
    for edit in reversed(case["mutation"]["edits"]):
        at, old, new = edit["offset"], bytes.fromhex(edit["old"]), bytes.fromhex(edit["new"])
        assert repaired[at : at + len(new)] == new
        repaired = repaired[:at] + old + repaired[at + len(new) :]
    assert repaired == data(CASES[case["twin"]])
    assert CASES[case["twin"]]["outcome"] == "accept"


@pytest.mark.req("AWQ-CON-008")
@pytest.mark.parametrize("case", REJECT, ids=lambda case: str(case["id"]))
def test_python_refuses_with_the_stated_code(case: dict[str, Any]) -> None:
    """The Python reader gives each single fault its one code, on one line."""
    with pytest.raises(awqformat.AwqError) as caught:
        awqformat.safe_open(root(case) / case["files"][0]["path"], verify="all")
    assert [caught.value.code] == case["codes"], str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("case", ACCEPT, ids=lambda case: str(case["id"]))
def test_python_reads_the_expected_values(case: dict[str, Any], tmp_path: Path) -> None:
    """The Python reader gives every expected value bit for bit and writes the same file again."""
    path = root(case) / case["files"][0]["path"]
    with awqformat.safe_open(path, verify="all") as file:
        for tensor in case["expect"]:
            outputs = {what: (root(case) / output).read_bytes() for what, output in tensor["outputs"].items()}
            if tensor["kind"] == "plain":
                assert file.plain_bytes(tensor["name"]) == outputs["P"]
                continue
            got = file.get_quantized(tensor["name"])
            zero_points = np.full(got.scales.shape, 8, np.uint8) if got.zero_points is None else got.zero_points
            weight = file.get_tensor(tensor["name"])
            assert (weight + 0.0).tobytes() == outputs["W"]  # -0 + 0 is +0
            assert got.codes.tobytes() == outputs["q"]
            assert zero_points.tobytes() == outputs["z"]
            assert got.scales.astype("<f4").tobytes() == outputs["s"]
        awqformat.write(file.contents(), tmp_path / "again.awq")
    assert (tmp_path / "again.awq").read_bytes() == path.read_bytes()


@pytest.mark.req("AWQ-CON-008")
def test_both_readers_agree_on_every_code(tmp_path: Path) -> None:
    """The C++ core gives each case the same verdict and the same code as the Python reader."""
    loader = Path(sys.executable).parent / "awq-loader"
    disagreements = []
    for i, case in enumerate(FILES):
        out = tmp_path / str(i)
        out.mkdir()
        done = subprocess.run(
            [loader, "inspect", root(case) / case["files"][0]["path"], out], capture_output=True, check=False
        )
        reject = out / "reject.txt"
        codes = [reject.read_text(encoding="utf-8").splitlines()[0]] if reject.exists() else []
        if codes != case["codes"] or done.returncode != (65 if case["codes"] else 0):
            disagreements.append((case["id"], case["codes"], done.returncode, codes))
    assert disagreements == []


def test_another_profile_is_one_more_module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What it yields is in the manifest and among the files; what is too large is pinned there and made for a run."""
    small, large = {"other/a.bin": b"a"}, {"other/b.bin": bytes(300_000)}
    cases = [
        (record(f"other/{name}", name, own, profile="other", outcome="accept", recipe="", seed="", req=()), own)
        for name, own in (("a", small), ("b", large))
    ]
    other = SimpleNamespace(cases=lambda: iter(cases), large=lambda: iter(cases[1:]))
    monkeypatch.setattr(corpus, "PROFILES", (core, other))
    files = generate()
    assert files.items() >= small.items()
    assert not files.keys() & large.keys()
    assert corpus.generate_large().items() >= large.items()
    install(files, tmp_path, write=True)
    loaded = load(tmp_path)
    assert loaded.profiles == ("core", "other")
    assert [(case.id, case.made) for case in loaded.cases.values() if case.profile == "other"] == [
        ("other/a", False),
        ("other/b", True),
    ]
    assert len(loaded.cases) == len(FILES) + 2


def test_install_makes_a_folder_hold_exactly_the_corpus(tmp_path: Path) -> None:
    """Missing files are written, altered ones restored, others removed; the README stays."""
    files = {"a/x.awq": b"x", "manifest.json": b"{}"}
    (tmp_path / "README.md").write_text("kept")
    (tmp_path / "manifest.json").write_text("old")
    (tmp_path / "left.awq").write_text("over")
    expected = ["missing a/x.awq", "stale manifest.json", "extra left.awq"]
    assert install(files, tmp_path, write=False) == expected
    assert install(files, tmp_path, write=True) == expected
    assert install(files, tmp_path, write=False) == []
    assert (tmp_path / "README.md").read_text() == "kept"

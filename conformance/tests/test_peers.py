"""The rule by which adapters of other projects' loaders tell a diagnosis from a crash, and what runs begin with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from awq_conformance.cases import default_root, load
from awq_conformance.probes import plainest
from awq_conformance.protocol import Hello

PEERS = Path(__file__).resolve().parents[1] / "adapters" / "peers"

LOADER = """
import json
def read(folder, op):
    fault = (folder / "fault").read_text()
    if fault == "raise":
        raise ValueError("bits must be 4")
    if fault == "assert":
        assert False, "K is no multiple of G"
    if fault == "missing file":
        return (folder / "shard").read_bytes()
    if fault == "bad JSON":
        return json.loads("{")
    if fault == "accident":
        return {}["group_size"]
    if fault == "third party":
        return int("four")
    return {}
"""

ADAPTER = """
import sys
sys.path[:0] = [{peers!r}, {packages!r}]
import loader.reader, peer
sys.exit(peer.run(peer.Peer("pytest", ("hf-gemm",), "f16", "nk", loader.reader.read, checks=({checks!r},))))
"""

FAULTS = [
    ("none", 0),
    ("raise", 65),
    ("assert", 65),
    ("missing file", 65),
    ("bad JSON", 65),
    ("accident", 70),
    ("third party", 70),
]


def answered(tmp_path: Path, fault: str, checks: str = "loader", op: str = "dequant", *, shard: bool = True) -> int:
    """Run an adapter around a loader that has ``fault``; return its exit status."""
    packages, folder, out = tmp_path / "site-packages", tmp_path / "checkpoint", tmp_path / "out"
    for place in (packages / "loader", folder, out):
        place.mkdir(parents=True)
    (packages / "loader" / "__init__.py").touch()
    (packages / "loader" / "reader.py").write_text(LOADER)
    (folder / "fault").write_text(fault)
    if shard:
        (folder / "model.safetensors").touch()
    adapter = tmp_path / "adapter.py"
    adapter.write_text(ADAPTER.format(peers=str(PEERS), packages=str(packages), checks=checks))
    done = subprocess.run([sys.executable, adapter, op, folder, out], capture_output=True, check=False)
    assert not any(out.iterdir())
    return done.returncode


@pytest.mark.parametrize(("fault", "status"), FAULTS)
def test_only_what_the_loader_says_itself_is_a_refusal(tmp_path: Path, fault: str, status: int) -> None:
    """A ``raise`` or an ``assert`` of the loader refuses; an exception that merely happens is a crash."""
    assert answered(tmp_path, fault) == status


def test_what_another_package_raises_is_no_diagnosis(tmp_path: Path) -> None:
    """A ``raise`` outside of the packages that the adapter lists is a crash."""
    assert answered(tmp_path, "raise", checks="other") == 70


def test_a_folder_without_weights_is_refused_in_front_of_the_loader(tmp_path: Path) -> None:
    """Nothing is asked of the loader where there is no safetensors file."""
    assert answered(tmp_path, "accident", shard=False) == 65


def test_an_operation_that_is_not_offered_is_unsupported(tmp_path: Path) -> None:
    """Unknown operations, and unpack where the loader does not show codes, give 69."""
    assert answered(tmp_path, "none", op="unpack") == 69


@pytest.mark.parametrize("profile", load(default_root()).profiles)
def test_runs_begin_with_a_file_of_several_groups(profile: str) -> None:
    """A loader that takes no group size of -1 can be certified for the rest."""
    case = plainest(load(default_root()), profile, Hello())
    assert all(tensor.group_size != tensor.shape[-1] for tensor in case.expect if tensor.quantised)

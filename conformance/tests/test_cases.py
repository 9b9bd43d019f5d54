"""The corpus is what its manifest says, or there is no corpus."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from awq_conformance.cases import CorpusAlteredError, CorpusMissingError, Edit, default_root, load
from awq_conformance.selection import NothingToRunError, Selection, select

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_corpus_is_read_in_full(corpus_root: Path) -> None:
    """Cases keep the order and the facts of the manifest."""
    corpus = load(corpus_root)
    assert (corpus.suite, corpus.version, corpus.profiles) == ("toy", "1", ("core",))
    assert list(corpus.cases) == ["toy/small", "toy/big", "toy/fault", "toy/torn", "toy/either"]
    fault = corpus.cases["toy/fault"]
    assert (fault.twin, fault.codes, fault.input.name) == ("toy/big", ("E_MAGIC",), "fault.toy")
    assert fault.mutation is not None
    assert fault.mutation.edits == (Edit(17, b"null", b'"'),)
    assert [(t.number, t.quantised, t.shape) for t in corpus.cases["toy/big"].expect] == [
        (0, True, (4, 16)),
        (1, False, (5,)),
        (2, True, (3, 32)),
    ]


@pytest.mark.req("AWQ-CNF-035")
def test_every_altered_byte_is_found(own_corpus: Path) -> None:
    """Input and expected outputs alike: changed, shortened or missing."""
    for path in sorted(own_corpus.rglob("*.*")):
        if path.is_dir() or path.name == "manifest.json":
            continue
        good = path.read_bytes()
        for bad in (good[:-1], good[:-1] + bytes([good[-1] ^ 1]), None):
            if bad is None:
                path.unlink()
            else:
                path.write_bytes(bad)
            with pytest.raises(CorpusAlteredError, match=path.name):
                load(own_corpus)
        path.write_bytes(good)
    load(own_corpus)


def drop(key: str) -> Callable[[dict[str, Any]], object]:
    """Take a key from the reject case."""
    return lambda manifest: manifest["cases"][2].pop(key)


def put(key: str, value: object) -> Callable[[dict[str, Any]], object]:
    """Change a key of the reject case."""
    return lambda manifest: manifest["cases"][2].update({key: value})


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda manifest: manifest.pop("version"), "the key 'version' is missing"),
        (lambda manifest: manifest["cases"].append(manifest["cases"][0]), "two cases have the same id"),
        (drop("twin"), "the key 'twin' is missing"),
        (put("twin", None), "toy/fault has no valid twin (twin: None)"),
        (put("twin", "toy/nowhere"), "toy/fault has no valid twin (twin: toy/nowhere)"),
        (put("twin", "toy/torn"), "toy/fault has no valid twin (twin: toy/torn)"),
        (put("outcome", "maybe"), "'maybe' is not one of accept, reject, either"),
        (put("level", "must"), "'must' is not one of MUST, SHOULD, MAY"),
        (put("files", []), "toy/fault has no input file"),
        (put("files", [{"path": "../x", "sha256": "", "bytes": 0}]), "'../x' leads out of the corpus"),
        (put("files", 7), "not iterable"),
        (lambda m: m["cases"][1]["expect"][0]["outputs"].pop("q"), "tensor 0 does not have the outputs of a quantised"),
        (lambda m: m["cases"][1]["files"].pop(), "an expected output of tensor 2 is not among its files"),
        (lambda m: m["cases"][1]["expect"][0].update(scale_dtype="F64"), "'F64' is not one of F16, BF16, F32"),
        (lambda m: m["cases"][1]["expect"][0].pop("scale_dtype"), "the key 'scale_dtype' is missing"),
        (lambda m: m["cases"][1]["expect"][0].pop("group_size"), "the key 'group_size' is missing"),
        (lambda m: m.update(flags={"odd": {"bug_type": "x", "effect": "y"}}), "'description'"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(
    own_corpus: Path, edit: Callable[[dict[str, Any]], object], told: str
) -> None:
    """One line says what is wrong with it."""
    path = own_corpus / "manifest.json"
    manifest = json.loads(path.read_text())
    edit(manifest)
    path.write_text(json.dumps(manifest))
    with pytest.raises(CorpusAlteredError) as caught:
        load(own_corpus)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_manifest_that_is_no_json_is_refused(own_corpus: Path) -> None:
    """A cut manifest is an altered corpus."""
    path = own_corpus / "manifest.json"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(CorpusAlteredError):
        load(own_corpus)


def test_a_folder_without_manifest_is_no_corpus(tmp_path: Path) -> None:
    """That is a usage error, not an alteration."""
    with pytest.raises(CorpusMissingError, match="no corpus at"):
        load(tmp_path)


def test_the_default_corpus_is_the_one_of_the_checkout() -> None:
    """fixtures/ next to conformance/ comes before what a wheel carries."""
    assert default_root().name == "fixtures"


@pytest.mark.parametrize(
    ("globs", "ids"),
    [
        ((), ["toy/small", "toy/big", "toy/fault", "toy/torn", "toy/either"]),
        (("toy/s*",), ["toy/small"]),
        (("*/fault",), ["toy/big", "toy/fault"]),
        (("toy/torn", "toy/either"), ["toy/small", "toy/torn", "toy/either"]),
    ],
)
def test_a_selection_brings_its_twins(corpus_root: Path, globs: tuple[str, ...], ids: list[str]) -> None:
    """A rejection cannot be judged without the valid file it was made from."""
    assert [case.id for case in select(load(corpus_root), "core", Selection(globs))] == ids


@pytest.mark.parametrize("globs", [("nothing",), ("toy/*", "nothing")])
def test_a_glob_that_matches_nothing_is_an_error(corpus_root: Path, globs: tuple[str, ...]) -> None:
    """A typing error must not look like a success."""
    with pytest.raises(NothingToRunError, match="no case of profile core matches 'nothing'"):
        select(load(corpus_root), "core", Selection(globs))

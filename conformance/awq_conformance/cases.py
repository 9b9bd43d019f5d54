"""The corpus: its manifest, its cases, and the check that no byte of it was altered."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

MANIFEST: Final = "manifest.json"
OUTCOMES: Final = ("accept", "reject", "either")
SCALE_DTYPES: Final = ("F16", "BF16", "F32")
LEVELS: Final = ("MUST", "SHOULD", "MAY")


class CorpusMissingError(Exception):
    """There is no corpus at the place that was named."""


class CorpusAlteredError(Exception):
    """The corpus is not the one its manifest describes; no verdict can stand on it."""


@dataclass(frozen=True)
class Edit:
    """Bytes ``old`` at ``offset`` of the twin became ``new``; different lengths mean bytes were removed or inserted.

    ``file`` names the file inside the input where that is a folder, and is empty where it is a file.
    """

    offset: int
    old: bytes
    new: bytes
    file: str = ""


@dataclass(frozen=True)
class Mutation:
    """The single fault of a reject case; ``refreshed`` tells whether the digests were recomputed after it."""

    what: str
    edits: tuple[Edit, ...]
    refreshed: bool


@dataclass(frozen=True)
class File:
    """One file of the corpus, its path relative to the corpus folder."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Tensor:
    """What is expected of one tensor: ``outputs`` maps W, q, z, s or P to a file of the corpus.

    ``shape`` is [.., N, K] for a quantised tensor; ``sha256`` covers the f32 bytes of W, or the raw bytes.
    ``scale_dtype`` is F16, BF16 or F32, ``group_size`` the number of codes that share a scale; a plain one has none.
    """

    number: int
    name: str
    kind: str
    shape: tuple[int, ...]
    sha256: str
    overflow_f16: int
    outputs: dict[str, str]
    scale_dtype: str = ""
    group_size: int = 0

    @property
    def quantised(self) -> bool:
        """Return whether the tensor has codes; a plain one has raw bytes."""
        return self.kind == "quantised"


@dataclass(frozen=True)
class Case:
    """One case of the suite. ``root`` is the folder its paths start from.

    The input is ``files[0]`` or, where ``folder`` names one, the folder with all that lies in it. ``made`` says that
    the files are too large to keep: they are made for a run, and pinned all the same.
    """

    root: Path
    id: str
    title: str
    req: tuple[str, ...]
    level: str
    profile: str
    outcome: str
    twin: str | None
    mutation: Mutation | None
    codes: tuple[str, ...]
    flags: tuple[str, ...]
    since: str
    recipe: str
    seed: str
    made: bool
    files: tuple[File, ...]
    expect: tuple[Tensor, ...]
    refs: tuple[str, ...]
    comment: str
    folder: str = ""

    @property
    def place(self) -> str:
        """Return the path of the input relative to the corpus: a file or a folder."""
        return self.folder or self.files[0].path

    @property
    def input(self) -> Path:
        """Return the path of what the adapter is given."""
        return self.root / self.place

    @property
    def kept_as(self) -> str:
        """Return what the input is called where it is kept with other things."""
        return "input" if self.folder else "input.awq"

    @property
    def parts(self) -> tuple[File, ...]:
        """Return the files that the input consists of."""
        if not self.folder:
            return self.files[:1]
        return tuple(file for file in self.files if file.path.startswith(f"{self.folder}/"))

    @property
    def size(self) -> int:
        """Return the bytes of the input."""
        return sum(file.size for file in self.parts)


@dataclass(frozen=True)
class Flag:
    """A kind of bug that cases are there to find: what type of bug, what comes of it, what is in the file."""

    bug_type: str
    effect: str
    description: str


@dataclass(frozen=True)
class Corpus:
    """A verified corpus; ``sha256`` is of the manifest, which pins every other file; ``flags`` explains each flag."""

    root: Path
    suite: str
    version: str
    sha256: str
    cases: dict[str, Case]
    flags: dict[str, Flag] = field(default_factory=dict)

    @property
    def profiles(self) -> tuple[str, ...]:
        """Return the profiles that have cases, sorted."""
        return tuple(sorted({case.profile for case in self.cases.values()}))

    def of(self, profile: str) -> list[Case]:
        """Return the cases of a profile."""
        return [case for case in self.cases.values() if case.profile == profile]

    @property
    def kept(self) -> list[Case]:
        """Return the cases whose files are in the corpus folder."""
        return [case for case in self.cases.values() if not case.made]

    def verify(self) -> None:
        """Hash the manifest and every file it names; raise CorpusAlteredError at the first difference.

        The files of cases that are made for a run are hashed once they are there.
        """
        _check(self.root / MANIFEST, self.sha256, None)
        for case in self.cases.values():
            if not case.made or case.root != self.root:
                for file in case.files:
                    _check(case.root / file.path, file.sha256, file.size)

    def completed(self, folder: Path) -> Corpus:
        """Return the corpus with the cases that are not kept in it taken from ``folder``, verified."""
        cases = {case.id: replace(case, root=folder) if case.made else case for case in self.cases.values()}
        corpus = replace(self, cases=cases)
        corpus.verify()
        return corpus


def default_root() -> Path:
    """Return the corpus of this checkout, or the one inside the installed package."""
    checkout = Path(__file__).resolve().parents[2] / "fixtures"
    return checkout if (checkout / MANIFEST).is_file() else Path(__file__).resolve().parent / "fixtures"


def load(root: Path) -> Corpus:
    """Read the manifest under ``root`` and verify every file; raise CorpusMissingError or CorpusAlteredError."""
    path = root / MANIFEST
    try:
        text = path.read_bytes()
    except OSError as error:
        raise CorpusMissingError(f"no corpus at {root}: {MANIFEST}: {error.strerror}") from error
    try:
        raw = json.loads(text)
        listed = [case_of(root.resolve(), entry) for entry in raw["cases"]]
        cases = {case.id: case for case in listed}
        flags = {name: Flag(**words) for name, words in raw.get("flags", {}).items()}
        corpus = Corpus(root.resolve(), raw["suite"], raw["version"], hashlib.sha256(text).hexdigest(), cases, flags)
    except KeyError as error:
        raise CorpusAlteredError(f"{path}: the key {error} is missing") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise CorpusAlteredError(f"{path}: {error}") from error
    if len(cases) != len(listed):
        raise CorpusAlteredError(f"{path}: two cases have the same id")
    for case in listed:
        _check_twin(path, case, cases)
    corpus.verify()
    return corpus


def case_of(root: Path, raw: dict[str, Any]) -> Case:
    """Return a case from its record in the manifest; raises KeyError or ValueError where that is not one."""
    case = Case(
        root=root,
        id=raw["id"],
        title=raw["title"],
        req=tuple(raw["req"]),
        level=_one_of(LEVELS, raw["level"]),
        profile=raw["profile"],
        outcome=_one_of(OUTCOMES, raw["outcome"]),
        twin=raw["twin"],
        mutation=None if raw["mutation"] is None else _mutation(raw["mutation"]),
        codes=tuple(raw["codes"]),
        flags=tuple(raw["flags"]),
        since=raw["since"],
        recipe=raw["recipe"],
        seed=raw["seed"],
        made=raw["made"],
        files=tuple(File(_inside(file["path"]), file["sha256"], file["bytes"]) for file in raw["files"]),
        expect=tuple(tensor_of(tensor) for tensor in raw["expect"]),
        refs=tuple(raw["refs"]),
        comment=raw["comment"],
        folder=_inside(raw.get("folder", "")),
    )
    if not case.parts:
        raise ValueError(f"{case.id} has no input file")
    listed = {file.path for file in case.files if file not in case.parts}
    for tensor in case.expect:
        if not set(tensor.outputs.values()) <= listed:
            raise ValueError(f"{case.id}: an expected output of tensor {tensor.number} is not among its files")
        if set(tensor.outputs) != ({"W", "q", "z", "s"} if tensor.quantised else {"P"}):
            raise ValueError(f"{case.id}: tensor {tensor.number} does not have the outputs of a {tensor.kind} one")
    return case


def _mutation(raw: dict[str, Any]) -> Mutation:
    edits = tuple(
        Edit(e["offset"], bytes.fromhex(e["old"]), bytes.fromhex(e["new"]), _inside(e.get("file", "")))
        for e in raw["edits"]
    )
    return Mutation(raw["what"], edits, raw["refreshed"])


def tensor_of(raw: dict[str, Any]) -> Tensor:
    """Return a tensor from its account in the manifest; raises KeyError or ValueError where that is not one."""
    kind = _one_of(("quantised", "plain"), raw["kind"])
    return Tensor(
        number=raw["number"],
        name=raw["name"],
        kind=kind,
        shape=tuple(raw["shape"]),
        sha256=raw["sha256"],
        overflow_f16=raw["overflow_f16"] if kind == "quantised" else 0,
        outputs={what: _inside(path) for what, path in raw["outputs"].items()},
        scale_dtype=_one_of(SCALE_DTYPES, raw["scale_dtype"]) if kind == "quantised" else "",
        group_size=raw["group_size"] if kind == "quantised" else 0,
    )


def _check_twin(path: Path, case: Case, cases: dict[str, Case]) -> None:
    # Without a valid twin a rejection cannot be told from a loader that rejects everything.
    if case.outcome == "reject" and (case.twin not in cases or cases[case.twin].outcome != "accept"):
        raise CorpusAlteredError(f"{path}: {case.id} has no valid twin (twin: {case.twin})")


def _one_of(allowed: tuple[str, ...], value: str) -> str:
    if value not in allowed:
        raise ValueError(f"{value!r} is not one of {', '.join(allowed)}")
    return value


def _inside(path: str) -> str:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts:
        raise ValueError(f"{path!r} leads out of the corpus")
    return path


def _check(path: Path, sha256: str, size: int | None) -> None:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CorpusAlteredError(f"{path}: {error.strerror}") from error
    if size is not None and len(data) != size:
        raise CorpusAlteredError(f"{path}: expected {size} bytes, got {len(data)}")
    digest = hashlib.sha256(data).hexdigest()
    if digest != sha256:
        raise CorpusAlteredError(f"{path}: expected sha256 {sha256}, got {digest}")

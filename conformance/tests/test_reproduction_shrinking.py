"""Real wrong loaders, failures of theirs, and how small the files become that show them again."""

from __future__ import annotations

import re
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from awq_conformance.adapter import Folders, OneShot, find
from awq_conformance.attempt import attempt
from awq_conformance.cases import default_root, load
from awq_conformance.diagnosis.names import Diagnosis
from awq_conformance.judge import CaseResult, Limits, Terms
from awq_conformance.probes import Footing
from awq_conformance.protocol import ONE_SHOT, SERVE, parse_hello
from awq_conformance.reproduction import Reproduction, Workshop, choose, explanations_of, reproduce
from awq_conformance.serving import Serving
from awq_conformance.verdict import Verdict
from tests import runs, spoiled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from awq_conformance.adapter import Caller

CORPUS = load(default_root())
ZOO = Path(__file__).parents[1] / "zoo" / "adapter.py"


@contextmanager
def standing(command: list[str], folder: Path, words: str, timeout: float = 60) -> Iterator[Footing]:
    """Return a footing that no probe was needed for; with serve where ``words``, those of hello, say so."""
    hello = parse_hello(f"proto=1 {words}")
    one_shot = OneShot(find(command), Folders(folder / "calls"), threading.Event())
    callers: list[Caller] = [one_shot]
    if SERVE in hello.ops:
        callers.append(Serving(one_shot.argv, one_shot.folders, one_shot.cancel, hello.words))
    limits = {mode: Limits(timeout, 1 << 28) for mode in (ONE_SHOT, SERVE)}
    try:
        yield Footing(Terms(hello, "f32", limits), tuple(callers), one_shot)
    finally:
        for caller in callers:
            caller.kill()


@contextmanager
def zoo(loader: str, folder: Path, ops: str = "dequant") -> Iterator[Footing]:
    """Return the footing of a wrong loader of the zoo."""
    words = f"name=zoo-{loader} ops={ops},serve dtypes=f32 layouts=nk profiles=core"
    with standing([sys.executable, str(ZOO), loader], folder, words) as footing:
        yield footing


def failed(footing: Footing, case: str) -> CaseResult:
    """Run one case, which fails."""
    result = attempt(CORPUS.cases[case], CORPUS, footing)
    assert result.finding.failed
    return result


def again(footing: Footing, result: CaseResult, folder: Path, seconds: float = 60) -> Reproduction:
    """Show a failure again; the report is in ``folder``/report."""
    workshop = Workshop(footing.one_shot.argv, folder / "report", folder / "scratch", time.monotonic() + seconds)
    return reproduce(result, [Diagnosis("x", "because")], footing, workshop)


def readme(shown: Reproduction, folder: Path) -> str:
    """Return the account of a failure that was shown again."""
    assert shown.folder, shown.note
    return (folder / "report" / shown.folder / "README.md").read_text()


SHRUNK = [
    ("high-nibble-first", "dequant", "model/group-40", 704, "U4 [1, 8], groups of 8, F16 scales, no zero points"),
    ("zeros-next-group", "dequant", "model/odd-groups", 768, "U4 [1, 16], groups of 8, F16 scales, zero points"),
    ("bf16-as-f16", "dequant", "model/last-tensor-differs", 704, "U4 [1, 8], groups of 8, BF16 scales"),
    ("expert-0-for-all", "dequant", "model/experts-rank-4", 704, "tensor 0 a: U4 [2, 1, 8], groups of 8"),
    ("bool-tidied", "dequant,plain", "container/plain-bits", 640, "tensor 0 a: BOOL [1]"),
    ("codes-of-unpack-swapped", "dequant,unpack", "model/group-24", 704, "In `unpack`, q[0, 0] of tensor 0 `a` is"),
    ("rejects-odd-n", "dequant", "model/experts-rank-8", 704, "tensor 0 a: U4 [2, 8], groups of 8"),
    ("no-e-padding", "dequant", "model/odd-nibble-last-tensor", 768, "zeros of row 0 = g 0 .. 1: "),
]  # fmt: skip


@pytest.mark.parametrize(("loader", "ops", "case", "most", "told"), SHRUNK, ids=[row[0] for row in SHRUNK])
def test_a_failure_shrinks_and_stays(tmp_path: Path, loader: str, ops: str, case: str, most: int, told: str) -> None:
    """The file is tiny, holds what the bug needs and no more, and a process of its own fails on it as on the case."""
    with zoo(loader, tmp_path, ops) as footing:
        result = failed(footing, case)
        account = readme(again(footing, result, tmp_path), tmp_path)
    assert (tmp_path / "report/repro" / case.replace("/", "--") / "input.awq").stat().st_size <= most
    assert told in account
    assert f"# {case}: {result.verdict.value}\n" in account
    assert "Why: because." in account


def test_the_sum_is_right(tmp_path: Path) -> None:
    """What the account says of code, zero point and scale comes to what it says is right, and not to what came."""
    with standing(spoiled.spoiled(tmp_path, spoiled.WRONG), tmp_path, "name=spoiled") as footing:
        account = readme(again(footing, failed(footing, "model/scales-f32"), tmp_path), tmp_path)
    found = re.search(
        r"q\[(?P<at>[\d, ]+)\] = (?P<q>\d+), z\[[\d, ]+\] = (?P<z>\d+), s\[[\d, ]+\] = (?P<s>\S+) \(F\d+\)\n"
        r" +\(q - z\) \* s = \((?P=q) - (?P=z)\) \* (?P=s) = (?P<w>\S+)\n"
        r" +expected (?P<right>\S+) \(0x[0-9a-f]{8}\)\n +got +(?P<got>\S+) ",
        account,
    )
    assert found, account
    assert (int(found["q"]) - int(found["z"])) * float(found["s"]) == float(found["w"]) == float(found["right"])
    assert float(found["got"]) != float(found["right"])
    assert f"W[{found['at']}] of tensor 0 `a` is {found['got']}" in account


def test_shapes_stay_within_what_the_loader_needs(tmp_path: Path) -> None:
    """A loader that declared to need multiples is not shown a smaller file than it can read."""
    command = spoiled.spoiled(tmp_path, spoiled.WRONG)
    with standing(command, tmp_path, "name=spoiled align=5,32") as footing:
        account = readme(again(footing, failed(footing, "model/scales-large"), tmp_path), tmp_path)
    shape = re.search(r"tensor 0 a: U4 \[(\d+), (\d+)\]", account)
    assert shape, account
    assert (int(shape[1]) % 5, int(shape[2]) % 32) == (0, 0)
    assert int(shape[1]) * int(shape[2]) <= 320


def test_a_fault_in_a_large_file_becomes_one_in_a_small_file(tmp_path: Path) -> None:
    """A case that is made for a run alone, 1 MiB, is shown on a file of less than 1 KiB."""
    from awq_conformance.fresh import make_large

    corpus = CORPUS.completed(make_large(tmp_path / "made"))
    with standing(spoiled.spoiled(tmp_path, spoiled.TAKES_PADDING), tmp_path, "name=spoiled") as footing:
        result = attempt(corpus.cases["container/large-padding"], corpus, footing)
        account = readme(again(footing, result, tmp_path), tmp_path)
    assert "`input.awq`: 704 bytes, the smallest found in" in account
    assert "DATA 0 large: padding after scales = 01, was 1 zero" in account


ONLY_ON_CASES = "case $in in */scratch/*) %s ;; esac"
REFUSED = [
    ("it crashes on every file the search tries", "exit 3", 60.0, "the file of the case: none of "),
    ("it hangs on them", "sleep 600", 0.3, "the file of the case: none of 1 smaller ones"),
]


@pytest.mark.parametrize(("line", "seconds", "told"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_cannot_be_made_smaller_is_shown_as_it_is(tmp_path: Path, line: str, seconds: float, told: str) -> None:
    """Another failure than the one that was seen is none of the search's concern; a hang costs what a call may take."""
    command = spoiled.spoiled(tmp_path, spoiled.WRONG, ONLY_ON_CASES % line)
    with standing(command, tmp_path, "name=spoiled", timeout=0.5) as footing:
        account = readme(again(footing, failed(footing, "model/one-row"), tmp_path, seconds), tmp_path)
    assert told in account
    assert (tmp_path / "report/repro/model--one-row/input.awq").read_bytes() == (
        CORPUS.cases["model/one-row"].input.read_bytes()
    )


FLAKY = [
    ("only the first time", "", 1, "it did not fail so again when it was called once more"),
    ("not the last time", ONLY_ON_CASES % "exit 3", 2, "it fails only sometimes"),
]


@pytest.mark.parametrize(("line", "times", "note"), [row[1:] for row in FLAKY], ids=[row[0] for row in FLAKY])
def test_a_loader_that_fails_only_sometimes_is_told_so(tmp_path: Path, line: str, times: int, note: str) -> None:
    """Nothing is written then: a folder that may show nothing would be worse than none."""
    count = f'echo >> "{tmp_path}/count"; [ "$(wc -l < "{tmp_path}/count")" -gt {times} ] && exit $status'
    command = spoiled.spoiled(tmp_path, line, count, spoiled.WRONG)
    with standing(command, tmp_path, "name=spoiled") as footing:
        shown = again(footing, failed(footing, "model/one-row"), tmp_path)
    assert (shown.folder, shown.note[: len(note)]) == (None, note)
    assert not list((tmp_path / "report").glob("**/*"))


def test_what_shows_only_through_serve_is_told_so(tmp_path: Path) -> None:
    """What a session keeps from file to file is not in the file."""
    with zoo("scales-of-last-file", tmp_path) as footing:
        attempt(CORPUS.cases["model/group-8"], CORPUS, footing)
        result = failed(footing, "model/symmetric")
        shown = again(footing, result, tmp_path)
    assert shown.folder is None
    assert shown.note.startswith("it shows only through serve")


def test_there_may_be_no_time_left(tmp_path: Path) -> None:
    """Then nothing is called."""
    with standing(["false"], tmp_path, "name=none") as footing:
        result = runs.result(CORPUS.cases["model/one-row"], Verdict.WRONG, "off")
        assert again(footing, result, tmp_path, seconds=-1) == Reproduction(note="there was no time left")
    assert not (tmp_path / "report").exists()


def test_the_first_of_each_kind_is_chosen() -> None:
    """Not what follows from others, nor what takes several calls, nor what was known; five at most."""
    good = runs.valid("a/good")
    failures = [
        runs.result(runs.valid("a/wrong"), Verdict.WRONG),
        runs.result(runs.valid("a/wrong-too"), Verdict.WRONG),
        runs.result(runs.valid("a/state", recipe="state"), Verdict.TIMEOUT),
        runs.result(runs.valid("a/known"), Verdict.CRASH),
        runs.result(runs.malformed("a/taken", good.id), Verdict.OVER_ACCEPT),
        runs.result(runs.malformed("a/taken-too", good.id), Verdict.OVER_ACCEPT),
        runs.result(runs.malformed("a/orphan", good.id), Verdict.TWIN_FAILED),
        *(runs.result(runs.malformed(f"a/{code}", good.id, codes=(code,)), Verdict.OVER_ACCEPT) for code in "XYZUV"),
    ]
    chosen = [result.case.id for result in choose(failures, {"a/known"})]
    assert chosen == ["a/wrong", "a/taken", "a/X", "a/Y", "a/Z"]


def test_a_failure_has_the_explanations_that_name_it() -> None:
    """Those that name no case at all are about wrong values."""
    wrong, crash = runs.result(runs.valid("a/wrong"), Verdict.WRONG), runs.result(runs.valid("a/crash"), Verdict.CRASH)
    named, measured = Diagnosis("crashes", "", cases=("a/crash",)), Diagnosis("codes-misplaced", "")
    assert explanations_of(crash, [named, measured]) == [named]
    assert explanations_of(wrong, [named, measured]) == [measured]
    assert explanations_of(wrong, [named]) == []

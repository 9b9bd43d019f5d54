"""``serve``: one process for many cases; whatever it does wrong costs that case and has its own verdict."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from awq_conformance.cases import load
from awq_conformance.protocol import RunnerExit
from awq_conformance.run import Certification, Request, certify
from awq_conformance.selection import EVERYTHING, Selection
from awq_conformance.session import Session
from awq_conformance.verdict import Finding, Verdict

if TYPE_CHECKING:
    from tests.conftest import Maker

ZOO = Path(__file__).parent / "serving_breeds.py"


def run(
    breed: str,
    root: Path,
    *,
    modes: tuple[str, ...] = ("one-shot", "serve"),
    selection: Selection = EVERYTHING,
    jobs: int = 2,
) -> Certification:
    """Certify a breed on the toy corpus with short time limits for serve."""
    command = (sys.executable, str(ZOO), breed)
    request = Request(command, load(root), "core", selection, jobs=jobs, timeout=8, modes=modes)
    return certify(request, lambda _: None)


def served(outcome: Certification, case: str) -> list[Finding]:
    """Return what was found of ``case`` through serve."""
    return [finding for finding in outcome.results[case].findings if finding.mode == "serve"]


@pytest.mark.req("AWQ-CNF-014", "AWQ-CNF-018")
@pytest.mark.parametrize("breed", ["right", "noisy", "reverses"])
@pytest.mark.parametrize("modes", [("one-shot", "serve"), ("serve",)], ids="+".join)
def test_a_right_service_is_conformant(corpus_root: Path, breed: str, modes: tuple[str, ...]) -> None:
    """Noise between the answers and answers in another order change nothing."""
    outcome = run(breed, corpus_root, modes=modes)
    assert (outcome.inconclusive, [result.finding for result in outcome.failures]) == ("", [])
    assert (outcome.modes, outcome.restarts) == (modes, 0)
    assert served(outcome, "toy/big")
    assert outcome.certifies is (len(modes) == 2)


@pytest.mark.req("AWQ-CNF-015", "AWQ-CNF-018", "AWQ-CNF-019", "AWQ-CNF-020")
@pytest.mark.parametrize(
    ("breed", "case", "verdict", "detail"),
    [
        ("wrong-id", "toy/big", Verdict.PROTOCOL, "request '999999', which is not open"),
        ("twice", "toy/big", Verdict.PROTOCOL, "which is not open"),
        ("four-fields", "toy/big", Verdict.PROTOCOL, "an answer of 4 fields, expected 5"),
        ("unknown-status", "toy/big", Verdict.PROTOCOL, "status 'fine'"),
        ("errors", "toy/big", Verdict.CRASH, "exit status 70"),
        ("dies", "toy/big", Verdict.CRASH, "killed by SIGSEGV before it answered"),
        ("exits", "toy/big", Verdict.CRASH, "exit status 0 before it answered"),
        ("hangs", "toy/big", Verdict.TIMEOUT, "no answer within 4.0 s"),
        ("eats-memory", "toy/big", Verdict.OOM, "MiB resident"),
        ("answers-early", "toy/big", Verdict.MISSING_OUTPUT, "not written"),
        ("differs", "toy/big", Verdict.PROTOCOL, "differs between one-shot and serve"),
        ("no-reject-txt", "toy/fault", Verdict.PROTOCOL, "differs between one-shot and serve"),
        ("other-code", "toy/fault", Verdict.PROTOCOL, "serve says 'E_SIZE', reject.txt 'E_MAGIC'"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_a_wrong_service_costs_the_case(
    corpus_root: Path, breed: str, case: str, verdict: Verdict, detail: str
) -> None:
    """The verdict names what went wrong, one-shot is judged all the same, and the run goes on."""
    outcome = run(breed, corpus_root, selection=Selection(("toy/big", "toy/fault", "toy/small")))
    failed = [finding for finding in served(outcome, case) if finding.failed]
    assert failed, outcome.inconclusive
    assert (failed[0].verdict, detail in failed[0].detail) == (verdict, True), failed[0]
    assert outcome.results["toy/small"].verdict is Verdict.PASS
    assert outcome.exit is RunnerExit.NOT_CONFORMANT
    assert not any(f.failed for f in outcome.results[case].findings if f.mode == "one-shot")


def test_a_flood_of_noise_is_harmless(corpus_root: Path) -> None:
    """100 MB without a line end are not kept, and the answer behind them counts."""
    outcome = run("babbles", corpus_root, selection=Selection(("toy/big",)), modes=("serve",))
    assert [finding.verdict for finding in served(outcome, "toy/big")] == [Verdict.PASS] * 4


@pytest.mark.parametrize(
    ("breed", "reason"),
    [
        ("cannot-serve", "ended with exit status 1 before it answered"),
        ("other-hello", "hello of serve differs from that of one-shot"),
        ("ends-with-3", "exit status 3 after the end of its input, expected 0"),
        ("hangs-at-the-end", "still running 5 s after the end of its input"),
    ],
)
def test_a_service_that_does_not_work_gets_no_verdict(corpus_root: Path, breed: str, reason: str) -> None:
    """A probe tells, before anything is scored."""
    outcome = run(breed, corpus_root)
    assert outcome.exit is RunnerExit.INCONCLUSIVE
    assert reason in outcome.inconclusive


def test_ending_with_a_status_of_one_shot_is_no_answer(corpus_root: Path) -> None:
    """A session that ends with 65 on a malformed file has not rejected it, however right that status looks."""
    command = (sys.executable, str(ZOO.with_name("mistakes.py")), "exits-on-reject")
    outcome = certify(Request(command, load(corpus_root), "core", jobs=1, timeout=8), lambda _: None)
    assert outcome.exit is RunnerExit.INCONCLUSIVE
    assert "empty file (serve): expected exit status 65, got serve: ended with exit status 65" in outcome.inconclusive


@pytest.mark.req("AWQ-CNF-020")
def test_after_ten_restarts_serve_is_given_up(maker: Maker) -> None:
    """The rest is run one-shot, and the loader that claimed serve is not conformant."""
    maker.add_valid()
    for number in range(1, 15):
        maker.add_big(number)
    outcome = run("dies", maker.manifest(), jobs=1)
    assert (outcome.restarts, outcome.abandoned) == (11, True)
    assert outcome.exit is RunnerExit.NOT_CONFORMANT
    crashed = [name for name in outcome.results if outcome.results[name].finding.failed]
    assert len(crashed) == 11
    assert len(outcome.results) == 16


OWN = [(str(Path(sys.executable).parent / "awq-loader"),),
       (sys.executable, str(Path(__file__).parents[1] / "adapters" / "python_reader.py"))]  # fmt: skip


@pytest.mark.req("AWQ-CNF-002", "AWQ-CNF-012", "AWQ-CNF-016", "AWQ-CNF-018")
@pytest.mark.parametrize("command", OWN, ids=["C++", "Python"])
def test_lines_and_their_answers(command: tuple[str, ...], tmp_path: Path) -> None:
    """What is no request is passed over, all else answered; hello writes no file, whatever its fields say."""
    (tmp_path / "out").mkdir()
    lines = ["", "hello", "@awq", "@awq\t1\thello\t-", "@awq\t2\thello\t-\t-\t-", "x@awq\t3\thello\t-\t-",
             f"@awq\t77\thello\t{tmp_path}\t{tmp_path}/out", f"@awq\t007\tdance\t-\t{tmp_path}/out",
             f"@awq\t9\tdequant\t{tmp_path}/none\t{tmp_path}/out"]  # fmt: skip
    text = "".join(f"{line}\n" for line in lines)
    done = subprocess.run([*command, "serve"], input=text, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0
    answers = [line.split("\t") for line in done.stdout.splitlines()]
    assert [answer[:4] for answer in answers] == [
        ["@awq", "77", "ok", ""],
        ["@awq", "007", "unsupported", "UNSUPPORTED"],
        ["@awq", "9", "reject", "E_FILE"],
    ]
    assert answers[0][4].startswith("proto=1 ")
    assert {len(answer) for answer in answers} == {5}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["reject.txt"]
    assert (tmp_path / "out" / "reject.txt").read_text().startswith("E_FILE\n")


def test_a_session_leaves_no_process_behind(tmp_path: Path) -> None:
    """Killing it ends the process, also one that waits for input."""
    session = Session((sys.executable, str(ZOO), "right"), tmp_path, threading.Event())
    answer = session.hello(10)
    assert answer is not None
    assert answer.text.startswith("proto=1")
    session.kill()
    assert session._process.returncode is not None

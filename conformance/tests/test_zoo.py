"""Every breed of broken adapter gets its own verdict; a right one, however odd, is conformant."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from awq_conformance.protocol import RunnerExit
from awq_conformance.verdict import Verdict

if TYPE_CHECKING:
    from tests.conftest import Maker, Zoo


@pytest.mark.req("AWQ-CNF-025")
@pytest.mark.parametrize("breed", ["right", "shy", "transposer", "bfloat", "wrong-code", "babbles"])
def test_right_loaders_are_conformant(zoo: Zoo, breed: str) -> None:
    """Only results count: not operations left out, layout, output dtype, error codes or what is printed."""
    run = zoo.run(breed)
    assert (run.inconclusive, [result.finding for result in run.failures]) == ("", [])
    assert run.exit is RunnerExit.CONFORMANT


WRONG = [
    ("wrong", "toy/big", "dequant", Verdict.WRONG, "[2, 31] expected 0.0 (0x00000000), got 1234.5 (0x449a5000)"),
    ("wrong-codes", "toy/big", "unpack", Verdict.WRONG, "got 14 (1 of 96 wrong)"),
    ("wrong-scales", "toy/big", "unpack", Verdict.WRONG, "got 1234.5"),
    ("wrong-plain", "toy/big", "plain", Verdict.WRONG, "[4] expected 5, got 14 (1 of 5 wrong)"),
    ("nan", "toy/big", "dequant", Verdict.NONFINITE, "expected 0.0 (0x00000000), got nan"),
    ("all-nan", "toy/big", "dequant", Verdict.NONFINITE, "(96 of 96 wrong)"),
    ("writes-nothing", "toy/big", "dequant", Verdict.MISSING_OUTPUT, "not written"),
    ("one-missing", "toy/big", "dequant", Verdict.MISSING_OUTPUT, "not written"),
    ("extra", "toy/big", "dequant", Verdict.EXTRA_OUTPUT, "'notes.txt'"),
    ("extra-tensor", "toy/big", "dequant", Verdict.EXTRA_OUTPUT, "'77.W.nk.f32.1x1.bin'"),
    ("double", "toy/big", "dequant", Verdict.EXTRA_OUTPUT, "'0.W.nk.npy' is there twice"),
    ("truncated", "toy/big", "dequant", Verdict.TRUNCATED_OUTPUT, "expected 384 bytes of f32 3x32, got 383"),
    ("too-long", "toy/big", "dequant", Verdict.MALFORMED_OUTPUT, "expected 384 bytes of f32 3x32, got 385"),
    ("huge", "toy/big", "dequant", Verdict.MALFORMED_OUTPUT, "has 536870912 bytes"),
    ("reshaped", "toy/big", "dequant", Verdict.SHAPE, "expected 3x32, got 32x3"),
    ("flat", "toy/big", "dequant", Verdict.SHAPE, "expected 3x32, got 1x96"),
    ("mixed-dtypes", "toy/big", "dequant", Verdict.DTYPE, "expected f32, got f64"),
    ("changes-dtype", "toy/big", "dequant", Verdict.DTYPE, "expected f32 as in the rest of the run, got f64"),
    ("linked", "toy/big", "dequant", Verdict.MALFORMED_OUTPUT, "cannot be read"),
    ("accepts-and-rejects", "toy/big", "dequant", Verdict.PROTOCOL, "exit status 0 together with reject.txt"),
    ("moody", "toy/big", "dequant", Verdict.NONDETERMINISTIC, "'2.W.nk.f32.3x32.bin' differs"),
    ("segfaults", "toy/big", "dequant", Verdict.CRASH, "killed by SIGSEGV"),
    ("unsupported", "toy/big", "dequant", Verdict.UNSUPPORTED, "exit status 69"),
    ("rejects-valid", "toy/big", "dequant", Verdict.OVER_REJECT, "expected 0, got exit status 65"),
    ("rejects-valid", "toy/fault", "dequant", Verdict.TWIN_FAILED, "toy/big was not accepted"),
    ("exits-1-on-reject", "toy/fault", "dequant", Verdict.CRASH, "exit status 1"),
    ("unsupported-too-late", "toy/big", "dequant", Verdict.OUTPUT_ON_REJECT, "exit status 69, and left"),
    ("unsupported-on-reject", "toy/fault", "dequant", Verdict.UNSUPPORTED, "exit status 69"),
    ("accepts-everything", "toy/fault", "dequant", Verdict.OVER_ACCEPT, "expected 65 (E_MAGIC), got exit status 0"),
    ("leaves-output", "toy/fault", "dequant", Verdict.OUTPUT_ON_REJECT, "left '0.W.nk.f32.1x1.bin'"),
    ("inspects-otherwise", "toy/big", "inspect", Verdict.OVER_REJECT, "expected 0, got exit status 65"),
]


@pytest.mark.req(
    "AWQ-CNF-001",
    "AWQ-CNF-003",
    "AWQ-CNF-004",
    "AWQ-CNF-006",
    "AWQ-CNF-007",
    "AWQ-CNF-009",
    "AWQ-CNF-010",
    "AWQ-CNF-026",
    "AWQ-CNF-028",
    "AWQ-CNF-030",
)
@pytest.mark.parametrize(("breed", "case", "op", "verdict", "detail"), WRONG, ids=[f"{w[0]}-{w[1]}" for w in WRONG])
def test_wrong_loaders_get_their_own_verdict(
    zoo: Zoo, breed: str, case: str, op: str, verdict: Verdict, detail: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Each bug is named on the case that shows it, and the loader is not conformant."""
    monkeypatch.setenv("ZOO_STATE", str(tmp_path / "state"))
    run = zoo.run(breed)
    assert run.inconclusive == ""
    finding = run.results[case].finding
    assert (finding.verdict, finding.op) == (verdict, op), finding
    assert detail in finding.detail
    assert run.exit is RunnerExit.NOT_CONFORMANT
    assert not run.certifies


@pytest.mark.req("AWQ-CNF-024")
def test_rejecting_everything_proves_nothing(zoo: Zoo) -> None:
    """The twin gate: a loader that rejects all valid files passes none of the reject cases that hang on them."""
    run = zoo.run("rejects-valid")
    passed = {name for name, result in run.results.items() if not result.finding.failed}
    assert passed == {"toy/small", "toy/torn", "toy/either"}


@pytest.mark.req("AWQ-CNF-023")
def test_a_case_that_hangs_costs_its_time_limit_once(zoo: Zoo) -> None:
    """TIMEOUT is a verdict on the case; the run goes on."""
    run = zoo.run("hangs-later", timeout=1.5, globs=("toy/big", "toy/small"))
    assert run.results["toy/big"].verdict is Verdict.TIMEOUT
    assert list(run.results["toy/big"].calls) == ["dequant"]
    assert run.results["toy/small"].verdict is Verdict.PASS


HOPELESS = [
    ("cannot-import", "hello: expected exit status 0 or 69, got exit status 1"),
    ("knows-every-op", "hello: expected hello.txt and nothing else in the output folder, got nothing"),
    ("forgets-hello", "hello: expected hello.txt and nothing else in the output folder, got nothing"),
    ("garbled-hello", "hello: expected words of awqc/1, got hello.txt: 'hello,' is not key=value"),
    ("later-protocol", "hello: expected words of awqc/1, got hello.txt: proto is 2, expected 1"),
    ("rejects-everything", "expected exit status 69, got exit status 65"),
    ("writes-nothing-ever", "good file toy/small: expected its outputs, got MISSING-OUTPUT not written"),
    ("undeclared-dtype", "good file toy/small: expected its outputs, got DTYPE expected f16, got f32"),
    ("undeclared-layout", "got PROTOCOL layout nk is not declared in hello"),
]


@pytest.mark.req("AWQ-CNF-002", "AWQ-CNF-012", "AWQ-CNF-021")
@pytest.mark.parametrize(("breed", "reason"), HOPELESS, ids=[breed for breed, _ in HOPELESS])
def test_an_adapter_that_does_not_work_gets_no_verdict(zoo: Zoo, breed: str, reason: str) -> None:
    """A failed probe ends the run before anything is scored, with the reason on one line."""
    run = zoo.run(breed)
    assert run.inconclusive.startswith("the adapter, not the loader: ")
    assert reason in run.inconclusive
    assert "\n" not in run.inconclusive
    assert (run.exit, run.results) == (RunnerExit.INCONCLUSIVE, {})


def test_an_adapter_that_always_hangs_gets_no_verdict(zoo: Zoo) -> None:
    """The first probe ends it, after one time limit."""
    run = zoo.run("hangs", timeout=0.2)
    assert run.inconclusive.startswith("the adapter, not the loader: hello: expected exit status 0 or 69, got still")


@pytest.mark.req("AWQ-CNF-013", "AWQ-CNF-026")
def test_a_loader_may_skip_only_what_it_declared(zoo: Zoo) -> None:
    """69 on shapes outside the declared multiples is a skip, and so are the rejections that hang on that twin."""
    run = zoo.run("needs-multiples")
    verdicts = {name: result.verdict for name, result in run.results.items()}
    assert verdicts == {
        "toy/small": Verdict.PASS,
        "toy/big": Verdict.SKIPPED,
        "toy/fault": Verdict.SKIPPED,
        "toy/torn": Verdict.PASS,
        "toy/either": Verdict.PASS,
    }
    assert run.exit is RunnerExit.CONFORMANT


def test_a_run_that_skips_everything_is_no_success(zoo: Zoo) -> None:
    """Skips alone prove nothing."""
    run = zoo.run("needs-multiples", globs=("toy/big",))
    assert (run.inconclusive, run.exit) == ("every case was skipped", RunnerExit.INCONCLUSIVE)


@pytest.mark.req("AWQ-CNF-027")
def test_only_a_must_decides(zoo: Zoo, maker: Maker) -> None:
    """A failure of level SHOULD is told and counted, and the loader is conformant all the same."""
    maker.add_valid()
    maker.cases[1]["level"] = "SHOULD"
    zoo.root = maker.manifest()
    run = zoo.run("wrong")
    assert [result.case.id for result in run.failures] == ["toy/big"]
    assert run.exit is RunnerExit.CONFORMANT


@pytest.mark.parametrize(
    ("breed", "reason"),
    [
        ("needs-too-much", "no valid case of profile core has shapes that align=(256, 256) allows"),
        ("other-profile", "the adapter's hello does not claim profile core"),
    ],
)
def test_nothing_to_run_is_no_success(zoo: Zoo, breed: str, reason: str) -> None:
    """A loader that declares everything away is not certified."""
    run = zoo.run(breed)
    assert (run.inconclusive, run.exit) == (reason, RunnerExit.INCONCLUSIVE)


def test_an_adapter_that_edits_its_input_spoils_the_run(zoo: Zoo, own_corpus: Path) -> None:
    """The corpus is hashed again at the end: no verdict stands on an altered file."""
    zoo.root = own_corpus
    run = zoo.run("edits-input")
    assert run.exit is RunnerExit.INCONCLUSIVE
    assert "big.toy" in run.inconclusive


LINUX = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process may leave the group of its parent")


@pytest.fixture
def pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """The reading end of a pipe that hanging adapters hold open for as long as they live."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    monkeypatch.setenv("ZOO_PIPE", str(path))
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK)


def is_gone(pipe: int) -> bool:
    """Read to the end of the pipe, which comes when nobody has it open any more."""
    poller = select.poll()
    poller.register(pipe, select.POLLIN)
    while poller.poll(10_000):
        if not os.read(pipe, 4096):
            return True
    return False


@pytest.mark.req("AWQ-CNF-023")
@pytest.mark.parametrize("breed", ["leaves-orphan", pytest.param("leaves-daemon", marks=LINUX)])
def test_no_child_outlives_its_adapter(zoo: Zoo, pipe: int, breed: str) -> None:
    """A background process that an adapter leaves behind neither delays the run nor survives it."""
    run = zoo.run(breed)
    assert run.exit is RunnerExit.CONFORMANT
    assert is_gone(pipe)
    os.close(pipe)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("subcommand", "said"), [("run", "INCONCLUSIVE interrupted\n"), ("doctor", "awq-conformance: interrupted\n")]
)
def test_an_interrupt_ends_the_adapters_and_says_so(
    zoo: Zoo, pipe: int, number: signal.Signals, subcommand: str, said: str
) -> None:
    """Ctrl-C: one line, exit 3, no orphan, no traceback."""
    # A job that a script started in the background inherits a SIGINT that is ignored; here it must count.
    start = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    command = [
        sys.executable,
        "-c",
        start + "runpy.run_module('awq_conformance', run_name='__main__', alter_sys=True)",
        subcommand,
        "--timeout",
        "600",
        "--corpus",
        str(zoo.root),
        "--",
        *zoo.command("hangs"),
    ]
    runner = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        select.select([pipe], [], [], 60)
        assert os.read(pipe, 1) == b"!"
        runner.send_signal(number)
        output, _ = runner.communicate(timeout=60)
    finally:
        runner.kill()
    assert (runner.returncode, output) == (3, said)
    assert is_gone(pipe)
    os.close(pipe)

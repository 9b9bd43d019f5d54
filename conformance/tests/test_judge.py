"""Judging without processes: levels, memory, agreement, repetition, the twin gate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from awq_conformance.adapter import Observation
from awq_conformance.cases import Case, load
from awq_conformance.judge import (
    CaseResult,
    Limits,
    Terms,
    error_code,
    judge,
    judge_agreement,
    judge_repetition,
    twin_gate,
)
from awq_conformance.process import Execution
from awq_conformance.protocol import Hello
from awq_conformance.verdict import MEANING, Finding, OutputError, Verdict

TERMS = Terms(Hello(), "f32", {"one-shot": Limits(60, 10 << 20)})
PASS = Finding(Verdict.PASS, "dequant")
WRONG = Finding(Verdict.WRONG, "dequant")
SKIPPED = Finding(Verdict.SKIPPED, "dequant")


def seen(
    status: int | None, op: str = "dequant", *, rss: int = 0, files: dict[str, bytes] | None = None
) -> Observation:
    """Return what a call looked like."""
    return Observation(op, Execution(status, None, timed_out=False, seconds=0, peak_rss=rss, tail=b""), files or {})


@pytest.fixture
def cases(corpus_root: Path) -> dict[str, Case]:
    """Return the toy cases by id."""
    return load(corpus_root).cases


@pytest.mark.parametrize(("rss", "verdict"), [(512 << 20, Verdict.PASS), ((512 << 20) + 1, Verdict.OOM)])
def test_memory_is_a_verdict(cases: dict[str, Case], rss: int, verdict: Verdict) -> None:
    """A small file explains half a GiB at most."""
    fault = cases["toy/fault"]
    assert judge(fault, seen(65, rss=rss), TERMS, skippable=False).verdict is verdict


def test_large_files_may_take_more_memory(cases: dict[str, Case]) -> None:
    """64 times the file, over what the smallest case needed."""
    case = cases["toy/small"]
    large = replace(case, files=(replace(case.files[0], size=8 << 20), *case.files[1:]))
    assert TERMS.limits["one-shot"].memory(large) == (10 + 8 * 64 + 256) << 20


def test_either_means_a_rejection_or_the_right_result(cases: dict[str, Case]) -> None:
    """Both answers are judged: a rejection leaves nothing, an acceptance everything."""
    case = cases["toy/either"]
    assert judge(case, seen(65), TERMS, skippable=False).verdict is Verdict.PASS
    assert judge(case, seen(0), TERMS, skippable=False).verdict is Verdict.MISSING_OUTPUT
    assert judge(case, seen(1), TERMS, skippable=False).verdict is Verdict.CRASH


def test_an_unreadable_output_folder_is_no_clean_rejection(cases: dict[str, Case]) -> None:
    """Whatever lies there was left behind."""
    left = replace(seen(65), fault=OutputError(Verdict.EXTRA_OUTPUT, "a pipe"))
    assert judge(cases["toy/fault"], left, TERMS, skippable=False).verdict is Verdict.OUTPUT_ON_REJECT


@pytest.mark.req("AWQ-CNF-004")
@pytest.mark.parametrize(
    ("statuses", "agree"), [((0, 0), True), ((65, 65), True), ((0, 65), False), ((65, 0), False), ((0, 1), True)]
)
def test_operations_must_agree_on_a_file(statuses: tuple[int, int], agree: bool) -> None:
    """One file gets one answer; a crash is its own verdict."""
    finding = judge_agreement([seen(statuses[0]), seen(statuses[1], "inspect")])
    assert (finding is None) is agree
    if finding is not None:
        assert (finding.verdict, finding.op) == (Verdict.PROTOCOL, "inspect")


@pytest.mark.req("AWQ-CNF-028")
@pytest.mark.parametrize(
    ("second", "told"),
    [
        (seen(0, files={"a": b"1"}), None),
        (seen(0, files={"a": b"2"}), "'a' differs between two runs"),
        (seen(0), "'a' differs between two runs"),
        (seen(65, files={"a": b"1"}), "first exit status 0, then exit status 65"),
    ],
)
def test_repetition(second: Observation, told: str | None) -> None:
    """Two runs are compared byte for byte."""
    finding = judge_repetition(seen(0, files={"a": b"1"}), second)
    assert (finding.detail if finding else None) == told


@pytest.mark.req("AWQ-CNF-024")
@pytest.mark.parametrize(
    ("twin", "verdict"),
    [
        (PASS, Verdict.PASS),
        (WRONG, Verdict.TWIN_FAILED),
        (SKIPPED, Verdict.SKIPPED),
        (None, Verdict.TWIN_FAILED),
    ],
)
def test_twin_gate(cases: dict[str, Case], twin: Finding | None, verdict: Verdict) -> None:
    """A rejection counts only beside a twin that was read right; one that was not run proves nothing either."""
    results = {"toy/fault": CaseResult(cases["toy/fault"], (PASS,), {})}
    if twin is not None:
        results["toy/big"] = CaseResult(cases["toy/big"], (twin,), {})
    assert twin_gate(results)["toy/fault"].verdict is verdict


def test_the_twin_gate_leaves_other_failures_alone(cases: dict[str, Case]) -> None:
    """An over-accept stays one, whatever became of the twin."""
    over = Finding(Verdict.OVER_ACCEPT, "dequant")
    results = {"toy/fault": CaseResult(cases["toy/fault"], (over,), {})}
    assert twin_gate(results)["toy/fault"].verdict is Verdict.OVER_ACCEPT


def test_the_first_failure_decides_a_case(cases: dict[str, Case]) -> None:
    """Failures come before skips, skips before passes."""
    case = cases["toy/big"]
    assert CaseResult(case, (PASS, SKIPPED, WRONG), {}).verdict is Verdict.WRONG
    assert CaseResult(case, (PASS, SKIPPED), {}).verdict is Verdict.SKIPPED
    assert CaseResult(case, (PASS, PASS), {}).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"E_MAGIC\nfree text", "E_MAGIC"),
        (b"E_MAGIC", "E_MAGIC"),
        (b"", ""),
        (b"\x1b[31m\xff\n", "?[31m\ufffd"),
        (b"x" * 1000, "x" * 80),
    ],
)
def test_error_codes(text: bytes, code: str) -> None:
    """The first line of reject.txt, bounded and printable."""
    assert error_code(seen(65, files={"reject.txt": text})) == code


@pytest.mark.req("AWQ-CNF-025")
@pytest.mark.parametrize(("code", "matches"), [("E_MAGIC", True), ("E_SIZE", False), ("", None)])
def test_codes_are_counted_and_never_judged(cases: dict[str, Case], code: str, matches: bool | None) -> None:
    """A wrong code on a right rejection is a diagnostic."""
    result = CaseResult(cases["toy/fault"], (PASS,), {}, code)
    assert (result.code_matches, result.verdict) == (matches, Verdict.PASS)


def test_every_verdict_is_explained() -> None:
    """The list of meanings is complete."""
    assert set(MEANING) == set(Verdict)

"""JUnit, TAP, Markdown, badge: each a function of the record, each with a reader's rules held against it."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING, Any

import pytest
from junitparser import JUnitXml

from awq_conformance.known import KnownFailure
from awq_conformance.report import FORMATS, record_of
from awq_conformance.report.words import again
from awq_conformance.verdict import Grade, Verdict
from tests import runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from awq_conformance.run import Certification

MADE: dict[str, Callable[[], Certification]] = {
    "mixed": runs.mixed,
    "right": runs.right,
    "hostile": runs.hostile,
    "many": lambda: runs.many(20, 10),
}
# Of the schemas that CI systems publish for JUnit files: element -> attributes it may have, elements it may hold.
JUNIT: dict[str, tuple[set[str], set[str]]] = {
    "testsuites": ({"name", "tests", "failures", "errors", "time"}, {"testsuite"}),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped", "time"}, {"properties", "testcase"}),
    "properties": (set(), {"property"}),
    "property": ({"name", "value"}, set()),
    "testcase": ({"name", "classname", "time"}, {"skipped", "failure", "error", "system-out"}),
    "failure": ({"message", "type"}, set()),
    "error": ({"message", "type"}, set()),
    "skipped": ({"message"}, set()),
    "system-out": (set(), set()),
}


def made(name: str, kind: str) -> str:
    """Return a made run in one format."""
    return FORMATS[kind][1](record_of(MADE[name]()))


@pytest.mark.parametrize("name", MADE)
def test_junit_is_what_the_schemas_of_ci_systems_describe(name: str) -> None:
    """Known elements with known attributes, counts that are right, at most one outcome for each test case."""
    tree = ElementTree.fromstring(made(name, "junit"))
    for element in tree.iter():
        attributes, children = JUNIT[element.tag]
        assert set(element.attrib) <= attributes, element.tag
        assert {child.tag for child in element} <= children, element.tag
    (suite,) = tree
    tests = suite.findall("testcase")
    assert len({(test.attrib["classname"], test.attrib["name"]) for test in tests}) == len(tests)
    for key, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.attrib[key]) == sum(test.find(tag) is not None for test in tests)
    assert int(suite.attrib["tests"]) == len(tests)
    for test in tests:
        assert float(test.attrib["time"]) >= 0
        assert sum(test.find(tag) is not None for tag in ("failure", "error", "skipped")) <= 1


def test_junit_fails_what_decides() -> None:
    """A failure carries verdict, place, expected and got, and how to run it again; a SHOULD is only noted."""
    suite = next(iter(JUnitXml.fromstring(made("mixed", "junit").encode())))
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (8, 3, 0, 2)
    by_name = {case.name: case for case in suite}
    bad = by_name["model/bad"].result[0]
    assert bad.type == "WRONG"
    assert "tensor 0 weight, W: [3, 1] expected 0.5 (0x3f000000), got -0.5" in bad.message
    assert "--case model/bad" in bad.text
    assert by_name["model/should"].result[0].message.startswith("does not decide: CRASH")
    assert by_name["container/taken"].system_out == "all is well\n"


@pytest.mark.parametrize(
    ("case", "option"),
    [("fresh/5", "--seed 5"), ("holdout/7/valid-3", "--holdout 7"), ("model/bad", "--case model/bad")],
)
def test_how_to_run_a_case_again(case: str, option: str) -> None:
    """What is in no corpus is named by the option that makes it."""
    record = record_of(runs.run_of(runs.result(runs.valid(case))))
    assert f" {option} -- " in again(record["results"][0], record)


def test_an_inconclusive_run_is_an_error_in_junit() -> None:
    """A CI job must not take a run without a verdict for a success."""
    suite = next(iter(JUnitXml.fromstring(made("hostile", "junit").encode())))
    assert suite.errors == 1


@pytest.mark.parametrize("name", MADE)
def test_tap_is_version_14(name: str) -> None:
    """Version, plan, comments, test points in order, YAML blocks of text on one line, nothing else."""
    text = made(name, "tap")
    lines = text.splitlines()
    assert lines[0] == "TAP version 14"
    assert lines[1] == f"1..{len(record_of(MADE[name]())['results'])}"
    grammar = (
        r"# .*|(not )?ok (\d+) - (\\\\|\\#|[^#\\])*( # (SKIP|TODO) .*)?|Bail out! .*"
        r"|  (---|\.\.\.)|  (verdict: [A-Z-]+|(at|message): '([^']|'')*')"
    )
    for line in lines[2:]:
        assert re.fullmatch(grammar, line), line
    points = [int(match[2]) for match in map(re.compile(r"(not )?ok (\d+)").match, lines) if match]
    assert points == list(range(1, len(points) + 1))
    assert text.count("\n  ---\n") == text.count("\n  ...\n") == sum(line.startswith("not ok") for line in lines)


def test_tap_tells_what_decides() -> None:
    """What does not decide is a TODO, what is out of reach a SKIP."""
    lines = made("mixed", "tap").splitlines()
    assert "# 1 is added to every zero point" in lines
    assert "not ok 2 - model/bad" in lines
    assert "ok 7 - model/skipped # SKIP needs N of 16" in lines
    assert "not ok 8 - model/should # TODO does not decide" in lines


def test_a_known_failure_does_not_decide() -> None:
    """Neither in TAP nor in JUnit."""
    case = runs.valid("model/bad")
    known = {"known": {case.id: KnownFailure("being worked on", "https://example.org/1")}}
    record = record_of(runs.run_of(runs.result(case, Verdict.WRONG, "off"), request=known))
    assert record["verdict"] == "CONFORMANT"
    assert "not ok 1 - model/bad # TODO" in FORMATS["tap"][1](record)
    assert next(iter(JUnitXml.fromstring(FORMATS["junit"][1](record).encode()))).failures == 0
    assert "conformant to core at grade exact but for 1 known failure" in FORMATS["markdown"][1](record)


def test_the_summary_has_verdict_reasons_counts_and_first_failures() -> None:
    """It is what a CI job shows; failures that only follow from others are a number."""
    text = made("mixed", "markdown")
    places = [
        text.index(part)
        for part in (
            "## ❌ made: not conformant to core at grade exact",
            "- **1 is added to every zero point** (zeros-plus-one)<br>all of 8 files",
            "| MUST | 3 | 3 | 1 |",
            "Error codes: 1 of 2 match.",
            "| WRONG | model/bad | AWQ-MOD-008 +1 | dequant (one-shot), tensor 0 weight, W",
            "| OVER-ACCEPT | container/taken |",
            "either: 1.",
            "awq-conformance run --profile core --case model/bad -- /opt/made/loader",
        )
    ]
    assert places == sorted(places)
    assert "| TWIN-FAILED |" not in text


def test_the_summary_of_many_failures_is_short() -> None:
    """Twenty in full, the rest as a number."""
    text = FORMATS["markdown"][1](record_of(runs.many(40, 30)))
    assert text.count("| WRONG |") == 20
    assert "... and 10 more." in text


BADGES: list[tuple[Any, str, str]] = [
    (runs.right, "conformant", "brightgreen"),
    (runs.mixed, "not conformant", "red"),
    (runs.hostile, "inconclusive", "lightgrey"),
    (lambda: runs.right(incomplete="stopped at the first failure"), "not certified", "yellow"),
    (lambda: runs.right(request={"known": {"x": KnownFailure("r", "l")}}), "1 known failure", "yellow"),
    (lambda: runs.right(request={"grade": Grade.FUNCTIONAL}), "not certified", "yellow"),
    (lambda: runs.right(hello="proto=1 ops=dequant,serve"), "not certified", "yellow"),
    (
        lambda: runs.run_of(runs.result(runs.valid("a"), grade=Grade.BOUNDED), request={"grade": Grade.BOUNDED}),
        "conformant (bounded)",
        "brightgreen",
    ),
]


@pytest.mark.parametrize(
    ("run", "message", "colour"),
    BADGES,
    ids=["right", "wrong", "hostile", "incomplete", "known", "functional", "one-mode", "bounded"],
)
def test_the_badge_is_green_only_where_a_certificate_is_due(run: Any, message: str, colour: str) -> None:
    """As a picture with a text alternative, and as an endpoint."""
    record = record_of(run())
    svg = ElementTree.fromstring(FORMATS["badge"][1](record))
    assert svg.attrib["aria-label"] == f"awq core: {message}"
    endpoint = json.loads(FORMATS["shield"][1](record))
    assert endpoint == {"schemaVersion": 1, "label": "awq core", "message": message, "color": colour}


@pytest.mark.parametrize("kind", ["html", "junit", "markdown", "badge"])
def test_nothing_an_adapter_says_becomes_markup(kind: str) -> None:
    """Names, outputs, details, hello words, error codes are text in every format."""
    record = record_of(runs.hostile())
    record["profile"] = runs.HOSTILE
    text = FORMATS[kind][1](record)
    assert "<img" not in text
    assert "\x1b" not in text
    assert "\0" not in text
    if kind == "markdown":
        assert "](javascript" not in text
        rows = [line for line in text.splitlines() if line.startswith("| WRONG")]
        assert [row.count("|") for row in rows] == [5]  # no cell ends early

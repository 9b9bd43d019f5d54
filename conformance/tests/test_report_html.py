"""The page: complete, well formed, closed to the outside, small; how it behaves is shown in a browser."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import re
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from awq_conformance.known import KnownFailure
from awq_conformance.report import FORMATS, record_of
from awq_conformance.report.html import html as page_of
from awq_conformance.report.matrix import html as matrix_page_of
from awq_conformance.report.matrix import matrix_of
from awq_conformance.report.pictures import bars_of, heat_of
from awq_conformance.verdict import Verdict
from tests import runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from awq_conformance.run import Certification

MADE: dict[str, Callable[[], Certification]] = {
    "mixed": runs.mixed,
    "right": runs.right,
    "hostile": runs.hostile,
    "many": lambda: runs.many(20, 10),
    "inconclusive": lambda: runs.run_of(inconclusive="the adapter does not start", tail=b"Traceback ..\n"),
}
VOID = {"meta", "link", "input", "path", "rect"}


class Page(html.parser.HTMLParser):
    """A page taken apart; a tag that is closed in the wrong place raises."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: dict[str, str] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        tag = self._open[-1] if self._open else ""
        self.texts[tag] = self.texts.get(tag, "") + data

    def values(self, attribute: str) -> list[str]:
        return [value for _, name, value in self.attributes if name == attribute]


def pages() -> dict[str, str]:
    """Return every page there is: reports and a comparison."""
    records = {name: record_of(make()) for name, make in MADE.items()}
    return {**{name: page_of(record) for name, record in records.items()}, "matrix": matrix_page_of(matrix_of(records))}


@pytest.mark.parametrize("name", [*MADE, "matrix"])
def test_pages_are_well_formed(name: str) -> None:
    """Tags nest, ids are unique, links within the page lead somewhere, labels and descriptions belong to something."""
    page = Page(pages()[name])
    ids = page.values("id")
    assert len(ids) == len({*ids})
    links = [value for value in page.values("href") if not value.startswith("data:")]
    assert {link[1:] for link in links} <= {*ids}, "a link leads nowhere"
    assert {*page.values("for"), *page.values("aria-labelledby")} <= {*ids}
    assert page.tags["h1"] == page.tags["main"] == page.tags["title"] == 1


@pytest.mark.parametrize("name", [*MADE, "matrix"])
def test_pages_are_closed_to_the_outside(name: str) -> None:
    """One style and one script, each named by its digest in the policy; nothing is loaded, no handler, no style."""
    page = Page(pages()[name])
    policy = next(value for _, name, value in page.attributes if name == "content" and "default-src" in value)
    assert policy.startswith("default-src 'none'; ")
    for tag in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.texts.get(tag, "").encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
        assert page.tags[tag] <= 1
    assert page.tags.keys().isdisjoint({"img", "iframe", "object", "embed", "base", "form"})
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name in ("src", "style", "action")]


@pytest.mark.parametrize("name", ["hostile", "matrix"])
def test_what_adapters_say_is_text(name: str) -> None:
    """It stands on the page as it was said, and is no part of the page."""
    text = pages()[name]
    assert "<img" not in text
    assert runs.HOSTILE not in text
    assert "owned" in "".join(Page(text).texts.values())


@pytest.mark.parametrize(
    "told",
    [
        "Not conformant to core at grade exact",
        "1 is added to every zero point",
        "all of 8 files",
        "0.5 (0x3f000000)",
        "-0.5 (0xbf000000) (1536 of 6144 wrong)",
        "dequant (one-shot), tensor 0 weight, W",
        "MUST be the SHA-256 of the section",
        "zero_points[0]",
        "all is well",
        "awq-conformance run --profile core --case model/bad -- /opt/made/loader",
        "sh repro/model--bad/run.sh",
        "It was not shown again: it fails only sometimes.",
        "06",
        "05",
        "22 (0x16)",
        "missing check, silent corruption",
        "needs N of 16",
        "does not decide, its level is SHOULD",
        "the loader said E_SIZE",
        "2 restarts",
        "in all 64 rows and columns 3 to 95 with gaps",
    ],
)
def test_the_page_says_it_without_a_script(told: str) -> None:
    """Verdict, reason, place, expected and got, sentence, bytes, output, how to run it again: all are in the page."""
    page = Page(page_of(record_of(runs.mixed())))
    page.texts.pop("script")
    assert told in re.sub(r"\s+", " ", "|".join([*page.texts.values(), *page.values("aria-label")]))


def test_the_news_come_first() -> None:
    """Verdict, reasons, requirements, then cases: causes, the simplest first, then consequences, then the rest."""
    text = page_of(record_of(runs.mixed()))
    text = text[: text.index("<script>")]
    order = ['<h1>made</h1>', 'id="why"', 'id="requirements"', 'id="cases"', 'id="model/bad"', 'id="model/should"',
             'id="container/taken"', 'id="container/orphan"', 'id="model/good"', 'id="stands"']  # fmt: skip
    places = [text.index(part) for part in order]
    assert places == sorted(places)


def test_a_requirement_is_red_only_for_causes() -> None:
    """One of which only the twin failed is left open."""
    good, bad = runs.valid("a/good", req=("AWQ-MOD-001",)), runs.valid("a/bad", req=("AWQ-MOD-002",))
    orphan = runs.malformed("a/orphan", bad.id, req=("AWQ-MOD-003",))
    failures = runs.result(bad, Verdict.WRONG, "off"), runs.result(orphan, Verdict.TWIN_FAILED, "twin")
    text = page_of(record_of(runs.run_of(runs.result(good), *failures)))
    looks = re.findall(r'<li class="(\w+)"><a href="#(AWQ-MOD-\d+)"', text)
    assert looks == [("good", "AWQ-MOD-001"), ("bad", "AWQ-MOD-002"), ("open", "AWQ-MOD-003")]


def test_known_failures_are_named_with_their_reason() -> None:
    """On the case, and at the end."""
    case = runs.valid("a/bad")
    known = {"known": {case.id: KnownFailure("being worked on", "https://example.org/1")}}
    text = page_of(record_of(runs.run_of(runs.result(case, Verdict.WRONG, "off"), request=known)))
    assert text.count("being worked on") == 2


OF = "64 of 64 elements"
HEATS = [
    ((1, 64), ["f" * 32], f"{OF} (1 x 64) are wrong, in row 0 and all 64 columns"),
    ((3, 4), ["0000", "0f00", "0000"], f"{OF} (3 x 4) are wrong, in row 1 and column 1"),
    ((2, 3, 4), ["0000", "ff00", *["0000"] * 4], f"{OF} (2 x 3 x 4) are wrong, in row 1 and columns 0 to 1"),
    ((64, 64), ["0" * 32] * 31 + ["0" * 31 + "1"],
     f"{OF} (64 x 64) are wrong, in rows 62 to 63 and columns 62 to 63"),
    ((2, 4), ["f00f", "0000"], f"{OF} (2 x 4) are wrong, in row 0 and columns 0 to 3 with gaps"),
    ((5,), ["0000f"], f"{OF} (5) are wrong, in row 0 and column 4"),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "heat", "told"), HEATS, ids=[str(shape) for shape, _, _ in HEATS])
def test_a_heat_map_says_in_words_what_it_shows(shape: tuple[int, ...], heat: list[str], told: str) -> None:
    """Its text alternative names rows and columns; its paths cover the cells that are not 0."""
    picture = heat_of({"shape": list(shape), "wrong": 64, "total": 64, "heat": heat, "histogram": []})
    assert picture["told"] == told
    assert sum(path.count("M") for _, path in picture["paths"]) == sum(c != "0" for row in heat for c in row)
    assert (picture["rows"], picture["columns"]) == (len(heat), len(heat[0]))


def test_bars_are_drawn_to_scale() -> None:
    """The longest fills the width, the shortest can still be seen."""
    bars = bars_of({"histogram": [["1 ulp", 1000], ["2 ulp", 500], ["NaN", 1]]})
    assert [bar["width"] for bar in bars] == [128, 64, 2]


def test_a_report_of_many_failures_is_quick_and_small() -> None:
    """Four hundred cases of which 300 fail, with pictures and output: all formats in two seconds, a page under 3 MB."""
    start = time.process_time()
    record = record_of(runs.many(400, 300))
    made = {kind: make(record) for kind, (_, make) in FORMATS.items()}
    assert time.process_time() - start < 2
    assert len(made["html"].encode()) < 3_000_000
    assert made["html"].count('class="heat"') == 100
    assert len(json.dumps(record)) < 3_000_000


def test_reports_need_no_loader() -> None:
    """What renders a report shares nothing with what is judged by it: awqformat is not even imported."""
    code = (
        "import sys\n"
        "from awq_conformance import report\n"
        "from awq_conformance.report import certificate, matrix\n"
        "assert 'awqformat' not in sys.modules, sorted(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_loaders_are_compared_side_by_side() -> None:
    """A line for each loader, a row for each group and each case; a case that one was not asked is an open cell."""
    records: dict[str, Any] = {"ours": record_of(runs.right()), "theirs": record_of(runs.mixed())}
    compared = matrix_of(records)
    assert compared["loaders"]["theirs"]["why"] == "1 is added to every zero point"
    assert compared["groups"]["container: integrity"]["cases"] == {
        "container/taken": {"ours": "", "theirs": "OVER-ACCEPT"}
    }
    assert compared["groups"]["container"]["cells"] == {
        "ours": {"passed": 1, "skipped": 0, "failed": 0, "missing": 2},
        "theirs": {"passed": 2, "skipped": 0, "failed": 1, "missing": 0},
    }  # fmt: skip
    assert "container/right" not in compared["differing"]
    assert compared["differing"]["model/bad"] == {"ours": "", "theirs": "WRONG"}
    text = matrix_page_of(compared)
    assert text.index("container: integrity") < text.index("not run")


def test_random_files_are_one_row_of_a_comparison() -> None:
    """Each run has its own."""
    records = {seed: record_of(runs.run_of(runs.result(runs.valid(f"fresh/{seed}")))) for seed in ("1", "2")}
    compared = matrix_of(records)
    assert (compared["cases"], compared["differing"]) == (1, {})

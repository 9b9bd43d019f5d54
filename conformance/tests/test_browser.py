"""The pages in a real browser (make test-browser)."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from awq_conformance.report import record_of
from awq_conformance.report.html import html
from awq_conformance.report.matrix import html as matrix_html
from awq_conformance.report.matrix import matrix_of
from tests import runs

pytestmark = pytest.mark.browser

ZOO: Final = Path(__file__).resolve().parents[1] / "zoo" / "adapter.py"
MISSING: Final = "needs chromium and chromedriver (Debian: apt-get install chromium chromium-driver)"
SIZES: Final = {"desk": (1280, 1000, False), "phone": (375, 800, True)}
RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SHOWN: Final = "return [...document.querySelectorAll('details.case')].filter(e => e.checkVisibility()).map(e => e.id)"
CASES: Final = ("model/group-*", "model/experts", "tracer/codes-*", "container/data-digest*", "container/small")


def certified(zoo: str, folder: Path) -> str:
    """Return the page of a run that took place: of a loader that is right, or wrong in one way."""
    cases = [word for glob in CASES for word in ("--case", glob)]
    command = [sys.executable, "-m", "awq_conformance", "run", "--mode", "serve", *cases, "--report", str(folder)]
    done = subprocess.run([*command, "--", sys.executable, str(ZOO), zoo], capture_output=True, check=False)
    assert done.returncode in (0, 1), done.stdout
    return (folder / "report.html").read_text()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pages by name: real runs, and made ones with everything that a page has room for."""
    folder = tmp_path_factory.mktemp("pages")
    made = {name: certified(name, folder / name) for name in ("zeros-next-group", "right")}
    records = {"mixed": record_of(runs.mixed()), "hostile": record_of(runs.hostile()), "fine": record_of(runs.right())}
    records["empty"] = record_of(runs.run_of(inconclusive="the adapter does not start", tail=b"Traceback ..\n"))
    made |= {name: html(record) for name, record in records.items()}
    made["many"] = html(record_of(runs.many()))
    made["matrix"] = matrix_html(matrix_of(records))
    for name, text in made.items():
        (folder / f"{name}.html").write_text(text)
    return {name: folder / f"{name}.html" for name in made}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Chromium without a window."""
    from selenium import webdriver

    program, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.fail(MISSING)
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    window = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    window.set_script_timeout(120)
    yield window
    window.quit()


def emulate(chromium: Any, size: str, scheme: str, *, script: bool = True, media: str = "screen") -> None:
    """Make the browser a phone or a desk, light or dark, with scripts or without."""
    width, height, mobile = SIZES[size]
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
    chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not script})


@pytest.fixture
def desk(chromium: Any) -> Any:
    """The browser on a desk, in light."""
    emulate(chromium, "desk", "light")
    for kind in ("browser", "performance"):
        chromium.get_log(kind)
    return chromium


def choose(chromium: Any, name: str, option: str) -> None:
    """Choose the option of a list that starts with these words."""
    chromium.find_element("xpath", f"//select[@id='{name}']/option[starts-with(normalize-space(), '{option}')]").click()


def is_quiet(chromium: Any, page: Path) -> None:
    """Nothing was asked for but the page itself, and nothing went wrong: no error, no violation of the policy."""
    messages = [json.loads(entry["message"])["message"] for entry in chromium.get_log("performance")]
    asked = {m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"}
    assert {url.partition("#")[0] for url in asked} <= {page.as_uri(), "data:,"}
    assert chromium.get_log("browser") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["zeros-next-group", "right", "mixed", "hostile", "empty", "matrix"])
def test_pages_can_be_read_by_everyone(
    chromium: Any, pages: dict[str, Path], name: str, size: str, scheme: str
) -> None:
    """With everything unfolded: no violation of WCAG 2.2 AA that axe can find, no scrolling sideways, no noise."""
    from selenium_axe_python.axe import Axe

    emulate(chromium, size, scheme)
    for kind in ("browser", "performance"):
        chromium.get_log(kind)
    chromium.get(pages[name].as_uri())
    for _ in chromium.find_elements("id", "expand"):
        choose(chromium, "verdict", "all")
        chromium.find_element("id", "expand").click()
    chromium.execute_script("for (const e of document.querySelectorAll('details')) e.open = true")
    width, screen = chromium.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert width <= screen == SIZES[size][0]
    paper = chromium.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, paper[4:-1].split(","))) < 64) is (scheme == "dark")
    is_quiet(chromium, pages[name])
    axe = Axe(chromium)
    axe.inject()
    found = axe.run(options={"runOnly": {"type": "tag", "values": RULES}})
    assert found["violations"] == [], axe.report(found["violations"])
    assert len(found["passes"]) > 10


def test_the_filter_narrows_what_is_shown(desk: Any, pages: dict[str, Path]) -> None:
    """By verdict, by words, by requirement; what is shown is counted and announced."""
    desk.get(pages["mixed"].as_uri())
    assert desk.execute_script(SHOWN) == ["model/bad", "model/should", "container/taken"]
    status = desk.find_element("id", "shown")
    assert (status.text, status.get_attribute("role")) == ("3 of 8 cases", "status")
    text = desk.find_element("id", "text")
    for choice, shown in (("failed, with", 4), ("all", 8), ("SKIPPED", 1), ("all", 8)):
        choose(desk, "verdict", choice)
        assert len(desk.execute_script(SHOWN)) == shown, choice
    text.send_keys("E_digest  taken")
    assert desk.execute_script(SHOWN) == ["container/taken"]
    text.clear()
    text.send_keys(" ")
    choose(desk, "requirement", "AWQ-MOD-009")
    assert desk.execute_script(SHOWN) == ["model/bad"]
    assert desk.find_element("id", "sentence").text.startswith("AWQ-MOD-009")
    is_quiet(desk, pages["mixed"])


def test_a_cell_of_the_matrix_shows_its_cases(desk: Any, pages: dict[str, Path]) -> None:
    """All of them, the sentence of the specification above, the focus where one can go on."""
    desk.get(pages["mixed"].as_uri())
    desk.find_element("css selector", "[data-requirement='AWQ-CON-041']").click()
    assert len(desk.execute_script(SHOWN)) == 7
    assert "SHA-256" in desk.find_element("id", "sentence").text
    assert desk.switch_to.active_element.get_attribute("id") == "requirement"
    is_quiet(desk, pages["mixed"])


def test_a_failure_unfolds_with_the_keyboard(desk: Any, pages: dict[str, Path]) -> None:
    """From the search field on: tab, tab, .., return; then expected, got and guilty bytes can be seen."""
    from selenium.webdriver.common.keys import Keys

    desk.get(pages["mixed"].as_uri())
    desk.find_element("id", "text").click()
    for _ in range(4):
        desk.switch_to.active_element.send_keys(Keys.TAB)
    assert desk.switch_to.active_element.tag_name == "summary"
    desk.switch_to.active_element.send_keys(Keys.RETURN)
    case = desk.find_element("id", "model/bad")
    assert case.get_attribute("open")
    for told in ("0.5 (0x3f000000)", "-0.5 (0xbf000000)", "HERE zero_points[0]", "1536 of 6144 elements", "1500"):
        assert told.lower() in case.text.lower()
    assert case.find_element("css selector", "svg.heat").is_displayed()
    is_quiet(desk, pages["mixed"])


def test_a_link_to_a_case_opens_it(desk: Any, pages: dict[str, Path]) -> None:
    """From outside and from within, whatever the filter hides."""
    desk.get(pages["mixed"].as_uri() + "#model/good")
    assert "model/good" in desk.execute_script(SHOWN)
    assert desk.find_element("id", "model/good").get_attribute("open")
    desk.get(pages["mixed"].as_uri())
    desk.find_element("css selector", ".why summary").click()
    desk.find_element("css selector", ".why a").click()
    assert desk.find_element("id", "model/bad").get_attribute("open")


def test_nothing_an_adapter_says_runs(desk: Any, pages: dict[str, Path]) -> None:
    """Not its words, its output, its tensor names, its codes; and what would get through is stopped by the policy."""
    desk.get(pages["hostile"].as_uri())
    desk.execute_script("for (const e of document.querySelectorAll('details')) e.open = true")
    assert desk.title != "owned"
    assert desk.find_elements("tag name", "img") == []
    assert desk.find_element("id", "model/bad").text.count("onerror") > 3
    is_quiet(desk, pages["hostile"])
    injected = pages["hostile"].with_name("injected.html")
    text = (
        pages["hostile"].read_text().replace("<main>", f"<main>{runs.HOSTILE}<script>document.title='owned'</script>")
    )
    injected.write_text(text)
    desk.get(injected.as_uri())
    assert desk.title != "owned"
    assert desk.get_log("browser")  # the policy says what it stopped


@pytest.mark.parametrize("size", SIZES)
def test_everything_can_be_read_without_a_script(chromium: Any, pages: dict[str, Path], size: str) -> None:
    """All cases are listed, each unfolds, and there is no filter that does nothing."""
    emulate(chromium, size, "light", script=False)
    try:
        chromium.get(pages["mixed"].as_uri())
        shown = [case.get_attribute("id") for case in chromium.find_elements("css selector", "details.case")]
        assert shown[:3] == ["model/bad", "model/should", "container/taken"]
        assert len(shown) == 8
        assert not chromium.find_element("id", "filter").is_displayed()
        case = chromium.find_element("id", "model/bad")
        case.find_element("tag name", "summary").click()
        assert "0.5 (0x3f000000)" in case.text
    finally:
        emulate(chromium, size, "light")


def test_failures_are_printed_unfolded(desk: Any, pages: dict[str, Path]) -> None:
    """On paper there is nothing to press."""
    desk.get(pages["mixed"].as_uri())
    desk.execute_script("dispatchEvent(new Event('beforeprint'))")
    emulate(desk, "desk", "light", media="print")
    assert "0.5 (0x3f000000)" in desk.find_element("id", "model/bad").text
    assert not desk.find_element("id", "filter").is_displayed()
    desk.execute_script("dispatchEvent(new Event('afterprint'))")
    assert not desk.find_element("id", "model/bad").get_attribute("open")


def test_a_page_of_many_failures_answers_at_once(desk: Any, pages: dict[str, Path]) -> None:
    """Four hundred cases: filtering takes less than a fifth of a second."""
    desk.get(pages["many"].as_uri())
    took = desk.execute_script(
        "const start = performance.now(); text.value = 'model/17'; text.dispatchEvent(new Event('input'));"
        "document.body.offsetHeight; return performance.now() - start"
    )
    assert took < 200
    assert len(desk.execute_script(SHOWN)) == 11

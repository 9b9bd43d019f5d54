"""The pytest plugin: real sessions of pytest, in folders of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from tests.conftest import Maker, Zoo

LOADER: Final = Path(sys.executable).with_name("awq-loader")


def session(folder: Path, *options: str) -> tuple[int, str]:
    """Run pytest in an empty folder; return its exit status and what it printed."""
    (folder / "session").mkdir(exist_ok=True)
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning",
         *options], cwd=folder / "session", env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def loader(zoo: Zoo, breed: str) -> list[str]:
    """Return the options that put a breed in front of the toy corpus."""
    return [f"--awq-loader={' '.join(zoo.command(breed))}", f"--awq-corpus={zoo.root}"]


def test_each_case_is_a_test_with_its_id(zoo: Zoo, tmp_path: Path) -> None:
    """The ids are those of the corpus, so that -k and junit find them."""
    status, told = session(tmp_path, *loader(zoo, "right"), "-v", f"--junitxml={tmp_path / 'junit.xml'}")
    assert status == 0
    assert "awq::toy/small PASSED" in re.sub(r" +", " ", told)
    assert 'name="toy/small"' in (tmp_path / "junit.xml").read_text()


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_a_failure_is_told_as_the_terminal_tells_it(zoo: Zoo, tmp_path: Path, workers: list[str]) -> None:
    """Verdict, tensor, element, expected and got; a rejection without its twin proves nothing here either."""
    status, told = session(tmp_path, *loader(zoo, "wrong"), *workers)
    assert status == 1
    assert re.search(r"WRONG toy/\w+  dequant", told)
    assert re.search(r"expected \S+ \(0x[0-9a-f]+\), got 1234.5", told)
    assert "Traceback" not in told


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_an_adapter_that_does_not_work_gets_no_verdict(zoo: Zoo, tmp_path: Path, workers: list[str]) -> None:
    """The session ends with the status of the runner, before any test, in one line."""
    status, told = session(tmp_path, *loader(zoo, "cannot-import"), *workers)
    assert status == 3
    assert "INCONCLUSIVE the adapter, not the loader: hello: expected exit status 0 or 69" in told
    assert "passed" not in told


def test_malformed_files_alone_run_their_twins(zoo: Zoo, tmp_path: Path) -> None:
    """A rejection counts only with its twin, even where only the rejection is chosen: here the twin is read wrongly."""
    status, told = session(tmp_path, *loader(zoo, "wrong"), "-k", "fault")
    assert (status, "1 failed" in told, "TWIN-FAILED" in told) == (1, True, True)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--awq-loader="], None),
        (["--awq-loader=' "], "No closing quotation"),
        (["--awq-loader=x", "--awq-case=nonesuch"], "no case of profile core matches 'nonesuch'"),
        (["--awq-loader=x", "--awq-corpus=/nonesuch"], "no corpus at /nonesuch"),
        (["--awq-loader=x", "--awq-known-failures=/nonesuch"], "No such file"),
    ],
)
def test_usage_errors(tmp_path: Path, options: list[str], told: str | None) -> None:
    """One line, and pytest's own status for wrong usage; without a loader the plugin is not there."""
    status, output = session(tmp_path, *options)
    assert status == (pytest.ExitCode.NO_TESTS_COLLECTED if told is None else pytest.ExitCode.USAGE_ERROR)
    assert told is None or told in output
    assert "Traceback" not in output


def test_known_failures_are_expected_and_must_fail(zoo: Zoo, tmp_path: Path) -> None:
    """One that fails is an xfail, one that passes a failure."""
    listed = tmp_path / "known.json"
    reason = {"reason": "being worked on", "link": "https://example.org/1"}
    listed.write_text(json.dumps({"toy/big": reason}))
    status, told = session(tmp_path, *loader(zoo, "wrong"), f"--awq-known-failures={listed}", "-k", "big", "-rx")
    assert (status, "1 xfailed" in told, "being worked on (https://example.org/1)" in told) == (0, True, True)
    status, told = session(tmp_path, *loader(zoo, "right"), f"--awq-known-failures={listed}", "-k", "big")
    assert (status, "[XPASS(strict)]" in told) == (1, True)


def test_a_should_that_fails_is_no_failure(zoo: Zoo, maker: Maker, tmp_path: Path) -> None:
    """It does not decide, here as in a run."""
    maker.add_valid()
    maker.cases[1]["level"] = "SHOULD"
    zoo.root = maker.manifest()
    status, told = session(tmp_path, *loader(zoo, "wrong"), "-k", "big", "-rx")
    assert (status, "level SHOULD: does not decide" in told) == (0, True)


@pytest.mark.skipif(not LOADER.exists(), reason="awq-loader was not built")
def test_the_real_loader_with_its_random_file(tmp_path: Path) -> None:
    """Files made for the run are there too, and the random one."""
    status, told = session(tmp_path, f"--awq-loader={LOADER}", "-k", "tracer or fresh or state", "-v")
    assert status == 0
    assert "awq::fresh PASSED" in re.sub(r" +", " ", told)


def test_the_plugin_costs_nothing_where_it_is_not_asked_for(tmp_path: Path) -> None:
    """Its options are all that is loaded."""
    (tmp_path / "test_it.py").write_text(
        "import sys\ndef test_it():\n    assert not {'awq_conformance.run', 'numpy', 'rich'} & {*sys.modules}\n"
    )
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest",
                           "-W", "ignore::pytest.PytestAssertRewriteWarning", str(tmp_path)],
                          cwd=tmp_path, capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout

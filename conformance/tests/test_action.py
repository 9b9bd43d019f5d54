"""The composite action: its scripts, run as a workflow runs them. Installing is replaced by what is installed here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

if TYPE_CHECKING:
    from tests.conftest import Zoo

ACTION: Final = Path(__file__).resolve().parents[2] / ".github" / "actions" / "certify" / "action.yml"


@pytest.fixture(scope="module")
def action() -> Any:
    """The action as data."""
    return yaml.safe_load(ACTION.read_text())


def certified(action: Any, folder: Path, adapter: str, options: str = "") -> tuple[int, dict[str, str], str]:
    """Run the step that certifies; return its exit status, outputs and summary."""
    step = next(step for step in action["runs"]["steps"] if step.get("id") == "certify")
    program = shutil.which("awq-conformance", path=str(Path(sys.executable).parent))
    assert program is not None
    (folder / "awqformat" / "bin").mkdir(parents=True)
    (folder / "awqformat" / "bin" / "awq-conformance").symlink_to(program)
    files = {name: folder / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    for file in files.values():
        file.touch()
    given = {name: words.get("default", "") for name, words in action["inputs"].items()}
    given |= {"adapter": adapter, "options": options}
    variables = {name: value.strip("${} ").removeprefix("inputs.") for name, value in step["env"].items()}
    env = {name: given[key] for name, key in variables.items()}
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=folder,
        env={**os.environ, **env, "RUNNER_TEMP": str(folder), **{name: str(file) for name, file in files.items()}},
        capture_output=True,
        check=False,
    )
    outputs = dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text().splitlines())
    return done.returncode, outputs, files["GITHUB_STEP_SUMMARY"].read_text()


@pytest.mark.parametrize(
    ("breed", "status", "verdict"),
    [("right", 0, "conformant"), ("wrong", 1, "not conformant"), ("cannot-import", 3, "inconclusive")],
)
def test_the_job_ends_as_the_run_does(
    action: Any, zoo: Zoo, tmp_path: Path, breed: str, status: int, verdict: str
) -> None:
    """Exit status, verdict and summary; a certificate only where one was issued."""
    adapter = " ".join(f"'{word}'" for word in zoo.command(breed))
    code, outputs, summary = certified(action, tmp_path, adapter, f"--corpus '{zoo.root}' -j 2")
    assert (code, outputs["verdict"]) == (status, verdict)
    assert summary.startswith("## ")
    assert verdict in summary
    if status == 0:
        assert (tmp_path / outputs["certificate"]).is_file()
    else:
        assert "certificate" not in outputs
    assert (tmp_path / "awq-report" / "report.html").is_file()


def test_every_input_is_used(action: Any) -> None:
    """And none is put into a script by text, where it could become code."""
    steps = action["runs"]["steps"]
    used = {words.partition("inputs.")[2].split(" ")[0] for step in steps for words in step.get("env", {}).values()}
    assert used - {""} == set(action["inputs"])
    assert not any("${{" in step.get("run", "") for step in steps)

"""The page "certify your loader in ten minutes", followed word for word in an empty folder.

Installing is replaced by what is installed here; everything else is typed as it stands.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "conformance" / "ten-minutes.md"
BLOCK: Final = re.compile(r"^```(\w+)(?: (\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_page_holds_word_for_word(tmp_path: Path) -> None:
    """Each command ends as the page says, and prints what the page shows."""
    (tmp_path / "awqformat").symlink_to(ROOT)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PYTHONWARNINGS": "ignore"}
    told, shown, run = "", 0, 0
    for language, kind, text in BLOCK.findall(PAGE.read_text()):
        if language == "text":
            missing = [line for line in text.splitlines() if line not in told]
            assert missing == [], told
            shown += 1
        if language != "sh" or kind == "install":
            continue
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", text], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        told = done.stdout + done.stderr
        assert done.returncode == (1 if kind == "fails" else 0), f"{text}\n{told}"
        run += 1
    assert (run, shown) == (10, 4)


def test_the_action_on_the_page_exists() -> None:
    """Its inputs are those of the page."""
    action = (ROOT / ".github" / "actions" / "certify" / "action.yml").read_text()
    assert "/.github/actions/certify@" in PAGE.read_text()
    assert "\n  adapter:\n" in action

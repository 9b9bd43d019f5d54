"""Every example adapter, built by the commands that ``new-adapter`` prints, examined, and certified on some cases."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
ADAPTERS = Path(__file__).parents[1] / "adapters"
CASES = ("model/experts", "model/scales-f32-edges", "container/plain-bit", "state/odd-paths")
STRICT = {"CXXFLAGS": "-Wall -Wextra -Wpedantic -Werror", "RUSTFLAGS": "-D warnings", "CARGO_NET_OFFLINE": "true"}


def needing(*programs: str, reason: str = "") -> pytest.MarkDecorator:
    """Return the mark that skips a test where a program is missing."""
    missing = [program for program in programs if shutil.which(program, path=f"{BIN}:{os.environ['PATH']}") is None]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}{reason}")


def shell(folder: Path, *lines: str) -> subprocess.CompletedProcess[str]:
    """Type ``lines`` in ``folder``, in a shell that knows nothing of this environment."""
    elsewhere = [place for place in os.environ["PATH"].split(":") if Path(place) != BIN]
    return subprocess.run(
        ["sh", "-e", "-c", "\n".join(lines)],
        cwd=folder,
        env={**os.environ, "PATH": ":".join(elsewhere), **STRICT},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def followed(folder: Path, *options: str) -> list[str]:
    """Ask for an adapter and type what is printed, literally; return the commands."""
    asked = shell(folder, shlex.join([str(BIN / "awq-conformance"), "new-adapter", *options, "my adapter"]))
    assert asked.returncode == 0, asked.stdout
    commands = [line.removeprefix("  ") for line in asked.stdout.splitlines() if line.startswith("  ")]
    done = shell(folder, *commands)
    assert done.returncode == 0, done.stdout
    assert "nothing is wrong with the adapter" in done.stdout
    return commands


def certified(folder: Path, commands: list[str]) -> str:
    """Certify the adapter that was examined on a selection of cases; return what is printed."""
    setting = [command for command in commands if command.startswith("export ")]
    words = " ".join(f"--case '{glob}'" for glob in CASES)
    done = shell(folder, *setting, commands[-1].replace("doctor --", f"run {words} --"))
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize(
    "lang",
    [
        "python",
        pytest.param("c++", marks=needing("c++", "cmake")),
        pytest.param("rust", marks=needing("cargo", "cmake", reason=": Rust is not asked of everybody")),
    ],
)
def test_an_adapter_that_serves_or_does_not(tmp_path: Path, lang: str) -> None:
    """What is printed builds it as it is, without a warning and without a network; it is conformant in its modes."""
    assert "one-shot\n" in certified(tmp_path, followed(tmp_path, "--lang", lang))
    assert "one-shot and serve\n" in certified(tmp_path, followed(tmp_path, "--lang", lang, "--serve", "--force"))


def test_an_adapter_around_a_command(tmp_path: Path) -> None:
    """Three lines of shell."""
    assert "one-shot\n" in certified(tmp_path, followed(tmp_path, "--lang", "sh"))


@needing("rustfmt")
@pytest.mark.parametrize("source", ["build.rs", "src/main.rs", "serve/src/main.rs"])
def test_rust_is_formatted_as_everybody_formats_it(tmp_path: Path, source: str) -> None:
    """With rustfmt and no settings; main.rs brings loader.rs with it."""
    shutil.copytree(ADAPTERS / "rust", tmp_path / "rust")
    shutil.copy(tmp_path / "rust" / "src" / "loader.rs", tmp_path / "rust" / "serve" / "src")
    done = subprocess.run(
        ["rustfmt", "--check", "--edition", "2021", tmp_path / "rust" / source],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")

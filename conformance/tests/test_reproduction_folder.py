"""What a run leaves for each kind of failure: a folder that is complete, whose script shows the failure."""

from __future__ import annotations

import json
import os
import select
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from awq_conformance import run as running
from awq_conformance.cases import default_root, load
from awq_conformance.cli import main
from awq_conformance.reproduction import clear
from tests.spoiled import LOADER, TAKES_PADDING, WRONG, spoiled
from tests.test_zoo import is_gone

if TYPE_CHECKING:
    from collections.abc import Sequence

CORPUS = load(default_root())
CASES = ("model/one-row", "model/smallest", "container/padding-digest")
ONE_ROW, PADDING = "repro/model--one-row", "repro/container--padding-digest"
FILES = {
    ONE_ROW: [
        "README.md", "actual/0.W.nk.f32.1x8.bin", "expected/0.W.nk.f32.1x8.bin", "expected/0.q.nk.u8.1x8.bin",
        "expected/0.s.nk.f32.1x1.bin", "expected/0.z.nk.u8.1x1.bin", "hexdump.txt", "input.awq", "output.txt", "run.sh",
    ],
    PADDING: ["README.md", "hexdump.txt", "input.awq", "output.txt", "run.sh", "twin.awq"],
}  # fmt: skip


def run(command: Sequence[str], report: Path | None, *options: str, cases: Sequence[str] = CASES) -> Result:
    """Run a few cases."""
    words = ["run", "--seed", "1", *options, *(word for case in cases for word in ("--case", case))]
    if report is not None:
        words += ["--report", str(report)]
    return CliRunner().invoke(main, [*words, "--", *command])


def result_of(report: Path, case: str) -> dict[str, Any]:
    """Return what a report says of a case."""
    record = json.loads((report / "report.json").read_text())
    found: dict[str, Any] = next(result for result in record["results"] if result["id"] == case)
    return found


def sh(folder: Path, *command: str | Path) -> str:
    """Run the script of a folder; return what it prints."""
    done = subprocess.run(
        ["sh", folder / "run.sh", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
    )
    return done.stdout


def contents(folder: Path) -> list[str]:
    """Return every file below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_folder_for_each_kind_of_failure(tmp_path: Path) -> None:
    """Beside the report, named in it and on the terminal: file, twin or expected, actual, dump, account, script."""
    report = tmp_path / "report"
    outcome = run(spoiled(tmp_path, WRONG, TAKES_PADDING), report)
    assert outcome.exit_code == 1
    for folder in (ONE_ROW, PADDING):
        assert f"  again: sh {report / folder / 'run.sh'}\n" in outcome.stdout
    for folder, files in FILES.items():
        assert contents(report / folder) == files
    for case, folder in (("model/one-row", ONE_ROW), ("container/padding-digest", PADDING)):
        result = result_of(report, case)
        assert result["reproduction"] == {"folder": folder, "note": ""}
        assert any(region["guilty"] for region in result["annotated"])
    assert result_of(report, "model/smallest")["reproduction"] is None
    page = (report / "report.html").read_text()
    assert f"sh {ONE_ROW}/run.sh" in page
    assert "Bytes of the input" in page


def test_the_folder_shows_what_is_right_and_what_came(tmp_path: Path) -> None:
    """Actual and expected differ in the element that is named; the twin is read, the file is not."""
    run(spoiled(tmp_path, WRONG, TAKES_PADDING), tmp_path)
    folder = tmp_path / ONE_ROW
    right, came = (np.fromfile(folder / side / "0.W.nk.f32.1x8.bin", "<f4") for side in ("expected", "actual"))
    assert list(np.flatnonzero(right != came)) == [0]
    assert f"W[0, 0] of tensor 0 `a` is {came[0]!s}" in (folder / "README.md").read_text()
    folder = tmp_path / PADDING
    readme, dump = (folder / "README.md").read_text(), (folder / "hexdump.txt").read_text()
    assert "padding after DIGEST = 01, was 1 zero" in readme
    assert "A reader should say: `E_PADDING DIGEST: padding, at byte 544, expected 0, got 1`" in readme
    assert "> AWQ-CON-042: The bytes between" in readme
    assert [line for line in dump.splitlines() if line.startswith(">>")] == [
        f">> 0x000220 {'01':<50}  padding after DIGEST = 01, was 1 zero"
    ]
    for name, status in (("twin.awq", 0), ("input.awq", 65)):
        out = tmp_path / name
        out.mkdir()
        assert subprocess.run([LOADER, "dequant", folder / name, out], check=False).returncode == status


def test_the_script_shows_the_failure_and_its_absence(tmp_path: Path) -> None:
    """With the loader that was run, and with the right one; from a folder that was moved, with blanks in its name."""
    run(spoiled(tmp_path, WRONG, TAKES_PADDING), tmp_path)
    moved = (tmp_path / "repro").rename(tmp_path / "of another day")
    wrong, taken = (moved / folder[6:] for folder in (ONE_ROW, PADDING))
    right = np.fromfile(wrong / "expected/0.W.nk.f32.1x8.bin", "<u4")[0]
    assert f"(0x{right:08x}), got {right & 0xFFFFFF00 | 1:08x}" in " ".join(sh(wrong).split())
    assert f"(0x{right:08x}), got {right:08x}" in " ".join(sh(wrong, LOADER).split())
    assert "got exit status 0, expected exit status 65 (E_PADDING)\n" in sh(taken)
    assert "got exit status 65, expected exit status 65 (E_PADDING)\n" in sh(taken, LOADER)


def test_elements_are_found_in_whatever_an_output_is(tmp_path: Path) -> None:
    """In a file of numpy, in column order and swapped, the script shows the element that is named."""
    rewrite = tmp_path / "rewrite.py"
    rewrite.write_text(
        "import sys\nimport numpy as np\nfrom pathlib import Path\n"
        "for path in Path(sys.argv[1]).glob('0.W.*.bin'):\n"
        "    w = np.fromfile(path, '<f4').reshape([int(n) for n in path.name.split('.')[4].split('x')])\n"
        "    w[-1, -1] = 77\n"
        "    np.save(path.with_name('0.W.kn.npy'), np.asfortranarray(w.astype(np.float64).T))\n"
        "    path.unlink()\n"
    )
    line = f'if [ "$op$status" = dequant0 ]; then {shlex.join([sys.executable, str(rewrite)])} "$out"; fi'
    run(spoiled(tmp_path, line), tmp_path / "report", cases=["model/one-row"])
    folder = tmp_path / "report" / ONE_ROW
    assert "W[0, 7] of tensor 0 `a` is 77.0 (0x4053400000000000)" in (folder / "README.md").read_text()
    assert sh(folder).split()[-1] == "4053400000000000"


def test_without_a_report_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is the loader called again."""
    monkeypatch.chdir(tmp_path)
    command = spoiled(tmp_path, WRONG, f'case $in in */smaller/*) touch "{tmp_path}/called";; esac')
    outcome = run(command, None)
    assert outcome.exit_code == 1
    assert "again: sh" not in outcome.stdout
    assert contents(tmp_path) == ["spoiled.sh"]


def test_the_next_report_replaces_the_folders_and_spares_what_is_not_ours(tmp_path: Path) -> None:
    """What an earlier run wrote is gone, half of it too; a note that somebody put there stays, and so does a folder."""
    run(spoiled(tmp_path, WRONG), tmp_path / "report")
    repro = tmp_path / "report/repro"
    (repro / ".awq-conformance-x").mkdir()
    (repro / ".awq-conformance-x/input.awq").touch()
    others = ["model--smallest/README.md", "model--smallest/input.awq", "notes.txt"]
    for name in others:
        (repro / name).parent.mkdir(exist_ok=True)
        (repro / name).write_text("mine")
    run([str(LOADER)], tmp_path / "report")
    assert contents(repro) == others
    (tmp_path / "elsewhere").mkdir()
    clear(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/repro").symlink_to(repro, target_is_directory=True)
    clear(tmp_path / "elsewhere")
    assert contents(repro) == others


def test_what_stands_in_the_way_is_told(tmp_path: Path) -> None:
    """The verdict stands, the report is written, nothing of somebody else's is overwritten."""
    blocker = tmp_path / "report" / ONE_ROW / "mine.txt"
    blocker.parent.mkdir(parents=True)
    blocker.touch()
    outcome = run(spoiled(tmp_path, WRONG), tmp_path / "report")
    assert outcome.exit_code == 1
    assert "  not shown again: its folder could not be written: Directory not empty\n" in outcome.stdout
    note = "its folder could not be written: Directory not empty"
    assert result_of(tmp_path / "report", "model/one-row")["reproduction"] == {"folder": None, "note": note}
    assert contents(tmp_path / "report/repro") == ["model--one-row/mine.txt"]


def test_a_hanging_loader_is_shown_within_the_time_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call takes as long as it may, and the search ends when its time is over."""
    monkeypatch.setattr(running, "_SECONDS", 1.0)
    command = spoiled(tmp_path, "case $in in */container/padding-digest.awq|*/smaller/*) sleep 600;; esac")
    outcome = run(command, tmp_path, "--timeout", "0.7")
    assert outcome.exit_code == 1
    assert "TIMEOUT container/padding-digest" in outcome.stdout
    assert "more calls or seconds would be needed to go on" in (tmp_path / PADDING / "README.md").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_the_verdict(tmp_path: Path, number: signal.Signals) -> None:
    """All cases were judged: the report has them, exit 1; of the folder nothing is there, and no process is left."""
    pipe, report = tmp_path / "pipe", tmp_path / "report"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    command = spoiled(tmp_path, WRONG, f'case $in in */smaller/*) exec 3> "{pipe}"; printf "!" >&3; sleep 600;; esac')
    start = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code = start + "runpy.run_module('awq_conformance', run_name='__main__', alter_sys=True)"
    words = ["run", "--case", "model/one-row", "--timeout", "600", "--report", str(report), "--", *command]
    runner = subprocess.Popen([sys.executable, "-c", code, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True)  # fmt: skip
    try:
        select.select([end], [], [], 60)
        assert os.read(end, 1) == b"!"
        runner.send_signal(number)
        output, _ = runner.communicate(timeout=60)
    finally:
        runner.kill()
    assert runner.returncode == 1, output
    assert "  not shown again: interrupted\n" in output
    assert "Traceback" not in output
    assert result_of(report, "model/one-row")["reproduction"] == {"folder": None, "note": "interrupted"}
    assert not list(report.glob("repro/*")) and not (report / "journal.jsonl").exists()
    assert is_gone(end)
    os.close(end)


def test_the_command_needs_no_awqformat_until_then() -> None:
    """Grading shares no code with a reader: nothing imports one before a failure is taken apart."""
    code = "import sys, awq_conformance.cli\nassert 'awqformat' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)

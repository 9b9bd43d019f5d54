"""The command line: exit statuses, one clear line for every mishap, what people read."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from awq_conformance.cli import main

if TYPE_CHECKING:
    from tests.conftest import Zoo


def invoke(*args: str | Path) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, [str(arg) for arg in args])


def run(zoo: Zoo, breed: str, *options: str | Path) -> Result:
    """Certify one breed."""
    return invoke("run", "--corpus", zoo.root, *options, "--", *zoo.command(breed))


@pytest.mark.req("AWQ-CNF-022", "AWQ-CNF-032")
def test_a_conformant_loader(zoo: Zoo) -> None:
    """Silence but for the verdict, with what it stands on."""
    result = run(zoo, "right", "--seed", "5")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "core: CONFORMANT at grade exact, output f32, one-shot"
    assert lines[1:4] == ["  MUST   4 passed", "  SHOULD 1 passed", "  error codes: 2 of 2 match (100 %)"]
    assert lines[4].startswith("  toy 1, corpus ")
    assert lines[4].endswith(", seed 5")
    assert len(lines) == 5


@pytest.mark.req("AWQ-CNF-032")
def test_failures_come_first_and_name_tensor_element_and_values(zoo: Zoo) -> None:
    """The verdict is the last thing printed, the first wrong element the first."""
    result = run(zoo, "wrong")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines.pop(3).startswith("  again: awq-conformance run --profile core --case toy/big -- ")
    assert lines[:7] == [
        "WRONG toy/big  dequant",
        "  tensor 2 t2: W[2, 31] expected 0.0 (0x00000000), got 1234.5 (0x449a5000) (1 of 96 wrong)",
        "  the big one  AWQ-TOY-001",
        "TWIN-FAILED 1 rejected, but its valid twin was not read correctly either, so the rejection proves nothing",
        "core: NOT CONFORMANT at grade exact, output f32, one-shot",
        "  MUST   2 passed, 2 failed",
        "  SHOULD 1 passed",
    ]


def test_another_code_is_shown_but_decides_nothing(zoo: Zoo) -> None:
    """A loader that rejects with a code of its own is conformant, and is told what was due."""
    result = run(zoo, "wrong-code")
    assert result.exit_code == 0
    assert "  error codes: 1 of 2 match (50 %)" in result.stdout
    assert "    toy/fault: expected E_MAGIC, got E_NONSENSE" in result.stdout


def test_a_selection_is_no_certification(zoo: Zoo, tmp_path: Path) -> None:
    """The verdict says so, and no certificate is written."""
    result = run(zoo, "right", "--case", "toy/small", "--report", tmp_path)
    assert result.exit_code == 0
    assert "core: CONFORMANT on the selected cases at grade exact" in result.output
    assert not (tmp_path / "certificate.json").exists()
    assert (tmp_path / "report.json").exists()


def test_what_an_adapter_prints_cannot_steer_the_terminal(own_corpus: Path, tmp_path: Path) -> None:
    """Escape sequences and markup are shown, not obeyed."""
    script = tmp_path / "adapter.py"
    script.write_text("print('\\x1b[2J [bold red]boo'); raise SystemExit(7)")
    result = invoke("run", "--corpus", own_corpus, "--", sys.executable, script)
    assert result.exit_code == 3
    assert result.output == (
        "INCONCLUSIVE the adapter, not the loader: hello: expected exit status 0 or 69, got exit status 7\n"
        "  | \ufffd[2J [bold red]boo\n"
        f"  why, and what to do: awq-conformance doctor -- {sys.executable} {script}\n"
    )


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """Return a folder with files that are no adapters."""
    (tmp_path / "plain.txt").write_text("not a program")
    (tmp_path / "folder").mkdir()
    script = tmp_path / "script"
    script.write_text("#!/nowhere/interpreter\n")
    script.chmod(0o755)
    text = tmp_path / "binary"
    text.write_bytes(b"\x7fELF but not really")
    text.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nothing", "no such program"),
        ("plain.txt", "is not executable"),
        ("folder", "is a folder"),
        ("script", "cannot be started: No such file or directory"),
        ("binary", "cannot be started: Exec format error"),
    ],
)
def test_a_command_that_is_no_program(zoo: Zoo, odd: Path, name: str, told: str) -> None:
    """One line and what to do, exit 3: nothing was learned about a loader."""
    result = invoke("run", "--corpus", zoo.root, "--", odd / name)
    assert result.exit_code == 3
    assert result.output == (
        f"INCONCLUSIVE the adapter, not the loader: {odd / name}: {told}\n"
        f"  why, and what to do: awq-conformance doctor -- {odd / name}\n"
    )


def test_paths_in_the_command_may_be_relative(zoo: Zoo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Adapters run in a temporary folder, yet files named from here are found."""
    monkeypatch.chdir(tmp_path)
    zoo_script = Path(zoo.command("right")[3])
    (tmp_path / "adapter.py").write_bytes(zoo_script.read_bytes())
    result = invoke("run", "--corpus", zoo.root, "--", sys.executable, "adapter.py", "right")
    assert result.exit_code == 0, result.output


@pytest.mark.req("AWQ-CNF-032")
@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("run",), "give either a COMMAND after -- or --loader NAME=COMMAND"),
        (("run", "--profile", "npu", "--", "true"), "no profile 'npu' in this corpus; it has core"),
        (("run", "-j", "0", "--", "true"), "0 is not in the range"),
        (("run", "--timeout", "0", "--", "true"), "0.0 is not in the range"),
        (("run", "--nonsense", "--", "true"), "No such option"),
        (("list", "--profile", "npu"), "no profile 'npu' in this corpus; it has core"),
        (("show", "toy/fualt"), "no case 'toy/fualt'; near it: toy/fault"),
    ],
)
def test_usage_errors(zoo: Zoo, args: tuple[str, ...], told: str) -> None:
    """Exit 2, with the reason."""
    result = invoke(args[0], "--corpus", zoo.root, *args[1:])
    assert result.exit_code == 2
    assert told in result.output


def test_a_folder_without_corpus_is_a_usage_error(tmp_path: Path) -> None:
    """Exit 2 names the manifest that is not there."""
    result = invoke("run", "--corpus", tmp_path, "--", "true")
    assert result.exit_code == 2
    assert f"no corpus at {tmp_path}: manifest.json: No such file or directory" in result.output


@pytest.mark.req("AWQ-CNF-032", "AWQ-CNF-035")
def test_an_altered_corpus_is_inconclusive(own_corpus: Path) -> None:
    """Exit 3 names the file; nothing is run."""
    (own_corpus / "big.toy").write_bytes(b"{}")
    result = invoke("run", "--corpus", own_corpus, "--", "true")
    assert result.exit_code == 3
    assert result.output.startswith("awq-conformance: the corpus was altered: ")
    assert "big.toy: expected" in result.output
    assert result.output.count("\n") == 1


@pytest.mark.req("AWQ-CNF-032")
@pytest.mark.parametrize("args", [("run", "--case", "nothing", "--", sys.executable), ("list", "--case", "nothing")])
def test_selecting_nothing_is_inconclusive(zoo: Zoo, args: tuple[str, ...]) -> None:
    """A glob that matches nothing never ends in success."""
    result = invoke(args[0], "--corpus", zoo.root, *args[1:])
    assert result.exit_code == 3
    assert "no case of profile core matches 'nothing'" in result.output


def test_a_report_folder_that_cannot_be_written_is_found_before_the_run(zoo: Zoo, tmp_path: Path) -> None:
    """Exit 2 on one line; the adapter was never started."""
    (tmp_path / "file").touch()
    result = invoke("run", "--corpus", zoo.root, "--report", tmp_path / "file" / "report", "--", "/nowhere/adapter")
    assert result.exit_code == 2
    assert f"--report {tmp_path}/file/report: Not a directory" in result.output
    assert "adapter, not the loader" not in result.output


def test_list_is_a_table(zoo: Zoo) -> None:
    """One case per line, in corpus order."""
    result = invoke("list", "--corpus", zoo.root, "--case", "toy/[sf]*")
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "toy/small  MUST    accept  the small one",
        "toy/big    MUST    accept  the big one",
        "toy/fault  MUST    reject  the fault one",
    ]


def test_show_tells_everything_about_a_case(zoo: Zoo) -> None:
    """The mutation is shown byte by byte, the tensors with their shapes."""
    result = invoke("show", "--corpus", zoo.root, "toy/fault")
    assert result.exit_code == 0
    assert "outcome     reject with E_MAGIC\n" in result.output
    assert "twin        toy/big\n" in result.output
    assert "            at byte 17: 6e 75 6c 6c -> 22\n" in result.output
    result = invoke("show", "--corpus", zoo.root, "toy/big")
    assert "tensor 2    t2: quantised 3x32\n" in result.output


def test_the_report_holds_every_result(zoo: Zoo, tmp_path: Path) -> None:
    """Each case with its findings and calls; the output of the adapter where something failed."""
    result = run(zoo, "segfaults", "--report", tmp_path / "new" / "folder")
    assert result.exit_code == 1
    report = json.loads((tmp_path / "new" / "folder" / "report.json").read_text())
    assert (report["schema"], report["exit"], report["inconclusive"]) == ("awqc-report/2", 1, "")
    assert [one["id"] for one in report["results"]] == ["toy/small", "toy/big", "toy/fault", "toy/torn", "toy/either"]
    big = report["results"][1]
    assert big["verdict"] == "CRASH"
    assert big["calls"]["dequant"]["signal"] == 11
    assert report["counts"]["MUST"] == {"passed": 2, "skipped": 0, "failed": 2}
    assert not (tmp_path / "new" / "folder" / "certificate.json").exists()


def test_the_certificate_says_what_was_certified(zoo: Zoo, tmp_path: Path) -> None:
    """Suite, corpus, adapter, counts, grade and the report it stands on; a later failure takes it away."""
    assert run(zoo, "right", "--report", tmp_path).exit_code == 0
    certificate = json.loads((tmp_path / "certificate.json").read_text())
    assert (certificate["schema"], certificate["suite"], certificate["version"]) == ("awqc-certificate/2", "toy", "1")
    assert (certificate["profile"], certificate["grade"], certificate["dtype"]) == ("core", "exact", "f32")
    assert certificate["counts"]["MUST"] == {"passed": 4, "skipped": 0, "failed": 0}
    assert certificate["codes"] == {"matched": 2, "given": 2}
    assert certificate["adapter"]["hello"]["name"] == "zoo"
    assert certificate["adapter"]["argv"] == zoo.command("right")
    assert set(certificate["adapter"]["sha256"]) == {zoo.command("right")[0], zoo.command("right")[3]}
    for key in ("corpus_sha256", "report_sha256"):
        assert len(certificate[key]) == 64
    assert run(zoo, "wrong", "--report", tmp_path).exit_code == 1
    assert not (tmp_path / "certificate.json").exists()
    assert (tmp_path / "report.json").exists()


def test_an_inconclusive_run_still_leaves_a_report(zoo: Zoo, tmp_path: Path) -> None:
    """The reason is in it, and the end of what the adapter printed."""
    assert run(zoo, "cannot-import", "--report", tmp_path).exit_code == 3
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["exit"] == 3
    assert report["inconclusive"].startswith("the adapter, not the loader: hello")
    assert report["results"] == []

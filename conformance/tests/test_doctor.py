"""``doctor``: every obligation of the protocol, examined on real processes; each mistake is named, with its remedy."""

from __future__ import annotations

import json
import shlex
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from awq_conformance.cases import default_root, load
from awq_conformance.cli import main
from awq_conformance.doctor.check import State
from awq_conformance.doctor.examination import Examination, examine
from awq_conformance.protocol import RunnerExit

if TYPE_CHECKING:
    from awq_conformance.doctor.check import Check

TESTS = Path(__file__).parent
FASTEST = (sys.executable, "-I", "-S")


def examined(root: Path, *command: str | Path, timeout: float = 30.0) -> Examination:
    """Examine an adapter on a corpus."""
    return examine(tuple(map(str, command)), load(root), "core", timeout, lambda _: None)


def doctor(*args: str | Path) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, ["doctor", *map(str, args)])


def told(done: Examination, state: State = State.PROBLEM) -> list[str]:
    """Return the ids of the checks in one state."""
    return [one.id for one in done.checks if one.state is state]


def found(done: Examination, name: str) -> Check:
    """Return one check."""
    return next(one for one in done.checks if one.id == name)


@pytest.mark.parametrize(
    ("module", "breed", "notes"),
    [
        ("breeds", "right", []),
        ("breeds", "shy", ["hello/answered"]),
        ("breeds", "bfloat", []),
        ("breeds", "transposer", []),
        ("breeds", "needs-multiples", []),
        ("breeds", "babbles", []),
        ("breeds", "leaves-orphan", []),
        ("breeds", "wrong-code", ["one-shot/reject-txt"]),
        ("breeds", "accepts-everything", ["one-shot/malformed"]),
        ("breeds", "wrong", []),
        ("serving_breeds", "right", []),
        ("serving_breeds", "noisy", ["serve/noise"]),
        ("serving_breeds", "reverses", []),
        ("serving_breeds", "babbles", []),
        ("mistakes", "right", []),
    ],
)
def test_a_right_adapter_gets_no_complaint(corpus_root: Path, module: str, breed: str, notes: list[str]) -> None:
    """Whatever its loader makes of numbers and malformed files: that is for the run to say."""
    done = examined(corpus_root, *FASTEST, TESTS / f"{module}.py", breed)
    assert (told(done), told(done, State.NOTE), done.exit) == ([], notes, RunnerExit.CONFORMANT)
    assert len(done.checks) >= 20


@pytest.mark.req("AWQ-CNF-011")
def test_a_loader_of_checkpoints_gets_no_complaint() -> None:
    """Folders are copied as files are, and plain is not asked about them."""
    adapter = TESTS.parent / "adapters" / "python_reader.py"
    done = examine((sys.executable, str(adapter)), load(default_root()), "hf-gemm", 60, lambda _: None)
    assert (told(done), done.exit) == ([], RunnerExit.CONFORMANT)
    asked = {one.id for one in done.checks}
    assert asked >= {"operations/unpack", "one-shot/input-untouched", "serve/foreign-path"}
    assert "operations/plain" not in asked


@pytest.mark.parametrize(
    ("mistake", "check", "got", "advice"),
    [
        ("no-import", "hello/answered", "exit status 1", "does not find module moon"),
        ("argparse", "hello/answered", "exit status 2", "argparse, getopt and their like end with 2"),
        ("raises-at-hello", "hello/answered", "exit status 1", "An uncaught Python exception"),
        ("rejects-hello", "hello/answered", "exit status 65", "It reads INPUT, which is -."),
        ("prints-hello", "hello/file", "the words were printed", "what is printed means nothing"),
        ("hello-elsewhere", "hello/file", "hello.txt is in the working directory", "Write to OUTDIR"),
        ("hello-and-more", "hello/file", "'notes.txt'", "Only hello.txt belongs into OUTDIR"),
        ("knows-all", "one-shot/unknown-op", "exit status 0", "takes every OP for one it knows"),
        ("unknown-is-2", "one-shot/unknown-op", "exit status 2", "exit with 69 for every word you do not know"),
        ("unknown-is-65", "one-shot/unknown-op", "exit status 65", "reads INPUT before it looks at OP"),
        ("input-first", "one-shot/unknown-op-first", "exit status 65", "Look at OP before INPUT"),
        ("lacks-dequant", "one-shot/good-file", "exit status 69", "does not know the operation dequant"),
        ("lacks-unpack", "operations/unpack", "exit status 69", "take it out of ops= in hello"),
        ("aborts", "one-shot/good-file", "killed by SIGABRT", "An exception that no catch in main took"),
        ("elsewhere", "hello/file", "hello.txt is in the working directory", "Write to OUTDIR"),
        ("empty-raises", "one-shot/empty-file", "exit status 1", "Catch what the loader raises for a malformed file"),
        ("empty-is-fine", "one-shot/empty-file", "exit status 0", "the error of the loader is lost"),
        ("empty-is-69", "one-shot/empty-file", "exit status 69", "what is no valid file is 65"),
        ("leaves-on-reject", "one-shot/empty-file", "left in OUTDIR", "only after everything is verified"),
        ("missing-is-fine", "one-shot/missing-file", "exit status 0", "accepts a file that is not there"),
        ("folder-raises", "one-shot/directory", "exit status 1", "cannot be read as a file: exit with 65"),
        ("folder-is-fine", "one-shot/directory", "exit status 0", "It accepts what is no file"),
        ("ascii-paths", "one-shot/foreign-path", "exit status 1", "Take paths as the bytes they are"),
        ("writes-beside", "one-shot/input-untouched", ".cache is new beside it", "for reading only"),
        ("code-crlf", "one-shot/reject-txt", r"'E_MAGIC\r'", "a line feed alone"),
        ("code-bom", "one-shot/reject-txt", "E_MAGIC", "without a byte order mark"),
        ("code-and-text", "one-shot/reject-txt", "E_MAGIC: not a file", "The first line is the code alone"),
        ("code-below", "one-shot/reject-txt", "''", "no empty line in front"),
        ("code-in-words", "one-shot/reject-txt", "'bad magic'", "one of the codes of the specification"),
        ("knows-no-serve", "serve/hello", "ended with exit status 69", "hello lists serve, but the program does not"),
        ("unpacks", "serve/junk", "ended with exit status 1", "ValueError: not enough values to unpack"),
        ("answers-junk", "serve/junk", "exit status 1", "pass over what is not @awq and four more fields"),
        ("exits-on-reject", "serve/empty-file", "ended with exit status 65", "It ended instead of answering"),
        ("loses-reject-txt", "serve/same-rejection", "'reject.txt' differs", "in both modes or in neither"),
        ("stale", "serve/same-files", "differs between one-shot and serve", "one function do the work for both"),
        ("serve-knows-all", "serve/unknown-op", "exit status 0", "answer unsupported for every word"),
        ("counts", "serve/hello", "request '100', which is not open", "with the ID it came with"),
        ("status-is-a-number", "serve/hello", "status '0'", "and no number"),
        ("no-code", "serve/hello", "an answer of 4 fields", "CODE and TEXT may be empty"),
        ("renamed", "serve/same-words", "name: not the same", "Keep the line in one place"),
        ("ends-with-3", "serve/end", "exit status 3 after the end of its input", "exit with 0"),
    ],
)
def test_a_mistake_is_named_first(corpus_root: Path, mistake: str, check: str, got: str, advice: str) -> None:
    """The first problem is the one that was made, with what was seen, a likely cause and what to do."""
    done = examined(corpus_root, *FASTEST, TESTS / "mistakes.py", mistake)
    assert done.exit is RunnerExit.INCONCLUSIVE
    first = done.problems[0]
    assert (first.id, got in first.got, advice in f"{first.cause} {first.remedy}") == (check, True, True), first


@pytest.mark.parametrize(
    ("breed", "check", "got", "advice"),
    [
        ("writes-nothing-ever", "one-shot/names", "nothing written", "It ended with 0 before it had written"),
        ("undeclared-dtype", "one-shot/dtype", "f32, hello says f16", "dtypes=f32"),
        ("undeclared-layout", "one-shot/layout", "nk, hello says kn", "layouts=nk"),
        ("needs-too-much", "hello/align", "align=(256, 256)", "only the multiples"),
        ("other-profile", "hello/profile", "npu", "profiles=core"),
        ("later-protocol", "hello/words", "proto is 2", "proto=1"),
        ("accepts-and-rejects", "operations/dequant", "'reject.txt'", "with exit status 65 or 69 only"),
        ("truncated", "operations/dequant", "expected 384 bytes of f32 3x32, got 383", "Close or flush each file"),
        ("changes-dtype", "operations/one-dtype", "f32, f64", "choose one for the whole command"),
        ("exits-1-on-reject", "one-shot/malformed", "exit status 1", "exit with 65"),
        ("leaves-output", "one-shot/malformed", "left in OUTDIR", "only after everything is verified"),
        ("segfaults", "operations/dequant", "killed by SIGSEGV", "memory that is not its own"),
        ("linked", "operations/dequant", "symbolic links", "Write plain files"),
    ],
)
def test_vices_of_the_zoo_are_named(corpus_root: Path, breed: str, check: str, got: str, advice: str) -> None:
    """Those of them that are the adapter's, not the loader's."""
    first = examined(corpus_root, *FASTEST, TESTS / "breeds.py", breed).problems[0]
    assert (first.id, got in first.got, advice in f"{first.cause} {first.remedy}") == (check, True, True), first


@pytest.mark.parametrize(
    ("mistake", "check", "advice"),
    [
        ("unflushed", "serve/hello", "flush standard output after each answer"),
        ("reads-to-the-end", "serve/hello", "line by line rather than to the end"),
        ("no-line-end", "serve/hello", "every line ends with a line feed"),
        ("prints-in-front", "serve/hello", "on the same line: print it to standard error"),
        ("spaces", "serve/hello", "separated by tabs"),
        ("one-at-a-time", "serve/at-once", "Several requests may come in one read"),
        ("hangs", "hello/answered", "It waits for what does not come"),
    ],
)
def test_silence_is_explained(corpus_root: Path, mistake: str, check: str, advice: str) -> None:
    """What is held back, cut up or never said is told apart."""
    done = examined(corpus_root, *FASTEST, TESTS / "mistakes.py", mistake, timeout=2)
    problem = found(done, check)
    assert (problem.state, advice in f"{problem.cause} {problem.remedy}") == (State.PROBLEM, True), problem


def test_it_goes_on_after_a_problem(corpus_root: Path) -> None:
    """All problems are seen at once, up to where a program does not come to look at what it is asked."""
    done = examined(corpus_root, *FASTEST, TESTS / "breeds.py", "knows-every-op")
    asked = ["unknown-op", "names", "empty-file", "missing-file", "directory"]
    assert told(done)[:6] == ["hello/file", *(f"one-shot/{name}" for name in asked)]
    done = examined(corpus_root, *FASTEST, TESTS / "breeds.py", "cannot-import")
    assert told(done) == ["hello/answered", "one-shot/unknown-op", "one-shot/good-file"]
    assert found(done, "one-shot/rest").got == "exit status 1 whatever it is asked"


def test_a_hang_is_waited_for_twice(corpus_root: Path) -> None:
    """The rest is left out, and said to be."""
    done = examined(corpus_root, *FASTEST, TESTS / "mistakes.py", "hangs", timeout=0.3)
    assert told(done) == ["hello/answered", "one-shot/unknown-op"]
    assert told(done, State.LEFT_OUT) == ["one-shot/rest"]


def test_an_adapter_that_needs_its_folder(corpus_root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What works from here and not from an empty folder is told as such."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "settings.ini").touch()
    done = examined(corpus_root, *FASTEST, TESTS / "mistakes.py", "needs-its-folder")
    problem = found(done, "one-shot/working-directory")
    assert (problem.state, problem.got) == (State.PROBLEM, f"it works only in {tmp_path}")
    assert "looks for settings.ini and does not find it" in done.problems[0].cause


def test_a_relative_path_among_the_words(corpus_root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A word that is a file is made absolute by the runner; one that is not, or is hidden in an option, is told of."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "list").touch()
    script = program(
        tmp_path, "adapter.sh", f'#!/bin/sh\nshift 2\nexec {shlex.join(FASTEST)} {TESTS}/breeds.py right "$@"\n'
    )
    done = examined(corpus_root, script, "--list=models/list", "models/")
    assert [(one.got, one.state) for one in done.checks if one.id == "command/words"] == [
        ("--list=models/list", State.NOTE),
        ("models/", State.NOTE),
    ]
    assert done.exit is RunnerExit.CONFORMANT


def program(folder: Path, name: str, text: str | bytes, mode: int = 0o755) -> Path:
    """Write a program."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("name", "text", "mode", "got", "advice"),
    [
        ("adapter.py", "print()", 0o644, "is not executable", "chmod +x {path}, or put python in front of it"),
        ("adapter", "exit 69\n", 0o755, "Exec format error", "begin it with #!/usr/bin/env sh"),
        ("adapter", b"\x7fELF\x02\x01\x01 and nothing", 0o755, "Exec format error", "for another system"),
        ("adapter", b"\x00\xff\xfe", 0o755, "Exec format error", "neither a program for this machine nor a script"),
        ("adapter", "#!/nowhere/python\n", 0o755, "No such file or directory", "names /nowhere/python, which is not"),
        ("adapter", "#!/bin/sh\r\nexit 69\r\n", 0o755, "No such file or directory", "Windows line ends"),
    ],
)
def test_a_program_that_cannot_be_started(
    corpus_root: Path, tmp_path: Path, name: str, text: str | bytes, mode: int, got: str, advice: str
) -> None:
    """Why, and what to do about it; there is nothing else to examine."""
    path = program(tmp_path, name, text, mode)
    done = examined(corpus_root, path)
    assert (told(done), len(done.checks)) == (["command/program"], 1)
    assert got in done.checks[0].got
    assert advice.format(path=path) in done.checks[0].remedy


def test_a_program_that_is_not_there(corpus_root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One in this folder wants a ./ in front, a folder is none, and for the rest there is the PATH."""
    monkeypatch.chdir(tmp_path)
    program(tmp_path, "adapter", "#!/bin/sh\n")
    assert "Say which one is meant: ./adapter." in examined(corpus_root, "adapter").checks[0].remedy
    assert "name the program in it" in examined(corpus_root, tmp_path).checks[0].remedy
    assert "on the PATH" in examined(corpus_root, "no-such-adapter").checks[0].remedy


@pytest.mark.parametrize(
    ("text", "check", "cause"),
    [
        ("#!/usr/bin/env python3\r\n", "hello/answered", "Windows line ends, so its first line names python3\\r"),
        ("#!/bin/sh\nno-such-loader $2 $3\n", "hello/answered", "does not find no-such-loader"),
        ("#!/bin/sh\nkill -SEGV $$\n", "hello/answered", "memory that is not its own"),
        ("#!/bin/sh\nsh -c 'kill -ABRT $$'\nexit $?\n", "hello/answered", "It aborted"),
        (f"#!/bin/sh\n{sys.executable} nowhere.py\n", "hello/answered", "does not find"),
        (
            "#!/bin/sh\necho \"thread 'main' panicked at src/main.rs:1\" >&2\nexit 101\n",
            "hello/answered",
            "A Rust panic",
        ),
        ("#!/bin/sh\nexit 64\n", "hello/answered", "64 says that the adapter was used wrongly"),
    ],
)
def test_what_last_words_and_statuses_mean(
    corpus_root: Path, tmp_path: Path, text: str, check: str, cause: str
) -> None:
    """The likely cause is read from how a process ends and what it says then."""
    done = examined(corpus_root, program(tmp_path, "adapter", text))
    assert cause in found(done, check).cause


@pytest.mark.parametrize(("quote", "problems"), [('"', []), ("", ["one-shot/quoted-path"])])
def test_unquoted_words_in_a_shell_script(corpus_root: Path, tmp_path: Path, quote: str, problems: list[str]) -> None:
    """The commonest mistake of all shell scripts is found before a user's path finds it."""
    arguments = " ".join(f"{quote}${number}{quote}" for number in (1, 2, 3))
    command = shlex.join([*FASTEST, str(TESTS / "breeds.py"), "right"])
    script = program(tmp_path, "adapter.sh", f"#!/bin/sh\nexec {command} {arguments}\n")
    done = examined(corpus_root, script)
    assert told(done) == problems


def test_an_adapter_that_writes_into_the_corpus(own_corpus: Path) -> None:
    """The corpus is looked at again in the end."""
    done = examined(own_corpus, *FASTEST, TESTS / "breeds.py", "edits-input")
    assert "operations/corpus-untouched" in told(done)


def test_the_checklist_is_text(corpus_root: Path) -> None:
    """Headings, a line for each obligation, under a problem what was seen, why and what to do; the same cause once."""
    result = doctor("--corpus", corpus_root, "--", *FASTEST, TESTS / "mistakes.py", "unknown-is-2")
    assert result.exit_code == 3
    lines = result.stdout.splitlines()
    assert lines[:3] == ["the command", "  ok        the program is there and can be started", "hello"]
    at = lines.index("  problem   an operation it does not know: unsupported, 69")
    assert lines[at + 1 : at + 4] == [
        "            exit status 2",
        "            2 is how argparse, getopt and a Go panic end.",
        "            Look at OP before anything else, and exit with 69 for every word you do not know.",
    ]
    assert lines[-1] == "1 problem of the adapter, not of the loader: begin with the first"


def test_a_cause_is_told_once(corpus_root: Path) -> None:
    """Where one cause makes many problems, it is not said again and again."""
    result = doctor("--corpus", corpus_root, "--", *FASTEST, TESTS / "mistakes.py", "no-import")
    assert result.stdout.count("does not find module moon") == 1
    assert result.stdout.count("            as above\n") == 2
    assert result.stdout.count("| ModuleNotFoundError") == 1


def test_in_the_end_comes_the_next_command(corpus_root: Path) -> None:
    """An adapter without a problem is told how to be certified."""
    command = [*FASTEST, str(TESTS / "breeds.py"), "right"]
    result = doctor("--corpus", corpus_root, "--", *command)
    assert result.exit_code == 0
    assert result.stdout.endswith(f"Next:\n  awq-conformance run -- {shlex.join(command)}\n")


def test_the_checklist_as_json(corpus_root: Path) -> None:
    """The same, for programs."""
    result = doctor("--json", "--corpus", corpus_root, "--", *FASTEST, TESTS / "mistakes.py", "unknown-is-2")
    assert result.exit_code == 3
    record: dict[str, Any] = json.loads(result.stdout)
    assert (record["schema"], record["exit"], record["problems"]) == ("awqc-doctor/1", 3, 1)
    assert record["hello"]["name"] == "zoo"
    problem = next(one for one in record["checks"] if one["state"] == "problem")
    assert problem == {
        "id": "one-shot/unknown-op",
        "title": "an operation it does not know: unsupported, 69",
        "state": "problem",
        "got": "exit status 2",
        "cause": "2 is how argparse, getopt and a Go panic end.",
        "remedy": "Look at OP before anything else, and exit with 69 for every word you do not know.",
        "requirement": "AWQ-CNF-002",
        "tail": [],
    }


def test_what_an_adapter_prints_cannot_steer_the_terminal(corpus_root: Path, tmp_path: Path) -> None:
    """Escape sequences in names and last words are shown, not obeyed."""
    script = program(
        tmp_path, "adapter", "#!/bin/sh\nprintf '\\033[2J boo' >&2; touch \"$3/$(printf '\\033c')\"\nexit 0\n"
    )
    result = doctor("--corpus", corpus_root, "--", script)
    assert "\x1b" not in result.output
    assert "\ufffd[2J boo" in result.output


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        ((), 2, "Missing argument 'COMMAND...'"),
        (("--profile", "npu", "--", "true"), 2, "no profile 'npu' in this corpus"),
        (("--timeout", "0", "--", "true"), 2, "0.0 is not in the range"),
    ],
)
def test_usage(corpus_root: Path, args: tuple[str, ...], status: int, said: str) -> None:
    """Wrong usage is exit 2, with the reason."""
    result = doctor("--corpus", corpus_root, *args)
    assert (result.exit_code, said in result.output) == (status, True)


def test_a_check_never_leaves_a_thread(corpus_root: Path) -> None:
    """The examination ends with everything it began."""
    before = threading.active_count()
    examined(corpus_root, *FASTEST, TESTS / "breeds.py", "right")
    assert threading.active_count() == before

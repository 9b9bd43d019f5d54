"""Adapters with one mistake each around a right loader: mistakes.py MISTAKE OP INPUT OUTDIR, or MISTAKE serve.

Around the loader of breeds.py and its toy format; unlike the vices there, a mistake shows on every file.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests import breeds
else:
    sys.path.insert(0, str(Path(__file__).parent))
    import breeds

HELLO = breeds.HELLO.replace("ops=dequant", "ops=serve,dequant")
STATUS = {0: "ok", 65: "reject", 69: "unsupported"}

OneShot = Callable[[str, str, Path], int]


def right(op: str, source: str, out: Path) -> int:
    """Answer one operation as it should be."""
    if op == "hello":
        (out / "hello.txt").write_text(breeds.HELLO)
        return 0
    return breeds.main("right", op, source, str(out))


def replaced(op: str, act: OneShot) -> OneShot:
    """Return an adapter that does ``act`` for one operation; '' stands for one that nobody knows."""

    def adapter(asked: str, source: str, out: Path) -> int:
        known = asked in ("hello", "dequant", "unpack", "plain", "inspect")
        return act(asked, source, out) if asked == op or (not op and not known) else right(asked, source, out)

    return adapter


def on_input(kind: Callable[[Path], bool], act: OneShot) -> OneShot:
    """Return an adapter that does ``act`` for some inputs."""
    return lambda op, source, out: (act if op != "hello" and kind(Path(source)) else right)(op, source, out)


def afterwards(status: int, act: Callable[[Path, Path], object]) -> OneShot:
    """Return an adapter that does something with INPUT and OUTDIR after it was right and ended with ``status``."""

    def adapter(op: str, source: str, out: Path) -> int:
        ended = right(op, source, out)
        if ended == status and op != "hello":
            act(Path(source), out)
        return ended

    return adapter


def ends(status: int, *words: str) -> OneShot:
    """Return an answer that prints and ends."""

    def answer(_op: str, _source: str, _out: Path) -> int:
        sys.stderr.write("\n".join(words))
        return status

    return answer


def raises(*_: object) -> int:
    """Let an exception through."""
    raise ValueError("nothing that anybody catches")


def greets(place: str) -> OneShot:
    """Return a hello whose words go where they do not belong."""

    def hello(_op: str, _source: str, out: Path) -> int:
        if place == "printed":
            print(breeds.HELLO)
        elif place == "cwd":
            Path("hello.txt").write_text(breeds.HELLO)
        else:
            (out / "hello.txt").write_text(breeds.HELLO)
            (out / "notes.txt").touch()
        return 0

    return hello


def in_the_wrong_folder(op: str, source: str, _out: Path) -> int:
    """Write outputs where the process was started."""
    return right(op, source, Path.cwd())


def needs_its_folder(op: str, source: str, out: Path) -> int:
    """Find its settings from where it was started only."""
    Path("settings.ini").read_text()
    return right(op, source, out)


def follows_paths_in_ascii(op: str, source: str, out: Path) -> int:
    """Know no letters beyond ASCII in a path."""
    source.encode("ascii")
    return right(op, source, out)


def aborts(*_: object) -> int:
    """Die as an uncaught C++ exception lets a process die."""
    sys.stderr.write("terminate called after throwing an instance of 'awq::Error'\n")
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGABRT)
    return 0


def hangs(*_: object) -> int:
    """Never end."""
    breeds.hang()
    return 0


def is_missing(path: Path) -> bool:
    """Return whether there is nothing."""
    return not path.exists()


def is_empty(path: Path) -> bool:
    """Return whether it is a file without a byte."""
    return path.is_file() and not path.stat().st_size


def exists_in_part(op: str, source: str, out: Path) -> int:
    """Look at INPUT before OP."""
    return right(op, source, out) if Path(source).exists() or op == "hello" else 65


def leave(name: str, data: bytes = b"") -> Callable[[Path, Path], object]:
    """Return what leaves a file in OUTDIR."""
    return lambda _source, out: (out / name).write_bytes(data)


def code(data: bytes) -> Callable[[Path, Path], object]:
    """Return what writes another reject.txt."""
    return leave("reject.txt", data)


MISTAKES: dict[str, OneShot] = {
    "no-import": ends(1, "Traceback (most recent call last):", "ModuleNotFoundError: No module named 'moon'"),
    "argparse": replaced(
        "hello", ends(2, "usage: adapter [-h]", "adapter: error: argument OP: invalid choice: 'hello'")
    ),
    "raises-at-hello": replaced("hello", raises),
    "rejects-hello": replaced("hello", ends(65)),
    "prints-hello": replaced("hello", greets("printed")),
    "hello-elsewhere": replaced("hello", greets("cwd")),
    "hello-and-more": replaced("hello", greets("more")),
    "knows-all": replaced("", ends(0)),
    "unknown-is-2": replaced("", ends(2)),
    "unknown-is-65": replaced("", ends(65)),
    "input-first": exists_in_part,
    "lacks-dequant": replaced("dequant", ends(69)),
    "lacks-unpack": replaced("unpack", ends(69)),
    "aborts": replaced("dequant", aborts),
    "elsewhere": in_the_wrong_folder,
    "needs-its-folder": needs_its_folder,
    "empty-raises": on_input(is_empty, raises),
    "empty-is-fine": on_input(is_empty, ends(0)),
    "empty-is-69": on_input(is_empty, ends(69)),
    "leaves-on-reject": afterwards(65, leave("0.W.nk.f32.1x1.bin", bytes(4))),
    "missing-is-fine": on_input(is_missing, ends(0)),
    "folder-raises": on_input(Path.is_dir, raises),
    "folder-is-fine": on_input(Path.is_dir, ends(0)),
    "ascii-paths": follows_paths_in_ascii,
    "writes-beside": afterwards(0, lambda source, _: source.with_suffix(".cache").touch()),
    "code-crlf": afterwards(65, code(b"E_MAGIC\r\nas it should be\r\n")),
    "code-and-text": afterwards(65, code(b"E_MAGIC: not a file of this kind\n")),
    "code-bom": afterwards(65, code(b"\xef\xbb\xbfE_MAGIC\n")),
    "code-below": afterwards(65, code(b"\nE_MAGIC\n")),
    "code-in-words": afterwards(65, code(b"bad magic\n")),
    "hangs": hangs,
}


def serve(mistake: str) -> int:
    """Answer until the input ends."""
    count = 0
    if mistake == "knows-no-serve":
        return 69
    for line in sys.stdin.read().splitlines() if mistake == "reads-to-the-end" else lines(mistake):
        fields = line.rstrip("\n").split("\t")
        if mistake == "unpacks":
            _, number, op, source, outdir = fields
        elif mistake == "answers-junk" and len(fields) > 2:
            number, op, source, outdir = (*fields[1:], "x", "x", "x")[:4]
        elif len(fields) == 5 and fields[0] == "@awq":
            _, number, op, source, outdir = fields
        else:
            continue
        status = 0 if op == "hello" else right(op, source, Path(outdir))
        if mistake == "exits-on-reject" and status == 65:
            return 65
        if mistake == "loses-reject-txt" and status == 65:
            (Path(outdir) / "reject.txt").unlink()
        if mistake == "stale" and status == 65:
            sys.path.append("stale")
        if "stale" in sys.path and status == 0 and op == "dequant":
            breeds.step(breeds.last(Path(outdir)))
        if mistake == "serve-knows-all" and status == 69:
            status = 0
        number = str(100 + count) if mistake == "counts" else number
        count += 1
        answer = [number, STATUS[status], "", HELLO if op == "hello" else ""]
        say(mistake, answer, status)
    if mistake == "stays":
        breeds.hang()
    return 3 if mistake == "ends-with-3" else 0


def lines(mistake: str) -> Iterator[str]:
    """Yield lines as they come."""
    while piece := os.read(0, 1 << 16):
        found = piece.decode().splitlines()
        yield from found[:1] if mistake == "one-at-a-time" else found


def say(mistake: str, answer: list[str], status: int) -> None:
    """Print an answer, and flush it unless that is the mistake."""
    if mistake == "status-is-a-number":
        answer[1] = str(status)
    if mistake == "no-code":
        del answer[2]
    if mistake == "prints-in-front":
        sys.stdout.write("loading ... ")
    if mistake == "prints-a-line":
        sys.stdout.write("loading ... done\n")
    sys.stdout.write((" " if mistake == "spaces" else "\t").join(["@awq", *answer]))
    sys.stdout.write("" if mistake == "no-line-end" else "\n")
    if mistake != "unflushed":
        sys.stdout.flush()


def main(mistake: str, op: str, source: str = "-", outdir: str = "-") -> int:
    """Return the exit status."""
    if op == "serve":
        return serve(mistake)
    if mistake not in MISTAKES and op == "hello":
        (Path(outdir) / "hello.txt").write_text(
            HELLO.replace("name=zoo", "name=bear") if mistake == "renamed" else HELLO
        )
        return 0
    return MISTAKES.get(mistake, right)(op, source, Path(outdir))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

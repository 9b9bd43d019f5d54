"""A wrong loader behind the protocol awqc/1: adapter.py MUTANT OP INPUT OUTDIR, or adapter.py MUTANT serve.

MUTANT `right` (or `right-f16`, `right-bf16`, `right-f64`) is the loader without a bug.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])  # where the package `zoo` is

from awqformat import AwqError
from zoo import every
from zoo.loader import Loader

STATUS = {0: "ok", 65: "reject", 69: "unsupported", 70: "error"}


def hello(loader: Loader, name: str) -> str:
    """Return the words of hello."""
    ops = ",".join((*loader.ops, "serve"))
    return f"proto=1 name=zoo-{name} ops={ops} dtypes={loader.dtype} layouts=nk profiles={loader.profile}"


def answer(loader: Loader, op: str, source: str, outdir: Path) -> tuple[int, str]:
    """Serve one request; return exit status and code."""
    if op not in loader.ops:
        return 69, "UNSUPPORTED"
    try:
        loader.perform(op, source, outdir)
    except AwqError as error:
        (outdir / "reject.txt").write_text(f"{error.code}\n")
        return (69 if error.code == "UNSUPPORTED" else 65), error.code
    return 0, ""


def serve(loader: Loader, name: str) -> None:
    """Answer requests until there are no more; a crash of one request is an error, as in one-shot."""
    for line in sys.stdin:
        fields = line.rstrip("\n").split("\t")
        if len(fields) != 5 or fields[0] != "@awq":
            continue
        _, number, op, source, outdir = fields
        status, code, text = 0, "", ""
        if op == "hello":
            text = hello(loader, name)
        else:
            try:
                status, code = answer(loader, op, source, Path(outdir))
            except Exception as error:  # whatever breaks a wrong loader is its crash, and no end of the session
                status, text = 70, repr(error).replace("\t", " ")
        print("@awq", number, STATUS[status], code, text, sep="\t", flush=True)


def main(name: str, op: str, source: str = "-", outdir: str = "-") -> int:
    """Return the exit status."""
    loader = every.make(name)
    if op == "serve":
        serve(loader, name)
        return 0
    if op == "hello":
        (Path(outdir) / "hello.txt").write_text(hello(loader, name))
        return 0
    return answer(loader, op, source, Path(outdir))[0]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

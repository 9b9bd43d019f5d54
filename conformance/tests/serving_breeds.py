"""Loaders that serve, and many ways of doing it wrong: serving_breeds.py BREED OP INPUT OUTDIR, or BREED serve.

Around the loader of breeds.py, which is right here; what is wrong is the service. A vice shows on files that are not
small, so that it gets past the probes; those of HOPELESS show at once.
"""

import os
import select
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests import breeds
else:
    sys.path.insert(0, str(Path(__file__).parent))
    import breeds

HELLO = breeds.HELLO.replace("ops=dequant", "ops=serve,dequant")
NAMES = {0: "ok", 65: "reject", 69: "unsupported"}
BALLAST: list[bytes] = []


def answer(op: str, source: str, outdir: str) -> tuple[str, str]:
    """Return status and code, as a right loader gives them."""
    status = breeds.main("right", op, source, outdir)
    code = (Path(outdir) / "reject.txt").read_text().split("\n")[0] if status == 65 else ""
    return NAMES[status], code


def is_small(source: str) -> bool:
    """Return whether the vice is to be hidden."""
    try:
        data = Path(source).read_bytes()
        return b'"small": true' in data or not data
    except OSError:
        return True


def serve(breed: str) -> int:
    """Answer until the input ends."""
    held: list[str] = []
    for line in lines():
        if not line:
            say(*reversed(held))  # nothing else is on its way
            held.clear()
            continue
        parts = line.split("\t")
        if len(parts) != 5 or parts[0] != "@awq":
            continue
        _, number, op, source, outdir = parts
        if op == "hello":
            say(f"@awq\t{number}\tok\t\t{'proto=1 name=other' if breed == 'other-hello' else HELLO}")
            continue
        status, code = answer(op, source, outdir)
        reply = f"@awq\t{number}\t{status}\t{code}\tas it should be"
        if breed == "reverses":
            held.append(reply)
        else:
            for text in vices(breed, "" if is_small(source) else op, number, reply, outdir):
                say(text)
    if breed == "hangs-at-the-end":
        breeds.hang()
    return 3 if breed == "ends-with-3" else 0


def lines() -> Iterator[str]:
    """Yield the lines of the input as they come, and an empty one whenever no more are waiting."""
    rest = b""
    while piece := os.read(0, 1 << 16):
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line.decode() for line in whole)
        if not select.select([0], [], [], 0.05)[0]:
            yield ""


def vices(breed: str, op: str, number: str, reply: str, outdir: str) -> Iterator[str]:
    """Yield what is printed for one request; ``op`` is empty where the vice is hidden."""
    if breed == "noisy":
        yield "loading ... @awq\tnot an answer"
        print("half a line without an end", file=sys.stderr, end="")
    if not op:
        yield reply
        return
    if breed == "wrong-id":
        yield reply.replace(f"@awq\t{number}\t", "@awq\t999999\t")
    elif breed == "twice":
        yield from (reply, reply)
    elif breed == "four-fields":
        yield reply.rpartition("\t")[0]
    elif breed == "unknown-status":
        yield reply.replace("\tok\t", "\tfine\t").replace("\treject\t", "\tbad\t")
    elif breed == "errors":
        yield f"@awq\t{number}\terror\t\tout of luck"
    elif breed == "dies":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif breed == "exits":
        sys.exit(0)
    elif breed == "hangs":
        breeds.hang()
    elif breed == "babbles":
        yield "x" * 100_000_000
        yield reply
    elif breed == "eats-memory":
        BALLAST.append(b"x" * (1 << 30))
        BALLAST.clear()
        yield reply
    elif breed == "differs" and op == "dequant" and "\tok\t" in reply:
        as_npy(next(Path(outdir).glob("0.W.*")))
        yield reply
    elif breed == "answers-early":
        late = {path: path.read_bytes() for path in Path(outdir).iterdir()}
        for path in late:
            path.unlink()
        yield reply
        select.select([0], [], [])  # by then the runner has looked
        for path, data in late.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    elif breed == "no-reject-txt":
        (Path(outdir) / "reject.txt").unlink(missing_ok=True)
        yield reply
    elif breed == "other-code":
        yield reply.replace("E_MAGIC", "E_SIZE")
    else:
        yield reply


def as_npy(path: Path) -> None:
    """Write the same matrix in the other of the two formats."""
    dims = path.name.split(".")[4].replace("x", ", ")
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({dims}), }}\n".encode()
    start = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
    path.with_name("0.W.nk.npy").write_bytes(start + header + path.read_bytes())
    path.unlink()


def say(*lines: str) -> None:
    """Print at once."""
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(breed: str, op: str, source: str = "", outdir: str = "") -> int:
    """Return the exit status."""
    if op == "serve":
        if breed == "cannot-serve":
            return 1
        return serve(breed)
    if op == "hello":
        (Path(outdir) / "hello.txt").write_text(HELLO)
        return 0
    return breeds.main("right", op, source, outdir)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

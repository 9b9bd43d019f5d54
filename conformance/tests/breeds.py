"""A loader of a toy format, and many ways of getting it wrong: breeds.py BREED OP INPUT OUTDIR.

The toy format is JSON, because the runner never looks into an input:
{"small": bool, "fault": code or null, "tensors": [{"W": rows, "q": rows, "z": rows, "s": rows} or {"P": hex}]}.
A breed shows its vice on files that are not small, so that it gets past the probes; those with a name in
HOPELESS do not get past them. Only the standard library: a zoo starts many processes.
"""

import json
import os
import signal
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HELLO = "proto=1 name=zoo ops=dequant,unpack,plain,inspect dtypes=f32 layouts=nk,kn profiles=core"
NAN = struct.pack("<f", float("nan"))


def main(breed: str, op: str, source: str, outdir: str) -> int:
    """Return the exit status."""
    out = Path(outdir)
    if breed in HOPELESS:
        HOPELESS[breed](op, out)
    if op == "hello":
        if breed == "shy":
            return 69
        (out / "hello.txt").write_text(HELLOS.get(breed, HELLO))
        return 0
    if op not in ("dequant", "unpack", "plain", "inspect"):
        return 69
    try:
        toy = json.loads(Path(source).read_bytes())
    except (OSError, ValueError):
        return reject(out, "E_TRUNCATED")
    vice = VICES.get(breed)
    if toy["fault"]:
        status = reject(out, toy["fault"])
        changed = vice(op, out, toy) if vice else None
        return status if changed is None else changed
    for number, tensor in enumerate(toy["tensors"]):
        write(op, number, tensor, out, breed)
    if vice and not toy["small"]:
        return vice(op, out, toy) or 0
    return 0


def write(op: str, number: int, tensor: dict[str, Any], out: Path, breed: str) -> None:
    """Write the right outputs of one tensor."""
    if op == "dequant" and "W" in tensor:
        rows = tensor["W"]
        if breed == "bfloat":
            words = [struct.unpack("<I", struct.pack("<f", x))[0] for row in rows for x in row]
            data = b"".join(struct.pack("<H", (w + 0x7FFF + (w >> 16 & 1)) >> 16) for w in words)
            (out / f"{number}.W.nk.bf16.{len(rows)}x{len(rows[0])}.bin").write_bytes(data)
        elif breed == "transposer":
            (out / f"{number}.W.kn.f32.{len(rows[0])}x{len(rows)}.bin").write_bytes(pack("f", zip(*rows, strict=True)))
        else:
            (out / f"{number}.W.nk.f32.{len(rows)}x{len(rows[0])}.bin").write_bytes(pack("f", rows))
    elif op == "unpack" and "W" in tensor:
        for what, dtype, code in (("q", "u8", "B"), ("z", "u8", "B"), ("s", "f32", "f")):
            rows = tensor[what]
            (out / f"{number}.{what}.nk.{dtype}.{len(rows)}x{len(rows[0])}.bin").write_bytes(pack(code, rows))
    elif op == "plain" and "P" in tensor:
        (out / f"{number}.P.bin").write_bytes(bytes.fromhex(tensor["P"]))


def pack(code: str, rows: Any) -> bytes:
    """Return rows of numbers as bytes."""
    return b"".join(struct.pack(f"<{code}", value) for row in rows for value in row)


def reject(out: Path, code: str) -> int:
    """Leave the code, return the status of a rejection."""
    (out / "reject.txt").write_text(f"{code}\nas it should be\n")
    return 65


Vice = Callable[[str, Path, dict[str, Any]], int | None]  # returns another exit status, or None


def on(op: str, act: Callable[[Path], object]) -> Vice:
    """Return a vice that shows in one operation on valid files."""

    def vice(asked: str, out: Path, toy: dict[str, Any]) -> None:
        if asked == op and not toy["fault"]:
            act(out)

    return vice


def last(out: Path, what: str = "W") -> Path:
    """Return the last output of a kind: a check that stops at the first tensor does not see it."""
    return sorted(out.glob(f"*.{what}.*"))[-1]


def patch(path: Path, data: bytes) -> None:
    """Replace the last bytes."""
    path.write_bytes(path.read_bytes()[: -len(data)] + data)


def step(path: Path) -> None:
    """Make the last float the next one."""
    data = path.read_bytes()
    patch(path, (int.from_bytes(data[-4:], "little") + 1).to_bytes(4, "little"))


def rename(out: Path, dims: Callable[[str, str], str]) -> None:
    """Claim other dimensions."""
    path = last(out)
    number, what, layout, dtype, shape, _ = path.name.split(".")
    path.rename(out / f"{number}.{what}.{layout}.{dtype}.{dims(*shape.split('x'))}.bin")


def widen(path: Path) -> None:
    """Write doubles where everything else is floats."""
    values = struct.unpack(f"<{path.stat().st_size // 4}f", path.read_bytes())
    path.unlink()
    path.with_name(path.name.replace("f32", "f64")).write_bytes(struct.pack(f"<{len(values)}d", *values))


def clear(out: Path) -> None:
    """Write nothing after all."""
    for path in out.iterdir():
        path.unlink()


def link(path: Path) -> None:
    """Put a link where a file belongs."""
    path.unlink()
    path.symlink_to("/dev/zero")


def hang(*_: object) -> None:
    """Never end, and say so to a watching test."""
    announce()
    while True:
        signal.pause()


def announce() -> None:
    """Open the pipe of a watching test for as long as this process lives."""
    if "ZOO_PIPE" in os.environ:
        os.write(os.open(os.environ["ZOO_PIPE"], os.O_WRONLY), b"!")


def breed_orphan(_: Path) -> None:
    """Leave a process behind that holds the output open."""
    if os.fork() == 0:
        hang()


def breed_daemon(_: Path) -> None:
    """Leave a process behind that has a session of its own, and a child in another, as a service would."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid()
        hang()


def babble(_: Path) -> None:
    """Print 100 MB."""
    for _time in range(100):
        os.write(1, b"x" * (1 << 20))


def edit_input(_: Path) -> None:
    """Write into the corpus."""
    Path(sys.argv[3]).write_text("{}")


def change_mind(out: Path) -> None:
    """Write -0 for the last zero the first time and +0 from then on: both right, but not the same."""
    state = Path(os.environ["ZOO_STATE"])
    if not state.exists():
        state.touch()
        patch(last(out), struct.pack("<f", -0.0))


def only_valid(status: int) -> Vice:
    """Return a vice that answers every valid file with ``status``."""
    return lambda _op, _out, toy: None if toy["fault"] else status


def only_faulty(status: int) -> Vice:
    """Return a vice that answers every malformed file with ``status``."""
    return lambda _op, _out, toy: status if toy["fault"] else None


def leave_output(_op: str, out: Path, toy: dict[str, Any]) -> None:
    """Reject, but not cleanly."""
    if toy["fault"]:
        (out / "0.W.nk.f32.1x1.bin").write_bytes(bytes(4))


def accept_all(_op: str, out: Path, _toy: dict[str, Any]) -> int:
    """Find no fault anywhere."""
    (out / "reject.txt").unlink(missing_ok=True)
    return 0


def inspect_otherwise(op: str, _out: Path, toy: dict[str, Any]) -> int | None:
    """Let ``inspect`` reject what the others accept."""
    return 65 if op == "inspect" and not toy["fault"] else None


def refuse_shapes(_op: str, out: Path, toy: dict[str, Any]) -> int | None:
    """Support even out_features only."""
    if not any("W" in tensor and len(tensor["W"]) % 2 for tensor in toy["tensors"]):
        return None
    clear(out)
    return 69


def wrong_code(_op: str, out: Path, toy: dict[str, Any]) -> None:
    """Reject with a code of its own invention."""
    if toy["fault"]:
        reject(out, "E_NONSENSE")


def support_nothing(_op: str, out: Path, toy: dict[str, Any]) -> int | None:
    """Call every valid file unsupported."""
    if toy["fault"]:
        return None
    clear(out)
    return 69


def refuse_too_late(op: str, _out: Path, toy: dict[str, Any]) -> int | None:
    """Answer that a valid file is not supported after writing what it holds."""
    return 69 if op == "dequant" and not toy["fault"] and len(toy["tensors"]) > 1 else None


VICES: dict[str, Vice] = {
    "wrong": on("dequant", lambda out: patch(last(out), struct.pack("<f", 1234.5))),
    "wrong-codes": on("unpack", lambda out: patch(last(out, "q"), b"\x0e")),
    "wrong-scales": on("unpack", lambda out: patch(last(out, "s"), struct.pack("<f", 1234.5))),
    "wrong-plain": on("plain", lambda out: patch(last(out, "P"), b"\x0e")),
    "one-ulp-off": on("dequant", lambda out: step(last(out))),
    "nan": on("dequant", lambda out: patch(last(out), NAN)),
    "all-nan": on("dequant", lambda out: last(out).write_bytes(NAN * (last(out).stat().st_size // 4))),
    "writes-nothing": on("dequant", clear),
    "one-missing": on("dequant", lambda out: last(out).unlink()),
    "extra": on("dequant", lambda out: (out / "notes.txt").write_text("hello")),
    "extra-tensor": on("dequant", lambda out: (out / "77.W.nk.f32.1x1.bin").write_bytes(bytes(4))),
    "double": on("dequant", lambda out: (out / "0.W.nk.npy").write_bytes(b"")),
    "truncated": on("dequant", lambda out: last(out).write_bytes(last(out).read_bytes()[:-1])),
    "too-long": on("dequant", lambda out: last(out).write_bytes(last(out).read_bytes() + b"\0")),
    "huge": on("dequant", lambda out: os.truncate(last(out), 1 << 29)),
    "reshaped": on("dequant", lambda out: rename(out, lambda n, k: f"{k}x{n}")),
    "flat": on("dequant", lambda out: rename(out, lambda n, k: f"1x{int(n) * int(k)}")),
    "mixed-dtypes": on("dequant", lambda out: widen(last(out))),
    "changes-dtype": on("dequant", lambda out: widen(last(out))),
    "linked": on("dequant", lambda out: link(last(out))),
    "accepts-and-rejects": on("dequant", lambda out: (out / "reject.txt").write_text("E_MAGIC\n")),
    "moody": on("dequant", change_mind),
    "babbles": on("dequant", babble),
    "disk-full": on("dequant", lambda out: (out.parent / "ballast").write_bytes(bytes(1 << 23))),
    "leaves-orphan": on("dequant", breed_orphan),
    "leaves-daemon": on("dequant", breed_daemon),
    "edits-input": on("dequant", edit_input),
    "segfaults": on("dequant", lambda _: os.kill(os.getpid(), signal.SIGSEGV)),
    "hangs-later": on("dequant", hang),
    "unsupported": support_nothing,
    "rejects-valid": only_valid(65),
    "exits-1-on-reject": only_faulty(1),
    "unsupported-on-reject": only_faulty(69),
    "unsupported-too-late": refuse_too_late,
    "accepts-everything": accept_all,
    "leaves-output": leave_output,
    "inspects-otherwise": inspect_otherwise,
    "wrong-code": wrong_code,
    "needs-multiples": refuse_shapes,
}

HELLOS = {
    "bfloat": HELLO.replace("dtypes=f32", "dtypes=bf16"),
    "changes-dtype": HELLO.replace("dtypes=f32", "dtypes=f32,f64"),
    "undeclared-dtype": HELLO.replace("dtypes=f32", "dtypes=f16"),
    "undeclared-layout": HELLO.replace("layouts=nk,kn", "layouts=kn"),
    "needs-multiples": HELLO + " align=2,16",
    "needs-too-much": HELLO + " align=256,256",
    "other-profile": HELLO.replace("profiles=core", "profiles=npu"),
    "garbled-hello": "hello, world",
    "later-protocol": HELLO.replace("proto=1", "proto=2"),
}


HOPELESS: dict[str, Callable[[str, Path], object]] = {
    "cannot-import": lambda *_: sys.exit(1),
    "rejects-everything": lambda op, _: sys.exit(65 if op != "hello" else 69),
    "knows-every-op": lambda *_: sys.exit(0),
    "hangs": hang,
    "forgets-hello": lambda op, _: sys.exit(0) if op == "hello" else None,
    "writes-nothing-ever": lambda op, _: sys.exit(0 if op == "dequant" else 69),
}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

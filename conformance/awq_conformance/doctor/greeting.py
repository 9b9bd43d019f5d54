"""``hello``: how it is answered, and each of its words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from awq_conformance.doctor.answers import ended_wrong
from awq_conformance.doctor.check import Check, check, note
from awq_conformance.doctor.words import Slip, read
from awq_conformance.protocol import HELLO_FILE, Hello

if TYPE_CHECKING:
    from awq_conformance.adapter import Observation

_ANSWERED = "hello is answered: exit status 0, or 69"
_FILE = f"hello writes {HELLO_FILE} and nothing else"
_WORDS = f"{HELLO_FILE} holds words of awqc/1"
_REQ = "AWQ-CNF-012"


def examine(seen: Observation, profile: str) -> tuple[Hello, list[Check]]:
    """Return what the adapter says about itself, as far as it can be understood, and what is wrong with it."""
    if seen.unsupported:
        remedy = "That is fine: dequant and profile core are assumed. With hello it can name itself and do more."
        return Hello(), [note("hello/answered", _ANSWERED, str(seen.execution), remedy, req=_REQ)]
    if not seen.accepted:
        remedy = "Look at OP first: answer hello, or exit with 69 as for every word you do not know."
        special = "It reads INPUT, which is -." if seen.rejected else None
        return Hello(), [ended_wrong("hello/answered", _ANSWERED, seen, remedy, req=_REQ, special=special)]
    checks = [check("hello/answered", _ANSWERED, req=_REQ), _file(seen)]
    if seen.fault is not None or HELLO_FILE not in seen.files:
        return Hello(), checks
    hello, slips = read(seen.files[HELLO_FILE])
    checks += of_words("hello/words", _WORDS, slips)
    if profile not in hello.profiles:
        remedy = f"Say profiles={profile}, or leave profiles away: core is claimed then."
        checks.append(check("hello/profile", f"hello claims profile {profile}", ",".join(hello.profiles), remedy))
    return hello, checks


def of_words(name: str, title: str, slips: list[Slip]) -> list[Check]:
    """Return one check for each thing wrong with the words, or that there is nothing."""
    checks = [
        note(name, title, slip.got, slip.remedy, req=_REQ)
        if slip.harmless
        else check(name, title, slip.got, slip.remedy, req=_REQ)
        for slip in slips
    ]
    return checks or [check(name, title, req=_REQ)]


def _file(seen: Observation) -> Check:
    tail = seen.execution.tail
    others = sorted(name for name in seen.files if name != HELLO_FILE)
    if seen.fault is not None:
        return check("hello/file", _FILE, seen.fault.detail, f"Write one plain file, OUTDIR/{HELLO_FILE}.", req=_REQ)
    if HELLO_FILE in seen.files:
        remedy = f"Only {HELLO_FILE} belongs into OUTDIR then."
        return check("hello/file", _FILE, ", ".join(map(repr, others[:3])), remedy, req=_REQ)
    if seen.stray:
        where = f"{seen.stray[0]} is in the working directory"
        return check("hello/file", _FILE, where, "Write to OUTDIR, the last word of the command.", req=_REQ)
    if b"proto=" in tail:
        remedy = f"Write the words to OUTDIR/{HELLO_FILE}: what is printed means nothing."
        return check("hello/file", _FILE, "the words were printed", remedy, req=_REQ, tail=tail)
    got = ", ".join(map(repr, others[:3])) or "nothing"
    remedy = f"Write the words to OUTDIR/{HELLO_FILE}, or exit with 69: 0 says that it is there."
    return check("hello/file", _FILE, got, remedy, req=_REQ, tail=tail)

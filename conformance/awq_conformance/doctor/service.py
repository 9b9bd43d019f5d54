"""``serve``: one process for many requests, from its greeting to the end of its input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from awq_conformance.adapter import Observation, bounds_of
from awq_conformance.compare import askable
from awq_conformance.doctor.answers import answered, ended_wrong
from awq_conformance.doctor.causes import cause
from awq_conformance.doctor.check import Check, check, note
from awq_conformance.doctor.greeting import of_words
from awq_conformance.doctor.one_shot import PATHS, odd_path
from awq_conformance.doctor.patient import Patient
from awq_conformance.doctor.words import read
from awq_conformance.judge import judge_modes
from awq_conformance.probes import Question, replies
from awq_conformance.process import Execution
from awq_conformance.protocol import DEQUANT, HELLO, REJECT_FILE, SERVE, Hello
from awq_conformance.serving import Serving
from awq_conformance.session import Session
from awq_conformance.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from awq_conformance.adapter import OneShot
    from awq_conformance.doctor.exhibits import Exhibits
    from awq_conformance.doctor.one_shot import Seen
    from awq_conformance.probes import Ground
    from awq_conformance.session import Answer

Words = dict[str, str]

# Lines that are no requests: empty, untagged, too few fields, too many.
_JUNK: Final = b"\nhello\n@awq\n@awq\t1000\tdequant\n@awq\t1001\tdequant\t-\t-\t-\n"
_HELLO: Final = "hello is answered, with its words"
_BY_HAND: Final = r"See for yourself: printf '@awq\t0\thello\t-\t-\n' | COMMAND serve"
_SAME: Final = "as in one-shot: the same answers, the same files"


def examine(one_shot: OneShot, ground: Ground, exhibits: Exhibits, hello: Hello, seen: Seen) -> Iterator[Check]:
    """Yield what is asked of ``serve``; ``seen`` is what one-shot calls showed, and is filled."""
    words = yield from _alone(one_shot, ground, exhibits, hello)
    if words is None:
        return
    serving = Serving(one_shot.argv, one_shot.folders, one_shot.cancel, words)
    patient = Patient(serving, ground.floor, hello)
    try:
        for reply in replies(patient, exhibits.smallest, hello, ground):
            yield from answered(reply, exhibits.smallest, patient)
            if reply.question is Question.GOOD_FILE and reply.seen.accepted:
                seen.served = reply.seen
        yield from _together(patient, exhibits, seen)
        if seen.served is not None:
            yield from _after_rejection(patient, ground, exhibits, seen, seen.served)
        seen.pace = patient.seconds
        if not serving.restarts:
            remedy = "Leave the loop when there is no more line, close what is open, and exit with 0."
            yield check("serve/end", "it exits with 0 when its input ends", serving.close(), remedy)
    finally:
        serving.kill()


def _alone(one_shot: OneShot, ground: Ground, exhibits: Exhibits, hello: Hello) -> Generator[Check, None, Words | None]:
    """Yield what one process shows by itself; return the words of its hello, or None where it cannot be used."""
    with ground.folders.fresh() as folder:
        session = Session(one_shot.argv, folder, one_shot.cancel)
        try:
            answer = session.hello(ground.floor)
            if answer is None:
                silence = _silence(session, one_shot, ground)
                yield ended_wrong("serve/hello", _HELLO, _observed(session), _BY_HAND, special=silence)
                return None
            words = yield from _greeting(answer, hello)
            request = (DEQUANT, str(exhibits.smallest.input))
            for name in ("plain", "junk"):
                (folder / name).mkdir()
            if session.exchange([(*request, str(folder / "plain"))], ground.floor)[0] is not None:
                session.inject(_JUNK)
                session.exchange([(*request, str(folder / "junk"))], ground.floor)
                yield _junk(session)
            yield _noise(session)
        finally:
            session.kill()
    return words


def _greeting(answer: Answer, hello: Hello) -> Generator[Check, None, Words | None]:
    got = "" if answer.status == 0 else f"a status that stands for {answer.status}"
    yield check("serve/hello", _HELLO, got, "The status of hello is ok, and TEXT holds its words.")
    told, slips = read(answer.text.encode())
    wrong = [slip for slip in slips if not slip.harmless]
    yield from of_words("serve/words", "TEXT holds words of awqc/1", wrong)
    if wrong or got:
        return None
    differing = sorted({key for key, _ in told.words.items() ^ hello.words.items()})
    other = f"{', '.join(differing)}: not the same" if differing else ""
    yield check("serve/same-words", "they are the words of one-shot", other, "Keep the line in one place, for both.")
    return told.words


def _silence(session: Session, one_shot: OneShot, ground: Ground) -> str | None:
    """Return why no answer to hello came, where more can be told than from how the process ended."""
    if session.broken is None or session.broken.verdict is not Verdict.TIMEOUT:
        status = session.broken.status if session.broken is not None else None
        return {
            0: "It ended at once: it reads lines from standard input until there are no more.",
            69: f"hello lists {SERVE}, but the program does not know it.",
        }.get(-1 if status is None else status)
    if session.unfinished:
        return "The answer has come, but for its end: every line ends with a line feed."
    if b"@awq\t" in session.noise:
        return "Something is printed in front of the answer, on the same line: print it to standard error."
    if b"@awq" in session.noise:
        return "The fields of an answer are separated by tabs, not by spaces or the two letters \\t."
    with ground.folders.fresh() as folder:
        late = Session(one_shot.argv, folder, one_shot.cancel)
        try:
            answer = late.exchange([(HELLO, "-", "-")], ground.floor, ending=True)[0]
        finally:
            late.kill()
    if answer is None:
        return None
    return (
        "It answers only when its input has ended: flush standard output after each answer (flush=True, std::endl, "
        "fflush), and read line by line rather than to the end."
    )


def _junk(session: Session) -> Check:
    name, title = "serve/junk", "a line that is no request is passed over"
    if session.broken is None:
        return check(name, title, req="AWQ-CNF-016")
    remedy = "Take line by line, though several come in one read, and pass over what is not @awq and four more fields."
    answered_it = session.broken.verdict is Verdict.PROTOCOL
    why = "It answers what is no request." if answered_it else cause(_observed(session)).sentence
    return check(name, title, session.broken.detail, remedy, cause=why, req="AWQ-CNF-016", tail=session.tail)


def _noise(session: Session) -> Check:
    title = "nothing but answers is printed to standard output"
    lines = session.noise.decode("utf-8", "replace").split("\n")
    if not any(map(str.strip, lines)):
        return check("serve/noise", title)
    remedy = "It is passed over as long as its line ends before the next answer begins; standard error is safer."
    return note("serve/noise", title, repr(next(line for line in lines if line.strip())[:60]), remedy)


def _together(patient: Patient, exhibits: Exhibits, seen: Seen) -> Iterator[Check]:
    """Ask for every operation at once, for dequant several times where that is the only one."""
    ops = askable(exhibits.mixed, patient.hello.ops)
    ops = ops if len(ops) > 1 else ops * 3
    at_once = patient.ask(ops, str(exhibits.mixed.input), bounds_of(exhibits.mixed, patient.limit))
    failed = next((one for one in at_once if not one.answered), None)
    title = f"{len(ops)} requests at once are answered, in any order"
    if failed is not None:
        remedy = "Several requests may come in one read: take line by line, and answer each."
        yield ended_wrong("serve/at-once", title, failed, remedy if failed.broken else "")
    else:
        yield check("serve/at-once", title)
        yield _same("serve/same-files", "a good file", [seen.mixed[op] for op in ops], at_once)


def _after_rejection(
    patient: Patient, ground: Ground, exhibits: Exhibits, seen: Seen, served: Observation
) -> Iterator[Check]:
    """Ask about a malformed file, then about the good one again, under other paths too."""
    if exhibits.malformed is not None and seen.malformed is not None:
        rejected = patient.put(DEQUANT, exhibits.malformed)
        if not rejected.answered:
            yield ended_wrong("serve/malformed", f"a malformed file, {exhibits.malformed.id}: answered", rejected, "")
        else:
            yield _same("serve/same-rejection", "a malformed file", [seen.malformed], [rejected])
    again = patient.put(DEQUANT, exhibits.smallest)
    name, title, remedy = "serve/goes-on", "it goes on after a rejected file", "Nothing may be left of a rejected file."
    if not again.accepted:
        yield ended_wrong(name, title, again, remedy)
    elif again.files != served.files:
        yield check(name, title, "other outputs than before", remedy)
    else:
        yield check(name, title)
        for path in PATHS:
            yield from odd_path(path, patient, ground.folders, exhibits.smallest, served)


def _same(name: str, what: str, one: list[Observation], other: list[Observation]) -> Check:
    title, finding = f"{what}: {_SAME}", judge_modes(one, other)
    if finding is None:
        return check(name, title, req="AWQ-CNF-018")
    return check(name, title, f"{finding.op}: {finding.detail}", _other_files(one, other), req="AWQ-CNF-018")


def _other_files(one: list[Observation], other: list[Observation]) -> str:
    for first, second in zip(one, other, strict=False):
        for filename, data in first.files.items():
            if filename == REJECT_FILE and second.files.get(filename) != data:
                return f"Write {REJECT_FILE} in both modes or in neither, the same bytes."
            behind = len(second.files) < len(first.files) or filename in second.files
            if behind and len(second.files.get(filename, b"")) < len(data):
                return "The answer comes before the file is there: write and close all files, then print the answer."
    return "Let one function do the work for both modes; CODE is the first line of reject.txt."


def _observed(session: Session) -> Observation:
    """Return how a session broke, as what is seen of a call."""
    broken = session.broken
    status, number = (broken.status, broken.signal) if broken else (0, None)
    timed_out = broken is not None and broken.verdict is Verdict.TIMEOUT
    execution = Execution(status, number, timed_out, 0.0, 0, session.tail)
    return Observation(SERVE, execution, {}, mode=SERVE, broken=broken)

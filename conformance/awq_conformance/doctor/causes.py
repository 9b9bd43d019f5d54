"""Why a call ended as it did: what a status, a signal or the last words of a program usually mean."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING, Final, NamedTuple

from awq_conformance.protocol import SERVE, AdapterExit

if TYPE_CHECKING:
    from awq_conformance.adapter import Observation


class Cause(NamedTuple):
    """A sentence on why a call ended as it did, empty where nothing is known.

    After a ``final`` one there is nothing more to advise: the adapter itself has not run, or not come far.
    """

    sentence: str
    final: bool = False


_SHELL_SIGNAL: Final = 128  # a shell reports a signal as this and its number

# Looked for in this order in the last words of the adapter: the first that is found is the most telling. {0} is what
# the pattern caught; the last column tells whether the cause is final.
_LAST_WORDS: Final = tuple(
    (re.compile(pattern, re.MULTILINE), sentence, final)
    for pattern, sentence, final in (
        (
            r"env: \W*([\w.-]+)\W*\\r",
            "The script has Windows line ends, so its first line names {0}\\r: save it with line feeds only.",
            True,
        ),
        (r"can't open file '?([^':]*)", "The interpreter does not find {0}: look at the path in the command.", True),
        (
            r"[Nn]o module named '?([\w.]+)",
            "This interpreter does not find module {0}: name the interpreter it is installed for, or install it; "
            "the adapter runs in an empty folder, so what lies only in yours is not found.",
            True,
        ),
        (
            r"error while loading shared libraries: ([^\s:]+)|Library not loaded: (\S+)",
            "The dynamic linker does not find {0}: give the program an rpath, or link it statically.",
            True,
        ),
        (r"version `(\S+)' not found", "It was built against {0}, which is newer than here: build it here.", True),
        (
            r"(?:unrecogni[sz]ed|invalid|unknown|unexpected|illegal) (?:arguments?|options?|choice|command|subcommand)"
            r"|^Usage: |^usage: |No such (?:option|command)",
            "Its command line parser refuses a word; argparse, getopt and their like end with 2 then.",
            False,
        ),
        (r"panicked at ", "A Rust panic, as of unwrap on an error.", False),
        (r"terminate called|libc\+\+abi: terminating", "An exception that no catch in main took.", False),
        (r"AddressSanitizer|UndefinedBehaviorSanitizer", "A sanitizer found a fault of the program.", False),
        (r"^goroutine \d+|^panic: ", "A Go panic; it ends with 2.", False),
        (r"^Exception in thread", "An uncaught Java exception; it ends with 1.", False),
        (
            r"No such file or directory: '([^']*)'|ENOENT: no such file or directory, \w+ '([^']*)'",
            "It looks for {0} and does not find it: it runs in an empty folder, so name files by their whole path.",
            False,
        ),
        (r"^Node\.js v|node:internal", "An uncaught JavaScript exception; it ends with 1.", False),
        (r"^(IndexError.*|ValueError: not enough values.*)", "It expects other words than it gets: {0}.", False),
        (r"^Traceback ", "An uncaught Python exception; it ends with exit status 1.", False),
        (r"(\S+): (?:command )?not found$", "The shell does not find {0}: it is not on the PATH here.", True),
        (r"[Pp]ermission denied", "It may not read, write or run something.", False),
    )
)

# What a session did instead of answering, by how the runner tells it.
_BREAKS: Final = tuple(
    (re.compile(pattern), sentence)
    for pattern, sentence in (
        (
            r"an answer of \d+ fields",
            "An answer is @awq, ID, STATUS, CODE, TEXT with a tab between two of them: CODE and TEXT may be empty, "
            "their tabs stay, and TEXT holds none.",
        ),
        (r"which is not open", "Each request is answered once, with the ID it came with, as it is."),
        (r"^status ", "The third field is a word, ok, reject, unsupported or error, and no number."),
        (
            r"exit status (?:0|65|69) before it answered",
            "It ended instead of answering: in serve, print the word for that status and go on to the next line.",
        ),
    )
)

_STATUSES: Final = {
    1: "1 is how an uncaught exception ends in many languages.",
    2: "2 is how argparse, getopt and a Go panic end.",
    64: "64 says that the adapter was used wrongly.",
    70: "70 says that something broke inside the adapter.",
    74: "74 says that it could not write.",
    101: "101 is how a Rust panic ends.",
    126: "126 comes from a shell that may not execute what the adapter names.",
    127: "127 comes from a shell, or env, that does not find the program the adapter names.",
    255: "255 is what exit(-1) becomes.",
}

_SIGNALS: Final = {
    "SIGABRT": "It aborted: an uncaught C++ exception, a failed assertion or a damaged heap.",
    "SIGBUS": "It read beyond the end of a mapped file.",
    "SIGFPE": "It divided an integer by zero.",
    "SIGILL": "It ran an instruction that this processor lacks, or a trap the compiler put there.",
    "SIGKILL": "The system killed it, most likely for the memory it took.",
    "SIGSEGV": "It touched memory that is not its own.",
    "SIGPIPE": "It wrote to a pipe that nobody reads.",
    "SIGSYS": "It made a system call that is forbidden here.",
    "SIGXFSZ": "It wrote more than 1 GiB into one file.",
}


def cause(seen: Observation) -> Cause:
    """Return the likely cause of how a call ended."""
    execution = seen.execution
    if seen.broken is not None:
        for pattern, sentence in _BREAKS:
            if pattern.search(seen.broken.detail):
                return Cause(sentence, final=True)
    if execution.timed_out and seen.mode == SERVE:
        return Cause("No answer came: each is a line of its own, flushed at once. Or it needs more time (--timeout).")
    if execution.timed_out:
        return Cause("It waits for what does not come, for standard input is empty; or it needs more time (--timeout).")
    if execution.status in list(AdapterExit):
        return Cause("")
    text = execution.tail.decode("utf-8", "replace")
    for pattern, sentence, final in _LAST_WORDS:
        found = pattern.search(text)
        if found:
            return Cause(sentence.format(next(filter(None, found.groups()), "")), final)
    number = execution.signal or 0
    if execution.status is not None and _SHELL_SIGNAL < execution.status <= _SHELL_SIGNAL + max(signal.Signals):
        number = execution.status - _SHELL_SIGNAL
    if number:
        return Cause(_SIGNALS.get(_name(number), ""))
    return Cause(_STATUSES.get(execution.status or 0, ""))


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # real-time signals have no name
        return ""

"""The adapter protocol ``awqc/1``: operations, exit codes and the words of ``hello`` (spec: conformance)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

PROTOCOL: Final = "1"

HELLO: Final = "hello"
DEQUANT: Final = "dequant"
UNPACK: Final = "unpack"
PLAIN: Final = "plain"
INSPECT: Final = "inspect"
SERVE: Final = "serve"

ONE_SHOT: Final = "one-shot"  # the other way to call an adapter, as reports name it

HELLO_FILE: Final = "hello.txt"
REJECT_FILE: Final = "reject.txt"

MATRIX_DTYPES: Final = ("f16", "bf16", "f32", "f64")  # what W may be written in
LAYOUTS: Final = ("nk", "kn")
ALIGN_MAX: Final = 256  # a loader that needs larger multiples could run next to nothing of the corpus


class AdapterExit(IntEnum):
    """What an adapter's exit status means; any other status, or a signal, is a crash."""

    ACCEPTED = 0
    REJECTED = 65
    UNSUPPORTED = 69


STATUSES: Final = {"ok": 0, "reject": 65, "unsupported": 69, "error": 70}
"""The exit status that each answer of ``serve`` stands for; 70 is EX_SOFTWARE, a crash like any other."""


class RunnerExit(IntEnum):
    """What the runner's own exit status means; never a count."""

    CONFORMANT = 0
    NOT_CONFORMANT = 1
    USAGE = 2
    INCONCLUSIVE = 3


class HelloError(ValueError):
    """``hello.txt`` does not hold the words the protocol asks for; the text is one line."""


@dataclass(frozen=True)
class Hello:
    """What an adapter says about itself; the defaults hold for one that answers ``hello`` with 69.

    ``dtypes`` and ``layouts`` are those of W. ``align`` is (N, K): the multiples that out_features and
    in_features must have. ``words`` keeps every word as it was given, unknown ones too.
    """

    name: str = ""
    version: str = ""
    ops: tuple[str, ...] = (DEQUANT,)
    dtypes: tuple[str, ...] = MATRIX_DTYPES
    layouts: tuple[str, ...] = LAYOUTS
    profiles: tuple[str, ...] = ("core",)
    align: tuple[int, int] = (1, 8)
    words: dict[str, str] = field(default_factory=dict)


def parse_hello(text: str) -> Hello:
    """Read ``key=value`` words separated by single spaces; raise :class:`HelloError` on anything else."""
    words: dict[str, str] = {}
    for word in text.removesuffix("\n").split(" "):
        key, equals, value = word.partition("=")
        if not (key and equals and word.isprintable()):
            raise HelloError(f"{word!r} is not key=value")
        if key in words:
            raise HelloError(f"{key} is given twice")
        words[key] = value
    if words.get("proto") != PROTOCOL:
        raise HelloError(f"proto is {words.get('proto', 'missing')}, expected {PROTOCOL}")
    default = Hello()
    hello = Hello(
        name=words.get("name", default.name),
        version=words.get("version", default.version),
        ops=_names(words, "ops", default.ops),
        dtypes=_names(words, "dtypes", default.dtypes, MATRIX_DTYPES),
        layouts=_names(words, "layouts", default.layouts, LAYOUTS),
        profiles=_names(words, "profiles", default.profiles),
        align=_align(words["align"]) if "align" in words else default.align,
        words=words,
    )
    if DEQUANT not in hello.ops:
        raise HelloError(f"ops={words['ops']} lacks {DEQUANT}, which every adapter has")
    return hello


def _names(
    words: dict[str, str], key: str, default: tuple[str, ...], known: tuple[str, ...] | None = None
) -> tuple[str, ...]:
    if key not in words:
        return default
    names = tuple(words[key].split(","))
    for name in names:
        if not name or (known is not None and name not in known):
            expected = f", expected some of {','.join(known)}" if known else ""
            raise HelloError(f"{key}={words[key]} names {name!r}{expected}")
    return names


def _align(value: str) -> tuple[int, int]:
    parts = value.split(",")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() and len(part) <= 4 for part in parts):
        raise HelloError(f"align={value} is not N,K")
    n, k = int(parts[0]), int(parts[1])
    if not (1 <= n <= ALIGN_MAX and 1 <= k <= ALIGN_MAX):
        raise HelloError(f"align={value} is outside 1..{ALIGN_MAX}")
    return n, k

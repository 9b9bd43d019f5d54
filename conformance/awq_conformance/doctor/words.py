"""The words of hello, one by one: what is wrong with each, and what the adapter will have meant."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from awq_conformance.compare import OUTPUTS
from awq_conformance.protocol import DEQUANT, HELLO, PROTOCOL, SERVE, Hello, HelloError, parse_hello

_KEYS: Final = ("proto", "name", "version", "ops", "dtypes", "layouts", "profiles", "align")
_OPS: Final = (*OUTPUTS, HELLO, SERVE, "matmul")
_REMEDIES: Final = {
    "proto": f"This suite speaks awqc/{PROTOCOL}: the first word is proto={PROTOCOL}.",
    "ops": f"List what it supports, with commas and without spaces: ops={DEQUANT},unpack.",
    "dtypes": "The dtypes of W are f16, bf16, f32 and f64: dtypes=f32.",
    "layouts": "The layouts are nk, [.., N, K], and kn, the last two exchanged: layouts=nk.",
    "profiles": "List the profiles it claims, with commas: profiles=core.",
    "align": "The multiples that N, out_features, and K, in_features, must have: align=1,8.",
}


@dataclass(frozen=True)
class Slip:
    """One thing wrong with the words of hello; a ``harmless`` one costs nothing but may not be what was meant."""

    got: str
    remedy: str
    harmless: bool = False


def read(data: bytes) -> tuple[Hello, list[Slip]]:
    """Return what is left of the words when the wrong ones are taken away, and everything wrong with them."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return Hello(), [Slip("bytes that are not UTF-8", "Write the words as UTF-8, or plain ASCII.")]
    slips = list(_form(text))
    good: dict[str, str] = {}
    for word in text.lstrip("\ufeff").split():
        key, _, value = word.partition("=")
        if key in good:
            slips.append(Slip(f"{key} twice", f"Give {key} once."))
            continue
        try:
            parse_hello(word if key == "proto" else f"proto={PROTOCOL} {word}")
        except HelloError as error:
            slips.append(Slip(str(error), _REMEDIES.get(key, "Each word is key=value, without spaces in it.")))
        else:
            good[key] = value
            slips += _harmless(key, value)
    if "proto" not in good and not any("proto" in slip.got for slip in slips):
        slips.append(Slip("no word proto=", _REMEDIES["proto"]))
    good["proto"] = PROTOCOL
    try:
        parse_hello(text)
    except HelloError as error:
        if not any(not slip.harmless for slip in slips):
            slips.append(Slip(str(error), "Each word is key=value; single spaces separate them."))
    return parse_hello(" ".join(f"{key}={value}" for key, value in good.items())), slips


def _form(text: str) -> list[Slip]:
    """Return what is wrong with the line as a whole, the most telling thing only."""
    line = text.removesuffix("\n")
    if line.startswith("\ufeff"):
        return [Slip("a byte order mark in front", "Write UTF-8 without it; in PowerShell: -Encoding utf8NoBOM.")]
    if line.lstrip().startswith(("{", "[", '"')):
        return [Slip("JSON", "hello is one line of words key=value, such as: proto=1 name=my-loader ops=dequant.")]
    if "\r" in line:
        return [Slip("a carriage return", "Write a line feed only at the end, or nothing: no Windows line end.")]
    if "\n" in line:
        return [Slip(f"{line.count(chr(10)) + 1} lines", "All words go on one line.")]
    if not line.strip():
        return [Slip("an empty line", f"The word proto={PROTOCOL} is always there.")]
    if line.split() != line.split(" "):
        return [Slip("other spaces than single ones", "One space between two words, none before, behind or in them.")]
    return []


def _harmless(key: str, value: str) -> list[Slip]:
    slips = []
    if key not in _KEYS and not key.startswith("policy."):
        near = get_close_matches(key, _KEYS, n=1, cutoff=0.7)
        if near:
            slips.append(Slip(f"{key}=, which is ignored", f"Is {near[0]}= meant?", harmless=True))
    if key == "ops":
        for op in value.split(","):
            if op not in _OPS:
                near = get_close_matches(op, _OPS, n=1, cutoff=0.6)
                meant = f"Is {near[0]} meant?" if near else f"Operations are {', '.join(_OPS)}."
                slips.append(Slip(f"operation {op}, which is not asked for", meant, harmless=True))
    return slips

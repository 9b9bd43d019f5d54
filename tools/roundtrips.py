"""Convert layers from every dialect to every other one and back, and publish what is kept: conformance/ROUNDTRIPS.md.

python tools/roundtrips.py            write the page (make roundtrips)
python tools/roundtrips.py --check    write nothing; exit 1 if the page is not what comes out
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run as a script, a file of this folder sees its neighbours only

from awqformat import AwqError  # noqa: E402
from awqformat.dialects import DIALECTS, Dialect  # noqa: E402
from tools.trips import AWQ, FOLDERS, FORMATS, KEPT, SAMPLES, ByCodec, InFolders, NotHeldError  # noqa: E402

MARKDOWN: Final = ROOT / "conformance" / "ROUNDTRIPS.md"
SIZES: Final = (8, 16, 24, 32, 64, 96, 128, 256)  # group sizes that are asked about

HEAD: Final = """\
<!-- Made by `make roundtrips` (python tools/roundtrips.py); do not edit. -->
# Round trips

What is kept when a layer goes from one layout to another and back. {count} layers were converted between every two of
the [dialects](../spec/layouts.md), and .awq: {folders} times as real folders and files, as `awqformat convert` makes
them, and {layers} times layer by layer, through `awqformat.dialects`. matmulnbits has no configuration that goes with
it, so it has no folders. Every conversion either kept codes, zero points and scales bit for bit or was refused
(AWQ-CHK-027, AWQ-LAY-018); nothing was allowed to be lost. Both ways refuse the same.

## The layers

| | layer |
|---|---|
{legend}

## From row to column and back

`all`: every layer that the dialect of the row holds went to the dialect of the column and came back, the weight equal
bit for bit in both, the tensors too. A letter: that layer is refused. A letter with `*`:
the weight is equal, the tensors that came back are not; symmetric layers went out without zero points and came back
with zero points of 8, for many programs look for them. An .awq file remembers how they were, so from a folder to .awq
and back even this is kept (AWQ-CHK-026).

{table}

## What a dialect can hold

N is out_features, K is in_features, G is the group size, a multiple of 8 that divides K. Of G = {sizes}
those are named that exist in the dialect (AWQ-CHK-036).

{limits}

## What a dialect cannot hold

The layers above that each dialect refuses, with the message. To lose what can be lost, `--allow-lossy scales` rounds
scales to what the dialect has; zero points are never changed.

{refusals}
"""


class Results:
    """All trips: what became of each layer for each two formats, by the codec and in folders."""

    def __init__(self) -> None:
        self.cells: dict[tuple[str, str], str] = {}
        self.held: dict[str, str] = {}
        self.refused: dict[str, dict[str, AwqError]] = {name: {} for name in FORMATS}
        self.trips = {"layers": 0, "folders": 0}
        with tempfile.TemporaryDirectory(prefix="awqformat-trips-") as folder:
            codec, folders = ByCodec(Path(folder)), InFolders(Path(folder))
            for first in FORMATS:
                for second in FORMATS:
                    if first != second:
                        by_codec = self._row("layers", codec, first, second)
                        found = by_codec
                        if first in FOLDERS and second in FOLDERS:
                            found = self._row("folders", folders, first, second)
                        agree(by_codec, found, f"{first} to {second}")
                        self.held[first] = "".join(found)
                        self.cells[first, second] = _cell(found)

    def _row(self, kind: str, way: ByCodec | InFolders, first: str, second: str) -> dict[str, str]:
        """Return what became of each layer that the first format holds: KEPT, VALUES, or a code."""
        found: dict[str, str] = {}
        for one in SAMPLES:
            try:
                found[one.letter] = way.trip(one.tensor, first, second)
            except NotHeldError:
                continue
            except AwqError as error:
                found[one.letter] = error.code
                if first == AWQ and kind == "layers":  # .awq holds them all
                    self.refused[second][one.letter] = error
            self.trips[kind] += 1
        return found


def agree(by_codec: dict[str, str], in_folders: dict[str, str], pair: str) -> None:
    """Stop if a folder is held or refused otherwise than the layer alone."""
    layers, folders = ({k: v.startswith("E_") and v for k, v in found.items()} for found in (by_codec, in_folders))
    if layers != folders:
        sys.exit(f"{pair}: layers end as {by_codec}, folders as {in_folders}")


def _cell(found: dict[str, str]) -> str:
    letters = [letter + "*" * (not what.startswith("E_")) for letter, what in found.items() if what != KEPT]
    return " ".join(letters) or "all"


def page() -> str:
    """Convert, and return the text of the page."""
    results = Results()
    rows = [
        f"| **{first}** ({results.held[first]}) | "
        + " | ".join("" if first == second else results.cells[first, second] for second in FORMATS)
        + " |"
        for first in FORMATS
    ]
    return HEAD.format(
        count=len(SAMPLES),
        **results.trips,
        legend="\n".join(f"| {one.letter} | {one.what} |" for one in SAMPLES),
        table="\n".join([f"| from (holds) | {' | '.join(FORMATS)} |", "|---" * (len(FORMATS) + 1) + "|", *rows]),
        sizes=", ".join(map(str, SIZES)),
        limits="\n".join(_limits()),
        refusals="\n\n".join("\n".join(_refusals(name, refused)) for name, refused in results.refused.items()),
    )


def _limits() -> Iterator[str]:
    yield "| dialect | N | K | G | scales | zero points | configuration |"
    yield "|---|---|---|---|---|---|---|"
    yield "| .awq | any | a multiple of 8 | all | F16, BF16 or F32 | none or integers | |"
    for name, dialect in DIALECTS.items():
        sizes = [str(size) for size in SIZES if dialect.group_sizes(size, 96 * 256)]
        rows = "any" if dialect.rows == 1 else f"a multiple of {dialect.rows}"
        groups = "all" if len(sizes) == len(SIZES) else ", ".join(sizes)
        scales = _listed([dtype.name for dtype in dialect.scales.dtypes])
        configuration = "yes" if name in FOLDERS else "none"
        yield (
            f"| {name} | {rows} | a multiple of {dialect.columns} | {groups} | {scales} | {_zeros(dialect)} |"
            f" {configuration} |"
        )


def _zeros(dialect: Dialect) -> str:
    """Return how zero points are stored, in words."""
    forms = ["integers" if zeros.meaning is None else zeros.meaning.value.partition(",")[0] for zeros in dialect.zeros]
    if all(zeros.optional for zeros in dialect.zeros):
        forms.insert(0, "none")
    return _listed(forms)


def _listed(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _refusals(name: str, refused: dict[str, AwqError]) -> Iterator[str]:
    """Yield a section on what one format refuses."""
    yield f"### {name}"
    yield ""
    if not refused:
        yield "Holds every one of the layers."
        return
    yield "| layers | message | requirements |"
    yield "|---|---|---|"
    lines: dict[str, list[str]] = {}
    for letter, error in refused.items():
        lines.setdefault(f"`{error}` | {', '.join(_requirements(name, error))}", []).append(letter)
    for line, letters in lines.items():
        yield f"| {' '.join(letters)} | {line} |"


SHAPES: Final = {"gemm": "AWQ-LAY-005", "gemv_fast": "AWQ-LAY-008", "gptq": "AWQ-LAY-009", "gptq_v2": "AWQ-LAY-009",
                 "marlin": "AWQ-LAY-012", "int4pack": "AWQ-LAY-016"}  # fmt: skip
"""The requirement that gives the shapes of a dialect with limits on N or K."""

_REASONS: Final[dict[tuple[str, str], Callable[[str], tuple[str, ...]]]] = {
    ("E_DIMS", "out_features"): lambda name: (SHAPES[name],),
    ("E_GROUP", "group_size"): lambda _: ("AWQ-CHK-036",),
    ("E_LOSSY", "scales"): lambda _: ("AWQ-CHK-020", "AWQ-CHK-027", "AWQ-LAY-018"),
    ("E_LOSSY", "zero points"): lambda _: ("AWQ-CHK-016", "AWQ-CHK-027", "AWQ-LAY-018"),
    ("E_LOSSY", "group"): lambda _: ("AWQ-CHK-027", "AWQ-LAY-017"),
}
"""Code and field of a refusal -> the requirements that ask for it."""


def _requirements(name: str, error: AwqError) -> tuple[str, ...]:
    return _REASONS[error.code, error.field.partition(" (")[0]](name)


def main(arguments: list[str]) -> int:
    """Write the page; with ``--check`` write nothing and return 1 if it is stale."""
    text = page()
    if "--check" not in arguments:
        MARKDOWN.write_text(text, encoding="utf-8")
        return 0
    if MARKDOWN.read_text(encoding="utf-8") != text:
        print(f"stale: {MARKDOWN.name} (make roundtrips)", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

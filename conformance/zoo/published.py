"""The kill matrix as people and programs read it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from zoo.kills import IDLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo.kills import Matrix, Outcome

_HEAD = """<!-- Made by `python conformance/zoo/matrix.py`; do not edit. -->
# What the suite catches

Wrong loaders, each with one realistic bug, against every case of the core corpus. A loader is caught when it is not
found conformant. Its explanation is right when the first one given is the name of its bug. All of it is in
[kills.json](kills.json); the loaders are in [zoo/](zoo/).
"""


def summary(matrix: Matrix) -> list[str]:
    """Return what it comes to, a line each."""
    wrong = matrix.wrong
    caught = [outcome for outcome in wrong if outcome.exit == 1]
    few = [outcome for outcome in wrong if len(outcome.kills) < 2]
    idle = [case for case, killers in matrix.killers.items() if not killers]
    named = matrix.named
    return [
        f"wrong loaders caught: {len(caught)} of {len(wrong)}",
        f"caught by one case only: {len(few)}",
        f"explained by the right name first: {sum(named)} of {len(named)} ({100 * sum(named) / len(named):.1f} %)",
        f"cases: {len(matrix.cases)}, of which catch nobody: {len(idle)}",
    ]


def as_json(matrix: Matrix) -> str:
    """Return the whole matrix; a case is its number in the list of cases."""
    number = {case: i for i, case in enumerate(matrix.cases)}
    loaders = [
        {
            "name": outcome.name,
            "bug": outcome.mutant.bug,
            "due": outcome.mutant.explanation,
            "given": list(outcome.explanations),
            "kills": sorted(number[case] for case in outcome.kills if case in number),
            "other": [case for case in outcome.kills if case not in number],
        }
        for outcome in matrix.wrong
        if outcome.mutant is not None
    ]
    lines = ",\n".join(json.dumps(loader, ensure_ascii=False, separators=(",", ":")) for loader in loaders)
    return f'{{"cases":{json.dumps(list(matrix.cases))},\n"loaders":[\n{lines}\n]}}\n'


def as_markdown(matrix: Matrix) -> str:
    """Return the document."""
    return "\n".join(
        (
            _HEAD,
            *(f"- {line}" for line in summary(matrix)),
            "",
            *_misses(matrix),
            *_loaders(matrix),
            *_cases(matrix),
            "",
        )
    )


def _misses(matrix: Matrix) -> Iterator[str]:
    misses = [outcome for outcome in matrix.wrong if outcome.named is False]
    if misses:
        yield "## Explained by another name\n"
        for outcome in misses:
            due = outcome.mutant.explanation if outcome.mutant else ""
            yield f"- `{outcome.name}`: `{due}` is right, {_given(outcome)} was given"
        yield ""


def _given(outcome: Outcome) -> str:
    return f"`{outcome.explanations[0]}`" if outcome.explanations else "nothing"


def _loaders(matrix: Matrix) -> Iterator[str]:
    yield "## Wrong loaders\n"
    yield "| loader | bug | caught by | explained as | seen in |"
    yield "|---|---|---:|---|---|"
    for outcome in sorted(matrix.wrong, key=lambda outcome: outcome.name):
        mutant = outcome.mutant
        if mutant is None:
            continue
        explained = f"`{outcome.explanations[0]}`" if outcome.explanations else mutant.why
        single = f" ({mutant.single})" if mutant.single else ""
        caught, refs = f"{len(outcome.kills)}{single}", ", ".join(mutant.refs)
        yield f"| `{mutant.name}` | {mutant.bug} | {caught} | {explained} | {refs} |"
    yield ""


def _cases(matrix: Matrix) -> Iterator[str]:
    few = sorted((len(killers), case) for case, killers in matrix.killers.items())
    yield "## Cases that catch fewest\n"
    yield "Loaders whose bug is so coarse that nearly every case catches them are not counted here.\n"
    yield "| case | catches | |"
    yield "|---|---:|---|"
    for count, case in few[:40]:
        names = ", ".join(f"`{name}`" for name in matrix.killers[case][:4])
        yield f"| `{case}` | {count} | {names or IDLE.get(case, '')} |"

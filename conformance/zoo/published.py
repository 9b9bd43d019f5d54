"""The kill matrix as people and programs read it."""

from __future__ import annotations

import json
from statistics import median_low
from typing import TYPE_CHECKING

from zoo.edit import EDITS
from zoo.every import CORE, FAMILIES
from zoo.kills import IDLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from zoo.kills import Matrix, Outcome
    from zoo.mutant import Mutant

_SHOWN = 25  # of the cases that catch fewest

_HEAD = """\
<!-- Made by `make kills`; do not edit. -->
# What the suite catches

A suite is worth what it catches. Here wrong loaders, each with one realistic bug, were put in front of every case of
its profile, as any loader is: as processes that read files and write files. Most are written in Python, each a
right loader of which one step is overridden ([zoo/](zoo/)); the families `layouts` and `directories` read checkpoint
directories, all others .awq files. The others are the project's own C++ core with a few
characters of its source changed, compiled and linked as it is (`core_*.py` there).

A loader is **caught** when the run does not find it conformant, and a case catches it when the loader fails it. A
malformed file that is rejected, as it should be, counts too where the valid file it was made from is read wrongly,
since the rejection proves nothing then; such cases are counted apart, behind a plus sign. A bug is **explained** when
the first explanation given is the one that is due, by name. Right loaders run between the wrong ones, in every output
dtype and profile and from the same build, and none of them may be caught.

`make test-kills`, which CI runs, computes all of this anew. It fails where a loader survives, where one is caught by
a single case without a reason, where fewer than 90 % are explained, where a case catches nobody, and where this file
is not what comes out. The whole matrix is in [kills.json](kills.json).
"""


def summary(matrix: Matrix) -> list[str]:
    """Return what it comes to, a line each."""
    wrong = matrix.wrong
    caught = [outcome for outcome in wrong if outcome.caught]
    stopped = [outcome for outcome in wrong if outcome.mutant and outcome.mutant.stopped]
    few = [outcome for outcome in wrong if outcome.mutant and outcome.mutant.single]
    idle = [case for case, killers in matrix.killers.items() if not killers]
    named = matrix.named
    of_core = sum(outcome.name in EDITS for outcome in wrong)
    return [
        f"wrong loaders caught: {len(caught)} of {len(wrong)}, {of_core} of them changes of the C++ core",
        f"of these stopped by a probe, before any case: {len(stopped)}",
        f"of these caught by one case only: {len(few)}",
        f"explained by the right name first: {sum(named)} of {len(named)} ({100 * sum(named) / len(named):.1f} %)",
        f"cases: {len(matrix.cases)}, of which catch nobody: {len(idle)}",
        f"wrong in a way that no run can show: {len(matrix.survivors)}",
    ]


def as_json(matrix: Matrix) -> str:
    """Return the whole matrix: a case is its number in the list of cases, and ``gated`` of the kills are twins'.

    What catches a race is left out, and so is the random file, which is in no list.
    """
    number = {case: i for i, case in enumerate(matrix.cases)}
    loaders = [
        {
            "name": outcome.name,
            "family": mutant.family,
            "bug": mutant.bug,
            "due": mutant.explanation,
            "given": [] if mutant.unsteady else list(outcome.explanations),
            "kills": [] if mutant.unsteady else sorted(number[case] for case in outcome.kills if case in number),
            "gated": 0 if mutant.unsteady else len(outcome.gated),
        }
        for outcome in (*matrix.wrong, *matrix.survivors)
        if (mutant := outcome.mutant) is not None
    ]
    lines = ",\n".join(json.dumps(loader, ensure_ascii=False, separators=(",", ":")) for loader in loaders)
    return f'{{"cases":{json.dumps(list(matrix.cases))},\n"loaders":[\n{lines}\n]}}\n'


def as_markdown(matrix: Matrix) -> str:
    """Return the document."""
    parts = (_in_short(matrix), _families(matrix), _misses(matrix), _loaders(matrix), _cases(matrix))
    return "\n".join((_HEAD, *(line for part in parts for line in part)))


def _in_short(matrix: Matrix) -> Iterator[str]:
    yield "## In short\n"
    yield from (f"- {line}" for line in summary(matrix))
    yield ""


def _families(matrix: Matrix) -> Iterator[str]:
    yield "| family | | loaders | caught | explained | by how many cases |"
    yield "|---|---|---:|---:|---:|---|"
    for family in (*FAMILIES, *CORE):
        members = _members(matrix, family)
        named = [outcome.named for outcome in members if outcome.named is not None]
        kills = [len(o.kills) for o in members if o.mutant and not (o.mutant.unsteady or o.mutant.stopped)]
        span = f"{min(kills)} to {max(kills)}, median {median_low(kills)}"
        caught = sum(outcome.caught for outcome in members)
        yield (
            f"| [{_name(family)}](#{_anchor(family)}) | {_title(family)} | {len(members)} | {caught} "
            f"| {sum(named)} of {len(named)} | {span} |"
        )
    yield ""


def _misses(matrix: Matrix) -> Iterator[str]:
    yield "## What it misses\n"
    misses = [outcome for outcome in matrix.wrong if outcome.named is False]
    yield "Explained by another name than the one that is due, or by none; all of them are caught:\n"
    yield from (f"- `{o.name}`: {_due(o)} is due, {_given(o)} given. {_bug(o)}" for o in misses)
    yield "\nCaught by one case only, and why no second one is there:\n"
    single = [outcome for outcome in matrix.wrong if outcome.mutant and outcome.mutant.single]
    yield from (f"- `{o.name}`, by `{', '.join(o.kills)}`: {o.mutant.single}" for o in single if o.mutant)
    yield "\nCaught by one case in its own right, and by rejections of files that were made of it:\n"
    steady = [o for o in matrix.wrong if o.mutant and not o.mutant.unsteady]
    alone = [o for o in steady if len(o.kills) - len(o.gated) == 1 and o.gated]
    yield ", ".join(f"`{o.name}`" for o in alone) + "."
    yield "\nNot caught, and not to be caught by running a loader on files:\n"
    yield from (f"- `{o.name}`: {_bug(o)} It survives: {o.mutant.survives}." for o in matrix.survivors if o.mutant)
    yield from (f"- `{case}` catches nobody: {reason}" for case, reason in IDLE.items())
    yield ""


def _loaders(matrix: Matrix) -> Iterator[str]:
    yield "## Wrong loaders\n"
    yield "Where the last column but one is no name of an explanation it says why there is none to give.\n"
    for family in (*FAMILIES, *CORE):
        yield f"### {_heading(family)}\n"
        yield f"{_title(family)}.\n"
        yield "| loader | bug | caught by | explained as | seen in |"
        yield "|---|---|---:|---|---|"
        for outcome in sorted(_members(matrix, family), key=lambda outcome: outcome.name):
            if outcome.mutant is not None:
                yield _row(outcome, outcome.mutant)
        yield ""


def _row(outcome: Outcome, mutant: Mutant) -> str:
    caught = str(len(outcome.kills) - len(outcome.gated)) + (f" + {len(outcome.gated)}" if outcome.gated else "")
    caught = "a probe" if mutant.stopped else "varies" if mutant.unsteady else caught
    explained = mutant.why or mutant.stopped.removeprefix("the adapter, not the loader: ")
    if mutant.explanation is not None:
        explained = _given(outcome)
    return f"| `{mutant.name}` | {mutant.bug} | {caught} | {explained} | {', '.join(mutant.refs)} |"


def _cases(matrix: Matrix) -> Iterator[str]:
    few = sorted((len(killers), case) for case, killers in matrix.killers.items())
    yield "## Cases that catch fewest\n"
    yield "Loaders whose bug is so coarse that nearly every case catches them are not counted here.\n"
    yield "| case | catches | such as |"
    yield "|---|---:|---|"
    for count, case in few[:_SHOWN]:
        names = ", ".join(f"`{name}`" for name in matrix.killers[case][:4])
        yield f"| `{case}` | {count} | {names or IDLE.get(case, '')} |"
    yield ""


def _members(matrix: Matrix, family: ModuleType) -> list[Outcome]:
    return [outcome for outcome in matrix.wrong if outcome.mutant and outcome.mutant.family == _name(family)]


def _name(family: ModuleType) -> str:
    return family.__name__.rpartition(".")[2]


def _heading(family: ModuleType) -> str:
    return f"{_name(family)} (C++)" if family in CORE else _name(family)


def _anchor(family: ModuleType) -> str:
    return _heading(family).replace(" (C++)", "-c")


def _title(family: ModuleType) -> str:
    """Return what is wrong in a family: the first line of its module."""
    return (family.__doc__ or "").split("\n")[0].rstrip(".")


def _bug(outcome: Outcome) -> str:
    return outcome.mutant.bug if outcome.mutant else ""


def _due(outcome: Outcome) -> str:
    return f"`{outcome.mutant.explanation}`" if outcome.mutant else ""


def _given(outcome: Outcome) -> str:
    return f"`{outcome.explanations[0]}`" if outcome.explanations else "nothing"

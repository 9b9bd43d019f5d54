"""The requirements of spec/, taken from its text, and whether cases and tests cover them.

python tools/specification.py            prints how much of each chapter is covered
python tools/specification.py --check    prints faults only, one a line, and exits 1 if there are any

A requirement that has to hold in this repository is covered by an accept case and a reject case of the corpus
that name it, or by a test that does: `@pytest.mark.req("AWQ-CON-070")`, in C++ `// req: AWQ-CON-070`.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
LEVELS: Final = ("MUST", "SHOULD", "MAY")
_ID: Final = re.compile(r"AWQ-[A-Z]{3}-\d{3}")
_START: Final = re.compile(r"(?:- )?\*\*(AWQ-[A-Z]{3}-\d{3})\*\* ")
_LEVEL: Final = re.compile(r"\b(MUST|SHOULD|MAY)\b")
_CODE: Final = re.compile(r"`(E_[A-Z_]+|UNSUPPORTED)`")
_UNTESTABLE: Final = re.compile(r"\(untestable: ([^)]+)\)")
_LATER: Final = re.compile(r"\(not yet implemented\)")
_CODE_SPAN: Final = re.compile(r"`[^`]*`")
_LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CHAPTER_LATER: Final = "> Not yet implemented by the library"


@dataclass(frozen=True)
class Requirement:
    """One normative paragraph.

    Attributes:
        id: such as AWQ-CON-012.
        chapter: name of the chapter's file without its ending.
        line: where it starts, from 1.
        level: the strongest of MUST, SHOULD and MAY in it.
        text: the paragraph without its id, on one line.
        codes: the error codes it names.
        untestable: why nothing can test it, or the empty text.
        later: whether this repository does not implement it yet.
    """

    id: str
    chapter: str
    line: int
    level: str
    text: str
    codes: tuple[str, ...]
    untestable: str
    later: bool


@dataclass
class Chapter:
    """One file of spec/, cut into requirements and the rest."""

    name: str
    text: str
    requirements: list[Requirement] = field(default_factory=list)
    prose: list[tuple[int, str]] = field(default_factory=list)  # lines outside of examples and requirements
    faults: list[str] = field(default_factory=list)


@dataclass
class Coverage:
    """Who names a requirement: cases by their ids, tests by file and name."""

    accept: list[str] = field(default_factory=list)
    violation: list[str] = field(default_factory=list)
    tests: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Return whether both obeying and violating the requirement are tested."""
        return bool(self.tests or (self.accept and self.violation))


def chapters(folder: Path = ROOT / "spec") -> list[Chapter]:
    """Read every chapter, sorted by name."""
    return [read(path.stem, path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.md"))]


def read(name: str, text: str) -> Chapter:
    """Cut the text of a chapter into its requirements and the rest."""
    chapter = Chapter(name, text)
    later = _CHAPTER_LATER in text
    fenced, opened, block = False, 0, list[str]()
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if block and (fenced or not line.strip() or line.startswith(("- ", "|", "#", "```", "**AWQ-"))):
            _add(chapter, opened, " ".join(block), later=later)
            block = []
        if line.startswith("```"):
            fenced = not fenced
        elif not fenced and _START.match(line):
            opened, block = number, [line.removeprefix("- ").strip()]
        elif block:
            block.append(line.strip())
        elif not fenced:
            chapter.prose.append((number, line))
    return chapter


def _add(chapter: Chapter, line: int, paragraph: str, *, later: bool) -> None:
    identity, text = paragraph[2:13], paragraph[16:]
    levels = set(_LEVEL.findall(_CODE_SPAN.sub("", text)))
    if not levels:
        chapter.faults.append(f"spec/{chapter.name}.md:{line}: {identity} says neither MUST nor SHOULD nor MAY")
    reason = _UNTESTABLE.search(text)
    chapter.requirements.append(
        Requirement(
            identity,
            chapter.name,
            line,
            next((level for level in LEVELS if level in levels), "MAY"),
            text,
            tuple(_CODE.findall(text)),
            reason[1] if reason else "",
            later or bool(_LATER.search(text)),
        )
    )


def faults_of_text(book: list[Chapter]) -> Iterator[str]:
    """Yield what is wrong with the text alone: ids, levels outside requirements, links."""
    places: dict[str, str] = {}
    owners: dict[str, str] = {}
    for chapter in book:
        yield from chapter.faults
        expected = 1
        for requirement in chapter.requirements:
            where = f"spec/{chapter.name}.md:{requirement.line}: {requirement.id}"
            prefix, number = requirement.id[:7], int(requirement.id[8:])
            if requirement.id in places:
                yield f"{where} is defined twice, first in {places[requirement.id]}"
            elif owners.setdefault(prefix, chapter.name) != chapter.name:
                yield f"{where} has the prefix of chapter {owners[prefix]}"
            elif number != expected:
                yield f"{where}: expected number {expected:03d} here"
            places.setdefault(requirement.id, f"spec/{chapter.name}.md:{requirement.line}")
            expected = number + 1
        for number, line in chapter.prose:
            for level in _LEVEL.findall(_CODE_SPAN.sub("", line)):
                yield f"spec/{chapter.name}.md:{number}: {level} outside of a requirement"
    for chapter in book:
        for identity in sorted(set(_ID.findall(chapter.text)) - set(places)):
            yield f"spec/{chapter.name}.md: {identity} is not defined"
    yield from _broken_links(book)


def _broken_links(book: list[Chapter]) -> Iterator[str]:
    anchors = {f"{chapter.name}.md": set(_anchors(chapter)) for chapter in book}
    for chapter in book:
        for target in _LINK.findall(re.sub(r"```.*?```|`[^`\n]*`", "", chapter.text, flags=re.DOTALL)):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = path or f"{chapter.name}.md"
            known = anchors.get(file)
            exists = known is not None or (ROOT / "spec" / PurePosixPath(file)).exists()
            if not exists or (anchor and anchor not in (known or ())):
                yield f"spec/{chapter.name}.md: the link {target} leads nowhere"


def _anchors(chapter: Chapter) -> Iterator[str]:
    """Yield the anchors that a code host gives the headings of a chapter."""
    seen: dict[str, int] = defaultdict(int)
    for _, line in chapter.prose:
        if line.startswith("#"):
            words = re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower())
            slug = words.replace(" ", "-")
            yield f"{slug}-{seen[slug]}" if seen[slug] else slug
            seen[slug] += 1


def coverage(root: Path = ROOT) -> dict[str, Coverage]:
    """Return who names which id, in the corpus and in the tests under ``root``."""
    found: dict[str, Coverage] = defaultdict(Coverage)
    for case in _cases(root):
        for identity in case["req"]:
            kind = found[identity].violation if case["outcome"] == "reject" else found[identity].accept
            kind.append(str(case["id"]))
    for test, identities in _markers(root):
        for identity in identities:
            found[identity].tests.append(test)
    return dict(found)


def _cases(root: Path) -> list[dict[str, Any]]:
    manifest = json.loads((root / "fixtures" / "manifest.json").read_text(encoding="utf-8"))
    cases: list[dict[str, Any]] = manifest["cases"]
    return cases


def _markers(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each test that names requirements, by reading the sources: nothing is imported or run."""
    for folder in ("awqformat", "conformance", "tools"):
        for path in sorted((root / folder).glob("**/tests/**/test_*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.req":
                    yield path.relative_to(root).as_posix(), [ast.literal_eval(argument) for argument in node.args]
    for path in sorted((root / "tools/loader/tests").glob("*.cpp")):
        for line in re.findall(r"// req: (.*)", path.read_text(encoding="utf-8")):
            yield path.relative_to(root).as_posix(), line.replace(",", " ").split()


def faults_of_coverage(book: list[Chapter], found: dict[str, Coverage], root: Path = ROOT) -> Iterator[str]:
    """Yield what is wrong between the text and those who name its requirements."""
    known = {requirement.id: requirement for chapter in book for requirement in chapter.requirements}
    for identity, by in sorted(found.items()):
        if identity not in known:
            yield f"{identity} is not defined, but named by {', '.join(by.accept + by.violation + by.tests)}"
    for requirement in known.values():
        by = found.get(requirement.id, Coverage())
        excused = requirement.untestable or requirement.later
        if requirement.untestable and (by.accept or by.violation or by.tests):
            yield f"{requirement.id} is called untestable, but {(by.accept + by.violation + by.tests)[0]} tests it"
        if requirement.level == "MUST" and not excused and not by.complete:
            missing = [kind for kind, cases in (("accept", by.accept), ("reject", by.violation)) if not cases]
            yield f"{requirement.id} has no {' and no '.join(missing)} case, and no test"
    for case in _cases(root):
        if not case["req"]:
            yield f"case {case['id']} names no requirement"
        elif case["outcome"] == "reject" and case["req"][0] in known:
            stated = known[case["req"][0]].codes
            if not set(case["codes"]) <= set(stated):
                yield f"case {case['id']}: {case['req'][0]} gives {' '.join(stated)}, not {' '.join(case['codes'])}"


HEAD: Final = ("chapter", "requirements", "accept", "violation", "test", "untestable", "later", "open")


def summary(book: list[Chapter], found: dict[str, Coverage]) -> Iterator[tuple[str | int, ...]]:
    """Yield a row for each chapter that has requirements, under HEAD.

    accept, violation, test: how many requirements have at least one; later: not implemented yet; open: the rest
    that nothing covers in full, of any level.
    """
    for chapter in book:
        if chapter.requirements:
            yield chapter.name, *_figures(chapter.requirements, found)


def _figures(requirements: Iterable[Requirement], found: dict[str, Coverage]) -> Iterator[int]:
    rows = [(requirement, found.get(requirement.id, Coverage())) for requirement in requirements]
    yield len(rows)
    yield sum(bool(by.accept) for _, by in rows)
    yield sum(bool(by.violation) for _, by in rows)
    yield sum(bool(by.tests) for _, by in rows)
    yield sum(bool(requirement.untestable) for requirement, _ in rows)
    yield sum(requirement.later and not requirement.untestable for requirement, _ in rows)
    yield sum(not (by.complete or requirement.untestable or requirement.later) for requirement, by in rows)


def main(arguments: list[str]) -> int:
    """Print the faults and, without ``--check``, the table; return 1 if there is a fault."""
    book, found = chapters(), coverage()
    faults = [*faults_of_text(book), *faults_of_coverage(book, found)]
    for fault in faults:
        print(fault, file=sys.stderr)
    if "--check" not in arguments:
        rows = list(summary(book, found))
        total = tuple(sum(int(row[i]) for row in rows) for i in range(1, len(HEAD)))
        for row in (HEAD, *rows, ("total", *total)):
            print(f"{row[0]:12}", *(f"{cell:>12}" for cell in row[1:]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Write every file that is derived from awqformat/schema.py and the specification, or check that none is stale.

python tools/generate.py            writes them
python tools/generate.py --check    exits 1 and names the stale ones
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # run as a script, a file of this folder sees its neighbours only

from awqformat import schema  # noqa: E402
from awqformat.errors import CHECKPOINT_CODES, CODES  # noqa: E402
from awqformat.fields import Field, walk  # noqa: E402
from tools import kaitai, specification  # noqa: E402

NOTICE = "Generated from awqformat/schema.py by `python tools/generate.py`; do not edit."


def c_header() -> str:
    """Return awq/format.h: the structures, enumerations, limits and error codes as C."""
    return "\n".join(_c_header_lines()) + "\n"


def _c_header_lines() -> Iterator[str]:
    yield f"/* {NOTICE} */"
    yield "#ifndef AWQ_FORMAT_H"
    yield "#define AWQ_FORMAT_H"
    yield ""
    yield "#include <assert.h>"
    yield "#include <stddef.h>"
    yield "#include <stdint.h>"
    yield ""
    yield "#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__"
    yield '#error "the structures below are little-endian as they stand in the file"'
    yield "#endif"
    yield ""
    escaped = "".join(f"\\x{byte:02x}" for byte in schema.MAGIC)
    yield f'#define AWQ_MAGIC "{escaped}"'
    for name in ("MAJOR", "HASH_SHA256", "UNIT", "DIGEST_CHUNK", "FIRST_PRIVATE"):
        yield f"#define AWQ_{name} {_c_number(getattr(schema, name))}"
    yield ""
    enums: dict[str, type[Enum]] = {
        "AWQ_FEATURE": schema.Feature,
        "AWQ_FLAG": schema.SectionFlag,
        "AWQ_SECTION": schema.SectionType,
        "AWQ_DTYPE": schema.Dtype,
        "AWQ_LAYOUT": schema.Layout,
        "AWQ_LIMIT": schema.Limit,
    }
    for prefix, enum in enums.items():
        yield from _c_constants(prefix, enum)
    yield "/* X(name, code, bits): the element types, bits 0 for NONE. */"
    yield from _c_list("AWQ_DTYPES", [f"{d.name}, {d.value}, {d.bits}" for d in schema.Dtype])
    yield ""
    yield "/* X(code, meaning), in the order of the spec's table. */"
    yield from _c_list("AWQ_ERROR_CODES", [f'{code}, "{meaning}"' for code, meaning in CODES.items()])
    for name, structure in schema.STRUCTURES.items():
        yield ""
        yield from _c_struct(name, walk(structure), structure.sizeof())
    yield ""
    yield "#endif"


def _c_number(value: int) -> str:
    return f"{value:#x}u" if value < 2**32 else f"{value:#x}ull"


def _c_constants(prefix: str, enum: type[Enum]) -> Iterator[str]:
    for name, member in enum.__members__.items():
        yield f"#define {prefix}_{name} {_c_number(member.value)}"
    yield ""


def _c_list(name: str, rows: list[str]) -> Iterator[str]:
    yield f"#define {name}(X) \\"
    yield from (f"  X({row}) \\" for row in rows[:-1])
    yield f"  X({rows[-1]})"


def _c_struct(name: str, fields: list[Field], size: int) -> Iterator[str]:
    yield f"typedef struct awq_{name} {{"
    for field in fields:
        array = "" if field.count is None else f"[{field.count}]"
        yield f"  uint{8 * field.width}_t {field.name}{array}; /* {field.offset}: {field.doc} */"
    yield f"}} awq_{name};"
    yield f'static_assert(sizeof(awq_{name}) == {size}, "awq_{name}");'
    for field in fields:
        yield f'static_assert(offsetof(awq_{name}, {field.name}) == {field.offset}, "awq_{name}.{field.name}");'


def container() -> str:
    """Return the container chapter with every table between its markers made from the schema."""
    return _filled("spec/container.md", _tables() | {"raised": _raised()})


def checkpoints() -> str:
    """Return the checkpoints chapter with the table of its error codes."""
    by_code = _by_code(["checkpoints"], CHECKPOINT_CODES)
    rows = [f"`{code}` | {CHECKPOINT_CODES[code]} | {', '.join(ids)}" for code, ids in by_code.items()]
    return _filled("spec/checkpoints.md", {"checkpoint-errors": _table("code | what triggers it | raised by", rows)})


def readme() -> str:
    """Return the front page of the specification with the figures of what cases and tests cover."""
    rows = list(specification.summary(specification.chapters(), specification.coverage()))
    cells = [" | ".join([f"[{row[0]}]({row[0]}.md)", *map(str, row[1:])]) for row in rows]
    return _filled("spec/README.md", {"coverage": _table(" | ".join(specification.HEAD), cells)})


def _filled(path: str, tables: dict[str, list[str]]) -> str:
    """Return a file with the lines of each table between the markers of its name."""
    text = (ROOT / path).read_text(encoding="utf-8")
    for name, lines in tables.items():
        text, found = re.subn(
            rf"(<!-- generated:{name} -->\n).*?(<!-- end -->)",
            lambda match, lines=lines: match[1] + "".join(f"{line}\n" for line in lines) + match[2],  # type: ignore[misc]
            text,
            flags=re.DOTALL,
        )
        if found != 1:
            raise SystemExit(f"{path}: expected one place for the table {name}, found {found}")
    return text


def _tables() -> dict[str, list[str]]:
    tables = {name: _fields_table(walk(structure)) for name, structure in schema.STRUCTURES.items()}
    return tables | {
        "features": _table("bit | feature", [f"{bit.value.bit_length() - 1} | {bit.name}" for bit in schema.Feature]),
        "sections": _table("type | name", [f"{kind.value:#x} | {kind.name}" for kind in schema.SectionType]),
        "layouts": _table("layout | name", [f"{layout.value} | `{layout.name.lower()}`" for layout in schema.Layout]),
        "dtypes": _table("code | name | bits", [f"{d.value} | {d.name} | {d.bits or '-'}" for d in schema.Dtype]),
        "limits": _table(
            "limit | value", [f"{name} | {_power(limit)}" for name, limit in schema.Limit.__members__.items()]
        ),
        "errors": _table("code | what triggers it", [f"`{code}` | {meaning}" for code, meaning in CODES.items()]),
    }


def _raised() -> list[str]:
    """Return which requirements lead to each error code, from the text of the chapters that define errors."""
    rows = [f"`{code}` | {', '.join(ids)}" for code, ids in _by_code(["container", "encryption"], CODES).items()]
    return _table("code | raised by", rows)


def _by_code(names: list[str], codes: Iterable[str]) -> dict[str, list[str]]:
    book = [chapter for chapter in specification.chapters() if chapter.name in names]
    requirements = [requirement for chapter in book for requirement in chapter.requirements]
    return {code: [r.id for r in requirements if r.level == "MUST" and code in r.codes] for code in codes}


def _fields_table(fields: list[Field]) -> list[str]:
    rows = []
    for field in fields:
        kind = f"u{8 * field.width}" if field.count is None else f"u{8 * field.width}[{field.count}]"
        rows.append(f"{field.offset} | {kind} | `{field.name}` | {field.doc}")
    return _table("offset | type | field | meaning", rows)


def _table(head: str, rows: list[str]) -> list[str]:
    return [f"| {head} |", "|" + "---|" * (head.count("|") + 1), *(f"| {row} |" for row in rows)]


def _power(value: int) -> str:
    """Write large powers of two as such."""
    if value >= 2**20 and value & (value - 1) == 0:
        return f"2^{value.bit_length() - 1} = {value}"
    return str(int(value))


DERIVED: dict[str, Callable[[], str]] = {
    "tools/loader/include/awq/format.h": c_header,
    "spec/awq.ksy": lambda: f"# {NOTICE}\n{kaitai.ksy()}",
    "spec/container.md": container,
    "spec/checkpoints.md": checkpoints,
    "spec/README.md": readme,
}
"""Every derived file, by its path in the repository, and the function that makes its text."""


def main(arguments: list[str]) -> int:
    """Write the derived files; with ``--check`` write nothing and return 1 if one is stale."""
    stale = [path for path, make in DERIVED.items() if _read(ROOT / path) != make()]
    if "--check" in arguments:
        for path in stale:
            print(f"stale: {path} (run python tools/generate.py)", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(DERIVED[path](), encoding="utf-8")
        print(f"wrote {path}")
    return 0


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

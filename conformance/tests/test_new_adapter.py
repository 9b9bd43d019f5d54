"""``new-adapter``: what is written, what is printed, and that nothing of anybody's is overwritten."""

from __future__ import annotations

import ast
import re
import stat
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from awq_conformance import template
from awq_conformance.cli import main

ROOT = Path(__file__).parents[2]
ADAPTERS = ROOT / "conformance" / "adapters"
BIN = Path(sys.executable).parent


def new_adapter(*args: str | Path) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, ["new-adapter", *map(str, args)])


@pytest.mark.parametrize(
    ("lang", "serve", "sources"),
    [
        ("python", False, {"adapter.py": "python/adapter.py"}),
        ("python", True, {"adapter.py": "python/serve/adapter.py"}),
        ("c++", False, {"adapter.cpp": "cpp/adapter.cpp", "CMakeLists.txt": "cpp/CMakeLists.txt"}),
        ("c++", True, {"adapter.cpp": "cpp/serve/adapter.cpp", "CMakeLists.txt": "cpp/CMakeLists.txt"}),
        ("rust", False, {name: f"rust/{name}" for name in ("Cargo.toml", "build.rs", "src/loader.rs", "src/main.rs")}),
        (
            "rust",
            True,
            {name: f"rust/{name}" for name in ("Cargo.toml", "build.rs", "src/loader.rs")}
            | {"src/main.rs": "rust/serve/src/main.rs"},
        ),
        ("sh", False, {"adapter.sh": "sh/adapter.sh"}),
    ],
)
def test_the_files_are_the_tested_examples(tmp_path: Path, lang: str, serve: bool, sources: dict[str, str]) -> None:
    """Byte for byte, no more and no fewer; scripts can be executed."""
    result = new_adapter("--lang", lang, *["--serve"] * serve, tmp_path / "mine")
    assert result.exit_code == 0, result.output
    written = {path.relative_to(tmp_path / "mine").as_posix(): path for path in (tmp_path / "mine").rglob("*.*")}
    assert {name: path.read_bytes() for name, path in written.items()} == {
        name: (ADAPTERS / source).read_bytes() for name, source in sources.items()
    }
    for path in written.values():
        assert bool(path.stat().st_mode & stat.S_IXUSR) is path.read_bytes().startswith(b"#!")
        assert f"wrote {path}\n" in result.output


def test_what_building_in_place_leaves_is_no_template(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only sources are handed out."""
    monkeypatch.setattr(template, "root", lambda: tmp_path)
    for name in ("build.rs", "Cargo.lock", "src/main.rs", "target/release/adapter", "__pycache__/a.pyc"):
        (tmp_path / "rust" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "rust" / name).touch()
    found = template.files(template.LANGUAGES["rust"], serve=False)
    assert sorted(map(str, found)) == ["build.rs", "src/main.rs"]


@pytest.mark.parametrize(
    ("lang", "folder", "steps"),
    [
        ("python", "mine", ["awq-conformance doctor -- python ./mine/adapter.py"]),
        ("python", "../mine", ["awq-conformance doctor -- python ../mine/adapter.py"]),
        ("python", "/mine/", ["awq-conformance doctor -- python /mine/adapter.py"]),
        ("sh", "it's mine", ["""awq-conformance doctor -- './it'"'"'s mine'/adapter.sh"""]),
        (
            "c++",
            ".",
            [
                f"cmake -S ./. -B ./././build -DAWQ_CORE={ROOT}/tools/loader".replace("././.", "./."),
                "cmake --build ././build",
                "awq-conformance doctor -- ././build/adapter",
            ],
        ),
        (
            "rust",
            "mine",
            [
                f"AWQ_CORE={ROOT}/tools/loader cargo build --release --manifest-path ./mine/Cargo.toml",
                "awq-conformance doctor -- ./mine/target/release/adapter",
            ],
        ),
    ],
)
def test_the_next_commands(monkeypatch: pytest.MonkeyPatch, lang: str, folder: str, steps: list[str]) -> None:
    """For the shell and the folder one is in; words are quoted where they need it."""
    monkeypatch.setenv("PATH", f"{BIN}:/usr/bin")
    assert template.steps(template.LANGUAGES[lang], Path(folder)) == steps


def test_an_environment_that_is_not_on_the_path_is_put_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands use its programs, whichever way this one was started."""
    monkeypatch.setenv("PATH", "/usr/bin")
    assert template.steps(template.LANGUAGES["sh"], Path("mine"))[0] == f"export PATH={BIN}:$PATH"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """Exit 2 names every file that is there, and nothing is written; --force is for those who mean it."""
    mine = tmp_path / "adapter.cpp"
    mine.write_text("mine")
    result = new_adapter("--lang", "c++", tmp_path)
    assert result.exit_code == 2
    assert f"{mine}: there already (--force overwrites)" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["adapter.cpp"]
    assert mine.read_text() == "mine"
    assert new_adapter("--lang", "c++", "--force", tmp_path).exit_code == 0
    assert mine.read_bytes() == (ADAPTERS / "cpp" / "adapter.cpp").read_bytes()


def test_nothing_half_written_stays(tmp_path: Path) -> None:
    """What cannot be written wholly is not written at all: neither files nor folders are left."""
    (tmp_path / "src" / "main.rs").mkdir(parents=True)
    result = new_adapter("--lang", "rust", "--force", tmp_path)
    assert result.exit_code == 2
    assert "main.rs: Is a directory" in result.output
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["main.rs", "src"]
    (tmp_path / "file").touch()
    result = new_adapter("--lang", "python", tmp_path / "file" / "mine")
    assert (result.exit_code, "Not a directory" in result.output) == (2, True)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("mine",), "Missing option '--lang'"),
        (("--lang", "cobol", "mine"), "'cobol' is not one of 'python', 'c++', 'rust', 'sh'"),
        (("--lang", "sh", "--serve", "mine"), "--lang sh has no --serve"),
        (("--lang", "python"), "Missing argument 'DIR'"),
    ],
)
def test_usage(args: tuple[str, ...], said: str) -> None:
    """Wrong usage is exit 2, with the reason."""
    result = new_adapter(*args)
    assert (result.exit_code, said in result.output) == (2, True)


def test_the_wheel_has_the_templates_and_the_core() -> None:
    """Both lie where an installed package looks for them."""
    packages = dict(re.findall(r'"([^"]+)" = "([^"]+)"', (ROOT / "pyproject.toml").read_text()))
    assert packages["awq_conformance/adapters"] == str(template.root().relative_to(ROOT))
    assert packages["awq_conformance/loader"] == str(template.core().relative_to(ROOT))


_LOADER = re.compile(r"^\W*>>> YOUR LOADER.*?^\W*<<<[^\n]*$", re.MULTILINE | re.DOTALL)
_NO_CODE = {
    ".py": re.compile(r"\s*(#.*)?|(import|from) .*"),
    ".cpp": re.compile(r"\s*(//.*)?|#include .*"),
    ".rs": re.compile(r"\s*(//.*)?|(use|mod) .*"),
    ".sh": re.compile(r"\s*(#(?!!).*)?"),
}


def code_of(path: Path) -> list[str]:
    """Return the lines of an adapter that are code: no comment, no import, nothing of the loader."""
    text = _LOADER.sub("", path.read_text()) if path.suffix != ".sh" else path.read_text()
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.Module, ast.FunctionDef)):
                text = text.replace(f'"""{ast.get_docstring(node, clean=False)}"""', "")
    return [line for line in text.splitlines() if _NO_CODE[path.suffix].fullmatch(line) is None]


@pytest.mark.parametrize(
    ("source", "most"),
    [
        ("python/adapter.py", 8),
        ("python/serve/adapter.py", 18),
        ("cpp/adapter.cpp", 14),
        ("cpp/serve/adapter.cpp", 26),
        ("rust/src/main.rs", 20),
        ("rust/serve/src/main.rs", 45),
        ("sh/adapter.sh", 3),
    ],
)
def test_an_adapter_is_short(source: str, most: int) -> None:
    """What the protocol costs around a loader that works, in lines of at most 120 columns that nobody squeezed."""
    lines = code_of(ADAPTERS / source)
    assert 3 <= len(lines) <= most, "\n".join(lines)
    assert max(map(len, (ADAPTERS / source).read_text().splitlines())) <= 120
    assert not [line for line in lines if line.count(";") > 1 and "for (" not in line]


def test_the_readme_counts_the_same_lines() -> None:
    """The table of conformance/adapters/README.md says how long each adapter is."""
    table = re.findall(r"\[(\d+) lines\]\(([^)]+)\)", (ADAPTERS / "README.md").read_text())
    assert len(table) == 7
    assert {source: int(count) for count, source in table} == {
        source: len(code_of(ADAPTERS / source)) for _, source in table
    }

"""The suite with some of its own code changed: imported anew, in this process, beside the one that tests it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import awq_conformance

PACKAGE = "awq_conformance"
FOLDER = Path(awq_conformance.__file__).parent

Edit = tuple[str, str, str]
"""A module of the package, text that is in it exactly once, and what is there instead."""


class EditedLoader(SourceFileLoader):
    """Loads a module whose source is changed on the way; nothing is read from a cache or written to one."""

    def __init__(self, name: str, path: str, edits: Sequence[Edit]) -> None:
        super().__init__(name, path)
        self.edits = edits

    def path_stats(self, path: str) -> Any:
        raise OSError(path)

    def get_data(self, path: str) -> bytes:
        text = super().get_data(path).decode("utf-8")
        for module, old, new in self.edits:
            if text.count(old) != 1:
                raise ImportError(f"expected once in {module}.py, got {text.count(old)} times: {old!r}")
            text = text.replace(old, new)
        return text.encode()


class Finder(MetaPathFinder):
    """Finds the modules that are edited, and leaves all others to those behind it."""

    def __init__(self, edits: Sequence[Edit]) -> None:
        self.edits = edits

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        edits = [edit for edit in self.edits if f"{PACKAGE}.{edit[0]}" == name]
        if not edits:
            return None
        path = str(FOLDER / f"{edits[0][0]}.py")
        return spec_from_file_location(name, path, loader=EditedLoader(name, path, edits))


@contextmanager
def suite(*edits: Edit) -> Iterator[ModuleType]:
    """Yield the module ``run`` of a suite with ``edits``; raises ImportError where one does not fit the code."""
    mine = _modules()
    for name in mine:
        del sys.modules[name]
    finder = Finder(edits)
    sys.meta_path.insert(0, finder)
    try:
        yield import_module(f"{PACKAGE}.run")
    finally:
        sys.meta_path.remove(finder)
        for name in _modules():
            del sys.modules[name]
        sys.modules.update(mine)


def _modules() -> dict[str, ModuleType]:
    return {name: module for name, module in sys.modules.items() if name.partition(".")[0] == PACKAGE}

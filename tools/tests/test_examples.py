"""Every worked example of the specification is checked by a test."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

from tools.tests.blocks import all_blocks


def test_every_example_is_checked_by_a_test() -> None:
    """Each block has a name of its own, and some test of this folder asks for it by kind and name."""
    asked = {
        tuple(ast.literal_eval(argument) for argument in node.args)
        for path in Path(__file__).parent.glob("test_examples_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "block"
    }
    assert Counter((example.kind, example.name) for example in all_blocks()) == Counter(asked)

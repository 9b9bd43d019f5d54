"""The C++ loader with its answers spoiled by a few lines of shell: wrong loaders that answer in milliseconds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

LOADER: Final = Path(sys.executable).parent / "awq-loader"

WRONG: Final = r"""
for f in "$out"/0.W.*; do if [ -f "$f" ]; then printf '\1' | dd of="$f" conv=notrunc 2>/dev/null; fi; done
"""
"""The lowest byte of the first weight is 1."""
TAKES_PADDING: Final = """
if grep -q E_PADDING "$out/reject.txt" 2>/dev/null; then rm "$out"/*; status=0; fi
"""
"""E_PADDING is no reason to refuse a file."""


def spoiled(folder: Path, *lines: str, words: str = "ops=dequant,plain") -> list[str]:
    """Write the loader as a script into ``folder`` and return its command; ``words`` are added to its hello.

    ``lines`` come after the call and see op, in, out and status.
    """
    script = folder / "spoiled.sh"
    answer = f'echo "proto=1 name=spoiled {words}" > "$out/hello.txt"; exit 0'
    call = f'"{LOADER}" "$op" "$in" "$out"; status=$?'
    head = ["#!/bin/sh", "op=$1 in=$2 out=$3", f'if [ "$op" = hello ]; then {answer}; fi', call]
    script.write_text("\n".join([*head, *lines, "exit $status\n"]))
    script.chmod(0o755)
    return [str(script)]

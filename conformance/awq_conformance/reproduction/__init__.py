"""Failures shown again: chosen, shrunk, taken apart byte by byte, written down with a script to run.

Nothing here needs awqformat before a file is to be taken apart or made.
"""

from awq_conformance.reproduction.choice import choose, kind_of
from awq_conformance.reproduction.folder import FOLDER, Reproduction, Workshop, clear, explanations_of, reproduce
from awq_conformance.reproduction.guilt import annotated

__all__ = [
    "FOLDER",
    "Reproduction",
    "Workshop",
    "annotated",
    "choose",
    "clear",
    "explanations_of",
    "kind_of",
    "reproduce",
]

"""Failures shown again: chosen, shrunk, taken apart byte by byte, written down with a line to run.

Nothing here needs awqformat before a file is to be taken apart or made.
"""

from awq_conformance.reproduction.choice import choose
from awq_conformance.reproduction.folder import NotReproducedError, folder_name, reproduce
from awq_conformance.reproduction.guilt import annotated
from awq_conformance.reproduction.hexdump import around, records, regions, text
from awq_conformance.reproduction.region import Region
from awq_conformance.reproduction.shrink import Bound, Shrunk, shrink

__all__ = [
    "Bound",
    "NotReproducedError",
    "Region",
    "Shrunk",
    "annotated",
    "around",
    "choose",
    "folder_name",
    "records",
    "regions",
    "reproduce",
    "shrink",
    "text",
]

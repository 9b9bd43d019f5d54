"""What is left on disk after a run: reports in several formats and, for a conformant loader, the certificate."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from awq_conformance.report.badge import badge, shield
from awq_conformance.report.certificate import CERTIFICATE, REPORT, certificate_of, obstacles
from awq_conformance.report.html import html
from awq_conformance.report.junit import junit
from awq_conformance.report.record import Record, codes, counts, record_of
from awq_conformance.report.results import result_of, result_record
from awq_conformance.report.summary import markdown
from awq_conformance.report.tap import tap

if TYPE_CHECKING:
    from collections.abc import Callable

    from awq_conformance.run import Certification

FORMATS: Final[dict[str, tuple[str, Callable[[Record], str]]]] = {
    "html": ("report.html", html),
    "junit": ("junit.xml", junit),
    "tap": ("report.tap", tap),
    "markdown": ("summary.md", markdown),
    "badge": ("badge.svg", badge),
    "shield": ("badge.json", lambda record: _text(shield(record))),
}
"""Format -> file name, and what makes it from the record alone."""

SCHEMA_FILE: Final = Path(__file__).with_name("report.schema.json")


def prepare(folder: Path) -> None:
    """Make ``folder`` and see that it can be written; remove what an earlier run left. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass
    for name in (REPORT, CERTIFICATE, *(name for name, _ in FORMATS.values())):
        (folder / name).unlink(missing_ok=True)


def write(folder: Path, run: Certification) -> list[Path]:
    """Write every report, and the certificate where one is due; return their paths. Raises OSError."""
    record = record_of(run)
    report = _text(record).encode("utf-8")
    written = [_replace(folder / REPORT, report)]
    written += [_replace(folder / name, make(record).encode("utf-8")) for name, make in FORMATS.values()]
    if not obstacles(record):
        written.append(_replace(folder / CERTIFICATE, _text(certificate_of(record, report)).encode("utf-8")))
    return written


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def _replace(path: Path, data: bytes) -> Path:
    """Write a whole file or none."""
    fd, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


__all__ = [
    "CERTIFICATE",
    "FORMATS",
    "REPORT",
    "SCHEMA_FILE",
    "Record",
    "codes",
    "counts",
    "obstacles",
    "prepare",
    "record_of",
    "result_of",
    "result_record",
    "write",
]

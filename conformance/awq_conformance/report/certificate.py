"""The certificate of a conformant loader, and whether one stands up to the report beside it.

Nothing is signed: a certificate says what a report says, and whoever has both, the corpus and the adapter can see
whether they fit. What cannot be checked without running the loader again is that the report tells the truth.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from awq_conformance.protocol import SERVE
from awq_conformance.report.audit import audited
from awq_conformance.report.record import HEAD
from awq_conformance.report.record import SCHEMA as REPORT_SCHEMA
from awq_conformance.verdict import Grade

if TYPE_CHECKING:
    from collections.abc import Iterator

    from awq_conformance.cases import Corpus
    from awq_conformance.report.record import Record

SCHEMA: Final = "awqc-certificate/2"
REPORT: Final = "report.json"
CERTIFICATE: Final = "certificate.json"
# What Python raises where JSON has another structure than a report.
_MISFIT: Final = (KeyError, TypeError, AttributeError, IndexError, ValueError)


def obstacles(record: Record) -> list[str]:
    """Return why no certificate may be issued on a report (spec: AWQ-CNF-031, AWQ-CNF-034); empty: it may."""
    return list(_obstacles(record))


def certificate_of(record: Record, report: bytes) -> Record:
    """Return the certificate for ``record``, which is stored as ``report``."""
    return {
        **{key: record[key] for key in HEAD},
        "schema": SCHEMA,
        "report_sha256": hashlib.sha256(report).hexdigest(),
    }


def verify(path: Path, corpus: Corpus) -> list[str]:
    """Return everything that speaks against a certificate, a line each; it is derived again from its report.

    ``path`` is the certificate, or the folder of both. The corpus at hand must be the one that was certified against.
    """
    path = path / CERTIFICATE if path.is_dir() else path
    try:
        certificate, raw = _object(path.read_bytes(), path), path.with_name(REPORT).read_bytes()
        record = _object(raw, path.with_name(REPORT))
    except (OSError, ValueError) as error:
        return [f"{error}"]
    try:
        return list(_problems(certificate, record, raw, corpus))
    except _MISFIT as error:
        return [f"{path.name} or {REPORT} is not of schema {SCHEMA}: {type(error).__name__} {error}"]


def _object(data: bytes, path: Path) -> Record:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path}: expected an object")
    return value


def _obstacles(record: Record) -> Iterator[str]:
    for key, due in (("verdict", "CONFORMANT"), ("exit", 0), ("inconclusive", ""), ("incomplete", ""),
                     ("selection", []), ("known_failures", {})):  # fmt: skip
        if record[key] != due:
            yield f"{key} is {_short(record[key])}, expected {_short(due)}"
    for key in ("asked_grade", "grade"):
        if Grade[record[key].upper()] > Grade.BOUNDED:
            yield f"{key} is {record[key]}, which certifies nothing"
    if SERVE in (record["adapter"]["hello"] or {}).get("ops", "").split(",") and len(record["modes"]) != 2:
        yield f"modes is {_short(record['modes'])}, though hello lists {SERVE}"


def _problems(certificate: Record, record: Record, raw: bytes, corpus: Corpus) -> Iterator[str]:
    if record["schema"] != REPORT_SCHEMA:
        yield f"the report is of schema {_short(record['schema'])}, expected {REPORT_SCHEMA}"
    due = certificate_of(record, raw)
    for key in sorted(certificate.keys() | due.keys()):
        if key not in certificate or key not in due or _differ(certificate[key], due[key]):
            told, right = (_short(of[key]) if key in of else "nothing" for of in (certificate, due))
            yield f"{key} is {told} in the certificate, expected {right} from {REPORT}"
    for key, value in (("corpus_sha256", corpus.sha256), ("suite", corpus.suite), ("version", corpus.version)):
        if record[key] != value:
            yield f"{key} is {_short(record[key])}, the corpus at hand has {_short(value)}"
    yield from _obstacles(record)
    yield from audited(record, corpus)
    for name, sha256 in record["adapter"]["sha256"].items():
        file = Path(name)
        if file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() != sha256:
            yield f"{name} is not the file that was certified"


def _differ(told: Any, due: Any) -> bool:
    # As text, so that true is not 1 and 1.0 is not 1.
    return json.dumps(told, sort_keys=True) != json.dumps(due, sort_keys=True)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."

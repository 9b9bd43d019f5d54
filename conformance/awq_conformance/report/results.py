"""One result as JSON values, and back: reports hold them, and the journal of a run that is to be resumed."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from awq_conformance.evidence import Evidence
from awq_conformance.judge import CaseResult
from awq_conformance.process import Execution
from awq_conformance.report.words import printable
from awq_conformance.verdict import Finding, Grade, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awq_conformance.cases import Case
    from awq_conformance.reproduction import Reproduction

_EDITS: Final = 16  # of one mutation
_EDIT_BYTES: Final = 64


def result_record(
    result: CaseResult, annotated: Sequence[dict[str, Any]] = (), reproduction: Reproduction | None = None
) -> dict[str, Any]:
    """Return one result as JSON values.

    ``annotated`` are regions of its input (offset, size, hex, field, value, guilty), where they are known, and
    ``reproduction`` is what came of showing the failure again, if that was tried.
    """
    case = result.case
    return {
        "id": case.id,
        "title": case.title,
        "verdict": result.verdict.value,
        "level": case.level,
        "outcome": case.outcome,
        "req": list(case.req),
        "flags": list(case.flags),
        "comment": case.comment,
        "refs": list(case.refs),
        "input": case.place,
        "input_bytes": case.size,
        "twin": case.twin,
        "mutation": mutation_of(case),
        "codes": list(case.codes),
        "code": result.code,
        "findings": [_finding(finding, case) for finding in result.findings],
        "calls": {
            op: {
                "status": execution.status,
                "signal": execution.signal,
                "timed_out": execution.timed_out,
                "seconds": round(execution.seconds, 6),
                "peak_rss": execution.peak_rss,
                "output": printable(execution.tail.decode("utf-8", "replace")) if result.finding.failed else "",
            }
            for op, execution in result.calls.items()
        },
        "annotated": [dict(region) for region in annotated],
        "reproduction": None if reproduction is None else asdict(reproduction),
    }


def result_of(record: dict[str, Any], case: Case) -> CaseResult:
    """Return the result that ``record`` was made from; of outputs, those of failures are kept."""
    findings = tuple(
        Finding(
            Verdict(f["verdict"]),
            f["op"],
            f["detail"],
            f["tensor"],
            f["what"],
            f["mode"],
            Grade[f["grade"].upper()],
            _evidence_of(f["evidence"]),
        )
        for f in record["findings"]
    )
    calls = {
        op: Execution(c["status"], c["signal"], c["timed_out"], c["seconds"], c["peak_rss"], c["output"].encode())
        for op, c in record["calls"].items()
    }
    return CaseResult(case, findings, calls, record["code"])


def mutation_of(case: Case) -> dict[str, Any] | None:
    """Return the fault of a reject case: what it is, and its first bytes before and after."""
    fault = case.mutation
    if fault is None:
        return None
    return {
        "what": fault.what,
        "refreshed": fault.refreshed,
        "edits": [
            {
                "file": edit.file,
                "offset": edit.offset,
                "old": edit.old[:_EDIT_BYTES].hex(),
                "old_bytes": len(edit.old),
                "new": edit.new[:_EDIT_BYTES].hex(),
                "new_bytes": len(edit.new),
            }
            for edit in fault.edits[:_EDITS]
        ],
    }


def _finding(finding: Finding, case: Case) -> dict[str, Any]:
    names = {tensor.number: tensor.name for tensor in case.expect}
    return {
        "verdict": finding.verdict.value,
        "op": finding.op,
        "mode": finding.mode,
        "tensor": finding.tensor,
        "name": names.get(finding.tensor) if finding.tensor is not None else None,
        "what": finding.what,
        "detail": printable(finding.detail),
        "grade": str(finding.grade),
        "evidence": _evidence_record(finding.evidence),
    }


def _evidence_record(evidence: Evidence | None) -> dict[str, Any] | None:
    if evidence is None:
        return None
    return {
        "shape": list(evidence.shape),
        "wrong": evidence.wrong,
        "total": evidence.total,
        "heat": list(evidence.heat),
        "histogram": [list(entry) for entry in evidence.histogram],
    }


def _evidence_of(record: dict[str, Any] | None) -> Evidence | None:
    if record is None:
        return None
    histogram = tuple((label, count) for label, count in record["histogram"])
    return Evidence(tuple(record["shape"]), record["wrong"], record["total"], tuple(record["heat"]), histogram)

"""What is left on disk after a run: the report and, for a conformant loader, the certificate (both JSON)."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from awq_conformance.cases import LEVELS
from awq_conformance.verdict import Verdict

if TYPE_CHECKING:
    from awq_conformance.judge import CaseResult
    from awq_conformance.run import Certification

REPORT: Final = "report.json"
CERTIFICATE: Final = "certificate.json"


def prepare(folder: Path) -> None:
    """Make ``folder`` and see that it can be written; remove what an earlier run left. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass
    for name in (REPORT, CERTIFICATE):
        (folder / name).unlink(missing_ok=True)


def write(folder: Path, run: Certification) -> list[Path]:
    """Write the report, and the certificate where one is due; return their paths. Raises OSError."""
    report = _encode(report_of(run))
    written = [_replace(folder / REPORT, report)]
    if run.certifies:
        certificate = {**_head("awqc-certificate/1", run), "report_sha256": hashlib.sha256(report).hexdigest()}
        written.append(_replace(folder / CERTIFICATE, _encode(certificate)))
    return written


def report_of(run: Certification) -> dict[str, Any]:
    """Return the whole report as JSON values."""
    return {
        **_head("awqc-report/1", run),
        "exit": int(run.exit),
        "inconclusive": run.inconclusive,
        "selection": run.request.selection.words,
        "seconds_per_call_limit": run.footing.terms.timeout if run.footing else None,
        "output": _text(run.tail),
        "results": [result_record(result) for result in run.results.values()],
    }


def counts(run: Certification) -> dict[str, dict[str, int]]:
    """Return per level how many cases passed, were skipped and failed."""
    table = {level: {"passed": 0, "skipped": 0, "failed": 0} for level in LEVELS}
    for result in run.results.values():
        skipped = result.verdict is Verdict.SKIPPED
        table[result.case.level]["failed" if result.finding.failed else "skipped" if skipped else "passed"] += 1
    return table


def codes(run: Certification) -> tuple[int, int]:
    """Return how many right rejections came with the right error code, and how many with any."""
    told = Counter(result.code_matches for result in run.results.values())
    return told[True], told[True] + told[False]


def _head(schema: str, run: Certification) -> dict[str, Any]:
    corpus, footing = run.request.corpus, run.footing
    matched, told = codes(run)
    return {
        "schema": schema,
        "suite": corpus.suite,
        "version": corpus.version,
        "corpus_sha256": corpus.sha256,
        "profile": run.request.profile,
        "grade": str(run.grade),
        "dtype": footing.terms.dtype if footing else None,
        "adapter": {
            "argv": list(run.argv or run.request.command),
            "sha256": run.digests,
            "hello": footing.terms.hello.words if footing else None,
        },
        "counts": counts(run),
        "codes": {"matched": matched, "given": told},
        "seed": run.request.seed,
        "host": {
            "system": platform.system(),
            "release": platform.release(),
            "machine": platform.machine(),
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
        },
    }


def result_record(result: CaseResult) -> dict[str, Any]:
    """Return one result as JSON values."""
    case = result.case
    return {
        "id": case.id,
        "title": case.title,
        "req": list(case.req),
        "level": case.level,
        "outcome": case.outcome,
        "twin": case.twin,
        "codes": list(case.codes),
        "verdict": result.verdict.value,
        "code": result.code,
        "findings": [
            {"verdict": f.verdict.value, "op": f.op, "tensor": f.tensor, "what": f.what, "detail": f.detail}
            for f in result.findings
        ],
        "calls": {
            op: {
                "status": execution.status,
                "signal": execution.signal,
                "timed_out": execution.timed_out,
                "seconds": round(execution.seconds, 6),
                "peak_rss": execution.peak_rss,
                "output": _text(execution.tail) if result.finding.failed else "",
            }
            for op, execution in result.calls.items()
        },
    }


def _text(tail: bytes) -> str:
    return tail.decode("utf-8", "replace")


def _encode(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "replace")


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


def result_of(record: dict[str, Any], case: Any) -> Any:
    """Return the result that ``record`` was made from."""
    from awq_conformance.judge import CaseResult
    from awq_conformance.process import Execution
    from awq_conformance.verdict import Finding

    findings = tuple(
        Finding(Verdict(f["verdict"]), f["op"], f["detail"], f["tensor"], f["what"]) for f in record["findings"]
    )
    calls = {
        op: Execution(c["status"], c["signal"], c["timed_out"], c["seconds"], c["peak_rss"], c["output"].encode())
        for op, c in record["calls"].items()
    }
    return CaseResult(case, findings, calls, record["code"])

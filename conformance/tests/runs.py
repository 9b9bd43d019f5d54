"""Runs that never took place: certifications put together by hand, for what is written down about them."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Final

from awq_conformance.adapter import Folders, OneShot
from awq_conformance.cases import Case, Corpus, Edit, File, Flag, Mutation, Tensor
from awq_conformance.diagnosis.names import Diagnosis
from awq_conformance.evidence import Evidence
from awq_conformance.judge import CaseResult, Limits, Terms
from awq_conformance.probes import Footing
from awq_conformance.process import Execution
from awq_conformance.protocol import ONE_SHOT, parse_hello
from awq_conformance.reproduction import Reproduction
from awq_conformance.run import Certification, Request
from awq_conformance.verdict import Finding, Grade, Verdict

HOSTILE: Final = """</script></style><img src=x onerror="document.title='owned'">"'`|*[a](javascript:1)]]>"""
FLAGS: Final = {"integrity": Flag("missing check", "silent corruption", "bytes that a digest covers were changed")}
EVIDENCE: Final = Evidence((64, 96), 1536, 6144, ("0f" * 16, "08" * 16) * 16, (("1 ulp", 1500), ("NaN", 36)))


def valid(name: str, **facts: Any) -> Case:
    """Return a valid case with one tensor."""
    tensor = Tensor(0, facts.pop("tensor", "weight"), "quantised", (64, 96), "", 0, {"W": "w"}, "F16", 32)
    return _case(name, "accept", expect=(tensor,), **facts)


def malformed(name: str, twin: str, **facts: Any) -> Case:
    """Return a malformed case: a byte of its twin was changed, and one removed."""
    edits = (Edit(22, b"\6", b"\5"), Edit(384, bytes(range(100)), b""))
    mutation = Mutation("a byte is wrong", edits, refreshed=True)
    return _case(name, "reject", twin=twin, **{"mutation": mutation, "codes": ("E_DIGEST",), **facts})


def result(case: Case, verdict: Verdict = Verdict.PASS, detail: str = "", **facts: Any) -> CaseResult:
    """Return a result with one finding; ``tail`` is what the adapter printed, ``status`` how it ended."""
    tail, code = facts.pop("tail", b""), facts.pop("code", "")
    status = facts.pop("status", {"accept": 0, "reject": 65, "either": 0}[case.outcome])
    if verdict is Verdict.WRONG:
        facts = {"tensor": 0, "what": "W", "grade": Grade.FAIL, "evidence": EVIDENCE, **facts}
    finding = Finding(verdict, "dequant", detail, **facts)
    return CaseResult(case, (finding,), {"dequant": Execution(status, None, False, 0.0125, 3 << 20, tail)}, code)


def run_of(*results: CaseResult, hello: str = "proto=1 name=made", **facts: Any) -> Certification:
    """Return a run with these results; ``facts`` are fields of Certification."""
    cases = {one.case.id: one.case for one in results}
    corpus = Corpus(Path("corpus"), "made", "1", "5" * 64, cases, FLAGS)
    request = Request(("/opt/made/loader",), corpus, "core", seed=7, **facts.pop("request", {}))
    caller = OneShot(request.command, Folders(Path("calls")), threading.Event())
    terms = Terms(parse_hello(hello), "f32", {ONE_SHOT: Limits(10.0, 1 << 20)}, request.grade)
    footing = Footing(terms, (caller,), caller)
    return Certification(
        request,
        argv=request.command,
        digests={"/opt/made/loader": "0" * 64},
        footing=footing,
        results={one.case.id: one for one in results},
        **facts,
    )


def mixed() -> Certification:
    """Return a run in which everything happens that a report has room for."""
    good, bad = valid("model/good"), valid("model/bad", req=("AWQ-MOD-008", "AWQ-MOD-009"))
    region = {"offset": 384, "size": 2, "hex": "ffff", "field": "zero_points[0]", "value": "15", "guilty": True}
    return run_of(
        result(good),
        result(bad, Verdict.WRONG, "[3, 1] expected 0.5 (0x3f000000), got -0.5 (0xbf000000) (1536 of 6144 wrong)"),
        result(malformed("container/right", good.id), code="E_DIGEST"),
        result(malformed("container/other-code", good.id), code="E_SIZE"),
        result(
            malformed("container/taken", good.id, flags=("integrity",)),
            Verdict.OVER_ACCEPT,
            "expected 65 (E_DIGEST), got exit status 0",
            status=0,
            tail=b"all is well\n",
        ),
        result(malformed("container/orphan", bad.id), Verdict.TWIN_FAILED, "model/bad was not accepted and right"),
        result(valid("model/skipped"), Verdict.SKIPPED, "needs N of 16", status=69),
        result(valid("model/should", level="SHOULD"), Verdict.CRASH, "killed by SIGSEGV", status=None),
        diagnoses=(Diagnosis("zeros-plus-one", "1 is added to every zero point", "all of 8 files", (bad.id,)),),
        annotated={bad.id: [region, {**region, "offset": 386, "guilty": False}]},
        reproductions={
            bad.id: Reproduction("repro/model--bad"),
            "model/should": Reproduction(note="it fails only sometimes"),
        },
        restarts=2,
    )


def right(**facts: Any) -> Certification:
    """Return a run of a conformant loader."""
    good = valid("model/good")
    return run_of(result(good), result(malformed("container/right", good.id), code="E_DIGEST"), **facts)


def hostile() -> Certification:
    """Return a run in which everything an adapter, or a file, can name is markup."""
    bad = valid("model/bad", tensor=HOSTILE, title=HOSTILE, comment=HOSTILE)
    detail = f"{HOSTILE} expected {HOSTILE}, got {HOSTILE}"
    return run_of(
        result(bad, Verdict.WRONG, detail, tail=HOSTILE.encode() + b"\x1b[31m\0"),
        result(malformed("container/said", bad.id), Verdict.TWIN_FAILED, HOSTILE, code=HOSTILE),
        hello=f"proto=1 name={HOSTILE.replace(' ', '/')} policy.{HOSTILE.replace(' ', '/').replace('=', '-')}=1",
        diagnoses=(Diagnosis("codes-swapped", HOSTILE, HOSTILE, (bad.id,)),),
        annotated={bad.id: [{"offset": 0, "size": 1, "hex": "00", "field": HOSTILE, "value": HOSTILE, "guilty": True}]},
        inconclusive=HOSTILE,
        incomplete=HOSTILE,
        tail=HOSTILE.encode(),
    )


def many(cases: int = 400, failures: int = 300) -> Certification:
    """Return a run with many failures, each with pictures and output."""
    detail = "[3, 1] expected 0.5 (0x3f000000), got -0.5 (0xbf000000) (1536 of 6144 wrong)"
    results = [
        result(valid(f"model/{number}"), Verdict.WRONG, detail, tail=b"loading took 3 ms\n" * 20)
        if number < failures
        else result(valid(f"model/{number}"))
        for number in range(cases)
    ]
    return run_of(*results)


def _case(name: str, outcome: str, **facts: Any) -> Case:
    default: dict[str, Any] = {
        "root": Path("corpus"),
        "title": f"the case {name}",
        "req": ("AWQ-CON-041",),
        "level": "MUST",
        "profile": "core",
        "twin": None,
        "mutation": None,
        "codes": (),
        "flags": (),
        "since": "1",
        "recipe": "made",
        "seed": "",
        "made": False,
        "files": (File(f"{name}.awq", "0" * 64, 2048),),
        "expect": (),
        "refs": (),
        "comment": "",
    }
    return Case(id=name, outcome=outcome, **{**default, **facts})

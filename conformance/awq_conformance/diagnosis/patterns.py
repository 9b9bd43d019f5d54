"""What failures have in common: explanations from the verdicts alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from awq_conformance.diagnosis.names import EXPLANATIONS, Diagnosis
from awq_conformance.verdict import Verdict

if TYPE_CHECKING:
    from awq_conformance.cases import Case
    from awq_conformance.judge import CaseResult

_SHOWN: Final = 3
_ENOUGH: Final = 0.9  # the share of a kind that must fail for the kind to be what is wrong
_REFUSED: Final = (Verdict.OVER_REJECT, Verdict.UNSUPPORTED)
_DOWN: Final = (Verdict.CRASH, Verdict.TIMEOUT, Verdict.OOM)


def patterns(results: Mapping[str, CaseResult]) -> tuple[Diagnosis, ...]:
    """Return what groups of failures have in common, those that explain most first."""
    found = [*_behaviour(results), *_accepted(results), *_refused(results), *_crashed(results)]
    # A crash on a malformed file is what follows where a check is missing.
    followed = any(diagnosis.name == "check-missing" for diagnosis in found)
    found.sort(key=lambda diagnosis: (followed and diagnosis.name == "crashes", -len(diagnosis.cases)))
    return tuple(found[:_SHOWN])


def _of(results: Mapping[str, CaseResult], *verdicts: Verdict) -> list[Case]:
    return [result.case for result in results.values() if any(f.verdict in verdicts for f in result.findings)]


def _accepted(results: Mapping[str, CaseResult]) -> Iterable[Diagnosis]:
    """Explain malformed files that were accepted: by the tightest kinds that cover them."""
    accepted = _of(results, Verdict.OVER_ACCEPT)
    rest = {case.id: case for case in accepted if case.outcome == "reject"}
    reject = [result.case for result in results.values() if result.case.outcome == "reject"]
    while rest:
        kinds = Counter(kind for case in rest.values() for kind in _kinds_of_fault(case))
        of_kind = {kind: [case for case in reject if kind in _kinds_of_fault(case)] for kind in kinds}
        # The kind that explains most, of those the one that promises least that is not so, the shortest to say.
        kind = max(kinds, key=lambda kind: (_score(kinds[kind], len(of_kind[kind])), kinds[kind], -len(kind)))
        hit = [case for case in rest.values() if kind in _kinds_of_fault(case)]
        whole = len(of_kind[kind])
        first = min(hit, key=lambda case: (case.size, case.id))
        count = f"all {whole}" if len(hit) == whole else f"{len(hit)} of {whole}"
        sentence = (
            f"a check is missing: {count} malformed files with {kind} are accepted, such as {first.id} ({first.title})"
        )
        yield Diagnosis("check-missing", sentence, _listed(hit), tuple(case.id for case in hit))
        for case in hit:
            del rest[case.id]


def _score(hit: int, whole: int) -> float:
    """Weigh how much a kind explains against how much of it is not so."""
    return hit * (hit / whole) ** 2


def _kinds_of_fault(case: Case) -> tuple[str, ...]:
    digests = "stale digests" if case.mutation and not case.mutation.refreshed else "digests that match"
    code = " or ".join(case.codes)
    return (
        code,
        *(f"{code} ({req})" for req in case.req[:1]),
        *((f"{code} and {digests}",) if "E_DIGEST" not in code else ()),
    )


def _refused(results: Mapping[str, CaseResult]) -> Iterable[Diagnosis]:
    refused = [case for case in _of(results, *_REFUSED) if case.outcome == "accept"]
    yield from _common("rejects-valid", "refused", refused, results, "accept")


def _crashed(results: Mapping[str, CaseResult]) -> Iterable[Diagnosis]:
    for outcome, what in (("accept", "valid"), ("reject", "malformed")):
        down = [case for case in _of(results, *_DOWN) if case.outcome == outcome]
        yield from _common("crashes", f"not survived ({what} files)", down, results, outcome)


def _common(
    name: str, what: str, failed: list[Case], results: Mapping[str, CaseResult], outcome: str
) -> Iterable[Diagnosis]:
    """Name what the failed cases have and the others have not: a flag, a requirement, a code, a property."""
    if not failed:
        return
    ids = {case.id for case in failed}
    others = [
        r.case
        for r in results.values()
        if r.case.outcome == outcome and r.case.id not in ids and not r.case.id.startswith("state/")
    ]
    traits = Counter(trait for case in failed for trait in _traits(case))
    of_others = Counter(trait for case in others for trait in _traits(case))
    best = max(
        traits, key=lambda trait: (traits[trait] / len(failed) - of_others[trait] / max(len(others), 1), traits[trait])
    )
    telling = traits[best] >= _ENOUGH * len(failed) and of_others[best] <= (1 - _ENOUGH) * max(len(others), 1)
    trait = f": those with {best}" if telling else ""
    first = min(failed, key=lambda case: (case.size, case.id))
    sentence = f"{EXPLANATIONS[name]}: {len(failed)} are {what}{trait}, such as {first.id} ({first.title})"
    yield Diagnosis(name, sentence, _listed(failed), tuple(case.id for case in failed))


def _traits(case: Case) -> set[str]:
    traits = {*case.flags, *case.req, *case.codes}
    for tensor in case.expect:
        if tensor.quantised:
            n, k = tensor.shape[-2:]
            traits |= {
                f"{tensor.scale_dtype} scales",
                f"group size {tensor.group_size}",
                f"{len(tensor.shape)} dimensions",
            }
            traits |= {"group size other than 128"} if tensor.group_size != 128 else set()
            traits |= {"N no multiple of 8"} if n % 8 else set()
            traits |= {"K no multiple of 32"} if k % 32 else set()
    if case.expect and not any(tensor.quantised for tensor in case.expect):
        traits.add("plain tensors only")
    return traits


def _behaviour(results: Mapping[str, CaseResult]) -> Iterable[Diagnosis]:
    """Explain what is wrong with how the loader answers, whatever the file."""
    unsteady = _of(results, Verdict.NONDETERMINISTIC)
    if unsteady:
        yield _told("nondeterministic", unsteady, "")
    disagree = [
        (result.case, finding)
        for result in results.values()
        for finding in result.findings
        if finding.verdict is Verdict.PROTOCOL
    ]
    modes = [case for case, finding in disagree if finding.mode != "one-shot" and "one-shot" in finding.detail]
    if modes:
        yield _told("modes-differ", modes, "")
    state = [case for case in _of(results, *_WRONG) if case.id.startswith("state/")]
    alone = [case for case in _of(results, *_WRONG) if not case.id.startswith("state/")]
    if state and not alone:
        yield _told("state-kept", state, f", such as {state[0].title}")


_WRONG: Final = (Verdict.WRONG, Verdict.SHAPE, Verdict.OVER_ACCEPT, Verdict.OVER_REJECT, Verdict.EXTRA_OUTPUT)


def _told(name: str, cases: list[Case], more: str) -> Diagnosis:
    ids = tuple(dict.fromkeys(case.id for case in cases))
    return Diagnosis(name, f"{EXPLANATIONS[name]}{more}", f"{len(ids)} cases, the first {ids[0]}", ids)


def _listed(cases: list[Case]) -> str:
    ids = sorted(case.id for case in cases)
    return ", ".join(ids[:4]) + (f" and {len(ids) - 4} more" if len(ids) > 4 else "")

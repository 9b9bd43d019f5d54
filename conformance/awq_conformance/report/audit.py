"""The verdict of a report derived again: from its findings and exit statuses, against the corpus at hand."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from awq_conformance.profiles import Profile, profile_of
from awq_conformance.protocol import AdapterExit
from awq_conformance.report.record import counted, tabulated
from awq_conformance.report.results import mutation_of
from awq_conformance.report.words import failed, finding_of
from awq_conformance.verdict import Grade

if TYPE_CHECKING:
    from collections.abc import Iterator

    from awq_conformance.cases import Case, Corpus
    from awq_conformance.report.record import Record

_ENDS: Final = {
    "accept": {AdapterExit.ACCEPTED},
    "reject": {AdapterExit.REJECTED},
    "either": {AdapterExit.ACCEPTED, AdapterExit.REJECTED},
}


def audited(record: Record, corpus: Corpus) -> Iterator[str]:
    """Yield what in a report of a conformant loader does not follow from what was found, a line each."""
    results = {result["id"]: result for result in record["results"]}
    if len(results) != len(record["results"]):
        yield "two results have the same id"
    profile = profile_of(corpus, record["profile"])
    stories = profile.stories(corpus)
    due = {case.id: case for case in corpus.cases.values() if case.profile == record["profile"]}
    due |= {name: case for name, (case, _) in stories.items()}
    yield from _complete(record, results, due, profile)
    for name, result in results.items():
        if name in due:
            yield from _is_the_case(result, due[name])
        if name not in stories:
            yield from _ended_so(result)
        yield from _judged_so(result, results)
    yield from _added_up(record)


def _complete(record: Record, results: Record, due: dict[str, Case], profile: Profile) -> Iterator[str]:
    for name in due.keys() - results.keys():
        yield f"{name} was not run"
    fresh = f"fresh/{record['seed']}"
    if type(profile).random is not Profile.random and fresh not in results:
        yield f"{fresh} was not run"
    for name in results.keys() - due.keys():
        if name != fresh and not (name.startswith("holdout/") and record["holdout"] is not None):
            yield f"{name} is no case of this corpus"


def _is_the_case(result: Record, case: Case) -> Iterator[str]:
    facts: dict[str, Any] = {
        "title": case.title,
        "req": list(case.req),
        "flags": list(case.flags),
        "level": case.level,
        "outcome": case.outcome,
        "twin": case.twin,
        "mutation": mutation_of(case),
        "codes": list(case.codes),
        "input": case.place,
        "input_bytes": case.size,
    }
    for key, value in facts.items():
        if result[key] != value:
            yield f"{case.id}: {key} is {result[key]!r:.60}, the corpus says {value!r:.60}"


def _ended_so(result: Record) -> Iterator[str]:
    """Hold what passed against how the adapter ended: a rejection is 65 and nothing else."""
    if result["verdict"] == "PASS":
        for op, call in result["calls"].items():
            if call["status"] not in _ENDS[result["outcome"]] or call["signal"] is not None or call["timed_out"]:
                yield f"{result['id']} passes, but {op} ended with status {call['status']}"
        if not result["calls"]:
            yield f"{result['id']} passes, but the adapter was never called"


def _judged_so(result: Record, results: Record) -> Iterator[str]:
    name, verdict = result["id"], finding_of(result)["verdict"]
    if result["verdict"] != verdict:
        yield f"{name} is {result['verdict']}, its findings say {verdict}"
    if result["outcome"] == "reject" and verdict == "PASS" and results.get(result["twin"], {}).get("verdict") != "PASS":
        yield f"{name} passes, though its twin {result['twin']} does not"
    if result["level"] == "MUST" and failed({"verdict": verdict}):
        yield f"{name} is {verdict}"


def _added_up(record: Record) -> Iterator[str]:
    results = record["results"]
    if counted(results) != record["counts"]:
        yield "the counts are not those of the results"
    if tabulated(results) != record["requirements"]:
        yield "the table of requirements is not that of the results"
    told = Counter(
        result["code"] in result["codes"]
        for result in results
        if result["outcome"] == "reject" and result["verdict"] == "PASS" and result["code"]
    )
    if record["codes"] != {"matched": told[True], "given": sum(told.values())}:
        yield "the error codes are not those of the results"
    grades = [Grade[finding["grade"].upper()] for result in results for finding in result["findings"]]
    if record["grade"] != str(max(grades, default=Grade.EXACT)):
        yield f"grade is {record['grade']}, the findings say {max(grades, default=Grade.EXACT)}"

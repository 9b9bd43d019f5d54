"""JUnit XML, which CI systems read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from awq_conformance.report.words import again, decides, failed, finding_of, place_of, printable

if TYPE_CHECKING:
    from awq_conformance.report.record import Record


def junit(record: Record) -> str:
    """Return one test case for each case; what does not decide is no failure there."""
    package = f"awqc.{record['profile']}"
    suite = TestSuite(package)
    for key in ("suite", "version", "corpus_sha256", "verdict", "grade", "seed"):
        suite.add_property(key, str(record[key]))
    for diagnosis in record["diagnoses"]:
        suite.add_property(f"diagnosis.{diagnosis['name']}", printable(diagnosis["sentence"]))
    for result in record["results"]:
        suite.add_testcase(_case(result, record, package))
    if record["inconclusive"]:
        test = TestCase("inconclusive", package, 0)
        test.result = [Error(printable(record["inconclusive"]), "INCONCLUSIVE")]
        test.system_out = printable(record["output"])
        suite.add_testcase(test)
    xml = JUnitXml(package)
    xml.add_testsuite(suite)
    data: bytes = xml.tostring()  # type: ignore[no-untyped-call]
    return data.decode("utf-8") + "\n"


def _case(result: Record, record: Record, package: str) -> TestCase:
    finding = finding_of(result)
    seconds = round(sum(call["seconds"] for call in result["calls"].values()), 6)
    test = TestCase(result["id"], f"{package}.{result['id'].partition('/')[0]}", seconds)
    text = printable(f"{result['verdict']} {place_of(finding)}: {finding['detail']}")
    if failed(result) and decides(result, record):
        failure = Failure(text, result["verdict"])
        failure.text = printable(f"{result['title']}\n{' '.join(result['req'])}\n{again(result, record)}")
        test.result = [failure]
    elif failed(result):
        test.result = [Skipped(f"does not decide: {text}")]
    elif finding["verdict"] == "SKIPPED":
        test.result = [Skipped(text)]
    output = next((call["output"] for call in result["calls"].values() if call["output"]), "")
    if output:
        test.system_out = printable(output)
    return test

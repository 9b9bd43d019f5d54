"""Wrong judges: changes of the judging code, each with a breed of the zoo that gets by once it is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from awq_conformance.protocol import RunnerExit
from awq_conformance.verdict import Verdict

if TYPE_CHECKING:
    from tests.edited import Edit

CONFORMANT, NOT_CONFORMANT, INCONCLUSIVE = RunnerExit.CONFORMANT, RunnerExit.NOT_CONFORMANT, RunnerExit.INCONCLUSIVE
BIG, FAULT = ("toy/big",), ("toy/fault",)


@dataclass(frozen=True)
class Trial:
    """A breed put to the suite: on which cases of which corpus, at which grade; ``serves`` is for serving_breeds."""

    breed: str
    cases: tuple[str, ...] = BIG
    corpus: str = "toy"
    grade: str = "EXACT"
    serves: bool = False
    timeout: float = 60


@dataclass(frozen=True)
class Judge:
    """A wrong judge: what it does, the change that makes it, and a trial of which it ends ``got`` and not ``due``."""

    what: str
    edits: tuple[Edit, ...]
    trial: Trial
    due: RunnerExit = NOT_CONFORMANT
    got: RunnerExit = CONFORMANT


def judge(what: str, module: str, old: str, new: str, trial: Trial, due: RunnerExit = NOT_CONFORMANT,
          got: RunnerExit = CONFORMANT) -> Judge:  # fmt: skip
    """Return a wrong judge of one change."""
    return Judge(what, ((module, old, new),), trial, due, got)


_DIFFERENT = "    wrong = due_bits != got_bits\n"
_ANY_SKIP = "    if all(run.results[name].verdict is Verdict.SKIPPED for name in selected):\n"
_DECIDES = 'if r.case.level == "MUST" and r.case.id'

JUDGES = (
    # Numbers
    judge(
        "NaN and infinity are equal to anything",
        "grade",
        _DIFFERENT,
        "    wrong = (due_bits != got_bits) & ~_is_special(got_bits, actual.dtype)\n",
        Trial("nan"),
    ),
    judge(
        "an element is wrong when its error exceeds a limit, which NaN never does",
        "grade",
        _DIFFERENT,
        "    wrong = np.abs(widen(actual) - widen(due)) > 0\n",
        Trial("all-nan"),
    ),
    judge(
        "a relative tolerance",
        "grade",
        _DIFFERENT,
        "    wrong = ~np.isclose(widen(actual), widen(due), rtol=1e-5)\n",
        Trial("one-ulp-off"),
    ),
    judge(
        "only the first row is compared",
        "grade",
        _DIFFERENT,
        "    wrong = due_bits != got_bits\n    wrong[1:] = False\n",
        Trial("wrong"),
    ),
    judge(
        "the rounding of the output's dtype is ignored",
        "grade",
        "    due = round_to(expected, actual.dtype)\n",
        '    due, actual = Matrix(expected.astype(np.float64), "f64"), Matrix(widen(actual), "f64")\n',
        Trial("bfloat"),
        CONFORMANT,
        NOT_CONFORMANT,
    ),
    judge(
        "right values of BF16 are cut, not rounded",
        "grade",
        "((bits + (0x7FFF + ((bits >> 16) & 1))) >> 16)",
        "(bits >> 16)",
        Trial("bfloat"),
        CONFORMANT,
        NOT_CONFORMANT,
    ),
    judge(
        "nothing is beyond the bound of grade bounded",
        "grade",
        "    beyond = wrong & ~within_bound(actual, due, parts)\n",
        "    beyond = np.zeros_like(wrong)\n",
        Trial("wrong", grade="BOUNDED"),
    ),
    *(
        judge(
            f"{what} are not compared",
            "grade",
            "    wrong = actual.values != expected\n",
            "    wrong = np.zeros(expected.shape, np.bool_)\n",
            Trial(breed),
        )
        for what, breed in (("codes", "wrong-codes"), ("bytes of plain tensors", "wrong-plain"))
    ),
    judge(
        "scales are not compared",
        "compare",
        "        mismatch = grading.exact(got, values)\n",
        "        mismatch = None\n",
        Trial("wrong-scales"),
    ),
    # Outputs
    judge(
        "the first tensor is all that is compared",
        "compare",
        "number, what, grade=graded.grade, evidence=evidence)\n",
        "number, what, grade=graded.grade, evidence=evidence)\n        break\n",
        Trial("wrong"),
    ),
    *(
        judge(
            f"shapes are ignored ({breed})",
            "compare",
            "    got = read_matrix(name, data, due.values.shape)\n",
            "    got = read_matrix(name, data)\n    got = Matrix(got.values.reshape(due.values.shape), got.dtype)\n",
            Trial(breed),
        )
        for breed in ("reshaped", "flat")
    ),
    *(
        judge(
            f"outputs are cut and filled up until they fit ({breed})",
            "outputs",
            "    if have != need:\n",
            '    data = data.ljust(start + need, b"\\0")[: start + need]\n    if False:\n',
            Trial(breed),
        )
        for breed in ("truncated", "too-long")
    ),
    *(
        judge(
            f"what is not written is not asked for ({breed})",
            "compare",
            '            return Finding(Verdict.MISSING_OUTPUT, seen.op, "not written", number, what)\n',
            "            return Finding(Verdict.PASS, seen.op)\n",
            Trial(breed),
        )
        for breed in ("writes-nothing", "one-missing")
    ),
    *(
        judge(
            f"other files are passed over ({breed})",
            "compare",
            "return Finding(Verdict.EXTRA_OUTPUT, seen.op, "
            'f"{filename!r} is no output of this operation on this file")',
            "continue",
            Trial(breed),
        )
        for breed in ("extra", "extra-tensor")
    ),
    judge(
        "of two files for one output the first counts",
        "compare",
        'return Finding(Verdict.EXTRA_OUTPUT, seen.op, f"{filename!r} is there twice", name.number, name.what)',
        "continue",
        Trial("double"),
    ),
    judge(
        "any dtype will do at any time",
        "compare",
        "        if dtype is not None and got.dtype != dtype:\n",
        "        if False:\n",
        Trial("changes-dtype"),
    ),
    judge(
        "any dtype will do, whatever hello names",
        "compare",
        "        if got.dtype not in hello.dtypes:\n",
        "        if False:\n",
        Trial("undeclared-dtype"),
        INCONCLUSIVE,
    ),
    judge(
        "any layout will do, whatever hello names",
        "compare",
        "        if name.layout not in hello.layouts:\n",
        "        if False:\n",
        Trial("undeclared-layout"),
        INCONCLUSIVE,
    ),
    # Answers
    judge(
        "every exit status but 0 and 69 is a rejection",
        "adapter",
        "        return self.execution.status == AdapterExit.REJECTED\n",
        "        return self.execution.status not in (AdapterExit.ACCEPTED, AdapterExit.UNSUPPORTED)\n",
        Trial("exits-1-on-reject", FAULT),
    ),
    judge(
        "a signal is exit status 0",
        "process",
        "        status=code if code >= 0 else None,\n",
        "        status=max(code, 0),\n",
        Trial("segfaults"),
    ),
    judge(
        "what is accepted need not be valid",
        "judge",
        '        if case.outcome == "reject":\n            return Finding(Verdict.OVER_ACCEPT',
        "        if False:\n            return Finding(Verdict.OVER_ACCEPT",
        Trial("accepts-everything", FAULT),
    ),
    judge(
        "what is rejected need not be malformed",
        "judge",
        '    if case.outcome == "accept":\n        code = error_code(seen)',
        "    if False:\n        code = error_code(seen)",
        Trial("rejects-cleanly"),
    ),
    judge(
        "a rejection may leave outputs",
        "judge",
        '    if seen.left:\n        return Finding(Verdict.OUTPUT_ON_REJECT, seen.op, f"left',
        '    if False:\n        return Finding(Verdict.OUTPUT_ON_REJECT, seen.op, f"left',
        Trial("leaves-output", FAULT),
    ),
    judge(
        "whatever is unsupported is skipped",
        "judge",
        "        if skippable:\n",
        "        if True:\n",
        Trial("unsupported-on-reject", FAULT),
    ),
    judge(
        "operations may answer differently",
        "judge",
        "        if (first.accepted and other.rejected) or (first.rejected and other.accepted):\n",
        "        if False:\n",
        Trial("inspects-otherwise", ("toy/open",), corpus="undecided"),
    ),
    judge(
        "the second time may differ from the first",
        "judge",
        "\n    elif first.files != second.files:\n",
        "\n    elif False:\n",
        Trial("moody"),
    ),
    *(
        judge(
            f"files of serve are not compared with those of one-shot ({breed})",
            "judge",
            "\n        elif first.files != second.files:\n",
            "\n        elif False:\n",
            Trial(breed, cases, serves=True),
        )
        for breed, cases in (("differs", BIG), ("no-reject-txt", FAULT))
    ),
    judge(
        "the code that serve gives is not compared with reject.txt",
        "judge",
        "        elif second.code and REJECT_FILE in second.files and second.code != error_code(first):\n",
        "        elif False:\n",
        Trial("other-code", FAULT, serves=True),
    ),
    judge(
        "an answer that nobody asked for is passed over",
        "session",
        'return f"an answer to request {number[:20]!r}, which is not open: {_shown(line)}"',
        'return ""',
        Trial("twice", serves=True),
    ),
    # The run
    judge(
        "a rejection counts without its twin",
        "judge",
        "    if twin is None or twin not in results or results[twin].finding.failed:\n",
        "    if twin is None or twin not in results:\n",
        Trial("rejects-cleanly", FAULT, corpus="lenient"),
    ),
    judge(
        "the last finding on a case decides",
        "judge",
        "        return (failed or skipped or list(self.findings))[0]\n",
        "        return self.findings[-1]\n",
        Trial("wrong"),
    ),
    judge(
        "skips are successes",
        "run",
        _ANY_SKIP,
        "    if False:\n",
        Trial("needs-multiples"),
        INCONCLUSIVE,
    ),
    Judge(
        "no case at all is a success",
        (
            ("selection", "        if not any(map(kind.matches, cases)):\n", "        if False:\n"),
            ("run", _ANY_SKIP, "    if False:\n"),
        ),
        Trial("wrong", ("toy/nothing",)),
        INCONCLUSIVE,
    ),
    judge("nothing decides", "run", _DECIDES, 'if r.case.level == "ANY" and r.case.id', Trial("wrong")),
    judge(
        "every level decides",
        "run",
        _DECIDES,
        "if r.case.id",
        Trial("wrong", corpus="lenient"),
        CONFORMANT,
        NOT_CONFORMANT,
    ),
)

WITNESSES = {
    Verdict.WRONG: Trial("wrong"),
    Verdict.NONFINITE: Trial("nan"),
    Verdict.SHAPE: Trial("reshaped"),
    Verdict.DTYPE: Trial("changes-dtype"),
    Verdict.MISSING_OUTPUT: Trial("one-missing"),
    Verdict.EXTRA_OUTPUT: Trial("extra"),
    Verdict.TRUNCATED_OUTPUT: Trial("truncated"),
    Verdict.MALFORMED_OUTPUT: Trial("too-long"),
    Verdict.OUTPUT_ON_REJECT: Trial("leaves-output", FAULT),
    Verdict.OVER_ACCEPT: Trial("accepts-everything", FAULT),
    Verdict.OVER_REJECT: Trial("rejects-cleanly"),
    Verdict.UNSUPPORTED: Trial("unsupported-on-reject", FAULT),
    Verdict.CRASH: Trial("exits-1-on-reject", FAULT),
    Verdict.TIMEOUT: Trial("hangs-later", timeout=1.5),
    Verdict.OOM: Trial("eats-memory", serves=True),
    Verdict.PROTOCOL: Trial("accepts-and-rejects"),
    Verdict.NONDETERMINISTIC: Trial("moody"),
    Verdict.TWIN_FAILED: Trial("rejects-cleanly", FAULT, corpus="lenient"),
}
"""For each verdict a breed that fails by it and by nothing else."""

"""The closed list of explanations: a name each, and what it means for the loader's author."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

EXPLANATIONS: Final[dict[str, str]] = {
    # which bits a code comes from
    "codes-swapped": "every pair of codes is swapped: the high nibble is read first",
    "codes-awq-order": "codes are read in AutoAWQ's order of a word, 0 2 4 6 1 3 5 7; .awq stores them in order",
    "codes-awq-inverse": "codes are read in the inverse of AutoAWQ's order, 0 4 1 5 2 6 3 7; .awq stores them in order",
    "codes-big-endian": "codes are read from big-endian words; .awq packs bytes",
    "codes-halves": "low nibbles are taken for the first half of a block and high nibbles for the second",
    "codes-word-order": "the nibbles of a word are taken for other codes than they are",
    "codes-other-layout": "codes are read as another layout has them",
    "codes-column-major": "codes are read column by column; .awq stores rows",
    "codes-transposed": "the output is transposed: [K, N] under the name of [N, K]",
    "codes-shifted": "codes are read from the wrong place: every one comes from a fixed distance away",
    "codes-signed": "codes are taken as two's complement, -8 .. 7; they are 0 .. 15",
    "codes-offset": "a constant is added to every code",
    "codes-altered": "codes are changed before they are used",
    "codes-misplaced": "codes come from other places than they should",
    # which zero point, and what is made of it
    "zeros-swapped": "every pair of zero points is swapped: the high nibble is read first",
    "zeros-word-order": "the nibbles of a word are taken for other zero points than they are",
    "zeros-other-layout": "zero points are read as another layout has them",
    "zeros-are-products": "what is stored is -(s*z), and it is taken for the zero point itself",
    "zeros-unpadded": "rows of zero points are read as if nothing unused lay at their ends",
    "zeros-transposed": "zero points are read as the transpose of what is stored",
    "zeros-wrong-group": "the zero point comes from another group",
    "zeros-altered": "zero points are changed before they are used",
    "zeros-misplaced": "zero points come from other places than they should",
    "zeros-plus-one": "1 is added to every zero point, as for GPTQ",
    "zeros-minus-one": "1 is taken from every zero point",
    "zeros-assumed-8": "zero points are not read: 8 is used instead",
    "zeros-ignored": "zero points are not read: 0 is used instead",
    "zeros-added": "the zero point is added where it is to be subtracted",
    "zeros-signed": "zero points are taken as two's complement, -8 .. 7; they are 0 .. 15",
    "symmetric-zero-0": "a symmetric tensor is read with zero point 0; it is 8",
    # which scale, and what is made of it
    "scales-wrong-group": "the scale comes from another group",
    "scales-transposed": "scales are read as the transpose of what is stored",
    "scales-altered": "scales are changed before they are used",
    "scales-misplaced": "scales come from other places than they should",
    "scales-big-endian": "scales are read as big-endian numbers",
    "scales-bf16-as-f16": "BF16 scales are read as if they were F16",
    "scales-f16-as-bf16": "F16 scales are read as if they were BF16",
    "scales-rounded-f16": "scales are rounded to F16 before use",
    "scales-rounded-bf16": "scales are rounded to BF16 before use",
    "scales-subnormal-flushed": "subnormal scales are flushed to zero",
    # how a row is divided
    "group-size-fixed": "one group size is used for every tensor, whatever its own is",
    "group-boundary": "the step from one group to the next is taken at the wrong place",
    # the arithmetic
    "arithmetic-expanded": "q*s - z*s is computed, which rounds twice; the rule is (q - z)*s",
    "arithmetic-rounded-f16": "results are rounded to F16 on the way to a wider output",
    "arithmetic-rounded-bf16": "results are rounded to BF16 on the way to a wider output",
    "rounding-truncates": "results are cut to the output's dtype; they are to be rounded to nearest even",
    "rounding-half-up": "ties are rounded away from zero; they are to be rounded to even",
    "overflow-saturates": "overflow gives the largest finite value; it is to give infinity",
    "results-subnormal-flushed": "subnormal results are flushed to zero",
    # what a tensor is
    "experts-first-only": "every expert is read as the first one",
    "experts-merged": "the leading dimensions of experts are read in the wrong order",
    "tensors-renumbered": "tensors are numbered in another order than the index has",
    "padding-as-data": "the padding between extents is taken for data",
    # what is accepted and what is refused
    "check-missing": "a check is missing: malformed files of one kind are accepted",
    "rejects-valid": "valid files of one kind are rejected",
    "crashes": "the loader crashes on files of one kind",
    # how it behaves
    "state-kept": "something is kept from one file to the next",
    "modes-differ": "the answers differ between serve and one-shot",
    "nondeterministic": "two runs on the same file differ",
}


@dataclass(frozen=True)
class Diagnosis:
    """One explanation with its proof.

    ``name`` is a key of EXPLANATIONS; ``sentence`` says it of this loader, with the first place where it shows;
    ``measured`` is the map or the count behind it, a few short lines; ``cases`` are the ids it explains.
    """

    name: str
    sentence: str
    measured: str = ""
    cases: tuple[str, ...] = ()

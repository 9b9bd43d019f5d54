"""What an adapter wrote for a good file, from every side: each fault has its aspect and its remedy."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest

from awq_conformance.adapter import Observation
from awq_conformance.cases import Case, load
from awq_conformance.doctor.written import Aspect, faults
from awq_conformance.process import Execution
from awq_conformance.protocol import Hello, parse_hello
from awq_conformance.verdict import OutputError, Verdict

if TYPE_CHECKING:
    from tests.conftest import Maker

W = np.arange(6, dtype=np.float32).reshape(2, 3)
HELLO = parse_hello("proto=1 dtypes=f32 layouts=nk")


def npy(values: Any) -> bytes:
    """Return an array as numpy.save writes it."""
    out = io.BytesIO()
    np.save(out, values)
    return out.getvalue()


def npz(values: Any) -> bytes:
    """Return an array as numpy.savez writes it."""
    out = io.BytesIO()
    np.savez(out, values)
    return out.getvalue()


GOOD = {"0.W.nk.npy": npy(W), "2.W.nk.f32.2x3.bin": W.tobytes()}


@pytest.fixture
def case(maker: Maker) -> Case:
    """A good file: quantised, plain, quantised; they are called t0, t1 and t2."""
    tensor = {"W": W, "q": W.astype(np.uint8), "z": np.zeros((2, 1), np.uint8), "s": np.ones((2, 1), np.float32)}
    maker.root.mkdir(parents=True)
    maker.add("good", b"{}", [tensor, {"P": b"\1\2\3"}, tensor])
    return load(maker.manifest()).cases["toy/good"]


def seen(files: dict[str, bytes], op: str = "dequant", **facts: Any) -> Observation:
    """Return an accepting call that left ``files``."""
    return Observation(op, Execution(0, None, timed_out=False, seconds=0, peak_rss=0, tail=b""), files, **facts)


def told(case: Case, files: dict[str, bytes], hello: Hello = HELLO, **facts: Any) -> list[tuple[Aspect, str]]:
    """Return every fault as its aspect and all that is said about it."""
    return [(fault.aspect, f"{fault.got}: {fault.remedy}") for fault in faults(case, seen(files, **facts), hello)]


def test_good_outputs_have_no_fault(case: Case) -> None:
    """Neither for one operation nor for another, in either kind of file."""
    assert told(case, GOOD) == []
    assert told(case, {"1.P.bin": b"\1\2\3"}, op="plain") == []
    assert told(case, {}, op="inspect") == []


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("t0.npy", "named by the number of the tensor, never by its name"),
        ("0.W.npy", "The layout, nk or kn, is missing in the name"),
        ("00.W.nk.npy", "decimal without leading zeros"),
        ("0.w.nk.npy", "Upper and lower case matter"),
        ("0.W.NK.npy", "Upper and lower case matter"),
        ("0.W.nk.npy.tmp", "Remove or rename temporary files"),
        ("0.W.nk.npz", "numpy.savez writes an archive"),
        ("0.W.nk.bin", "carries its dtype and its dimensions"),
        ("0.W.nk.float32.2x3.bin", "DTYPE is one of f16, bf16, f32, f64 and u8"),
        ("0.W.nk.f32.2,3.bin", "decimal numbers with an x between them"),
        ("1.P.npy", "are NUMBER.P.bin and carry no header"),
        ("7.W.nk.npy", "place in the index, from 0, quantised and plain ones counted"),
        ("1.P.bin", "dequant writes W, of the tensors that have it"),
        ("hello.txt", "answers hello and no other operation"),
        ("reject.txt", "with exit status 65 or 69 only"),
        ("weights", "A name is NUMBER.WHAT.LAYOUT.npy"),
    ],
)
def test_a_wrong_name_is_explained(case: Case, name: str, remedy: str) -> None:
    """What is nearly right is told apart from what is not; what is there in its stead is missing."""
    files = {name: GOOD["0.W.nk.npy"], "2.W.nk.f32.2x3.bin": W.tobytes()}
    wrong, missing = told(case, files)
    assert (wrong[0], remedy in wrong[1]) == (Aspect.NAMES, True), wrong
    assert wrong[1].startswith(f"{name!r} where 0.W.nk.npy belongs: ")
    assert (missing[0], missing[1].startswith("no 0.W.nk.npy")) == (Aspect.NAMES, True)


@pytest.mark.parametrize(
    ("files", "facts", "remedy"),
    [
        ({}, {}, "nothing written: It ended with 0 before it had written"),
        ({}, {"stray": ("0.W.nk.npy",)}, "0.W.nk.npy is in the working directory: write to OUTDIR"),
        ({"0.W.nk.npy": GOOD["0.W.nk.npy"]}, {}, "no 2.W.nk.npy: Every tensor"),
        ({**GOOD, "0.W.nk.f32.2x3.bin": W.tobytes()}, {}, "Write each output once"),
        ({}, {"fault": OutputError(Verdict.EXTRA_OUTPUT, "'0' is not a regular file")}, "straight into OUTDIR"),
    ],
)
def test_what_is_missing_or_there_twice(
    case: Case, files: dict[str, bytes], facts: dict[str, Any], remedy: str
) -> None:
    """The set of files is one of the aspects."""
    (wrong,) = told(case, files, **facts)
    assert (wrong[0], remedy in wrong[1]) == (Aspect.NAMES, True), wrong


@pytest.mark.parametrize(
    ("name", "data", "aspect", "remedy"),
    [
        ("0.W.nk.npy", npy(W)[:-1], Aspect.COMPLETE, "Close or flush each file"),
        ("0.W.nk.npy", b"", Aspect.COMPLETE, ".npy as numpy.save writes it"),
        ("0.W.nk.npy", npz(W), Aspect.COMPLETE, "the archive of numpy.savez"),
        ("0.W.nk.npy", npy(W.ravel()), Aspect.SHAPE, "reshape to [.., N, K]"),
        ("0.W.nk.npy", npy(W.T), Aspect.SHAPE, "name the file 0.W.kn, as it is"),
        ("0.W.nk.npy", npy(W.reshape(1, 6)), Aspect.SHAPE, "The elements are there, the dimensions are not"),
        ("0.W.nk.npy", npy(W[:, :2]), Aspect.SHAPE, "W and q are [.., N, K]"),
        ("0.W.nk.npy", npy(W.astype(np.float64)), Aspect.DTYPE, "NumPy widens to float64"),
        ("0.W.nk.npy", npy(W.astype(np.float16)), Aspect.DTYPE, "dtypes=f16"),
        ("0.W.nk.npy", npy(W.astype(">f4")), Aspect.DTYPE, "The array is big-endian"),
        ("0.W.nk.npy", npy(W.astype(np.int32)), Aspect.DTYPE, "W is floating point"),
        ("0.W.nk.npy", npy(W.astype(np.int8)), Aspect.DTYPE, ".astype(numpy.uint8)"),
        ("0.W.nk.npy", npy(W.astype(ml_dtypes.bfloat16)), Aspect.DTYPE, "NumPy saves bfloat16 as nameless bytes"),
        ("0.W.nk.npy", npy(W.astype(object)), Aspect.DTYPE, "holds Python objects"),
        ("0.W.nk.npy", npy(W.astype(np.complex64)), Aspect.DTYPE, "W is f16, bf16 (as .bin), f32 or f64"),
        ("0.W.kn.npy", npy(W.T), Aspect.LAYOUT, "layouts=nk, kn, or both"),
        ("0.W.nk.f32.2x3.bin", W.tobytes() + b"\0", Aspect.COMPLETE, "headerless elements"),
    ],
)
def test_each_aspect_of_a_file(case: Case, name: str, data: bytes, aspect: Aspect, remedy: str) -> None:
    """Completeness, shape, dtype and layout are looked at one by one."""
    (wrong,) = told(case, {name: data, "2.W.nk.npy": npy(W)})
    assert (wrong[0], remedy in wrong[1]) == (aspect, True), wrong


def test_all_faults_of_a_file_are_seen(case: Case) -> None:
    """A wrong shape does not hide a wrong dtype, nor one tensor the next."""
    files = {"0.W.nk.npy": npy(W.T.astype(np.float64)), "2.W.nk.npy": npy(W)[:-1], "x": b""}
    aspects = [aspect for aspect, _ in told(case, files)]
    assert aspects == [Aspect.NAMES, Aspect.SHAPE, Aspect.DTYPE, Aspect.COMPLETE]


def test_codes_and_scales_have_one_dtype(case: Case) -> None:
    """Codes and zero points are u8, scales f32, whatever hello says of W."""
    files = {
        f"{number}.{what}.nk.npy": npy(values)
        for number in (0, 2)
        for what, values in {"q": W, "z": np.zeros((2, 1), np.uint8), "s": np.ones((2, 1), np.float32)}.items()
    }
    assert [aspect for aspect, _ in told(case, files, op="unpack")] == [Aspect.DTYPE] * 2


def test_values_are_no_fault_of_an_adapter(case: Case) -> None:
    """Wrong numbers, NaN among them, are the loader's."""
    assert told(case, {**GOOD, "0.W.nk.npy": npy(np.full_like(W, np.nan))}) == []
    assert Path(case.root).is_dir()

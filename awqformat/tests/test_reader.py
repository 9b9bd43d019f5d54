"""Opening, verifying and taking tensors out."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
import pytest
from hypothesis import given

from awqformat import AwqError, AwqFile, Contents, Dtype, load_file, safe_open, save_file
from awqformat.container.reader import Verify
from awqformat.container.source import Mode
from awqformat.tests import damage, strategies

MODES: Final = get_args(Mode)
VERIFY: Final = get_args(Verify)
modes = pytest.mark.parametrize("mode", MODES)

BROKEN_B: Final = damage.damaged((damage.B_AT, "B", 0xFF), refresh=False)


@given(contents=strategies.contents())
def test_all_ways_of_opening_give_the_same(contents: Contents, scratch: Path) -> None:
    """Neither the way of reading nor the time of verification changes what is read."""
    damage.written(scratch, contents)
    seen = set()
    for mode in MODES:
        for verify in VERIFY:
            with safe_open(scratch, verify=verify, mode=mode) as file:
                tensors = [(file.info(name), file.get_tensor(name).tobytes()) for name in file.keys()]  # noqa: SIM118
                seen.add((file.identity, tuple(tensors), tuple(file.metadata().items())))
    assert len(seen) == 1


@pytest.mark.req("AWQ-CON-007", "AWQ-CON-074", "AWQ-CON-075")
@modes
def test_damage_is_found_at_first_touch_and_not_before(mode: Mode, tmp_path: Path) -> None:
    """The file opens, its other tensors are good, and the damaged one is refused every time."""
    with safe_open(damage.stored(tmp_path / "f", BROKEN_B), mode=mode) as file:
        assert file.get_tensor("a").tolist() == [1, 2, 3]
        for _ in range(2):
            for take in (file.get_tensor, file.get_quantized):
                with pytest.raises(AwqError, match=r"^E_DIGEST b: chunk 0, at byte 1024, expected \w{64}, got \w{64}$"):
                    take("b")


@modes
def test_damage_is_never_found_without_verification(mode: Mode, tmp_path: Path) -> None:
    """With "none" the caller gets the bytes as they are, and can still ask for verification."""
    with safe_open(damage.stored(tmp_path / "f", BROKEN_B), verify="none", mode=mode) as file:
        assert file.get_quantized("b").codes[0, :2].tolist() == [15, 15]
        assert file.get_tensor("a").tolist() == [1, 2, 3]
        with pytest.raises(AwqError, match=r"^E_DIGEST b"):
            file.verify()


@pytest.mark.req("AWQ-CON-007")
@modes
def test_damage_is_found_on_opening_when_asked(mode: Mode, tmp_path: Path) -> None:
    """With "all" a damaged file does not open."""
    with pytest.raises(AwqError, match=r"^E_DIGEST b"):
        safe_open(damage.stored(tmp_path / "f", BROKEN_B), verify="all", mode=mode)


@pytest.mark.req("AWQ-CON-072")
@modes
def test_the_first_failing_tensor_of_the_index_is_reported(mode: Mode, tmp_path: Path) -> None:
    """The order of the index decides, neither that of the data nor that of the threads."""
    save_file({f"{i:03}": np.full(50_000 if i == 7 else 1, i, np.uint8) for i in reversed(range(40))}, tmp_path / "f")
    data = bytearray((tmp_path / "f").read_bytes())
    with safe_open(tmp_path / "f") as file:
        for i in (30, 7, 8, 39):
            data[file.info(f"{i:03}").offset] ^= 1
    passed: list[str] = []
    file = safe_open(damage.stored(tmp_path / "f", data), mode=mode)
    with file, pytest.raises(AwqError, match=r"^E_DIGEST 007"):
        file.verify(progress=lambda info: passed.append(info.name))
    assert passed == [f"{i:03}" for i in range(7)]


def test_progress_names_every_tensor_once(tmp_path: Path) -> None:
    """Verification reports each tensor that passed, in index order, however many there are."""
    names = [f"{i:04}" for i in range(1500)]
    save_file({name: np.array([1], np.uint8) for name in reversed(names)}, tmp_path / "f")
    passed: list[str] = []
    with safe_open(tmp_path / "f") as file:
        file.verify(progress=lambda info: passed.append(info.name))
    assert passed == names


@modes
def test_arrays_outlive_the_file(mode: Mode, tmp_path: Path) -> None:
    """What was taken out stays valid after closing, also when the file is gone."""
    with safe_open(damage.written(tmp_path / "f"), mode=mode) as file:
        plain, tensor, raw = file.get_tensor("a"), file.get_quantized("b"), file.plain_bytes("a")
    (tmp_path / "f").unlink()
    assert plain.tolist() == [1, 2, 3]
    assert tensor.codes[0, :3].tolist() == [0, 1, 2]
    assert bytes(raw) == plain.tobytes()


@modes
def test_arrays_of_the_file_cannot_be_written(mode: Mode, tmp_path: Path) -> None:
    """Plain tensors and packed arrays look into the file and are read-only; dequantised weights are the caller's."""
    with safe_open(damage.written(tmp_path / "f"), mode=mode) as file:
        assert not file.get_tensor("a").flags.writeable
        assert not file.get_quantized("b").packed_codes.flags.writeable
        assert file.get_tensor("b").flags.writeable


def test_dequantises_into_a_buffer(tmp_path: Path) -> None:
    """A buffer of the caller is filled and returned."""
    out = np.empty((2, 24), np.float16)
    with safe_open(damage.written(tmp_path / "f")) as file:
        assert file.get_tensor("b", np.float16, out) is out
        assert (out == file.get_tensor("b")).all()


METHODS: dict[str, Callable[[AwqFile], Callable[[str], Any]]] = {
    "info": lambda file: file.info,
    "is_quantized": lambda file: file.is_quantized,
    "get_tensor": lambda file: file.get_tensor,
    "get_quantized": lambda file: file.get_quantized,
    "plain_bytes": lambda file: file.plain_bytes,
}


@pytest.mark.parametrize("method", METHODS)
def test_an_unknown_name_is_a_key_error(method: str, tmp_path: Path) -> None:
    """As in a mapping, a name that is not there is a KeyError."""
    with safe_open(damage.written(tmp_path / "f")) as file, pytest.raises(KeyError, match="nope"):
        METHODS[method](file)("nope")


def test_the_wrong_kind_of_tensor_is_refused(tmp_path: Path) -> None:
    """A plain tensor has no codes, and a quantised one no plain bytes."""
    with safe_open(damage.written(tmp_path / "f")) as file:
        with pytest.raises(AwqError, match=r"^E_RECORD a: dtype, expected U4, got F32$"):
            file.get_quantized("a")
        with pytest.raises(AwqError, match=r"^E_RECORD b: dtype, expected a plain tensor, got U4$"):
            file.plain_bytes("b")


def test_info_says_what_the_index_says(tmp_path: Path) -> None:
    """Dtypes, shape, group size and place of a quantised tensor."""
    with safe_open(damage.written(tmp_path / "f")) as file:
        info = file.info("b")
    assert (info.name, info.number, info.dtype, info.shape) == ("b", 1, Dtype.U4, (2, 24))
    assert (info.scale_dtype, info.zero_dtype, info.group_size) == (Dtype.F16, Dtype.U4, 8)
    assert (info.offset, info.size, info.quantized) == (damage.B_AT, 192, True)


def test_the_root_is_the_identity(tmp_path: Path) -> None:
    """The identity of a file is the root digest in its tail, in hexadecimal."""
    with safe_open(damage.written(tmp_path / "f")) as file:
        assert file.identity == damage.small()[damage.TAIL : damage.TAIL + 32].hex()


@pytest.mark.parametrize("arguments", [{"verify": "maybe"}, {"mode": "read"}])
def test_unknown_options_are_refused(arguments: dict[str, Any], tmp_path: Path) -> None:
    """A misspelt option is an error and not a default."""
    with pytest.raises(ValueError, match=r"is 'none', 'touch' or 'all'|is 'mmap' or 'pread'"):
        safe_open(damage.written(tmp_path / "f"), **arguments)


@pytest.mark.req("AWQ-CON-078", "AWQ-CON-079")
def test_a_file_that_shrinks_is_an_io_error(tmp_path: Path) -> None:
    """In pread mode a file cut while it is open is E_IO, wherever it was cut."""
    with safe_open(damage.written(tmp_path / "f"), mode="pread") as file:
        os.truncate(tmp_path / "f", damage.C_AT + 10)
        assert file.get_tensor("a").tolist() == [1, 2, 3]
        with pytest.raises(AwqError, match=r"^E_IO file: read, at byte 1280, expected 128 bytes, got 10 bytes$"):
            file.get_tensor("c")


def test_a_changed_file_is_verified_again(tmp_path: Path) -> None:
    """In pread mode every read is verified, since it may bring other bytes."""
    with safe_open(damage.written(tmp_path / "f"), mode="pread") as file:
        file.get_tensor("a")
        with (tmp_path / "f").open("r+b") as other:
            other.seek(damage.A_AT)
            other.write(b"\1")
        with pytest.raises(AwqError, match=r"^E_DIGEST a"):
            file.get_tensor("a")


def test_a_closed_file_gives_no_more_data(tmp_path: Path) -> None:
    """Taking data out of a closed file is E_IO; closing twice is harmless."""
    with safe_open(damage.written(tmp_path / "f")) as file:
        pass
    file.close()
    with pytest.raises(AwqError, match=r"^E_IO file: read, at byte 1216, got Bad file descriptor$"):
        file.get_tensor("a")


@modes
def test_a_refused_file_leaves_no_descriptor_open(mode: Mode, tmp_path: Path) -> None:
    """Failing to open costs nothing, however often."""
    path = damage.stored(tmp_path / "f", BROKEN_B)
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(5):
        with pytest.raises(AwqError):
            safe_open(path, verify="all", mode=mode)
    assert len(list(Path("/dev/fd").iterdir())) == before


@pytest.mark.req("AWQ-CON-043")
def test_an_encrypted_file_is_unsupported_after_stage_p(tmp_path: Path) -> None:
    """A sound encrypted file is no fault, but this reader cannot read it; an unsound one is refused as such."""
    sections = [(0x20, 1, b""), (0x30, 1, b""), (0x40, 1, bytes(128)), (0x50, 1, b""), (0x60, 1, b""), (0x100, 1, b"")]
    file = damage.assembled(*sections, features=1)
    with pytest.raises(AwqError, match=r"^UNSUPPORTED header: features, expected a plain file, got ENCRYPTED$"):
        safe_open(damage.stored(tmp_path / "f", file))
    file[600] ^= 1  # in CRYPT, whose digest is now wrong
    with pytest.raises(AwqError, match=r"^E_DIGEST CRYPT: digest, at byte 224"):
        safe_open(damage.stored(tmp_path / "f", file))


def test_no_name_becomes_an_attribute(tmp_path: Path) -> None:
    """Names that mean something to Python are names and nothing else."""
    names = ["A", "__class__", "_source", "a", "close", "z" * 255]
    save_file({name: np.array([i], np.uint8) for i, name in enumerate(names)}, tmp_path / "f")
    with safe_open(tmp_path / "f") as file:
        assert file.keys() == names
        assert isinstance(file, AwqFile)
    assert [array.tolist() for array in load_file(tmp_path / "f").values()] == [[i] for i in range(6)]


@pytest.mark.req("AWQ-CON-080")
@modes
def test_opening_takes_memory_in_proportion_to_the_index(mode: Mode, tmp_path: Path) -> None:
    """Before it touches data a reader takes at most 4 times INDEX, STRINGS, META and DIGEST, and 1 MiB."""
    save_file({f"layers.{i}.weight": np.array([i % 256], np.uint8) for i in range(10_000)}, tmp_path / "f")
    tracemalloc.start()
    with safe_open(tmp_path / "f", mode=mode) as file:
        peak = tracemalloc.get_traced_memory()[1]
        tables = sum(section.size for section in file.preamble.sections if section.name != "DATA")
    tracemalloc.stop()
    assert peak <= 4 * tables + 2**20


@pytest.mark.parametrize("verify", ["touch", "all"])
def test_verification_lets_go_of_what_it_has_read(verify: Verify, tmp_path: Path) -> None:
    """Verifying a file by reads holds a few tensors at a time, not the file."""
    save_file({f"{i:02}": np.zeros(2**20, np.uint8) for i in range(64)}, tmp_path / "f")
    tracemalloc.start()
    with safe_open(tmp_path / "f", verify=verify, mode="pread") as file:
        file.verify()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20 * (2 * (os.cpu_count() or 1) + 4)


@pytest.mark.req("AWQ-CON-080")
@modes
def test_a_large_foreign_section_takes_no_memory(mode: Mode, tmp_path: Path) -> None:
    """Sections without a meaning are hashed in pieces."""
    foreign = (0x8000_0000, 0, bytes(2**24))
    file = damage.assembled((0x20, 1, b""), (0x30, 1, b""), (0x60, 1, b""), (0x100, 1, b""), foreign)
    path = damage.stored(tmp_path / "f", file)
    tracemalloc.start()
    safe_open(path, mode=mode).close()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.req("AWQ-CON-008")
@pytest.mark.parametrize("part", range(8))
def test_every_single_bit_counts(part: int, tmp_path: Path) -> None:
    """Whichever bit of a file is flipped, full verification rejects the file."""
    data = damage.small()
    path = damage.stored(tmp_path / "f", data)
    with path.open("r+b", buffering=0) as file:
        for at in range(len(data)):
            os.pwrite(file.fileno(), bytes([data[at] ^ 1 << part]), at)
            with pytest.raises(AwqError):
                safe_open(path, verify="all", mode="pread")
            os.pwrite(file.fileno(), bytes([data[at]]), at)
    safe_open(path, verify="all").close()


def test_a_plain_tensor_is_copied_where_the_caller_says(tmp_path: Path) -> None:
    """With ``out`` a plain tensor is written there, and one that does not fit is refused."""
    save_file({"p": np.arange(6, dtype=np.int16).reshape(2, 3)}, tmp_path / "f")
    out = np.zeros((2, 3), np.int16)
    with safe_open(tmp_path / "f") as file:
        assert file.get_tensor("p", out=out) is out
        assert out.tolist() == [[0, 1, 2], [3, 4, 5]]
        with pytest.raises(AwqError, match="E_DIMS out"):
            file.get_tensor("p", out=np.zeros((3, 2), np.int16))

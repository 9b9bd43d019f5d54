"""The worked examples of the chapters layouts and runtime, worked out again from the rules of the text alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from tools.tests.blocks import block

O = (0, 2, 4, 6, 1, 3, 5, 7)  # noqa: E741  # the spec's name
R = tuple(O.index(j) for j in range(8))

N = K = 8
Q = [[(3 * n + 5 * k) % 16 for k in range(K)] for n in range(N)]
Z = [n + 4 for n in range(N)]
S = [(1 + n / 16) * 2.0 ** -(n % 4 + 3) for n in range(N)]


def word(nibbles: Iterable[int]) -> int:
    """Return the word whose nibble p is the p-th value."""
    return sum(nibble << 4 * p for p, nibble in enumerate(nibbles))


def nibble(value: int, p: int) -> int:
    """Return bits 4p .. 4p+3."""
    return value >> 4 * p & 15


def words(rows: list[str]) -> list[int]:
    """Return hexadecimal words as numbers."""
    return [int(text, 16) for text in rows]


def test_the_interleaved_order() -> None:
    """R is the inverse of O and O applied twice; the word tells the three ways of reading apart."""
    assert tuple((j >> 1) | ((j & 1) << 2) for j in range(8)) == R
    assert tuple(O[O[j]] for j in range(8)) == R != O
    places = {"interleaved": R, "sequential": tuple(range(8)), "inverse": O}
    for value, rule, *elements in block("values", "layouts-order").rows:
        assert [nibble(int(value, 16), p) for p in places.pop(rule)] == [int(element) for element in elements]
    assert places == {}


CODES_ALONG_K = [word(row) for row in Q]
EXAMPLE: dict[str, Callable[[], list[int]]] = {
    "gemm.qweight": lambda: [word(Q[O[p]][k] for p in range(8)) for k in range(K)],
    "gemm.qzeros": lambda: [word(Z[O[p]] for p in range(8))],
    "gemv.qweight": lambda: CODES_ALONG_K,
    "gemv.qzeros": lambda: Z,
    "gptq.qweight": lambda: CODES_ALONG_K,
    "gptq_v2.qzeros": lambda: [word(Z)],
    "gptq_v1.qzeros": lambda: [word((z + 15) % 16 for z in Z)],
    "ct.weight_packed": lambda: CODES_ALONG_K,
    "ct.weight_zero_point": lambda: [word(Z)],
    "int4pack.weight": lambda: [word(Q[n][k] ^ 8 for n in range(N)) for k in range(K)],
    "scales": lambda: np.array(S, np.float16).view(np.uint16).tolist(),
    "W[:,0]": lambda: np.array([(Q[n][0] - Z[n]) * S[n] for n in range(N)], np.float16).view(np.uint16).tolist(),
}
ROWS = {row[0]: row[1:] for row in block("values", "layouts-example").rows}


@pytest.mark.parametrize("name", EXAMPLE)
def test_one_example_for_all(name: str) -> None:
    """Each dialect's words are those that its rule makes of the same q, z and s."""
    stated = [text for text in ROWS[name] if text not in ("in", "F16")]
    assert words(stated) == EXAMPLE[name]()


def test_the_example_leaves_no_row_out() -> None:
    """Every row of the example is worked out; offsets of int4pack are signed numbers."""
    assert [int(text) for text in ROWS["int4pack.offset"]] == [8 - z for z in Z]
    assert set(ROWS) == {*EXAMPLE, "int4pack.offset"}


@pytest.mark.parametrize("row", block("values", "layouts-gemv-width").rows, ids="-".join)
def test_padded_width_of_gemv(row: list[str]) -> None:
    """ZW is ceil(groups / 8), rounded up to a multiple that depends on G; scales have 8 ZW columns."""
    k, g, groups, zw, columns = map(int, row)
    multiple = {32: 4, 64: 2}.get(g, 1)
    assert groups * g == k
    full = (groups + 7) // 8
    assert zw == (full + multiple - 1) // multiple * multiple
    assert columns == 8 * zw


def test_tiles_of_gemv_fast() -> None:
    """Every code is in the nibble of the 16-bit word that the rule names."""
    tile = [0] * 64
    for n in range(4):
        for k in range(64):
            column = k // 64 * 64 + n % 4 * 16 + k % 64 // 32 * 8 + k % 8
            tile[column] |= (3 * n + 5 * k) % 16 << 4 * (k % 32 // 8)
    first, third = block("values", "layouts-fast").rows
    assert (words(first), words(third)) == (tile[:8], tile[16:20])


def test_zero_points_of_gptq() -> None:
    """v1 stores z - 1 modulo 16 in each nibble; doing it to the whole word gives the two wrong words of the text."""
    rows = block("values", "layouts-gptq-zeros").rows
    for row in rows:
        z = [int(value) for value in row[:8]]
        assert words(row[8:]) == [word((value + 15) % 16 for value in z), word(z)]
    assert int(rows[1][8], 16) + 0x11111111 == 0x180F4090
    assert sum((int(value) - 1) << 4 * p for p, value in enumerate(rows[0][:8])) & 0xFFFFFFFF == 0xE5F3EF6F


@pytest.mark.parametrize("row", block("values", "runtime-nz").rows, ids="-".join)
def test_fractal_nz(row: list[str]) -> None:
    """Padding, cutting into tiles and transposing puts the element where the formula and the table say."""
    r, c, rows, columns, c0, offset = map(int, row)
    r1, c1 = -(-rows // 16), -(-columns // c0)
    matrix = np.zeros((r1 * 16, c1 * c0), np.uint8)
    matrix[r, c] = 1
    tiles = matrix.reshape(r1, 16, c1, c0).transpose(2, 0, 1, 3)
    assert np.flatnonzero(tiles.ravel()).tolist() == [offset]
    assert c // c0 * (r1 * 16 * c0) + r // 16 * (16 * c0) + r % 16 * c0 + c % c0 == offset

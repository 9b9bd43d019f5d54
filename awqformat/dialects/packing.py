"""How a matrix of 4-bit numbers lies in words, and the one way in which it is read and written (spec: layouts)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from awqformat.layouts import pack_nibbles, unpack_nibbles

Array = np.ndarray[Any, Any]

AWQ_ORDER: Final = (0, 2, 4, 6, 1, 3, 5, 7)
"""O: nibble p of a word holds element O[p]."""

_BLOCK: Final = 1 << 22  # numbers that are taken apart at a time, so that memory stays small beside the matrix


@dataclass(frozen=True)
class Packing:
    """The place of every number of a matrix (rows, columns) in an array of words.

    The matrix is cut into tiles; the numbers of one tile fill words that lie side by side.

    Attributes:
        word: dtype of the words, little-endian.
        tile: rows and columns of a tile.
        order: for each nibble of a tile's words, the lowest of the first word first, the element of the tile in it,
            counted row by row.
        by_columns: whether the array has a row for each column of tiles, instead of one for each row of them.
        bias: what is added to a number, modulo 16, before it is stored. 8 turns the top bit, 15 takes away 1.
    """

    word: str
    tile: tuple[int, int]
    order: tuple[int, ...]
    by_columns: bool = False
    bias: int = 0

    @property
    def words(self) -> int:
        """Words of one tile."""
        return len(self.order) // (2 * np.dtype(self.word).itemsize)

    def shape(self, rows: int, columns: int) -> tuple[int, int]:
        """Return the shape of the array of words for a matrix, tiles that are not full included."""
        down, across = -(-rows // self.tile[0]), -(-columns // self.tile[1])
        return (across, down * self.words) if self.by_columns else (down, across * self.words)

    def unpack(self, words: Array, rows: int, columns: int) -> Array:
        """Return the numbers as uint8 (rows, columns); what lies beyond them in the last tiles is left out."""
        numbers = np.empty((rows, columns), np.uint8)
        for tiles, span in self._blocks(rows, columns):
            block = words[:, tiles.start * self.words : tiles.stop * self.words] if self.by_columns else words[tiles]
            numbers[span] = self._numbers(np.ascontiguousarray(block))[: span.stop - span.start, :columns]
        return numbers

    def rest(self, words: Array, rows: int, columns: int) -> bool:
        """Return whether anything but zero nibbles lies beyond the matrix, in its last tiles or in words after them."""
        first, second = words.shape[0], words.shape[1] // self.words
        down, across = (second, first) if self.by_columns else (first, second)
        full = (down * self.tile[0], across * self.tile[1])
        if full == (rows, columns):
            return False
        stored = self.unpack(words, *full)
        blank = np.uint8(-self.bias % 16)  # what a zero nibble reads as
        return bool((stored[rows:] != blank).any() or (stored[:, columns:] != blank).any())

    def pack(self, numbers: Array) -> Array:
        """Return the words of a matrix of numbers 0..15; nibbles beyond it are zero."""
        rows, columns = numbers.shape
        across = self._tiles(rows, columns)[1]
        words = np.empty(self.shape(rows, columns), self.word)
        for tiles, span in self._blocks(rows, columns):
            block = np.zeros(((tiles.stop - tiles.start) * self.tile[0], across), np.uint8)
            block[: span.stop - span.start, :columns] = (numbers[span] + np.uint8(self.bias)) & 15
            stored = self._stored(block)
            if self.by_columns:
                words[:, tiles.start * self.words : tiles.stop * self.words] = stored
            else:
                words[tiles] = stored
        return words

    def unpack_pairs(self, words: Array, rows: int, columns: int) -> Array:
        """Return the numbers two in a byte, the first in the low nibble: uint8 (rows, columns // 2).

        The same as packing what :meth:`unpack` gives; where words hold whole pairs, or the eights of two columns, no
        number is taken apart from its neighbours.
        """
        if self._in_sequence(columns):
            return np.array(words.T if self.by_columns else words, order="C").view(np.uint8)
        if not self._in_eights(rows, columns):
            return pack_nibbles(self.unpack(words, rows, columns))
        columns_of_words = np.ascontiguousarray(words).view("<u4")
        pairs = _exchanged(columns_of_words[0::2], columns_of_words[1::2])
        packed = np.empty((rows // 8, 8, columns // 2), np.uint8)
        for nibble, element in enumerate(self.order):
            stored = pairs[nibble % 2].view(np.uint8)[:, nibble // 2 :: 4]
            np.bitwise_xor(stored.T, 0x11 * self.bias, out=packed[:, element])
        return packed.reshape(rows, -1)

    def pack_pairs(self, packed: Array) -> Array:
        """Return the words of numbers that lie two in a byte, as :meth:`unpack_pairs` gives them."""
        rows, columns = packed.shape[0], 2 * packed.shape[1]
        if self._in_sequence(columns):
            words = np.ascontiguousarray(packed).view(self.word)
            return np.array(words.T if self.by_columns else words, order="C")
        if not self._in_eights(rows, columns):
            return self.pack(unpack_nibbles(packed, columns))
        eights = packed.reshape(rows // 8, 8, -1)
        pairs = np.empty((2, columns // 2, rows // 2), np.uint8)
        for nibble, element in enumerate(self.order):
            np.bitwise_xor(eights[:, element].T, 0x11 * self.bias, out=pairs[nibble % 2][:, nibble // 2 :: 4])
        words = np.empty(self.shape(rows, columns), "<u4")
        words[0::2], words[1::2] = _exchanged(*pairs.view("<u4"))
        return words.view(self.word)

    def _in_sequence(self, columns: int) -> bool:
        """Return whether the words of a row are its pairs, one after another."""
        sequence = self.order == tuple(range(self.tile[1]))
        return self.tile[0] == 1 and sequence and not self.bias and columns % self.tile[1] == 0

    def _in_eights(self, rows: int, columns: int) -> bool:
        """Return whether each word is eight rows of one column, the bias one that only turns bits."""
        return (
            self.tile == (8, 1)
            and self.by_columns
            and self.bias in (0, 8)
            and (rows % 8, columns % 2) == (0, 0)
            and np.dtype(self.word).itemsize == 4
        )

    def _tiles(self, rows: int, columns: int) -> tuple[int, int]:
        """Return the shape of the matrix with its last tiles full."""
        return -(-rows // self.tile[0]) * self.tile[0], -(-columns // self.tile[1]) * self.tile[1]

    def _blocks(self, rows: int, columns: int) -> Iterator[tuple[slice, slice]]:
        """Yield rows of tiles, and the rows of numbers in them, a few at a time."""
        height = self.tile[0]
        step = max(1, _BLOCK // (height * columns))
        for start in range(0, -(-rows // height), step):
            stop = min(start + step, -(-rows // height))
            yield slice(start, stop), slice(start * height, min(stop * height, rows))

    @cached_property
    def _place(self) -> Array:
        """For each element of a tile the nibble it is in."""
        return np.argsort(np.array(self.order))

    def _numbers(self, block: Array) -> Array:
        """Return the numbers of whole tiles."""
        first, second = block.shape[0], block.shape[1] // self.words
        packed = block.astype(self.word, copy=False).view(np.uint8).reshape(first, second, -1)
        nibbles = np.stack([packed & 15, packed >> 4], axis=-1).reshape(first, second, -1)
        if self.bias:
            nibbles = (nibbles - np.uint8(self.bias)) & 15
        tiles = nibbles[..., self._place].reshape(first, second, *self.tile)
        down, across, axes = (second, first, (1, 2, 0, 3)) if self.by_columns else (first, second, (0, 2, 1, 3))
        numbers: Array = tiles.transpose(axes).reshape(down * self.tile[0], across * self.tile[1])
        return numbers

    def _stored(self, block: Array) -> Array:
        """Return the words of whole tiles."""
        down, across = block.shape[0] // self.tile[0], block.shape[1] // self.tile[1]
        tiles = block.reshape(down, self.tile[0], across, self.tile[1])
        tiles = tiles.transpose(2, 0, 1, 3) if self.by_columns else tiles.transpose(0, 2, 1, 3)
        nibbles = tiles.reshape(*tiles.shape[:2], -1)[..., np.array(self.order)]
        packed = nibbles[..., 0::2] | nibbles[..., 1::2] << 4
        return np.ascontiguousarray(packed).reshape(len(packed), -1).view(self.word)


def _exchanged(one: Array, other: Array) -> Array:
    """Return the low nibbles of all bytes of two arrays in pairs, then the high ones; it is its own inverse."""
    low = one & 0x0F0F0F0F | (other & 0x0F0F0F0F) << 4
    high = one >> 4 & 0x0F0F0F0F | other & 0xF0F0F0F0
    return np.stack([low, high])


def along_rows(count: int) -> tuple[int, int]:
    """Return the tile of a word that holds ``count`` numbers of one row."""
    return 1, count


def along_columns(count: int) -> tuple[int, int]:
    """Return the tile of a word that holds ``count`` numbers of one column."""
    return count, 1


def fast_order() -> tuple[int, ...]:
    """Return the order of gemv_fast: tiles of 4 rows and 64 columns in 64 words of 16 bits (AWQ-LAY-008)."""
    order = [0] * 256
    for n in range(4):
        for k in range(64):
            word, nibble = n * 16 + (k % 64) // 32 * 8 + k % 8, (k % 32) // 8
            order[4 * word + nibble] = 64 * n + k
    return tuple(order)


def marlin_order() -> tuple[int, ...]:
    """Return the order of marlin: tiles of 64 rows and 16 columns in 128 words of 32 bits (AWQ-LAY-012)."""
    place = [AWQ_ORDER.index(e) for e in range(8)]
    order = [0] * 1024
    for b in range(64):
        for a in range(16):
            word = (4 * (b % 8) + (a % 8) // 2) * 4 + b // 16
            order[8 * word + place[4 * ((b % 16) // 8) + 2 * (a // 8) + a % 2]] = 16 * b + a
    return tuple(order)

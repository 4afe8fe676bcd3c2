"""Columns on the wire: arrays as bytes or repeated fields, and back."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

MIN_BITS, MAX_BITS = 8, 16
_PACKED = 64 * 1024
"""Values at once, a multiple of 8: on their way each takes a byte for every bit."""
_GROUP = 8
_WORD = np.dtype("<u4")


def to_bytes(column: npt.NDArray[np.generic], kind: str) -> bytes:
    """Return an array as little-endian values of a kind, such as "<f4"."""
    return column.astype(kind, copy=False).tobytes()


def bits_of(values: npt.NDArray[np.int16]) -> int:
    """Return how many bits each of some values needs in two's complement: 8..16.

    Not less than 8, so that what fills up the last byte is never taken for another value.
    """
    if not values.size:
        return MIN_BITS
    largest = max(int(values.max()), -1 - int(values.min()))
    return max(MIN_BITS, largest.bit_length() + 1)


def to_packed(values: npt.NDArray[np.int16], bits: int) -> bytes:
    """Return the lowest bits of each value, one value right after the other, lowest bit first."""
    halves = np.ascontiguousarray(values, "<i2").reshape(-1)
    if bits == MAX_BITS:
        return halves.tobytes()
    return b"".join(
        np.packbits(
            np.unpackbits(
                halves[start : start + _PACKED].view(np.uint8).reshape(-1, 2),
                axis=1, count=bits, bitorder="little",
            ),
            bitorder="little",
        ).tobytes()
        for start in range(0, halves.size, _PACKED)
    )  # fmt: skip


def from_packed(content: bytes, bits: int, rows: int) -> npt.NDArray[np.int16]:
    """Return values that were packed, as [rows, d].

    Raises:
        ValueError: torn, or bits are not 8..16.

    """
    if not MIN_BITS <= bits <= MAX_BITS:
        raise ValueError(f"values of {bits} bits")
    size = len(content) * 8 // bits
    if rows == 0 or size % rows or len(content) != -(-size * bits // 8):
        raise ValueError(f"{len(content)} bytes are no {rows} whole vectors of {bits} bits")
    packed = np.frombuffer(content, np.uint8)
    if bits == MAX_BITS:
        return packed.view("<i2").reshape(rows, -1)
    # Eight values fill `bits` whole bytes. Each lies in the four bytes that begin where it does.
    groups = -(-size // _GROUP)
    whole = np.zeros(groups * bits + _WORD.itemsize, np.uint8)
    whole[: packed.size] = packed
    words = np.empty((groups, _GROUP), np.uint32)
    for place in range(_GROUP):
        at, shift = divmod(place * bits, 8)
        own: npt.NDArray[np.uint32] = np.ndarray((groups,), _WORD, whole, at, (bits,))
        np.right_shift(own, shift, out=words[:, place])
    words &= (1 << bits) - 1
    values = words.view(np.int32)
    sign = 1 << (bits - 1)
    values ^= sign
    values -= sign
    return values.astype(np.int16).reshape(-1)[:size].reshape(rows, -1)


def to_ints(column: Sequence[int]) -> npt.NDArray[np.int64]:
    """Return a repeated field as an array."""
    return np.array(column, np.int64)


def to_rows(values: npt.NDArray[np.float32], rows: int) -> npt.NDArray[np.float32]:
    """Return values that were written row after row, as [rows, d]. Raises ValueError when torn."""
    if rows == 0:
        if values.size:
            raise ValueError("vectors of nobody")
        return values.reshape(0, 0)
    if values.size % rows:
        raise ValueError(f"{values.size} values are no {rows} whole vectors")
    return values.reshape(rows, -1)


def to_upper(matrix: npt.NDArray[np.float32]) -> bytes:
    """Return what a symmetric matrix holds on and above its diagonal, row by row, as "<f4"."""
    return to_bytes(matrix[np.triu_indices(len(matrix))], "<f4")


def from_upper(upper: bytes, size: int) -> npt.NDArray[np.float32]:
    """Return the symmetric matrix [size, size]. Raises ValueError when torn."""
    matrix = np.empty((size, size), np.float32)
    rows, columns = np.triu_indices(size)
    matrix[rows, columns] = matrix[columns, rows] = np.frombuffer(upper, "<f4")
    return matrix

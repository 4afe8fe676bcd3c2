"""Interactions on disk: who did what, as memory-mapped rows by user and by item.

Events come in chunks and are spooled; two passes over the spool (count, place) give each
orientation its compressed rows. Memory: offsets of rows and one chunk, whatever the number of
events.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.integer]
Floats = npt.NDArray[np.float32]
Chunk = tuple[Ints, Ints, Floats]
"""Users [n], items [n], weights [n]; events of weight <= 0 teach nothing and are left out."""

BY_USER = "by_user"
BY_ITEM = "by_item"
_PART = 1 << 20


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive rows: offsets int64 [rows + 1] from 0, columns int32 [nnz], weights [nnz]."""

    offsets: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int32]
    weights: Floats


class SparseRows:
    """Rows of a sparse matrix in a folder, mapped into memory; columns ascend within a row."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.offsets: npt.NDArray[np.int64] = np.load(folder / "offsets.npy", mmap_mode="r")
        self._columns = _mapped(folder / "columns.bin", np.dtype(np.int32))
        self._weights = _mapped(folder / "weights.bin", np.dtype(np.float32))

    def __len__(self) -> int:
        return int(self.offsets.shape[0]) - 1

    @property
    def nnz(self) -> int:
        """Number of distinct (row, column) pairs."""
        return int(self.offsets[-1])

    def block(self, start: int, stop: int) -> Block:
        """Return rows `start` to `stop`."""
        first, last = int(self.offsets[start]), int(self.offsets[stop])
        return Block(
            np.asarray(self.offsets[start : stop + 1]) - first,
            np.asarray(self._columns[first:last]),
            np.asarray(self._weights[first:last]),
        )

    def counts(self) -> npt.NDArray[np.int64]:
        """Return how many columns each row has [rows]."""
        return np.diff(self.offsets)

    def bounds(self, rows: int, nnz: int) -> Iterator[tuple[int, int]]:
        """Cut all rows into blocks of at most `rows` rows, and about `nnz` entries or one row."""
        start = 0
        while start < len(self):
            limit = int(self.offsets[start]) + nnz
            stop = int(np.searchsorted(self.offsets, limit, side="right")) - 1
            stop = min(max(stop, start + 1), start + rows, len(self))
            yield start, stop
            start = stop


@dataclass(frozen=True, slots=True)
class Interactions:
    """The same pairs in both orientations; a pair's weight is the sum over its events."""

    by_user: SparseRows
    by_item: SparseRows

    @property
    def users(self) -> int:
        """Number of users."""
        return len(self.by_user)

    @property
    def items(self) -> int:
        """Number of items."""
        return len(self.by_item)

    @classmethod
    def open(cls, folder: Path) -> "Interactions":
        """Open what `write_interactions` wrote."""
        return cls(SparseRows(folder / BY_USER), SparseRows(folder / BY_ITEM))


def write_interactions(
    folder: Path,
    chunks: Iterable[Chunk],
    users: int,
    items: int,
    progress: Callable[[int], None] = lambda _: None,
) -> Interactions:
    """Write interactions to `folder` and open them; `progress` hears how many events are read."""
    folder.mkdir(parents=True, exist_ok=True)
    spool = _Spool(folder)
    spool.fill(chunks, progress)
    _place(folder / BY_USER, spool, rows=users, by_user=True)
    _place(folder / BY_ITEM, spool, rows=items, by_user=False)
    spool.remove()
    return Interactions.open(folder)


class _Spool:
    """Events as they came, in three flat files."""

    def __init__(self, folder: Path) -> None:
        self._paths = [folder / f"spool.{name}" for name in ("users", "items", "weights")]
        self._types = (np.int32, np.int32, np.float32)

    def fill(self, chunks: Iterable[Chunk], progress: Callable[[int], None]) -> None:
        done = 0
        users, items, weights = (path.open("wb") for path in self._paths)
        with users, items, weights:
            for chunk in chunks:
                done += len(chunk[0])
                kept = np.asarray(chunk[2]) > 0
                for file, column, kind in zip(
                    (users, items, weights), chunk, self._types, strict=True
                ):
                    file.write(np.ascontiguousarray(column[kept], kind).tobytes())
                progress(done)

    def parts(self) -> Iterator[Chunk]:
        users, items, weights = (
            _mapped(path, np.dtype(kind))
            for path, kind in zip(self._paths, self._types, strict=True)
        )
        for start in range(0, len(users), _PART):
            part = slice(start, start + _PART)
            yield np.asarray(users[part]), np.asarray(items[part]), np.asarray(weights[part])

    def remove(self) -> None:
        for path in self._paths:
            path.unlink()


def _place(folder: Path, spool: _Spool, rows: int, by_user: bool) -> None:
    """Write one orientation: count, place every event at its row, then merge equal pairs."""
    folder.mkdir(exist_ok=True)
    counts = np.zeros(rows, np.int64)
    for users, items, _ in spool.parts():
        counts += np.bincount(users if by_user else items, minlength=rows)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    total = int(offsets[-1])
    raw = folder / "raw.columns", folder / "raw.weights"
    columns = _allocated(raw[0], np.dtype(np.int32), total)
    weights = _allocated(raw[1], np.dtype(np.float32), total)
    cursor = offsets[:-1].copy()
    for users, items, weight in spool.parts():
        row, column = (users, items) if by_user else (items, users)
        order = np.argsort(row, kind="stable")
        ordered = row[order]
        first = np.flatnonzero(np.diff(ordered, prepend=-1))
        lengths = np.diff(first, append=ordered.size)
        places = cursor[ordered] + np.arange(ordered.size) - np.repeat(first, lengths)
        columns[places] = column[order]
        weights[places] = weight[order]
        cursor[ordered[first]] += lengths
    _merge(folder, offsets, columns, weights)
    for path in raw:
        path.unlink()


def _merge(
    folder: Path, offsets: npt.NDArray[np.int64], columns: Ints, weights: npt.NDArray[np.float32]
) -> None:
    """Sum the weights of equal pairs, row block by row block, into the final files."""
    merged = np.zeros(offsets.size, np.int64)
    start, rows = 0, offsets.size - 1
    with (folder / "columns.bin").open("wb") as into, (folder / "weights.bin").open("wb") as mass:
        while start < rows:
            stop = int(np.searchsorted(offsets, offsets[start] + _PART, side="right")) - 1
            stop = min(max(stop, start + 1), rows)
            part = slice(int(offsets[start]), int(offsets[stop]))
            row = np.repeat(np.arange(start, stop), np.diff(offsets[start : stop + 1]))
            order = np.lexsort((columns[part], row))
            row, column = row[order], np.asarray(columns[part])[order]
            new = (np.diff(row, prepend=-1) != 0) | (np.diff(column, prepend=-1) != 0)
            first = np.flatnonzero(new)
            if first.size:
                into.write(column[first].astype(np.int32).tobytes())
                summed = np.add.reduceat(np.asarray(weights[part], np.float64)[order], first)
                mass.write(summed.astype(np.float32).tobytes())
            merged[start + 1 : stop + 1] = np.bincount(row[first] - start, minlength=stop - start)
            start = stop
    np.save(folder / "offsets.npy", np.cumsum(merged))


def _mapped(path: Path, kind: np.dtype) -> npt.NDArray:
    """Map a flat file for reading; an empty file cannot be mapped and is an empty array."""
    if path.stat().st_size == 0:
        return np.zeros(0, kind)
    return np.memmap(path, kind, mode="r")


def _allocated(path: Path, kind: np.dtype, size: int) -> npt.NDArray:
    """Map a new file for writing."""
    if size == 0:
        path.touch()
        return np.zeros(0, kind)
    return np.memmap(path, kind, mode="w+", shape=(size,))

"""The indexes of item vectors that a process holds: where vectors lie, and making lists anew."""

import asyncio
import functools
import mmap
import os
import tempfile
import weakref
from pathlib import Path

import numpy as np

from services.common.arrays import Float32s
from services.common.logs import logger
from services.ranker.domain.item_index import ItemIndex, Sizes
from services.ranker.domain.list_training import ListTraining
from services.ranker.domain.scans import Scans

_ROWS_AT_ONCE = 4096
"""Copied between two calls: some 2 MB, less than a millisecond."""
_log = logger("indexes")


class Indexes:
    """Makes indexes, and makes their lists when they ask for it: one after the other, beside."""

    def __init__(
        self, scans: Scans | None, folder: Path | None = None, sizes: Sizes | None = None
    ) -> None:
        """`scans`: the compiled core. `folder`: where vectors lie in files; None: in memory.
        `sizes`: which kind of index is used from where on; None: as measured.
        """
        self._scans = scans
        self._sizes = sizes or Sizes()
        self._folder = folder
        self._asking: asyncio.Queue[ItemIndex] = asyncio.Queue()

    def new_index(self, dimension: int) -> ItemIndex:
        """Return an index for vectors of a dimension."""
        table = None if self._folder is None else FileTable(self._folder, dimension)
        return ItemIndex(dimension, self._scans, table, self._asking.put_nowait, self._sizes)

    async def run(self) -> None:
        """Make lists until cancelled."""
        while True:
            await self.train_next()

    async def train_next(self) -> None:
        """Wait until an index asks for lists, make them, and have it serve from them.

        What takes long happens in a thread. The index serves on meanwhile, and changes: what did
        is put into the new lists before it serves from these.
        """
        index = await self._asking.get()
        training = index.training()
        if training is None:
            return
        await asyncio.to_thread(training.run)
        while not index.adopt(training):
            await self._catch_up(index, training)
        _log.info(
            "lists of vectors are made",
            vectors=training.size,
            lists=0 if training.quantizer is None else training.quantizer.lists,
            looked_at=training.enough,
        )

    async def _catch_up(self, index: ItemIndex, training: ListTraining) -> None:
        rows = index.behind(training, _ROWS_AT_ONCE)
        await asyncio.to_thread(functools.partial(training.take, rows))


class FileTable:
    """Vectors in a file without a name, which the system reads into spare memory as it likes.

    It is mapped anew as it grows: what was mapped before stays valid for those that hold it.
    """

    def __init__(self, folder: Path, dimension: int) -> None:
        """Make the file.

        Raises:
            OSError: the folder is not there, or may not be written to.

        """
        self._file, name = tempfile.mkstemp(prefix="harken-vectors-", dir=folder)
        # Without a name it is gone when nobody has it open, however the process ends.
        Path(name).unlink()
        weakref.finalize(self, os.close, self._file)
        self._dimension = dimension
        self._rows: Float32s = np.empty((0, dimension), dtype=np.float32)

    def room_for(self, rows: int) -> Float32s:
        """Return all vectors [>= rows, dimension].

        Raises:
            OSError: the disk is full.

        """
        if rows > self._rows.shape[0]:
            room = max(rows, 2 * self._rows.shape[0], 1024)
            # Room that is only promised would end the process where the disk is full.
            os.posix_fallocate(self._file, 0, room * self._dimension * 4)
            mapped = mmap.mmap(self._file, 0)
            self._rows = np.frombuffer(mapped, np.float32).reshape(room, self._dimension)
        return self._rows

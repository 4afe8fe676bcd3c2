"""Events in order of time, however many: sorted on disk, memory is bounded.

Whatever comes is collected up to some MiB, sorted, and written as a run into a temporary file;
the runs are merged. A log that is in order of time is one run.
"""

import contextlib
import heapq
import struct
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Self

from harken.feedback.v1 import feedback_service_pb2 as pb
from services.common.timestamps import micros_of

_COLLECTED_BYTES = 16 * 1024 * 1024
"""Of events in memory, as they are on the wire; objects take a few times that."""

_MERGED_RUNS = 32
"""Runs of one size that make a larger one: bounds how many files are open, and how often an event
is written."""

_BLOCK_EVENTS = 500
_SIZE = struct.Struct("<I")

_Key = tuple[int, int]


class EventOrder:
    """Takes events in any order, and gives them back by event time, ties in log order.

    A context manager: after the block nothing is left on disk.
    """

    def __init__(
        self,
        folder: Path,
        collected_bytes: int = _COLLECTED_BYTES,
        merged_runs: int = _MERGED_RUNS,
    ) -> None:
        """Keep runs as nameless files in `folder`: about twice the size of all events.

        `collected_bytes` of events are sorted in memory; `merged_runs` of a size become one.
        """
        self._folder = folder
        self._limit = collected_bytes
        self._merged_runs = merged_runs
        self._collected: list[pb.ExportedEvent] = []
        self._bytes = 0
        self._levels: list[list[_Run]] = [[]]
        self._files = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Return self."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the disk back."""
        self._files.close()

    def add(self, page: pb.ExportEventsResponse) -> None:
        """Take the events of a page.

        Raises:
            OSError: the disk is full.

        """
        self._collected.extend(page.events)
        self._bytes += page.ByteSize()
        if self._bytes >= self._limit:
            self._spill()

    def events(self) -> Iterator[pb.ExportedEvent]:
        """Yield all events in order, once, after the last was added."""
        self._spill()
        return _merged(run for level in self._levels for run in level)

    def _spill(self) -> None:
        if not self._collected:
            return
        self._collected.sort(key=_key)
        newest = self._levels[0][-1] if self._levels[0] else None
        if newest is not None and newest.last <= _key(self._collected[0]):
            newest.extend(self._collected)
        else:
            self._put(0, self._run(self._collected))
        self._collected = []
        self._bytes = 0

    def _put(self, level: int, run: "_Run") -> None:
        if level == len(self._levels):
            self._levels.append([])
        self._levels[level].append(run)
        if len(self._levels[level]) == self._merged_runs:
            runs, self._levels[level] = self._levels[level], []
            self._put(level + 1, self._run(_merged(runs)))

    def _run(self, events: Iterable[pb.ExportedEvent]) -> "_Run":
        file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed with all of them
        self._files.enter_context(file)
        return _Run(file, events)


class _Run:
    """Sorted events in a file, which is closed when they were read."""

    def __init__(self, file: IO[bytes], events: Iterable[pb.ExportedEvent]) -> None:
        self._file = file
        self.last: _Key = (0, 0)
        self.extend(events)

    def extend(self, events: Iterable[pb.ExportedEvent]) -> None:
        """Append events that belong after those that are there."""
        block = pb.ExportEventsResponse()
        for event in events:
            block.events.append(event)
            self.last = _key(event)
            if len(block.events) == _BLOCK_EVENTS:
                self._write(block)
                block = pb.ExportEventsResponse()
        self._write(block)

    def events(self) -> Iterator[pb.ExportedEvent]:
        """Yield the events, once."""
        self._file.seek(0)
        while head := self._file.read(_SIZE.size):
            (size,) = _SIZE.unpack(head)
            yield from pb.ExportEventsResponse.FromString(self._file.read(size)).events
        self._file.close()

    def _write(self, block: pb.ExportEventsResponse) -> None:
        if block.events:
            content = block.SerializeToString()
            self._file.write(_SIZE.pack(len(content)))
            self._file.write(content)


def _merged(runs: Iterable[_Run]) -> Iterator[pb.ExportedEvent]:
    return heapq.merge(*(run.events() for run in runs), key=_key)


def _key(event: pb.ExportedEvent) -> _Key:
    return micros_of(event.event_time), event.sequence

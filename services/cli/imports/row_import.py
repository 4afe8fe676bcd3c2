"""Brings rows of items or users into a suite, batch by batch."""

import itertools
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from services.cli.imports.counts import Counts, RejectLimit
from services.cli.imports.import_state import ImportState, ImportStateFile
from services.cli.imports.rejects import RejectsFile
from services.dataset.faults import FaultyRow, RowFault
from services.dataset.table.block import Block


class TableRow(Protocol):
    """A row that was read."""

    @property
    def block(self) -> Block:
        """Return where the row stands."""

    @property
    def index(self) -> int:
        """Return its index there."""

    def faulty(self, fault: RowFault) -> FaultyRow:
        """Return the row as one that was not taken."""


Thing = TypeVar("Thing", bound=TableRow)


@dataclass(frozen=True, slots=True)
class RowTarget(Generic[Thing]):
    """What is done with rows.

    `key` names a thing: a batch has no two of one key. `send` returns per thing "created",
    "updated" or "unchanged", or a fault. `known` says whether the suite has a thing.
    """

    key: Callable[[Thing], str]
    send: Callable[[Sequence[Thing]], Awaitable[Sequence[str | RowFault]]]
    known: Callable[[Thing], Awaitable[bool]]
    batch_rows: int


@dataclass(frozen=True, slots=True)
class RowSummary:
    """What became of an import."""

    counts: Counts
    resumed_after_row: int


@dataclass(frozen=True, slots=True)
class _Batch(Generic[Thing]):
    last_number: int
    things: Sequence[Thing]
    faults: Sequence[FaultyRow]


async def import_rows(
    rows: Callable[[], Iterator[Thing | FaultyRow]],
    target: RowTarget[Thing],
    open_rejects: Callable[[int], RejectsFile],
    state_file: ImportStateFile | None,
    progress: Callable[[int], None] = lambda _: None,
    limit: RejectLimit | None = None,
    total: int = 0,
) -> RowSummary:
    """Import all rows, going on after those acknowledged before, as `state_file` says if given.

    Raises:
        grpc.aio.AioRpcError: the suite refuses or is away. Run it again to go on.
        CommandError: more rows are not taken than `limit` allows, of `total`.

    """
    limit = limit or RejectLimit()
    state = await _resumable(rows, target, state_file)
    resumed_after = state.rows
    after = itertools.dropwhile(lambda row: _number(row) <= resumed_after, rows())
    with open_rejects(state.rejects_bytes) as rejects:
        for batch in _batches(after, target):
            # One after the other: of two rows with one key the later one must win.
            answers = await target.send(batch.things) if batch.things else []
            faults = list(batch.faults)
            counts = state.counts.plus(rows=batch.last_number - state.rows)
            for thing, answer in zip(batch.things, answers, strict=True):
                if isinstance(answer, RowFault):
                    faults.append(thing.faulty(answer))
                else:
                    counts = counts.plus(accepted=1, **{answer: 1})
            for row in sorted(faults, key=lambda one: one.number):
                rejects.add(row, "rejected")
            state = ImportState(counts.plus(rejected=len(faults)), rejects.flush())
            if state_file is not None:
                state_file.write(state)
            progress(state.rows)
            limit.check(state.counts.not_taken, total, sent=True)
    if state_file is not None:
        state_file.clear()
    return RowSummary(state.counts, resumed_after)


def _number(row: Thing | FaultyRow) -> int:
    return row.number if isinstance(row, FaultyRow) else row.block.numbers[row.index]


def _batches(
    rows: Iterable[Thing | FaultyRow], target: RowTarget[Thing]
) -> Iterator[_Batch[Thing]]:
    things: list[Thing] = []
    faults: list[FaultyRow] = []
    keys: set[str] = set()
    last = 0
    for row in rows:
        if not isinstance(row, FaultyRow):
            full = len(things) + len(faults) >= target.batch_rows
            if full or target.key(row) in keys:
                yield _Batch(last, things, faults)
                things, faults, keys = [], [], set()
            things.append(row)
            keys.add(target.key(row))
        else:
            faults.append(row)
        last = _number(row)
    if last:
        yield _Batch(last, things, faults)


async def _resumable(
    rows: Callable[[], Iterator[Thing | FaultyRow]],
    target: RowTarget[Thing],
    state_file: ImportStateFile | None,
) -> ImportState:
    """Return the state to go on from; the beginning when the suite does not have what it says."""
    state = ImportState() if state_file is None else state_file.read()
    if state.rows == 0:
        return state
    last: Thing | None = None
    for row in itertools.takewhile(lambda row: _number(row) <= state.rows, rows()):
        last = last if isinstance(row, FaultyRow) else row
    return state if last is not None and await target.known(last) else ImportState()

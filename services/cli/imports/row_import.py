"""Brings rows of items or users into a suite, batch by batch."""

import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from services.cli.imports.import_state import ImportState, ImportStateFile
from services.cli.imports.rejects import RejectsFile
from services.dataset.row_fault import RowFault, RowFaultError
from services.dataset.table_file import Row

Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class RowTarget(Generic[Thing]):
    """What is done with rows.

    `convert` makes a thing of a row or raises RowFaultError. `key` names it: a batch has no two of
    one key. `send` returns per thing a word for what became of it, or a fault. `known` says whether
    the suite has a thing.
    """

    convert: Callable[[Row], Thing]
    key: Callable[[Thing], str]
    send: Callable[[Sequence[Thing]], Awaitable[Sequence[str | RowFault]]]
    known: Callable[[Thing], Awaitable[bool]]
    batch_rows: int


@dataclass(frozen=True, slots=True)
class RowSummary:
    """What became of an import; `outcomes` counts the things of this run by their word."""

    rows: int
    rejected: int
    resumed_after_row: int
    outcomes: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Batch(Generic[Thing]):
    rows: list[Row]
    things: list[tuple[Row, Thing]]
    faults: list[tuple[Row, RowFault]]


async def import_rows(
    rows: Callable[[], Iterator[Row]],
    target: RowTarget[Thing],
    open_rejects: Callable[[int], RejectsFile],
    state_file: ImportStateFile | None,
    progress: Callable[[int], None] = lambda _: None,
) -> RowSummary:
    """Import all rows, going on after those acknowledged before, as `state_file` says if given.

    Raises:
        grpc.aio.AioRpcError: the suite refuses or is away. Run it again to go on.

    """
    state = await _resumable(rows, target, state_file)
    resumed_after = state.rows
    outcomes: Counter[str] = Counter()

    async def send(batch: _Batch[Thing]) -> Sequence[str | RowFault]:
        return await target.send([thing for _, thing in batch.things]) if batch.things else []

    after = itertools.dropwhile(lambda row: row.number <= resumed_after, rows())
    with open_rejects(state.rejects_bytes) as rejects:
        for batch in _batches(after, target):
            # One after the other: of two rows with one key the later one must win.
            answers = await send(batch)
            faults = list(batch.faults)
            for (row, _), answer in zip(batch.things, answers, strict=True):
                if isinstance(answer, RowFault):
                    faults.append((row, answer))
                else:
                    outcomes[answer] += 1
            for row, fault in sorted(faults, key=lambda pair: pair[0].number):
                rejects.add(row, fault)
            state = ImportState(
                batch.rows[-1].number,
                rejected=state.rejected + len(faults),
                rejects_bytes=rejects.flush(),
            )
            if state_file is not None:
                state_file.write(state)
            progress(state.rows)
    if state_file is not None:
        state_file.clear()
    return RowSummary(state.rows, state.rejected, resumed_after, outcomes)


def _batches(rows: Iterable[Row], target: RowTarget[Thing]) -> Iterator[_Batch[Thing]]:
    batch: _Batch[Thing] = _Batch([], [], [])
    keys: set[str] = set()
    for row in rows:
        thing = _convert(row, target)
        key = None if isinstance(thing, RowFault) else target.key(thing)
        if batch.rows and (len(batch.rows) >= target.batch_rows or key in keys):
            yield batch
            batch = _Batch([], [], [])
            keys = set()
        batch.rows.append(row)
        if isinstance(thing, RowFault):
            batch.faults.append((row, thing))
        else:
            batch.things.append((row, thing))
            keys.add(target.key(thing))
    if batch.rows:
        yield batch


def _convert(row: Row, target: RowTarget[Thing]) -> Thing | RowFault:
    if row.fault is not None:
        return row.fault
    try:
        return target.convert(row)
    except RowFaultError as error:
        return error.fault


async def _resumable(
    rows: Callable[[], Iterator[Row]], target: RowTarget[Thing], state_file: ImportStateFile | None
) -> ImportState:
    """Return the state to go on from; the beginning when the suite does not have what it says."""
    state = ImportState() if state_file is None else state_file.read()
    if state.rows == 0:
        return state
    last: Thing | None = None
    for row in itertools.takewhile(lambda row: row.number <= state.rows, rows()):
        thing = _convert(row, target)
        last = last if isinstance(thing, RowFault) else thing
    return state if last is not None and await target.known(last) else ImportState()

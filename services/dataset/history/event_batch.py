"""Rows as events, a block at a time: the one conversion of import, training and evaluation."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from services.common.request_limits import MAX_TEXT_BYTES, MOST
from services.common.validation import id_fault
from services.dataset.faults import FaultyRow, RowFault, RowFaultError, shown
from services.dataset.fields.event_fields import EventFields
from services.dataset.table.block import Block, Cells
from services.dataset.table.table import Table
from services.dataset.values.cells import ABSENT, number_of, text_of
from services.dataset.values.times import TimeReader

_MAX_SLATE_ID_BYTES = 64
_MOST_ENTRIES = MOST["harken.feedback.v1.EventContext.entries"]
_DOUBTFUL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""What no id may hold: control characters, and bytes that were no text."""
NO_TIME = -(2**63)


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Events in columns, [n] each, in the order of the rows; and the rows that are none.

    `users`: "" where `sessions` says who acted. `values`: NaN where there is none. `times_us`: unix
    microseconds, NO_TIME where the table has no times. `event_ids`: "" where one has to be made.
    `slate_ids` and `contexts` are None where the table has no such column.
    """

    files: Sequence[str]
    numbers: Sequence[int]
    lines: Sequence[int]
    users: Sequence[str]
    sessions: Sequence[str]
    items: Sequence[str]
    types: Sequence[str]
    values: npt.NDArray[np.float64]
    times_us: npt.NDArray[np.int64]
    event_ids: Sequence[str] | None = None
    slate_ids: Sequence[str] | None = None
    contexts: Sequence[Mapping[str, str]] | None = None
    faults: Sequence[FaultyRow] = ()

    def __len__(self) -> int:
        return len(self.numbers)


class EventReader:
    """Reads the events of a table."""

    def __init__(self, table: Table, fields: EventFields) -> None:
        self._table = table
        self._fields = fields
        self.times = TimeReader(fields.times)

    @property
    def fields(self) -> EventFields:
        """Return where the fields are."""
        return self._fields

    def batches(self) -> Iterator[EventBatch]:
        """Yield all rows, in the order of the table.

        Raises:
            SourceError: the table is damaged.

        """
        for block in self._table.blocks():
            yield self._batch(block)

    def _batch(self, block: Block) -> EventBatch:
        fields = self._fields
        faults = _Faults(block, fields.exact)
        nothing: Sequence[str] = [""] * block.rows
        users = faults.texts(fields.user) if fields.user else nothing
        faults.ids(fields.user, users)
        sessions = nothing
        if "" in users:
            # Where a user is given, the session is of no interest, whatever it holds.
            rows = faults.where_empty(users)
            sessions = faults.texts(fields.session, rows) if fields.session else nothing
            faults.ids(fields.session, sessions)
            for row in rows:
                if not sessions[row]:
                    faults.add(row, fields.user or fields.session, "MISSING_SUBJECT",
                               "neither user nor session is given")  # fmt: skip
        items = faults.texts(fields.item)
        faults.required(fields.item, items, "MISSING_ITEM", "no item is given")
        faults.ids(fields.item, items)
        types = self._types(block, faults)
        times = self._times(block, faults)
        values = self._values(block, faults)
        event_ids = self._optional(fields.event_id, faults)
        slate_ids = self._optional(fields.slate_id, faults, _MAX_SLATE_ID_BYTES)
        contexts = self._contexts(block, faults)
        files = [block.file] * block.rows
        batch = EventBatch(files, block.numbers, block.lines, users, sessions, items, types,
                           values, times, event_ids, slate_ids, contexts, block.faults)  # fmt: skip
        return faults.taken_out(batch) if faults.found else batch

    def _types(self, block: Block, faults: "_Faults") -> Sequence[str]:
        fields = self._fields
        if fields.type is None:
            return [fields.constant_type or ""] * block.rows
        types = faults.texts(fields.type)
        faults.required(fields.type, types, "MISSING_TYPE", "no event type is given")
        faults.ids(fields.type, types)
        if fields.type_map:
            meant = {name: fields.type_map.get(name, name) for name in set(types)}
            types = [meant[name] for name in types]
        return types

    def _times(self, block: Block, faults: "_Faults") -> npt.NDArray[np.int64]:
        column = self._fields.timestamp
        times = np.full(block.rows, NO_TIME, np.int64)
        if column is None:
            return times
        cells = block.column(column)
        quick = self.times.many(cells)
        if quick is not None:
            return np.array(quick, np.int64)
        for row, cell in enumerate(cells):
            try:
                found = self.times.read(cell)
            except RowFaultError as error:
                faults.note(row, error.fault(column, cell))
                continue
            if found is None:
                faults.add(row, column, "MISSING_TIME", "no time is given")
            else:
                times[row] = found
        return times

    def _values(self, block: Block, faults: "_Faults") -> npt.NDArray[np.float64]:
        column = self._fields.value
        values = np.full(block.rows, np.nan)
        if column is None:
            return values
        cells = block.column(column)
        # Files without values have the column all the same.
        distinct = set(cells) if _hashable(cells) else None
        if distinct is not None and len(distinct) * 4 < len(cells):
            known = {cell: self._value(cell) for cell in distinct}
            read: Callable[[object], float | RowFault] = known.__getitem__
        else:
            read = self._value
        for row, cell in enumerate(cells):
            found = read(cell)
            if isinstance(found, RowFault):
                faults.note(row, found)
            else:
                values[row] = found
        return values

    def _value(self, cell: object) -> float | RowFault:
        try:
            number = number_of(cell, self._fields.decimal)
        except RowFaultError as error:
            return error.fault(self._fields.value, cell)
        return float("nan") if number is None else number

    def _optional(
        self, column: str | None, faults: "_Faults", max_bytes: int = 128
    ) -> Sequence[str] | None:
        if column is None:
            return None
        texts = faults.texts(column)
        faults.ids(column, texts, max_bytes)
        return texts

    def _contexts(self, block: Block, faults: "_Faults") -> Sequence[Mapping[str, str]] | None:
        column = self._fields.context
        if column is None:
            return None
        contexts: list[Mapping[str, str]] = []
        for row, cell in enumerate(block.column(column)):
            try:
                contexts.append(_context(cell))
            except RowFaultError as error:
                contexts.append({})
                faults.note(row, error.fault(column, cell))
        return contexts if any(contexts) else None


@dataclass(slots=True)
class _Faults:
    """The faults of a block, at most one for each row: the first one counts."""

    block: Block
    exact: bool
    found: dict[int, RowFault] = field(default_factory=dict)

    def note(self, row: int, fault: RowFault) -> None:
        self.found.setdefault(row, fault)

    def add(self, row: int, column: str | None, reason: str, detail: str) -> None:
        cell = self.block.column(column)[row] if column else ""
        self.note(row, RowFault(reason, detail, column or "", shown(_seen(cell))))

    def texts(self, column: str, rows: Sequence[int] | None = None) -> Sequence[str]:
        """Return the cells of a column as texts; "" where they are none, which is noted.

        Of `rows` only, if given: the others are "".
        """
        cells = self.block.column(column)
        whole = rows is None or len(rows) == len(cells)
        if whole and set(map(type, cells)) <= {str}:
            return list(cells) if self.exact else list(map(str.strip, cells))  # type: ignore[arg-type]
        texts = [""] * len(cells)
        for row in range(len(cells)) if rows is None else rows:
            cell = cells[row]
            try:
                texts[row] = cell if self.exact and isinstance(cell, str) else text_of(cell)
            except RowFaultError as error:
                self.note(row, error.fault(column, cell))
        return texts

    def required(self, column: str | None, texts: Sequence[str], reason: str, detail: str) -> None:
        if "" in texts:
            for row in self.where_empty(texts):
                self.add(row, column, reason, detail)

    def ids(self, column: str | None, texts: Sequence[str], max_bytes: int = 128) -> None:
        """Check ids, empty ones aside."""
        short = max(map(len, texts), default=0) <= max_bytes // 4
        if short and not _DOUBTFUL.search("".join(texts)):
            return
        for row, text in enumerate(texts):
            if text and (fault := _id_fault(text, max_bytes)) is not None:
                self.add(row, column, *fault)

    @staticmethod
    def where_empty(texts: Sequence[str]) -> list[int]:
        return [row for row, text in enumerate(texts) if not text]

    def taken_out(self, batch: EventBatch) -> EventBatch:
        """Return a batch without the rows that have a fault, which come as such."""
        kept = [row for row in range(len(batch)) if row not in self.found]
        faults = list(batch.faults)
        for row, fault in self.found.items():
            faults.append(
                FaultyRow(batch.numbers[row], batch.lines[row], batch.files[row], fault,
                          self.block.row(row))
            )  # fmt: skip
        return rows_of(batch, kept, sorted(faults, key=lambda one: one.number))


def rows_of(batch: EventBatch, rows: Sequence[int], faults: Sequence[FaultyRow] = ()) -> EventBatch:
    """Return some rows of a batch, in the order of `rows`, with other faulty ones."""

    def some(cells: Sequence) -> list:
        return [cells[row] for row in rows]

    index = np.array(rows, np.int64)
    return EventBatch(
        some(batch.files), some(batch.numbers), some(batch.lines), some(batch.users),
        some(batch.sessions), some(batch.items), some(batch.types), batch.values[index],
        batch.times_us[index],
        None if batch.event_ids is None else some(batch.event_ids),
        None if batch.slate_ids is None else some(batch.slate_ids),
        None if batch.contexts is None else some(batch.contexts),
        faults,
    )  # fmt: skip


def _id_fault(text: str, max_bytes: int) -> tuple[str, str] | None:
    try:
        fault = id_fault(text, max_bytes)
    except UnicodeEncodeError:
        return "INVALID_UTF8", "the cell holds what is no UTF-8"
    return None if fault is None else ("INVALID_ID", f"the id {fault}")


def _context(cell: object) -> Mapping[str, str]:
    if isinstance(cell, str) and cell.strip():
        try:
            cell = json.loads(cell)
        except ValueError as error:
            raise RowFaultError("INVALID_VALUE", f"the context is no JSON: {error}") from None
    if cell is None or cell is ABSENT or cell == "":
        return {}
    if not isinstance(cell, Mapping):
        raise RowFaultError("INVALID_VALUE", "the context is no JSON object")
    if not all(isinstance(value, str) for value in cell.values()):
        raise RowFaultError("INVALID_VALUE", "the context has values that are not text")
    context = {str(key): str(value) for key, value in cell.items()}
    if len(context) > _MOST_ENTRIES:
        what = f"the context has {len(context)} entries, at most {_MOST_ENTRIES} are allowed"
        raise RowFaultError("INVALID_VALUE", what)
    try:
        longest = max((len(one.encode()) for one in (*context, *context.values())), default=0)
    except UnicodeEncodeError:
        raise RowFaultError("INVALID_UTF8", "the context holds what is no UTF-8") from None
    if longest > MAX_TEXT_BYTES:
        what = f"an entry of the context is longer than {MAX_TEXT_BYTES} bytes"
        raise RowFaultError("INVALID_VALUE", what)
    return context


def _hashable(cells: Cells) -> bool:
    return set(map(type, cells)) <= {str, int, float, type(None)}


def _seen(cell: object) -> object:
    return "" if cell is ABSENT else cell


def slice_of(
    batch: EventBatch, begin: int, end: int, faults: Sequence[FaultyRow] = ()
) -> EventBatch:
    """Return events `begin` to `end` of a batch, with other faulty rows."""
    if begin == 0 and end == len(batch) and faults is batch.faults:
        return batch
    part = slice(begin, end)
    return EventBatch(
        batch.files[part], batch.numbers[part], batch.lines[part], batch.users[part],
        batch.sessions[part], batch.items[part], batch.types[part], batch.values[part],
        batch.times_us[part],
        None if batch.event_ids is None else batch.event_ids[part],
        None if batch.slate_ids is None else batch.slate_ids[part],
        None if batch.contexts is None else batch.contexts[part],
        faults,
    )  # fmt: skip


def joined(batches: Sequence[EventBatch]) -> EventBatch:
    """Return all events of batches as one, without faulty rows."""

    def all_of(name: str) -> list:
        return [cell for batch in batches for cell in getattr(batch, name)]

    def given(name: str, empty: object) -> list | None:
        columns = [getattr(batch, name) for batch in batches]
        if all(column is None for column in columns):
            return None
        return [
            cell
            for batch, column in zip(batches, columns, strict=True)
            for cell in ([empty] * len(batch) if column is None else column)
        ]

    return EventBatch(
        files=all_of("files"),
        numbers=all_of("numbers"),
        lines=all_of("lines"),
        users=all_of("users"),
        sessions=all_of("sessions"),
        items=all_of("items"),
        types=all_of("types"),
        values=np.concatenate([np.zeros(0), *(batch.values for batch in batches)]),
        times_us=np.concatenate([np.zeros(0, np.int64), *(b.times_us for b in batches)]),
        event_ids=given("event_ids", ""),
        slate_ids=given("slate_ids", ""),
        contexts=given("contexts", {}),
    )

"""Rows as events."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import event_pb2
from services.cli.imports.event_ids import EventIds
from services.dataset.cells import first_of, microseconds_of, number_of, text_of
from services.dataset.event_columns import EventColumns
from services.dataset.row_fault import RowFault, RowFaultError
from services.dataset.table_file import Row


@dataclass(frozen=True, slots=True)
class EventRow:
    """A row, and the event it says or what is wrong with it: exactly one of both."""

    row: Row
    event: event_pb2.Event | None
    fault: RowFault | None = None


def event_rows(rows: Iterable[Row], columns: EventColumns) -> Iterator[EventRow]:
    """Yield each row with its event. Ids depend on all rows before, so begin at the first."""
    ids = EventIds()
    for row in rows:
        if row.fault is not None:
            yield EventRow(row, None, row.fault)
            continue
        try:
            yield EventRow(row, _event(row, columns, ids))
        except RowFaultError as error:
            yield EventRow(row, None, error.fault)


def _event(row: Row, columns: EventColumns, ids: EventIds) -> event_pb2.Event:
    user = text_of(first_of(row.cells, columns.user))
    session = text_of(first_of(row.cells, columns.session))
    if user:
        subject = subject_pb2.Subject(user_id=user)
    elif session:
        subject = subject_pb2.Subject(session_id=session)
    else:
        raise RowFaultError("MISSING_SUBJECT", "neither user nor session is given")
    item = text_of(row.cells.get(columns.item))
    if not item:
        raise RowFaultError("MISSING_ITEM", "no item is given")
    event_type = columns.constant_type or text_of(first_of(row.cells, columns.type))
    if not event_type:
        raise RowFaultError("MISSING_TYPE", "no event type is given")
    time_us = microseconds_of(first_of(row.cells, columns.timestamp))
    value = number_of(first_of(row.cells, columns.value), columns.value or "value")
    event = event_pb2.Event(
        event_id=text_of(first_of(row.cells, columns.event_id))
        or ids.next_id(f"u:{user}" if user else f"s:{session}", item, event_type, time_us, value),
        subject=subject,
        item_id=item,
        type=event_type,
    )
    if value is not None:
        event.value = value
    if time_us is not None:
        event.event_time.FromMicroseconds(time_us)
    return event

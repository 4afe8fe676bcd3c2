"""Rows as events."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import event_pb2
from services.cli.imports.cells import first_of, microseconds_of, number_of, text_of
from services.cli.imports.columns import ColumnError, find_column, require_column
from services.cli.imports.event_ids import EventIds
from services.cli.imports.row_fault import RowFault, RowFaultError
from services.cli.imports.table_file import Row


@dataclass(frozen=True, slots=True)
class EventColumns:
    """Where the fields of events are; None: nowhere. `constant_type` is the type of all events."""

    user: str | None
    session: str | None
    item: str
    timestamp: str | None
    type: str | None
    value: str | None
    event_id: str | None
    constant_type: str | None = None


@dataclass(frozen=True, slots=True)
class EventOptions:
    """What the caller says about columns; None: find it by its name."""

    user: str | None = None
    session: str | None = None
    item: str | None = None
    timestamp: str | None = None
    type: str | None = None
    value: str | None = None
    event_id: str | None = None
    constant_type: str | None = None


@dataclass(frozen=True, slots=True)
class EventRow:
    """A row, and the event it says or what is wrong with it: exactly one of both."""

    row: Row
    event: event_pb2.Event | None
    fault: RowFault | None = None


def event_columns(columns: Sequence[str], options: EventOptions) -> EventColumns:
    """Return where the fields are.

    Raises:
        ColumnError: a required field has no column, or a column given is not there.

    """
    user = find_column("user", columns, options.user)
    session = find_column("session", columns, options.session)
    if user is None and session is None:
        require_column("user", columns)
    event_type = None
    if options.constant_type is None:
        event_type = find_column("type", columns, options.type)
        if event_type is None:
            raise ColumnError("no column says the type of events: name it with --type-column, or "
                              "say --type view")  # fmt: skip
    return EventColumns(
        user,
        session,
        require_column("item", columns, options.item),
        find_column("timestamp", columns, options.timestamp),
        event_type,
        find_column("value", columns, options.value),
        find_column("event_id", columns, options.event_id),
        options.constant_type,
    )


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

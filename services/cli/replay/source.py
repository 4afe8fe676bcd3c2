"""A history from a file, whole in memory and in order of time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import event_pb2
from services.cli.imports.event_rows import EventRow, event_rows
from services.dataset.event_columns import EventOptions, event_columns
from services.dataset.table_file import Row, TableFile
from services.evaluation.history import HistoryEvent, Split, split_history, start_row


@dataclass(frozen=True, slots=True)
class ReplaySource:
    """A history cut at a point of time. `events` are by row; `unreadable` rows are left out."""

    split: Split
    events: Mapping[int, event_pb2.Event]
    unreadable: int

    def event_of(self, event: HistoryEvent) -> event_pb2.Event:
        """Return what is sent for an event."""
        return self.events[event.row]

    def subject_of(self, event: HistoryEvent) -> subject_pb2.Subject:
        """Return who acted."""
        return self.events[event.row].subject

    def warm_up_rows(self) -> Iterator[EventRow]:
        """Yield what comes before the split, in order of time, numbered from 1."""
        for number, event in enumerate(self.split.before, 1):
            yield EventRow(Row(number, {}), self.events[event.row])


def read_history(
    table: TableFile, options: EventOptions, start: float, limit: int | None
) -> ReplaySource:
    """Read a history; about 1 KB of memory an event.

    `start` is a fraction of the events or a number of events; `limit` is how many come after it.

    Raises:
        ColumnError: a column is missing.
        TableFileError: the file is damaged.
        ValueError: start is no such number.

    """
    events: dict[int, event_pb2.Event] = {}
    history: list[HistoryEvent] = []
    unreadable = 0
    for row in event_rows(table.rows(), event_columns(table.columns, options)):
        event = row.event
        if event is None or not event.HasField("event_time"):
            unreadable += 1
            continue
        number = row.row.number
        events[number] = event
        history.append(HistoryEvent(_user(event), event.item_id, event.event_time.seconds, number))
    # Within a second by the rest of the time, which tells what came first.
    history.sort(key=lambda event: events[event.row].event_time.nanos)
    split = split_history(history, start_row(start, len(history)))
    if limit is not None:
        split = Split(split.before, split.after[:limit], split.users_before,
                      split.items_before)  # fmt: skip
    return ReplaySource(split, events, unreadable)


def _user(event: event_pb2.Event) -> str:
    """Return one name for users and sessions, which have name spaces of their own."""
    kind = event.subject.WhichOneof("kind")
    return f"{kind}:{event.subject.user_id or event.subject.session_id}"

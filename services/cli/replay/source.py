"""A history from a table, whole in memory and in order of time."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import event_pb2
from services.cli.imports.event_chunk import Window
from services.cli.imports.event_import import History
from services.dataset.fields.event_fields import EventFields, EventOptions, event_fields
from services.dataset.history.event_batch import (
    NO_TIME,
    EventBatch,
    EventReader,
    joined,
    rows_of,
)
from services.dataset.history.event_ids import EventIds
from services.dataset.table.table import Table
from services.system.history import HistoryEvent, Split, split_history, start_row


@dataclass(frozen=True, slots=True)
class ReplaySource:
    """A history cut at a point of time. `events` in order of time; `row` of an event of the split
    is its index there. `unreadable` rows are left out.
    """

    split: Split
    events: EventBatch
    event_ids: list[str]
    fields: EventFields
    unreadable: int

    def event_of(self, event: HistoryEvent) -> event_pb2.Event:
        """Return what is sent for an event."""
        row, events = event.row, self.events
        sent = event_pb2.Event(
            event_id=self.event_ids[row],
            subject=self.subject_of(event),
            item_id=events.items[row],
            type=events.types[row],
        )
        if not np.isnan(events.values[row]):
            sent.value = float(events.values[row])
        sent.event_time.FromMicroseconds(int(events.times_us[row]))
        return sent

    def subject_of(self, event: HistoryEvent) -> subject_pb2.Subject:
        """Return who acted."""
        user = self.events.users[event.row]
        if user:
            return subject_pb2.Subject(user_id=user)
        return subject_pb2.Subject(session_id=self.events.sessions[event.row])

    def before(self) -> History:
        """Return what comes before the split, for an import."""
        rows = [event.row for event in self.split.before]
        batch = rows_of(self.events, rows)

        def batches() -> Iterator[EventBatch]:
            yield batch

        return History(batches, self.fields, Window(), len(rows))


def read_history(
    table: Table, options: EventOptions, start: float, limit: int | None
) -> ReplaySource:
    """Read a history; about 1 KB of memory an event.

    `start` is a fraction of the events or a number of events; `limit` is how many come after it.

    Raises:
        ColumnError: a column is missing.
        SourceError: the table is damaged.
        ValueError: start is no such number.

    """
    fields = event_fields(table, options)
    batches = list(EventReader(table, fields).batches())
    unreadable = sum(len(batch.faults) for batch in batches)
    events = joined(batches)
    timed = np.flatnonzero(events.times_us != NO_TIME)
    unreadable += len(events) - len(timed)
    order = timed[np.argsort(events.times_us[timed], kind="stable")]
    events = rows_of(events, order.tolist())
    history = [
        HistoryEvent(f"user_id:{user}" if user else f"session_id:{session}", item,
                     time_us // 10**6, row)
        for row, (user, session, item, time_us) in enumerate(
            zip(events.users, events.sessions, events.items, events.times_us.tolist(), strict=True)
        )
    ]  # fmt: skip
    split = split_history(history, start_row(start, len(history)))
    if limit is not None:
        split = Split(split.before, split.after[:limit], split.users_before,
                      split.items_before)  # fmt: skip
    return ReplaySource(split, events, EventIds(fields.line_ids).of(events), fields, unreadable)

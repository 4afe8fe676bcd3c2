"""Events of the log as ExportEvents sends them."""

from collections.abc import Iterator, Sequence

from harken.feedback.v1 import feedback_service_pb2 as pb
from harken.internal.log.v1 import entry_pb2
from services.common.user_key import subject_of
from services.feedback.log.log_store import LogRow

Logged = tuple[LogRow, entry_pb2.LoggedEvent]
"""A row, and the event that it is."""


def logged_events(rows: Sequence[LogRow]) -> Iterator[Logged]:
    """Yield those entries that are events."""
    for row in rows:
        entry = entry_pb2.Entry.FromString(row.entry)
        if entry.HasField("event"):
            yield row, entry.event


def exported_event(logged: Logged) -> pb.ExportedEvent:
    """Return an event on the wire."""
    row, event = logged
    timed = event.HasField("event_time_us")
    exported = pb.ExportedEvent(
        event_id=event.event_id,
        subject=subject_of(event.user_key),
        item_id=event.item_id,
        type=event.type,
        value=event.value if event.HasField("value") else None,
        event_time_given=timed,
        slate_id=event.slate_id,
        context=event.context,
        weight=event.weight,
        sequence=row.sequence,
    )
    exported.event_time.FromMicroseconds(event.event_time_us if timed else row.accepted_at_us)
    exported.accept_time.FromMicroseconds(row.accepted_at_us)
    return exported

"""Events of the log as ExportEvents sends them."""

from collections.abc import Iterator, Mapping, Sequence

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import feedback_service_pb2 as pb
from harken.internal.log.v1 import entry_pb2
from services.feedback.log.log_store import LogRow

Logged = tuple[LogRow, entry_pb2.LoggedEvent]
"""A row, and the event that it is."""


def events_of(rows: Sequence[LogRow]) -> list[Logged]:
    """Return those entries that are events."""
    entries = [(row, entry_pb2.Entry.FromString(row.entry)) for row in rows]
    return [(row, entry.event) for row, entry in entries if entry.HasField("event")]


def exported_events(
    events: Sequence[Logged],
    subjects: Mapping[bytes, subject_pb2.Subject],
) -> Iterator[pb.ExportedEvent]:
    """Yield events; `subjects`: who is known by stored key. Those of nobody, who was erased, are
    left out: readers would take them for one user's.
    """
    for row, event in events:
        subject = subjects.get(event.user_key)
        if subject is None:
            continue
        timed = event.HasField("event_time_us")
        exported = pb.ExportedEvent(
            event_id=event.event_id,
            subject=subject,
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
        yield exported

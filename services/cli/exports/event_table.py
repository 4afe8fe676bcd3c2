"""Events as rows: all that makes an event what it is, so that importing them again is no news."""

from harken.feedback.v1 import feedback_service_pb2
from services.cli.exports.table_writer import Column, Kind, Row
from services.common.timestamps import micros_of

COLUMNS = (
    Column("event_id"), Column("user"), Column("session"), Column("item"), Column("type"),
    Column("value", Kind.NUMBER), Column("timestamp", Kind.TIME), Column("slate_id"),
    Column("context", Kind.JSON),
)  # fmt: skip


def event_row(event: feedback_service_pb2.ExportedEvent) -> Row:
    """Return the row of an event; its subject is in one of the columns user and session."""
    return (
        event.event_id,
        event.subject.user_id or None,
        event.subject.session_id or None,
        event.item_id,
        event.type,
        event.value if event.HasField("value") else None,
        micros_of(event.event_time),
        event.slate_id or None,
        dict(sorted(event.context.items())),
    )

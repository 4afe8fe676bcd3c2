"""When the events of a frame were accepted, for those who measure how long the loop took."""

from collections.abc import Sequence

from harken.internal.feed.v1 import frame_pb2
from services.feedback.domain.entries import LogEntry


def note_ages(frame: frame_pb2.Frame, entries: Sequence[LogEntry]) -> None:
    """Add to a frame, made of `entries`, how long before the newest each event was accepted."""
    accepted = {entry.sequence: entry.accepted_at_us for entry in entries}
    for changes in frame.tenants:
        sequences = changes.users.event_sequences
        if sequences:
            changes.users.event_ages_us.extend(
                frame.accepted_at_us - accepted[sequence] for sequence in sequences
            )

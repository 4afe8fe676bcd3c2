"""Events that were accepted without a time, sent again with the time they were accepted at.

An event without a time happened when it was accepted, and that is what an export says of it. So
the same event with this time is no other one.
"""

from collections.abc import Sequence
from dataclasses import replace

from harken.log.v1 import entry_pb2
from services.common.database import Connection
from services.feedback.domain.event_cleaning import fingerprint
from services.feedback.event_conversion import logged_draft
from services.feedback.store.log_store import LogRow, PreparedEvent, read_entries
from services.feedback.store.repeated_events import Fate, FlushedEvent


async def recognise_default_times(
    connection: Connection, events: Sequence[PreparedEvent], results: Sequence[FlushedEvent]
) -> list[FlushedEvent]:
    """Return the results with REUSED turned into DUPLICATE where only the time was written out.

    The log is read only when there is something REUSED.

    Raises:
        StoreUnavailableError: the store is away; what was appended stays.

    """
    sequences = {
        one.position.sequence for one in results if one.fate is Fate.REUSED and one.position
    }
    if not sequences:
        return list(results)
    rows = await read_entries(connection, sequences)
    timed = {row.sequence: _fingerprint_with_time(row) for row in rows}
    return [
        replace(one, fate=Fate.DUPLICATE)
        if one.fate is Fate.REUSED
        and one.position
        and timed.get(one.position.sequence) == event.fingerprint
        else one
        for event, one in zip(events, results, strict=True)
    ]


def _fingerprint_with_time(row: LogRow) -> bytes | None:
    """Return the fingerprint of an event as if it had its time; None when it was given one."""
    event = entry_pb2.Entry.FromString(row.entry).event
    if event.HasField("event_time_us"):
        return None
    return fingerprint(logged_draft(event, row.accepted_at_us))

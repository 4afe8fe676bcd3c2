"""Events that were accepted without a time, sent again with the time they were accepted at.

An event without a time happened when it was accepted, and that is what an export says of it. So
the same event with this time is no other one.
"""

from dataclasses import replace

from harken.internal.log.v1 import entry_pb2
from services.common.database import Connection
from services.common.vault.vault import UserVault
from services.feedback.events.domain.event_cleaning import fingerprint
from services.feedback.events.event_conversion import logged_draft
from services.feedback.events.repeated_events import Fate, FlushedEvents
from services.feedback.events.sealed_contexts import open_contexts
from services.feedback.log.log_store import LogRow, PreparedEvents, read_entries


async def recognise_default_times(
    connection: Connection, events: PreparedEvents, results: FlushedEvents, vault: UserVault
) -> FlushedEvents:
    """Return the results with REUSED turned into DUPLICATE where only the time was written out.

    The log is read only when there is something REUSED.

    Raises:
        StoreUnavailableError: the store is away; what was appended stays.

    """
    reused = [index for index, fate in enumerate(results.fates) if fate is Fate.REUSED]
    if not reused:
        return results
    rows = await read_entries(connection, {results.sequences[index] for index in reused})
    timed = {row.sequence: await _fingerprint_with_time(row, vault) for row in rows}
    fates = list(results.fates)
    for index in reused:
        if timed.get(results.sequences[index]) == events.fingerprints[index]:
            fates[index] = Fate.DUPLICATE
    return replace(results, fates=fates)


async def _fingerprint_with_time(row: LogRow, vault: UserVault) -> bytes | None:
    """Return the fingerprint of an event as if it had its time; None when it was given one."""
    event = entry_pb2.Entry.FromString(row.entry).event
    if event.HasField("event_time_us"):
        return None
    await open_contexts(vault, row.tenant, [event])
    draft = logged_draft(event, row.accepted_at_us)
    return fingerprint(draft, vault.pseudonyms.fingerprint_key)

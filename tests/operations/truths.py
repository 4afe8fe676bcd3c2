"""What must be true after anything that was done to a deployment under traffic."""

import collections

import asyncpg

from harken.internal.log.v1 import entry_pb2
from tests.operations.traffic import Traffic

_PROFILES = 200


async def check_nothing_lost(traffic: Traffic, admin_dsn: str) -> None:
    """Truths 1 and 2: each acknowledged event is once in the log and counted once in profile."""
    position = await traffic.settle()
    acknowledged = traffic.account.acknowledged
    connection = await asyncpg.connect(admin_dsn)
    try:
        rows = await connection.fetch("SELECT entry FROM feedback.log WHERE user_key IS NOT NULL")
    finally:
        await connection.close()
    entries = [entry_pb2.Entry.FromString(row["entry"]) for row in rows]
    logged = collections.Counter(
        entry.event.event_id for entry in entries if entry.HasField("event")
    )
    assert not [event for event, times in logged.items() if times > 1], "an event is in it twice"
    lost = acknowledged.keys() - logged.keys()
    assert not lost, f"{len(lost)} acknowledged events are not in the log: {sorted(lost)[:5]}"
    # What was not acknowledged may be in the log all the same.
    users = collections.Counter(
        entry.event.user_key.decode().partition(":")[2]
        for entry in entries
        if entry.HasField("event")
    )
    for user, expected in users.most_common(_PROFILES):
        counted = await traffic.profile_events(user, position)
        assert counted == expected, f"{user}: {counted} events in profile, {expected} in the log"

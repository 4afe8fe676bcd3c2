"""One slate of the log, by its id.

The log has no index by slate: it would cost every append. The id says when the slate was served
(UUIDv7, RFC 9562), and slates are logged soon after that, so little of the log is looked through.
"""

import asyncio
import re
from collections import Counter

import asyncpg

from harken.internal.log.v1 import entry_pb2
from services.common.database import store_faults
from services.common.errors import MissingResourceError, OverloadedError
from services.feedback.log.late_entries import IS_VOID
from services.feedback.log.log_reader import LogReader
from services.feedback.log.log_store import SHARD

SLATE_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
"""What ids of rankers look like."""
_PAGE = 5000
"""Entries looked through in one query."""
_MOST_WAITING, _MOST_OF_TENANT = 8, 2
"""Searches that wait or go on: of all, and of one tenant, so that it is in nobody's way."""
_MINUTE_US = 60_000_000
_SPANS = (
    (-2_000_000, _MINUTE_US // 2),
    (-5 * _MINUTE_US, -2_000_000),
    (_MINUTE_US // 2, 6 * _MINUTE_US),
)
"""From when to when a slate is looked for, by microseconds after it was served: rankers send within
a second, and try for a minute; clocks may differ by five."""
_TIME_AFTER = """
    SELECT (extract(epoch FROM accepted_at) * 1000000)::bigint FROM log
    WHERE shard = $1 AND sequence > $2 ORDER BY sequence LIMIT 1
"""
# A slate begins with its id, behind what says how long it is.
_FIND = f"""
    SELECT entry FROM log l
    WHERE shard = $1 AND sequence > $2 AND sequence <= $3 AND tenant = $4
        AND substr(entry, 1, 2) = '\\xa201' AND position($5::bytea in substr(entry, 1, 64)) > 0
        AND NOT {IS_VOID}
    ORDER BY sequence LIMIT 1
"""


class SlateFinder:
    """Looks for slates, one search after the other."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._turns = asyncio.Lock()
        self._waiting: Counter[str] = Counter()

    async def find(self, tenant: str, slate_id: str) -> entry_pb2.LoggedSlate:
        """Return a slate, whose id is like SLATE_ID.

        Raises:
            MissingResourceError: it is not in the log.
            OverloadedError: too many searches wait.
            StoreUnavailableError: the store is away.

        """
        waiting = self._waiting
        if waiting.total() >= _MOST_WAITING or waiting[tenant] >= _MOST_OF_TENANT:
            raise OverloadedError("too many slates are looked for", retry_after_seconds=1.0)
        waiting[tenant] += 1
        try:
            async with self._turns:
                found = await self._found(tenant, slate_id)
        finally:
            waiting[tenant] -= 1
            if not waiting[tenant]:
                del waiting[tenant]
        if found is None:
            raise MissingResourceError(
                f"slate {slate_id} is not in the log: it was never logged (a preview, or not one of"
                " the share that is), is not yet, or is too old"
            )
        return found

    async def _found(self, tenant: str, slate_id: str) -> entry_pb2.LoggedSlate | None:
        served_us = int(slate_id[:8] + slate_id[9:13], 16) * 1000
        head = (await LogReader(self._pool).head()).sequence
        for begins_us, ends_us in _SPANS:
            after = await self._last_before(served_us + begins_us, head)
            until = await self._last_before(served_us + ends_us, head)
            while after < until:
                through = min(after + _PAGE, until)
                with store_faults():
                    entry: bytes | None = await self._pool.fetchval(
                        _FIND, SHARD, after, through, tenant, slate_id.encode()
                    )
                if entry is not None:
                    return entry_pb2.Entry.FromString(entry).slate
                after = through
        return None

    async def _last_before(self, time_us: int, head: int) -> int:
        """Return the sequence of the last entry that was accepted before a time; 0: none was."""
        low, high = 0, head
        while low < high:
            middle = (low + high) // 2
            with store_faults():
                found: int | None = await self._pool.fetchval(_TIME_AFTER, SHARD, middle)
            if found is not None and found < time_us:
                low = middle + 1
            else:
                high = middle
        return low

"""Events of a tenant as the log has them, without those that were retracted."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import asyncpg

from services.common.database import one_row, session, store_faults
from services.common.errors import EpochLostError
from services.common.position import Position
from services.feedback.log.epochs import read_forks
from services.feedback.log.late_entries import IS_VOID
from services.feedback.log.log_store import SHARD, LogRow

_PAGE_BYTES = 3 * 1024 * 1024

# Sequences are dense, so a page is a range of them; entries of other tenants take no place in it.
_READ = f"""
    SELECT sequence, tenant, entry, accepted_at_us, retracted FROM (
        SELECT l.sequence, l.tenant, l.entry, r.sequence IS NOT NULL OR {IS_VOID} AS retracted,
            (extract(epoch FROM l.accepted_at) * 1000000)::bigint AS accepted_at_us,
            sum(length(l.entry)) OVER (ORDER BY l.sequence) AS size
        FROM log l LEFT JOIN retractions r
            ON r.shard = l.shard AND r.event_sequence = l.sequence
        WHERE l.shard = $1 AND l.sequence > $2 AND l.sequence <= $3
        ORDER BY l.sequence LIMIT $4
    ) page WHERE size <= $5 OR sequence = $2 + 1 ORDER BY sequence
"""


@dataclass(frozen=True, slots=True)
class LogPage:
    """Entries of the tenant that stand, and how far the log was read."""

    rows: list[LogRow]
    through: Position


class EventExport:
    """Reads the log of a shard, page after page."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def pages(
        self,
        tenant: str,
        after: Position | None,
        until: Position | None,
        page_entries: Callable[[], int],
    ) -> AsyncIterator[LogPage]:
        """Yield pages of a tenant's entries after a position, up to another one or the end as of
        now; at least one page, maybe without entries. `page_entries`: how many the next may have.

        Raises:
            EpochLostError: a position lies on an abandoned fork.
            StoreUnavailableError: the store is away.

        """
        async with session(self._pool) as connection:
            row = await one_row(
                connection, "SELECT epoch, head FROM shards WHERE shard = $1", SHARD
            )
            forks = await read_forks(connection)
        epoch: int = row["epoch"]
        for position in (after, until):
            if position is not None:
                _check(position, epoch, row["head"], forks)
        sequence = 0 if after is None else after.sequence
        last: int = row["head"] if until is None else min(until.sequence, row["head"])
        while True:
            with store_faults():
                rows = await self._pool.fetch(
                    _READ, SHARD, sequence, last, page_entries(), _PAGE_BYTES
                )
            # Entries that retention took leave a gap; what is left of the range is read all the
            # same, and an empty page means that there is nothing more.
            sequence = rows[-1]["sequence"] if rows else last
            kept = [
                LogRow(one["sequence"], one["tenant"], one["accepted_at_us"], one["entry"])
                for one in rows
                if one["tenant"] == tenant and not one["retracted"]
            ]
            yield LogPage(kept, Position(SHARD, epoch, max(sequence, 0)))
            if sequence >= last:
                return


def _check(position: Position, epoch: int, head: int, forks: dict[int, int]) -> None:
    left_at = forks.get(position.epoch)
    lost = position.epoch != epoch and (left_at is None or position.sequence > left_at)
    if lost or position.sequence > head:
        raise EpochLostError(f"position {position.sequence} of epoch {position.epoch} is lost")

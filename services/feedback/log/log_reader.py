"""The log as committed, for whoever serves its entries."""

from collections.abc import Collection
from dataclasses import dataclass

import asyncpg

from services.common.database import one_row, session
from services.feedback.log.epochs import read_forks
from services.feedback.log.log_store import LOG_CHANNEL, SHARD, LogRow, read_entries, read_log

# What a session that does nothing but listen did last. Of sessions of other roles, and where
# activities are not tracked, this is not to be seen.
_LISTENERS = """
    SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query = $1
"""


@dataclass(frozen=True, slots=True)
class LogHead:
    """The newest committed entry, and where earlier epochs ended."""

    epoch: int
    sequence: int
    forks: dict[int, int]

    def holds(self, epoch: int, sequence: int) -> bool:
        """Return whether all up to a point that was reached in an epoch is part of this log."""
        if sequence > self.sequence or epoch > self.epoch:
            return False
        if epoch != self.epoch and epoch not in self.forks and sequence > 0:
            return False
        return all(sequence <= last for left, last in self.forks.items() if left >= epoch)


class LogReader:
    """Reads the log of the shard."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def head(self) -> LogHead:
        """Return the newest committed point."""
        async with session(self._pool) as connection:
            row = await one_row(
                connection, "SELECT epoch, head FROM shards WHERE shard = $1", SHARD
            )
            forks = await read_forks(connection)
        return LogHead(row["epoch"], row["head"], forks)

    async def after(self, sequence: int, limit: int) -> list[LogRow]:
        """Return the next entries after a sequence, a page of them. Some may have been dropped."""
        async with session(self._pool) as connection:
            return await read_log(connection, sequence, limit)

    async def entries(self, sequences: Collection[int]) -> list[LogRow]:
        """Return those of some entries that are there, in no order."""
        async with session(self._pool) as connection:
            return await read_entries(connection, sequences)

    async def others_listen(self, own: int) -> bool:
        """Return whether other sessions may listen to the log, given the id of one that does."""
        async with session(self._pool) as connection:
            rows = await connection.fetch(_LISTENERS, f'LISTEN "{LOG_CHANNEL}"')
        # Where not even our own is to be seen, nothing is known of others.
        return [row["pid"] for row in rows] != [own]

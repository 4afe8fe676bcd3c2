"""Epochs: which history of the log is in force, and where earlier ones were left.

A restore from a backup or the promotion of a replica may have lost the newest entries. PostgreSQL
shows either by another system identifier or timeline; then a new epoch begins, and positions of
the old one beyond the head as it is now are lost.
"""

import time

import asyncpg

from services.common.database import Connection, one_row, session
from services.common.logs import logger
from services.feedback.log.log_store import SHARD

_log = logger("epochs")


async def settle_epoch(pool: asyncpg.Pool) -> int:
    """Begin a new epoch if the server is not the one of the last start; return the epoch."""
    async with session(pool) as connection, connection.transaction():
        shard = await one_row(
            connection,
            "SELECT epoch, head, system_identifier, timeline FROM shards"
            " WHERE shard = $1 FOR UPDATE",
            SHARD,
        )
        server = await one_row(
            connection,
            "SELECT (SELECT system_identifier FROM pg_control_system()) AS system_identifier,"
            # The timeline of the log being written: after a promotion the control file names the
            # old one for minutes.
            " ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int AS timeline",
        )
        epoch: int = shard["epoch"]
        known = (shard["system_identifier"], shard["timeline"])
        found = (server["system_identifier"], server["timeline"])
        if known == found:
            return epoch
        if known[0] is not None:
            await connection.execute(
                "INSERT INTO forks (shard, epoch, last_sequence) VALUES ($1, $2, $3)",
                SHARD,
                epoch,
                shard["head"],
            )
            # Not just one more: a backup may be older than the last epoch, whose number must not
            # come again.
            epoch = max(epoch + 1, int(time.time()))
            _log.warning("another server: a new epoch begins", epoch=epoch, head=shard["head"])
        await connection.execute(
            "UPDATE shards SET epoch = $2, system_identifier = $3, timeline = $4 WHERE shard = $1",
            SHARD,
            epoch,
            *found,
        )
        return epoch


async def read_forks(connection: Connection) -> dict[int, int]:
    """Return the last sequence of each epoch that was left."""
    rows = await connection.fetch(
        "SELECT epoch, last_sequence FROM forks WHERE shard = $1 ORDER BY epoch", SHARD
    )
    return {row["epoch"]: row["last_sequence"] for row in rows}
